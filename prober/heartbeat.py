"""Tells an outside watcher that we measure, so that somebody notices when we do not (healthchecks and its like).

Nothing is said when we are not fit to measure: silence is the watcher's alarm. Where it understands signals, it is told of a
start and of being unfit too.
"""

import asyncio
import ssl

import httpx

from prober import logs
from prober.surroundings import Heartbeat
from prober.version import version
from prober.web.health import unready
from prober.web.view import View

log = logs.get("chores")

#: Seconds for one call, whatever it is doing.
TIMEOUT = 10.0


class Heart:
    """Beats once each time `beat` is called; the scheduler calls it."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._started = False
        self._failing = False  # the watcher could not be reached; told once
        self._unfit = False  # told of with url/fail

    async def beat(self) -> bool:
        """Tell the watcher that we measure, if we do and one is configured; whether it took it."""
        configured = self._view.settings.heartbeat
        if configured is None or configured.url is None:
            return False
        reasons = unready(self._view)
        if reasons:
            if not self._unfit:
                log.warning("the outside watcher hears nothing from us: %s", reasons[0])
            if configured.signals and not self._unfit:
                await self._call(configured, "/fail", "\n".join(reasons))
            self._unfit = True
            return False
        self._unfit = False
        if configured.signals and not self._started:
            self._started = await self._call(configured, "/start")
        heard = await self._call(configured, "")
        if heard:
            self._view.watched()
        return heard

    async def _call(self, configured: Heartbeat, signal: str, words: str = "") -> bool:
        assert configured.url is not None
        url = configured.url.get_secret_value()
        base, mark, query = url.partition("?")
        try:
            context = ssl.create_default_context(cafile=configured.ca)
            async with (
                asyncio.timeout(TIMEOUT),
                httpx.AsyncClient(verify=context, trust_env=False, timeout=None) as client,  # noqa: S113 - that is above
                # Its status says all: a body is not read, since it may be endless.
                client.stream(
                    "POST" if words else configured.method,
                    base.rstrip("/") + signal + mark + query if signal else url,
                    headers={"User-Agent": f"prober/{version()}"},
                    content=words.encode() or None,
                ) as response,
            ):
                problem = "" if response.is_success else f"answers {response.status_code}"
        except (httpx.HTTPError, OSError) as error:  # the URL may be a secret: it is not told
            problem = type(error).__name__
        if problem and not self._failing:
            log.warning("the outside watcher cannot be told that we measure: %s", problem)
        self._failing = bool(problem)
        return not problem
