"""Closed seconds on their way to what they mean, in their order, a slice at a time.

What a second comes to takes microseconds where little changes, and some tenths of one where ten thousand endpoints change at
once. No due call waits for that: after a slice the loop has its turn. What a small service's second comes to is ready within the
first slice, as soon as it has closed.
"""

from collections import deque
from collections.abc import Callable

from prober import logs
from prober.measure.clock import NS, Clock, SystemClock
from prober.measure.ring import Slot
from rules.slices import Work

log = logs.get("measure")

#: Work is done for so long at a stretch, ns; as many times as long as there are seconds waiting, so that none falls behind.
SLICE = 2_000_000
_MOST = 10
#: So many seconds that wait are worth a word to people.
_BEHIND = 10


class Closings:
    """`close(slot)` is the work that a closed second takes; `later(callback)` has the loop call back after its turn."""

    def __init__(
        self,
        close: Callable[[Slot], Work[None]],
        later: Callable[[Callable[[], object]], object],
        clock: Clock | None = None,
    ) -> None:
        self._close = close
        self._later = later
        self._clock = clock or SystemClock()
        self._waiting: deque[Slot] = deque()
        self._work: Work[None] | None = None
        self._awaited = False  # the loop is to call back
        self._behind = False

    def __len__(self) -> int:
        """Seconds that have closed and have not come to their end here."""
        return len(self._waiting) + (self._work is not None)

    def add(self, slot: Slot) -> None:
        """A second has closed."""
        self._waiting.append(slot)
        if len(self) >= _BEHIND and not self._behind:
            self._behind = True
            log.warning("judging falls behind measuring", extra=logs.fields(seconds=len(self), second=slot.second))
        if not self._awaited:
            self._slice()

    def finish(self) -> None:
        """All that waits, at once: what comes next must find it done."""
        while self._advance():
            pass

    def _go_on(self) -> None:
        self._awaited = False
        self._slice()

    def _slice(self) -> None:
        """One stretch of work; the loop calls back for the next. A second that fails by a defect of ours stops no other."""
        until = self._clock.monotonic() + SLICE * min(_MOST, len(self))
        try:
            while self._advance() and self._clock.monotonic() < until:
                pass
        finally:
            if len(self):
                self._awaited = True
                self._later(self._go_on)
            elif self._behind:
                self._behind = False
                log.info("judging has caught up with measuring")

    def _advance(self) -> bool:
        """One step; False when nothing is left."""
        work = self._work
        if work is None:
            if not self._waiting:
                return False
            work = self._close(self._waiting.popleft())
        self._work = None  # whatever comes of the step, a defect above all, it is not taken again
        try:
            next(work)
        except StopIteration:
            return bool(self._waiting)
        self._work = work
        return True


assert SLICE * _MOST < NS // 10  # far from what would be a stall of our own
