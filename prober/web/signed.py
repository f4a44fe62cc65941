"""`/incidents/ID/link/STEP`: a step by a signed link out of a page to on-call.

Looking at a link changes nothing, since mail scanners follow links: it shows what it would enter, and a button does it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from prober import tickets
from prober.deliver.harmless import harmless
from prober.deliver.view import instant, line
from prober.links import TITLES, Standing, standing
from prober.store import IncidentHead, StoreError
from prober.web.forms import posted
from prober.web.gate import NAME, Gate
from prober.web.login import HEADERS
from prober.web.stepping import Stepping
from rules.incident_events import EntryKind

if TYPE_CHECKING:
    from prober.web.app import Means

#: Characters of what may be said with a step.
TEXT = 2_000
_FORGED = (
    "It was changed on its way, belongs to another incident, or was signed with a key that is no longer used."
    " Open it as it stands in the page, or log in and enter the step in the incident room."
)
_EXPIRED = (
    "Links in pages work for a while only. Log in and enter the step in the incident room, or use a newer page's link."
)
_NOT_GOOD = {
    Standing.FORGED: ("This link is not valid", _FORGED),
    Standing.EXPIRED: ("This link has expired", _EXPIRED),
}


class Signed:
    """The handlers."""

    def __init__(self, means: "Means", gate: Gate) -> None:
        self._means = means
        self._gate = gate
        self._stepping = Stepping(means)

    async def get(self, request: Request) -> Response:
        return self._not_good(request) or await self._confirmation(request)

    async def post(self, request: Request) -> Response:
        if (answer := self._not_good(request)) is not None:
            return answer
        fields = await posted(request)
        if fields is None or not self._gate.is_ours(request):
            return await self._confirmation(request, error="The form came from another site, or is none.", status=403)
        name = harmless(fields.get("name", ""), limit=NAME).strip()
        text = fields.get("text", "")
        if len(text) > TEXT:
            why = f"The text is too long: {len(text)} characters; {TEXT} at most."
            return await self._confirmation(request, fields, why, 422)
        receiver, kind = _receiver(request), request.path_params["kind"]
        said = [harmless(text, lines=True).strip(), f"(by the signed link in the page to {receiver})"]
        step = {
            "incident": request.path_params["incident"],
            "kind": kind,
            "by": name or receiver,
            "text": " ".join(words for words in said if words),
        }
        refused = await self._stepping.enter(step, "link")
        if refused:
            return await self._confirmation(request, fields, refused, 409)
        return await self._confirmation(request, done=True)

    def _not_good(self, request: Request) -> Response | None:
        """What is said to a link that is worth nothing."""
        query, kind = request.query_params, request.path_params["kind"]
        worth = Standing.FORGED
        if kind in TITLES:
            incident, until, sig = request.path_params["incident"], query.get("until", ""), query.get("sig", "")
            now = self._means.view.now()
            worth = standing(self._gate.signer, incident, kind, query.get("for", ""), until, sig, now)
        if worth is Standing.GOOD:
            return None
        title, words = _NOT_GOOD[worth]
        return self._answer("sorry.html.j2", 410 if worth is Standing.EXPIRED else 403, title=title, words=words)

    async def _confirmation(
        self,
        request: Request,
        typed: Mapping[str, str] | None = None,
        error: str = "",
        status: int = 200,
        *,
        done: bool = False,
    ) -> Response:
        """What the link would enter, or that it is entered."""
        incident = request.path_params["incident"]
        head = await self._head(incident)
        settings = self._means.view.settings
        service = settings.services.get(head.service) if head is not None else None
        return self._answer(
            "link.html.j2",
            status,
            title=TITLES[EntryKind(request.path_params["kind"])],
            incident=line(incident),
            room=f"/incidents/{incident}",
            service=line(service.title) if service and service.title else line(head.service) if head else "",
            onset=instant(head.onset) if head is not None else "",
            phase=line(head.phase) if head is not None else "",
            ticket=tickets.in_words(line(head.ticket)) if head is not None else "",
            receiver=_receiver(request),
            until=int(request.query_params["until"]),
            action=f"{request.url.path}?{request.url.query}",
            typed=typed or {},
            error=error,
            done=done,
            longest=TEXT,
            longest_name=NAME,
        )

    async def _head(self, incident: str) -> IncidentHead | None:
        """What the record says; nothing while the store cannot be read, which must not keep anybody from acknowledging."""
        try:
            return await self._means.stored.ask(lambda reader: reader.incident(incident))
        except StoreError:
            return None

    def _answer(self, template: str, status: int, **values: Any) -> Response:
        answer = self._means.pages.answer(template, status, **values)
        answer.headers.update(HEADERS)
        return answer


def _receiver(request: Request) -> str:
    return line(request.query_params.get("for", ""))
