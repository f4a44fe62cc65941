"""One call of one endpoint, awaited: for /probe and `prober once`, with the engines that measure every second."""

import asyncio
import time
from dataclasses import dataclass

from prober.probes.build import Engines
from prober.probes.call import Call, Probe
from prober.probes.reactor import monotonic_ns
from prober.settings import ApiEndpoint, Control, SmtpEndpoint
from rules.model import Observation

#: What can be called once.
Callee = ApiEndpoint | SmtpEndpoint | Control

#: Seconds after which a farewell that nobody answers is over; the engines give up after one.
_FAREWELL = 1.1


@dataclass(frozen=True, slots=True)
class Once:
    """How the call went. `log` is its transcript, not yet redacted: (ns since the begin, ">" or "<", bytes)."""

    observation: Observation
    log: list[tuple[int, str, bytes]]


async def call_once(engines: Engines, callee: Callee, timeout: float) -> Once:  # noqa: ASYNC109 - one absolute deadline
    """One call on a fresh connection that ends within `timeout` seconds, whatever it is doing.

    Raises OSError (ssl.SSLError is one) for certificate files that cannot be used and ValueError for what cannot be
    sent. Cancelled, it closes the connection.
    """
    probe = _probe(engines, callee)
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Call] = loop.create_future()
    call = probe.call(lambda call: None if ended.done() else ended.set_result(call), full=True)
    now = monotonic_ns()
    call.deadline = now + round(timeout * 1e9)
    late = loop.call_later(timeout, lambda: call.expire(monotonic_ns()))
    try:
        call.start(now, time.time_ns())
        await ended
    except asyncio.CancelledError:
        call.cancel()
        raise
    finally:
        late.cancel()
        probe.close()
        loop.call_later(_FAREWELL, lambda: engines.reactor.sweep(monotonic_ns()))
    assert call.observation is not None, "a full call has an observation"
    return Once(call.observation, call.transcript())


def _probe(engines: Engines, callee: Callee) -> Probe:
    if isinstance(callee, Control):
        return engines.control(callee)
    fresh: ApiEndpoint | SmtpEndpoint = callee.model_copy(update={"connection": "fresh"})
    return engines.api(fresh) if isinstance(fresh, ApiEndpoint) else engines.smtp(fresh)
