"""`/incidents` and `/incidents/ID`: the list, the incident room, and the steps that a person enters there."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from prober import tickets
from prober.deliver.view import line
from prober.links import room_path
from prober.redact import Redactor
from prober.settings import Settings
from prober.store import IncidentHead, StoreError
from prober.web.formats import has_already
from prober.web.forms import posted
from prober.web.gate import Gate, Who
from prober.web.login import HEADERS, Login
from prober.web.room.room import Room, read
from prober.web.room.steps import STEPS, TEXT, TICKET, Step, entry, grouped, steps_of, wrong
from prober.web.signed import Signed
from prober.web.stepping import Stepping
from rules.contracts.model import INTERNAL
from rules.incident_events import EntryKind

if TYPE_CHECKING:
    from prober.web.app import Means

#: Closed incidents of a service in the list.
MOST = 50


class Incidents:
    """The handlers."""

    def __init__(self, means: "Means", gate: Gate, login: Login) -> None:
        self._means = means
        self._gate = gate
        self._login = login
        self._stepping = Stepping(means)
        self._redactors: tuple[Settings, Redactor] | None = None

    # reading

    async def listed(self, request: Request) -> Response:
        if not self._gate.may_read(request):
            return self._login.form("/incidents", status=401)
        try:
            heads = await self._means.stored.ask(lambda reader: reader.incidents())
        except StoreError as error:
            return self._unread(str(error))
        settings = self._means.view.settings
        services: dict[str, list[IncidentHead]] = {name: [] for name in settings.services}
        for head in heads:
            services.setdefault(head.service, []).append(head)
        blocks = [_block(name, found, settings) for name, found in services.items()]
        blocks.sort(key=lambda block: not block["open"])
        return self._page("incidents.html.j2", request, blocks=blocks, after="/incidents")

    async def room(self, request: Request) -> Response:
        incident = request.path_params["incident"]
        if not self._gate.may_read(request):
            return self._login.form(room_path(incident), status=401)
        room = await self._read(incident)
        if isinstance(room, Response):
            return room
        who = self._gate.who(request)
        tag = f'"{hashlib.sha256(repr((room, who)).encode("utf-8", "replace")).hexdigest()[:32]}"'
        if has_already(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=304, headers={"ETag": tag, "Cache-Control": "no-store"})
        entered = _known(request.query_params.get("entered", ""))
        answer = self._shown(request, room, entered=entered)
        answer.headers["ETag"] = tag
        return answer

    async def _read(self, incident: str) -> Room | Response:
        """The room, or why there is none."""
        settings, now = self._means.view.settings, int(self._means.view.now())
        redactor = self._redactor(settings)
        try:
            room = await self._means.stored.ask(lambda reader: read(reader, incident, settings, redactor, now))
        except StoreError as error:
            return self._unread(str(error))
        if room is None:
            words = f"There is no incident {line(incident[:100])}."
            return self._means.pages.answer("sorry.html.j2", 404, title="No such incident", words=words)
        return room

    def _shown(
        self,
        request: Request,
        room: Room,
        status: int = 200,
        *,
        entered: Step | None = None,
        tried: Step | None = None,
        typed: Mapping[str, str] | None = None,
        errors: Mapping[str, str] | None = None,
    ) -> Response:
        """The room; with what was `typed` into the form of the step `tried`, and what is wrong with it."""
        return self._page(
            "room.html.j2",
            request,
            status,
            room=room,
            steps=grouped(steps_of(room)),
            able=self._means.entries is not None,
            entered=entered,
            tried=tried.kind.value if tried is not None else "",
            typed=typed or {},
            errors=errors or {},
            longest=TEXT,
            longest_ticket=TICKET,
            after=room_path(room.head.id),
        )

    def _page(self, template: str, request: Request, status: int = 200, **values: Any) -> Response:
        who, now = self._gate.who(request), self._means.view.now()
        answer = self._means.pages.answer(template, status, who=who, can_log_in=self._gate.open, now=now, **values)
        answer.headers.update(HEADERS)
        return answer

    def _unread(self, why: str) -> Response:
        words = f"The store cannot be read: {line(why)}"
        return self._means.pages.answer("sorry.html.j2", 503, title="The record cannot be read", words=words)

    def _redactor(self, settings: Settings) -> Redactor:
        if self._redactors is None or self._redactors[0] is not settings:
            self._redactors = (settings, Redactor.of(settings))
        return self._redactors[1]

    # entering

    async def enter(self, request: Request) -> Response:
        """A form of the room: taken, or the room again with what was typed and what is wrong."""
        incident, step = request.path_params["incident"], _known(request.path_params["kind"])
        fields = await posted(request)
        who = self._gate.who(request)
        if who is None:
            return self._login.form(
                room_path(incident), error="Log in to enter steps; your login may have ended.", status=401
            )
        room = await self._read(incident)
        if isinstance(room, Response):
            return room
        if step is None or fields is None:
            errors = {"": "This is no form of this page. Please try again."}
            return self._shown(request, room, 400, errors=errors)
        errors = await self._taken(request, step, fields, room.head.id, who)
        if errors:
            return self._shown(request, room, 409 if "" in errors else 422, tried=step, typed=fields, errors=errors)
        return RedirectResponse(f"{room_path(room.head.id)}?entered={step.kind.value}#entered", 303, HEADERS)

    async def _taken(
        self, request: Request, step: Step, fields: Mapping[str, str], incident: str, who: Who
    ) -> dict[str, str]:
        """Enters the step; what is wrong with it, by field ("": the whole of it)."""
        if not self._gate.is_ours(request) or not self._gate.genuine_form(who, fields.get("form", "")):
            return {"": "This form was too old, or came from another site. Please try again."}
        now = self._means.view.now()
        if errors := dict(wrong(step, fields, now)):
            return errors
        refused = await self._stepping.enter(entry(step, fields, incident, who.name, now), "web")
        return {"": refused} if refused else {}


def _known(kind: str) -> Step | None:
    try:
        return STEPS.get(EntryKind(kind))
    except ValueError:
        return None


def _block(name: str, heads: list[IncidentHead], settings: Settings) -> dict[str, Any]:
    """A service of the list: open incidents first, then the newest closed ones."""
    service = settings.services.get(name)
    rows = [_row(head) for head in reversed(heads)]
    closed = [row for row in rows if not row["open"]]
    return {
        "name": line(name),
        "title": line(service.title if service and service.title else name),
        "open": [row for row in rows if row["open"]],
        "closed": closed[:MOST],
        "earlier": max(0, len(closed) - MOST),
    }


def _row(head: IncidentHead) -> dict[str, Any]:
    return {
        "id": line(head.id),
        "path": room_path(head.id),
        "open": head.closed is None,
        "severity": "on-call alone" if head.severity == INTERNAL else line(head.severity),
        "phase": "concerns on-call alone" if head.phase == INTERNAL else line(head.phase),
        "onset": head.onset,
        "recovered": head.recovered,
        "episodes": head.episodes,
        "ticket": tickets.in_words(line(head.ticket)),
        "conditions": ", ".join(line(name) for name in head.conditions),
    }


def routes(means: "Means", gate: Gate) -> list[Route]:
    """The list, the room with its steps, logins, and signed links."""
    login = Login(gate, means.pages)
    incidents, signed = Incidents(means, gate, login), Signed(means, gate)
    return [
        Route("/login", login.get),
        Route("/login", login.post, methods=["POST"]),
        Route("/logout", login.leave, methods=["POST"]),
        Route("/incidents", incidents.listed),
        Route("/incidents/{incident}", incidents.room),
        Route("/incidents/{incident}/enter/{kind}", incidents.enter, methods=["POST"]),
        Route("/incidents/{incident}/link/{kind}", signed.get),
        Route("/incidents/{incident}/link/{kind}", signed.post, methods=["POST"]),
    ]
