"""One exchange through httpx, in its thread: what is sent, what is seen of it, and its errors as the rules' Trouble."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Awaitable, Iterator
from contextvars import ContextVar
from functools import reduce
from typing import TYPE_CHECKING, Any

import httpx

from prober.aside import aside
from prober.probes.coding import undone
from prober.probes.connection import expiry_of, show_address
from prober.probes.errors import os_trouble, says_more, tls_trouble
from prober.probes.http import BODY, MOST
from rules.model import HTTP_PHASES, Stage, Trouble

if TYPE_CHECKING:
    from prober.probes.httpx_engine import HttpxProbe

_RESOLVE, _CONNECT, _TLS, _PROCESSING, _TRANSFER = range(5)
_VERSIONS = {"HTTP/2": 2.0, "HTTP/1.1": 1.1, "HTTP/1.0": 1.0}
_START = b"HTTP/"  # RFC 9112, 4: how the first bytes of a response begin
_SHOWN = 4096  # bytes of a body in the transcript
_GOAWAY, _RST_STREAM = "<ConnectionTerminated", "<StreamReset"  # how httpcore tells of these frames of HTTP/2


class NotHttpError(Exception):
    """The first bytes of a connection begin no response."""


def _listen(stream: Any) -> None:
    """Look at the first bytes that come over httpcore's `stream`: h11 takes anything for a start, and waits for the rest."""
    tls = stream.get_extra_info("ssl_object")
    if tls is not None and tls.selected_alpn_protocol() == "h2":
        return
    receive, first = stream.read, b""

    async def read(max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        nonlocal first
        data: bytes = await receive(max_bytes, timeout)
        if len(first) < len(_START):
            first += data[: len(_START)]
            if not _START.startswith(first[: len(_START)]):
                raise NotHttpError(f"no response begins with {data[:20]!r}")
        return data

    stream.read = read


class Seen:
    """What the thread sees of a call; written there, read after its end (or at its deadline, as far as it has come).

    `tunnel`: the request goes through a tunnel of the user's proxy, so that TLS with the proxy is not TLS with the server.
    """

    def __init__(self, *, tunnel: bool = False) -> None:
        self.tunnel = tunnel
        self.stage = Stage.PROXY if tunnel else Stage.CONNECT
        self.marks = [0] * len(HTTP_PHASES)
        self.trouble: Trouble | None = None
        self.detail = ""
        self.ended = 0
        self.code = 0
        self.text = ""
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = b""
        self.received = 0
        self.fresh = False
        self.answered = False  # over this connection, in this call
        self.sent = False
        self.secure = False
        self.peer = ""
        self.local = ""
        self.cert_expiry = 0
        self.tls_version = ""
        self.version = 0.0
        self.redirected = False
        self.notes: list[tuple[int, str, bytes]] = []
        self.streams: list[Any] = []  # of connections begun in this call

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """Events of httpcore's `trace` extension (`connection.connect_tcp.started`), in the end of a redirect's last hop."""
        now = time.monotonic_ns()
        source, name, moment = event.split(".", 2)
        began = moment == "started"
        if name == "connect_tcp":
            self._connecting(now, began=began, done=moment == "complete")
            if moment == "complete":
                self.streams.append(info["return_value"])
                _listen(info["return_value"])
        elif name == "start_tls":
            self._securing(now, source, began=began, done=moment == "complete")
            if moment == "complete":
                _listen(info["return_value"])
        elif self.tunnel and not self.secure and self.fresh:
            return  # the CONNECT and its answer: between us and the proxy
        elif name == "send_request_headers" and began:
            self.fresh, self.answered = (
                self.fresh and not self.answered,
                False,
            )  # a redirect's next hop, over the same one
            self.sent = False
            self.stage = Stage.SEND
        elif name == "send_request_body" and moment == "complete":
            self.sent = True
            self.stage = Stage.HEADERS
        elif name == "receive_response_headers" and moment == "complete":
            self.stage = Stage.BODY
            self.answered = True
            self.marks[_PROCESSING] = now

    def _connecting(self, now: int, *, began: bool, done: bool) -> None:
        if began:
            self.fresh, self.secure, self.answered = True, False, False
            self.stage = Stage.PROXY if self.tunnel else Stage.CONNECT
        elif done:
            self.marks[_RESOLVE] = self.marks[_RESOLVE] or now  # nothing was to be resolved
            self.marks[_CONNECT] = now

    def _securing(self, now: int, source: str, *, began: bool, done: bool) -> None:
        if self.tunnel and source != "proxy":
            return
        if began:
            self.stage = Stage.TLS
        elif done:
            self.secure = True
            self.marks[_TLS] = now

    def lines(self, begun: int) -> Iterator[tuple[int, str, bytes]]:
        for at, direction, data in list(self.notes):
            yield at - begun, direction, data


#: The call that this task of the thread makes.
_calling: ContextVar[Seen] = ContextVar("_calling")


class Loop(asyncio.SelectorEventLoop):
    """The thread's loop. It tells a call that waits for the DNS from one that waits for the server: httpcore does not."""

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        seen = _calling.get(None)
        if seen is None or seen.stage is not Stage.CONNECT:
            return await _look_up(*args, **kwargs)
        seen.stage = Stage.RESOLVE
        found = await _look_up(*args, **kwargs)
        seen.stage, seen.marks[_RESOLVE] = Stage.CONNECT, time.monotonic_ns()
        return found


def _look_up(*args: Any, **kwargs: Any) -> Awaitable[Any]:
    return aside(lambda: socket.getaddrinfo(*args, **kwargs), "name")


async def exchange(probe: "HttpxProbe", seen: Seen, address: str | None, patience: float | None = None) -> None:
    """Send the probe's request and receive the answer; `address`: where to, instead of where the host's name leads.

    `patience`: seconds that connecting, and TLS, may take; None: as long as the call lasts. What goes wrong is in `seen`
    afterwards; only being cancelled is raised.
    """
    _calling.set(seen)
    try:
        await _exchange(probe, seen, address, patience)
    except asyncio.CancelledError:
        for stream in seen.streams:  # httpcore forgets a connection that is cancelled in its handshake
            with contextlib.suppress(OSError):
                await stream.aclose()
        raise
    except (httpx.TooManyRedirects, httpx.UnsupportedProtocol) as error:  # the latter: to what no HTTP client follows
        seen.trouble, seen.detail = Trouble.REDIRECT_LOOP, str(error)
    except httpx.ProxyError as error:
        seen.trouble, seen.detail = Trouble.PROXY, str(error)
    except Exception as error:  # noqa: BLE001 - what none of us has thought of is our own defect, not the vendor's silence
        seen.trouble, seen.detail = _trouble(error)


async def _exchange(probe: "HttpxProbe", seen: Seen, address: str | None, patience: float | None) -> None:
    client = probe.client()
    endpoint = probe.endpoint
    url = httpx.URL(endpoint.url)
    headers = probe.headers
    name = endpoint.sni
    if address is not None:
        headers = {"Host": url.netloc.decode("ascii")} | headers
        name = name or url.host
        url = url.copy_with(host=address)
    try:
        request = client.build_request(
            endpoint.method,
            url,
            headers=headers,
            content=endpoint.body.encode() if endpoint.body else None,
            timeout=httpx.Timeout(None, connect=patience),
            extensions={"trace": seen.trace} | ({"sni_hostname": name} if name else {}),
        )
        seen.notes.append((time.monotonic_ns(), ">", f"{request.method} {request.url}\r\n".encode()))
        response = await client.send(request, stream=True)
        try:
            await _receive(response, seen)
        finally:
            await response.aclose()
    finally:
        if endpoint.connection != "reuse":
            await client.aclose()


async def _receive(response: httpx.Response, seen: Seen) -> None:
    seen.code = response.status_code
    seen.text = response.reason_phrase
    seen.redirected = bool(response.history)
    seen.version = _VERSIONS.get(response.http_version, 0.0)
    seen.headers = tuple((name.lower(), value) for name, value in response.headers.multi_items())
    head = f"{response.http_version} {response.status_code} {response.reason_phrase}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in seen.headers)
    seen.notes.append((time.monotonic_ns(), "<", head.encode("utf-8", "replace")))
    stream = response.extensions.get("network_stream")
    if stream is not None:
        seen.peer = show_address(stream.get_extra_info("server_addr"))
        seen.local = show_address(stream.get_extra_info("client_addr"))
        tls = stream.get_extra_info("ssl_object")
        seen.secure = tls is not None
        if tls is not None:
            seen.cert_expiry, seen.tls_version = expiry_of(tls), tls.version() or ""
    async for chunk in response.aiter_raw():
        if len(seen.body) < BODY:
            seen.body += chunk[: BODY - len(seen.body)]
        seen.received += len(chunk)
        if seen.received > MOST:
            break
    seen.body = undone(seen.body, response.headers.get("content-encoding", ""), BODY)
    seen.notes.append((time.monotonic_ns(), "<", seen.body[:_SHOWN]))
    seen.marks[_TRANSFER] = time.monotonic_ns()


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what is behind it, nearest first; groups (of several addresses tried) opened."""
    met: set[int] = set()
    waiting = [error]
    while waiting:
        this = waiting.pop(0)
        if this is None or id(this) in met:
            continue
        met.add(id(this))
        yield this
        if isinstance(this, BaseExceptionGroup):
            waiting += this.exceptions
        waiting += [this.__cause__, this.__context__]


_DNS: dict[int, Trouble] = {
    socket.EAI_NONAME: Trouble.DNS_NXDOMAIN,
    socket.EAI_NODATA: Trouble.DNS_NO_ADDRESS,
    socket.EAI_AGAIN: Trouble.DNS_SERVFAIL,
}


def _addresses_tried(error: BaseException) -> list[tuple[Trouble, str]]:
    """What each of a name's addresses failed by, where this is the group of their errors."""
    errors = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return [os_trouble(this.errno) for this in errors if isinstance(this, OSError) and this.errno]


def _trouble(error: BaseException) -> tuple[Trouble, str]:
    """What httpx raised, as the rules' Trouble: by what the socket or TLS said underneath where that is known."""
    if isinstance(error, httpx.ConnectTimeout):  # our own patience with this address, whatever it was waiting for
        return Trouble.TIMEOUT, "ETIMEDOUT"
    for cause in _causes(error):
        if tried := _addresses_tried(cause):
            return reduce(lambda best, this: this if says_more(this[0], best[0]) else best, tried)
        if isinstance(cause, ssl.SSLError):
            return tls_trouble(cause)
        if isinstance(cause, socket.gaierror):
            return _DNS.get(cause.errno or 0, Trouble.DNS_FAILED), str(cause.strerror)
        if isinstance(cause, OSError) and cause.errno:
            return os_trouble(cause.errno)
    text = str(error) or type(error).__name__
    if isinstance(error, NotHttpError):
        return Trouble.MALFORMED, text
    if isinstance(error, httpx.RemoteProtocolError):
        return _protocol_trouble(text), text
    if isinstance(error, (httpx.ReadError, httpx.WriteError)):
        return Trouble.RESET, text
    if isinstance(error, (httpx.ConnectError, httpx.CloseError)):
        return Trouble.CLOSED, text  # the peer went in the handshake: a refusal has its errno
    if isinstance(error, httpx.DecodingError):
        return Trouble.MALFORMED, text
    return Trouble.ENGINE, f"{type(error).__name__}: {error}"


def _protocol_trouble(text: str) -> Trouble:
    """What httpcore says when what the server sent is not what its protocol wants then."""
    if text.startswith(_GOAWAY):  # RFC 9113, 6.8: the server ends the connection
        return Trouble.CLOSED
    if text.startswith(_RST_STREAM):  # RFC 9113, 6.4
        return Trouble.RESET
    if "too long" in text:
        return Trouble.TOO_LARGE
    cut = "disconnected" in text or "closed" in text or "incomplete" in text
    return Trouble.CLOSED if cut else Trouble.MALFORMED
