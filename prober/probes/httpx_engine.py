"""Calls that are not on the wire path: HTTP/2, proxies and redirects, through httpx (`engine: httpx`).

httpx costs milliseconds of CPU a call, so that it runs on a thread and an event loop of its own; the measuring loop only hands
calls over and takes their ends. A fresh client and connection a call, as evidence wants them, unless `connection: reuse`.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx

from prober.probes.call import Call, phase_durations
from prober.probes.errors import says_more
from prober.probes.expectation import Expectation, named
from prober.probes.httpx_exchange import Loop, Seen, exchange
from prober.probes.target import context_for
from prober.settings import ApiEndpoint
from rules.model import Kind, Observation, Stage, Trouble

_REDIRECTS = 20
_BEAT = 0.1  # seconds
#: The thread is behind when its heart has not beaten for so long, ns; its silence then says nothing of any server.
BEHIND = 500_000_000
#: Nor does it when its beats were late by this share of a call's time in all: each of a call's many turns was as late.
LATE_SHARE = 0.3
_DETAIL = 200  # characters
#: Seconds after which a fixed address that says nothing gives way to the next one: a call fails when all have failed
#: (classification.md, rule 10). The last one has the rest of the call.
PATIENCE = 1.0
#: What a kept connection that has died shows. h2 takes what a server sends after its GOAWAY for a mistake of ours.
_GONE = (Trouble.CLOSED, Trouble.RESET, Trouble.ENGINE)


class HttpxEngine:
    """The thread. `measuring` is the measuring loop, on which calls begin and end."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.measuring = loop
        self.loop: asyncio.AbstractEventLoop = Loop()
        self._beat = time.monotonic_ns()
        self._behind = 0  # when it was last found to be behind
        self._late = 0  # ns by which its beats were late, in all
        self._partings: set[asyncio.Task[None]] = set()  # clients that are being closed
        self._thread = threading.Thread(target=self._run, name="httpx", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.call_soon(self._live)
        self.loop.run_forever()
        self.loop.run_until_complete(self._wind_up())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def _live(self) -> None:
        now = time.monotonic_ns()
        if now - self._beat > BEHIND:
            self._behind = now
        self._late += self._overdue(now)
        self._beat = now
        self.loop.call_later(_BEAT, self._live)

    def _overdue(self, now: int) -> int:
        return max(0, now - self._beat - round(_BEAT * 1e9))

    def late(self) -> int:
        """ns by which the thread's beats have been late by now, in all."""
        return self._late + self._overdue(time.monotonic_ns())

    def was_behind(self, since: int, late: int) -> bool:
        """Whether the thread has not kept up since `since` (monotonic ns), when `late()` was `late`."""
        now = time.monotonic_ns()
        stood_still = self._behind >= since or now - self._beat > BEHIND
        return stood_still or self.late() - late > LATE_SHARE * (now - since)

    def probe(self, endpoint: ApiEndpoint, markers: tuple[bytes, ...]) -> "HttpxProbe":
        return HttpxProbe(self, endpoint, markers)

    def part(self, client: httpx.AsyncClient) -> None:
        """Close a client of this thread's, all its connections, soon; from any thread."""
        self.loop.call_soon_threadsafe(self._part, client)

    def _part(self, client: httpx.AsyncClient) -> None:
        task = self.loop.create_task(client.aclose())
        self._partings.add(task)
        task.add_done_callback(self._partings.discard)

    def close(self) -> None:
        """Stop the thread; calls in flight get no end."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(2.0)

    async def _wind_up(self) -> None:
        """End what is still under way on this loop, and let its transports close."""
        if self._partings:  # a cancelled one would leave all but its first connection open
            await asyncio.wait(self._partings, timeout=1.0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for _ in range(3):  # a transport closes in the iteration after the one in which it was told to
            await asyncio.sleep(0)


class HttpxProbe:
    """Makes the calls of one endpoint."""

    def __init__(self, engine: HttpxEngine, endpoint: ApiEndpoint, markers: tuple[bytes, ...]) -> None:
        self.engine = engine
        self.endpoint = endpoint
        self.expectation = Expectation.of(endpoint.expect, markers)
        # httpcore itself sets these protocols, in the context that it is given: another's must not get them
        alpn = ("http/1.1", "h2") if endpoint.http2 else ("http/1.1",)
        self.context = context_for(endpoint.ca, endpoint.client_cert, verify=endpoint.verify, alpn=alpn)
        self.headers = {name: value.get_secret_value() for name, value in endpoint.headers.items()}
        self.proxy = endpoint.proxy.get_secret_value() if endpoint.proxy else None
        self.proxy_host = urlsplit(self.proxy).hostname or "" if self.proxy else ""
        self.tunnel = self.proxy is not None and endpoint.url.lower().startswith("https:")
        self._kept: httpx.AsyncClient | None = None

    @property
    def addresses(self) -> tuple[str | None, ...]:
        """The fixed addresses in their order; None: where the name leads (or the proxy goes)."""
        return self.endpoint.resolve if self.endpoint.resolve and self.proxy is None else (None,)

    def client(self) -> httpx.AsyncClient:
        """The client of one call, or the kept one. In the thread."""
        if self._kept is not None:
            return self._kept
        client = httpx.AsyncClient(
            headers={
                "User-Agent": "prober",
                "Accept-Encoding": "identity",
            },  # what is expected is written in plain text
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
            self.engine.part(self._kept)
            self._kept = None


class HttpxCall(Call):
    """One call through httpx. What the other thread finds is brought over whole, in one callback."""

    __slots__ = ("_future", "_late", "_over", "_probe", "_seen", "_tried")

    def __init__(self, probe: HttpxProbe, done: Callable[[Call], None], full: bool) -> None:
        super().__init__(done, full=full)
        self._probe = probe
        self._over = False
        self._late = 0  # the engine's at the begin
        self._future: Any = None
        self._seen = Seen(tunnel=probe.tunnel)
        self._tried: list[str] = []

    def start(self, now: int, utc: int) -> None:
        self.begun, self.begun_utc = now, utc
        self._late = self._probe.engine.late()
        self._future = asyncio.run_coroutine_threadsafe(self._run(), self._probe.engine.loop)

    # in the thread

    async def _run(self) -> None:
        probe = self._probe
        *_, last = probe.addresses
        failed: Seen | None = None  # the address that failed and says most of the server
        for address in probe.addresses:
            patience = None if address == last else PATIENCE
            seen = await self._attempt(address, patience)
            if seen.trouble in _GONE and not (seen.fresh or seen.code):
                seen = await self._attempt(address, patience)  # the kept connection had died (RFC 9112, 9.3.1)
            silent = seen.trouble is Trouble.TIMEOUT and seen.stage is Stage.TLS
            if seen.trouble is None or not (silent or seen.stage is Stage.CONNECT):
                break
            if address is not None:
                self._tried.append(f"{address} {seen.detail}")
            if failed is None or failed.trouble is None or says_more(seen.trouble, failed.trouble):
                failed = seen
            seen = self._seen = failed
        seen.ended = time.monotonic_ns()
        with contextlib.suppress(RuntimeError):  # the measuring loop is closing: nobody waits for the end
            probe.engine.measuring.call_soon_threadsafe(self._end, seen.trouble, seen.detail, seen.ended)

    async def _attempt(self, address: str | None, patience: float | None) -> Seen:
        seen = self._seen = Seen(tunnel=self._probe.tunnel)
        await exchange(self._probe, seen, address, patience)
        return seen

    # on the measuring loop

    def _end(self, trouble: Trouble | None, detail: str, now: int) -> None:
        if self._over:
            return
        self._over = True
        self.ended = now
        seen = self._seen
        self.marks = seen.marks
        self.code, self.version, self.redirected = seen.code, seen.version, seen.redirected
        expectation = self._probe.expectation
        unmet = expectation.unmet(seen.code, seen.headers, seen.body) if trouble is None else None
        self.healthy = trouble is None and unmet is None
        if self.full or not self.healthy:
            self.observation = self._observe(trouble, detail or named(unmet), unmet)
        self.done(self)

    def expire(self, now: int) -> None:
        seen = self._seen
        if seen.ended and not self._over:  # it has ended, and only its message is still on the way
            self._end(seen.trouble, seen.detail, seen.ended)
            return
        self._future.cancel()
        if self._probe.engine.was_behind(self.begun, self._late):
            self._end(Trouble.ENGINE, "httpx did not keep up: too many calls of this engine for one processor", now)
        else:
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
            detail=detail[:_DETAIL],
            code=seen.code,
            text=seen.text[:_DETAIL],
            headers=seen.headers,
            body=seen.body,
            fresh=seen.fresh,
            verified=seen.secure and probe.endpoint.verify,
            sent_whole=seen.sent,
            proxied=probe.proxy_host,
            begun=self.begun_utc,
            ended=self.begun_utc + self.ended - self.begun,
            phases=phase_durations(self.begun, seen.marks),
            family_errors=tuple(self._tried),
            peer=seen.peer,
            local=seen.local,
            received=seen.received,
            cert_expiry=seen.cert_expiry,
            tls_version=seen.tls_version,
            version=seen.version,
        )

    @property
    def cert_expiry(self) -> int:
        """notAfter of the chain in this call, unix seconds; 0 without TLS."""
        return self._seen.cert_expiry

    def transcript(self) -> list[tuple[int, str, bytes]]:
        return list(self._seen.lines(self.begun))
