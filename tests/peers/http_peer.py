"""An HTTP server on loopback that behaves well, or misbehaves by name (`BEHAVIOURS`), in plain text or with TLS.

It runs in a thread with an event loop of its own, so that the program under test may be in the same process or another:

    with http_peer("hang_in_body") as peer:
        ...  # peer.url, peer.port, peer.requests

How its TLS fails is said apart (`TLS`): http_peer(tls="expired").
"""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import trustme

from tests.peers.certificates import Certificates

#: How a server's TLS is, "none" for plain text.
TLS = (
    "none",
    "good",
    "expired",
    "not_yet_valid",
    "wrong_host",
    "unknown_issuer",
    "self_signed",
    "plain_text",  # answers in plain text
    "silent",  # takes the ClientHello and says nothing
    "closes",  # takes the ClientHello and closes
    "resets",  # takes the ClientHello and resets
    "nothing_in_common",  # offers no cipher that the client has
    "client_certificate",  # demands one of its own authority
)
OK = b"HTTP/1.1 200 OK\r\nX-State: up\r\nContent-Length: 17\r\n\r\n" + b'{"state": "good"}'


class HangupError(Exception):
    """The dialogue is over: the connection is to be closed."""


@dataclass(frozen=True)
class Request:
    """What the server heard. Header names in lower case; `server_name` is TLS's (SNI)."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int  # which of the server's connections
    server_name: str | None = None


@dataclass
class Line:
    """One connection as a behaviour sees it."""

    peer: "HttpPeer"
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    heard: list[Request] = field(default_factory=list)

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        try:
            await self.writer.drain()
        except OSError as e:
            raise HangupError from e

    async def hear(self) -> Request:
        """The next request, whole."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").rstrip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        except (asyncio.IncompleteReadError, OSError) as e:
            raise HangupError from e
        method, target, _ = first.split(" ", 2)
        tls = self.writer.get_extra_info("ssl_object")
        name = self.peer.names.get(id(tls)) if tls is not None else None
        request = Request(method, target, headers, body, self.number, name)
        self.heard.append(request)
        self.peer.requests.append(request)
        return request

    async def wait_for_the_end(self) -> None:
        """Say nothing more until the client has gone."""
        with contextlib.suppress(OSError):
            while await self.reader.read(65_536):
                pass
        raise HangupError

    async def close(self) -> None:
        """Close with FIN, whatever the client still sends."""
        with contextlib.suppress(OSError):
            if self.writer.can_write_eof():
                self.writer.write_eof()
                await self.wait_for_the_end()
        raise HangupError

    def reset(self) -> None:
        """Close with RST."""
        reset(self.writer.get_extra_info("socket"))
        self.writer.transport.abort()
        raise HangupError


