"""Any other desk or pager: requests written as templates (Jinja, in its sandbox), filled with an act's fields.

The fields are the webhook's (docs/webhook.md), and `mark`, `priority` and `ticket`. Scheme and host of a URL stand in
the configuration as they are: nothing that an act holds can lead a request elsewhere.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import ChainableUndefined, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from prober.deliver import TIMEOUT, Delivered
from prober.deliver.exchange import USER_AGENT, Exchange, Session, Undelivered
from prober.deliver.harmless import told
from prober.deliver.marks import ADDS, Recent, opening
from prober.deliver.marks import mark as mark_of
from prober.deliver.priorities import priority
from prober.deliver.webhook import payload
from prober.receivers import TemplateReceiver, TemplateRequest
from prober.redact import Redactor
from rules.acts import Act, ActKind, Outcome

#: What templates know besides the fields of a webhook.
EXTRA = frozenset({"mark", "opened", "priority", "ticket"})
_FIELDS = frozenset(payload(Act("", 1, ActKind.PAGE, "", (), 0), "", ""))
_PRIORITIES = ("critical", "high", "normal", "low")
_LONGEST = 1_000_000  # bytes of an answer
_MOST = 1_000_000  # characters that a template may make


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=ChainableUndefined, autoescape=False)
    environment.filters["quote"] = lambda value: quote(str(value), safe="")
    return environment


_JINJA = _environment()


def faults(request: TemplateRequest) -> Iterator[tuple[str, str]]:
    """Keys of a request whose templates cannot be used, and why."""
    for key, text in (("url", request.url), ("body", request.body)):
        try:
            unknown = meta.find_undeclared_variables(_JINJA.parse(text)) - _FIELDS - EXTRA
        except TemplateError as error:
            yield key, f"is not a template (Jinja): {error}"
        else:
            if unknown:
                known = ", ".join(sorted(_FIELDS | EXTRA))
                yield key, f"names {', '.join(sorted(unknown))}, which no act has; known are {known}"


class Template:
    """One desk or pager, by templates."""

    def __init__(
        self, name: str, receiver: TemplateReceiver, redactor: Redactor | None = None, timeout: float = TIMEOUT
    ) -> None:
        """Raises OSError when the file of certification authorities cannot be read."""
        self._name = name
        self._receiver = receiver
        self._redactor = redactor or Redactor.of(receiver)
        self._exchange = Exchange(origin(receiver.open.url), receiver.ca, self._redactor, timeout, _LONGEST)
        self._lost = Recent()
        self._fresh = Recent()  # marks of what was opened of late: a search may not show them yet
        self._headers = {"User-Agent": USER_AGENT}
        self._headers |= {name: value.get_secret_value() for name, value in receiver.headers.items()}

    async def deliver(self, act: Act, key: str) -> Delivered:
        adds = act.kind in ADDS
        fields = self._fields(act, key)
        try:
            async with self._exchange.session() as session:
                if adds:
                    fields["ticket"] = await self._opened(session, act, fields)
                elif found := await self._find(session, fields):
                    return Delivered(Outcome.ACCEPTED, f"{self._exchange.host} has it already, as {found}", found)
                elif self._receiver.find is not None and self._lost.unsettled(key):
                    why = "the answer was lost, and the search does not show it yet"
                    return Delivered(Outcome.UNKNOWN, f"{self._exchange.host}: {why}")
                request = self._receiver.add or self._receiver.open if adds else self._receiver.open
                if adds and not fields["ticket"] and names(request.url, "ticket"):
                    return self._without_ticket(fields)
                delivered = await self._send(session, request, fields)
                if not adds:
                    self._fresh.add(fields["mark"])
                return delivered
        except Undelivered as undelivered:
            if undelivered.delivered.outcome is Outcome.UNKNOWN:
                self._lost.add(key)
            return undelivered.delivered

    def _without_ticket(self, fields: Mapping[str, Any]) -> Delivered:
        """What it means that the ticket to add to is not there."""
        if self._receiver.find is not None and self._fresh.unsettled(fields["opened"]):
            why = "the search does not show yet what was opened"
            return Delivered(Outcome.TRANSIENT, f"{self._exchange.host}: {why}")
        return Delivered(Outcome.PERMANENT, f"{self._exchange.host}: the ticket to add to is not there")

    def _fields(self, act: Act, key: str) -> dict[str, Any]:
        opened, adds = opening(act, self._name) or key, act.kind in ADDS
        return payload(act, key, self._name) | {
            "mark": mark_of(key if adds else opened),
            "opened": mark_of(opened),
            "priority": priority(act, self._receiver.priorities, _PRIORITIES),
            "ticket": "",
        }

    async def _opened(self, session: Session, act: Act, fields: Mapping[str, Any]) -> str:
        """The number of the ticket that the act adds to: what the act names, else what the search finds."""
        named = act.facts.get("ticket") if act.kind is ActKind.NOTE else None
        if isinstance(named, str) and named and "@" not in named:
            return named
        return await self._find(session, {**fields, "mark": fields["opened"]})

    async def _find(self, session: Session, fields: Mapping[str, Any]) -> str:
        request = self._receiver.find
        if request is None:
            return ""
        url, body = self._render(request, fields)
        answer = await session.answer(request.method, url, body, self._typed(request, body), safe=True)
        if answer.status == 404:  # many APIs say so when nothing is there
            return ""
        if not 200 <= answer.status <= 299:
            raise Undelivered(self._exchange.refused(answer))
        if session.unbroken(answer).body.strip() and answer.value is None:
            why = "answered the search with what is no JSON; nothing follows from that"
            raise Undelivered(Delivered(Outcome.TRANSIENT, f"{self._exchange.host} {why}"))
        return told(self._redactor, at_path(answer.value, request.reference), 200)

    async def _send(self, session: Session, request: TemplateRequest, fields: Mapping[str, Any]) -> Delivered:
        url, body = self._render(request, fields)
        headers = self._typed(request, body) | {"Idempotency-Key": str(fields["mark"])}
        answer = await session.ask(request.method, url, body, headers)
        reference = at_path(answer.value, request.reference) if request.reference else ""
        detail = f"{self._exchange.host} answered {answer.status}"
        return Delivered(Outcome.ACCEPTED, detail, told(self._redactor, reference, 200))

    def _typed(self, request: TemplateRequest, body: bytes) -> dict[str, str]:
        return self._headers | ({"Content-Type": request.content_type} if body else {})

    def _render(self, request: TemplateRequest, fields: Mapping[str, Any]) -> tuple[str, bytes]:
        try:
            url = _compiled(request.url).render(fields)
            body = _compiled(request.body).render(fields)
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise self._unusable(f"the template fails on this act ({type(error).__name__})") from error
        if len(body) > _MOST:
            raise self._unusable("the template makes a body of more than a million characters")
        if origin(url) != origin(request.url) or not re.fullmatch(r"[!-~]{1,4000}", url) or "#" in url:
            raise self._unusable("the template makes no URL; put values through the filter quote")
        return url, body.encode()

    def _unusable(self, why: str) -> Undelivered:
        return Undelivered(Delivered(Outcome.PERMANENT, f"{self._exchange.host}: {why}"))


def at_path(value: Any, path: str) -> str:
    """What stands at `path` (keys and indexes joined by dots) of a JSON value, as text; "" when nothing does."""
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isascii() and part.isdigit() and len(part) < 10:
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return ""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


@lru_cache(maxsize=100)
def names(text: str, field: str) -> bool:
    """Whether a template uses the field."""
    return field in meta.find_undeclared_variables(_JINJA.parse(text))


@lru_cache(maxsize=100)
def _compiled(text: str) -> Any:
    return _JINJA.from_string(text)


def origin(url: str) -> str:
    """Scheme and host of a URL, as it begins."""
    match = re.match(r"https?://[^/?#{}\s]+", url)
    return match[0] if match and urlsplit(match[0]).hostname else ""
