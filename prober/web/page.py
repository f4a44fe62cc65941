"""`/`: the current state as a page, rendered here and readable without scripts."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from prober.web.health import unready
from prober.web.view import Snapshot, Spell, View
from rules.model import Verdict

_TITLES = {"": "Service", "api": "API", "smtp": "SMTP"}
_WORDS = {
    Verdict.AVAILABLE: "Available",
    Verdict.UNAVAILABLE: "Unavailable",
    Verdict.INCONCLUSIVE: "Inconclusive: calls fail, not provably by the vendor's fault",
    Verdict.UNMEASURED: "Not measured",
}
_STYLE = resources.files("prober.web").joinpath("static/page.css").read_bytes()


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table: a channel, or the service itself."""

    title: str
    mark: str  # a class of the style sheet
    verdict: str
    since: str
    reason: str


@dataclass(frozen=True, slots=True)
class Block:
    """One service."""

    name: str
    title: str
    lines: tuple[Line, ...]


class Page:
    """The route's handler."""

    def __init__(self, view: View) -> None:
        self._view = view
        environment = Environment(
            loader=PackageLoader("prober.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["instant"] = instant
        self._template = environment.get_template("page.html.j2")

    async def get(self, _: Request) -> Response:
        snapshot = self._view.snapshot()
        page = self._template.render(
            blocks=list(_blocks(snapshot)),
            incidents=snapshot.incidents,
            unready=unready(self._view),
            location=snapshot.settings.location,
            now=snapshot.now,
        )
        return HTMLResponse(page, headers={"Cache-Control": "no-store"})


async def stylesheet(_: Request) -> Response:
    """The page's style sheet; it is no part of the page, so that nothing in the page needs to be allowed to style."""
    return Response(_STYLE, media_type="text/css", headers={"Cache-Control": "max-age=300"})


def instant(seconds: float) -> str:
    """An instant in words, UTC."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _blocks(snapshot: Snapshot) -> Iterator[Block]:
    for name, service in snapshot.settings.services.items():
        channels = [""]
        channels += ["api"] if service.channels.api else []
        channels += ["smtp"] if service.channels.smtp else []
        lines = tuple(_line(channel, snapshot.spells.get((name, channel))) for channel in channels)
        yield Block(name, service.title or name, lines)


def _line(channel: str, spell: Spell | None) -> Line:
    title = _TITLES[channel]
    if spell is None:
        return Line(title, "unmeasured", "No second has closed yet", "", "")
    since = instant(spell.since) if spell.known_start else f"at least {instant(spell.since)}"
    reason = "" if spell.verdict is Verdict.AVAILABLE else spell.reason
    return Line(title, spell.verdict.value, _WORDS[spell.verdict], since, reason)
