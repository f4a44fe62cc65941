"""What the outbox keeps of an act while it is on its way, and the time that it goes by."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Protocol

from rules.acts import Act, ActKind, ActResult

_FAMILY = {
    ActKind.PAGE: "page",
    ActKind.PAGE_RESOLVE: "page",
    ActKind.TICKET: "ticket",
    ActKind.NOTE: "ticket",
    ActKind.HOTLINE: "hotline",
    ActKind.ESCALATION: "escalation",
    ActKind.STATUS: "status",
}


class Clock(Protocol):
    """Time as the outbox needs it; tests move it by hand."""

    def utc_ns(self) -> int: ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's time."""

    def utc_ns(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(slots=True, eq=False)
class Errand:
    """An act on its way. `predecessors` must be settled before it is tried."""

    act: Act
    predecessors: tuple["Errand", ...]
    rounds: int
    refused: set[str]
    repeats: dict[str, int]  # receiver -> attempts made since its answer was lost
    uncertain: str  # the receiver that may have taken it and is asked before others, "" when none
    doubted: set[str] = field(default_factory=set)  # receivers that may have taken it
    said: dict[str, bool] = field(default_factory=dict)  # receiver -> whether it was told that the act may come twice
    lost_since: dict[str, float] = field(default_factory=dict)  # receiver -> monotonic instant of its first lost answer
    not_before: dict[str, float] = field(default_factory=dict)  # receiver -> monotonic instant it asked us to wait for
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    attempting: bool = False  # an attempt is in flight: it is never cut short but by the end of close()
    waiting: bool = False  # for another act or a back-off
    withdrawn: bool = False
    last: ActResult | None = None
    task: asyncio.Task[None] = field(init=False)  # set as soon as the errand stands

    @property
    def lines(self) -> set[tuple[str, str, str]]:
        """See `lines`."""
        return lines(self.act)


def lines(act: Act) -> set[tuple[str, str, str]]:
    """In which orders `act` stands, as (incident, family of kinds, receiver): acts that share one keep their order."""
    return {(act.incident, _FAMILY[act.kind], receiver) for receiver in act.receivers}
