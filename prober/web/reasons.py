"""`/reasons`: what every reason means and what to do, from the list that the program itself uses; needs no Internet at night.

Each reason has an anchor of its name: `/reasons#read_timeout`. Pages to on-call and the incident room link there.
"""

from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from prober.explained import chapters
from prober.links import REASONS_PATH
from prober.web.public import Rendered
from rules.reasons import REASONS

if TYPE_CHECKING:
    from prober.web.app import Means


def place_of(reason: str) -> str:
    """Where a reason is explained; "" for a name that is not on the list."""
    return f"{REASONS_PATH}#{quote(reason)}" if reason in REASONS else ""


class ReasonsPage:
    """The route's handler: one page, made when it is first asked for."""

    def __init__(self, means: "Means") -> None:
        self._pages = means.pages
        self._rendered: Rendered | None = None

    async def get(self, request: Request) -> Response:
        if self._rendered is None:
            self._rendered = Rendered.of(self._pages.html("reasons.html.j2", chapters=chapters()))
        return self._rendered.answer(request, "text/html; charset=utf-8", Cache_Control="no-cache")


def routes(means: "Means") -> list[Route]:
    """The page's route."""
    return [Route(REASONS_PATH, ReasonsPage(means).get)]
