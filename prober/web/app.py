"""The routes of the serving process, and what every answer carries."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prober.web import feeds, incidents, reasons, status
from prober.web.assets import Assets
from prober.web.entries import Entries
from prober.web.gate import Gate
from prober.web.health import Health, Reloads
from prober.web.live import Live
from prober.web.live_page import LivePage
from prober.web.metrics import Metrics
from prober.web.newest_seconds import NewestSeconds
from prober.web.pages import Pages
from prober.web.probe import CallOnce, Probing
from prober.web.public import Public
from prober.web.room_of import RoomOf
from prober.web.stored import Stored
from prober.web.twilio import Keys
from prober.web.view import View

#: What a page runs, loads, asks or sends is of this server alone, without exceptions, and nobody frames it.
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Means:
    """What the pages are made of and what their steps act through."""

    view: View
    stored: Stored
    pages: Pages
    entries: Entries | None = None


def app(
    view: View,
    reloads: Reloads,
    call_once: CallOnce,
    keys: Keys | None = None,
    entries: Entries | None = None,
    stored: Stored | None = None,
    gate: Gate | None = None,
    live: Live | None = None,
) -> ASGIApp:
    """The application.

    `call_once` makes the calls of /probe, `keys` answers telephone calls, `entries` takes steps, `stored` reads the store,
    `gate` knows who is logged in, `live` is told the seconds.
    """
    means = Means(view, stored or Stored(), Pages(), entries)
    live = live or Live(view, means.stored)
    health, metrics = Health(view, reloads), Metrics(view)
    public = Public(view, means.stored, status.page(means.pages.html))
    starlette = Starlette(
        routes=[
            *status.routes(means, public),
            *feeds.routes(public),
            *reasons.routes(means),
            Route("/static/{name}", Assets().get),
            *LivePage(view, means.pages, live).routes(),
            *NewestSeconds(view, means.stored, live).routes(),
            Route("/metrics", metrics.get),
            Route("/incidents/of/{service}", RoomOf(view).get),
            *incidents.routes(means, gate or Gate(view)),
            Route("/probe", Probing(view, call_once).get),
            Route("/-/healthy", health.healthy),
            Route("/-/ready", health.ready),
            Route("/-/reload", health.reload, methods=["POST"]),
            *(
                [Route("/api/incidents/{incident}/{kind}", entries.post, methods=["POST"])]
                if entries is not None
                else []
            ),
            *([Route(keys.path, keys.post, methods=["POST"])] if keys is not None else []),
        ],
        exception_handlers={404: _missing(means.pages), 405: _wrong_method, 500: _failed},
    )
    starlette.router.redirect_slashes = False  # such a redirect repeats the Host header that came
    return Secured(starlette)


@dataclass(frozen=True, slots=True)
class Secured:
    """Adds the security headers to every answer, those for errors included; a client that went away is no error."""

    inner: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        with contextlib.suppress(ClientDisconnect):
            await self.inner(scope, receive, sending)


def _missing(pages: Pages) -> Callable[[Request, Exception], Awaitable[Response]]:
    """The answer to an address that does not exist: a page for people, a line for programs."""

    async def missing(request: Request, _: Exception) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse("Not found.\n", 404, {"Vary": "Accept"})
        words = "Nothing is at this address. It may have been mistyped, or cut off in a mail."
        answer = pages.answer("sorry.html.j2", 404, title="No such page", words=words, back=("/", "Current state"))
        answer.headers["Vary"] = "Accept"
        return answer

    return missing


async def _wrong_method(_: Request, error: Exception) -> Response:
    return PlainTextResponse("Method not allowed.\n", 405, getattr(error, "headers", None))


async def _failed(_: Request, __: Exception) -> Response:
    """The error itself goes to the log (Starlette raises it again), not to whoever asked."""
    return PlainTextResponse("Internal error.\n", 500)
