"""A series' days: how long it was what, its calls by fault, and how long the successful ones took.

Seconds and faults come from the runs, which are kept for good and never change: they agree with the record to the second.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prober.store import rows
from prober.store.durations import Durations
from prober.store.figures import DAY
from prober.store.query import closed_through, runs_between
from prober.store.values import SeriesKey
from rules.model import Cell, Fault, Verdict
from rules.timeline import Run, cut

#: Days that are remembered; the pages of ten services need a few thousand.
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Day:
    """A UTC day of a series, from `start` (UTC seconds) on. Seconds that are not closed are in none of the sums."""

    start: int
    available: int = 0
    unavailable: int = 0
    inconclusive: int = 0
    unmeasured: int = 0
    calls: Mapping[Fault, int] = field(default_factory=dict)
    durations: Durations = field(default_factory=Durations)

    @property
    def measured(self) -> int:
        """Seconds that count: what was not measured was neither up nor down."""
        return self.available + self.unavailable + self.inconclusive

    @property
    def closed(self) -> int:
        """Seconds on record; 86,400 of a whole day."""
        return self.measured + self.unmeasured

    @property
    def availability(self) -> float | None:
        """The share of the measured seconds that were not unavailable; None when none was measured."""
        return 1 - self.unavailable / self.measured if self.measured else None


@dataclass(slots=True)
class _Seen:
    """What a day's seconds before `through` were: seconds by cell."""

    through: int
    cells: dict[Cell, int] = field(default_factory=dict)


class Days:
    """The days of one store's series. A closed second does not change: each is counted once. Not thread-safe."""

    def __init__(self, db: sqlite3.Connection, cells: rows.Cells) -> None:
        self._db = db
        self._cells = cells
        self._seen: dict[tuple[SeriesKey, int], _Seen] = {}

    def of(self, key: SeriesKey, since: int, until: int) -> tuple[Day, ...]:
        """Every UTC day that has a second within [since, until), in order; days without a closed second are empty."""
        starts = range(since - since % DAY, until, DAY)
        if len(self._seen) + len(starts) > _MOST:
            self._seen.clear()
        self._read(key, starts)
        return tuple(_day(start, self._seen[key, start].cells) for start in starts)

    def _read(self, key: SeriesKey, starts: range) -> None:
        """Count what has closed since the last time."""
        closed = closed_through(self._db, key.service)
        end = 0 if closed is None else closed + 1
        days = [(start, self._seen.setdefault((key, start), _Seen(start))) for start in starts]
        behind = {start: seen for start, seen in days if seen.through < min(start + DAY, end)}
        if not behind:
            return
        first, last = min(behind), max(behind)
        for run in runs_between(self._db, self._cells, key, behind[first].through, last + DAY):
            assert run.end is not None
            for start in range(run.start - run.start % DAY, run.end, DAY):
                if (seen := behind.get(start)) is not None:
                    _add(seen, cut((run,), seen.through, start + DAY))
        for start, seen in behind.items():
            seen.through = min(start + DAY, end)


def _add(seen: _Seen, runs: Iterable[Run]) -> None:
    for run in runs:
        assert run.end is not None
        whole, rest = divmod(run.end - run.start, run.length)
        for cell, n in run.cycle:
            seen.cells[cell] = seen.cells.get(cell, 0) + whole * n + min(n, rest)
            rest -= min(n, rest)


def _day(start: int, cells: Mapping[Cell, int]) -> Day:
    seconds = dict.fromkeys(Verdict, 0)
    calls: dict[Fault, int] = {}
    for cell, n in cells.items():
        seconds[cell.verdict] += n
        for fault, each in cell.faults:
            calls[fault] = calls.get(fault, 0) + each * n
    return Day(
        start,
        available=seconds[Verdict.AVAILABLE],
        unavailable=seconds[Verdict.UNAVAILABLE],
        inconclusive=seconds[Verdict.INCONCLUSIVE],
        unmeasured=seconds[Verdict.UNMEASURED],
        calls=calls,
    )
