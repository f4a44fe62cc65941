"""The wire's own part of a call: kept connections, the deadline, large requests, transcripts, its own defects."""

import asyncio
import errno
import gc
import json
import logging
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop

from prober.probes import wire
from prober.probes.build import Engines
from prober.probes.call import Call
from prober.probes.carrier import TRANSCRIPT
from prober.probes.connection import Connection
from prober.probes.http import HttpConversation
from prober.probes.race import Race
from prober.probes.reactor import WRITABLE, Reactor, monotonic_ns
from prober.probes.resolve import Answer, Resolver
from prober.probes.tcp import TcpConversation
from prober.settings import Control, SmtpEndpoint
from rules.faults import classify
from rules.model import Fault, Observation, Stage, Trouble
from tests.peers.http_peer import Line, blackhole, closed_port, http_peer
from tests.peers.smtp_peer import PASSWORD, smtp_peer
from tests.prober.http_calls import FOREVER, UTC, call, calls, endpoint, observation_of, one
from tests.prober.smtp_calls import calls as smtp_calls
from tests.prober.smtp_calls import endpoint as smtp_endpoint

_R = TypeVar("_R")


def on_a_loop(work: Callable[[Engines], Coroutine[Any, Any, _R]]) -> _R:
    """Runs `work` with engines of its own; no socket may be left behind."""

    async def whole() -> _R:
        loop = asyncio.get_running_loop()
        engines = Engines(loop, Reactor(loop), Resolver(loop))
        try:
            result = await work(engines)
            engines.reactor.sweep(FOREVER)
            assert engines.reactor.sockets == 0, "a call has left a socket behind"
            return result
        finally:
            engines.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(whole())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event to wait for
            await asyncio.sleep(0.005)


