"""The measuring loop: begins calls when they are due, ends them at their deadline, and closes seconds.

Everything happens in `tick` (called when something is due) and in `_ended` (called by engines); both only move values, so that
tests drive them on a moved clock with engines of their own. What a closed second means is the judges' business.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from heapq import heapify, heapreplace
from typing import Protocol

from prober import logs
from prober.board import FAULTS, WIDTH, Board, Column
from prober.link import DURATION_BUCKETS, LAG_BUCKETS
from prober.measure.clock import NS, Clock, Grid
from prober.measure.flight import Flight
from prober.measure.lane import Lane, spread
from prober.measure.ring import Layout, Ring, Slot
from prober.probes.call import Call
from rules import politeness, suspicion
from rules.faults import classify
from rules.machine import STALL_OVER, Reading, Stall, Step, compare
from rules.model import Fault, Finding, Observation, Trouble
from rules.suspicion import Settlement

log = logs.get("measure")

#: Between two heartbeats, ns (DESIGN.md, "Own machine").
HEARTBEAT = 100_000_000
#: A reading of three clocks that took longer than this was torn, and is taken anew, ns.
_TORN = 5_000_000
_FAULT_COLUMN: Mapping[Fault, int] = {fault: Column.CALLS + n for n, fault in enumerate(FAULTS)}


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


class Listener(Protocol):
    """Who is told what the loop sees."""

    def closed(self, slot: Slot) -> None:
        """A second (or a stretch of unmeasured ones) of a service has closed."""
        ...

    def failed(self, lane: Lane, call: Call, finding: Finding) -> None:
        """A call of an endpoint has failed; its fault is settled."""
        ...

    def installed(self, plan: "Plan") -> None:
        """Seconds that begin from now on are measured by this plan."""
        ...

    def retired(self, service: str) -> None:
        """The last open second of a service that is no longer configured has closed."""
        ...

    def stalled(self, stall: Stall) -> None: ...

    def stepped(self, step: Step) -> None: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be called: the services' layouts, the controls, and the board on which figures appear."""

    layouts: tuple[Layout, ...]
    controls: tuple[Lane, ...]
    board: Board

    @classmethod
    def of(cls, services: Mapping[str, Mapping[str, Iterable[Lane]]], controls: Iterable[Lane]) -> "Plan":
        """`services` are lanes by service and channel. Gives every lane its place, its index and its row on the board."""
        layouts = []
        for service, channels in services.items():
            lanes: list[Lane] = []
            spans = []
            for number, (channel, some) in enumerate(channels.items()):
                first = len(lanes)
                for lane in some:
                    lane.channel, lane.index = number, len(lanes)
                    lanes.append(lane)
                if len(lanes) > first:
                    spans.append((channel, first, len(lanes)))
            layouts.append(Layout(service, tuple(lanes), tuple(spans)))
        every = [lane for layout in layouts for lane in layout.lanes]
        for row, lane in enumerate(every):
            lane.row = row * WIDTH
        wards = tuple(controls)
        spread([*every, *wards])
        board = Board.create([(lane.key.service, lane.key.channel, lane.key.endpoint, lane.kind) for lane in every])
        return cls(tuple(layouts), wards, board)


def _go_on_counting(old: Board, new: Board) -> None:
    """What an endpoint has shown and counted so far stays on the board over a reload."""
    rows = {key: row for row, key in enumerate(old.keys)}
    for row, key in enumerate(new.keys):
        if key in rows:
            start = rows[key] * WIDTH
            new.cells[row * WIDTH : (row + 1) * WIDTH] = old.cells[start : start + WIDTH]


@dataclass(slots=True)
class _Suspicion:
    lane: Lane
    call: Call
    finding: Finding
    instants: tuple[int, ...]


