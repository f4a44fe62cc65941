"""Closed seconds as runs that keep their stride, and back, without loss.

A series (an endpoint, a channel, the service) has one cell a second. Run-length encoding alone stays small for an
endpoint called every second, but not for one called every 10 s (ok, nine times no_call, ok, ...), nor for a channel
that mixes the two (2 calls, 1, 1, ...). So a run is a *cycle* repeated: the configuration tells how long it is, the
first cells of the run tell what it is. A year of undisturbed seconds is one run, whatever `every` is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import lcm

from rules.model import Cell, Verdict
from rules.seconds import intern_cell

#: The longest cycle worth learning, in seconds: a day.
LONGEST_PERIOD = 86_400
# A cycle of more stretches than this is noise, not a stride: the run is closed, so that no run grows without bound.
_MOST_STRETCHES = 4096
_ENDLESS = 1 << 62

#: Cells in their order, run-length encoded: (cell, seconds) pairs.
Cycle = tuple[tuple[Cell, int], ...]


@dataclass(frozen=True, slots=True)
class Run:
    """The seconds [start, end), UTC: second s has the cell number (s - start) mod the cycle's length of the cycle.

    `end` None: the run is open; it reaches through the last second closed so far, and no further.
    """

    start: int
    end: int | None
    cycle: Cycle

    @property
    def length(self) -> int:
        """Of the cycle, in seconds."""
        return sum(n for _, n in self.cycle)

    def cell(self, second: int) -> Cell:
        """The cell of a second of this run. Raises ValueError for a second outside it."""
        if second < self.start or (self.end is not None and second >= self.end):
            raise ValueError(f"second {second} is not in the run from {self.start} to {self.end}")
        offset = (second - self.start) % self.length
        for cell, n in self.cycle:
            if offset < n:
                return cell
            offset -= n
        raise AssertionError("a cycle has at least one cell")  # pragma: no cover - an empty cycle fails at % above


def period(every_ms: Iterable[int]) -> int:
    """Seconds after which the pattern of calls of these endpoints together repeats, on a grid anchored at the epoch.

    `every_ms` are their intervals in milliseconds. 1 when it would be longer than a day (or nothing is called): such a
    series is encoded without a stride.
    """
    seconds = lcm(*(lcm(every, 1000) // 1000 for every in every_ms))
    return seconds if seconds <= LONGEST_PERIOD else 1


class RunBuilder:
    """Encodes one series as its seconds close. O(1) a second; holds one cycle.

    The first `period` cells of a run are being learned: an unexpected cell becomes part of the cycle. After that it
    closes the run and begins the next one. `open` is the run so far; the object changes only when what is to be written
    down does, because a cycle being learned is filled up with its last cell until another one comes.
    """

    __slots__ = ("_cells", "_counts", "_index", "_learned", "_left", "_open", "_start", "next", "period")

    def __init__(self, period: int = 1) -> None:
        if period < 1:
            raise ValueError(f"a period is 1 s or more, not {period}")
        self.period = period
        self.next: int | None = None  # the second that must come next; None: any may
        self._start = 0
        self._cells: list[Cell] = []  # the cycle's stretches; their counts add up to the period
        self._counts: list[int] = []
        self._index = 0  # the stretch in which the next cell is expected
        self._left = 0  # cells still expected in that stretch
        self._learned = False
        self._open: Run | None = None

    @classmethod
    def resume(cls, period: int, run: Run, through: int) -> "RunBuilder":
        """The builder that had `run` open when second `through` was the last closed; goes on as if never stopped.

        `period` may have changed with the configuration: it then holds from the next run on.
        """
        if run.end is not None or through < run.start:
            raise ValueError(f"not an open run that holds second {through}: {run.start} to {run.end}")
        builder = cls(period)
        builder.next, builder._start = through + 1, run.start
        cycle = run.cycle if len(run.cycle) > 1 else ((run.cycle[0][0], period),)
        builder._cells = [intern_cell(cell) for cell, _ in cycle]
        builder._counts = [n for _, n in cycle]
        builder._place(through + 1 - run.start)
        return builder

    @property
    def open(self) -> Run | None:
        """The run that has not ended, None before the first second. The same object until it must be written anew."""
        if self._open is None and self._cells:
            cycle = tuple(zip(self._cells, self._counts, strict=True))
            self._open = Run(self._start, None, cycle if len(cycle) > 1 else ((cycle[0][0], 1),))
        return self._open

    def feed(self, second: int, cell: Cell) -> Run | None:
        """Take the cell of the next second; the run that it closed, if it did. Raises ValueError out of order."""
        if second != self.next and self.next is not None:
            raise ValueError(f"second {second} came where {self.next} was due")
        if self._left and (cell is (expected := self._cells[self._index]) or cell == expected):
            self._left -= 1
            self.next = second + 1
            return None
        return self._take(second, cell, 1)

    def feed_many(self, cell: Cell, n: int) -> Run | None:
        """Take `n` equal cells from the next second on, for gaps; at most one run closes. Needs a second fed before."""
        if self.next is None or n < 0:
            raise ValueError(f"cannot take {n} seconds after {self.next}")
        return self._take(self.next, cell, n)

    def _take(self, second: int, cell: Cell, n: int) -> Run | None:
        closed = None
        self.next = second + n
        while n:
            if not self._cells:
                self._begin(second, cell)
            elif not self._left:
                self._turn()
            if cell != self._cells[self._index]:
                if self._learned or len(self._cells) >= _MOST_STRETCHES:
                    closed = self._close(second)
                    continue
                self._learn(cell)
            taken = min(n, self._left)
            self._left -= taken
            second += taken
            n -= taken
        return closed

    def _place(self, fed: int) -> None:
        """Stand where the run's first `fed` cells lead to: the cell fed last is that of the current stretch."""
        length = sum(self._counts)
        offset = (fed - 1) % length
        while offset >= self._counts[self._index]:
            offset -= self._counts[self._index]
            self._index += 1
        self._learned = fed > length
        if not self._learned:  # stretches past the cell fed last were never seen
            del self._cells[self._index + 1 :], self._counts[self._index + 1 :]
            self._counts[-1] += length - sum(self._counts)
        endless = self._learned and len(self._cells) == 1
        self._left = _ENDLESS if endless else self._counts[self._index] - offset - 1

    def _begin(self, second: int, cell: Cell) -> None:
        self._start = second
        self._cells, self._counts = [cell], [self.period]
        self._index, self._left, self._learned = 0, self.period, False
        self._open = None

    def _turn(self) -> None:
        """Go to the next stretch of the cycle; past its end it is learned. Of one cell alone: there is no cycle."""
        self._learned = self._learned or self._index + 1 == len(self._cells)
        self._index = (self._index + 1) % len(self._cells)
        self._left = self._counts[self._index] if len(self._cells) > 1 else _ENDLESS

    def _learn(self, cell: Cell) -> None:
        self._counts[-1] -= self._left
        self._cells.append(cell)
        self._counts.append(self._left)
        self._index += 1
        self._open = None

    def _close(self, second: int) -> Run:
        if not self._learned:
            self._counts[-1] -= self._left
        cycle = tuple(zip(self._cells, self._counts, strict=True))
        self._cells, self._counts, self._left = [], [], 0
        return Run(self._start, second, cycle if len(cycle) > 1 else ((cycle[0][0], 1),))


