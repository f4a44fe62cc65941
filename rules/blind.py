"""Whether we see anything at all of a service (DESIGN.md, "Words", condition `blind`)."""

from collections.abc import Mapping
from typing import Any

from rules.model import Cell, Verdict
from rules.reasons import NOT_RUNNING

#: So many measured seconds, and we see again.
SEES_AGAIN = 3


class Blindness:
    """Counts the seconds of a service, in which the program ran, without a measured one.

    Blind begins after `for_` of them on end, and ends with the third measured second since. Seconds in which the program
    did not run count neither way: nobody was there to be blind.
    """

    __slots__ = ("_for", "_idle", "_seen", "onset", "reasons")

    def __init__(self, for_: int, snapshot: Mapping[str, Any] | None = None) -> None:
        known = snapshot or {}
        self._for = for_
        self._idle: int = known.get("idle", 0)  # no longer counted past for_
        self._seen: int = known.get("seen", 0)  # measured seconds since blind began
        self.onset: int | None = known.get("onset")  # first of the unmeasured seconds that last
        self.reasons: dict[str, int] = dict(known.get("reasons", {}))  # seconds by reason, since the onset

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON values."""
        return {"idle": self._idle, "seen": self._seen, "onset": self.onset, "reasons": dict(self.reasons)}

    def feed(self, second: int, n: int, cell: Cell, *, raised: bool) -> int | None:
        """Take `n` equal seconds from `second` on; the second at whose end blind began, or ended if `raised`, or None."""
        if cell.reason == NOT_RUNNING or not n:
            return None
        if cell.verdict is not Verdict.UNMEASURED:
            return self._see(second, n, raised=raised)
        if not self._idle:
            self.onset = second
        counted = min(n, self._for - self._idle)
        if counted <= 0:
            return None
        self._idle += counted
        self.reasons[cell.reason] = self.reasons.get(cell.reason, 0) + counted
        if self._idle < self._for:
            return None
        self._seen = 0
        return None if raised else second + counted - 1

    def _see(self, second: int, n: int, *, raised: bool) -> int | None:
        if self._idle:
            self._idle, self.onset, self.reasons = 0, None, {}
        if not raised:
            return None
        missing = SEES_AGAIN - self._seen
        self._seen += min(n, missing)
        if n < missing:
            return None
        self._seen = 0
        return second + missing - 1