def waiting(made: Call) -> bool:
    """Whether bytes that nobody has read wait in the call's socket."""
    connection: Connection = made._conn  # type: ignore[attr-defined]  # the wire's
    try:
        return bool(connection.sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


# kept connections


@pytest.mark.parametrize("tls", ["none", "good"])
def test_a_kept_connection_carries_the_next_calls(tmp_path: Path, tls: str) -> None:
    with http_peer(tls=tls) as peer:
        made = [observation_of(c) for c in calls(peer, tmp_path, count=3, connection="reuse")]
        assert [seen.fresh for seen in made] == [True, False, False]
        assert [seen.messages for seen in made][1:] == [1, 2]
        assert made[1].phases[:3] == (0, 0, -1), "no handshake was made"
        assert all(seen.idle > 0 for seen in made[1:])
        assert peer.connections == 1


@pytest.mark.parametrize("tls", ["none", "good"])
@pytest.mark.parametrize("name", ["dies_between", "dies_during"])
def test_a_kept_connection_that_has_died_is_replaced_within_the_call(tmp_path: Path, name: str, tls: str) -> None:
    with http_peer(name, tls=tls) as peer:
        made = [observation_of(c) for c in calls(peer, tmp_path, count=3, connection="reuse")]
        assert [seen.code for seen in made] == [200] * 3
        assert [seen.fresh for seen in made] == [True] * 3, "the evidence is the fresh connection's"
        assert peer.connections == 3


def test_the_end_of_a_dead_connection_does_not_end_the_call_that_left_it(tmp_path: Path) -> None:
    """Of a kept connection both close_notify and FIN come at once, after the next request has been sent on it."""
    with http_peer("dies_during", tls="good") as peer:

        async def work(engines: Engines) -> Observation:
            probe = engines.api(endpoint(peer, tmp_path, connection="reuse"))
            await one(engines.loop, probe)
            ended: asyncio.Future[Call] = engines.loop.create_future()
            made = probe.call(ended.set_result, full=True)
            made.start(monotonic_ns(), UTC)
            while not gone(made):
                time.sleep(0.005)  # noqa: ASYNC251 - our loop stands still meanwhile
            seen = observation_of(await asyncio.wait_for(ended, 10))
            probe.close()
            return seen

        seen = on_a_loop(work)
        assert (seen.code, seen.fresh, peer.connections) == (200, True, 2), seen


def gone(made: Call) -> bool:
    """Whether the peer of the call's connection has closed it whole."""
    poll = select.poll()
    poll.register(made._conn.sock, select.POLLRDHUP)  # type: ignore[attr-defined]  # the wire's
    return bool(poll.poll(0))


def test_an_idle_connection_that_the_peer_closes_is_dropped_at_once(tmp_path: Path) -> None:
    with http_peer("dies_later") as peer:

        async def work(engines: Engines) -> None:
            probe = engines.api(endpoint(peer, tmp_path, connection="reuse"))
            await one(engines.loop, probe)
            assert engines.reactor.sockets == 1
            await until(lambda: engines.reactor.sockets == 0)

        on_a_loop(work)


def test_silence_on_a_kept_connection_whose_peer_took_the_request_is_the_servers(tmp_path: Path) -> None:
    with http_peer("hangs_during") as peer:
        first, second = calls(peer, tmp_path, count=2, seconds=1.0, connection="reuse")
        assert observation_of(first).code == 200
        seen = observation_of(second)
        assert (seen.fresh, seen.sent_whole, seen.trouble) == (False, True, Trouble.TIMEOUT)
        assert classify(seen).fault is Fault.SERVER_TIMEOUT


def test_a_connection_is_not_kept_for_a_configuration_that_has_gone(tmp_path: Path) -> None:
    with http_peer() as peer:

        async def work(engines: Engines) -> Call:
            probe = engines.api(endpoint(peer, tmp_path, connection="reuse"))
            ended: asyncio.Future[Call] = engines.loop.create_future()
            made = probe.call(ended.set_result, full=True)
            made.start(monotonic_ns(), UTC)
            probe.close()
            return await ended

        assert observation_of(on_a_loop(work)).code == 200


# the deadline


def test_an_answer_that_waits_at_the_deadline_came_in_time(tmp_path: Path) -> None:
    """classification.md, Rules 7: data already waiting means that the prober was late."""
    with http_peer() as peer:

        async def work(engines: Engines) -> Observation:
            probe = engines.api(endpoint(peer, tmp_path))
            ended: asyncio.Future[Call] = engines.loop.create_future()
            made = probe.call(ended.set_result, full=True)
            made.start(monotonic_ns(), UTC)
            await until(lambda: bool(made._sent) or ended.done())  # type: ignore[attr-defined]  # the wire's
            if not ended.done():
                while not waiting(made):  # our loop stands still while the peer, in its thread, answers
                    time.sleep(0.005)  # noqa: ASYNC251 - meant
                made.expire(monotonic_ns())
            return observation_of(await ended)

        for _ in range(3):
            seen = on_a_loop(work)
            assert (seen.trouble, seen.code) == (None, 200)


def test_a_refusal_that_waits_at_the_deadline_came_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with blackhole() as port:
        assert call(f"http://127.0.0.1:{port}/", tmp_path, seconds=0.05).trouble is Trouble.TIMEOUT
        monkeypatch.setattr(wire, "connect_error", lambda sock: errno.ECONNREFUSED)
        assert call(f"http://127.0.0.1:{port}/", tmp_path, seconds=0.05).trouble is Trouble.REFUSED


def test_a_call_that_has_ended_does_not_expire_and_one_given_up_says_nothing(tmp_path: Path) -> None:
    with http_peer() as peer:

        async def work(engines: Engines) -> None:
            probe = engines.api(endpoint(peer, tmp_path))
            made = await one(engines.loop, probe)
            made.expire(monotonic_ns())
            assert observation_of(made).code == 200
            ends: list[Call] = []
            given_up = probe.call(ends.append)
            given_up.start(monotonic_ns(), UTC)
            given_up.cancel()
            given_up.expire(monotonic_ns())
            given_up._resolved(Answer())  # type: ignore[attr-defined]  # the resolver may answer after that
            assert ends == []

        on_a_loop(work)


# addresses


def test_the_way_leads_over_the_address_that_answers(tmp_path: Path) -> None:
    with http_peer(host="127.0.0.1") as peer:
        url = f"http://localhost:{peer.port}/"
        seen = call(url, tmp_path, resolve=["::1", "127.0.0.1"])
        assert (seen.code, seen.family_errors) == (200, ("::1 ECONNREFUSED",))
        assert seen.peer == f"127.0.0.1:{peer.port}"
        with blackhole("::1", peer.port):
            seen = call(url, tmp_path, resolve=["::1", "127.0.0.1"])
        assert (seen.code, seen.family_errors) == (200, ("::1 unanswered",))
        # The loop's timers count whole milliseconds: they come up to one early.
        assert seen.phases[1] > 249_000_000, "the second address had its turn after 250 ms"


def test_a_call_fails_when_all_addresses_have_failed(tmp_path: Path) -> None:
    with closed_port() as port:
        seen = call(f"http://localhost:{port}/", tmp_path, resolve=["::1", "127.0.0.1"])
        assert (seen.stage, seen.trouble) == (Stage.CONNECT, Trouble.REFUSED)
        assert seen.family_errors == ("::1 ECONNREFUSED", "127.0.0.1 ECONNREFUSED")
        seen = call(f"http://127.0.0.1:{port}/", tmp_path)
        assert seen.family_errors == ("127.0.0.1 ECONNREFUSED",)
    with blackhole() as port, blackhole("::1", port):
        seen = call(f"http://localhost:{port}/", tmp_path, resolve=["::1", "127.0.0.1"], seconds=1.0)
        assert (seen.trouble, sorted(seen.family_errors)) == (Trouble.TIMEOUT, ["127.0.0.1 timeout", "::1 timeout"])


def test_a_name_that_leads_nowhere_is_not_the_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Answer((), Trouble.DNS_NXDOMAIN, "not found")
    monkeypatch.setattr(
        Resolver, "lookup", lambda self, host, port, callback: self.loop.call_soon(callback, answer) and None
    )
    seen = call("http://nowhere.invalid/", tmp_path)
    assert (seen.stage, seen.detail, classify(seen).reason) == (Stage.RESOLVE, "not found", "dns_nxdomain")
    monkeypatch.setattr(Resolver, "lookup", lambda self, host, port, callback: None)
    seen = call("http://nowhere.invalid/", tmp_path, seconds=0.05)
    assert (seen.stage, seen.phases, classify(seen).reason) == (Stage.RESOLVE, (-1,) * 5, "dns_timeout")


# our own machine

_FEW_DESCRIPTORS = """
import json, resource, sys
from pathlib import Path
from tests.prober.test_wire import many
print(json.dumps(many(sys.argv[1], int(sys.argv[2]))))
"""


def many(url: str, limit: int) -> list[tuple[str, str, str]]:
    """Fault, reason and detail of calls made at once under a limit of descriptors."""
    import resource

    async def work(engines: Engines) -> list[tuple[str, str, str]]:
        probe = engines.api(endpoint(url, Path()))
        await one(engines.loop, probe)  # all that is opened for the first time
        used = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counts what a listing itself opens too
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + limit, used + limit))
        made = await asyncio.gather(*(one(engines.loop, probe, 1.0) for _ in range(limit + 10)))
        findings = [(classify(observation_of(each)), observation_of(each)) for each in made]
        return [(finding.fault.value, finding.reason, seen.detail) for finding, seen in findings]

    return on_a_loop(work)


