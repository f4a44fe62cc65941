"""`prober run`: the one place that wires. This process measures, decides and writes; its child serves (DESIGN.md, "Processes").

Start: configuration, store lock, migration, state, bind, gap recorded, grid, pending acts, READY. Stop: no new calls, 2 s for
open ones, commit, 5 s for deliveries, exit 0. Reload: all or nothing, at a second's boundary.
"""

import asyncio
import contextlib
import gc
import os
import socket
from collections.abc import Coroutine
from typing import Any

import uvloop

from prober import config, logs
from prober.child import Child
from prober.config import Loaded
from prober.errors import ProberError
from prober.held import Held
from prober.link import Message
from prober.listen import StartError, listen_on
from prober.measure import lanes as lanes_of
from prober.measure.clock import NS, SystemClock
from prober.measure.lanes import Lanes
from prober.measure.measure import Measure
from prober.measure.outside import Outside, windows_of
from prober.measure.plan import Plan
from prober.measure.resume import Keeping, take_up
from prober.measure.services import plan_of, rule_of
from prober.measure.station import Station
from prober.probes.build import Engines
from prober.probes.reactor import Reactor
from prober.probes.resolve import QUESTION_TIMEOUT, Resolver
from prober.process import descriptors, let_in, room_for_more
from prober.redact import Redactor
from prober.sdnotify import Notifier
from prober.store import IncidentHead, Memory, Reader, Store, Writer, locate
from rules.maintenance import Windows

log = logs.get("run")

#: Seconds for open calls, and for deliveries, when we are told to stop.
CALLS_GRACE, DELIVERIES_GRACE = 2.0, 5.5
#: Calls leave no cycles to the garbage collector. By its defaults it would look through the ten thousand open connections and
#: calls once a second all the same, 0.1 s each time, while nothing begins.
_GC = (100_000, 50, 100)
#: Seconds that the address may still be held by the serving process of a predecessor that was killed.
_PREDECESSOR = 5.0
#: Seconds after which a tick that failed by a defect of ours is followed by the next.
_AFTER_DEFECT = 0.05


