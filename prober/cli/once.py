"""`prober once`: each endpoint called once, and how it went: phases, fault, reason, certificate, addresses."""

import argparse
import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prober import config, vendors
from prober.cli import once_text
from prober.errors import Exit, ProberError
from prober.measure.lanes import CONTROL_TIMEOUT
from prober.probes.build import Engines
from prober.probes.once import Callee, Once, call_once
from prober.probes.reactor import Reactor
from prober.probes.resolve import Resolver
from prober.redact import Redactor
from prober.settings import Settings
from rules import suspicion
from rules.faults import classify
from rules.model import Fault, Finding

_AT_ONCE = 50  # calls of endpoints
_CONTROL_EVERY = 1.0  # seconds
_FOREVER = 2**63  # ns: past every farewell and every window


@dataclass(frozen=True, slots=True)
class Called:
    """One call and what is to be said of it. A control has no service and no channel."""

    service: str
    channel: str
    endpoint: str
    once: Once
    finding: Finding

    @property
    def ok(self) -> bool:
        return self.finding.fault is Fault.NONE


@dataclass(frozen=True, slots=True)
class _Task:
    service: str
    channel: str
    endpoint: str
    callee: Callee
    vendor: str
    timeout: float  # seconds


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", type=Path, help="the configuration file")
    parser.add_argument(
        "--format",
        choices=("table", "jsonl"),
        default="table",
        help="default: a table for a terminal, plain text for a pipe",
    )
    parser.add_argument("--verbose", action="store_true", help="show what went over the wire in a failed call")
    parser.epilog = (
        "An SMTP endpoint of depth `data` is sent a mail. Exit status: 0 when all of the services' endpoints succeeded,"
        " else 1."
    )


def run(args: argparse.Namespace) -> int:
    loaded = config.load(args.config)
    redactor = Redactor.of(loaded.settings)
    with asyncio.Runner(loop_factory=_loop) as runner:
        results, controls = runner.run(call_all(loaded.settings, redactor))
    if args.format == "jsonl":
        for result in (*results, *controls):
            facts = redactor.value(once_text.facts(result, verbose=args.verbose))
            print(json.dumps(facts, ensure_ascii=False))
    else:
        once_text.show(results, controls, redactor.text, verbose=args.verbose)
    return Exit.OK if all(result.ok for result in results) else Exit.FAILED


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()


async def call_all(settings: Settings, redactor: Redactor) -> tuple[list[Called], list[Called]]:
    """Call every endpoint and every control once: endpoints, controls. Raises ProberError for what cannot be called.

    A suspicion is held against the controls as in `run`; for that they are called every second while calls are made.
    """
    loop = asyncio.get_running_loop()
    engines = Engines(loop, Reactor(loop), Resolver(loop, settings.nameservers), redactor.text)
    try:
        return await _Round(engines).all(list(_endpoints(settings)), list(_controls(settings)))
    finally:
        engines.reactor.sweep(_FOREVER)
        engines.close()


def _endpoints(settings: Settings) -> Iterator[_Task]:
    for name, service in settings.services.items():
        for channel, endpoints in (("api", service.channels.api), ("smtp", service.channels.smtp)):
            for endpoint in endpoints:
                seconds = (endpoint.timeout or service.timeout) / 1000
                yield _Task(name, channel, endpoint.name, endpoint, endpoint.vendor, seconds)


def _controls(settings: Settings) -> Iterator[_Task]:
    for control in settings.controls:
        yield _Task("", "", control.name, control, "generic", CONTROL_TIMEOUT / 1e9)


class _Round:
    """All calls of one `once`."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._successes: list[int] = []  # of controls, UTC ns

    async def all(self, endpoints: Sequence[_Task], controls: Sequence[_Task]) -> tuple[list[Called], list[Called]]:
        checks = [asyncio.create_task(self._control(task)) for task in controls]
        calls = [asyncio.create_task(self._endpoint(task)) for task in endpoints]
        watches = [asyncio.create_task(self._watch(task, check)) for task, check in zip(controls, checks, strict=True)]
        try:
            first, called = await asyncio.gather(*checks), await asyncio.gather(*calls)
            if any(each.finding.suspected for each in called):
                await asyncio.gather(*(self._control(task) for task in controls))
        finally:  # one that cannot be made ends the others
            for task in (*checks, *calls, *watches):
                task.cancel()
            await asyncio.gather(*checks, *calls, *watches, return_exceptions=True)
        return [self._settled(each, bool(controls)) for each in called], first

    async def _endpoint(self, task: _Task) -> Called:
        async with self._places:
            return await self._call(task)

    async def _watch(self, task: _Task, check: asyncio.Task[Called]) -> None:
        """Calls a control every second, as `run` does: a silence is held against its begin and its end alike."""
        await check
        while True:
            await asyncio.sleep(_CONTROL_EVERY)
            await self._control(task)

    async def _control(self, task: _Task) -> Called:
        """Controls wait for no place: one that stood in the queue of a hundred endpoints would come too late."""
        called = await self._call(task)
        if called.ok:
            self._successes.append(called.once.observation.ended)
        return called

    async def _call(self, task: _Task) -> Called:
        try:
            once = await call_once(self._engines, task.callee, task.timeout)
        except (OSError, ValueError) as error:  # its files have changed since they were checked
            raise ProberError(f"{task.endpoint} cannot be called: {error}") from error
        finding = classify(once.observation, vendor=vendors.load(task.vendor))
        return Called(task.service, task.channel, task.endpoint, once, finding)

    def _settled(self, called: Called, controlled: bool) -> Called:
        if not called.finding.suspected:
            return called
        settlement = None
        if controlled:
            seen = called.once.observation
            instants = suspicion.instants(seen.trouble, seen.begun, seen.ended)
            settlement = suspicion.settle(instants, sorted(self._successes), _FOREVER)
        finding = suspicion.resolve(called.finding, settlement)
        return Called(called.service, called.channel, called.endpoint, called.once, finding)
