"""The HTTP server against clients that mean no good: on a real socket, with bounds small enough to be met."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import pytest
import uvloop
from asking import Desk
from test_web_metrics import crowd
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from prober.serve import _is_no_end_of_ours
from prober.web import server as web
from prober.web.server import WebServer
from prober.web.view import View


@asynccontextmanager
async def served(desk: Desk) -> AsyncIterator[WebServer]:
    """The application on a port of loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = WebServer(desk.app)
    serving = asyncio.create_task(server.serve([listener]))
    await server.listening.wait()
    try:
        yield server
    finally:
        server.should_exit = True
        await serving


def on_a_server(work: Callable[[int, WebServer], Awaitable[None]], view: View | None = None) -> None:
    async def serve() -> None:
        desk = Desk()
        if view is not None:
            desk.show(view)
        async with served(desk) as server:
            async with asyncio.timeout(60):
                await work(server.servers[0].sockets[0].getsockname()[1], server)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


async def said(port: int, request: bytes) -> bytes:
    """What the server says to these bytes until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await rest(reader)
    writer.close()
    return answer


async def rest(reader: asyncio.StreamReader) -> bytes:
    """What still comes until the server closes, or cuts the connection off."""
    answer = bytearray()
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            answer += data
    return bytes(answer)


async def healthy(port: int) -> bool:
    answer = await said(port, b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    return answer.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"\r\n",
        b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx",
    ],
    ids=["nothing", "half a head", "blank lines", "half a body"],
)
def test_a_request_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(web, "REQUEST_WITHIN", 0.2)

    async def work(port: int, server: WebServer) -> None:
        assert b" 200 " not in await said(port, sent)
        assert await healthy(port)

    on_a_server(work)


def test_a_request_that_trickles_is_cut_off_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "REQUEST_WITHIN", 0.3)

    async def work(port: int, server: WebServer) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        gone = asyncio.create_task(reader.read())
        writer.write(b"GET / HTTP/1.1\r\n")
        trickled = 0
        while not gone.done():
            writer.write(b"a: b\r\n")
            trickled += 1
            await asyncio.wait((gone,), timeout=0.02)
        assert trickled < 100
        writer.close()

    on_a_server(work)


def test_a_kept_connection_gets_a_deadline_for_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "REQUEST_WITHIN", 0.5)

    async def work(port: int, server: WebServer) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in await reader.readuntil(b"Healthy.\n")
        writer.write(b"GET /-/healthy HTTP/1.1\r\n")
        assert await rest(reader) == b""
        writer.close()

    on_a_server(work)


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 100_000, b"GET /" + b"a" * 1_000_000])
def test_an_endless_head_is_refused_before_it_fills_the_memory(head: bytes) -> None:
    async def work(port: int, server: WebServer) -> None:
        answer = await said(port, head)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")  # what lies unread at the close may cut it off
        assert await healthy(port)

    on_a_server(work)


def test_a_head_that_is_too_large_is_told_so() -> None:
    async def work(port: int, server: WebServer) -> None:
        answer = await said(port, b"GET / HTTP/1.1\r\nx: " + b"y" * (web.LARGEST_HEAD + 1))
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert answer.endswith(b"\r\n\r\nThe head is too large.\r\n")

    on_a_server(work)


def test_who_does_not_read_the_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "ANSWER_WITHIN", 0.2)

    async def work(port: int, server: WebServer) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", port))
            await loop.sock_sendall(sock, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * web.WAITING)
            while not server.server_state.connections:  # noqa: ASYNC110 - uvicorn's set tells nobody
                await asyncio.sleep(0.01)
            while server.server_state.connections:  # noqa: ASYNC110 - uvicorn's set tells nobody
                await asyncio.sleep(0.01)
        assert await healthy(port)

    on_a_server(work, crowd(1000))


def test_who_reads_slowly_gets_the_whole_answer_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "ANSWER_WITHIN", 1.0)

    async def work(port: int, server: WebServer) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        requests = 10
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * (requests - 1))
        writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await rest(reader)
        assert answer.count(b"HTTP/1.1 200 OK\r\n") == requests
        assert answer.endswith(b"Healthy.\n")
        writer.close()

    on_a_server(work, crowd(1000))


def test_who_sends_more_requests_than_can_wait_is_refused() -> None:
    async def work(port: int, server: WebServer) -> None:
        answer = await said(port, b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n" * 5000)
        assert answer.count(b"HTTP/1.1 200 OK\r\n") <= web.WAITING
        assert await healthy(port)

    on_a_server(work)


async def alive(connections: Iterable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> list[int]:
    """Which of these the server still answers, each asked in turn; all are closed."""
    answers = []
    for number, (reader, writer) in enumerate(connections):
        writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        if b"200 OK" in await rest(reader):
            answers.append(number)
        writer.close()
    return answers


def test_the_longest_idle_connections_make_way_for_new_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MOST", 5)

    async def work(port: int, server: WebServer) -> None:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        assert await healthy(port)
        assert await alive(idle) == [16, 17, 18, 19], "one made way for the request before"

    on_a_server(work)


def test_connections_that_come_all_at_once_are_no_more_than_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MOST", 5)

    async def work(port: int, server: WebServer) -> None:
        burst = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]  # they wait for one step of the loop
        assert await alive([await asyncio.open_connection(sock=each) for each in burst]) == [15, 16, 17, 18, 19]

    on_a_server(work)


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\nx",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * (web.WAITING - 1),
    ],
    ids=["who sends half a body", "who does not read"],
)
def test_clients_that_are_waited_for_keep_nobody_out(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    """As many as there may be, none of them idle: a supervisor that asks for our health must not take us for dead."""
    monkeypatch.setattr(web, "MOST", 3)

    async def work(port: int, server: WebServer) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as slow:
            for _ in range(web.MOST):
                sock = slow.enter_context(socket.socket())
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.setblocking(False)
                await loop.sock_connect(sock, ("127.0.0.1", port))
                await loop.sock_sendall(sock, sent)
            while sum(map(held_up, server.server_state.connections)) < web.MOST:  # noqa: ASYNC110 - uvicorn's set tells nobody
                await asyncio.sleep(0.01)
            assert await healthy(port)

    on_a_server(work, crowd(1000))


def held_up(connection: object) -> bool:
    """Whether a connection is in the midst of a request that does not come, or of an answer that nobody reads."""
    assert isinstance(connection, web.Guarded)
    cycle: RequestResponseCycle | None = connection.cycle
    return cycle is not None and (cycle.more_body or connection.transport.get_write_buffer_size() > 0)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET //evil.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        b"GET http://evil.example/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"GET /%00%ff HTTP/1.1\r\nHost: <script>\r\nConnection: close\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close, upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"CONNECT evil.example:80 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00" * 100,
    ],
)
def test_junk_does_no_harm(request_: bytes) -> None:
    async def work(port: int, server: WebServer) -> None:
        answer = await said(port, request_)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
        head = answer.partition(b"\r\n\r\n")[0].lower()
        assert b"evil.example" not in answer
        assert b"location:" not in head
        assert b"server:" not in head
        assert b"traceback" not in answer.lower()
        assert await healthy(port)

    on_a_server(work)


def test_who_goes_away_in_the_midst_of_a_form_is_told_as_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def work(port: int, server: WebServer) -> None:
        for path in (b"/login", b"/logout", b"/incidents/x/enter/ack"):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            writer.write(head % path + b"Content-Length: 9\r\n\r\nx")
            while not any(map(held_up, server.server_state.connections)):  # noqa: ASYNC110 - uvicorn's set tells nobody
                await asyncio.sleep(0.01)
            writer.close()
            while server.server_state.tasks:  # noqa: ASYNC110 - uvicorn's set tells nobody
                await asyncio.sleep(0.01)
        assert await healthy(port)

    on_a_server(work)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_the_address_that_a_client_claims_is_not_believed() -> None:
    async def work(port: int, server: WebServer) -> None:
        forged = b"POST /-/reload HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 127.0.0.1\r\nConnection: close\r\n\r\n"
        assert b" 403 " in await said(port, forged)

    on_a_server(work)


def test_an_answer_that_ends_with_the_program_is_told_as_no_error() -> None:
    """uvicorn says so with a traceback, of a /probe that still waits for its target when we are told to stop."""

    def told(message: str, error: BaseException | None = None) -> bool:
        why = (type(error), error, None) if error is not None else None
        return _is_no_end_of_ours(logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, message, (), why))

    assert not told("Cancel %s running task(s), timeout graceful shutdown exceeded")
    assert not told("Exception in ASGI application\n", asyncio.CancelledError())
    assert told("Exception in ASGI application\n", ValueError())
    assert told("Exception in ASGI application\n")
