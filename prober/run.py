"""`prober run`: the one place that wires. This process measures, decides and writes; its child serves (DESIGN.md, "Processes").

Start: configuration, store lock, migration, state, bind, gap recorded, grid, pending acts, READY. Stop: no new calls, 2 s for
open ones, commit, 5 s for deliveries, exit 0. Reload: all or nothing, at a second's boundary.
"""

import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
from collections.abc import Coroutine, Mapping
from typing import Any

import uvloop

from prober import config, logs
from prober.child import Child
from prober.config import Loaded
from prober.errors import ProberError
from prober.link import Message
from prober.listen import listen_on
from prober.measure import lanes as lanes_of
from prober.measure.clock import NS, Clock, SystemClock
from prober.measure.keeper import Keeper
from prober.measure.lanes import Lanes
from prober.measure.measure import Measure
from prober.measure.plan import Plan
from prober.measure.ring import Layout
from prober.measure.services import enricher, plan_of, rule_of
from prober.measure.station import Change, Station
from prober.probes.build import Engines
from prober.probes.reactor import Reactor
from prober.probes.resolve import Resolver
from prober.redact import Redactor
from prober.sdnotify import Notifier
from prober.store import IncidentHead, Memory, PendingAct, Reader, SeriesKey, Store, Writer, locate
from rules.timeline import Run

log = logs.get("run")

#: Seconds for open calls, and for deliveries, when we are told to stop.
CALLS_GRACE, DELIVERIES_GRACE = 2.0, 5.5
#: The part of the descriptors that calls may take (DESIGN.md, "Own machine").
_DESCRIPTORS = 0.8
#: Seconds that the address may still be held by the serving process of a predecessor that was killed.
_PREDECESSOR = 5.0
_ALL = 1 << 40  # seconds; a reader stops at the last closed one


