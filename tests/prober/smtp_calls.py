"""Makes real SMTP calls over the wire, for tests: one call, or several over what the probe keeps."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiosmtplib

from prober.probes.call import Call
from prober.probes.reactor import Reactor, monotonic_ns
from prober.probes.resolve import Resolver
from prober.probes.smtp import SmtpPlan
from prober.probes.target import Target, context_for
from prober.probes.wire import WireProbe
from prober.settings import SmtpEndpoint
from rules.model import Kind, Observation
from tests.peers.smtp_peer import PASSWORD, USER, SmtpPeer

LOGIN = {"username": USER, "password": PASSWORD}
MAIL = {"from": "probe@example.com", "to": "sink@example.net"}
UTC = 1_795_341_600_000_000_000


def endpoint(peer: SmtpPeer, **settings: Any) -> SmtpEndpoint:
    """Settings of an injection with login into `peer`, but for what `settings` say."""
    return SmtpEndpoint.model_validate(
        {"name": "injection", "host": peer.host, "port": peer.port, "tls": peer.tls, "login": LOGIN, "mail": MAIL}
        | settings
    )


def calls(peer: SmtpPeer, folder: Path, *, count: int = 1, seconds: float = 5.0, **settings: Any) -> list[Call]:
    """`count` calls, one after the other, each with its observation."""
    ca = folder / "ca.pem"
    peer.authority.cert_pem.write_to_path(str(ca))
    wanted = endpoint(peer, **settings)
    plan = SmtpPlan.of(wanted)
    target = Target(
        kind=Kind.SMTP,
        host=wanted.host,
        port=wanted.port,
        tls=wanted.tls,
        context=context_for(ca, None, verify=True),
        server_name="localhost",
        reuse=wanted.connection == "reuse",
    )

    async def run() -> list[Call]:
        loop = asyncio.get_running_loop()
        reactor, resolver = Reactor(loop), Resolver(loop)
        probe = WireProbe(target, plan.conversation, loop, reactor, resolver)
        try:
            return [await _one(loop, probe, seconds) for _ in range(count)]
        finally:
            probe.close()
            reactor.sweep(2**63)  # connections that wait for the server's farewell
            reactor.shut()
            resolver.close()

    return asyncio.run(run())


async def _one(loop: asyncio.AbstractEventLoop, probe: WireProbe, seconds: float) -> Call:
    ended: asyncio.Future[Call] = loop.create_future()
    done: Callable[[Call], None] = ended.set_result
    call = probe.call(done, full=True)
    timer = loop.call_later(seconds, lambda: call.expire(monotonic_ns()))
    call.start(monotonic_ns(), UTC)
    try:
        return await ended
    finally:
        timer.cancel()


def observation_of(call: Call) -> Observation:
    assert call.observation is not None
    return call.observation


def by_aiosmtplib(peer: SmtpPeer, *, seconds: float = 5.0) -> tuple[str, int]:
    """What aiosmtplib makes of the same peer: ("ok" | "reply" | "timeout" | "closed" | "not_supported", code)."""
    context = ssl.create_default_context()
    peer.authority.configure_trust(context)
    context.check_hostname = False  # it has no server name apart from the address
    client = aiosmtplib.SMTP(
        hostname=peer.host,
        port=peer.port,
        username=USER,
        password=PASSWORD,
        use_tls=peer.tls == "implicit",
        start_tls=peer.tls == "starttls",
        tls_context=None if peer.tls == "none" else context,
        timeout=seconds,
        local_hostname="example.com",
    )

    async def run() -> tuple[str, int]:
        try:
            await client.connect()
            await client.sendmail(MAIL["from"], [MAIL["to"]], b"Subject: a message\r\n\r\nbody\r\n")
        except aiosmtplib.SMTPRecipientsRefused as e:
            return "reply", e.recipients[0].code
        except aiosmtplib.SMTPResponseException as e:
            return "reply", e.code
        except aiosmtplib.SMTPTimeoutError:
            return "timeout", 0
        except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPConnectError, ConnectionError):
            return "closed", 0
        except aiosmtplib.SMTPException:  # STARTTLS or AUTH, or a mechanism, not offered
            return "not_supported", 0
        else:
            return "ok", 250
        finally:
            client.close()
            for transport in list(asyncio.get_running_loop()._transports.values()):  # type: ignore[attr-defined]  # typeshed
                transport.abort()  # it leaves some of them to the garbage collector
            await asyncio.sleep(0)

    return asyncio.run(run())
