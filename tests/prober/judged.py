"""A whole service on a moved clock: the loop of `moved`, a keeper, a station, a real store and a serving process that listens.

`Judged` is what `prober run` wires, without processes, sockets and time.
"""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

from moved import T0, World
from recording import until

from prober.link import Message
from prober.measure.clock import NS
from prober.measure.keeper import Keeper
from prober.measure.lane import Lane
from prober.measure.measure import Measure
from prober.measure.plan import Plan
from prober.measure.station import Change, Station
from prober.packs import load
from prober.store import IncidentHead, Memory, Reader, SeriesKey, Store, Transaction, Writer
from rules.acts import Act
from rules.incident import Mode
from rules.incident import Plan as IncidentPlan
from rules.model import Cell
from rules.persistence import Rule
from rules.timeline import Run

RULE = Rule(for_=10, recovered_after=12)


def incident_plan(service: str = "bird", mode: Mode = Mode.ACT) -> IncidentPlan:
    names = ("tickets.email-1",), ("hotline.webhook-1",), ("on_call.webhook-1",)
    return IncidentPlan(service, service.title(), load("bird-email-enterprise", Path()), mode, *names)


def same(act: Act) -> Act:
    return act


class Loop:
    """The part of an event loop that the station uses: what the writer's thread asks for is done in `run`."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], object]] = []
        self.closed = False

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: object) -> None:
        if self.closed:
            raise RuntimeError("the loop is closed")
        self.waiting.append(lambda: callback(*args))

    def call_soon(self, callback: Callable[[], object]) -> None:
        self.waiting.append(callback)

    def run(self) -> None:
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            call()


class Judged(World):
    """A measuring process over the store at `path`. `sent` are the messages to the serving process, in order."""

    def __init__(self, path: Path, *, utc: int = T0 * NS, rule: Rule = RULE) -> None:
        self.path = path
        self.rule = rule
        self.loop = Loop()
        self.store = Store.open(path)
        self.memories = self.store.load()
        self.writer = Writer(self.store)
        self.sent: list[Message] = []
        self.station = Station(cast("asyncio.AbstractEventLoop", self.loop), self.writer, self.sent.append)
        super().__init__(utc=utc)
        self.measure = Measure(self.clock, self.station, descriptors=1_000_000)
        self.station.measure = self.measure
        self.station.on_installed = lambda _plan: None
        self.started = False
        self.accepted: set[str] = set()  # keys of the acts that a test has had accepted

    # what run.py wires

    def begin(self, *lanes: Lane, controls: Iterable[Lane] = (), mode: Mode = Mode.ACT) -> Plan:
        """The start."""
        plan = self.plan(lanes, controls)
        heads = self.heads()
        for layout in plan.layouts:
            name = layout.service
            keeper = Keeper(
                layout,
                incident_plan(name, mode),
                self.rule,
                same,
                self.memories.get(name, Memory(name)),
                self.store.runs,
                [head for head in heads if head.service == name and head.closed is None],
            )
            self.station.keepers[name] = keeper
            self.station.carry_out(keeper, keeper.resume(incident_plan(name, mode), self.clock.real))
        services = {head.id: head.service for head in heads}
        for one in self.store.pending():
            earlier = [{"receiver": a.receiver, "outcome": a.outcome.value, "at": a.at} for a in one.attempts]
            self.station.errands.recorded(one.act, services[one.act.incident], earlier)
        self.writer.start()
        self.started = True
        self.measure.adopt(plan, {n: m.closed for n, m in self.memories.items() if m.closed is not None})
        self._due = 0
        return plan

    def reload(self, *lanes: Lane, controls: Iterable[Lane] = (), mode: Mode = Mode.ACT) -> Plan:
        plan = self.plan(lanes, controls)
        closed: dict[str, int] = {}
        for layout in plan.layouts:
            name = layout.service
            if name in self.station.keepers:
                self.station.change(name, Change(layout, incident_plan(name, mode), self.rule, same))
                continue
            left = self.station.gone.pop(name, None)
            memory, heads = (left.memory(), left.heads) if left else (Memory(name), ())
            keeper = Keeper(layout, incident_plan(name, mode), self.rule, same, memory, lambda _k, _s: [], heads)
            self.station.keepers[name] = keeper
            self.station.carry_out(keeper, keeper.resume(incident_plan(name, mode), self.clock.real))
            if memory.closed is not None:
                closed[name] = memory.closed
        self.measure.adopt(plan, closed)
        self._due = 0
        return plan

    def turn(self, *, events_first: bool = True) -> None:
        before = self.second
        super().turn(events_first=events_first)
        if self.second != getattr(self, "_ticked", None):
            self._ticked = before
            self.station.tick()
        self.loop.run()

    def settle(self) -> None:
        """Let the writer put everything on disk, and hand over what waited for that."""
        done: list[object] = []
        self.writer.submit(Transaction(), done.append)
        until(lambda: bool(done))
        self.loop.run()

    def end(self) -> None:
        """The program ends, as on SIGTERM."""
        self.measure.stop()
        self.measure.cancel()
        self.station.end()
        if self.started:
            assert self.writer.stop(), self.writer.health()
            self.started = False
        else:
            self.store.close()
        self.loop.run()

    # what came of it

    def messages(self, kind: str) -> list[Message]:
        return [m for m in self.sent if m["type"] == kind]

    def acts(self) -> list[tuple[str, str]]:
        """(kind, step) of the acts handed over, in order."""
        self.settle()
        return [(m["act"]["kind"], m["act"]["step"]) for m in self.messages("act")]

    def heads(self) -> list[IncidentHead]:
        if self.started:
            self.settle()
        with Reader(self.path) as reader:
            return list(reader.incidents())

    def stored(self, key: SeriesKey) -> list[tuple[int, Cell]]:
        with Reader(self.path) as reader:
            return list(reader.seconds(key, 0, 1 << 40))

    def runs(self, key: SeriesKey) -> list[Run]:
        with Reader(self.path) as reader:
            return list(reader.runs(key, 0, 1 << 40))
