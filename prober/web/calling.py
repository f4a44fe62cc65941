"""Makes the single calls of /probe, with the engines that the measuring process has, on the serving process's loop."""

import asyncio

from prober.probes.build import Engines
from prober.probes.once import call_once
from prober.probes.reactor import Reactor
from prober.probes.resolve import Resolver
from prober.web.targets import Callee
from prober.web.view import View
from rules.model import Observation

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
        return (await call_once(self._get(), callee, timeout)).observation

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