class Measure:
    """See the module. `descriptors` bounds the calls in flight in all (DESIGN.md: 0.8 of the process's limit)."""

    def __init__(self, clock: Clock, listener: Listener, *, descriptors: int) -> None:
        self._clock = clock
        self._listener = listener
        self._descriptors = descriptors
        self._flight = Flight()
        self._beat = self._reading()
        self._grid = Grid(self._beat.monotonic, self._beat.realtime)
        self._heap: list[tuple[int, int, Lane]] = []
        self._plan: Plan | None = None
        self._next_plan: tuple[int, Plan] | None = None  # from this second on
        self._successes: deque[int] = deque()  # of controls, monotonic ns
        self._suspicions: list[_Suspicion] = []
        self._in_gap = False
        self._longest = 0  # time-out, ns
        self._hold_until = 0  # UTC ns: after a step back, nothing begins before
        self.rings: dict[str, Ring] = {}
        self.durations: dict[tuple[str, str], Histogram] = {}
        self.lag = Histogram(LAG_BUCKETS)
        self.stalls = 0
        self.steps = 0
        self.stopping = False

    # what others ask

    @property
    def open_calls(self) -> int:
        return len(self._flight)

    @property
    def last_beat(self) -> int:
        """Monotonic ns of the newest heartbeat."""
        return self._beat.monotonic

    def utc(self) -> int:
        """UTC ns now, by the grid."""
        return self._grid.utc(self._clock.monotonic())

    @property
    def controls_configured(self) -> bool:
        return bool(self._plan and self._plan.controls)

    def controls_fine(self, within: int) -> bool:
        """Whether a control succeeded in the last `within` ns."""
        return bool(self._successes) and self._clock.monotonic() - self._successes[-1] <= within

    # plans

    def adopt(self, plan: Plan, closed: Mapping[str, int]) -> int:
        """Measure `plan`: at once when it is the first, else from the next second on. Answers that second.

        `closed` says of a service that is not measured yet which second it has closed last.
        """
        now = self.utc()
        second = now // NS if self._plan is None else now // NS + 1
        for layout in plan.layouts:
            if layout.service not in self.rings:
                self._open_ring(layout, closed.get(layout.service, second - 1), second)
        if self._plan is None:
            self._install(plan, second)
        else:
            self._next_plan = (second, plan)
        return second

    def _open_ring(self, layout: Layout, closed: int, second: int) -> None:
        """Go on after second `closed`: what lies between was not measured, what lies ahead is not measured again."""
        ring = self.rings[layout.service] = Ring(layout, closed)
        if closed < second - 1:
            ring.void(closed + 1, second - 1, "not_running")
        elif closed >= second:
            self._hold_until = max(self._hold_until, (closed + 1) * NS)

    def _install(self, plan: Plan, second: int) -> None:
        if self._plan is not None:
            _go_on_counting(self._plan.board, plan.board)
            for lane in [*(x for layout in self._plan.layouts for x in layout.lanes), *self._plan.controls]:
                lane.probe.close()
        services = {layout.service: layout for layout in plan.layouts}
        for name, ring in self.rings.items():
            if not ring.retired:
                ring.reach(second - 1)
            ring.retired = name not in services
            ring.layout = services.get(name, ring.layout)
        self._plan = plan
        self._next_plan = None
        lanes = [lane for layout in plan.layouts for lane in layout.lanes] + list(plan.controls)
        self._longest = max((lane.timeout for lane in lanes), default=0)
        begin = max(self.utc(), second * NS, self._hold_until)
        self._heap = [(lane.first_due(begin), order, lane) for order, lane in enumerate(lanes)]
        heapify(self._heap)
        for layout in plan.layouts:
            for channel, _, _ in layout.channels:
                self.durations.setdefault((layout.service, channel), Histogram(DURATION_BUCKETS))
        self._listener.installed(plan)

    # the pace

    def tick(self) -> int:
        """Do all that is due now; answers when (monotonic ns) the next thing is."""
        now = self._clock.monotonic()
        if now - self._beat.monotonic >= HEARTBEAT:
            self.heartbeat()
            now = self._clock.monotonic()
        utc = self._grid.utc(now)
        if self._next_plan is not None and utc // NS >= self._next_plan[0]:
            self._install(self._next_plan[1], self._next_plan[0])
        if not self.stopping and utc >= self._hold_until:
            self._reach(utc // NS)
            self._begin_due(utc)
        for call in self._flight.expired(now):
            call.expire(now)
        if self._suspicions:
            self._settle(self._clock.monotonic())
        self._close_ripe(self._grid.utc(self._clock.monotonic()) // NS)
        return self._next_wake()

    def _next_wake(self) -> int:
        utc = self._grid.utc(self._clock.monotonic())
        moments = [self._beat.monotonic + HEARTBEAT, self._grid.monotonic((utc // NS + 1) * NS)]
        if self._heap and not self.stopping and utc >= self._hold_until:
            moments.append(self._grid.monotonic(self._heap[0][0]))
        deadline = self._flight.next_deadline()
        if deadline is not None:
            moments.append(deadline)
        return min(moments)

    def _reach(self, second: int) -> None:
        for ring in self.rings.values():
            if not ring.retired and ring.newest < second:
                ring.reach(second)

    def _begin_due(self, utc: int) -> None:
        heap = self._heap
        while heap and heap[0][0] <= utc:
            due, order, lane = heap[0]
            now = self._clock.monotonic()
            utc = self._grid.utc(now)
            upcoming = due + lane.every
            if upcoming <= utc - utc % NS:
                upcoming = lane.first_due(utc - utc % NS)
            heapreplace(heap, (upcoming, order, lane))
            if lane.control:
                self._begin_control(lane, due, now, utc)
            else:
                self._begin(lane, due, now, utc)

    def _begin(self, lane: Lane, due: int, now: int, utc: int) -> None:
        ring = self.rings[lane.key.service]
        slot = ring.slot(due // NS)
        if slot is None:
            return
        if due // NS != utc // NS:
            slot.miss(lane.index, "late_start")
        elif utc < lane.wait_until:
            slot.miss(lane.index, "throttled")
        elif lane.open >= lane.hold or len(self._flight) >= self._descriptors:
            slot.fail(lane.index, Fault.OWN, "own_limit")
            self._count(lane, Fault.OWN)
            return
        else:
            call = lane.probe.call(self._ended)
            slot.pending += 1
            call.slot = slot
            self._start(lane, call, due, now, utc)
            return
        if self._plan is not None:
            self._plan.board.cells[lane.row + Column.MISSED] += 1

    def _begin_control(self, lane: Lane, due: int, now: int, utc: int) -> None:
        if due // NS == utc // NS and lane.open < lane.hold and len(self._flight) < self._descriptors:
            self._start(lane, lane.probe.call(self._control_ended), due, now, utc)

    def _start(self, lane: Lane, call: Call, due: int, now: int, utc: int) -> None:
        self.lag.add((utc - due) / NS)
        call.owner = lane
        call.deadline = now + lane.timeout
        lane.open += 1
        self._flight.add(call, lane.timeout)
        call.start(now, utc)

    # the ends of calls

    def _ended(self, call: Call) -> None:
        lane: Lane = call.owner
        slot: Slot = call.slot
        self._flight.remove(call)
        lane.open -= 1
        if call.healthy:
            slot.ok[lane.index] += 1
            lane.failing = lane.back_off = lane.wait_until = 0
            if not lane.history.passed:
                lane.history = replace(lane.history, passed=True, tls_worked=lane.tls or lane.history.tls_worked)
            self._conclude(lane, call, Fault.NONE)
            return
        observation = call.observation
        assert observation is not None
        finding = classify(observation, lane.history, lane.vendor)
        self._remember(lane, observation)
        if finding.fault is Fault.NONE:
            slot.ok[lane.index] += 1
            self._conclude(lane, call, Fault.NONE)
        elif self._in_gap or call.ended - self._beat.monotonic > STALL_OVER:
            self._fail(lane, call, Finding(Fault.OWN, "stalled"))
        elif not finding.suspected:
            self._fail(lane, call, finding)
        elif not self.controls_configured:
            self._fail(lane, call, suspicion.resolve(finding, None))
        else:
            instants = suspicion.instants(observation.trouble, call.begun, call.ended)
            self._suspect(_Suspicion(lane, call, finding, instants))

    def _remember(self, lane: Lane, observation: Observation) -> None:
        """What later calls of this endpoint may be judged by, and how long it asks to be left alone."""
        history = lane.history
        if observation.verified and not history.tls_worked:
            history = replace(history, tls_worked=True)
        if (300 <= observation.code < 400 or observation.trouble is Trouble.REDIRECT_LOOP) and not history.redirected:
            history = replace(history, redirected=True)
        lane.history = history

    def _suspect(self, suspect: _Suspicion) -> None:
        settlement = suspicion.settle(suspect.instants, self._successes, self._clock.monotonic())
        if settlement is Settlement.PENDING:
            self._suspicions.append(suspect)
        else:
            self._fail(suspect.lane, suspect.call, suspicion.resolve(suspect.finding, settlement))

    def _settle(self, now: int) -> None:
        waiting, self._suspicions = self._suspicions, []
        for suspect in waiting:
            settlement = suspicion.settle(suspect.instants, self._successes, now)
            if settlement is Settlement.PENDING:
                self._suspicions.append(suspect)
            else:
                self._fail(suspect.lane, suspect.call, suspicion.resolve(suspect.finding, settlement))

    def _fail(self, lane: Lane, call: Call, finding: Finding) -> None:
        slot: Slot = call.slot
        slot.fail(lane.index, finding.fault, finding.reason)
        lane.failing += 1
        if "throttled" in finding.tags and call.observation is not None:
            utc = self.utc()
            seconds, lane.back_off = politeness.wait(call.observation.headers, lane.back_off, utc // NS)
            lane.wait_until = utc + seconds * NS
        self._listener.failed(lane, call, finding)
        self._conclude(lane, call, finding.fault)

    def _conclude(self, lane: Lane, call: Call, fault: Fault) -> None:
        """The call's fault is settled: count it, and close its second if that was all it waited for."""
        self._show(lane, call, fault)
        slot: Slot = call.slot
        slot.pending -= 1
        if not slot.pending:
            second = self._grid.utc(self._clock.monotonic()) // NS
            if slot.second < second and slot.second == self.rings[lane.key.service].closed + 1:
                self._close_ripe(second)

    def _show(self, lane: Lane, call: Call, fault: Fault) -> None:
        plan = self._plan
        duration = (call.ended - call.begun) / NS
        histogram = self.durations.get((lane.key.service, lane.key.channel))
        if histogram is not None:
            histogram.add(duration)
        if plan is None or lane.row < 0:
            return
        cells, row = plan.board.cells, lane.row
        cells[row + Column.ENDED] = (call.begun_utc + call.ended - call.begun) / NS
        cells[row + Column.SUCCESS] = fault is Fault.NONE
        cells[row + Column.DURATION] = duration
        cells[row + Column.CODE] = call.code
        cells[row + _FAULT_COLUMN[fault]] += 1
        if lane.tls and call.cert_expiry:
            cells[row + Column.CERT_EXPIRY] = call.cert_expiry
        last, column = call.begun, row + Column.PHASE
        for mark in call.marks:
            if mark:
                cells[column] = (mark - last) / NS
                last = mark
            else:
                cells[column] = -1.0
            column += 1

    def _count(self, lane: Lane, fault: Fault) -> None:
        if self._plan is not None and lane.row >= 0:
            self._plan.board.cells[lane.row + _FAULT_COLUMN[fault]] += 1

    def _control_ended(self, call: Call) -> None:
        lane: Lane = call.owner
        self._flight.remove(call)
        lane.open -= 1
        if call.healthy:
            self._successes.append(call.ended)
            if lane.failing:
                log.info("control answers again", extra=logs.fields(control=lane.key.endpoint, failed=lane.failing))
            lane.failing = 0
            if self._suspicions:
                self._settle(self._clock.monotonic())
            return
        lane.failing += 1
        if lane.failing == 1 and call.observation is not None:
            seen = call.observation
            log.warning(
                "control failed",
                extra=logs.fields(
                    control=lane.key.endpoint, stage=seen.stage, trouble=seen.trouble or seen.unmet, detail=seen.detail
                ),
            )

    # seconds

    def _close_ripe(self, second: int) -> None:
        gone = []
        for name, ring in self.rings.items():
            for slot in ring.ripe(second):
                self._listener.closed(slot)
            if ring.retired and not ring.open:
                gone.append(name)
        for name in gone:
            del self.rings[name]
            self._listener.retired(name)

    # our own machine

    def _reading(self) -> Reading:
        """Three clocks read together: anew when the process was stopped in between."""
        while True:
            before = self._clock.monotonic()
            reading = Reading(before, self._clock.realtime(), self._clock.boottime())
            if self._clock.monotonic() - before < _TORN:
                return reading

    def woken(self) -> None:
        """Before any event is believed: has the process stood still since the last heartbeat?"""
        if self._clock.monotonic() - self._beat.monotonic > STALL_OVER:
            self.heartbeat()

    def heartbeat(self) -> None:
        """Compare the clocks with the last reading, and do what a stall or a step demands."""
        reading = self._reading()
        change = compare(self._beat, reading)
        self._beat = reading
        self._in_gap = change.stall is not None
        if change.stall is not None:
            self._stalled(change.stall)
        if change.step is not None:
            self._stepped(change.step)
        self._grid.follow(reading.monotonic, reading.realtime)
        horizon = reading.monotonic - 2 * suspicion.WINDOW - self._longest
        while self._successes and self._successes[0] < horizon:
            self._successes.popleft()

    def _stalled(self, stall: Stall) -> None:
        self.stalls += 1
        self._flight.shift(stall.gap)
        for ring in self.rings.values():
            ring.void(stall.start_utc // NS, stall.end_utc // NS, "stalled")
        self._listener.stalled(stall)

    def _stepped(self, step: Step) -> None:
        self.steps += 1
        for ring in self.rings.values():
            if step.forward:
                ring.void(step.from_utc // NS, step.to_utc // NS, "clock_stepped")
            else:
                ring.void(ring.closed + 1, ring.newest, "clock_stepped")
        if not step.forward:
            self._hold_until = max([(ring.newest + 1) * NS for ring in self.rings.values()], default=0)
        self._grid.follow(self._beat.monotonic, self._beat.realtime)
        begin = max(self.utc(), self._hold_until)
        self._heap = [(lane.first_due(begin), order, lane) for _, order, lane in self._heap]
        heapify(self._heap)
        self._listener.stepped(step)

    # the end

    def stop(self) -> None:
        """No new calls from now on."""
        self.stopping = True

    def cancel(self) -> None:
        """Give the open calls up: their seconds stay open, and will be found not to have been measured."""
        for call in self._flight:
            self._flight.remove(call)
            call.cancel()
