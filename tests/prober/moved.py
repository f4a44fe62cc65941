"""A world for the measuring loop without real time: a clock that tests move, and probes that end as tests say.

`World.run(seconds)` does what the event loop does: it moves the clock to whatever comes next (a wake-up that the loop asked
for, or an answer on the wire) and hands it over.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from heapq import heappop, heappush
from itertools import pairwise

from prober import vendors
from prober.measure.clock import NS
from prober.measure.lane import Lane, LaneKey
from prober.measure.measure import Measure
from prober.measure.plan import Plan
from prober.measure.ring import Slot
from prober.probes.call import Call
from rules.faults.vendors import Vendor
from rules.machine import Stall, Step
from rules.model import Cell, Fault, Finding, Kind, Observation, Stage, Trouble, Verdict
from rules.seconds import judge, judge_service

MS = 1_000_000
#: UTC second in which worlds begin.
T0 = 1_795_341_600


class MovedClock:
    """Three clocks that stand still until they are moved."""

    def __init__(self, utc: int = T0 * NS) -> None:
        self.mono = 1000 * NS
        self.real = utc
        self.boot = 1500 * NS

    def monotonic(self) -> int:
        return self.mono

    def realtime(self) -> int:
        return self.real

    def boottime(self) -> int:
        return self.boot

    def pass_(self, ns: int) -> None:
        self.mono += ns
        self.real += ns
        self.boot += ns

    def suspend(self, ns: int) -> None:
        self.real += ns
        self.boot += ns

    def step(self, ns: int) -> None:
        self.real += ns


@dataclass(frozen=True)
class Reply:
    """How a call ends, `after` ns. `seen` None: healthy. `fields` go into the observation."""

    after: int = 5 * MS
    healthy: bool = True
    fields: Mapping[str, object] = field(default_factory=dict)


OK = Reply()
#: No answer, until the deadline.
HANG = None


def status(code: int, after: int = 5 * MS, **fields: object) -> Reply:
    return Reply(after, False, {"stage": Stage.DONE, "code": code, "unmet": "status", **fields})


def broken(trouble: Trouble, stage: Stage = Stage.HEADERS, after: int = 5 * MS) -> Reply:
    return Reply(after, False, {"stage": stage, "trouble": trouble})


def reset(after: int = 5 * MS) -> Reply:
    return broken(Trouble.RESET, after=after)


Script = Callable[["FakeCall"], Reply | None]


class FakeCall(Call):
    __slots__ = ("cancelled", "over", "probe")

    def __init__(self, probe: "FakeProbe", done: Callable[[Call], None], full: bool) -> None:
        super().__init__(done, full=full)
        self.probe = probe
        self.over = self.cancelled = False

    @property
    def second(self) -> int:
        """The UTC second in which it began."""
        return self.begun_utc // NS

    def start(self, now: int, utc: int) -> None:
        self.begun, self.begun_utc = now, utc
        self.marks = [now, now, now, 0, 0]
        self.probe.begun.append(self)
        reply = self.probe.script(self)
        if reply is not None:
            self.probe.world.expect(self, reply)

    def end(self, reply: Reply) -> None:
        if self.over or self.cancelled:
            return
        self.over = True
        self.ended = self.probe.world.clock.mono
        self.healthy = reply.healthy
        self.redirected = bool(reply.fields.get("redirected"))
        if not reply.healthy:
            self.code = int(reply.fields.get("code", 0))  # type: ignore[call-overload]  # a test's own value
            self.observation = Observation(
                kind=Kind.HTTP,
                begun=self.begun_utc,
                ended=self.begun_utc + self.ended - self.begun,
                **reply.fields,  # type: ignore[arg-type]  # a test's own values
            )
        self.done(self)

    def expire(self, now: int) -> None:
        waiting = self.probe.on_expire
        self.end(waiting if waiting is not None else broken(Trouble.TIMEOUT))

    def cancel(self) -> None:
        self.cancelled = True


class FakeProbe:
    """`script(call)` says how each call ends; `on_expire` what is found waiting on the socket at the deadline."""

    def __init__(self, world: "World", script: Script) -> None:
        self.world = world
        self.script = script
        self.begun: list[FakeCall] = []
        self.on_expire: Reply | None = None
        self.closed = 0

    def call(self, done: Callable[[Call], None], *, full: bool = False) -> Call:
        return FakeCall(self, done, full)

    def close(self) -> None:
        self.closed += 1


@dataclass(frozen=True)
class Closed:
    """What a closed slot was, judged by the rules at once."""

    second: int
    span: int
    service: Cell
    channels: Mapping[str, Cell]
    endpoints: Mapping[str, Cell]


class Listening:
    """Everything that the loop told, in order."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[Closed]] = {}
        self.failures: list[tuple[str, Finding, Call]] = []
        self.plans: list[Plan] = []
        self.gone: list[str] = []
        self.stalls: list[Stall] = []
        self.steps: list[Step] = []

    def closed(self, slot: Slot) -> None:
        layout = slot.layout
        assert not slot.pending, "closed too early"
        channels = {name: judge(slot.tally(first, end)) for name, first, end in layout.channels}
        endpoints = {lane.key.endpoint: judge(slot.tally(n, n + 1)) for n, lane in enumerate(layout.lanes)}
        seen = Closed(slot.second, slot.span, judge_service(channels.values()), channels, endpoints)
        self.seconds.setdefault(layout.service, []).append(seen)

    def failed(self, lane: Lane, call: Call, finding: Finding) -> None:
        self.failures.append((lane.key.endpoint, finding, call))

    def installed(self, plan: Plan) -> None:
        self.plans.append(plan)

    def retired(self, service: str) -> None:
        self.gone.append(service)

    def stalled(self, stall: Stall) -> None:
        self.stalls.append(stall)

    def stepped(self, step: Step) -> None:
        self.steps.append(step)


