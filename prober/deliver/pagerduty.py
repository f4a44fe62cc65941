"""PagerDuty by its Events API v2: a page triggers an alert, its resolve resolves the same one.

With a REST API key, `follow` reads back whom PagerDuty notified and who acknowledged (REST API v2: List incidents by
incident_key, List log entries for an incident).

Limits and answers as facts of the API: 202 is accepted, 429 and 5xx are tried again; `dedup_key` 255 characters,
`summary` 1,024, the event 512,000 bytes at most.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from prober.deliver import TIMEOUT, Arrival, Delivered, Reached, texts
from prober.deliver.exchange import USER_AGENT, Exchange, Session, Undelivered, items
from prober.deliver.harmless import told
from prober.deliver.post import Poster
from prober.deliver.priorities import rank
from prober.deliver.view import SOMEBODY, View
from prober.deliver.webhook import payload
from prober.redact import Redactor
from prober.settings import PagerdutyReceiver
from rules.acts import Act, ActKind, Outcome
from rules.contracts.model import INTERNAL

DEDUP_KEY = 255
SUMMARY = 1024
EVENT = 512_000  # bytes
_LOOK = 15.0  # seconds between looks at what became of a page
_LONGEST = 1_000_000  # bytes of a list of log entries


class Pagerduty:
    """One PagerDuty integration."""

    def __init__(
        self, name: str, receiver: PagerdutyReceiver, redactor: Redactor | None = None, timeout: float = TIMEOUT
    ) -> None:
        """Raises OSError when the file of certification authorities cannot be read."""
        self._name = name
        self._routing_key = receiver.routing_key.get_secret_value() if receiver.routing_key else ""
        self._api_url = receiver.api_url.rstrip("/")
        self._api = Exchange.to(receiver, redactor, timeout, _LONGEST, self._api_url)
        self._redactor = self._api.redactor
        self._poster = Poster(receiver.url, receiver.ca, self._redactor, timeout)
        token = receiver.api_token.get_secret_value() if receiver.api_token else ""
        self._api_headers = {
            "Authorization": f"Token token={token}",
            "Accept": "application/vnd.pagerduty+json;version=2",
            "User-Agent": USER_AGENT,
        }
        self._reads = bool(token)

    async def deliver(self, act: Act, key: str) -> Delivered:
        body = encode(event(act, key, self._name, self._routing_key))
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        return await self._poster.post(body, headers, ("dedup_key",))

    async def follow(self, act: Act, key: str, reference: str) -> Arrival:  # noqa: ARG002 - the dedup key names both
        if not self._reads:
            return Arrival(Reached.WAITING, "no api_token is configured")
        try:
            async with self._api.session() as session:
                query = urlencode({"incident_key": dedup_key(act, self._name), "date_range": "all"})
                answer = await session.ask("GET", f"{self._api_url}/incidents?{query}", headers=self._api_headers)
                incidents = items(answer.value, "incidents")
                if not incidents:
                    return Arrival(Reached.WAITING, "PagerDuty has made no incident of it yet", again=_LOOK)
                incident = incidents[-1]
                if incident.get("status") in ("acknowledged", "resolved"):
                    return self._answered(incident)
                return await self._notified(session, str(incident.get("id")))
        except Undelivered as undelivered:
            delivered = undelivered.delivered
            refused = delivered.outcome is Outcome.PERMANENT  # a wrong token: asking again is no use, the page stands
            return Arrival(Reached.WAITING, delivered.detail, again=0.0 if refused else delivered.retry_after or _LOOK)

    def _answered(self, incident: dict[str, Any]) -> Arrival:
        """Who acknowledged, or who resolved what was never acknowledged."""
        named = [ack.get("acknowledger") for ack in items(incident, "acknowledgements")]
        named.append(incident.get("last_status_change_by"))
        names = [str(who.get("summary")) for who in named if isinstance(who, dict) and who.get("summary")]
        by = told(self._redactor, next(iter(names), ""), 100) or SOMEBODY
        return Arrival(Reached.ACKNOWLEDGED, f"{incident['status']} in PagerDuty by {by}", by=by)

    async def _notified(self, session: Session, incident: str) -> Arrival:
        """Whom PagerDuty has notified so far."""
        url = f"{self._api_url}/incidents/{quote(incident, safe='')}/log_entries?limit=100"
        answer = await session.ask("GET", url, headers=self._api_headers)
        notes = [e for e in items(answer.value, "log_entries") if str(e.get("type")).startswith("notify_log_entry")]
        users = [note.get("user") for note in notes]
        names = {str(user.get("summary")) for user in users if isinstance(user, dict) and user.get("summary")}
        if not notes:
            return Arrival(Reached.WAITING, "PagerDuty has notified nobody yet", again=_LOOK)
        who = told(self._redactor, ", ".join(sorted(names)), 200)
        return Arrival(Reached.DELIVERED, f"PagerDuty notified {who or 'somebody'}", again=_LOOK)


def dedup_key(act: Act, receiver: str) -> str:
    """What a page and its resolve share; hashed when it is longer than the API takes."""
    alert = act.alert(receiver)
    return alert if len(alert) <= DEDUP_KEY else hashlib.sha256(alert.encode()).hexdigest()


def event(act: Act, key: str, receiver: str, routing_key: str) -> dict[str, Any]:
    """The event. What is no page triggers too: a ticket or hotline that goes to PagerDuty is somebody's call."""
    resolve = act.kind is ActKind.PAGE_RESOLVE
    common = {
        "routing_key": routing_key,
        "event_action": "resolve" if resolve else "trigger",
        "dedup_key": dedup_key(act, receiver),
    }
    if resolve:
        return common
    view = View(act)
    details = payload(act, key, receiver)
    return common | {
        "client": "prober",
        **({"client_url": view.room} if view.room else {}),
        "links": [{"href": view.room, "text": "Incident room"}] if view.room else [],
        "payload": {
            "summary": texts.summary(act)[:SUMMARY],
            "source": view.location or view.service or "prober",
            "severity": _severity(act),
            "timestamp": datetime.fromtimestamp(act.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": view.service,
            "class": view.condition,
            "custom_details": {
                name: details[name]
                for name in (
                    "exercise",
                    "key",
                    "incident",
                    "episode",
                    "severity",
                    "condition",
                    "onset",
                    "raised",
                    "text",
                    "facts",
                )
            },
        },
    }


def _severity(act: Act) -> str:
    """PagerDuty's word for it. Where urgency follows severity, `critical` and `error` wake somebody, `warning` does not:
    what an agreement calls minor was still found worth a page, and what concerns on-call alone is a service out of reach.
    """
    if act.facts.get("urgency") == "low":
        return "warning"
    severity = act.facts.get("severity")
    return "critical" if not isinstance(severity, str) or severity == INTERNAL or rank(severity) == 0 else "error"


def encode(value: dict[str, Any]) -> bytes:
    """The event as bytes within the API's limit: the facts go first, then the text is cut."""
    body = json.dumps(value, separators=(",", ":")).encode()
    if len(body) <= EVENT:
        return body
    details = dict(value["payload"]["custom_details"])
    details.pop("facts", None)
    details["text"] = str(details.get("text", ""))[:60_000]  # at most 6 bytes a character once escaped
    smaller = value | {"payload": value["payload"] | {"custom_details": details}}
    return json.dumps(smaller, separators=(",", ":")).encode()
