"""Makes the single calls of /probe, with the engines that the measuring process has, on the serving process's loop."""

import asyncio
import time

from prober.probes.build import Engines
from prober.probes.call import Call, Probe
from prober.probes.reactor import Reactor, monotonic_ns
from prober.probes.resolve import Resolver
from prober.settings import ApiEndpoint, Control, SmtpEndpoint
from prober.web.targets import Callee
from prober.web.view import View
from rules.model import Observation

#: Seconds after which a farewell that nobody answers is over; the engines give up after one.
_FAREWELL = 1.1
_FOREVER = 2**63  # ns: past every farewell


class Calling:
    """Calls once, on a fresh connection. Its engines are made when they are first wanted: most never are."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._engines: dict[tuple[str, ...], Engines] = {}  # by the name servers that they ask

    async def call_once(self, callee: Callee, timeout: float) -> Observation:  # noqa: ASYNC109 - one absolute deadline
        """The observation of one call that ends within `timeout` seconds.

        Raises OSError for certificate files that cannot be used and ValueError for what cannot be sent.
        """
        engines = self._get()
        probe = _probe(engines, callee)
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Call] = loop.create_future()
        call = probe.call(lambda call: None if ended.done() else ended.set_result(call), full=True)
        now = monotonic_ns()
        call.deadline = now + round(timeout * 1e9)
        late = loop.call_later(timeout, lambda: call.expire(monotonic_ns()))
        try:
            call.start(now, time.time_ns())
            observation = (await ended).observation
        except asyncio.CancelledError:
            call.cancel()
            raise
        finally:
            late.cancel()
            probe.close()
            loop.call_later(_FAREWELL, lambda: engines.reactor.sweep(monotonic_ns()))
        assert observation is not None, "a full call has an observation"
        return observation

    def close(self) -> None:
        """Close what the engines have opened."""
        for engines in self._engines.values():
            engines.reactor.sweep(_FOREVER)
            engines.close()
        self._engines.clear()

    def _get(self) -> Engines:
        nameservers = self._view.settings.nameservers
        if nameservers not in self._engines:
            loop = asyncio.get_running_loop()
            self._engines[nameservers] = Engines(loop, Reactor(loop), Resolver(loop, nameservers))
        return self._engines[nameservers]


def _probe(engines: Engines, callee: Callee) -> Probe:
    if isinstance(callee, Control):
        return engines.control(callee)
    fresh: ApiEndpoint | SmtpEndpoint = callee.model_copy(update={"connection": "fresh"})
    return engines.api(fresh) if isinstance(fresh, ApiEndpoint) else engines.smtp(fresh)
