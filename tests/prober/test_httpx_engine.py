"""The engine httpx's own part of a call; which faults it finds is held to the wire's in test_http_faults."""

import asyncio
import contextlib
import errno
import gzip
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop

from prober.probes import httpx_engine
from prober.probes.build import Engines
from prober.probes.call import Call, Probe
from prober.probes.httpx_engine import HttpxCall
from prober.probes.httpx_exchange import Loop, _trouble
from prober.probes.reactor import Reactor, monotonic_ns
from prober.probes.resolve import Resolver
from rules.faults import classify
from rules.model import Fault, Observation, Stage, Trouble
from tests.peers.http_peer import Line, closed_port, http_peer, status
from tests.prober.http_calls import HTTPX_PATIENCE, UTC, call, calls, endpoint, observation_of, one


def on_a_loop(work: Callable[[Engines], Any]) -> Any:
    async def whole() -> Any:
        loop = asyncio.get_running_loop()
        engines = Engines(loop, Reactor(loop), Resolver(loop))
        try:
            return await work(engines)
        finally:
            engines.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(whole())


def test_a_call_shows_what_the_wires_would(tmp_path: Path) -> None:
    with http_peer(tls="good") as peer:
        made = calls(peer, tmp_path, engine="httpx", headers={"X-Mine": "1"})[0]
        seen, wires = observation_of(made), call(peer, tmp_path)
    assert (seen.code, seen.stage, seen.fresh, seen.verified) == (200, Stage.DONE, True, True)
    assert (seen.peer, seen.tls_version, seen.cert_expiry) == (wires.peer, wires.tls_version, wires.cert_expiry)
    assert made.cert_expiry == seen.cert_expiry > 0
    assert len(seen.phases) == 5
    assert all(took >= 0 for took in seen.phases)
    request = peer.requests[0]
    assert (request.headers["user-agent"], request.headers["x-mine"]) == ("prober", "1")
    assert request.headers["accept-encoding"] == "identity", "expectations are held against plain text"
    text = b"".join(data for _, _, data in made.transcript())
    assert b"GET https://127.0.0.1" in text
    assert b"HTTP/1.1 200 OK" in text
    assert b'{"state": "good"}' in text


def test_a_healthy_call_has_an_observation_only_where_one_is_wanted(tmp_path: Path) -> None:
    with http_peer() as peer:

        async def work(engines: Engines) -> Call:
            ended: asyncio.Future[Call] = engines.loop.create_future()
            engines.api(endpoint(peer, tmp_path, engine="httpx")).call(ended.set_result).start(monotonic_ns(), UTC)
            return await ended

        made = on_a_loop(work)
    assert (made.healthy, made.observation, made.code) == (True, None, 200)


def test_expectations_are_held_as_with_the_wire(tmp_path: Path) -> None:
    with http_peer() as peer:
        for expect, unmet in (({"json": {"state": "bad"}}, "json state"), ({"body": "good"}, None)):
            seen = call(peer, tmp_path, engine="httpx", expect=expect)
            assert (seen.unmet, seen.detail) == (unmet, "not as in expect.json: state" if unmet else "")


def test_a_body_that_came_compressed_is_read_as_what_it_says(tmp_path: Path) -> None:
    small = gzip.compress(b'{"state": "up"}')
    with http_peer(behaviour=status(200, "OK", "Content-Encoding: gzip", body=small)) as peer:
        assert call(peer, tmp_path, engine="httpx", expect={"json": {"state": "up"}}).unmet is None


def test_a_kept_connection_carries_the_next_calls(tmp_path: Path) -> None:
    with http_peer(tls="good") as peer:
        made = [observation_of(c) for c in calls(peer, tmp_path, count=3, engine="httpx", connection="reuse")]
        assert [seen.fresh for seen in made] == [True, False, False]
        assert peer.connections == 1


@pytest.mark.parametrize("name", ["dies_between", "dies_during"])
def test_a_kept_connection_that_has_died_is_replaced_within_the_call(tmp_path: Path, name: str) -> None:
    with http_peer(name) as peer:
        made = [observation_of(c) for c in calls(peer, tmp_path, count=3, engine="httpx", connection="reuse")]
        assert [(seen.code, seen.fresh) for seen in made] == [(200, True)] * 3
        assert peer.connections == 3


