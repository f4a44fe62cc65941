"""`/`: the current state as a page, rendered here and readable without scripts."""

from collections.abc import Iterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from prober.web.health import unready
from prober.web.pages import Pages, instant
from prober.web.view import Snapshot, Spell, View
from rules.model import Verdict

_TITLES = {"": "Service", "api": "API", "smtp": "SMTP"}
_WORDS = {
    Verdict.AVAILABLE: "Available",
    Verdict.UNAVAILABLE: "Unavailable",
    Verdict.INCONCLUSIVE: "Inconclusive: calls fail, not provably by the vendor's fault",
    Verdict.UNMEASURED: "Not measured",
}


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

    def __init__(self, view: View, pages: Pages) -> None:
        self._view = view
        self._pages = pages

    async def get(self, _: Request) -> Response:
        snapshot = self._view.snapshot()
        return self._pages.answer(
            "page.html.j2",
            blocks=list(_blocks(snapshot)),
            incidents=snapshot.incidents,
            unready=unready(self._view),
            location=snapshot.settings.location,
            now=snapshot.now,
        )


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
