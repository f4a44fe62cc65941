"""The newest public picture and what was rendered of it, made once a second at most, off the event loop.

Whoever asks gets what is there: a picture that is a little old is shown while the next one is made. What changes the picture
at once (a reload, an incident's step, measuring being impaired) is never shown late.
"""

import asyncio
import gzip
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from prober import logs
from prober.status.picture import Painter, Picture, paint
from prober.store import StoreError
from prober.web.formats import has_already, takes_gzip
from prober.web.health import unready
from prober.web.stored import Stored
from prober.web.view import View
from rules.incident_state import MAILBOX
from rules.model import Condition

log = logs.get("web")

#: A picture is made anew after so many seconds, and never shown when it is older than the second bound.
FRESH, STALE = 1.0, 5.0
_SMALL = 1024  # bytes; compression is not worth it


@dataclass(frozen=True, slots=True)
class Rendered:
    """A page or a document, ready to be sent."""

    body: bytes
    packed: bytes
    tag: str

    @classmethod
    def of(cls, text: str) -> "Rendered":
        body = text.encode()
        packed = gzip.compress(body, compresslevel=4, mtime=0) if len(body) >= _SMALL else b""
        return cls(body, packed, f'W/"{hashlib.sha256(body).hexdigest()[:20]}"')

    def answer(self, request: Request, kind: str, **headers: str) -> Response:
        """The answer to `request`: compressed if it takes that, 304 if it has the same already."""
        told = {"ETag": self.tag, "Vary": "Accept-Encoding"} | {k.replace("_", "-"): v for k, v in headers.items()}
        if has_already(request.headers.get("if-none-match", ""), self.tag):
            return Response(status_code=304, headers=told)
        told["Content-Type"] = kind
        if self.packed and takes_gzip(request.headers.get("accept-encoding", "")):
            return Response(self.packed, headers=told | {"Content-Encoding": "gzip"})
        return Response(self.body, headers=told)


@dataclass(slots=True)
class Shown:
    """A picture, when it was made, and what has been rendered of it so far."""

    picture: Picture
    made: float  # monotonic seconds
    token: tuple[Any, ...]
    rendered: dict[str, Rendered] = field(default_factory=dict)

    def once(self, name: str, render: Callable[[Picture], str]) -> Rendered:
        """What `render` makes of the picture; made once."""
        found = self.rendered.get(name)
        if found is None:
            found = self.rendered[name] = Rendered.of(render(self.picture))
        return found


class Public:
    """See the module. `first(picture)` renders the page, off the loop, with every new picture."""

    def __init__(
        self,
        view: View,
        stored: Stored,
        first: Callable[[Picture], str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._view = view
        self._stored = stored
        self._first = first
        self._monotonic = monotonic
        self._painter = Painter()
        self._shown: Shown | None = None
        self._making: asyncio.Task[Shown] | None = None
        self._troubled = ""

    async def shown(self) -> Shown:
        """The newest picture."""
        shown, now = self._shown, self._monotonic()
        if shown is not None and shown.token == self._token():
            if now < shown.made + FRESH:
                return shown
            if now < shown.made + STALE:
                self._make()
                return shown
        return await asyncio.shield(self._make())

    def _make(self) -> asyncio.Task[Shown]:
        loop = asyncio.get_running_loop()
        making = self._making
        if making is None or making.done() or making.get_loop() is not loop:
            making = self._making = loop.create_task(self._made(), name="public picture")
            making.add_done_callback(_taken)
        return making

    def _token(self) -> tuple[Any, ...]:
        view = self._view
        return id(view.settings), id(view.incidents), self._impaired()

    def _impaired(self) -> bool:
        public = {name for name, service in self._view.settings.services.items() if service.public}
        blind = any(
            condition == Condition.BLIND and not scope.startswith(MAILBOX)
            for incident in self._view.incidents
            if incident.service in public
            for condition, scope, _ in incident.held
        )
        return blind or bool(unready(self._view))

    async def _made(self) -> Shown:
        made, token, snapshot, impaired = self._monotonic(), self._token(), self._view.snapshot(), self._impaired()
        now = int(snapshot.now)
        try:
            found = await self._stored.ask(lambda reader: self._painter.find(reader, snapshot.settings, now))
            self._troubled = ""
        except StoreError as error:
            found = None
            if str(error) != self._troubled:
                self._troubled = str(error)
                log.warning("the status page shows no history: %s", error)

        def finish() -> Shown:
            windows = self._painter.look_ahead(snapshot.settings, now)
            shown = Shown(paint(snapshot, found, windows, impaired=impaired), made, token)
            shown.once("page", self._first)
            return shown

        shown = await asyncio.get_running_loop().run_in_executor(None, finish)
        self._shown = shown
        return shown


def _taken(task: asyncio.Task[Shown]) -> None:
    """Nobody may wait for it: what it failed by is told then, too."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the status page cannot be made: %s", type(error).__name__)
