"""What waits for the disk, and what is given up while the disk fails.

Up to 120 s are kept whole; then evidence (failed calls) goes, then minute figures past a bound, then closed runs of single
endpoints past theirs; never a channel's or service's seconds, states, records, acts or attempts (DESIGN.md, "Transactions").
What waits is merged: memory grows by what happened, not by time. Not thread-safe: the writer holds its lock around each call.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from prober.store.values import Failure, FigureRow, Transaction, merge

#: Called once: with None when the transaction is on disk, with the error when its first try failed (it stays queued).
Done = Callable[[Exception | None], None]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is kept at most while the store fails."""

    evidence_seconds: float = 120.0
    evidence_bytes: int = 64 * 1024 * 1024  # also while it does not: packing may fall behind
    figures_bytes: int = 32 * 1024 * 1024  # likewise; hours of a hundred endpoints
    runs: int = 200_000


@dataclass(slots=True)
class Entry:
    """A transaction on its way. `seq` numbers them without a gap; `since` is monotonic seconds."""

    seq: int
    work: Transaction
    done: Done | None
    since: float
    defect: Exception | None = None


class Backlog:
    """Transactions in their order; apart from them the chores: evidence, figures, and what is old and to be thrown away."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._evidence_bytes = 0
        self.entries: deque[Entry] = deque()
        self.evidence: deque[tuple[float, Failure]] = deque()
        self.figures: deque[FigureRow] = deque()
        self._figures_bytes = 0
        self.purge_before = 0  # failures before this UTC second may go
        self.purge_minutes_before = 0
        self.dropped = 0

    @property
    def chores(self) -> bool:
        return bool(self.evidence or self.figures) or self.purge_before > 0 or self.purge_minutes_before > 0

    def add(self, entry: Entry) -> None:
        for failure in entry.work.failures:
            self.keep(entry.since, failure)
        self.count(entry.work.figures)
        self.purge_before = max(self.purge_before, entry.work.purge_failures_before)
        self.purge_minutes_before = max(self.purge_minutes_before, entry.work.purge_minutes_before)
        entry.work = entry.work.without_chores()
        self.entries.append(entry)

    def count(self, figures: Iterable[FigureRow]) -> None:
        """Past the bound in bytes the oldest go."""
        for row in figures:
            self.figures.append(row)
            self._figures_bytes += row.size
        while self._figures_bytes > self._bounds.figures_bytes:
            self.take_figures(1)
            self.dropped += 1

    def take_figures(self, most: int) -> list[FigureRow]:
        taken = [self.figures.popleft() for _ in range(min(most, len(self.figures)))]
        self._figures_bytes -= sum(row.size for row in taken)
        return taken

    def put_back_figures(self, taken: Sequence[FigureRow]) -> None:
        self.figures.extendleft(reversed(taken))
        self._figures_bytes += sum(row.size for row in taken)

    def keep(self, since: float, failure: Failure) -> None:
        """Past the bound in bytes the newest go: the begin of an outage tells most."""
        if self._evidence_bytes + failure.size > self._bounds.evidence_bytes:
            self.dropped += 1
            return
        self._evidence_bytes += failure.size
        self.evidence.append((since, failure))

    def put_back(self, since: float, failure: Failure) -> None:
        self._evidence_bytes += failure.size
        self.evidence.appendleft((since, failure))

    def take_evidence(self, most: int) -> list[tuple[float, Failure]]:
        taken = [self.evidence.popleft() for _ in range(min(most, len(self.evidence)))]
        self._evidence_bytes -= sum(failure.size for _, failure in taken)
        return taken

    def take(self) -> list[Entry]:
        taken = list(self.entries)
        self.entries.clear()
        return taken

    def press(self, now: float) -> None:
        """The disk fails: make what waits small. Every `done` that waits has been told."""
        late = 0
        while self.evidence and now - self.evidence[0][0] > self._bounds.evidence_seconds:
            late += len(self.take_evidence(1))
        self.dropped += late
        if len(self.entries) > 1:
            first = self.entries[0]
            whole = first.work
            for entry in list(self.entries)[1:]:
                whole = merge(whole, entry.work)
            self.entries = deque([Entry(self.entries[-1].seq, whole, None, first.since)])
        for entry in self.entries:
            entry.work = self._coarser(entry.work)

    def _coarser(self, work: Transaction) -> Transaction:
        """Past the bound, single endpoints keep only how they stand now; channels and services keep every second."""
        if len(work.runs) <= self._bounds.runs:
            return work
        runs = tuple(row for row in work.runs if not row.key.endpoint or row.run.end is None)
        self.dropped += len(work.runs) - len(runs)
        return replace(work, runs=runs)
