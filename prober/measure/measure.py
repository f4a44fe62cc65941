"""The measuring loop: begins calls when they are due, ends them at their deadline, and closes seconds.

Everything happens in `tick` (called when something is due) and in the judge's `ended` (called by engines); both only move
values, so that tests drive them on a moved clock with engines of their own. What a closed second means is the keepers' business.
"""

from collections.abc import Mapping
from heapq import heapify, heapreplace

from prober.measure.clock import NS, Clock, Grid
from prober.measure.figures import Figures
from prober.measure.flight import Flight
from prober.measure.judge import Judge
from prober.measure.lane import FIRST_PLACE, Lane
from prober.measure.listener import Listener
from prober.measure.plan import Plan
from prober.measure.ring import Layout, Ring
from prober.probes.call import Call
from rules.machine import STALL_OVER, SUSPENDED_FROM, Reading, Stall, Step, compare
from rules.model import Fault

__all__ = ["HEARTBEAT", "Listener", "Measure", "Plan"]

#: Between two heartbeats, ns (DESIGN.md, "Own machine").
HEARTBEAT = 100_000_000
#: A reading of three clocks that took longer than this was torn, and is taken anew, ns.
_TORN = 5_000_000
#: Calls are begun for so long at a stretch, ns; then those that have answered have their turn, however many are due. A reply
#: that waits for longer would be timed by us, not by the vendor; with shorter ones a backlog takes longer to clear. Shorter
#: than a second's first place is late, so that no stretch comes to places of a second that has not come to be.
_STRETCH = 5_000_000
assert _STRETCH < FIRST_PLACE


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
        self._hold_until = 0  # UTC ns: after a step back, nothing begins before
        self.rings: dict[str, Ring] = {}
        self.figures = Figures()
        self._judge = Judge(clock, self._grid, self._flight, self.figures, listener, self._complete)
        self._judge.beat = self._beat.monotonic
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

    def controls_fine(self, within: int) -> bool:
        """Whether a control succeeded in the last `within` ns."""
        return self._judge.suspicions.fine(self._clock.monotonic(), within)

    # plans

    def adopt(self, plan: Plan, closed: Mapping[str, int]) -> int:
        """Measure `plan`: at once when it is the first, else from the next second on. Answers that second.

        `closed` says of a service that is not measured yet which second it has closed last.
        """
        if self._plan is None:  # getting ready took its time; nothing ran that could have stood still
            self._beat = self._reading()
            self._grid.follow(self._beat.monotonic, self._beat.realtime)
            self._judge.beat = self._beat.monotonic
        second = self.utc() // NS
        if self._plan is not None:
            second = max(second, self._newest()) + 1
        for layout in plan.layouts:
            if layout.service not in self.rings:
                self._open_ring(layout, closed.get(layout.service, second - 1), second)
        if self._plan is None:
            self._install(plan, second)
        else:
            self._next_plan = (second, plan)
        return second

    def _newest(self) -> int:
        """The newest second that has come to be."""
        return max((ring.newest for ring in self.rings.values() if not ring.retired), default=0)

    def _open_ring(self, layout: Layout, closed: int, second: int) -> None:
        """Go on after second `closed`: what lies between was not measured, what lies ahead is not measured again."""
        ring = self.rings[layout.service] = Ring(layout, closed)
        if closed < second - 1:
            ring.void(closed + 1, second - 1, "not_running")
        elif closed >= second:
            self._hold_until = max(self._hold_until, (closed + 1) * NS)

    def _install_when_due(self, second: int, plan: Plan, utc: int) -> None:
        """A plan holds from a second's boundary on: never for one that has come to be under the plan before."""
        newest = self._newest()
        if newest >= second:  # a stall or a step has just let it come to be
            second = newest + 1
            self._next_plan = (second, plan)
        if utc // NS >= second or utc < self._hold_until:  # nothing is measured while we hold: no need to wait
            self._install(plan, second)

    def _install(self, plan: Plan, second: int) -> None:
        first = self._plan is None
        if self._plan is not None:
            plan.succeed(self._plan)
        services = {layout.service: layout for layout in plan.layouts}
        for name, ring in self.rings.items():
            if not ring.retired:
                ring.reach(second - 1)
            ring.retired = name not in services
            ring.layout = services.get(name, ring.layout)
        self._plan = plan
        self._next_plan = None
        self.figures.install(plan)
        self._judge.controls = bool(plan.controls)
        begin = max(self.utc() if first else second * NS, self._hold_until)
        self._heap = [(lane.first_due(begin), n, lane) for n, lane in enumerate([*plan.endpoints, *plan.controls])]
        heapify(self._heap)
        self._listener.installed(plan)

    # the pace

    def tick(self) -> int:
        """Do all that is due now; answers when (monotonic ns) the next thing is."""
        now = self._clock.monotonic()
        if now - self._beat.monotonic >= HEARTBEAT or self._suspended(now):
            self.heartbeat()
            now = self._clock.monotonic()
        utc = self._grid.utc(now)
        if self._next_plan is not None:
            self._install_when_due(*self._next_plan, utc)
        if not self.stopping and utc >= self._hold_until:
            self._reach(utc // NS)
            self._begin_due(utc)
        for call in self._flight.expired(now):
            try:
                call.expire(now)
            except Exception as error:  # noqa: BLE001 - a defect of an engine is one call's, and no other's
                self._judge.broken(call, error)
        if self._judge.suspicions:
            self._judge.suspicions.expire(now)
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
        second = utc - utc % NS  # begin of the running one, ns
        enough = utc + _STRETCH
        while heap and heap[0][0] <= utc < enough:
            due, order, lane = heap[0]
            now = self._clock.monotonic()
            utc = self._grid.utc(now)
            if utc - second >= NS:  # a second has passed over them; the places of the new one come after this stretch
                second = utc - utc % NS
            upcoming = due + lane.every
            if upcoming <= second:
                upcoming = lane.first_due(second)
            heapreplace(heap, (upcoming, order, lane))
            if lane.control:
                if due >= second:
                    self._begin_control(lane, due, now, utc)
            else:
                self._begin(lane, due, now, utc, late=due < second)

    def _begin(self, lane: Lane, due: int, now: int, utc: int, *, late: bool) -> None:
        slot = self.rings[lane.key.service].slot(due // NS)
        if slot is None:
            return
        if late:
            slot.miss(lane.index, "late_start")
            self.figures.missed(lane)
        elif utc < lane.wait_until:
            slot.miss(lane.index, "throttled")
            self.figures.missed(lane)
        elif lane.open >= lane.hold or len(self._flight) >= self._descriptors:
            slot.fail(lane.index, Fault.OWN, "own_limit")
            self.figures.count(lane, slot, Fault.OWN)
        else:
            call = lane.probe.call(self._judge.ended)
            slot.pending += 1
            call.slot = slot
            self._start(lane, call, due, now, utc)

    def _begin_control(self, lane: Lane, due: int, now: int, utc: int) -> None:
        if lane.open < lane.hold and len(self._flight) < self._descriptors:
            self._start(lane, lane.probe.call(self._judge.control_ended), due, now, utc)

    def _start(self, lane: Lane, call: Call, due: int, now: int, utc: int) -> None:
        self.figures.lag.add((utc - due) / NS)
        call.owner = lane
        call.deadline = now + lane.timeout
        lane.open += 1
        self._flight.add(call, lane.timeout)
        try:
            call.start(now, utc)
        except Exception as error:  # noqa: BLE001 - a defect of an engine is one call's, and no other's
            self._judge.broken(call, error)

    # seconds

    def _close_ripe(self, second: int) -> None:
        gone = []
        for name, ring in self.rings.items():
            for slot in ring.ripe(second):
                self._listener.closed(slot)
            if ring.retired and not ring.open and not self._comes_again(name):
                gone.append(name)
        for name in gone:
            del self.rings[name]
            self._listener.retired(name)

    def _complete(self, service: str, second: int) -> None:
        """Nothing of a second is pending any more: it closes at once if nothing else keeps it open."""
        now = self._grid.utc(self._clock.monotonic()) // NS
        if second < now and second == self.rings[service].closed + 1:
            self._close_ripe(now)

    def _comes_again(self, service: str) -> bool:
        return self._next_plan is not None and any(x.service == service for x in self._next_plan[1].layouts)

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
        now = self._clock.monotonic()
        if now - self._beat.monotonic > STALL_OVER or self._suspended(now):
            self.heartbeat()

    def _suspended(self, now: int) -> bool:
        """Whether the machine was suspended since the last heartbeat, for however short a while by the monotonic clock."""
        beat = self._beat
        return self._clock.boottime() - now - beat.boottime + beat.monotonic >= SUSPENDED_FROM

    def heartbeat(self) -> None:
        """Compare the clocks with the last reading, and do what a stall or a step demands."""
        reading = self._reading()
        change = compare(self._beat, reading)
        self._beat = reading
        self._judge.beat, self._judge.in_gap = reading.monotonic, change.stall is not None
        if change.stall is not None:
            self._stalled(change.stall)
        if change.step is not None:
            self._stepped(change.step)
        self._grid.follow(reading.monotonic, reading.realtime)
        self._judge.suspicions.forget(self._flight.first_begun(reading.monotonic))

    def _stalled(self, stall: Stall) -> None:
        self.stalls += 1
        self._flight.shift(stall.gap)
        for ring in self.rings.values():
            ring.void(stall.start_utc // NS, stall.end_utc // NS, "stalled")
        if stall.suspended:
            self._judge.awake_since = self._beat.monotonic
            self._judge.suspicions.slept(self._beat.monotonic)
        self._listener.stalled(stall)

    def _stepped(self, step: Step) -> None:
        self.steps += 1
        for ring in self.rings.values():
            if step.forward:
                ring.void(step.from_utc // NS, step.to_utc // NS, "clock_stepped")
            else:  # these come a second time
                ring.void(step.to_utc // NS, ring.newest, "clock_stepped")
        if not step.forward:
            self._hold_until = max([(ring.newest + 1) * NS for ring in self.rings.values()], default=0)
        self._grid.follow(self._beat.monotonic, self._beat.realtime)
        begin = max(self.utc(), self._hold_until)
        for _, _, lane in self._heap:
            if lane.wait_until:
                lane.wait_until += step.delta
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