def run(loaded: Loaded, held: Held | None = None) -> int:
    """Run until SIGTERM or SIGINT; `held` are signals that came before. Raises ProberError for what keeps it from starting."""
    held = held or Held()
    in_flight = descriptors()
    handler = logs.setup(Redactor.of(loaded.settings), threaded=True)
    try:
        with contextlib.ExitStack() as undo:
            store = Store.open(locate(loaded.settings.store, loaded.base))
            undo.callback(store.close)
            sock = undo.enter_context(listen_on(loaded.settings.listen, _PREDECESSOR))
            if held.stop:  # while this was loaded, the store brought up to date, the address waited for
                return 0
            program = Program(loaded, store, sock, handler, in_flight)
            let_in()
            with room_for_more():
                program.child.spawn()
                undo.callback(program.child.kill)
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runner.run(program.main(held))
            undo.pop_all()  # the program has put all of it away itself
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
        in_flight: int,
    ) -> None:
        self._loaded = loaded
        self._in_flight = in_flight
        self._store = store
        self._handler = handler
        self._listen = listen
        host, port = listen.getsockname()[:2]
        self._address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._clock = SystemClock()
        self._notifier = Notifier()
        self.child = Child(listen, self._take, self._hello)
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._reloading = asyncio.Lock()
        self._waiting: asyncio.Handle | None = None
        self._ticked = 0  # UTC second of the newest station tick
        self._left: dict[str, Memory] = {}  # services that were no longer configured when we started
        self._redactor = Redactor.of(loaded.settings)

    # the start

    async def main(self, held: Held) -> None:
        """Measure until told to stop. Raises ProberError for what keeps the program from starting."""
        loop = self._loop = asyncio.get_running_loop()
        held.stops(loop, self._stop.set)
        settings = self._loaded.settings
        self._writer = Writer(self._store, redact=self._redacted)
        self._station = Station(loop, self._writer, self.child.send)
        self._outside = Outside(self._station, self._writer, self._clock.realtime)
        self._outside.configured(settings, windows_of(settings, self._clock.realtime() // NS))
        self._reactor = Reactor(loop)
        self._engines = Engines(loop, self._reactor, Resolver(loop, settings.nameservers), self._redactor.text)
        self._measure = Measure(self._clock, self._station, descriptors=self._in_flight)
        self._reactor.on_wake = self._measure.woken
        self._station.measure = self._measure
        try:
            self._lanes = lanes_of.build(settings, self._engines)
        except (OSError, ValueError) as error:
            raise StartError(f"an endpoint cannot be called as configured: {error}") from error
        self._plan = Plan.of(self._lanes.services, self._lanes.controls)
        closed = self._remember()
        self._writer.start()
        await self.child.attach()
        self._measure.adopt(self._plan, closed)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC)
        self._wake()
        self._spawn(self._outside.look_ahead())
        self._notifier.ready(self._status())
        log.info(
            "measuring",
            extra=logs.fields(
                endpoints=len(self._lanes.all()), controls=len(self._lanes.controls), listen=self._address
            ),
        )
        held.reloads(loop, self._hang_up)  # not before: a reload changes what stands
        await self._stop.wait()
        await self._end()

    def _redacted(self, value: Any) -> Any:
        """Without secrets, by the configuration of now."""
        return self._redactor.value(value)

    def _remember(self) -> dict[str, int]:
        """Go on with what the store knows; answers the services' last closed seconds."""
        memories, pending = self._store.load(), self._store.pending()
        self._outside.remember(memories.pop("", Memory("")).states)
        with Reader(self._store.path) as reader:
            heads = list(reader.incidents())
        keeping = Keeping(self._loaded, self._redactor, self._station, self._measure)
        now = self._clock.realtime()
        for layout in self._plan.layouts:
            name = layout.service
            keeping.begin(layout, memories.get(name, Memory(name)), _open(heads, name), self._store, now)
        for name in memories.keys() - self._station.keepers.keys():
            self._left[name] = keeping.leave(memories[name], _open(heads, name), self._writer)
        take_up(self._station, pending, {head.id: head.service for head in heads})
        return {name: memory.closed for name, memory in memories.items() if memory.closed is not None}

    # the pace

    def _wake(self) -> None:
        """One tick, and the next one when it is due.

        The loop's timers count milliseconds: never two within one, unless we are behind; then the replies have but one turn.
        """
        due = self._clock.monotonic() + round(_AFTER_DEFECT * NS)
        try:
            due = self._measure.tick()
            second = self._measure.utc() // NS
            if second != self._ticked:
                self._ticked = second
                self._reactor.sweep(self._clock.monotonic())
                self._outside.tick(second)
                self._station.tick()
                self._notifier.watchdog()
        except Exception:  # a defect of ours must not end the measuring; it is told of, and the next tick comes
            log.exception("a tick failed")
        wait = (due - self._clock.monotonic()) / NS
        if wait <= 0:
            self._waiting = self._loop.call_soon(self._wake)
        else:
            self._waiting = self._loop.call_later(max(0.001, wait), self._wake)

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
            "mailboxes": self._outside.positions,
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
            case "figures":
                station.added_up(message)
            case "certificate":
                station.certificate(message)
            case "reply":
                self._outside.replied(message)
            case "mailbox":
                self._outside.mailbox(message)
            case "vendor_status":
                self._outside.vendor_status(message)
            case "reload":
                self._spawn(self._reload(message.get("id")))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # reload

    def _status(self) -> str:
        """The line of `systemctl status`."""
        return f"measuring {len(self._lanes.all())} endpoints; {self._address}"

    def _hang_up(self) -> None:
        self._spawn(self._reload(None))

    async def _reload(self, request: object) -> None:
        """Read the configuration anew; take all of it, or none."""
        async with self._reloading:
            self._notifier.reloading()
            errors: list[str] = []
            try:
                await self._adopt(*await self._loop.run_in_executor(None, self._read_again))
            except (ProberError, OSError, ValueError, RuntimeError) as error:  # the last: no thread for it can be had
                errors = str(error).splitlines() or [repr(error)]
                for line in errors:
                    log.error("the configuration was not reloaded", extra=logs.fields(error=line))
            else:
                log.info("the configuration was reloaded", extra=logs.fields(endpoints=len(self._lanes.all())))
            self._notifier.ready(self._status())
            self.child.send({"type": "reloaded", "id": request, "ok": not errors, "errors": errors})

    def _read_again(self) -> tuple[Loaded, Redactor, Engines, Lanes, dict[str, Windows]]:
        """In a thread: all that can fail, before anything changes."""
        # By its whole name: the working directory may have been renamed, or be gone.
        loaded = config.load(self._loaded.base / self._loaded.path.name)
        old, new = self._loaded.settings, loaded.settings
        if new.listen != old.listen:
            raise ProberError(
                f"{loaded.path}: listen: cannot change while the program runs (it is {old.listen}); restart it"
            )
        if locate(new.store, loaded.base) != locate(old.store, self._loaded.base):
            raise ProberError(
                f"{loaded.path}: store: cannot change while the program runs (it is {old.store}); restart it"
            )
        for name, service in new.services.items():
            plan_of(new, name, loaded.base)
            rule_of(service)
        engines = self._engines.like(Redactor.of(new).text)
        if new.nameservers != old.nameservers:
            engines.resolver = Resolver(self._loop, new.nameservers)
        windows = windows_of(new, self._clock.realtime() // NS)
        return loaded, Redactor.of(old, new), engines, lanes_of.build(new, engines), windows

    async def _adopt(
        self, loaded: Loaded, redactor: Redactor, engines: Engines, lanes: Lanes, windows: dict[str, Windows]
    ) -> None:
        """From the next second on. Open calls keep their settings; `redactor` knows their secrets too."""
        station, settings = self._station, loaded.settings
        self._redactor = redactor
        self._handler.redact(self._redactor)
        plan = Plan.of(lanes.services, lanes.controls)
        keeping = Keeping(loaded, self._redactor, station, self._measure)
        changes = {layout.service: keeping.change(layout) for layout in plan.layouts}
        lanes_of.inherit(lanes, self._lanes)
        closed: dict[str, int] = {}
        for layout in plan.layouts:
            name = layout.service
            if name in station.keepers:
                station.change(name, changes[name])
                continue
            left, known = station.gone.pop(name, None), self._left.pop(name, Memory(name))
            memory, heads = (left.memory(), left.heads) if left is not None else (known, ())
            keeping.begin(layout, memory, heads, None, self._clock.realtime())
            if memory.closed is not None:
                closed[name] = memory.closed
        installed: asyncio.Future[None] = self._loop.create_future()
        station.on_installed = lambda _plan: installed.set_result(None)
        self._measure.adopt(plan, closed)
        await installed
        station.on_installed = lambda _plan: None
        self._outside.configured(settings, windows)
        board, resolver = self._plan.board, self._engines.resolver
        self._loaded, self._engines, self._lanes, self._plan = loaded, engines, lanes, plan
        self.child.send(self._setup())
        board.close()
        if engines.resolver is not resolver:  # open calls may still wait for its answers
            self._loop.call_later(2 * QUESTION_TIMEOUT, resolver.close)

    # the end

    async def _end(self) -> None:
        """No new calls, 2 s for the open ones, what is decided on disk, 5 s for deliveries."""
        self._notifier.stopping()
        log.info("stopping")
        self.child.leave()
        self._measure.stop()
        until = self._loop.time() + CALLS_GRACE
        while self._measure.open_calls and self._loop.time() < until:  # noqa: ASYNC110 - calls end in many places
            await asyncio.sleep(0.02)
        if self._waiting is not None:
            self._waiting.cancel()
        self._measure.cancel()
        self._station.end()
        await self.child.stop(DELIVERIES_GRACE)
        for task in tuple(self._tasks):
            task.cancel()
        if not await self._loop.run_in_executor(None, self._writer.stop):
            log.error("not everything could be written down", extra=logs.fields(error=self._writer.health().last_error))
        self._engines.close()
        self._plan.board.close()
        self._listen.close()
        self._notifier.close()
        log.info("stopped")


def _open(heads: list[IncidentHead], service: str) -> list[IncidentHead]:
    """A service's incidents that are not closed."""
    return [head for head in heads if head.service == service and head.closed is None]