def reset(sock: socket.socket) -> None:
    """Make the next close a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


#: What is done about a connection: all of it, unless it returns; then the next request is heard.
Act = Callable[[Line], Awaitable[None]]


def status(code: int, reason: str = "", *headers: str, body: bytes = b"") -> Act:
    """Answer every request so."""
    lines = [f"HTTP/1.1 {code} {reason}", *headers, f"Content-Length: {len(body)}"]
    return answers("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def answers(data: bytes) -> Act:
    async def act(line: Line) -> None:
        request = await line.hear()
        if request.method == "HEAD":
            await line.say(data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        else:
            await line.say(data)
        if request.headers.get("connection") == "close":
            await line.close()

    return act


def says(data: bytes, then: Callable[[Line], Awaitable[None]]) -> Act:
    """Hear the request, say `data`, and then."""

    async def act(line: Line) -> None:
        await line.hear()
        await line.say(data)
        await then(line)

    return act


async def hang(line: Line) -> None:
    await line.wait_for_the_end()


async def close(line: Line) -> None:
    await line.close()


async def resets(line: Line) -> None:
    await asyncio.sleep(0.15)  # what was said before must have been read by the client: RST overtakes it
    line.reset()


async def cut(line: Line) -> None:
    """Close the socket as a machine that crashes does: TLS without close_notify."""
    await asyncio.sleep(0.02)
    line.writer.transport.abort()
    raise HangupError


def trickle(data: bytes) -> Callable[[Line], Awaitable[None]]:
    """Say the same for ever, a byte at a time."""

    async def act(line: Line) -> None:
        while True:
            for byte in data:
                await line.say(bytes([byte]))
                await asyncio.sleep(0.01)

    return act


def endless(data: bytes, times: int | None = None) -> Callable[[Line], Awaitable[None]]:
    """Say the same for ever as fast as the client takes it."""

    async def act(line: Line) -> None:
        said = 0
        while times is None or said < times:
            await line.say(data)
            line.peer.said += len(data)
            await asyncio.sleep(0)  # drain() may never wait
            said += 1
        await line.close()

    return act


async def never_read(line: Line) -> None:
    """Accept, and take nothing off the socket."""
    line.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads
    await line.peer.stopped()
    raise HangupError


async def close_at_once(line: Line) -> None:
    await line.close()


async def early_413(line: Line) -> None:
    """Refuse after the headers and go away while the body is still on its way."""
    await line.reader.readuntil(b"\r\n\r\n")
    await line.say(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    raise HangupError  # with the body unread, this resets


async def answers_without_reading(line: Line) -> None:
    """Answer after the headers, and leave the body where it is."""
    await line.reader.readuntil(b"\r\n\r\n")
    await line.say(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
    await never_read(line)


async def dies_between(line: Line) -> None:
    """Keep the connection, as the answer says, and close it all the same."""
    await line.hear()
    await line.say(OK)
    await line.close()


async def dies_later(line: Line) -> None:
    """Keep the connection, and close it after a moment of idleness."""
    await line.hear()
    await line.say(OK)
    await asyncio.sleep(0.1)
    await line.close()


async def dies_during(line: Line) -> None:
    """Answer a connection's first request; close without a byte when the second one comes."""
    await line.hear()
    if len(line.heard) > 1:
        await line.close()
    await line.say(OK)


async def hangs_during(line: Line) -> None:
    """Answer a connection's first request, and none after it."""
    await line.hear()
    if len(line.heard) > 1:
        await line.wait_for_the_end()
    await line.say(OK)


