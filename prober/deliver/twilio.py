"""A telephone call through Twilio, by its REST API (2010-04-01, Calls), with what it says given inline.

With a public `callback`, keys acknowledge and join to the hotline; without one the call announces (and joins by
itself where a number is configured), and its end is asked for. Accepted means that Twilio will dial; what became of it
`follow` tells: answered, busy, nobody there, an answering machine. A call that reached nobody is made again.

The API knows no key, so after a lost answer the newest calls between both numbers are looked at before another is made.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode

from prober.deliver import TIMEOUT, Arrival, Delivered, Reached
from prober.deliver.credentials import authorization
from prober.deliver.exchange import USER_AGENT, Exchange, Session, Undelivered, items
from prober.deliver.harmless import told
from prober.deliver.twiml import TWIML, Voice
from prober.receivers import TwilioReceiver
from prober.redact import Redactor
from rules.acts import Act, ActKind, Outcome

#: Where keys go, below the receiver's `callback`.
CALLBACK = "/callbacks/twilio"
_LOOK = 5.0  # seconds between looks at a call
_PATIENCE = 6  # times that Twilio may fail to take a call that is to be made again, half a minute or so
_NOBODY = frozenset({"busy", "no-answer", "failed", "canceled"})
_GOING_ON = frozenset({"queued", "initiated", "ringing", "in-progress"})
_LONGEST = 1_000_000  # bytes of a list of calls
_REMEMBERED = 1_000
#: Seconds by which Twilio's clock may be behind ours.
_SKEW = 30


@dataclass(slots=True)
class _Call:
    """What is known of the calls made for a key."""

    redials: int = 0
    failed: int = 0  # redials since the last one that Twilio took which it did not take
    lost: float = 0.0  # UTC seconds at which an attempt began whose answer was lost; 0: none


class Twilio:
    """One number that is called. `now` gives UTC seconds."""

    def __init__(
        self,
        name: str,
        receiver: TwilioReceiver,
        redactor: Redactor | None = None,
        now: Callable[[], float] = time.time,
        timeout: float = TIMEOUT,
    ) -> None:
        """Raises OSError when the file of certification authorities cannot be read."""
        self._name = name
        self._receiver = receiver
        self._now = now
        self._exchange = Exchange.to(receiver, redactor, timeout, _LONGEST)
        self._redactor = self._exchange.redactor
        self._calls = f"{receiver.url.rstrip('/')}/2010-04-01/Accounts/{receiver.account_sid}/Calls"
        self._headers = {
            "Authorization": authorization(receiver.account_sid, receiver.auth_token),
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
        }
        self._voice = voice_of(receiver)
        self._known: OrderedDict[str, _Call] = OrderedDict()

    async def deliver(self, act: Act, key: str) -> Delivered:
        if act.kind is ActKind.PAGE_RESOLVE:
            return Delivered(Outcome.ACCEPTED, "nobody is called to hear that it is over")
        known, begun = self._of(key), self._now()
        try:
            async with self._exchange.session() as session:
                sid = await self._made_since(session, known.lost) if known.lost else ""
                if not sid:
                    sid = await self._dial(session, act)
        except Undelivered as undelivered:
            if undelivered.delivered.outcome is Outcome.UNKNOWN:
                known.lost = known.lost or begun
            return undelivered.delivered
        if not sid:
            known.lost = known.lost or begun
            return Delivered(Outcome.UNKNOWN, f"{self._exchange.host} may be calling; it did not say under which name")
        known.lost = 0.0
        return Delivered(Outcome.ACCEPTED, f"{self._exchange.host} calls {self._receiver.to}", sid)

    async def follow(self, act: Act, key: str, reference: str) -> Arrival:
        try:
            async with self._exchange.session() as session:
                url = f"{self._calls}/{quote(reference, safe='')}.json"
                answer = await session.ask("GET", url, headers=self._headers)
                call = answer.value if isinstance(answer.value, dict) else {}
                status = str(call.get("status"))
                if status in _GOING_ON:
                    return Arrival(Reached.WAITING, f"{self._receiver.to}: {status}", again=_LOOK)
                why = self._unreached(call, status)
                if not why:
                    joined = await self._joined(session, reference)
                    took = told(self._redactor, str(call.get("duration") or "?"), 20)
                    return Arrival(Reached.DELIVERED, f"{self._receiver.to} answered, {took} s{joined}")
        except Undelivered as undelivered:
            if undelivered.delivered.outcome is Outcome.PERMANENT:
                return Arrival(Reached.FAILED, undelivered.delivered.detail)
            return Arrival(
                Reached.WAITING, undelivered.delivered.detail, again=undelivered.delivered.retry_after or _LOOK
            )
        return await self._again(act, key, why)

    @staticmethod
    def _unreached(call: dict[str, Any], status: str) -> str:
        """Why a call that has ended reached nobody; "" when it did."""
        answered_by = str(call.get("answered_by") or "")
        if status == "completed":
            return "an answering machine" if answered_by.startswith(("machine", "fax")) else ""
        return status if status in _NOBODY else "its end is not known"

    async def _again(self, act: Act, key: str, why: str) -> Arrival:
        known = self._of(key)
        if known.redials >= self._receiver.redials:
            calls = f"called {known.redials + 1} times" if known.redials else "called once"
            return Arrival(Reached.FAILED, f"{self._receiver.to}: {why}; {calls}")
        delivered = await self.deliver(act, key)
        if delivered.outcome is not Outcome.ACCEPTED:
            known.failed += 1
            detail = f"{self._receiver.to}: {why}; calling again failed: {delivered.detail}"
            if delivered.outcome is Outcome.PERMANENT or known.failed > _PATIENCE:
                return Arrival(Reached.FAILED, detail)
            return Arrival(Reached.WAITING, detail, again=delivered.retry_after or _LOOK)
        known.redials, known.failed = known.redials + 1, 0
        detail = f"{self._receiver.to}: {why}; called again"
        return Arrival(Reached.WAITING, detail, reference=delivered.reference, again=_LOOK)

    async def _dial(self, session: Session, act: Act) -> str:
        own = self._receiver
        callback = own.callback.rstrip("/") + action_path(self._name, act) if own.callback is not None else ""
        twiml = self._voice.call(act, callback)
        if len(twiml) > TWIML:
            raise Undelivered(Delivered(Outcome.PERMANENT, f"the call's script has more than {TWIML} characters"))
        form = {"To": own.to, "From": own.from_, "Twiml": twiml, "Timeout": str(own.ring // 1000)}
        if act.kind is ActKind.PAGE:  # a person must answer; a hotline's menu is a machine too
            form["MachineDetection"] = "Enable"
        headers = self._headers | {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await session.ask("POST", f"{self._calls}.json", urlencode(form).encode(), headers)
        value = answer.value
        sid = value.get("sid") if isinstance(value, dict) else None
        return sid if isinstance(sid, str) else ""

    async def _made_since(self, session: Session, since: float) -> str:
        """The newest call between both numbers made since then (UTC seconds), that has not failed; "" for none."""
        day = f"{datetime.fromtimestamp(since - _SKEW, UTC):%Y-%m-%d}"
        query = urlencode({"To": self._receiver.to, "From": self._receiver.from_, "StartTime>": day, "PageSize": "50"})
        answer = await session.ask("GET", f"{self._calls}.json?{query}", headers=self._headers)
        for call in session.rows(answer, "calls"):
            if (
                call.get("status") not in _NOBODY
                and _created(call) >= since - _SKEW
                and isinstance(call.get("sid"), str)
            ):
                return str(call["sid"])
        return ""

    async def _joined(self, session: Session, sid: str) -> str:
        """What became of the way to the hotline, in words; "" where none was to be had."""
        if not self._receiver.bridge:
            return ""
        query = urlencode({"ParentCallSid": sid, "PageSize": "10"})
        answer = await session.answer("GET", f"{self._calls}.json?{query}", headers=self._headers)
        states = [str(call.get("status")) for call in items(answer.value, "calls")]
        if not states:
            return ", not joined to the hotline"
        return (
            ", joined to the hotline"
            if "completed" in states
            else f", the hotline: {told(self._redactor, states[0], 20)}"
        )

    def _of(self, key: str) -> _Call:
        known = self._known.setdefault(key, _Call())
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return known


def voice_of(receiver: TwilioReceiver) -> Voice:
    """How calls of this receiver speak."""
    return Voice(
        receiver.language, receiver.voice, receiver.from_, receiver.bridge or "", max(1, receiver.ring // 1000)
    )


def action_path(name: str, act: Act) -> str:
    """Path and query to which a key pressed in a call about `act` goes."""
    return f"{CALLBACK}?{urlencode({'receiver': name, 'incident': act.incident})}"


def _created(call: dict[str, Any]) -> float:
    """When the call was made (UTC seconds), by Twilio's RFC 2822 date; 0 when it says nothing."""
    try:
        return parsedate_to_datetime(str(call.get("date_created"))).timestamp()
    except (ValueError, OverflowError):
        return 0.0
