"""`/live`: for browsers the page of the last hour, second by second; for everybody else its events.

The page is whole without scripts. With them, `live.js` lets it move and tells each cell.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from prober.settings import Service
from prober.store import SeriesKey
from prober.web import grid
from prober.web.health import unready
from prober.web.hour import MOST_ENDPOINTS, MOST_IN_ALL, Stretch, shown
from prober.web.hub import CrowdedError
from prober.web.live import Live
from prober.web.pages import Pages
from prober.web.pulse import Took
from prober.web.view import OpenIncident, View
from rules.model import Fault, Verdict

CHANNELS = {"": "Service", "api": "API", "smtp": "SMTP"}
#: Stretches that were not available which the page lists in words, the newest of them.
_LISTED = 30
#: How calls are told that did not fail.
_SAID = {Fault.NONE: "succeeded"}
_STREAM = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Vary": "Accept"}


@dataclass(frozen=True, slots=True)
class Told:
    """A stretch in the words of the list."""

    first: int
    seconds: int
    verdict: str
    reason: str
    calls: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A series as it is drawn."""

    id: str
    key: SeriesKey
    title: str
    verdict: str  # of the newest second; "" when there is none
    reason: str
    sums: str
    paths: dict[str, str]
    bars: dict[str, str]
    took: Took | None
    kinds: str
    runs: str
    minutes: str
    told: tuple[Told, ...]
    more: int  # stretches that are not listed


@dataclass(frozen=True, slots=True)
class Block:
    """A service."""

    name: str
    title: str
    frame: grid.Frame
    figures: tuple[Figure, ...]
    left_out: int  # endpoints
    incidents: tuple[OpenIncident, ...]


class LivePage:
    """The route's handler."""

    def __init__(self, view: View, pages: Pages, live: Live) -> None:
        self._view = view
        self._pages = pages
        self._live = live

    def routes(self) -> list[Route]:
        return [Route("/live", self.get)]

    async def get(self, request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return await self._page()
        after = request.headers.get("last-event-id") or request.query_params.get("after", "")
        if request.method == "HEAD":
            return Response(media_type="text/event-stream", headers=_STREAM)
        try:
            listener = await self._live.listen(after[:64])
        except CrowdedError:
            return PlainTextResponse("There are too many listeners; come back later.\n", 503, {"Retry-After": "30"})
        return StreamingResponse(listener.events(), media_type="text/event-stream", headers=_STREAM)

    async def _page(self) -> Response:
        mark = await self._live.awake()
        hour = await self._live.hour()
        snapshot = self._view.snapshot()
        values: dict[str, Any] = {
            "mark": mark,
            "now": snapshot.now,
            "location": snapshot.settings.location,
            "unready": [*unready(self._view), *([self._live.seconds.why] if self._live.seconds.why else [])],
        }
        answer = await asyncio.to_thread(self._rendered, hour, values)
        answer.headers["Vary"] = "Accept"
        return answer

    def _rendered(self, hour: dict[SeriesKey, list[Stretch]], values: dict[str, Any]) -> Response:
        settings = self._view.settings
        blocks = []
        for name, keys in shown(settings).items():
            ends = [hour[key][-1][1] for key in keys if hour.get(key)]
            frame = grid.Frame(max(ends, default=int(self._view.snapshot().now)))
            figures = tuple(self._figure(key, hour.get(key, []), frame) for key in keys if key.channel)
            service = settings.services[name]
            left_out = _endpoints(service) - sum(1 for key in keys if key.endpoint)
            incidents = tuple(each for each in self._view.incidents if each.service == name)
            blocks.append(Block(name, service.title or name, frame, figures, left_out, incidents))
        most = f"{MOST_ENDPOINTS} of a service, {MOST_IN_ALL} in all"
        return self._pages.answer("live.html.j2", blocks=blocks, verdicts=tuple(Verdict), most=most, **values)

    def _figure(self, key: SeriesKey, stretches: list[Stretch], frame: grid.Frame) -> Figure:
        kinds, runs = grid.packed(stretches, frame)
        minutes = self._live.pulse.minutes(key, frame.first)
        bad = [each for each in stretches if each[2].verdict is not Verdict.AVAILABLE]
        newest = stretches[-1][2] if stretches else None
        return Figure(
            id=f"{key.service}-{key.channel}{'-' + key.endpoint if key.endpoint else ''}",
            key=key,
            title=f"{CHANNELS[key.channel]}: {key.endpoint}" if key.endpoint else CHANNELS[key.channel],
            verdict=newest.verdict.value if newest else "",
            reason=newest.reason if newest and newest.verdict is not Verdict.AVAILABLE else "",
            sums=_sums(stretches),
            paths=grid.paths(stretches, frame),
            bars=grid.bars(minutes, frame),
            took=minutes[-1] if minutes else None,
            kinds=json.dumps(kinds),
            runs=runs,
            minutes=json.dumps([[took.minute, took.p50, took.p95, took.longest] for took in minutes]),
            told=tuple(_told(each) for each in reversed(bad[-_LISTED:])),
            more=max(0, len(bad) - _LISTED),
        )


def _endpoints(service: Service) -> int:
    return len(service.channels.api) + len(service.channels.smtp)


def _sums(stretches: Sequence[Stretch]) -> str:
    """How many seconds were what, in words."""
    totals: dict[Verdict, int] = {}
    for first, end, cell in stretches:
        totals[cell.verdict] = totals.get(cell.verdict, 0) + end - first
    return ", ".join(f"{totals[verdict]:,} s {verdict.value}" for verdict in Verdict if verdict in totals)


def _told(stretch: Stretch) -> Told:
    first, end, cell = stretch
    calls = ", ".join(f"{n} {_SAID.get(fault, fault.value)}" for fault, n in cell.faults) or "no call"
    return Told(first, end - first, cell.verdict.value, cell.reason, calls)