async def redirect(line: Line) -> None:
    request = await line.hear()
    if request.target == "/there":
        await line.say(OK)
    else:
        await line.say(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n")


async def tunnel(line: Line) -> None:
    """A proxy that does what CONNECT asks, and answers plain requests itself."""
    request = await line.hear()
    if request.method != "CONNECT":
        await line.say(OK)
        await line.close()
    host, _, port = request.target.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    await line.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
    try:
        await asyncio.gather(_pump(line.reader, writer), _pump(reader, line.writer))
    finally:
        writer.close()
    raise HangupError


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


JUNK = bytes(range(128, 256)) * 4
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
NO_LENGTH = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
HALF = b"HTTP/1.1 200 OK\r\nX-Half: "
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
SPARKPOST = b'{"errors": [{"message": "server resources unavailable", "code": "1502"}]}'
BIRD = b'{"error": {"type": "internal_error", "code": "internal", "message": "oops"}}'

BEHAVIOURS: Mapping[str, Act] = {
    # good ones
    "healthy": answers(OK),
    "chunked": answers(CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
    "chunked_with_trailers": answers(CHUNKED + b"5;ext=1\r\nhello\r\n0\r\nX-Trailer: late\r\nX-State: up\r\n\r\n"),
    "close_delimited": says(NO_LENGTH + b"hello", close),
    "bare_lf": answers(b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"),
    "folded_header": answers(b"HTTP/1.1 200 OK\r\nX-State: up\r\n and running\r\nContent-Length: 5\r\n\r\nhello"),
    "http_1_0": says(b"HTTP/1.0 200 OK\r\n\r\nhello", close),
    "interim": answers(INTERIM + OK),
    "no_content": answers(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "no_reason_phrase": answers(b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"),
    "body_in_pieces": says(LENGTH + b"x" * 30, lambda line: _then(line, b"y" * 70)),
    "two_responses": answers(OK + b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"),
    # statuses
    **{
        str(code): status(code, "Reason")
        for code in (
            *(301, 400, 401, 403, 404, 408, 420, 421, 425, 500, 501, 502, 503, 504, 505, 507, 508, 511),
            *(520, 521, 522, 523, 524, 525, 526, 529, 530, 598, 599),
        )
    },
    "400_sparkpost_1502": status(400, "Bad Request", "Content-Type: application/json", body=SPARKPOST),
    "429": status(429, "Too Many Requests", "Retry-After: 7"),
    "503_retry_after": status(503, "Service Unavailable", "Retry-After: 7"),
    "503_maintenance": status(503, "Service Unavailable", "Retry-After: 7", body=b"planned maintenance"),
    **{f"{code}_cf_ray": status(code, "Cloudflare", "CF-RAY: 8a-FRA") for code in (520, 521, 523, 525, 526, 530)},
    "200_bird_internal_error": status(200, "OK", body=BIRD),
    "520_cf_ray_then_hang": says(b"HTTP/1.1 520 X\r\nCF-RAY: 8a-FRA\r\nContent-Length: 9\r\n\r\nx", hang),
    "500_then_hang": says(b"HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nx", hang),
    # silence
    "hang_before_headers": says(b"", hang),
    "hang_in_headers": says(HALF, hang),
    "hang_in_body": says(LENGTH + b"x", hang),
    "never_reads": never_read,
    "trickle_headers": says(HALF, trickle(b"x")),
    "trickle_body": says(CHUNKED, trickle(b"1\r\nx\r\n")),
    # ends that come too early
    "reset_before_headers": says(b"", resets),
    "reset_in_headers": says(HALF, resets),
    "reset_after_headers": says(LENGTH, resets),
    "reset_in_body": says(LENGTH + b"x", resets),
    "reset_in_close_delimited": says(NO_LENGTH + b"x", resets),
    "close_at_once": close_at_once,
    "close_before_headers": says(b"", close),
    "close_in_headers": says(HALF, close),
    "truncated_length": says(LENGTH + b"x", close),
    "truncated_chunked": says(CHUNKED + b"5\r\nhello\r\n", close),
    "truncated_chunk": says(CHUNKED + b"5\r\nhe", close),
    "cut_close_delimited": says(NO_LENGTH + b"hello", cut),
    "early_413": early_413,
    "answers_without_reading": answers_without_reading,
    # what is no HTTP
    "malformed_status_line": says(b"HTTP/1.1 twohundred OK\r\n\r\n", hang),
    "malformed_header": says(b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", hang),
    "malformed_chunk": says(CHUNKED + b"zz\r\n", hang),
    "two_lengths": says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", hang),
    "binary_junk": says(JUNK, hang),
    "http_0_9": says(b"<html>hello</html>\r\n", close),
    "smtp": says(b"220 mx.example ESMTP\r\n", hang),
    # size
    "huge_headers": answers(b"HTTP/1.1 200 OK\r\n" + b"X-More: " + b"x" * 200_000 + b"\r\nContent-Length: 0\r\n\r\n"),
    "endless_headers": says(b"HTTP/1.1 200 OK\r\n", endless(b"X-More: " + b"x" * 1000 + b"\r\n")),
    "endless_interim": says(b"", endless(INTERIM)),
    "endless_trailers": says(CHUNKED + b"0\r\n", endless(b"X-More: " + b"x" * 1000 + b"\r\n")),
    "endless_body": says(CHUNKED, endless(b"3e8\r\n" + b"x" * 1000 + b"\r\n")),
    "huge_body": says(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", endless(b"x" * 100_000, 1000)),
    # expectations that are not met are the test's
    # connections that are kept
    "dies_between": dies_between,
    "dies_later": dies_later,
    "dies_during": dies_during,
    "hangs_during": hangs_during,
    # elsewhere
    "redirect": redirect,
    "redirect_loop": status(302, "Found", "Location: /"),
    # proxies
    "proxy": tunnel,
    "proxy_refuses": status(403, "Forbidden"),
    "proxy_502": status(502, "Bad Gateway"),
}


async def _then(line: Line, data: bytes) -> None:
    await asyncio.sleep(0.02)
    await line.say(data)
    await line.close()


class HttpPeer:
    """The server. `requests` are what it heard; `connections` how many came; `said` what endless ones have sent."""

    def __init__(self, behaviour: Act, tls: str, certificates: Certificates, host: str) -> None:
        self.behaviour = behaviour
        self.tls = tls
        self.certificates = certificates
        self.host = host
        self.port = 0
        self.requests: list[Request] = []
        self.connections = 0
        self.said = 0
        self.names: dict[int, str | None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self.tls == 'none' else 'https'}://{host}:{self.port}/"

    # life

    async def serve(self, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.create_server((self.host, 0), family=family, backlog=100) as listener:
            listener.setblocking(False)
            self.port = listener.getsockname()[1]
            accepting = asyncio.create_task(self._accept(listener))
            started.set()
            await self._stop.wait()
            accepting.cancel()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(accepting, *self._tasks, return_exceptions=True)

    def stop(self) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)

    async def stopped(self) -> None:
        assert self._stop is not None
        await self._stop.wait()

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()  # not the loop's: cancelled in the wrong moment it would lose a socket
            except BlockingIOError:
                await _readable(listener)
                continue
            sock.setblocking(False)
            self.connections += 1
            task = asyncio.create_task(self._connected(sock, self.connections))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(partial(_shut, sock))  # also of one that is cancelled before it begins

    async def _connected(self, sock: socket.socket, number: int) -> None:
        try:
            await self._before_tls(sock)
            await self._dialogue(sock, number)
        except (HangupError, OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            sock.close()

    async def _before_tls(self, sock: socket.socket) -> None:
        """What happens to the handshake where TLS is to fail."""
        if self.tls in ("nothing_in_common", "client_certificate"):
            await asyncio.to_thread(self._with_alerts, sock)
            raise HangupError
        if self.tls not in ("plain_text", "silent", "closes", "resets"):
            return
        loop = asyncio.get_running_loop()
        await loop.sock_recv(sock, 65_536)
        if self.tls == "plain_text":
            await loop.sock_sendall(sock, b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        if self.tls == "resets":
            reset(sock)
        if self.tls in ("plain_text", "closes"):
            sock.shutdown(socket.SHUT_WR)
        if self.tls != "resets":
            while await loop.sock_recv(sock, 65_536):
                pass
        raise HangupError

    def _with_alerts(self, sock: socket.socket) -> None:
        """A handshake that says why it fails (asyncio's does not), and one answer if it does not fail."""
        sock.settimeout(10)
        try:
            tls = self.certificates.server(self.tls).wrap_socket(sock.dup(), server_side=True)
        except ssl.SSLError:
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65_536):  # closed with anything unread, the socket would reset, and RST overtakes the alert
                pass
            return
        with tls:
            tls.recv(65_536)
            tls.sendall(OK)

    async def _dialogue(self, sock: socket.socket, number: int) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=2**20)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock, ssl=self._context())
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        line = Line(self, reader, writer, number)
        try:
            while True:
                await self.behaviour(line)
        finally:
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await asyncio.wait_for(writer.wait_closed(), 1)
            writer.transport.abort()

    def _context(self) -> ssl.SSLContext | None:
        if self.tls == "none":
            return None
        context = self.certificates.server(self.tls)

        def named(tls: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            self.names[id(tls)] = name

        context.sni_callback = named
        return context


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sock, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sock)


def _shut(sock: socket.socket, _: asyncio.Task[None]) -> None:
    sock.close()


@contextlib.contextmanager
def http_peer(
    behaviour: str | Act = "healthy", *, tls: str = "none", authority: trustme.CA | None = None, host: str = "127.0.0.1"
) -> Iterator[HttpPeer]:
    """A running server; `authority` signs its certificate (default: one of its own, `peer.certificates.authority`)."""
    act = BEHAVIOURS[behaviour] if isinstance(behaviour, str) else behaviour
    peer = HttpPeer(act, tls, Certificates(authority or trustme.CA()), host)
    started = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(peer.serve(started)), name="http peer")
    thread.start()
    try:
        assert started.wait(10)
        yield peer
    finally:
        peer.stop()
        thread.join(10)


@contextlib.contextmanager
def closed_port(host: str = "127.0.0.1") -> Iterator[int]:
    """A port that refuses: it is bound, so that nobody else gets it, and nobody listens."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        sock.bind((host, 0))
        yield sock.getsockname()[1]


@contextlib.contextmanager
def blackhole(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A port that does not answer: its queue of connections that nobody accepts is full, so that Linux drops SYNs."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket(family))
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
