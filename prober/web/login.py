"""`/login` and `/logout`: the configuration's token and a name, for a cookie that expires."""

import math
import re
import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from prober import logs
from prober.deliver.harmless import harmless
from prober.web.attempts import Attempts
from prober.web.forms import posted
from prober.web.gate import NAME, Gate
from prober.web.pages import Pages

log = logs.get("web")

_INSIDE = re.compile(r"/(?:incidents(?:/[A-Za-z0-9_.~%-]{1,300}){0,3})?")
#: Forms must say where they come from, which they do not under the other pages' `no-referrer`.
HEADERS = {"Referrer-Policy": "same-origin"}


def inside(path: str) -> str:
    """`path` if it is a page to which a login may lead; else the list of incidents."""
    return path if _INSIDE.fullmatch(path) else "/incidents"


class Login:
    """The handlers."""

    def __init__(self, gate: Gate, pages: Pages, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._gate = gate
        self._pages = pages
        self._attempts = Attempts(monotonic)

    async def get(self, request: Request) -> Response:
        after = inside(request.query_params.get("next", ""))
        if self._gate.who(request) is not None:
            return RedirectResponse(after, 303, HEADERS)
        return self.form(after)

    def form(self, after: str, name: str = "", error: str = "", status: int = 200) -> Response:
        """The page that asks who it is; then it leads to `after`."""
        answer = self._pages.answer(
            "login.html.j2",
            status,
            after=after,
            name=name,
            error=error,
            open=self._gate.open,
            form=self._gate.login_form(),
            longest=NAME,
        )
        answer.headers.update(HEADERS)
        return answer

    async def post(self, request: Request) -> Response:
        fields = await posted(request) or {}
        after = inside(fields.get("next", ""))
        name = harmless(fields.get("name", ""), limit=NAME).strip()
        place = self._gate.origin(request)
        if not self._gate.open:
            return self.form(after, status=403)
        if not self._gate.is_ours(request) or not self._gate.genuine_login_form(fields.get("form", "")):
            return self.form(after, name, "This form was too old, or came from another site. Please try again.", 403)
        if (wait := self._attempts.wait(place)) > 0:
            minutes = math.ceil(wait / 60)
            answer = self.form(after, name, f"Too many failed logins. Try again in {minutes} min.", 429)
            answer.headers["Retry-After"] = str(math.ceil(wait))
            return answer
        if not name:
            return self.form(after, name, "Say who you are: the record names whoever enters a step.", 422)
        if not self._gate.knows(fields.get("token", "").strip()):
            self._attempts.failed(place)
            log.warning("a login failed", extra=logs.fields(origin=place, name=name))
            return self.form(after, name, "This is not the token (web.token of the configuration).", 422)
        self._attempts.succeeded(place)
        log.info("somebody logged in", extra=logs.fields(origin=place, name=name))
        answer = RedirectResponse(after, 303, HEADERS)
        self._gate.let_in(request, answer, name)
        return answer

    async def leave(self, request: Request) -> Response:
        """Logging out."""
        fields = await posted(request) or {}
        who = self._gate.who(request)
        answer = RedirectResponse(inside(fields.get("next", "")), 303, HEADERS)
        if who is not None and self._gate.is_ours(request) and self._gate.genuine_form(who, fields.get("form", "")):
            self._gate.let_out(request, answer)
        return answer
