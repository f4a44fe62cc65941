"""Calls that are not on the wire path: HTTP/2, proxies and redirects, through httpx (`engine: httpx`).

httpx costs milliseconds of CPU a call, so that it runs on a thread and an event loop of its own; the measuring loop only hands
calls over and takes their ends. A fresh client and connection a call, as evidence wants them, unless `connection: reuse`.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx

from prober.probes.call import Call, phase_durations
from prober.probes.errors import os_trouble, tls_trouble
from prober.probes.http import BODY, Expectation
from prober.probes.target import context_for
from prober.settings import ApiEndpoint
from rules.model import HTTP_PHASES, Kind, Observation, Stage, Trouble

_RESOLVE, _CONNECT, _TLS, _PROCESSING, _TRANSFER = range(5)
_REDIRECTS = 20


class HttpxEngine:
    """The thread. `loop` is the measuring loop, on which calls begin and end."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.measuring = loop
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="httpx", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.close()

    def probe(self, endpoint: ApiEndpoint, markers: tuple[bytes, ...]) -> "HttpxProbe":
        return HttpxProbe(self, endpoint, markers)

    def close(self) -> None:
        """Stop the thread; calls in flight get no end."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(2.0)


class HttpxProbe:
    """Makes the calls of one endpoint."""

    def __init__(self, engine: HttpxEngine, endpoint: ApiEndpoint, markers: tuple[bytes, ...]) -> None:
        self.engine = engine
        self.endpoint = endpoint
        self.expectation = Expectation.of(endpoint.expect, markers)
        self.context = context_for(endpoint.ca, endpoint.client_cert, verify=endpoint.verify)
        self.headers = {name: value.get_secret_value() for name, value in endpoint.headers.items()}
        self.proxy = endpoint.proxy.get_secret_value() if endpoint.proxy else None
        self.proxy_host = urlsplit(self.proxy).hostname or "" if self.proxy else ""
        self._kept: httpx.AsyncClient | None = None

    def client(self) -> httpx.AsyncClient:
        """The client of one call, or the kept one."""
        if self.endpoint.connection == "reuse" and self._kept is not None:
            return self._kept
        client = httpx.AsyncClient(
            verify=self.context,
            http2=self.endpoint.http2,
            proxy=self.proxy,
            follow_redirects=self.endpoint.follow_redirects,
            max_redirects=_REDIRECTS,
            timeout=None,  # noqa: S113 - the measuring loop keeps one absolute deadline
            trust_env=False,
        )
        if self.endpoint.connection == "reuse":
            self._kept = client
        return client

    def call(self, done: Callable[[Call], None], *, full: bool = False) -> Call:
        return HttpxCall(self, done, full)

    def close(self) -> None:
        if self._kept is not None:
            asyncio.run_coroutine_threadsafe(self._kept.aclose(), self.engine.loop)
            self._kept = None


class HttpxCall(Call):
    """One call through httpx. What the other thread finds is brought over whole, in one callback."""

    __slots__ = ("_future", "_over", "_probe", "_seen")

    def __init__(self, probe: HttpxProbe, done: Callable[[Call], None], full: bool) -> None:
        super().__init__(done, full=full)
        self._probe = probe
        self._over = False
        self._future: Any = None
        self._seen = _Seen()

    def start(self, now: int, utc: int) -> None:
        self.begun, self.begun_utc = now, utc
        self._future = asyncio.run_coroutine_threadsafe(self._run(), self._probe.engine.loop)

    async def _run(self) -> None:
        seen, probe = self._seen, self._probe
        try:
            await _exchange(probe, seen)
        except httpx.TooManyRedirects as error:
            seen.trouble, seen.detail = Trouble.REDIRECT_LOOP, str(error)
        except httpx.ProxyError as error:
            seen.trouble, seen.detail = Trouble.PROXY, str(error)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ssl.SSLError) as error:
            seen.trouble, seen.detail = _trouble(error)
        seen.ended = time.monotonic_ns()
        with contextlib.suppress(RuntimeError):  # the measuring loop is closing: nobody waits for the end
            probe.engine.measuring.call_soon_threadsafe(self._end, seen.trouble, seen.detail, seen.ended)

    def _end(self, trouble: Trouble | None, detail: str, now: int) -> None:
        if self._over:
            return
        self._over = True
        self.ended = now
        seen = self._seen
        self.marks = seen.marks
        self.code = seen.code
        expectation = self._probe.expectation
        unmet = expectation.unmet(seen.code, seen.headers, seen.body) if trouble is None else None
        self.healthy = trouble is None and unmet is None
        if self.full or not self.healthy:
            self.observation = self._observe(trouble, detail, unmet)
        self.done(self)

    def expire(self, now: int) -> None:
        seen = self._seen
        if seen.ended and not self._over:  # it has ended, and only its message is still on the way
            self._end(seen.trouble, seen.detail, seen.ended)
            return
        self._future.cancel()
        self._end(Trouble.TIMEOUT, "", now)

    def cancel(self) -> None:
        self._over = True
        self._future.cancel()

    def _observe(self, trouble: Trouble | None, detail: str, unmet: str | None) -> Observation:
        seen, probe = self._seen, self._probe
        return Observation(
            kind=Kind.HTTP,
            stage=Stage.DONE if trouble is None else seen.stage,
            trouble=trouble,
            unmet=unmet,
            detail=detail[:200],
            code=seen.code,
            text=seen.text,
            headers=seen.headers,
            body=seen.body,
            fresh=seen.fresh,
            verified=seen.secure and probe.endpoint.verify,
            sent_whole=seen.stage in (Stage.HEADERS, Stage.BODY),
            proxied=probe.proxy_host,
            begun=self.begun_utc,
            ended=self.begun_utc + self.ended - self.begun,
            phases=phase_durations(self.begun, seen.marks),
            peer=seen.peer,
            local=seen.local,
            received=len(seen.body),
        )

    def transcript(self) -> list[tuple[int, str, bytes]]:
        return list(self._seen.lines(self.begun))


class _Seen:
    """What the thread sees of a call; written there, read after its end (or at its deadline, as far as it has come)."""

    def __init__(self) -> None:
        self.stage = Stage.CONNECT
        self.marks = [0] * len(HTTP_PHASES)
        self.trouble: Trouble | None = None
        self.detail = ""
        self.ended = 0
        self.code = 0
        self.text = ""
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = b""
        self.fresh = False
        self.secure = False
        self.peer = ""
        self.local = ""
        self.notes: list[tuple[int, str, bytes]] = []

    async def trace(self, event: str, _info: dict[str, Any]) -> None:
        """Events of httpcore's `trace` extension, of the last exchange of a redirect's chain in the end."""
        now = time.monotonic_ns()
        part, _, moment = event.rpartition(".")
        if part.endswith("connect_tcp"):
            self.fresh = True
            self.stage = Stage.CONNECT
            if moment == "complete":
                self.marks[_RESOLVE] = self.marks[_RESOLVE] or now  # httpx resolves while it connects
                self.marks[_CONNECT] = self.marks[_TLS] = now
        elif part.endswith("start_tls"):
            self.stage = Stage.TLS
            if moment == "complete":
                self.secure = True
                self.marks[_TLS] = now
        elif part.endswith("send_request_headers"):
            self.stage = Stage.SEND
        elif part.endswith("send_request_body") and moment == "complete":
            self.stage = Stage.HEADERS
        elif part.endswith("receive_response_headers") and moment == "complete":
            self.stage = Stage.BODY
            self.marks[_PROCESSING] = now

    def lines(self, begun: int) -> Iterator[tuple[int, str, bytes]]:
        for at, direction, data in self.notes:
            yield at - begun, direction, data


async def _exchange(probe: HttpxProbe, seen: _Seen) -> None:
    client = probe.client()
    endpoint = probe.endpoint
    try:
        request = client.build_request(
            endpoint.method,
            endpoint.url,
            headers=probe.headers,
            content=endpoint.body.encode() if endpoint.body else None,
            extensions={"trace": seen.trace} | ({"sni_hostname": endpoint.sni} if endpoint.sni else {}),
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


async def _receive(response: httpx.Response, seen: _Seen) -> None:
    seen.code = response.status_code
    seen.text = response.reason_phrase
    seen.headers = tuple((name.lower(), value) for name, value in response.headers.multi_items())
    head = f"{response.http_version} {response.status_code} {response.reason_phrase}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in seen.headers)
    seen.notes.append((time.monotonic_ns(), "<", head.encode("utf-8", "replace")))
    stream = response.extensions.get("network_stream")
    if stream is not None:
        seen.peer = _shown(stream.get_extra_info("server_addr"))
        seen.local = _shown(stream.get_extra_info("client_addr"))
        seen.secure = stream.get_extra_info("ssl_object") is not None
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_raw():
        if size < BODY:
            chunks.append(chunk)
        size += len(chunk)
    seen.body = b"".join(chunks)[:BODY]
    seen.notes.append((time.monotonic_ns(), "<", seen.body[:4096]))
    seen.marks[_TRANSFER] = time.monotonic_ns()


def _shown(address: object) -> str:
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) and len(address) >= 2 else ""


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


def _trouble(error: BaseException) -> tuple[Trouble, str]:
    """What httpx raised, as the rules' Trouble: by what the socket or TLS said underneath where that is known."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return tls_trouble(cause)
        if isinstance(cause, socket.gaierror):
            return _DNS.get(cause.errno or 0, Trouble.DNS_FAILED), str(cause.strerror)
        if isinstance(cause, OSError) and cause.errno:
            return os_trouble(cause.errno)
    if isinstance(error, httpx.RemoteProtocolError):
        text = str(error)
        cut = "disconnected" in text or "closed" in text or "incomplete" in text
        return (Trouble.CLOSED if cut else Trouble.MALFORMED), text
    if isinstance(error, (httpx.ReadError, httpx.WriteError)):
        return Trouble.RESET, str(error)
    if isinstance(error, (httpx.ConnectError, httpx.CloseError)):
        return Trouble.REFUSED, str(error)
    if isinstance(error, httpx.DecodingError):
        return Trouble.MALFORMED, str(error)
    return Trouble.ENGINE, f"{type(error).__name__}: {error}"