def test_without_descriptors_the_fault_is_our_own() -> None:
    with http_peer("hang_before_headers") as peer:
        root = Path(__file__).parents[2]
        command = [sys.executable, "-c", _FEW_DESCRIPTORS, peer.url, "5"]
        ended = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    found = [tuple(each) for each in json.loads(ended.stdout)]
    assert found.count(("own", "no_descriptors", "EMFILE")) >= 5
    assert found.count(("server_timeout", "read_timeout", "")) >= 3, "those that had one are judged by what they saw"
    assert len(set(found)) == 2, set(found)


def test_a_descriptor_is_nobody_elses_within_the_batch_in_which_it_is_closed() -> None:
    async def work(engines: Engines) -> None:
        reactor = engines.reactor
        pairs = [socket.socketpair() for _ in range(2)]
        heard: list[str] = []

        def first(events: int) -> None:
            """Closes the other one, and opens a new one that must not get its events."""
            heard.append("first")
            for ours, _ in pairs:
                reactor.close(ours)
            new = socket.socketpair()
            pairs.append(new)
            assert new[0].fileno() not in {ours.fileno() for ours, _ in pairs[:2]}
            reactor.watch(new[0], lambda events: heard.append("new"))

        for ours, theirs in pairs:
            ours.setblocking(False)
            theirs.send(b"x")
            reactor.watch(ours, first)
        await until(lambda: "new" in heard)  # a fresh one can be written to
        assert heard == ["first", "new"]
        assert all(ours.fileno() < 0 for ours, _ in pairs[:2]), "and after the batch it is closed"
        reactor.close(pairs[2][0])
        for _, theirs in pairs:
            theirs.close()

    on_a_loop(work)


