"""The open seconds of one service: integer tallies by endpoint, until a second closes."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from prober.measure.lane import Lane
from rules.model import Fault, Tally

_K = TypeVar("_K")


@dataclass(frozen=True, slots=True)
class Layout:
    """A service's endpoints, those of a channel side by side; `channels` are (name, first, past the last)."""

    service: str
    lanes: tuple[Lane, ...]
    channels: tuple[tuple[str, int, int], ...]


class Slot:
    """One open second, or `span` of them in which nothing can have been measured.

    `ok` counts successes by endpoint, `bad` the failed calls by endpoint and (fault, reason), `missed` the calls that were due
    and not made, by endpoint and reason; `slow` the slow successes by channel, where slowness is asked for. An endpoint
    makes at most ten calls a second, so that a byte holds its successes.
    """

    __slots__ = ("bad", "layout", "missed", "ok", "pending", "second", "slow", "span", "void")

    def __init__(self, second: int, layout: Layout, span: int = 1, void: str = "") -> None:
        self.second = second
        self.layout = layout
        self.span = span
        self.void = void
        self.pending = 0  # calls in flight and suspicions not settled
        self.ok = bytearray(len(layout.lanes))
        self.bad: dict[int, dict[tuple[Fault, str], int]] = {}
        self.missed: dict[int, dict[str, int]] = {}
        self.slow: dict[str, int] = {}

    @property
    def last(self) -> int:
        return self.second + self.span - 1

    def fail(self, index: int, fault: Fault, reason: str) -> None:
        counts = self.bad.setdefault(index, {})
        counts[fault, reason] = counts.get((fault, reason), 0) + 1

    def miss(self, index: int, reason: str) -> None:
        counts = self.missed.setdefault(index, {})
        counts[reason] = counts.get(reason, 0) + 1

    def tally(self, first: int, end: int) -> Tally:
        """The tally of the endpoints from `first` to before `end` together."""
        if end == first + 1:
            return self._alone(first)
        counts: dict[tuple[Fault, str], int] = {}
        if successes := sum(self.ok[first:end]):
            counts[Fault.NONE, "ok"] = successes
        missed: dict[str, int] = {}
        if self.bad:
            _gather(self.bad, first, end, counts)
        if self.missed:
            _gather(self.missed, first, end, missed)
        return Tally(counts, missed, self.void)

    def _alone(self, index: int) -> Tally:
        """One endpoint's tally, of which an outage may need ten thousand."""
        bad, missed = self.bad.get(index), self.missed.get(index)
        counts = dict(bad) if bad else {}
        if successes := self.ok[index]:
            counts[Fault.NONE, "ok"] = successes
        return Tally(counts, dict(missed) if missed else {}, self.void)


def _gather(by_endpoint: dict[int, dict[_K, int]], first: int, end: int, into: dict[_K, int]) -> None:
    some = (by_endpoint[i] for i in range(first, end) if i in by_endpoint) if end - first < len(by_endpoint) else None
    for counts in some if some is not None else (c for i, c in by_endpoint.items() if first <= i < end):
        for key, n in counts.items():
            into[key] = into.get(key, 0) + n


class Ring:
    """The open seconds of a service, in order; none is left out. `closed` is the last closed second."""

    def __init__(self, layout: Layout, closed: int) -> None:
        self.layout = layout
        self.closed = closed
        self.newest = closed  # the newest second that has come to be
        self.retired = False  # no longer in the configuration: no new seconds
        self._slots: deque[Slot] = deque()
        self._by_second: dict[int, Slot] = {}

    @property
    def open(self) -> Sequence[Slot]:
        return self._slots

    def slot(self, second: int) -> Slot | None:
        """The slot of an open second; None if it is closed, or lies in a stretch that cannot have been measured."""
        return self._by_second.get(second)

    def reach(self, second: int) -> None:
        """Let the seconds up to `second` come to be."""
        while self.newest < second:
            self.newest += 1
            self._append(Slot(self.newest, self.layout))

    def void(self, first: int, last: int, reason: str) -> None:
        """Our machine was not fit from second `first` to `last`. A stretch that has not come to be becomes one slot.

        `last` itself stays a second of its own: it may be the one that is running, and hold calls yet.
        """
        if last > self.newest and not self.retired:
            if last - 1 > self.newest:
                unseen = Slot(self.newest + 1, self.layout, last - 1 - self.newest, reason)
                self.newest = last - 1
                self._append(unseen)
            self.reach(last)
        for slot in self._slots:
            if slot.span == 1 and first <= slot.second <= last:
                slot.void = slot.void or reason

    def _append(self, slot: Slot) -> None:
        self._slots.append(slot)
        if slot.span == 1:
            self._by_second[slot.second] = slot

    def ripe(self, now: int) -> Iterator[Slot]:
        """Close the seconds that may close at second `now`, oldest first: past, and nothing of them pending."""
        while self._slots and self._slots[0].last < now and not self._slots[0].pending:
            slot = self._slots.popleft()
            self._by_second.pop(slot.second, None)
            self.closed = slot.last
            yield slot
