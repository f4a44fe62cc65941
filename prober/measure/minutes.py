"""Calls counted by the minute, for the store: by channel always, by endpoint where a channel has several.

The loop does nothing but count; what is finished is packed and written by the store's thread.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import partial
from math import log

from prober.measure.lane import Lane
from prober.measure.ring import Layout, Slot
from prober.probes.call import Call
from prober.store import FigureRow, Scope
from prober.store.durations import BUCKETS, FIRST, SCALE, SHIFT
from prober.store.figures import FAULTS, LONG, MINUTE, ROWS, Column, pack, rounded
from rules.model import Fault

#: Endpoints of a service past which they are counted by LONG, and by channel besides.
MANY = 100
_FAULT_ROW: dict[Fault, int] = {fault: BUCKETS + n for n, fault in enumerate(FAULTS)}
_LAST = BUCKETS - 1
_NONE = Fault.NONE


class Counting:
    """The calls of one span of a service, by column. `start` is the first second that was counted, `end` one past the span.

    `totals` and `longest` are ns.
    """

    __slots__ = ("columns", "counts", "end", "longest", "span", "start", "totals", "width")

    def __init__(self, columns: tuple[Column, ...], span: int, second: int) -> None:
        self.columns = columns
        self.width = len(columns)
        self.span = span
        self.start = second
        self.end = second - second % span + span
        self.counts = array("I", bytes(4 * ROWS * self.width))
        self.totals = [0] * self.width
        self.longest = [0] * self.width

    def body(self) -> bytes:
        """As the store keeps it. In the writer's thread."""
        return _packed(self.counts, self.totals, self.longest)

    def by_channel(self, spans: tuple[tuple[int, int], ...]) -> bytes:
        """The columns of each span (first, past the last) together. In the writer's thread."""
        cells = self.counts.tolist()
        lines = range(0, len(cells), self.width)
        counts = array("I", [sum(cells[line + first : line + end]) for line in lines for first, end in spans])
        totals = [sum(self.totals[first:end]) for first, end in spans]
        return _packed(counts, totals, [max(self.longest[first:end]) for first, end in spans])


