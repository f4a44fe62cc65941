"""What waits for the disk, and what is given up while the disk fails.

Up to 120 s are kept whole; then evidence (failed calls) goes, then closed runs of single endpoints past a bound; never
a channel's or service's seconds, states, records, acts or attempts (DESIGN.md, "Transactions"). What waits is merged:
memory grows by what happened, not by time. Not thread-safe: the writer holds its lock around each call.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from prober.store.values import Failure, Transaction, merge

#: Called once: with None when the transaction is on disk, with the error when its first try failed (it stays queued).
Done = Callable[[Exception | None], None]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is kept at most while the store fails."""

    evidence_seconds: float = 120.0
    evidence_bytes: int = 64 * 1024 * 1024  # also while it does not: packing may fall behind
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
    """Transactions in their order, and apart from them the chores: evidence to write, old evidence to throw away."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._evidence_bytes = 0
        self.entries: deque[Entry] = deque()
        self.evidence: deque[tuple[float, Failure]] = deque()
        self.purge_before = 0
        self.dropped = 0

    @property
    def chores(self) -> bool:
        return bool(self.evidence) or self.purge_before > 0

    def add(self, entry: Entry) -> None:
        for failure in entry.work.failures:
            self.keep(entry.since, failure)
        self.purge_before = max(self.purge_before, entry.work.purge_failures_before)
        if entry.work.failures or entry.work.purge_failures_before:
            entry.work = replace(entry.work, failures=(), purge_failures_before=0)
        self.entries.append(entry)

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
