"""What the live view knows, and its events: each second of each service as it closes.

Event `second` of a service: `{"service", "second", "series": [{"channel", "endpoint", "cells", "took"}...]}`. `second`
is the newest that has closed; `cells` are the seconds that have closed since the event before, as
`[first, seconds, verdict, reason, calls, {fault: calls}]`; `channel` and `endpoint` are null for what has none; `took`
is the minute under way, `{"minute", "p50", "p95", "longest"}` (unix minutes, milliseconds), when there is one.

While nobody looks, nothing is read and nothing told.
"""

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Any

from prober import logs
from prober.link import Message
from prober.store import Reader, SeriesKey, StoreError
from prober.web.hour import HOUR, Newest, Seconds, Stretch, shown
from prober.web.hub import WAITING, Hub, Listener
from prober.web.pulse import Pulse, Took
from prober.web.stored import Stored
from prober.web.view import View
from rules.model import Cell

log = logs.get("web")

#: Seconds after a second was told before its services' are looked for together: their commits are done by then.
_GATHER = 0.15
#: Series whose times are looked up in the store in one question, so that it does not hold up others.
_AT_ONCE = 10
#: Seconds of all services that may wait for a listener, however many services there are.
_SECONDS = 10
#: Seconds without a listener, or a page that was given out and may yet listen, after which it is told no more.
_IDLE = 60.0


class Live:
    """Fed by the link (`second`, `beat`), asked by the routes. `close` at the end."""

    def __init__(self, view: View, stored: Stored, hub: Hub | None = None) -> None:
        self.hub = hub or Hub()
        self.newest = Newest()
        self.seconds = Seconds(stored, self.newest)
        self.pulse = Pulse(view)
        self._view = view
        self._stored = stored
        self._seeded: set[SeriesKey] = set()  # series whose times were looked up in the store
        self._marks: dict[SeriesKey, int] = {}  # the last second that was told of each series
        self._of = 0.0  # when the configuration was taken that they are of
        self._closed = asyncio.Event()
        self._asked = 0.0  # when somebody last looked (the loop's time): a page's script comes a little after it
        self._telling: asyncio.Task[None] | None = None
        self._beginning = asyncio.Lock()

    def second(self, message: Message) -> None:
        """A second of a service has closed. Raises KeyError, TypeError or ValueError for a message that is not right."""
        self.newest.take(message)
        self._closed.set()

    def beat(self) -> None:
        """Once a second: what calls took is looked at whether or not anybody listens."""
        self.pulse.look({key: True for keys in shown(self._view.settings).values() for key in keys})

    async def hour(self) -> dict[SeriesKey, list[Stretch]]:
        """The last hour of everything that is shown, each service's up to its newest second."""
        since = {name: self._last(name) - HOUR for name in self._view.settings.services}
        keys = shown(self._view.settings)
        return await self.seconds.after({key: since[name] for name, some in keys.items() for key in some})

    def _last(self, service: str) -> int:
        """The newest second of a service, as far as the link told; else the running one."""
        told = self.newest.last(service)
        return told if told is not None else int(self._view.snapshot().now)

    async def awake(self) -> str:
        """See to it that seconds are told from now on. Answers the id of the newest event."""
        async with self._beginning:
            self._asked = asyncio.get_running_loop().time()
            if self._telling is None or self._telling.done():
                await self._begin()
                self._telling = asyncio.create_task(self._tell(), name="live")
        return self.hub.mark

    async def listen(self, after: str) -> Listener:
        """Raises CrowdedError."""
        await self.awake()
        return self.hub.listen(after)

    async def close(self) -> None:
        self.hub.close()
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait((self._telling,))

    async def _begin(self) -> None:
        """Events from here on; whoever knows older ones has to look again."""
        self._of = self._view.configured_at
        self.hub.reset()
        keys = shown(self._view.settings)
        self.hub.waiting = max(WAITING, _SECONDS * len(keys))  # an event a service is told at a time
        self._marks = {key: self._last(name) - HOUR for name, some in keys.items() for key in some}
        for key, stretches in (await self.seconds.after(self._marks)).items():
            if stretches:
                self._marks[key] = stretches[-1][1] - 1
        self.pulse.forget(self._marks)
        await self._seed()

    async def _seed(self) -> None:
        """How long calls took before we began to look, from the store: once a series, and a few at a time."""
        self._seeded &= self._marks.keys()
        wanted = sorted(key for key in self._marks if key.channel and key not in self._seeded)
        since = int(self._view.snapshot().now) - HOUR
        for first in range(0, len(wanted), _AT_ONCE):
            some = wanted[first : first + _AT_ONCE]
            try:
                found = await self._stored.ask(partial(_on_record, keys=some, since=since))
            except StoreError:
                return  # the next time, then
            for key, minutes in found.items():
                self.pulse.seed(key, minutes)
            self._seeded.update(some)

    async def _tell(self) -> None:
        loop = asyncio.get_running_loop()
        while self.hub.listeners or loop.time() - self._asked < _IDLE:
            if self.hub.listeners:
                self._asked = loop.time()
            try:
                await asyncio.wait_for(self._closed.wait(), _IDLE)
            except TimeoutError:
                continue
            await asyncio.sleep(_GATHER)
            self._closed.clear()
            if self._view.configured_at != self._of:
                await self._begin()
            await self._catch_up()

    async def _catch_up(self) -> None:
        """Tell what has closed since we last did."""
        news = await self.seconds.after(self._marks)
        for service in shown(self._view.settings):
            series = [_told(key, news[key], self.pulse) for key in news if key.service == service and news[key]]
            for key in news:
                if key.service == service and news[key]:
                    self._marks[key] = news[key][-1][1] - 1
            if series:
                last = max(mark for key, mark in self._marks.items() if key.service == service)
                self.hub.tell("second", {"service": service, "second": last, "series": series})


def _on_record(reader: Reader, keys: Iterable[SeriesKey], since: int) -> dict[SeriesKey, list[Took]]:
    """The times of the series' minutes; those that were counted five at a time are all alike."""
    found: dict[SeriesKey, list[Took]] = {}
    for key in keys:
        minutes = found[key] = []
        for figures in reader.minutes(key, since, since + 2 * HOUR):
            took = figures.durations
            p50, p95, longest = took.quantile(0.5), took.quantile(0.95), took.maximum
            if p50 is not None and p95 is not None and longest is not None:
                times = round(1000 * p50, 1), round(1000 * p95, 1), round(1000 * longest, 1)
                minutes += [Took(figures.start // 60 + n, *times) for n in range(max(1, figures.span // 60))]
    return found


def _told(key: SeriesKey, stretches: list[Stretch], pulse: Pulse) -> dict[str, Any]:
    """A series of the event."""
    cells = [[first, end - first, *cell_parts(cell)] for first, end, cell in stretches]
    minutes = pulse.minutes(key, stretches[-1][1] - 60)
    return {
        "channel": key.channel or None,
        "endpoint": key.endpoint or None,
        "cells": cells,
        **({"took": took_parts(minutes[-1])} if minutes else {}),
    }


def cell_parts(cell: Cell) -> list[Any]:
    """A cell in JSON: verdict, reason, calls, calls by fault."""
    return [cell.verdict.value, cell.reason, cell.calls, {fault.value: n for fault, n in cell.faults}]


def took_parts(took: Took) -> dict[str, Any]:
    """A minute's times in JSON."""
    return {"minute": took.minute, "p50": took.p50, "p95": took.p95, "longest": took.longest}
