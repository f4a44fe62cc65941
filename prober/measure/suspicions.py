"""Suspicions that wait for the controls' word, and the controls' successes that give it (DESIGN.md, "Controls").

All instants are monotonic ns. A suspicion is looked at when it comes up, when a control succeeds, and when its time is
over: not in between, because a thousand of them may wait at once.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from prober.measure.lane import Lane
from prober.probes.call import Call
from rules import suspicion
from rules.model import Finding
from rules.suspicion import GRACE, WINDOW, Settlement


@dataclass(slots=True)
class _Suspect:
    lane: Lane
    call: Call
    finding: Finding
    instants: tuple[int, ...]

    @property
    def until(self) -> int:
        """The last moment at which a control's success could speak for it."""
        return self.instants[-1] + WINDOW + GRACE


class Suspicions:
    """`told(lane, call, finding)` is called once for each suspicion, when it is settled."""

    def __init__(self, told: Callable[[Lane, Call, Finding], None]) -> None:
        self._told = told
        self._successes: deque[int] = deque()
        self._waiting: deque[_Suspect] = deque()  # by the moment at which they came up

    def __len__(self) -> int:
        return len(self._waiting)

    def fine(self, now: int, within: int) -> bool:
        """Whether a control succeeded in the last `within` ns."""
        return bool(self._successes) and now - self._successes[-1] <= within

    def suspect(self, lane: Lane, call: Call, finding: Finding, instants: tuple[int, ...], now: int) -> None:
        """A call failed by transport evidence alone; what the controls say counts at each of `instants`."""
        suspect = _Suspect(lane, call, finding, instants)
        if not self._settled(suspect, now):
            self._waiting.append(suspect)

    def succeeded(self, at: int, now: int) -> None:
        """A control succeeded: that may corroborate what waits."""
        self._successes.append(at)
        waiting, self._waiting = self._waiting, deque()
        for suspect in waiting:
            if not self._settled(suspect, now):
                self._waiting.append(suspect)

    def expire(self, now: int) -> None:
        """Void those for which no control can speak any more."""
        while self._waiting and self._waiting[0].until < now:
            self._settled(self._waiting.popleft(), now)

    def slept(self, now: int) -> None:
        """The machine was suspended: what this clock calls two seconds was longer. Nothing speaks across that."""
        self._successes.clear()
        waiting, self._waiting = self._waiting, deque()
        for suspect in waiting:
            self._settled(suspect, max(now, suspect.until + 1))

    def forget(self, before: int) -> None:
        """No call that began before `before` is open: successes too old for any other are of no use."""
        horizon = min([before, *(suspect.instants[0] for suspect in self._waiting)]) - WINDOW
        while self._successes and self._successes[0] < horizon:
            self._successes.popleft()

    def _settled(self, suspect: _Suspect, now: int) -> bool:
        settlement = suspicion.settle(suspect.instants, self._successes, now)
        if settlement is Settlement.PENDING:
            return False
        self._told(suspect.lane, suspect.call, suspicion.resolve(suspect.finding, settlement))
        return True
