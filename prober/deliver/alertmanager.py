"""Prometheus Alertmanager by its API v2: a page is an alert that fires until the page is resolved.

Alertmanager forgets alerts when it restarts and takes one that is not sent again for resolved, so a firing one is sent
again and again (`follow`), each time with an end that lies ahead. What resolves it asks Alertmanager for the labels
under which it fires: an alert is its labels, and the resolve's facts may be others.
Source: prometheus/alertmanager api/v2/openapi.yaml (alerts).
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from prober.deliver import TIMEOUT, Arrival, Delivered, Reached, texts
from prober.deliver.exchange import USER_AGENT, Exchange, Session, Undelivered, items, packed
from prober.deliver.harmless import told
from prober.deliver.view import View
from prober.receivers import AlertmanagerReceiver
from prober.redact import Redactor
from rules.acts import Act, ActKind, Outcome

#: Seconds for which an alert fires without being sent again: a restart of ours must not look like a recovery.
HORIZON = 3_600
_LONGEST = 1_000_000  # bytes of a list of alerts
#: The label by which a page and its resolve find each other.
ALERT = "prober_alert"
_TEXT = 8_000  # characters of an annotation


class Alertmanager:
    """One Alertmanager. `now` gives UTC seconds."""

    def __init__(
        self,
        name: str,
        receiver: AlertmanagerReceiver,
        redactor: Redactor | None = None,
        now: Callable[[], float] = time.time,
        timeout: float = TIMEOUT,
    ) -> None:
        """Raises OSError when the file of certification authorities cannot be read."""
        self._name = name
        self._receiver = receiver
        self._now = now
        self._url = f"{receiver.url.rstrip('/')}/api/v2/alerts"
        self._headers = {name: value.get_secret_value() for name, value in receiver.headers.items()}
        self._headers |= {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        self._exchange = Exchange.to(receiver, redactor, timeout, _LONGEST)
        self._redactor = self._exchange.redactor

    async def deliver(self, act: Act, key: str) -> Delivered:  # noqa: ARG002 - the alert's label is its key
        alert = act.alert(self._name)
        try:
            async with self._exchange.session() as session:
                if act.kind is ActKind.PAGE_RESOLVE:
                    found = await self._firing(session, alert)
                    over = {"annotations": self._annotations(act), "endsAt": _time(act.created)}
                    alerts = [{"labels": each["labels"], **over} for each in found]
                else:
                    alerts = [self.alert(act)]
                if alerts:
                    await session.ask("POST", self._url, packed(alerts), self._headers, safe=True)  # sent twice is once
        except Undelivered as undelivered:
            return undelivered.delivered
        detail = "took it" if alerts else "does not have it any more"
        return Delivered(Outcome.ACCEPTED, f"{self._exchange.host} {detail}", alert)

    async def follow(self, act: Act, key: str, reference: str) -> Arrival:  # noqa: ARG002 - as above
        """Send it again, and tell what Alertmanager makes of it."""
        again = self._receiver.resend / 1000
        try:
            async with self._exchange.session() as session:
                await session.ask("POST", self._url, packed([self.alert(act)]), self._headers, safe=True)
                found = await self._firing(session, act.alert(self._name))
        except Undelivered as undelivered:
            return Arrival(Reached.WAITING, undelivered.delivered.detail, again=again)
        if not found:
            return Arrival(Reached.WAITING, f"{self._exchange.host} does not show it yet", again=again)
        return self._state(found[0], again)

    def _state(self, alert: dict[str, Any], again: float) -> Arrival:
        """What Alertmanager does with an alert that it has."""
        status = alert.get("status")
        state = status.get("state") if isinstance(status, dict) else None
        if state == "suppressed":
            return Arrival(Reached.WAITING, f"{self._exchange.host} keeps it back: silenced or inhibited", again=again)
        if state != "active":
            return Arrival(Reached.WAITING, f"{self._exchange.host} has not routed it yet", again=again)
        names = [str(receiver.get("name")) for receiver in items(alert, "receivers")]
        who = told(self._redactor, ", ".join(names), 200)
        return Arrival(Reached.DELIVERED, f"{self._exchange.host} routes it to {who or 'nobody'}", again=again)

    def alert(self, act: Act) -> dict[str, Any]:
        """The alert that fires for `act`."""
        view = View(act)
        labels = {
            "alertname": "VendorIncident",
            "service": view.service,
            "severity": str(act.facts.get("severity") or ""),
            "condition": view.condition,
            "incident": act.incident,
            "exercise": "true" if view.exercise else "",
            **self._receiver.labels,
            ALERT: act.alert(self._name),
        }
        alert: dict[str, Any] = {
            "labels": {name: value for name, value in labels.items() if value},
            "annotations": self._annotations(act),
            "startsAt": _time(act.created),
            "endsAt": _time(self._now() + max(HORIZON, 10 * self._receiver.resend / 1000)),
        }
        if url := self._receiver.generator_url or view.room:
            alert["generatorURL"] = url
        return alert

    @staticmethod
    def _annotations(act: Act) -> dict[str, str]:
        """What people read, also of an alert that is over: Alertmanager tells them the newest that it was given."""
        view = View(act)
        said = {
            "summary": texts.summary(act),
            "description": texts.text(act)[:_TEXT],
            "ticket": view.ticket,
            "room": view.room,
        }
        return {name: value for name, value in said.items() if value}

    async def _firing(self, session: Session, alert: str) -> list[dict[str, Any]]:
        """The alerts of that name, as Alertmanager has them now."""
        quoted = alert.replace("\\", "\\\\").replace('"', '\\"')
        wanted = quote(f'{ALERT}="{quoted}"', safe="")
        answer = await session.ask("GET", f"{self._url}?filter={wanted}", headers=self._headers)
        return [each for each in session.rows(answer) if isinstance(each.get("labels"), dict)]


def _time(second: float) -> str:
    """RFC 3339."""
    return datetime.fromtimestamp(second, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