def test_a_handler_that_fails_costs_the_other_events_of_its_batch_nothing() -> None:
    async def work(engines: Engines) -> None:
        told: list[dict[str, Any]] = []
        engines.loop.set_exception_handler(lambda loop, context: told.append(context))
        heard: list[int] = []
        pairs = [socket.socketpair() for _ in range(2)]

        def fails(events: int) -> None:
            heard.append(events)
            raise ZeroDivisionError

        for ours, theirs in pairs:
            theirs.send(b"x")
            engines.reactor.watch(ours, fails)
        await until(lambda: len(heard) == 2)
        assert [type(context["exception"]) for context in told] == [ZeroDivisionError] * 2
        for ours, theirs in pairs:
            engines.reactor.close(ours)
            theirs.close()

    on_a_loop(work)


def test_an_address_that_cannot_be_tried_is_our_own_fault(tmp_path: Path) -> None:
    seen = call("http://x.example/", tmp_path, resolve=["224.0.0.1"])  # TCP has no way to many at once
    assert (seen.stage, seen.trouble, seen.detail) == (Stage.CONNECT, Trouble.NO_ROUTE, "ENETUNREACH")
    assert classify(seen).fault is Fault.OWN


def test_a_call_leaves_nothing_to_the_garbage_collector(tmp_path: Path) -> None:
    """It is frozen after the start, and would stop the loop for long otherwise."""
    kinds = (wire.WireCall, HttpConversation, Connection, Race)
    with (
        http_peer(tls="good") as good,
        http_peer("truncated_length") as bad,
        http_peer("dies_during") as dies,
        http_peer("hang_in_headers") as hangs,
        closed_port() as refuses,
    ):

        async def work(engines: Engines) -> list[object]:
            gc.collect()
            gc.disable()
            try:
                for target in (good, bad, dies, dies, hangs, f"http://localhost:{refuses}/"):
                    settings = {"resolve": ["::1", "127.0.0.1"], "connection": "reuse"}
                    probe = engines.api(endpoint(target, tmp_path, **settings))
                    for _ in range(2):
                        ended = asyncio.Event()
                        made = probe.call(partial(_set, ended))
                        made.start(monotonic_ns(), UTC)
                        timer = engines.loop.call_later(0.3, made.expire, 0)
                        await asyncio.wait_for(ended.wait(), 10)
                        timer.cancel()
                    given_up = probe.call(partial(_set, ended))
                    given_up.cancel()
                    given_up.start(monotonic_ns(), UTC)
                    given_up.cancel()
                    probe.close()
                    del made, timer, given_up
                    await asyncio.sleep(0)
                return [type(found) for found in gc.get_objects() if isinstance(found, kinds)]
            finally:
                gc.enable()

        assert on_a_loop(work) == []


