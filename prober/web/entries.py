"""`POST /api/incidents/ID/KIND`: an operator's step, entered by whoever has the token of the configuration.

The body is a JSON object: `by` (who, needed), `text`, `ticket`, `value`, `when` (UTC seconds; 0 or left out: now). 200 with
`{"ok": true}`; 409 with `{"ok": false, "error": why}` when the incident does not take the step; 400 for a body that is none.
"""

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from prober.link import Message
from prober.web.forms import LARGEST, body_of
from prober.web.health import refusal
from prober.web.view import View
from rules.incident import EntryKind

#: Seconds that the measuring process has to answer.
WITHIN = 10.0
#: Seconds by which another clock may be ahead of ours; what happened then happened now.
_AHEAD = 60
_TEXTS = ("by", "text", "ticket", "value")


class Entries:
    """Asks the measuring process and waits for its answer."""

    def __init__(self, view: View, send: Callable[[Message], None]) -> None:
        self._view = view
        self._send = send
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._ids = itertools.count(1)

    def answered(self, message: Message) -> None:
        """An `entered` came; entries that nobody here waits for (a receiver's, a reply's) are answered too."""
        waiting = self._waiting.get(str(message.get("id")))
        if waiting is not None and not waiting.done():
            waiting.set_result("" if message.get("ok") else str(message.get("error") or "it was not taken"))

    async def post(self, request: Request) -> Response:
        """The route's handler."""
        settings = self._view.settings
        if settings.web.token is None:
            return PlainTextResponse("No web.token is configured: set one to enter steps over HTTP.\n", 403)
        if (refused := refusal(request, settings)) is not None:
            return refused
        try:
            kind = EntryKind(request.path_params["kind"])
        except ValueError:
            known = ", ".join(kind.value for kind in EntryKind)
            return PlainTextResponse(f"No such step; known are {known}.\n", 404)
        step = _read(await body_of(request), self._view.now())
        if isinstance(step, str):
            return PlainTextResponse(f"{step}\n", 400)
        return await self._enter({"incident": request.path_params["incident"], "kind": kind.value, **step})

    async def enter(self, step: dict[str, Any], via: str) -> str:
        """Why the incident does not take the step; "" when it took it. `via` says how it came: api, web, link.

        Raises TimeoutError when the measuring process does not answer: the step may have been taken.
        """
        key = f"{via}-{next(self._ids)}"
        waiting = self._waiting[key] = asyncio.get_running_loop().create_future()
        try:
            self._send({"type": "entry", "id": key, "via": via, **step})
            return await asyncio.wait_for(waiting, WITHIN)
        finally:
            del self._waiting[key]

    async def _enter(self, step: dict[str, Any]) -> Response:
        try:
            error = await self.enter(step, "api")
        except TimeoutError:
            return JSONResponse({"ok": False, "error": "no answer from the measuring process"}, 504)
        return JSONResponse({"ok": False, "error": error}, 409) if error else JSONResponse({"ok": True})


def _read(body: bytes | None, now: float) -> dict[str, Any] | str:
    """The step that a body holds, or what is wrong with it; None was too large. `now` is UTC seconds."""
    if body is None:
        return f"The body is larger than {LARGEST} bytes."
    try:
        step = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return "The body is not JSON."
    if not isinstance(step, dict) or (unknown := sorted(set(step) - {*_TEXTS, "when"})):
        return f"The body is a JSON object of {', '.join(_TEXTS)} and when" + (
            f", not of {unknown[0]!r}." if isinstance(step, dict) else "."
        )
    when = step.get("when", 0)
    number = isinstance(when, int) and not isinstance(when, bool) and when >= 0
    if not all(isinstance(step.get(name, ""), str) for name in _TEXTS) or not number:
        return f"{', '.join(_TEXTS)} are texts, and when is a number of UTC seconds."
    if when > now + _AHEAD:
        return "`when` is in the future: write UTC seconds (not milliseconds), or leave it out for now."
    if not step.get("by", "").strip():
        return "`by` is missing: say who enters this."
    if not step.get("value", "").isprintable():  # it becomes part of a page's key, which no header could carry then
        return "`value` is a word or a key: one line, without control characters."
    return step
