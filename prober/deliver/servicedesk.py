"""Jira Service Management, as the customer that we are to the vendor: requests of a desk, found again by their text.

A customer cannot search issues or set labels, but can list the own requests, the newest activity first.
Source: developer.atlassian.com, Jira Service Management REST API: Request.
"""

from typing import Any
from urllib.parse import quote

from prober.deliver import texts
from prober.deliver.atlassian import SUMMARY, Site, text_of
from prober.deliver.exchange import Session, items, packed
from prober.deliver.marks import marked
from prober.receivers import JiraReceiver
from rules.acts import Act

_TEXT = 32_000  # characters of a description or a comment
_PAGES = 10  # pages of comments that are looked through, of a hundred or as many as the site gives at once


class ServiceDesk(Site):
    """What desk.Api asks for, of a service desk."""

    def __init__(self, receiver: JiraReceiver) -> None:
        super().__init__(receiver, "rest/servicedeskapi/request")

    async def find(self, session: Session, mark: str) -> str:
        query = f"requestOwnership=OWNED_REQUESTS&serviceDeskId={quote(self._receiver.service_desk or '')}&limit=100"
        answer = await session.ask("GET", f"{self._url}?{query}", headers=self._headers)
        for request in session.rows(answer, "values"):
            texts_of = [str(field.get("value")) for field in items(request, "requestFieldValues")]
            key = request.get("issueKey")
            if isinstance(key, str) and any(mark in text for text in texts_of):
                return key
        return ""

    async def create(self, session: Session, act: Act, mark: str) -> str:
        fields: dict[str, Any] = {"summary": texts.subject(act)[:SUMMARY], "description": marked(act, mark, _TEXT)}
        severity = act.facts.get("severity")
        if isinstance(severity, str) and severity in self._receiver.priorities:
            fields["priority"] = {"name": self._receiver.priorities[severity]}
        request = {
            "serviceDeskId": self._receiver.service_desk,
            "requestTypeId": self._receiver.request_type,
            "requestFieldValues": fields | self._receiver.fields,
        }
        answer = await session.ask("POST", self._url, packed(request), self._headers)
        return text_of(answer, "issueKey")

    async def has(self, session: Session, number: str, mark: str) -> bool:
        start = 0
        for _ in range(_PAGES):  # the oldest first, and no order to be chosen
            url = f"{self._comments(number)}?limit=100&start={start}"
            answer = await session.ask("GET", url, headers=self._headers)
            comments = items(session.unbroken(answer).value, "values")
            if any(mark in str(comment.get("body")) for comment in comments):
                return True
            if not comments or answer.value.get("isLastPage") is not False:
                return False
            start += len(comments)  # fewer than asked for, where a site gives no more at once
        return False

    async def add(self, session: Session, number: str, act: Act, mark: str) -> None:
        body = packed({"body": marked(act, mark, _TEXT), "public": True})
        await session.ask("POST", self._comments(number), body, self._headers)

    def _comments(self, number: str) -> str:
        return f"{self._url}/{quote(number, safe='')}/comment"