def _set(event: asyncio.Event, _made: Call) -> None:
    event.set()


# writes that fail


def test_a_failed_write_hides_no_answer_that_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Connection) -> None:
        raise BrokenPipeError(errno.EPIPE, "no")

    with http_peer("answers_without_reading") as peer:
        real = Connection.receive
        fail_now = threading.Event()

        def receive(self: Connection) -> bytes | None:
            """The answer is left in the socket until the write has failed."""
            return real(self) if fail_now.is_set() else None

        def flush(self: Connection) -> None:
            fail_now.set()
            fails(self)

        monkeypatch.setattr(Connection, "receive", receive)
        monkeypatch.setattr(Connection, "flush", flush)

        async def work(engines: Engines) -> Observation:
            probe = engines.api(endpoint(peer, tmp_path, method="POST", body="x" * 20_000_000))
            ended: asyncio.Future[Call] = engines.loop.create_future()
            made = probe.call(ended.set_result, full=True)
            made.start(monotonic_ns(), UTC)
            await until(lambda: bool(made._conn))  # type: ignore[attr-defined]  # the wire's
            await until(lambda: ended.done() or waiting(made))
            if not ended.done():
                made._on_event(WRITABLE)  # type: ignore[attr-defined]  # as the socket says when it takes bytes again
            return observation_of(await asyncio.wait_for(ended, 10))

        seen = on_a_loop(work)
    assert (seen.trouble, seen.code) == (None, 413)


def test_a_write_that_fails_without_an_answer_is_a_reset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Connection, data: bytes) -> None:
        raise BrokenPipeError(errno.EPIPE, "no")

    with http_peer("hang_before_headers") as peer:
        monkeypatch.setattr(Connection, "write", fails)
        seen = call(peer, tmp_path)
        assert (seen.stage, seen.trouble, seen.detail) == (Stage.HEADERS, Trouble.RESET, "EPIPE")
        assert not seen.sent_whole


def test_a_kept_connection_that_takes_no_request_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, writes = Connection.write, []

    def second_fails(self: Connection, data: bytes) -> None:
        writes.append(self)
        if len(writes) == 2:
            raise ConnectionResetError(errno.ECONNRESET, "no")
        real(self, data)

    with http_peer() as peer:
        monkeypatch.setattr(Connection, "write", second_fails)
        made = [observation_of(c) for c in calls(peer, tmp_path, count=2, connection="reuse")]
    assert [(seen.code, seen.fresh) for seen in made] == [(200, True)] * 2
    assert len(writes) == 3


@pytest.mark.parametrize(("what", "stage"), [(b"RCPT", Stage.RCPT), (b"QUIT", Stage.DONE)])
def test_an_smtp_command_that_cannot_be_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: bytes, stage: Stage
) -> None:
    real = Connection.write

    def one_fails(self: Connection, data: bytes) -> None:
        if data.startswith(what):
            raise BrokenPipeError(errno.EPIPE, "no")
        real(self, data)

    with smtp_peer() as peer:
        monkeypatch.setattr(Connection, "write", one_fails)
        seen = observation_of(smtp_calls(peer, tmp_path)[0])
    assert (seen.stage, seen.trouble) == (stage, None if stage is Stage.DONE else Trouble.RESET)


# a defect of ours


@pytest.mark.parametrize("where", ["opened", "feed", "closed"])
def test_a_defect_of_ours_ends_its_call_as_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(HttpConversation, where, fails)
    with http_peer("close_before_headers" if where == "closed" else "healthy") as peer, caplog.at_level(logging.ERROR):
        made = calls(peer, tmp_path, count=2)
    for seen in map(observation_of, made):
        assert (seen.trouble, seen.detail) == (Trouble.ENGINE, "ZeroDivisionError: oops")
        assert (classify(seen).fault, classify(seen).reason) == (Fault.OWN, "engine_error")
    assert [record.message for record in caplog.records] == ["a defect of the prober ended a call"], "once an endpoint"


