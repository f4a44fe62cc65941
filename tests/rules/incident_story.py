"""Tells an incident's story: events in, and what came of them by name. Times are seconds since the story began."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from prober import packs
from rules.acts import Act, ActKind, ActResult, Outcome
from rules.contracts.model import Pack
from rules.incident import (
    ClockStepped,
    ConditionCleared,
    ConditionRaised,
    Entry,
    EntryKind,
    Event,
    Maintenance,
    Mode,
    Plan,
    Record,
    RecordKind,
    Reloaded,
    Removed,
    Result,
    ServiceState,
    Started,
    Step,
    Tick,
    step,
)
from rules.model import Condition

NS = 10**9
T0 = 1_795_341_600  # 2026-11-22T10:00:00Z

#: What the acts of a first episode are called.
TICKET = "1/ticket/mail/open"
CALL = "1/hotline/call/call"
PAGE = "1/page/pager/open"
RESOLVE = "1/page_resolve/pager/open"

#: The agreement as it stands, and one of it that has a severity for persistent Unavailability alone.
AGREEMENT = packs.load("bird-email-enterprise", Path()).settled({})
BIRD = Pack.parse(AGREEMENT.to_mapping() | {"conditions": {"unavailable": "critical"}})


def pack_with(**changes: Any) -> Pack:
    """Bird's agreement, changed at the top."""
    return Pack.parse(BIRD.to_mapping() | changes)


PLAN = Plan("bird", "Bird Email", BIRD, Mode.ACT, ("mail", "desk"), ("call",), ("pager",))


class Story:
    """Keeps all that came of the events so far, and checks on the way that the state goes to JSON and back."""

    def __init__(self, plan: Plan = PLAN, **changes: Any) -> None:
        self.state = ServiceState(replace(plan, **changes))
        self.events: list[Event] = []
        self.steps: list[Step] = []

    def tell(self, event: Event) -> Step:
        made = step(self.state, event)
        assert ServiceState.from_json(made.state.to_json()) == made.state
        self.state = made.state
        self.events.append(event)
        self.steps.append(made)
        return made

    def raised(self, at: int, condition: Condition = Condition.UNAVAILABLE, scope: str = "", **more: Any) -> list[str]:
        figures = {"onset": T0 + at - 59, "measured": 60, "bad": 57, "reasons": {"http_status_503": 57}} | more
        return names(self.tell(ConditionRaised(condition, T0 + at, scope=scope, **figures)).acts)

    def cleared(
        self, at: int, condition: Condition = Condition.UNAVAILABLE, scope: str = "", last: int = 0
    ) -> list[str]:
        return names(self.tell(ConditionCleared(condition, T0 + at, scope, last)).acts)

    def started(self, at: float, act: str, receiver: str = "mail") -> Step:
        return self.tell(Started(act, receiver, round((T0 + at) * NS)))

    def result(
        self, at: float, act: str, outcome: Outcome, receiver: str = "mail", *, final: bool = False, detail: str = ""
    ) -> list[str]:
        final = final or outcome is Outcome.ACCEPTED
        reference = "<id@example.com>" if outcome is Outcome.ACCEPTED else ""
        result = ActResult(act, receiver, outcome, round((T0 + at) * NS), detail, reference, final)
        return names(self.tell(Result(result)).acts)

    def accepted(self, at: float, act: str, receiver: str = "mail") -> list[str]:
        return self.result(at, act, Outcome.ACCEPTED, receiver)

    def refused(self, at: float, act: str, detail: str = "550 no such user") -> list[str]:
        return self.result(at, act, Outcome.PERMANENT, final=True, detail=detail)

    def tick(self, at: int) -> list[str]:
        return names(self.tell(Tick(T0 + at)).acts)

    def entry(
        self, at: int, kind: EntryKind, *, ticket: str = "", incident: str = "", value: str = "", when: int = 0
    ) -> Step:
        when = T0 + when if when else 0
        return self.tell(Entry(kind, "ann", "as said on the phone", (T0 + at) * NS, ticket, incident, value, when))

    def maintenance(self, at: int, *, begins: bool, title: str = "new disks") -> list[str]:
        return names(self.tell(Maintenance(T0 + at, title, begins)).acts)

    def reloaded(self, at: int, **changes: Any) -> list[str]:
        return names(self.tell(Reloaded(replace(self.state.plan, **changes), (T0 + at) * NS)).acts)

    def removed(self, at: int) -> list[str]:
        return names(self.tell(Removed((T0 + at) * NS)).acts)

    def clock(self, at: int, delta: float) -> list[str]:
        return names(self.tell(ClockStepped(round(delta * NS), T0 + at)).acts)

    # what came of it

    @property
    def acts(self) -> list[Act]:
        return [a for s in self.steps for a in s.acts]

    @property
    def records(self) -> list[Record]:
        return [r for s in self.steps for r in s.records]

    @property
    def last(self) -> Step:
        return self.steps[-1]

    def kinds(self) -> list[RecordKind]:
        """Of the last step's records."""
        return [r.kind for r in self.last.records]

    def detail(self, kind: RecordKind) -> dict[str, Any]:
        """Of the newest record of that kind."""
        return dict(next(r.detail for r in reversed(self.records) if r.kind is kind))

    def act(self, name: str) -> Act:
        """The newest act of that name (`1/ticket/mail/open`)."""
        return next(a for a in reversed(self.acts) if short(a.id) == name)

    def id(self, name: str) -> str:
        return self.act(name).id

    def tickets(self) -> set[str]:
        return {a.id for a in self.acts if a.kind is ActKind.TICKET}


def an_outage(**changes: object) -> Story:
    """Unavailable is persistent; the ticket's first attempt begins a second later."""
    s = Story(**changes)
    s.raised(0)
    if s.tickets():
        s.started(1, s.id(TICKET))
    return s


def with_ticket() -> Story:
    s = an_outage()
    s.accepted(2, s.id(TICKET))
    return s


def recovered_with_ticket() -> Story:
    s = with_ticket()
    s.cleared(300, last=T0 + 179)
    return s


def short(act: str) -> str:
    """An act's id without its incident."""
    return act.partition("/")[2]


def names(acts: tuple[Act, ...]) -> list[str]:
    return [short(a.id) for a in acts]
