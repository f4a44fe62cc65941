"""The demo's parts, set up and taken down: the vendor, the receivers, the reference, the prober; and the waiting."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from prober.demo import http
from prober.demo.door import HOST, Door
from prober.demo.folder import SERVICE, Folder, Pace
from prober.demo.narrator import Narrator, Seen
from prober.demo.process import Process
from prober.demo.receivers import Receivers, no_content
from prober.demo.screen import Screen
from prober.demo.vendor import Vendor
from prober.demo.watch import Watch
from prober.errors import ProberError

#: Seconds between two looks into the store.
_GLANCE = 0.2
#: Where in a second the platform changes: after the last call's place, and before the next second's first.
_FIRST, _LAST = 0.92, 0.98


class MissingError(ProberError):
    """Something that was expected did not happen in time."""


class Stage:
    """All that plays. Made by `set_up`."""

    def __init__(self, screen: Screen, folder: Folder, pace: Pace) -> None:
        self.screen = screen
        self.folder = folder
        self.pace = pace
        self.narrator = Narrator(screen)
        self.vendor = Vendor(folder.write_key(), lambda modes: self.narrator.platform(time.time(), modes))
        self.receivers = Receivers(folder.arrived)
        self.prober = Process(folder.config, folder.log)
        self.reference = Door(lambda r, w: http.serve(no_content, r, w))
        self.port = 0  # where the prober serves pages and metrics
        self._watch = Watch(folder.store, SERVICE)

    @property
    def seen(self) -> Seen:
        return self.narrator.seen

    async def open(self, stack: AsyncExitStack) -> None:
        """Everything but the prober; `stack` takes it down again."""
        for part in (self.vendor, self.receivers, self.reference):
            stack.push_async_callback(part.close)
            await part.open()
        # Bound and not listening, it keeps the port for the prober, and nobody else is given it.
        keeper = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind((HOST, 0))
        self.port = keeper.getsockname()[1]
        self.folder.write_config(self.vendor, self.receivers, self.reference.address, self.port, self.pace)

    async def until(self, happened: Callable[[Seen], bool], within: float, what: str) -> None:
        """Tell what happens until `happened`. Raises MissingError after `within` seconds, or when the prober has ended."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while not happened(self.seen):
            await self.look()
            if self.prober.status is not None:
                raise MissingError(f"the prober has ended by itself, with status {self.prober.status}")
            if loop.time() > deadline:
                raise MissingError(f"this did not happen within {within:.0f} s: {what}")

    async def look(self) -> None:
        """Tell what is new, after waiting a moment for it."""
        arrived = []
        try:
            async with asyncio.timeout(_GLANCE):
                arrived.append(await self.receivers.arrived.get())
        except TimeoutError:
            pass
        while not self.receivers.arrived.empty():
            arrived.append(self.receivers.arrived.get_nowait())
        # What was decided is on disk before anybody is told: so it is told in that order here, too.
        self.narrator.news(self._watch.look())
        for arrival in arrived:
            self.narrator.arrived(arrival)

    def close_store(self) -> None:
        """Look no more."""
        self._watch.close()

    async def between_calls(self) -> float:
        """Wait until no call of this second is to come (they begin before 0.90); gives the instant, UTC seconds."""
        while not _FIRST <= time.time() % 1 < _LAST:  # noqa: ASYNC110 - an instant is waited for; a late wake-up misses it
            await asyncio.sleep((_FIRST - time.time()) % 1)
        return time.time()


@asynccontextmanager
async def set_up(screen: Screen, folder: Folder, pace: Pace) -> AsyncIterator[Stage]:
    """All but the prober runs within; the prober, once started, is stopped at the end, before the others."""
    stage = Stage(screen, folder, pace)
    async with AsyncExitStack() as stack:
        await stage.open(stack)
        stack.push_async_callback(stage.prober.stop)
        stack.callback(stage.close_store)  # first of all: the prober tidies its store up when it is the last to leave
        yield stage
