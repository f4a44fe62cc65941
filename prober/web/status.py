"""`/`, `/history` and what they look like: the status page, rendered here and readable without scripts."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from prober import appearance
from prober.status.bars import Bar, bars
from prober.status.days import DAY, SHOWN, percent
from prober.status.incidents import PublicIncident
from prober.status.picture import Line, Picture
from prober.status.planned import MOST, titles_of
from prober.status.states import WORDS, State, worst
from prober.status.statuspage import incident_id
from prober.web.pages import instant, lasting
from prober.web.public import Public, Rendered
from prober.web.view import View

if TYPE_CHECKING:
    from prober.web.app import Means

#: Days of past incidents on the page, today included; incidents on a page of the history.
PAST_DAYS, A_PAGE = 15, 25
_SAYS = {
    State.OPERATIONAL: "All services are operational",
    State.MAINTENANCE: "Maintenance is under way",
    State.UNMEASURED: "Not everything is measured at the moment",
    State.DEGRADED: "Some services are degraded",
    State.PARTIAL: "Some services are partly unavailable",
    State.UNAVAILABLE: "Some services are unavailable",
}


def routes(means: "Means", public: Public) -> list[Route]:
    """The page's routes."""
    looks = Looks(means.view)
    history = History(public, means.pages.html)
    return [
        Route("/", StatusPage(public).get),
        Route("/history", history.get),
        Route("/history/{incident}", history.one),
        Route("/colours.css", looks.colours),
        Route("/logo", looks.logo),
    ]


@dataclass(frozen=True, slots=True)
class Shown:
    """A line as the template takes it."""

    line: Line
    words: str
    mark: str
    uptime: str
    span: str
    unmeasured: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class PastDay:
    """A day with what began in it; or days in a row, from the oldest to the newest, in which nothing did."""

    date: str
    incidents: tuple[PublicIncident, ...]
    since: str = ""  # the oldest of several days; "": it is one day


class StatusPage:
    """The handler of `/`."""

    def __init__(self, public: Public) -> None:
        self._public = public

    async def get(self, request: Request) -> Response:
        shown = await self._public.shown()
        page = shown.rendered["page"]
        return page.answer(request, "text/html; charset=utf-8", Cache_Control="no-cache")


def page(html: Callable[..., str]) -> Callable[[Picture], str]:
    """What renders the page, by `Pages.html`; may run in a thread."""

    def render(picture: Picture) -> str:
        return html("status.html.j2", **values(picture))

    return render


def values(picture: Picture) -> dict[str, Any]:
    """What the page's template takes."""
    services = [
        (_shown(service.whole), [_shown(line) for line in service.channels], service.name)
        for service in picture.services
    ]
    upcoming = [w for w in picture.planned if w.end > picture.now][:MOST]
    return {
        **common(picture),
        "services": services,
        "overall": overall(picture),
        "mark": worst(service.whole.standing.state for service in picture.services).value,
        "windows": [(w, titles_of(w, picture.titles), w.on(picture.now)) for w in upcoming],
        "past": past(picture),
        "older": any(incident.began < _first_day(picture.now) for incident in picture.incidents if not incident.open),
        "shown_days": SHOWN,
    }


def common(picture: Picture) -> dict[str, Any]:
    """What every template of the page takes."""
    return {"picture": picture, "now": picture.now}


def overall(picture: Picture) -> str:
    """The state of everything, in words."""
    if not picture.services:
        return "No service is shown here"
    states = [service.whole.standing.state for service in picture.services]
    state = worst(states)
    if len(states) == 1:
        return f"{picture.services[0].title}: {WORDS[state].lower()}"
    if state is State.UNAVAILABLE and all(each is state for each in states):
        return "All services are unavailable"
    return _SAYS[state]


def past(picture: Picture) -> list[PastDay]:
    """The last days, the newest first, each with the incidents that began in it and are over.

    Days in a row without any are one entry: somebody who looks for what happened need not scroll past what did not.
    """
    first = _first_day(picture.now)
    over: dict[str, list[PublicIncident]] = {}
    for incident in picture.incidents:
        if not incident.open and incident.began >= first:
            over.setdefault(_date(incident.began), []).append(incident)
    found: list[PastDay] = []
    for date in (_date(first + n * DAY) for n in reversed(range(PAST_DAYS))):
        if date not in over and found and not found[-1].incidents:
            found[-1] = replace(found[-1], since=date)
        else:
            found.append(PastDay(date, tuple(over.get(date, ()))))
    return found