def descriptors() -> int:
    """How many calls may be in flight: 0.8 of the descriptors, after asking for as many as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard or soft == resource.RLIM_INFINITY:
        wanted = 1_048_576 if hard == resource.RLIM_INFINITY else hard
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return max(1, int(soft * _DESCRIPTORS))


def run(loaded: Loaded) -> int:
    """Run until SIGTERM or SIGINT. Raises ProberError for what keeps the program from starting."""
    handler = logs.setup(Redactor.of(loaded.settings), threaded=True)
    child: Child | None = None
    try:
        store = Store.open(locate(loaded.settings.store, loaded.base))
        try:
            sock = listen_on(loaded.settings.listen, _PREDECESSOR)
            program = Program(loaded, store, sock, handler)
            child = program.child
            child.spawn()
        except BaseException:
            store.close()
            raise
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(program.main())
    except BaseException:
        if child is not None:
            child.kill()
        raise
    finally:
        handler.close()
    return 0


class Program:
    """The running program: one configuration at a time, and all that it needs."""

    def __init__(
        self,
        loaded: Loaded,
        store: Store,
        listen: socket.socket,
        handler: logs.Handler,
        clock: Clock | None = None,
    ) -> None:
        self._loaded = loaded
        self._store = store
        self._handler = handler
        self._listen = listen
        self._address = "{}:{}".format(*listen.getsockname()[:2])
        self._clock = clock or SystemClock()
        self._notifier = Notifier()
        self.child = Child(listen, self._take, self._hello)
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._reloading = asyncio.Lock()
        self._waiting: asyncio.TimerHandle | None = None
        self._ticked = 0  # UTC second of the newest station tick
        self._redactor = Redactor.of(loaded.settings)

    # the start

    async def main(self) -> None:
        """Measure until told to stop."""
        loop = self._loop = asyncio.get_running_loop()
        settings = self._loaded.settings
        self._memories, pending = self._store.load(), self._store.pending()
        self._writer = Writer(self._store, redact=self._redacted)
        self._station = Station(loop, self._writer, self.child.send)
        self._reactor = Reactor(loop)
        self._engines = Engines(loop, self._reactor, Resolver(loop, settings.nameservers), self._redactor.text)
        self._measure = Measure(self._clock, self._station, descriptors=descriptors())
        self._reactor.on_wake = self._measure.woken
        self._station.measure = self._measure
        self._lanes = lanes_of.build(settings, self._engines)
        self._plan = Plan.of(self._lanes.services, self._lanes.controls)
        incidents = self._incidents()
        for layout in self._plan.layouts:
            self._begin(self._loaded, layout, self._memories.get(layout.service), incidents)
        self._take_up(pending, incidents)
        self._writer.start()
        await self.child.attach()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_signal_handler(signal.SIGINT, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        self._measure.adopt(self._plan, _closed(self._memories))
        gc.collect()
        gc.freeze()
        self._wake()
        self._notifier.ready(f"measuring {len(self._lanes.all())} endpoints; {self._address}")
        log.info(
            "measuring",
            extra=logs.fields(
                endpoints=len(self._lanes.all()), controls=len(self._lanes.controls), listen=self._address
            ),
        )
        await self._stop.wait()
        await self._end()

    def _redacted(self, value: Any) -> Any:
        """Without secrets, by the configuration of now."""
        return self._redactor.value(value)

    def _incidents(self) -> list[IncidentHead]:
        with contextlib.closing(Reader(self._store.path)) as reader:
            return list(reader.incidents())

    def _begin(self, loaded: Loaded, layout: Layout, memory: Memory | None, incidents: list[IncidentHead]) -> None:
        """Keep a service, from what the store knows of it."""
        settings, name = loaded.settings, layout.service
        plan = plan_of(settings, name, loaded.base)
        keeper = self._station.keepers[name] = Keeper(
            layout,
            plan,
            rule_of(settings.services[name]),
            enricher(settings, name, self._station.evidence, self._measure, Redactor.of(settings)),
            memory or Memory(name),
            self._history,
            [head for head in incidents if head.service == name and head.closed is None],
        )
        self._station.carry_out(name, keeper.replan(plan, self._clock.realtime()))

    def _history(self, key: SeriesKey, since: int) -> list[Run]:
        with contextlib.closing(Reader(self._store.path)) as reader:
            return list(reader.runs(key, since, _ALL))

    def _take_up(self, pending: tuple[PendingAct, ...], incidents: list[IncidentHead]) -> None:
        """Acts that were not done before the restart are carried on with."""
        services = {head.id: head.service for head in incidents}
        for one in pending:
            earlier = [{"receiver": a.receiver, "outcome": a.outcome.value, "at": a.at} for a in one.attempts]
            self._station.adopt_pending(one.act, services.get(one.act.incident, ""), earlier)

    # the pace

    def _wake(self) -> None:
        """One tick, and the next one when it is due. The loop's timers count milliseconds: never two within one."""
        due = 0
        try:
            due = self._measure.tick()
            second = self._measure.utc() // NS
            if second != self._ticked:
                self._ticked = second
                self._reactor.sweep(self._clock.monotonic())
                self._station.tick()
                self._notifier.watchdog()
        except Exception:  # a defect of ours must not end the measuring; it is told of, and the next tick comes
            log.exception("a tick failed")
        wait = max(0.001, (due - self._clock.monotonic()) / NS)
        self._waiting = self._loop.call_later(wait, self._wake)

    # what serve says

    def _hello(self) -> None:
        """A serving process waits for the configuration and for the acts that are not done."""
        self.child.send(self._setup())
        self._station.resend()

    def _setup(self) -> Message:
        board = self._plan.board
        return {
            "type": "setup",
            "raw": self._loaded.raw,
            "base": str(self._loaded.base),
            "board": board.path,
            "keys": [[*key[:3], key[3].value] for key in board.keys],
            "listen": self._address,
            "pid": os.getpid(),
        }

    def _take(self, message: Message) -> None:
        station = self._station
        match message["type"]:
            case "ready":
                log.info("serving", extra=logs.fields(address=f"http://{self._address}/", pid=self.child.pid))
            case "started":
                station.started(message)
            case "attempt":
                station.attempted(message)
            case "entry":
                station.entered(message)
            case "purge":
                station.purge(message)
            case "certificate":
                station.certificate(message)
            case "reload":
                self._spawn(self._reload(message.get("id")))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # reload

    def _hang_up(self) -> None:
        self._spawn(self._reload(None))

    async def _reload(self, request: object) -> None:
        """Read the configuration anew; take all of it, or none."""
        async with self._reloading:
            self._notifier.reloading()
            errors: list[str] = []
            try:
                await self._adopt(*await self._loop.run_in_executor(None, self._read_again))
            except (ProberError, OSError, ValueError) as error:
                errors = str(error).splitlines() or [repr(error)]
                for line in errors:
                    log.error("the configuration was not reloaded", extra=logs.fields(error=line))
            else:
                log.info("the configuration was reloaded", extra=logs.fields(endpoints=len(self._lanes.all())))
            self._notifier.ready()
            self.child.send({"type": "reloaded", "id": request, "ok": not errors, "errors": errors})

    def _read_again(self) -> tuple[Loaded, Lanes, Plan]:
        """In a thread: all that can fail, before anything changes."""
        loaded = config.load(self._loaded.path)
        old, new = self._loaded.settings, loaded.settings
        if new.listen != old.listen or locate(new.store, loaded.base) != locate(old.store, self._loaded.base):
            raise ProberError("`store` and `listen` cannot change while the program runs; restart it instead")
        for name, service in new.services.items():
            plan_of(new, name, loaded.base)
            rule_of(service)
        lanes = lanes_of.build(new, self._engines.like(Redactor.of(new).text))
        return loaded, lanes, Plan.of(lanes.services, lanes.controls)

    async def _adopt(self, loaded: Loaded, lanes: Lanes, plan: Plan) -> None:
        """From the next second on. Open calls keep their settings."""
        station, settings = self._station, loaded.settings
        lanes_of.inherit(lanes, self._lanes)
        incidents = self._incidents()
        memories = {}
        for layout in plan.layouts:
            name = layout.service
            if name in station.keepers:
                enrich = enricher(settings, name, station.evidence, self._measure, Redactor.of(settings))
                rule = rule_of(settings.services[name])
                station.changes[name] = Change(layout, plan_of(settings, name, loaded.base), rule, enrich)
            else:
                gone = station.gone.pop(name, None)
                memories[name] = gone.memory() if gone is not None else self._memories.get(name, Memory(name))
                self._begin(loaded, layout, memories[name], incidents)
        installed: asyncio.Future[None] = self._loop.create_future()
        station.on_installed = lambda _plan: installed.set_result(None)
        self._measure.adopt(plan, _closed(memories))
        await installed
        station.on_installed = lambda _plan: None
        self._loaded, self._lanes, self._plan = loaded, lanes, plan
        self._redactor = Redactor.of(settings)
        self._handler.redact(self._redactor)
        self.child.send(self._setup())

    # the end

    async def _end(self) -> None:
        """No new calls, 2 s for the open ones, what is decided on disk, 5 s for deliveries."""
        self._notifier.stopping()
        log.info("stopping")
        self._measure.stop()
        until = self._loop.time() + CALLS_GRACE
        while self._measure.open_calls and self._loop.time() < until:  # noqa: ASYNC110 - calls end in many places
            await asyncio.sleep(0.02)
        if self._waiting is not None:
            self._waiting.cancel()
        self._measure.cancel()
        await self.child.stop(DELIVERIES_GRACE)
        for task in self._tasks:
            task.cancel()
        if not await self._loop.run_in_executor(None, self._writer.stop):
            log.error("not everything could be written down", extra=logs.fields(error=self._writer.health().last_error))
        self._engines.close()
        self._listen.close()
        log.info("stopped")


def _closed(memories: Mapping[str, Memory]) -> dict[str, int]:
    return {name: memory.closed for name, memory in memories.items() if memory.closed is not None}
