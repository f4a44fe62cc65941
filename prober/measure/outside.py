"""What comes from outside of the measurements: the vendor's replies, its status page, and announced maintenance.

A reply is written down together with how far its mailbox was read, in one transaction: whichever process ends when, it is
neither lost nor taken twice.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from prober import logs
from prober.errors import ProberError
from prober.measure.clock import NS
from prober.measure.keeper import Keeper
from prober.measure.station import Station
from prober.settings import Settings
from prober.store import MaintenanceTurn, Transaction, Writer
from rules.contracts.clauses import Mark
from rules.incident import (
    ConditionCleared,
    ConditionRaised,
    Entry,
    EntryKind,
    Maintenance,
    Record,
    RecordKind,
)
from rules.incident_state import MAILBOX
from rules.maintenance import Windows, turns
from rules.model import Condition
from rules.replies import ReplyKind

log = logs.get("measure")

#: By which way such entries came, in the record.
VIA_REPLY, VIA_STATUS_PAGE = "reply", "status_page"
#: The store's states that belong to no service: how far each mailbox was read.
_MAILBOX = "mailbox:"
#: Characters of a mail that go into the record.
_EXCERPT = 1500
_NO_WINDOWS = Windows()
_DAY = 86_400.0


class Outside:
    """See the module. `now()` is UTC ns. `configured` comes first."""

    def __init__(self, station: Station, writer: Writer, now: Callable[[], int]) -> None:
        self._station = station
        self._writer = writer
        self._now = now
        self._settings = Settings()
        self._windows: Mapping[str, Windows] = {}
        self.positions: dict[str, Any] = {}

    def configured(self, settings: Settings, windows: Mapping[str, Windows]) -> None:
        """A configuration was taken; `windows` are its services' maintenance windows (`windows_of`)."""
        self._settings, self._windows = settings, windows
        known = {f"{MAILBOX}{mailbox.label}" for mailbox in settings.mailboxes}
        for scope in {h.scope for k in self._keepers() for h in k.state.held if h.scope.startswith(MAILBOX)} - known:
            self._in_reach(scope)  # nobody watches it any more

    async def look_ahead(self) -> None:
        """Once a day the maintenance windows of the weeks ahead are read anew, in a thread."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_DAY)
            settings = self._settings
            try:
                windows = await loop.run_in_executor(None, windows_of, settings, self._now() // NS)
            except ProberError as error:  # a calendar's file is gone: what is known of it stands
                log.error("maintenance windows cannot be read anew: %s", error)
            else:
                if settings is self._settings:
                    self._windows = windows

    def remember(self, states: Mapping[str, str]) -> None:
        """The store's states that belong to no service."""
        for part, body in states.items():
            if part.startswith(_MAILBOX):
                self.positions[part.removeprefix(_MAILBOX)] = json.loads(body)

    # what serve tells

    def replied(self, message: Mapping[str, Any]) -> None:
        """A mail was read: what it is to an incident, and how far its mailbox was read with it."""
        mailbox, position = str(message["mailbox"]), dict(message["position"])
        self.positions[mailbox] = position
        states = {("", f"{_MAILBOX}{mailbox}"): json.dumps(position)}
        reply = message.get("reply")
        keeper = self._open(str(reply["incident"])) if reply else None
        if reply is None or keeper is None:
            self._writer.submit(Transaction(states=states, records=tuple(self._aside(reply))))
            return
        responded = keeper.state.incident is not None and Mark.FIRST_RESPONSE in keeper.state.incident.marks
        outcome = keeper.take(*entries_of(reply, self._now(), responded=responded))
        work = replace(outcome.work, states={**outcome.work.states, **states})
        self._station.carry_out(keeper, replace(outcome, work=work))

    def _open(self, incident: str) -> Keeper | None:
        """Who keeps the incident, if it is open."""
        keeper = self._station.keeper_of(incident)
        opened = keeper.state.incident if keeper is not None else None
        return keeper if opened is not None and opened.id == incident else None

    def _aside(self, reply: Mapping[str, Any] | None) -> Iterator[Record]:
        """A mail of an incident that is not open: written down, so that a person finds it."""
        if reply is not None:
            log.warning("a mail concerns an incident that is not open", extra=logs.fields(incident=reply["incident"]))
            detail = {"by": reply["sender"], "text": told(reply), "at": self._now(), "via": VIA_REPLY}
            yield Record(str(reply["incident"]), self._now() // NS, RecordKind.NOTE, detail)

    def mailbox(self, message: Mapping[str, Any]) -> None:
        """A mailbox has been out of reach for long, or is reached (again): on-call's own matter, told once."""
        name, scope = str(message["mailbox"]), f"{MAILBOX}{message['mailbox']}"
        if message["reached"]:
            self._in_reach(scope)
        elif not any(keeper.state.holds(Condition.BLIND, scope) for keeper in self._keepers()):
            log.warning("a mailbox with the vendor's replies is out of reach", extra=logs.fields(mailbox=name))
            second = self._now() // NS
            raised = ConditionRaised(Condition.BLIND, second, min(int(message["since"]), second), scope)
            if (keeper := self._teller()) is not None:
                self._station.carry_out(keeper, keeper.take(raised))

    def _in_reach(self, scope: str) -> None:
        for keeper in self._keepers():
            if keeper.state.holds(Condition.BLIND, scope) is not None:
                cleared = ConditionCleared(Condition.BLIND, self._now() // NS, scope)
                self._station.carry_out(keeper, keeper.take(cleared))

    def _keepers(self) -> list[Keeper]:
        return [*self._station.keepers.values(), *self._station.gone.values()]

    def _teller(self) -> Keeper | None:
        """Whose incident it goes into: one that is open, else that of a service whose tickets go by mail."""
        keepers = self._station.keepers
        mailed = [
            keepers[n] for n, s in self._settings.services.items() if n in keepers and any(r.email for r in s.tickets)
        ]
        opened = [keeper for keeper in keepers.values() if keeper.state.incident is not None]
        return next(iter([*opened, *mailed, *keepers.values()]), None)

    def vendor_status(self, message: Mapping[str, Any]) -> None:
        """The vendor's status page says something new: kept for the texts, recorded, and perhaps a confirmation."""
        service, incident, said = str(message["service"]), str(message["incident"]), dict(message["said"])
        at = int(message["at"])
        self._station.vendor_says[service] = {"at": at, "url": str(message["url"]), **said}
        keeper = self._open(incident)
        if keeper is None:
            return
        record = Record(incident, at, RecordKind.VENDOR_STATUS, {"url": str(message["url"]), **said})
        self._writer.submit(Transaction(records=(record,)))
        opened = keeper.state.incident
        if said.get("confirms") and opened is not None and not opened.confirmed:
            text = f"{said.get('indicator')}: {said.get('description')}"
            by = "the vendor's status page"
            entry = Entry(EntryKind.CONFIRM, by, text, self._now(), incident=incident, when=at, via=VIA_STATUS_PAGE)
            self._station.carry_out(keeper, keeper.take(entry))

    # time

    def tick(self, second: int) -> None:
        """Tell each service of the windows that begin or end at UTC second `second`."""
        for service, keeper in [*self._station.keepers.items(), *self._station.gone.items()]:
            windows = self._windows.get(service, _NO_WINDOWS)
            believed = keeper.state.maintenance
            if not (believed or windows.windows) or self._leaves(service):
                continue
            for turn in turns(windows, believed, second):
                log.info(
                    "maintenance %s",
                    "begins" if turn.begins else "ends",
                    extra=logs.fields(service=service, title=turn.title),
                )
                planned = 0 if turn.begins else windows.ended(turn.title, second)
                marked = MaintenanceTurn(service, turn.title, turn.second, turn.begins, planned)
                outcome = keeper.take(Maintenance(turn.second, turn.title, turn.begins))
                work = replace(outcome.work, maintenance=(marked,))
                self._station.carry_out(keeper, replace(outcome, work=work))

    def _leaves(self, service: str) -> bool:
        """It is configured no longer, and its last seconds have not closed yet."""
        ring = self._station.measure.rings.get(service) if self._station.measure is not None else None
        return ring is not None and ring.retired


def entries_of(reply: Mapping[str, Any], at: int, *, responded: bool) -> tuple[Entry, ...]:
    """The steps that a reply amounts to. `responded`: the vendor's first response is on record.

    A person's answer is the first response, or an update. Whatever is automatic is a note, from which the ticket's number is
    taken down. What closes, bounces or cannot be trusted is told to on-call and changes nothing.
    """
    kind, incident = ReplyKind(reply["kind"]), str(reply["incident"])
    common: dict[str, Any] = {
        "by": str(reply["sender"]) or "unknown sender",
        "text": told(reply),
        "at": at,
        "incident": incident,
        "when": int(reply["at"]),
        "via": VIA_REPLY,
    }
    entries = []
    if kind is ReplyKind.RESPONSE:
        step = EntryKind.UPDATE if responded else EntryKind.FIRST_RESPONSE
        entries.append(Entry(step, ticket=str(reply.get("number") or ""), **common))
    else:
        entries.append(Entry(EntryKind.NOTE, ticket=str(reply.get("number") or ""), **common))
    if matter := _for_on_call(kind, reply):
        topic, words = matter
        entries.append(Entry(EntryKind.TELL, value=topic, **{**common, "text": f"{words} {told(reply)}"}))
    return tuple(entries)


def _for_on_call(kind: ReplyKind, reply: Mapping[str, Any]) -> tuple[str, str] | None:
    if kind is ReplyKind.BOUNCE and reply["why"] == "copy_failed":
        return "mail-copy", "A mail of ours did not reach somebody of ours; the vendor's is not concerned."
    if kind is ReplyKind.BOUNCE:
        late = reply["why"] == "delivery_delayed"
        words = (
            "A mail of ours to the vendor is late"
            if late
            else "A mail of ours did not reach the vendor; send it another way"
        )
        return ("mail-late" if late else "mail-bounced"), f"{words}."
    if kind is ReplyKind.ASIDE:
        why = str(reply["why"]).replace("_", " ")
        return "mail-aside", f"A mail was set aside for you ({why}); nothing follows from it unless you enter it."
    if reply.get("closes"):
        return (
            "vendor-closes",
            "The vendor seems to say that the ticket is closed; confirm it, or object in the ticket.",
        )
    return None


def told(reply: Mapping[str, Any]) -> str:
    """A mail in a few words, for the record."""
    parts = [str(reply.get("subject") or ""), str(reply.get("text") or "")]
    words = ": ".join(part for part in parts if part)[:_EXCERPT]
    defects = "; ".join(str(d) for d in reply.get("defects") or ())
    return f"{words} [{reply['kind']}, {reply['why']}{'; ' + defects if defects else ''}]"


def windows_of(settings: Settings, now: int) -> dict[str, Windows]:
    """Every service's maintenance windows near UTC second `now`. Raises MaintenanceError.

    Reading calendars takes its time: not on the measuring loop.
    """
    if not settings.maintenance and not any(service.maintenance for service in settings.services.values()):
        return {}
    from prober.maintenance import windows  # heavy to load, and few configurations have any

    return {
        name: windows((*settings.maintenance, *service.maintenance), now) for name, service in settings.services.items()
    }