def _first_day(now: float) -> int:
    return int(now) // DAY * DAY - (PAST_DAYS - 1) * DAY


def _date(second: float) -> str:
    return dt.datetime.fromtimestamp(second, dt.UTC).strftime("%Y-%m-%d")


def _shown(line: Line) -> Shown:
    standing = line.standing
    words = WORDS[standing.state]
    if standing.since:
        words += f" since {instant(standing.since)}"
    if standing.why:
        words += f": {standing.why}"
    began = next((n for n, day in enumerate(line.days) if day.measured), 0)
    unmeasured = sum(day.unmeasured(line.until) for day in line.days[began:])
    return Shown(
        line,
        words,
        standing.state.value,
        percent(line.uptime),
        f"since {line.days[began].date} (not measured before)" if began else "in the last 90 days",
        lasting(unmeasured) if unmeasured else "",
        bars(line.days, line.until),
    )


class History:
    """The handler of `/history`: all incidents, some a page, the newest first."""

    def __init__(self, public: Public, html: Callable[..., str]) -> None:
        self._public = public
        self._html = html

    async def get(self, request: Request) -> Response:
        asked = request.query_params.get("page", "1")
        shown = await self._public.shown()
        incidents = shown.picture.incidents
        last = max(1, -(-len(incidents) // A_PAGE))
        number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 7 else 0
        if not 1 <= number <= last:
            raise HTTPException(404)

        def render(picture: Picture) -> str:
            part = picture.incidents[(number - 1) * A_PAGE : number * A_PAGE]
            return self._html("history.html.j2", **common(picture), incidents=part, number=number, last=last)

        rendered = shown.once(f"history {number}", render)
        return rendered.answer(request, "text/html; charset=utf-8", Cache_Control="no-cache")

    async def one(self, request: Request) -> Response:
        """One incident by itself: what feeds link to."""
        name = str(request.path_params["incident"])
        shown = await self._public.shown()
        found = next((each for each in shown.picture.incidents if incident_id(each) == name), None)
        if found is None:
            raise HTTPException(404)

        def render(picture: Picture) -> str:
            return self._html("history.html.j2", **common(picture), incidents=[found], number=1, last=1)

        rendered = shown.once(f"incident {name}", render)
        return rendered.answer(request, "text/html; charset=utf-8", Cache_Control="no-cache")


class Looks:
    """The handlers of what the configuration adds to the page's looks: colours and logo, read anew after a reload."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._logo: tuple[Path, bytes, str] | None = None

    async def colours(self, request: Request) -> Response:
        web = self._view.settings.web
        rules = []
        if web.accent:
            rules.append(f":root {{ --link: {web.accent}; --accent: {web.accent}; }}")
        if web.accent_dark:
            dark = f":root {{ --link: {web.accent_dark}; --accent: {web.accent_dark}; }}"
            rules.append(f"@media (prefers-color-scheme: dark) {{ {dark} }}")
        elif web.accent:  # what reads on light ground does not read on dark
            rules.insert(0, "@media not (prefers-color-scheme: dark) {")
            rules.append("}")
        return Rendered.of("\n".join(rules) + "\n").answer(request, "text/css; charset=utf-8", Cache_Control="no-cache")

    async def logo(self, _: Request) -> Response:
        path = self._view.settings.web.logo
        if path is None:
            return PlainTextResponse("Not found.\n", 404)
        if self._logo is None or self._logo[0] != path:
            try:
                content = appearance.read(path)
                self._logo = path, content, appearance.media_type(content)
            except (OSError, ValueError):  # it was there when the configuration was checked
                return PlainTextResponse("Not found.\n", 404)
        # An SVG is a document where it is opened by itself: there, nothing of it may run or load.
        headers: Mapping[str, str] = {
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "max-age=300",
        }
        return Response(self._logo[1], media_type=self._logo[2], headers=dict(headers))
