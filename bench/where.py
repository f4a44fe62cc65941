"""Where a call's time goes: the same fresh plain HTTP call with pieces taken out, and what each piece costs alone.

- kernel: the system part of the whole program's CPU at its rate.
- parser: httptools on the response's bytes, with callbacks that do nothing.
- conversation: the HTTP conversation on the same bytes, sent nowhere, without the parser.
- wire: user time of the engine's calls at the same rate, begun by a bare timer, without the two above: sockets, epoll, uvloop's
  wake-ups, connection, transcript, stamps.
- pace to metrics: user time of the whole program without all that: due calls, deadlines, judging, figures, seconds, the link to
  the serving process, the writer.
"""

import asyncio
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import httptools
import uvloop

from bench import program
from bench.callers import spent
from bench.calls import Ours, ground
from bench.meters import Take, rounds
from bench.settings import Settings
from bench.table import Row
from prober.probes.call import Call
from prober.probes.conversation import Step
from prober.probes.expectation import Expectation
from prober.probes.http import HttpPlan
from prober.probes.reactor import Reactor
from prober.probes.resolve import Resolver
from prober.probes.target import Target
from prober.probes.wire import WireProbe
from rules.model import Kind

MICRO = 1e6
_ROUNDS = 3


class _Deaf:
    """Callbacks of httptools that do nothing."""

    def on_status(self, status: bytes) -> None: ...
    def on_header(self, name: bytes, value: bytes) -> None: ...
    def on_headers_complete(self) -> None: ...
    def on_body(self, data: bytes) -> None: ...
    def on_message_complete(self) -> None: ...


def plan(port: int) -> HttpPlan:
    """The request that the program sends to a plain endpoint."""
    expectation = Expectation(frozenset(range(200, 300)))
    return HttpPlan.build("GET", "/", f"127.0.0.1:{port}", {}, None, expectation)


def response(port: int) -> bytes:
    """What the server answers."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(plan(port).request)
        return b"".join(iter(partial(sock.recv, 65536), b""))


def timed(work: Callable[[], None], times: int) -> tuple[float, float]:
    """(user, system) CPU of `work`, µs, the median of some rounds."""
    found: list[tuple[float, float]] = []
    for _ in range(_ROUNDS):
        before = spent()
        for _ in range(times):
            work()
        after = spent()
        found.append(((after[0] - before[0]) / times * MICRO, (after[1] - before[1]) / times * MICRO))
    return statistics.median(user for user, _ in found), statistics.median(system for _, system in found)


def parser(answer: bytes) -> Callable[[], None]:
    """Parsing alone."""
    deaf = _Deaf()

    def work() -> None:
        httptools.HttpResponseParser(deaf).feed_data(answer)

    return work


def conversation(answer: bytes, given: HttpPlan) -> Callable[[], None]:
    """The conversation alone: nothing is sent anywhere."""

    def work() -> None:
        talk = given.conversation(lambda _data, _shown=None: None)
        talk.opened(1)
        step = talk.feed(answer, 1)
        assert step is Step.DONE

    return work


async def wire(port: int, calls: int, rate: int) -> tuple[float, float]:
    """(user, system) CPU of a call of the engine, µs, at `rate` calls a second; a timer begins them, nothing judges them."""
    loop = asyncio.get_running_loop()
    reactor, resolver = Reactor(loop), Resolver(loop)
    target = Target(Kind.HTTP, "127.0.0.1", port, resolve=("127.0.0.1",))
    probe = WireProbe(target, plan(port).conversation, loop, reactor, resolver)
    ended: asyncio.Future[None] = loop.create_future()
    made = left = 0
    since = loop.time()

    def done(call: Call) -> None:
        nonlocal left
        left -= 1
        if not call.healthy and not ended.done():
            ended.set_exception(RuntimeError(f"a call failed: {call.observation}"))
        elif left == 0 and made == calls:
            ended.set_result(None)

    def wake() -> None:
        nonlocal made, left
        due = min(calls, int((loop.time() - since) * rate) + 1) - made
        made, left = made + due, left + due
        for _ in range(due):
            now = time.monotonic_ns()
            probe.call(done).start(now, now)
        if made < calls:
            loop.call_later(0.001, wake)

    before = spent()
    wake()
    await ended
    after = spent()
    probe.close()
    resolver.close()
    reactor.shut()
    return (after[0] - before[0]) / calls * MICRO, (after[1] - before[1]) / calls * MICRO


def rows(settings: Settings) -> Iterator[Row]:
    """The pieces of a fresh plain HTTP call; they add up to all of it."""
    rate = settings.rate
    with ground(settings) as here:
        port = here.web.plain
        given, answer = plan(port), response(port)
        parsing = sum(timed(parser(answer), 20_000))
        talking = sum(timed(conversation(answer, given), 20_000)) - parsing
        ours = Ours(here, {"api": program.endpoints(rate, port)}, rate)
        takes: dict[str, Take] = {"whole": ours, "wire": lambda: uvloop.run(wire(port, settings.calls, rate))[0]}
        found = rounds(takes, settings.rounds, settings.say)
    total, kernel = found["whole"], statistics.median(cost.system for cost in ours.costs)
    name = "where a fresh call's time goes"
    yield Row(f"{name}: all of it", "µs", total, note=f"{rate} calls a second")
    yield Row(f"{name}: kernel", "µs", kernel, note="system time")
    yield Row(f"{name}: parser", "µs", parsing, note="httptools")
    yield Row(f"{name}: conversation", "µs", talking, note="the HTTP dialogue without the parser")
    yield Row(f"{name}: wire", "µs", found["wire"] - parsing - talking, note="sockets, epoll and loop from Python")
    yield Row(f"{name}: pace to metrics", "µs", total - kernel - found["wire"], note="user time")