def _packed(counts: "array[int]", totals: list[int], longest: list[int]) -> bytes:
    sums, most = (array("Q", [rounded(ns // 1000) for ns in some]) for some in (totals, longest))
    return pack((counts.tobytes(), 4), (sums.tobytes(), 8), (most.tobytes(), 8))


class _Place:
    """Where the calls of one layout are counted: the spans that are open, by their end.

    Each call is counted by its endpoint, and channels are added up from that in the end; by its channel too where there are
    very many endpoints.
    """

    __slots__ = ("_channels", "_columns", "_endpoints", "_many", "_several", "_spans", "ends", "layout")

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        lanes = layout.lanes
        self._columns: tuple[Column, ...] = tuple((lane.key.channel, lane.key.endpoint) for lane in lanes)
        self._spans = tuple((first, end) for _, first, end in layout.channels)
        self.ends = tuple(end for _, _, end in layout.channels)
        self._several = len(lanes) > len(layout.channels)
        self._many = len(lanes) > MANY
        self._endpoints: dict[int, Counting] = {}
        self._channels: dict[int, Counting] = {}

    def at(self, second: int) -> tuple[Counting, Counting | None]:
        """Where the calls that began in a second are counted."""
        by_endpoint = _open(self._endpoints, self._columns, LONG if self._many else MINUTE, second)
        return by_endpoint, _open(self._channels, self._names, MINUTE, second) if self._many else None

    @property
    def _names(self) -> tuple[Column, ...]:
        return tuple((channel, "") for channel, _, _ in self.layout.channels)

    @property
    def empty(self) -> bool:
        return not self._endpoints and not self._channels

    def finished(self, end: int) -> Iterator[FigureRow]:
        """The spans that end by second `end`."""
        for counting in _ended(self._channels, end):
            yield self._row(counting, Scope.CHANNELS, counting.columns, counting.body)
        for counting in _ended(self._endpoints, end):
            if not self._several:  # an endpoint is its channel
                yield self._row(counting, Scope.CHANNELS, counting.columns, counting.body)
                continue
            yield self._row(counting, Scope.ENDPOINTS, counting.columns, counting.body)
            if not self._many:
                yield self._row(counting, Scope.CHANNELS, self._names, partial(counting.by_channel, self._spans))

    def _row(
        self, counting: Counting, scope: Scope, columns: tuple[Column, ...], body: Callable[[], bytes]
    ) -> FigureRow:
        return FigureRow(self.layout.service, scope, counting.span, counting.start, columns, body)


def _open(spans: dict[int, Counting], columns: tuple[Column, ...], span: int, second: int) -> Counting:
    end = second - second % span + span
    counting = spans.get(end)
    if counting is None:
        counting = spans[end] = Counting(columns, span, second)
    elif second < counting.start:
        counting.start = second
    return counting


def _ended(spans: dict[int, Counting], end: int) -> list[Counting]:
    return [spans.pop(last) for last in [last for last in spans if last <= end]]


class Minutes:
    """Counts calls as they end (`add`); `finished` tells what has come to its end with a closed second."""

    __slots__ = ("_also", "_by", "_ends", "_places", "_slot")

    def __init__(self) -> None:
        self._places: dict[int, _Place] = {}
        self._slot: Slot | None = None  # that of the newest call; the next one's is mostly the same
        self._by = Counting((), MINUTE, 0)
        self._also: Counting | None = None
        self._ends: tuple[int, ...] = ()

    def add(self, lane: Lane, call: Call, fault: Fault) -> None:
        """A call of an endpoint has ended, and its fault is settled."""
        slot = call.slot
        if slot is not self._slot:
            self._turn(slot)
        by, column = self._by, lane.index
        if fault is _NONE:
            took = call.ended - call.begun
            row = int(log(took) * SCALE - SHIFT) if took > FIRST else 0
            if row > _LAST:
                row = _LAST
            by.counts[row * by.width + column] += 1
            by.totals[column] += took
            if took > by.longest[column]:
                by.longest[column] = took
        else:
            took, row = 0, _FAULT_ROW[fault]
            by.counts[row * by.width + column] += 1
        also = self._also
        if also is not None:
            channel = bisect_right(self._ends, column)
            also.counts[row * also.width + channel] += 1
            also.totals[channel] += took
            if took > also.longest[channel]:
                also.longest[channel] = took

    def count(self, lane: Lane, slot: Slot, fault: Fault) -> None:
        """A call that was due in a second was not made, and counts as failed all the same."""
        if slot is not self._slot:
            self._turn(slot)
        line, column = _FAULT_ROW[fault], lane.index
        self._by.counts[line * self._by.width + column] += 1
        if self._also is not None:
            channel = bisect_right(self._ends, column)
            self._also.counts[line * self._also.width + channel] += 1

    def _turn(self, slot: Slot) -> None:
        place = self._places.get(id(slot.layout))
        if place is None:
            place = self._places[id(slot.layout)] = _Place(slot.layout)
        self._slot = slot
        self._by, self._also = place.at(slot.second)
        self._ends = place.ends

    def finished(self, slot: Slot) -> tuple[FigureRow, ...]:
        """A slot has closed: the spans of its service that are over with it."""
        end, service = slot.last + 1, slot.layout.service
        if end % MINUTE and slot.span == 1:
            return ()
        found: list[FigureRow] = []
        for key, place in list(self._places.items()):
            if place.layout.service == service:
                found += place.finished(end)
                if place.layout is not slot.layout and place.empty:
                    del self._places[key]
        self._slot = None
        return tuple(found)

    def rest(self, service: str | None = None) -> tuple[FigureRow, ...]:
        """The end, of one service or of all: what has been counted so far."""
        ending = {key: place for key, place in self._places.items() if service in (None, place.layout.service)}
        for key in ending:
            del self._places[key]
        self._slot = None
        return tuple(row for place in ending.values() for row in place.finished(1 << 62))