def cut(runs: Iterable[Run], start: int, end: int) -> Iterator[Run]:
    """The part of the runs within [start, end). An open run is taken to reach `end`: let it be a closed second's."""
    for run in runs:
        begin = max(run.start, start)
        stop = end if run.end is None else min(run.end, end)
        if begin < stop:
            yield Run(begin, stop, _rotated(run.cycle, (begin - run.start) % run.length))


def stretches(runs: Iterable[Run]) -> Iterator[tuple[int, int, Cell]]:
    """(First second, seconds, cell) of each stretch of closed runs. Raises ValueError for an open run (cut it)."""
    for run in runs:
        end = _end(run)
        if len(run.cycle) == 1:
            yield run.start, end - run.start, run.cycle[0][0]
            continue
        second = run.start
        while second < end:
            for cell, n in run.cycle:
                yield second, min(n, end - second), cell
                second += n
                if second >= end:
                    break


def expand(runs: Iterable[Run]) -> Iterator[tuple[int, Cell]]:
    """Every second of closed runs with its cell, lazily. Raises ValueError for an open run (cut it)."""
    for start, n, cell in stretches(runs):
        for second in range(start, start + n):
            yield second, cell


def sums(runs: Iterable[Run]) -> dict[Verdict, int]:
    """Seconds by verdict over closed runs, every verdict named. Raises ValueError for an open run (cut it)."""
    totals = dict.fromkeys(Verdict, 0)
    for run in runs:
        whole, rest = divmod(_end(run) - run.start, run.length)
        for cell, n in run.cycle:
            totals[cell.verdict] += whole * n + min(n, rest)
            rest -= min(n, rest)
    return totals


def _end(run: Run) -> int:
    if run.end is None:
        raise ValueError(f"the run from {run.start} is open: cut it at the last closed second first")
    return run.end


def _rotated(cycle: Cycle, by: int) -> Cycle:
    """The cycle begun `by` seconds later; shorter than the cycle."""
    if not by or len(cycle) == 1:
        return cycle
    for index, (cell, n) in enumerate(cycle):
        if by < n:
            head = ((cell, by),) if by else ()
            return ((cell, n - by), *cycle[index + 1 :], *cycle[:index], *head)
        by -= n
    raise AssertionError("by is less than the cycle's length")  # pragma: no cover - callers take it modulo the length
