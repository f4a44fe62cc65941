"""Unavailable seconds that come and go: the condition `intermittent` (DESIGN.md, "Words").

A second counts once it is older than the window of persistence: until then it may be the beginning of something
persistent, which is another condition. What belongs to a persistent Unavailability never counts.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from rules.model import Cell, Condition
from rules.persistence import RECOVERY_MEASURED, Mark, Rule
from rules.timeline import Run, cut, stretches
from rules.watched import unavailable_mark

#: Before every second there is.
_EVER = -(1 << 62)


@dataclass(frozen=True, slots=True)
class Rate:
    """`seconds` unavailable ones within `within` raise it; `recovered_after` without one clear it. All in seconds."""

    seconds: int = 30
    within: int = 3600
    recovered_after: int = 900

    def __post_init__(self) -> None:
        if min(self.seconds, self.within, self.recovered_after) < 1 or self.seconds > self.within:
            raise ValueError(f"not figures of a rate: {self}")

    @classmethod
    def of(cls, *, seconds: int, within_ms: int, recovered_after_ms: int) -> "Rate":
        """From figures as the configuration has them; spans are rounded up to whole seconds."""
        return cls(seconds, ceil(within_ms / 1000), ceil(recovered_after_ms / 1000))

    def as_json(self) -> dict[str, Any]:
        """The rule as JSON values, named as the configuration names it."""
        return {"seconds": self.seconds, "within": self.within, "recovered_after": self.recovered_after}


class _Stretch:
    """The last `size` seconds as runs of (mark, reason), with their sums. What it pushes out is given back."""

    __slots__ = ("bad", "measured", "runs", "size", "total")

    def __init__(self, size: int) -> None:
        self.size = size
        self.clear()

    def clear(self) -> None:
        self.runs: deque[list[Any]] = deque()  # [first second, seconds, mark, reason]
        self.total = self.bad = self.measured = 0

    def push(self, second: int, n: int, mark: Mark, reason: str) -> list[list[Any]]:
        last = self.runs[-1] if self.runs else None
        if last is not None and last[2] is mark and last[3] == reason and last[0] + last[1] == second:
            last[1] += n
        else:
            self.runs.append([second, n, mark, reason])
        self._count(n, mark)
        out = []
        while self.total > self.size:
            first = self.runs[0]
            gone = min(first[1], self.total - self.size)
            out.append([first[0], gone, first[2], first[3]])
            self._count(-gone, first[2])
            if gone == first[1]:
                self.runs.popleft()
            else:
                first[0], first[1] = first[0] + gone, first[1] - gone
        return out

    def _count(self, n: int, mark: Mark) -> None:
        self.total += n
        self.bad += n * (mark is Mark.BAD)
        self.measured += n * (mark in (Mark.GOOD, Mark.BAD, Mark.FAIR))


class Intermittence:
    """Follows a service's closed seconds. Memory: one entry for each change within the window, whatever happens.

    `since`: seconds up to it never count (they were persistent, or what they amounted to is over).
    """

    __slots__ = (
        "_clean",
        "_clean_good",
        "_clean_measured",
        "_hidden",
        "_idle",
        "_recent",
        "_window",
        "bearable",
        "last_bad",
        "rate",
        "since",
    )

    def __init__(self, rate: Rate, rule: Rule, since: int | None = None) -> None:
        self.rate = rate
        self.bearable = rule.bearable
        self.since = _EVER if since is None else since
        self.last_bad = _EVER
        self._recent = _Stretch(rule.for_)  # may yet turn out to be persistent
        self._window = _Stretch(rate.within)
        self._hidden = False
        self._idle = self.bearable + 1
        self._clean = self._clean_measured = self._clean_good = 0

    @property
    def reach(self) -> int:
        """Seconds of record that `replay` needs."""
        spare = self.bearable + 1
        window = self._recent.size + self.rate.within
        return max(window, self.rate.recovered_after + (RECOVERY_MEASURED + 1) * spare)

    def feed(self, second: int, n: int, cell: Cell, *, persistent: bool) -> None:
        """Take `n` equal seconds from `second` on; `persistent`: so is the Unavailability at their end."""
        if persistent:
            self._hidden = True
            return
        if self._hidden:
            self._hidden = False
            self._begin_anew(second - 1)
        self._take(second, n, unavailable_mark(cell), cell.reason)

    def pieces(self, second: int, n: int) -> Iterator[tuple[int, int]]:
        """(First second, seconds) of `n` unmeasured seconds from `second` on, to be fed apart.

        As long as unavailable seconds come to count while they pass, each is one of its own; the rest may go at once.
        """
        apart = min(n, self._recent.size) if self._recent.bad else 0
        yield from ((each, 1) for each in range(second, second + apart))
        if n > apart:
            yield second + apart, n - apart

    def replay(self, runs: Iterable[Run], through: int, *, persistent: bool) -> None:
        """Take the recorded runs through second `through`, before any second is fed."""
        if persistent:
            self._hidden = True
            return
        end = through + 1
        begin = max(end - self.reach, self.since + 1)
        for second, n, cell in stretches(cut(runs, begin, end)):
            self._take(second, n, unavailable_mark(cell), cell.reason)

    def _take(self, second: int, n: int, mark: Mark, reason: str) -> None:
        for run in self._recent.push(second, n, mark, reason if mark is Mark.BAD else ""):
            self._window.push(*run)
        if mark is Mark.UNMEASURED:
            self._idle += n
            if self._idle > self.bearable:
                self._clean = self._clean_measured = self._clean_good = 0
            elif self._clean:
                self._clean += n
            return
        self._idle = 0
        if mark is Mark.BAD:
            self.last_bad = second + n - 1
            self._clean = self._clean_measured = self._clean_good = 0
            return
        self._clean += n
        self._clean_measured += n
        self._clean_good += n * (mark is Mark.GOOD)

    def _begin_anew(self, since: int) -> None:
        self.since = since
        self._recent.clear()
        self._window.clear()
        self._idle = self.bearable + 1
        self._clean = self._clean_measured = self._clean_good = 0

    @property
    def begins(self) -> bool:
        """Whether there are as many unavailable seconds as the rate names."""
        return not self._hidden and self._window.bad >= self.rate.seconds

    def ends(self, second: int) -> bool:
        """Whether what was raised is over at the end of `second`; if so, counting begins anew."""
        over = self._hidden or (
            not self._idle
            and self._clean >= self.rate.recovered_after
            and self._clean_measured >= RECOVERY_MEASURED
            and self._clean_good >= 1
        )
        if over and not self._hidden:
            self._begin_anew(second)
        return over

    @property
    def measured(self) -> int:
        return self._window.measured

    @property
    def bad(self) -> int:
        return self._window.bad

    @property
    def onset(self) -> int:
        """The first unavailable second of the window; only while it holds one."""
        return next(int(run[0]) for run in self._window.runs if run[2] is Mark.BAD)

    @property
    def reasons(self) -> Mapping[str, int]:
        """The window's unavailable seconds by reason."""
        found: dict[str, int] = {}
        for _, n, mark, reason in self._window.runs:
            if mark is Mark.BAD:
                found[reason] = found.get(reason, 0) + n
        return found

    def snapshot(self) -> int | None:
        """What the record does not tell, as a JSON value."""
        return None if self.since == _EVER else self.since


#: What it is about: the service as a whole.
MATTER = (Condition.INTERMITTENT, "")
