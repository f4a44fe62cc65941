"""Atlassian Statuspage, by its REST API: an incident with its updates, and the components of the service and its channels.

The incident carries in its metadata which incident of ours it is and which act was its newest, so that a repeat makes no
second incident and no second update. A key may ask once a second (429 and 420 say that it asked too often).
Source: developer.statuspage.io (Incidents, Components, Rate Limiting).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from prober.deliver import TIMEOUT, Delivered
from prober.deliver.exchange import USER_AGENT, Answer, Exchange, Session, Undelivered, packed
from prober.deliver.harmless import told as harmlessly
from prober.deliver.marks import Recent, mark
from prober.deliver.public import component_status, told
from prober.receivers import StatuspageReceiver
from prober.redact import Redactor
from rules.acts import Act, Outcome

#: Seconds between two requests of one key.
PACE = 1.0
#: Acts that begin an incident where there is none yet.
_BEGINS = "raised"
_TOO_OFTEN = 420
_LONGEST = 4_000_000  # bytes of a list of incidents
_WAIT = 60.0  # seconds: the window over which requests are counted


class Statuspage:
    """One page."""

    def __init__(
        self,
        name: str,
        receiver: StatuspageReceiver,
        redactor: Redactor | None = None,
        timeout: float = TIMEOUT,
        pace: float = PACE,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Raises OSError when the file of certification authorities cannot be read."""
        self._name = name
        self._receiver = receiver
        self._exchange = Exchange.to(receiver, redactor, timeout, _LONGEST)
        self._redactor = self._exchange.redactor
        self._url = f"{receiver.url.rstrip('/')}/v1/pages/{quote(receiver.page)}"
        key = receiver.api_key.get_secret_value() if receiver.api_key else ""
        self._headers = {
            "Authorization": f"OAuth {key}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
        }
        self._pace, self._sleep = pace, sleep
        self._next = 0.0  # monotonic seconds
        self._lost = Recent()
        self._components = {str(channel): id_ for channel, id_ in receiver.channels.items()}
        if receiver.component is not None:
            self._components[""] = receiver.component  # "": the service itself

    async def deliver(self, act: Act, key: str) -> Delivered:
        try:
            async with self._exchange.session() as session:
                delivered = await self._tell(session, act, key)
        except Undelivered as undelivered:
            delivered = undelivered.delivered
            if delivered.outcome is Outcome.UNKNOWN:
                self._lost.add(key)
        if delivered.outcome is Outcome.ACCEPTED:
            self._lost.forget(key)
        return delivered

    async def _tell(self, session: Session, act: Act, key: str) -> Delivered:
        if not self._receiver.incidents:
            return await self._tell_components(session, act)
        found = await self._find(session, act.incident)
        if found is None and act.facts.get("what") != _BEGINS:
            return await self._tell_components(session, act)
        own = mark(key)
        if found is not None and _ours(found).get("last") == own:
            return self._accepted("has it already, in", str(found.get("id")))
        if found is None and self._lost.unsettled(key):
            why = "the answer was lost, and the list does not show it yet"
            return Delivered(Outcome.UNKNOWN, f"{self._exchange.host}: {why}")
        body = {"incident": self._incident(act, own, begins=found is None)}
        if found is None:
            answer = await self._ask(session, "POST", "/incidents", body)
        else:
            answer = await self._ask(session, "PATCH", f"/incidents/{quote(str(found.get('id')), safe='')}", body)
        made = answer.value if isinstance(answer.value, dict) else {}
        return self._accepted("opened" if found is None else "added it to", str(made.get("id") or ""))

    def _incident(self, act: Act, own: str, *, begins: bool) -> dict[str, Any]:
        said = told(act)
        incident: dict[str, Any] = {
            "name": said.name,
            "body": said.body,
            "impact_override": said.impact,
            "components": {id_: component_status(act, channel) for channel, id_ in self._components.items()},
            "component_ids": list(self._components.values()),
            "deliver_notifications": self._receiver.notify,
            "metadata": {"prober": {"incident": act.incident, "last": own}},
        }
        if said.progress or begins:
            incident["status"] = said.progress or "investigating"
        return incident

    async def _tell_components(self, session: Session, act: Act) -> Delivered:
        """The components alone; that is the same however often it is done."""
        if not self._components:
            why = "the incident to add to is not there, and no component is configured"
            return Delivered(Outcome.PERMANENT, f"{self._exchange.host}: {why}")
        for channel, id_ in self._components.items():
            body = {"component": {"status": component_status(act, channel)}}
            await self._ask(session, "PATCH", f"/components/{quote(id_)}", body)
        return self._accepted("set", f"{len(self._components)} components")

    async def _find(self, session: Session, incident: str) -> dict[str, Any] | None:
        """The incident of the page that is ours of that id; the newest hundred are looked through."""
        answer = await self._ask(session, "GET", "/incidents?limit=100", None)
        mine = [each for each in session.rows(answer) if _ours(each).get("incident") == incident]
        return min(mine, key=lambda each: str(each.get("created_at")), default=None)

    async def _ask(self, session: Session, method: str, path: str, body: dict[str, Any] | None) -> Answer:
        now = time.monotonic()
        wait, self._next = max(0.0, self._next - now), max(now, self._next) + self._pace
        if wait:
            await self._sleep(wait)
        answer = await session.answer(method, self._url + path, packed(body) if body else b"", self._headers)
        if answer.status == _TOO_OFTEN:
            detail = self._exchange.told(answer)
            raise Undelivered(Delivered(Outcome.TRANSIENT, detail, retry_after=answer.retry_after or _WAIT))
        if not 200 <= answer.status <= 299:
            raise Undelivered(self._exchange.refused(answer))
        return answer

    def _accepted(self, what: str, number: str) -> Delivered:
        number = harmlessly(self._redactor, number, 100)
        return Delivered(Outcome.ACCEPTED, f"{self._exchange.host} {what} {number}".rstrip(), number)


def _ours(incident: dict[str, Any]) -> dict[str, Any]:
    """What we left in the incident's metadata."""
    metadata = incident.get("metadata")
    own = metadata.get("prober") if isinstance(metadata, dict) else None
    return own if isinstance(own, dict) else {}
