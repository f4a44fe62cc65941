"""`/api/v2/...` (Statuspage v2) and `/feed.atom`: the public picture for programs, readable from every site's pages."""

import json

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from prober.status.atom import feed
from prober.status.picture import Picture
from prober.status.statuspage import DOCUMENTS, document
from prober.web.public import Public

_OPEN = {"Access_Control_Allow_Origin": "*", "Cross_Origin_Resource_Policy": "cross-origin"}


def routes(public: Public) -> list[Route]:
    """The feeds' routes."""
    feeds = Feeds(public)
    return [Route("/api/v2/{name:path}", feeds.statuspage), Route("/feed.atom", feeds.atom)]


class Feeds:
    """The handlers."""

    def __init__(self, public: Public) -> None:
        self._public = public

    async def statuspage(self, request: Request) -> Response:
        name = str(request.path_params["name"])
        if name.removesuffix(".json") not in DOCUMENTS or not name.endswith(".json"):
            return PlainTextResponse("Not found.\n", 404)

        def render(picture: Picture) -> str:
            return json.dumps(document(picture, name.removesuffix(".json")), separators=(",", ":"))

        rendered = (await self._public.shown()).once(name, render)
        return rendered.answer(request, "application/json; charset=utf-8", Cache_Control="public, max-age=5", **_OPEN)

    async def atom(self, request: Request) -> Response:
        rendered = (await self._public.shown()).once("atom", feed)
        kind = "application/atom+xml; charset=utf-8"
        return rendered.answer(request, kind, Cache_Control="public, max-age=60", **_OPEN)
