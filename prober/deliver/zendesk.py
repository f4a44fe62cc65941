"""Zendesk, by its Ticketing API: as an agent (Tickets) or as the customer that we are to the vendor (Requests).

A ticket carries its mark as `external_id`, and its creation an Idempotency-Key, which Zendesk keeps for two hours. A
request has neither: its mark stands in its text, and is looked for among the newest of our own requests.
Sources: developer.zendesk.com, Ticketing API: Introduction (Idempotency), Tickets, Requests, Ticket Comments.
"""

from typing import Any
from urllib.parse import quote

from prober.deliver import TIMEOUT, texts
from prober.deliver.credentials import authorization
from prober.deliver.desk import Desk
from prober.deliver.exchange import USER_AGENT, Exchange, Session, items, packed
from prober.deliver.marks import marked
from prober.deliver.priorities import priority, rises
from prober.receivers import ZendeskReceiver
from prober.redact import Redactor
from rules.acts import Act

#: Zendesk's priorities, the highest first.
PRIORITIES = ("urgent", "high", "normal", "low")
_LONGEST = 4_000_000  # bytes of a list of comments


def zendesk(name: str, receiver: ZendeskReceiver, redactor: Redactor | None = None, timeout: float = TIMEOUT) -> Desk:
    """Raises OSError when the file of certification authorities cannot be read."""
    exchange = Exchange.to(receiver, redactor, timeout, _LONGEST)
    return Desk(name, exchange, Zendesk(receiver))


class Zendesk:
    """What desk.Api asks for."""

    def __init__(self, receiver: ZendeskReceiver) -> None:
        self._receiver = receiver
        self._agent = receiver.role == "agent"
        self._kind = "ticket" if self._agent else "request"
        self._url = f"{receiver.url.rstrip('/')}/api/v2/{self._kind}s"
        user = f"{receiver.username}/token" if receiver.username is not None else None
        self._headers = {
            "Authorization": authorization(user, receiver.api_token),
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
        }

    def is_number(self, text: str) -> bool:
        return text.isascii() and text.isdigit()

    async def find(self, session: Session, mark: str) -> str:
        if self._agent:
            answer = await session.ask("GET", f"{self._url}.json?external_id={quote(mark)}", headers=self._headers)
            found = [t for t in session.rows(answer, "tickets") if t.get("external_id") == mark]
        else:
            query = "sort_by=created_at&sort_order=desc&per_page=100"
            answer = await session.ask("GET", f"{self._url}.json?{query}", headers=self._headers)
            found = [r for r in session.rows(answer, "requests") if mark in str(r.get("description"))]
        numbers = sorted(ticket["id"] for ticket in found if isinstance(ticket.get("id"), int))
        return str(numbers[0]) if numbers else ""

    async def create(self, session: Session, act: Act, mark: str) -> str:
        comment: dict[str, Any] = {"body": marked(act, mark)}
        ticket = {
            "subject": texts.subject(act),
            "comment": comment,
            "priority": priority(act, self._receiver.priorities, PRIORITIES),
        }
        if self._agent:
            ticket |= {"external_id": mark, "type": "incident"}
            if self._receiver.requester is not None:
                ticket["requester"] = {"email": self._receiver.requester, "name": self._receiver.requester}
        body = packed({self._kind: ticket | self._receiver.fields})
        answer = await session.ask("POST", f"{self._url}.json", body, self._headers | {"Idempotency-Key": mark})
        value = answer.value
        made = value.get(self._kind) if isinstance(value, dict) else None
        return str(made["id"]) if isinstance(made, dict) and isinstance(made.get("id"), int) else ""

    async def has(self, session: Session, number: str, mark: str) -> bool:
        newest = f"{self._url}/{quote(number)}/comments.json?sort_order=desc&per_page=100"
        answer = await session.ask("GET", newest, headers=self._headers)
        return any(mark in str(comment.get("body")) for comment in items(session.unbroken(answer).value, "comments"))

    async def add(self, session: Session, number: str, act: Act, mark: str) -> None:
        ticket: dict[str, Any] = {"comment": {"body": marked(act, mark)}}
        if self._agent:
            ticket["comment"]["public"] = True
            if rises(act):
                ticket["priority"] = priority(act, self._receiver.priorities, PRIORITIES)
            if act.step.startswith("unavailable-again"):
                ticket["status"] = "open"  # a solved ticket stays solved when an agent comments
        await session.ask("PUT", f"{self._url}/{quote(number)}.json", packed({self._kind: ticket}), self._headers)