@cache
def vendor() -> Vendor:
    return vendors.load("generic")


class World:
    """A measuring loop on a moved clock; `every` and `timeout` are ns."""

    def __init__(
        self,
        *,
        utc: int = T0 * NS,
        descriptors: int = 1_000_000,
        listener: Callable[["World"], Listening] | None = None,
    ) -> None:
        self.clock = MovedClock(utc)
        self.told = Listening() if listener is None else listener(self)
        self.measure = Measure(self.clock, self.told, descriptors=descriptors)
        self.probes: dict[str, FakeProbe] = {}
        self._replies: list[tuple[int, int, FakeCall, Reply]] = []
        self._count = 0
        self._due = 0

    # what is measured

    def lane(
        self,
        name: str = "account",
        script: Script = lambda _call: OK,
        *,
        service: str = "bird",
        channel: str = "api",
        every: int = NS,
        timeout: int = 10 * NS,
        hold: int | None = None,
        control: bool = False,
    ) -> Lane:
        probe = self.probes[name] = FakeProbe(self, script)
        key = LaneKey("", "", name) if control else LaneKey(service, channel, name)
        return Lane(key, Kind.HTTP, probe, vendor(), every=every, timeout=timeout, hold=hold, control=control)

    def control(self, script: Script = lambda _call: OK, name: str = "reference") -> Lane:
        return self.lane(name, script, timeout=2 * NS, control=True)

    @staticmethod
    def plan(lanes: Iterable[Lane], controls: Iterable[Lane] = ()) -> Plan:
        services: dict[str, dict[str, list[Lane]]] = {}
        for lane in lanes:
            services.setdefault(lane.key.service, {}).setdefault(lane.key.channel, []).append(lane)
        return Plan.of(services, controls)

    def adopt(self, *lanes: Lane, controls: Iterable[Lane] = (), closed: Mapping[str, int] | None = None) -> Plan:
        plan = self.plan(lanes, controls)
        self.measure.adopt(plan, closed or {})
        self._due = 0
        return plan

    # time

    @property
    def second(self) -> int:
        """UTC second by the wall clock."""
        return self.clock.real // NS

    def expect(self, call: FakeCall, reply: Reply) -> None:
        self._count += 1
        heappush(self._replies, (self.clock.mono + reply.after, self._count, call, reply))

    def run(self, seconds: float) -> None:
        """Let time pass, without a gap."""
        until = self.clock.mono + round(seconds * NS)
        while True:
            upcoming = min(self._due, self._replies[0][0]) if self._replies else self._due
            if upcoming > until:
                break
            self.clock.pass_(max(0, upcoming - self.clock.mono))
            self.turn()
        self.clock.pass_(until - self.clock.mono)

    def turn(self, *, events_first: bool = True) -> None:
        """One turn of the event loop: what has arrived, and a tick."""
        if events_first:
            self._deliver()
        if self._due <= self.clock.mono:
            self._due = self.measure.tick()
        if not events_first:
            self._deliver()

    def _deliver(self) -> None:
        if self._replies and self._replies[0][0] <= self.clock.mono:
            self.measure.woken()
        while self._replies and self._replies[0][0] <= self.clock.mono:
            _, _, call, reply = heappop(self._replies)
            call.end(reply)

    def run_to(self, second: int, within: int = 100_000) -> None:
        """Let time pass until the UTC second `second` begins."""
        self.run(max(0, second * NS - self.clock.real) / NS)
        assert self.second == second, within

    # what came of it

    def closed(self, service: str = "bird") -> list[Closed]:
        return self.told.seconds.get(service, [])

    def at(self, second: int, service: str = "bird") -> Closed:
        (found,) = [c for c in self.closed(service) if c.second <= second < c.second + c.span]
        return found

    def verdicts(self, first: int, last: int, service: str = "bird") -> list[tuple[Verdict, str]]:
        """(verdict, reason) of the service's seconds `first` to `last`, T0 being 0."""
        cells = [self.at(T0 + n, service).service for n in range(first, last + 1)]
        return [(cell.verdict, cell.reason) for cell in cells]

    def in_order(self, service: str = "bird") -> bool:
        """Every second has closed once, in its order, none left out (invariant 1)."""
        seconds = self.closed(service)
        return all(b.second == a.second + a.span for a, b in pairwise(seconds))


def faults(cell: Cell) -> dict[Fault, int]:
    return dict(cell.faults)