def test_a_defect_on_the_way_ends_its_call_as_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(Resolver, "lookup", fails)
    assert call("http://localhost/", tmp_path).trouble is Trouble.ENGINE
    monkeypatch.undo()
    with blackhole() as port:
        monkeypatch.setattr(wire, "connect_error", fails)
        assert call(f"http://127.0.0.1:{port}/", tmp_path, seconds=0.05).trouble is Trouble.ENGINE


def test_what_fails_after_the_calls_end_is_not_hidden(tmp_path: Path) -> None:
    with http_peer() as peer:

        async def work(engines: Engines) -> list[str]:
            told: list[str] = []
            engines.loop.set_exception_handler(lambda loop, context: told.append(repr(context["exception"])))

            def done(made: Call) -> None:
                raise ZeroDivisionError("in the measuring loop")

            engines.api(endpoint(peer, tmp_path)).call(done).start(monotonic_ns(), UTC)
            await until(lambda: bool(told))
            return told

        assert on_a_loop(work) == ["ZeroDivisionError('in the measuring loop')"]


# large and fast peers


@pytest.mark.parametrize("tls", ["none", "good"])
def test_a_large_request_arrives_whole(tmp_path: Path, tls: str) -> None:
    body = "".join(f"{n:09}\n" for n in range(600_000))
    with http_peer(tls=tls) as peer:
        seen = call(peer, tmp_path, method="POST", body=body)
        assert (seen.code, seen.sent) == (200, len(body) + len(b"".join(_head(peer.port, len(body)))))
        assert peer.requests[0].body == body.encode()


def _head(port: int, length: int) -> list[bytes]:
    return [
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: prober\r\n" % port,
        b"Accept: */*\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % length,
    ]