def test_fixed_addresses_are_tried_in_turn_and_the_name_stays(tmp_path: Path) -> None:
    with http_peer(tls="good") as peer:
        url = f"https://localhost:{peer.port}/"
        ca = str(peer.certificates.ca(tmp_path))
        seen = call(url, tmp_path, engine="httpx", ca=ca, resolve=["::1", "127.0.0.1"])
        assert (seen.code, seen.family_errors, seen.verified) == (200, ("::1 ECONNREFUSED",), True)
        request = peer.requests[0]
        assert (request.headers["host"], request.server_name) == (f"localhost:{peer.port}", "localhost")
    with closed_port() as port:
        seen = call(f"http://localhost:{port}/", tmp_path, engine="httpx", resolve=["127.0.0.1"])
        assert (seen.trouble, seen.family_errors) == (Trouble.REFUSED, ("127.0.0.1 ECONNREFUSED",))


@pytest.mark.parametrize("turned", [False, True])
def test_of_fixed_addresses_that_fail_the_one_that_says_most_of_the_server_stands(tmp_path: Path, turned: bool) -> None:
    nowhere = "224.0.0.1"  # no connection leads to a group of hosts: as if we had no route there
    with closed_port() as port:
        addresses = ["127.0.0.1", nowhere]
        url = f"http://localhost:{port}/"
        seen = call(url, tmp_path, engine="httpx", resolve=addresses[::-1] if turned else addresses)
    assert (seen.stage, seen.trouble) == (Stage.CONNECT, Trouble.REFUSED)
    assert sorted(seen.family_errors) == ["127.0.0.1 ECONNREFUSED", f"{nowhere} ENETUNREACH"]


@pytest.mark.parametrize("tls", ["none", "good"])
def test_a_fixed_address_that_says_nothing_gives_way_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: str
) -> None:
    monkeypatch.setattr(httpx_engine, "PATIENCE", 0.1 if tls == "none" else 0.5)
    with http_peer(tls=tls) as peer, _silent(peer.port, full=tls == "none") as silent:
        given: dict[str, Any] = {"ca": str(peer.certificates.ca(tmp_path))} if tls == "good" else {}
        url = f"{'https' if tls == 'good' else 'http'}://localhost:{peer.port}/"
        seen = call(url, tmp_path, engine="httpx", resolve=[silent, "127.0.0.1"], **given)
        assert (seen.trouble, seen.code, seen.family_errors) == (None, 200, (f"{silent} ETIMEDOUT",))


@contextlib.contextmanager
def _silent(port: int, *, full: bool) -> Iterator[str]:
    """An address that takes connections at `port` and says nothing; `full`: or takes none any more."""
    host = "127.0.0.7"
    with socket.socket() as taken, contextlib.ExitStack() as kept:
        taken.bind((host, port))
        taken.listen(0)
        for _ in range(3 if full else 0):
            one = kept.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex((host, port))
        yield host


@pytest.mark.parametrize(("behaviour", "redirected"), [("redirect", True), ("healthy", False)])
def test_a_call_says_whether_it_came_over_redirects(tmp_path: Path, behaviour: str, redirected: bool) -> None:
    with http_peer(behaviour) as peer:
        (made,) = calls(peer, tmp_path, engine="httpx", follow_redirects=True)
    assert (made.code, made.redirected) == (200, redirected)


