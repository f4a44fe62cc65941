"""Puts the real HTTP engines to a server of tests/peers, one call after the other, on a loop like the program's."""

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import uvloop

from prober.probes.build import Engines
from prober.probes.call import Call, Probe
from prober.probes.reactor import Reactor, monotonic_ns
from prober.probes.resolve import Resolver
from prober.settings import ApiEndpoint
from rules.model import Observation
from tests.peers.http_peer import HttpPeer

UTC = 1_795_341_600_000_000_000
FOREVER = 2**63
#: Seconds in which httpx comes as far as a peer lets it, on a machine that is loaded too.
HTTPX_PATIENCE = 2.0
_AGAIN = 10  # times


def endpoint(peer: HttpPeer | str, folder: Path, **settings: Any) -> ApiEndpoint:
    """Settings of a call of `peer`, by its URL and its authority, but for what `settings` say."""
    given: dict[str, Any] = {"name": "call", "url": peer if isinstance(peer, str) else peer.url}
    if isinstance(peer, HttpPeer) and peer.tls != "none":
        given["ca"] = str(peer.certificates.ca(folder))
    return ApiEndpoint.model_validate(given | settings)


def calls(
    peer: HttpPeer | str, folder: Path, *, count: int = 1, seconds: float = 5.0, **settings: Any
) -> Sequence[Call]:
    """`count` calls, one after the other, each with its observation."""
    wanted = endpoint(peer, folder, **settings)

    async def run() -> Sequence[Call]:
        loop = asyncio.get_running_loop()
        engines = Engines(loop, Reactor(loop), Resolver(loop))
        probe = engines.api(wanted)
        try:
            return [await one(loop, probe, seconds) for _ in range(count)]
        finally:
            probe.close()
            engines.reactor.sweep(FOREVER)
            assert engines.reactor.sockets == 0, "a call has left a socket behind"
            engines.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


def call(peer: HttpPeer | str, folder: Path, *, seconds: float = 5.0, **settings: Any) -> Observation:
    """What one call shows. One for which httpx had no processor says nothing of the peer (as it tells), and is made anew."""
    for _ in range(_AGAIN):
        seen = observation_of(calls(peer, folder, seconds=seconds, **settings)[0])
        if not seen.detail.startswith("httpx did not keep up"):
            break
    return seen


async def one(loop: asyncio.AbstractEventLoop, probe: Probe, seconds: float = 5.0) -> Call:
    """One call with its observation, ended at its deadline as the measuring loop would."""
    ended: asyncio.Future[Call] = loop.create_future()
    made = probe.call(ended.set_result, full=True)
    timer = loop.call_later(seconds, lambda: made.expire(monotonic_ns()))
    made.start(monotonic_ns(), UTC)
    try:
        return await ended
    finally:
        timer.cancel()


def observation_of(made: Call) -> Observation:
    assert made.observation is not None
    return made.observation


def by_httpx(peer: HttpPeer | str, *, seconds: float = 1.0, method: str = "GET", content: bytes | None = None) -> str:
    """What httpx by itself makes of the same peer: "200" or its exception's name."""

    async def run() -> str:
        context: ssl.SSLContext | bool = True
        if isinstance(peer, HttpPeer) and peer.tls != "none":
            context = ssl.create_default_context()
            peer.certificates.authority.configure_trust(context)
        client = httpx.AsyncClient(verify=context, trust_env=False, timeout=None)  # noqa: S113 - one deadline, below
        try:
            url = peer if isinstance(peer, str) else peer.url
            async with asyncio.timeout(seconds), client:
                return str((await client.request(method, url, content=content)).status_code)
        except TimeoutError:  # one deadline: httpx's own time-outs begin anew with every byte
            return "timeout"
        except (httpx.HTTPError, ssl.SSLError) as error:  # an alert that comes late is not always wrapped
            return type(error).__name__
        finally:
            for transport in list(asyncio.get_running_loop()._transports.values()):  # type: ignore[attr-defined]  # typeshed
                transport.abort()  # it forgets those that are cancelled in their handshake
            await asyncio.sleep(0)

    return asyncio.run(run())
