"""Connecting to several addresses: who wins, who loses, and whose fault it is when all have lost."""

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvloop

from prober.probes import race
from prober.probes.race import Race
from prober.probes.reactor import Reactor
from rules.model import Trouble
from tests.peers.http_peer import blackhole, closed_port

#: What a race came to: the winner's address or the loser's trouble, what was noted, seconds it took.
Outcome = tuple[Any, list[str], float]


def run(*addresses: tuple[str, int], until: float | None = None) -> Outcome:
    """The outcome of a race; at `until` seconds its deadline comes."""
    goals = [(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, port)) for host, port in addresses]

    async def work() -> Outcome:
        loop = asyncio.get_running_loop()
        reactor = Reactor(loop)
        over: asyncio.Future[Any] = loop.create_future()

        def won(sock: socket.socket, address: Any, events: int) -> None:
            reactor.close(sock)
            over.set_result(address[:2])

        racing = Race(loop, reactor, goals, won, lambda trouble, detail: over.set_result(trouble))
        began = time.monotonic()
        racing.start()
        if until is not None:
            loop.call_later(until, lambda: over.set_result(racing.timed_out()[0]))
        found = await asyncio.wait_for(over, 10)
        took = time.monotonic() - began
        racing.cancel()
        assert reactor.sockets == 0, "a loser was left behind"
        reactor.shut()
        return found, racing.errors, took

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work())


@contextlib.contextmanager
def listening(host: str) -> Iterator[int]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        yield server.getsockname()[1]


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for the delay waits for ever."""
    monkeypatch.setattr(race, "ATTEMPT_DELAY", 60)


@pytest.mark.usefixtures("no_patience")
def test_the_first_address_wins_at_once() -> None:
    with listening("::1") as six, listening("127.0.0.1") as four:
        won, errors, _ = run(("::1", six), ("127.0.0.1", four))
    assert (won, errors) == (("::1", six), [])


@pytest.mark.usefixtures("no_patience")
def test_a_refused_address_hands_over_at_once() -> None:
    with closed_port("::1") as six, listening("127.0.0.1") as four:
        won, errors, _ = run(("::1", six), ("127.0.0.1", four))
    assert (won, errors) == (("127.0.0.1", four), ["::1 ECONNREFUSED"])


def test_a_silent_address_is_passed_after_250_ms() -> None:
    with blackhole("::1") as six, listening("127.0.0.1") as four:
        won, errors, took = run(("::1", six), ("127.0.0.1", four))
    assert (won, errors) == (("127.0.0.1", four), ["::1 unanswered"])
    assert took > race.ATTEMPT_DELAY - 0.001, "the loop's timers count whole milliseconds"


def test_it_is_lost_when_all_addresses_have_failed() -> None:
    with closed_port("::1") as six, closed_port() as four:
        lost, errors, _ = run(("::1", six), ("127.0.0.1", four))
    assert (lost, errors) == (Trouble.REFUSED, ["::1 ECONNREFUSED", "127.0.0.1 ECONNREFUSED"])


def test_at_the_deadline_what_is_silent_has_timed_out() -> None:
    with blackhole("::1") as six, blackhole() as four:
        lost, errors, _ = run(("::1", six), ("127.0.0.1", four), until=0.4)
    assert (lost, sorted(errors)) == (Trouble.TIMEOUT, ["127.0.0.1 timeout", "::1 timeout"])


@pytest.fixture
def opening(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, int]], None]:
    """Makes opening a socket to an address fail with an errno."""

    def arrange(fails: dict[str, int]) -> None:
        def open_socket(reactor: Reactor, address: race.Address, handler: Any) -> socket.socket:
            if code := fails.get(address[1][0]):
                raise OSError(code, "no")
            return real(reactor, address, handler)

        monkeypatch.setattr(race, "open_socket", open_socket)

    real = race.open_socket
    return arrange


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (errno.ENETUNREACH, errno.ECONNREFUSED, Trouble.REFUSED),  # this machine has no IPv6, as most
        (errno.ECONNREFUSED, errno.ENETUNREACH, Trouble.REFUSED),
        (errno.EPERM, errno.ECONNREFUSED, Trouble.REFUSED),
        (errno.ENETUNREACH, errno.EPERM, Trouble.NOT_PERMITTED),
        (errno.ECONNREFUSED, errno.EMFILE, Trouble.NO_DESCRIPTORS),  # the second was never tried
        (errno.EMFILE, errno.ECONNREFUSED, Trouble.NO_DESCRIPTORS),
        (errno.EADDRNOTAVAIL, errno.ECONNRESET, Trouble.NO_PORTS),
        (errno.ECONNRESET, errno.ECONNREFUSED, Trouble.REFUSED),
        (errno.ECONNREFUSED, errno.EHOSTUNREACH, Trouble.REFUSED),  # IPv6 that leads nowhere, found out late
        (errno.EHOSTUNREACH, errno.ENETUNREACH, Trouble.HOST_UNREACHABLE),
    ],
)
def test_what_kept_us_from_trying_an_address_is_never_anothers_fault(
    opening: Callable[[dict[str, int]], None], first: int, second: int, expected: Trouble
) -> None:
    opening({"::1": first, "127.0.0.1": second})
    lost, errors, _ = run(("::1", 9), ("127.0.0.1", 9))
    assert lost is expected
    assert errors == [f"::1 {errno.errorcode[first]}", f"127.0.0.1 {errno.errorcode[second]}"]


def test_nor_does_silence_hide_it(opening: Callable[[dict[str, int]], None]) -> None:
    opening({"127.0.0.1": errno.EMFILE})
    with blackhole("::1") as six:
        lost, errors, _ = run(("::1", six), ("127.0.0.1", 9), until=0.4)
    assert (lost, errors) == (Trouble.NO_DESCRIPTORS, ["127.0.0.1 EMFILE", "::1 timeout"])


def test_a_refusal_that_waits_at_the_deadline_came_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with blackhole("::1") as six, blackhole() as four:
        monkeypatch.setattr(race, "connect_error", lambda sock: errno.ECONNREFUSED)
        lost, errors, _ = run(("::1", six), ("127.0.0.1", four), until=0.4)
    assert (lost, len(errors)) == (Trouble.REFUSED, 2)
