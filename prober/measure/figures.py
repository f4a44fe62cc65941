"""What the loop counts for people and programs: an endpoint's newest figures on the board, durations and lag."""

from bisect import bisect_left
from collections.abc import Mapping
from struct import Struct

from prober.board import FAULTS, Column
from prober.link import DURATION_BUCKETS, LAG_BUCKETS
from prober.measure.clock import NS
from prober.measure.lane import Lane
from prober.measure.minutes import Minutes
from prober.measure.plan import Plan
from prober.measure.ring import Slot
from prober.probes.call import Call
from rules.model import Fault, Finding
from rules.reasons import REASONS

_FAULT_COLUMN: Mapping[Fault, int] = {fault: Column.CALLS + n for n, fault in enumerate(FAULTS)}
_MISSED, _EXPIRY, _PHASE = int(Column.MISSED), int(Column.CERT_EXPIRY), int(Column.PHASE)
_VERSION = int(Column.VERSION)
#: The columns ENDED, SUCCESS, DURATION and CODE lie side by side, so that they are stored at once; each stays whole.
_NEWEST = Struct("4d")
_FAULT_PLACE: Mapping[Fault, int] = {fault: n for n, fault in enumerate(FAULTS)}
_REASON_PLACE: Mapping[str, int] = {name: n for n, name in enumerate(REASONS)}
assert (Column.ENDED, Column.SUCCESS, Column.DURATION, Column.CODE) == (0, 1, 2, 3)
_CELL = 8  # bytes


class Histogram:
    """Counts by upper bound, the last one without bound; `sum` in seconds."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self._bounds, seconds)] += 1
        self.sum += seconds


class Figures:
    """`durations` by service and channel count since the start, over all reloads; `lag` is begin minus due.

    `minutes` are counted for the store.
    """

    __slots__ = ("_cells", "durations", "lag", "minutes")

    def __init__(self) -> None:
        self._cells: memoryview[float] = memoryview(bytearray(8)).cast("d")
        self.durations: dict[tuple[str, str], Histogram] = {}
        self.lag = Histogram(LAG_BUCKETS)
        self.minutes = Minutes()

    def install(self, plan: Plan) -> None:
        """Show what ends from now on on this plan's board."""
        self._cells = plan.board.cells
        for layout in plan.layouts:
            for channel, _, _ in layout.channels:
                self.durations.setdefault((layout.service, channel), Histogram(DURATION_BUCKETS))

    def show(self, lane: Lane, call: Call, fault: Fault) -> None:
        """A call has ended, and its fault is settled."""
        duration = (call.ended - call.begun) / NS
        self.durations[lane.key.service, lane.key.channel].add(duration)
        self.minutes.add(lane, call, fault)
        row = lane.row
        if row < 0:
            return
        cells = self._cells
        ended = (call.begun_utc + call.ended - call.begun) / NS
        _NEWEST.pack_into(cells, row * _CELL, ended, fault is Fault.NONE, duration, call.code)
        cells[row + _FAULT_COLUMN[fault]] += 1
        if lane.tls and call.cert_expiry:
            cells[row + _EXPIRY] = call.cert_expiry
        if call.version:
            cells[row + _VERSION] = call.version
        last, column = call.begun, row + _PHASE
        for mark in call.marks:
            if mark:
                cells[column] = (mark - last) / NS
                last = mark
            else:
                cells[column] = -1.0
            column += 1

    def failed(self, lane: Lane, call: Call, finding: Finding) -> None:
        """A call has failed: which one the metrics show as the newest example."""
        if lane.row >= 0:
            _NEWEST.pack_into(
                self._cells,
                (lane.row + Column.FAILED) * _CELL,
                call.begun_utc / NS,
                (call.ended - call.begun) / NS,
                _FAULT_PLACE[finding.fault],
                _REASON_PLACE.get(finding.reason, -1),
            )

    def count(self, lane: Lane, slot: Slot, fault: Fault) -> None:
        """A call was not made, and counts as failed all the same."""
        self.minutes.count(lane, slot, fault)
        self._cells[lane.row + _FAULT_COLUMN[fault]] += 1

    def missed(self, lane: Lane) -> None:
        """A call was due and not made."""
        self._cells[lane.row + _MISSED] += 1