def test_a_connection_that_dies_between_the_hops_of_a_redirect_is_replaced(tmp_path: Path) -> None:
    async def closes_after_each_answer(line: Line) -> None:
        request = await line.hear()
        if len(line.heard) > 1:
            await line.close()
        if request.target == "/there":
            await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        else:
            await line.say(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n")

    with http_peer(closes_after_each_answer) as peer:
        seen = call(peer, tmp_path, engine="httpx", follow_redirects=True)
        assert (seen.trouble, seen.fresh) == (Trouble.CLOSED, False)
        assert classify(seen).fault is Fault.OTHER, "a kept connection may die at any time (RFC 9112, 9.3.1)"
        assert peer.connections == 2, "once more on a fresh one"


def test_http_2_is_spoken_where_it_is_wanted(tmp_path: Path) -> None:
    with http_peer(tls="good") as peer:
        seen = call(peer, tmp_path, engine="httpx", http2=True)
        assert seen.code == 200, "a server that speaks HTTP/1.1 alone is called in that"


def test_a_name_server_that_says_nothing_is_not_the_vendors_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def silent(*_: Any, **__: Any) -> Any:
        release.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    try:
        seen = call("http://silent.test/", tmp_path, seconds=HTTPX_PATIENCE, engine="httpx")
    finally:
        release.set()
    assert (seen.trouble, seen.stage) == (Trouble.TIMEOUT, Stage.RESOLVE)
    assert (classify(seen).fault, classify(seen).reason) == (Fault.OTHER, "dns_timeout")


def test_lookups_that_hang_delay_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    real = socket.getaddrinfo

    def look_up(host: Any, *given: Any, **named: Any) -> Any:
        if host == "silent.test":
            release.wait(60)
        return real("127.0.0.1", *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with http_peer() as peer:

        async def work(engines: Engines) -> Call:
            hung = engines.api(endpoint("http://silent.test/", tmp_path, engine="httpx"))
            waiting = [asyncio.ensure_future(one(engines.loop, hung, 5.0)) for _ in range(50)]
            await asyncio.sleep(0)  # they begin
            quick = engines.api(endpoint(f"http://quick.test:{peer.port}/", tmp_path, engine="httpx"))
            try:
                return await one(engines.loop, quick, 25.0)  # those that hang hang on
            finally:
                release.set()
                await asyncio.gather(*waiting)

        assert on_a_loop(work).code == 200


def test_what_is_no_name_is_told_and_waited_for_by_nobody() -> None:
    loop = Loop()
    try:
        with pytest.raises(UnicodeError):
            loop.run_until_complete(loop.getaddrinfo(f"{'a' * 64}.test", 80))
    finally:
        loop.close()


def test_a_call_that_is_cancelled_in_its_handshake_leaves_no_socket(tmp_path: Path) -> None:
    with http_peer(tls="silent") as peer:

        async def work(engines: Engines) -> None:
            probe = engines.api(endpoint(peer, tmp_path, engine="httpx"))
            await _ended_in(Stage.TLS, probe, engines.loop)
            before = _sockets()
            for _ in range(3):
                await _ended_in(Stage.TLS, probe, engines.loop)
            async with asyncio.timeout(10):
                while _sockets() > before:  # noqa: ASYNC110 - the other thread closes them
                    await asyncio.sleep(0.01)

        on_a_loop(work)


async def _ended_in(stage: Stage, probe: Probe, loop: asyncio.AbstractEventLoop) -> None:
    """A call whose deadline comes once it has reached a stage."""
    ended: asyncio.Future[Call] = loop.create_future()
    made = probe.call(ended.set_result, full=True)
    assert isinstance(made, HttpxCall)
    made.start(monotonic_ns(), UTC)
    async with asyncio.timeout(30):
        while made._seen.stage is not stage:  # noqa: ASYNC110 - the other thread tells nobody
            await asyncio.sleep(0.01)
    made.expire(monotonic_ns())
    assert observation_of(await ended).stage is stage


def _sockets() -> int:
    """Connections of this process to others that are established, by its descriptors."""
    found = 0
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names alone
        try:
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")  # noqa: PTH115 - no path
        except OSError:
            continue
    return found


def test_a_thread_that_is_behind_is_our_own_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many calls for the thread must not look like a vendor that is silent."""
    monkeypatch.setattr(httpx_engine, "BEHIND", 50_000_000)
    with http_peer() as peer:

        async def work(engines: Engines) -> Observation:
            probe = engines.api(endpoint(peer, tmp_path, engine="httpx"))
            await one(engines.loop, probe)
            engines.httpx.loop.call_soon_threadsafe(time.sleep, 0.6)  # as many calls would
            return observation_of(await one(engines.loop, probe, 0.3))

        seen = on_a_loop(work)
    assert (seen.trouble, classify(seen).fault) == (Trouble.ENGINE, Fault.OWN)
    assert "did not keep up" in seen.detail


def test_a_thread_whose_every_turn_is_late_is_our_own_fault_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never stands still, and yet no call of many turns comes to its end."""
    monkeypatch.setattr(httpx_engine, "BEHIND", 60_000_000_000)
    with http_peer("hang_before_headers") as peer:

        async def work(engines: Engines) -> Observation:
            probe = engines.api(endpoint(peer, tmp_path, engine="httpx"))
            busy = True

            def others_turns() -> None:
                if busy:
                    time.sleep(0.2)
                    engines.httpx.loop.call_soon(others_turns)

            engines.httpx.loop.call_soon_threadsafe(others_turns)
            try:
                return observation_of(await one(engines.loop, probe, 1.5))
            finally:
                busy = False

        seen = on_a_loop(work)
    assert (seen.trouble, classify(seen).fault) == (Trouble.ENGINE, Fault.OWN)
    assert "did not keep up" in seen.detail


def test_what_has_ended_at_the_deadline_is_believed(tmp_path: Path) -> None:
    with http_peer() as peer:

        async def work(engines: Engines) -> Observation:
            ended: asyncio.Future[Call] = engines.loop.create_future()
            made = engines.api(endpoint(peer, tmp_path, engine="httpx")).call(ended.set_result, full=True)
            made.start(monotonic_ns(), UTC)
            while not made._seen.ended:  # type: ignore[attr-defined]  # the engine's
                time.sleep(0.01)  # noqa: ASYNC251 - our loop stands still while the other thread goes on
            made.expire(monotonic_ns())
            assert ended.done()
            made.expire(monotonic_ns())
            await asyncio.sleep(0.05)
            return observation_of(made)

        assert on_a_loop(work).code == 200


def test_a_call_given_up_says_nothing(tmp_path: Path) -> None:
    with http_peer("hang_before_headers") as peer:

        async def work(engines: Engines) -> list[Call]:
            ends: list[Call] = []
            made = engines.api(endpoint(peer, tmp_path, engine="httpx")).call(ends.append)
            made.start(monotonic_ns(), UTC)
            made.cancel()
            made._end(None, "", 1)  # type: ignore[attr-defined]  # its message may be on the way already
            return ends

        assert on_a_loop(work) == []


def _caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (
            _caused(httpx.ConnectError("x"), ExceptionGroup("all", [OSError("?"), ConnectionRefusedError(111, "no")])),
            Trouble.REFUSED,
        ),
        (
            _caused(
                httpx.ConnectError("x"),
                ExceptionGroup("all", [OSError(errno.ENETUNREACH, "IPv6"), OSError(errno.ECONNREFUSED, "IPv4")]),
            ),
            Trouble.REFUSED,  # one family's failure says nothing of the server
        ),
        (_caused(httpx.ConnectError("x"), socket.gaierror(socket.EAI_NONAME, "unknown")), Trouble.DNS_NXDOMAIN),
        (_caused(httpx.ConnectError("x"), socket.gaierror(socket.EAI_AGAIN, "later")), Trouble.DNS_SERVFAIL),
        (_caused(httpx.ConnectError("x"), socket.gaierror(socket.EAI_MEMORY, "?")), Trouble.DNS_FAILED),
        (httpx.ConnectError("x"), Trouble.CLOSED),
        (httpx.ReadError("x"), Trouble.RESET),
        (httpx.DecodingError("x"), Trouble.MALFORMED),
        (httpx.RemoteProtocolError("Server disconnected"), Trouble.CLOSED),
        (httpx.RemoteProtocolError("bad"), Trouble.MALFORMED),
        (httpx.RemoteProtocolError("<ConnectionTerminated error_code:0, last_stream_id:3>"), Trouble.CLOSED),
        (httpx.RemoteProtocolError("<StreamReset stream_id:1, error_code:7>"), Trouble.RESET),
        (httpx.RemoteProtocolError("Receive buffer too long"), Trouble.TOO_LARGE),
        (httpx.ConnectTimeout("x"), Trouble.TIMEOUT),
        (httpx.InvalidURL("x"), Trouble.ENGINE),
        (ZeroDivisionError("x"), Trouble.ENGINE),
    ],
)
def test_what_httpx_raises_is_put_in_the_rules_words(error: Exception, trouble: Trouble) -> None:
    assert _trouble(error)[0] is trouble


def test_a_defect_in_the_thread_ends_its_call_as_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(httpx_engine.HttpxProbe, "client", fails)
    seen = call("http://127.0.0.1/", tmp_path, engine="httpx")
    assert (seen.trouble, classify(seen).fault) == (Trouble.ENGINE, Fault.OWN)