def test_a_peer_that_sends_without_end_does_not_hold_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between any two turns of the loop a call reads a few portions, however much waits: the loop turns all the while."""
    monkeypatch.setattr("prober.probes.http.MOST", 6_000_000)
    most, turn = 0, 0

    with http_peer("endless_body") as peer:

        async def work(engines: Engines) -> Observation:
            real = Connection.receive

            def counted(self: Connection) -> bytes | None:
                nonlocal most, turn
                data = real(self)
                turn += len(data or b"")
                most = max(most, turn)
                return data

            def new_turn() -> None:
                nonlocal turn
                turn = 0
                engines.loop.call_soon(new_turn)

            monkeypatch.setattr(Connection, "receive", counted)
            new_turn()
            return observation_of(await one(engines.loop, engines.api(endpoint(peer, tmp_path))))

        seen = on_a_loop(work)
    assert seen.received > 6_000_000
    assert most <= seen.received / 5


# transcripts


def test_a_transcript_is_bounded_and_holds_both_sides(tmp_path: Path) -> None:
    async def talk(line: Line) -> None:
        await line.hear()
        await line.say(b"HTTP/1.1 500 Oops\r\nContent-Length: 50000\r\n\r\n" + b"y" * 50_000)

    with http_peer(talk) as peer:
        log = calls(peer, tmp_path, method="POST", body="x" * 50_000)[0].transcript()
    assert sum(len(data) for _, _, data in log) == TRANSCRIPT
    assert log[0][1:] == (">", log[0][2])
    assert any(direction == "<" and data.startswith(b"HTTP/1.1 500") for _, direction, data in log)
    assert [at for at, _, _ in log] == sorted(at for at, _, _ in log)


def test_no_secret_of_the_request_is_in_a_transcript(tmp_path: Path) -> None:
    with http_peer("503") as peer:

        async def work(engines: Engines) -> Call:
            engines = engines.like(lambda text: text.replace("open sesame", "***"))
            settings = {"method": "POST", "body": "key=open sesame", "headers": {"Authorization": "open sesame"}}
            return await one(engines.loop, engines.api(endpoint(peer, tmp_path, **settings)))

        made = on_a_loop(work)
        assert peer.requests[0].headers["authorization"] == "open sesame"
    sent = b"".join(data for _, direction, data in made.transcript() if direction == ">")
    assert b"Authorization: ***" in sent
    assert b"key=***" in sent
    assert b"sesame" not in sent


def test_no_login_is_in_a_transcript(tmp_path: Path) -> None:
    with smtp_peer(tls="starttls") as peer:
        made = smtp_calls(peer, tmp_path)[0]
    text = b"".join(data for _, _, data in made.transcript())
    assert b"STARTTLS" in text
    assert b"AUTH " in text
    for secret in (PASSWORD.encode(), b"AHByb2JlAG9wZW4gc2VzYW1l"):
        assert secret not in text


def test_after_starttls_the_connection_is_verified_and_its_phases_are_in_order(tmp_path: Path) -> None:
    with smtp_peer(tls="starttls") as peer:
        made = smtp_calls(peer, tmp_path)[0]
        assert peer.received[0].encrypted
    seen = observation_of(made)
    assert (seen.verified, seen.tls_version, seen.cert_expiry > 0) == (True, "TLSv1.3", True)
    assert made.cert_expiry == seen.cert_expiry
    assert seen.phases[2] == -1, "no TLS from the start"
    assert all(took >= 0 for took in (*seen.phases[:2], *seen.phases[3:11])), seen.phases
    assert seen.phases[5] > 0, "the phase starttls holds the handshake"


def test_a_farewell_is_given_no_more_than_its_time(tmp_path: Path) -> None:
    with smtp_peer() as peer:

        async def work(engines: Engines) -> None:
            wanted: SmtpEndpoint = smtp_endpoint(peer, login=None)
            made = await one(engines.loop, engines.smtp(wanted))
            assert observation_of(made).code == 250
            engines.reactor.sweep(monotonic_ns())
            await until(lambda: engines.reactor.sockets == 0)  # the server has answered QUIT
            engines.reactor.sweep(monotonic_ns())

        on_a_loop(work)
        assert peer.commands[-1] == b"QUIT\r\n"


def test_a_control_only_connects(tmp_path: Path) -> None:
    conversation = TcpConversation(lambda data, shown=None: None)
    assert conversation.resumed(0) == conversation.secured(0) == conversation.feed(b"", 0) == conversation.closed(0)
    with http_peer("hang_before_headers") as peer:

        async def work(engines: Engines) -> Observation:

            control = Control.model_validate({"name": "c", "tcp": f"127.0.0.1:{peer.port}"})
            return observation_of(await one(engines.loop, engines.control(control)))

        seen = on_a_loop(work)
    assert (seen.stage, seen.trouble, seen.sent, seen.received) == (Stage.DONE, None, 0, 0)


@pytest.mark.parametrize(("tls", "stage"), [("none", Stage.HEADERS), ("good", Stage.TLS)])
def test_a_connection_that_is_reset_before_we_look_had_stood(tmp_path: Path, tls: str, stage: Stage) -> None:
    """A busy machine learns of the connection and of its reset at once: it was not a refusal."""
    with http_peer(tls=tls) as peer:

        async def work(engines: Engines) -> Observation:
            ended: asyncio.Future[Call] = engines.loop.create_future()
            made = engines.api(endpoint(peer, tmp_path)).call(ended.set_result, full=True)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("prober.probes.wire.connect_error", lambda _sock: errno.ECONNRESET)
                made.start(monotonic_ns(), UTC)
                return observation_of(await ended)

        seen = on_a_loop(work)
    assert (seen.trouble, seen.stage) == (Trouble.RESET, stage)
    assert classify(seen).reason == ("tls_dropped" if tls == "good" else "connection_reset")
