"""Jira, by its platform's REST API v2: an issue of a project, found again by a label.

Version 2 takes plain texts on Cloud, Server and Data Center alike; Cloud searches by its newer `search/jql` alone.
Sources: developer.atlassian.com, Jira Cloud platform REST API v2: Issues, Issue search, Issue comments; JQL fields.
"""

from typing import Any
from urllib.parse import quote, urlencode

from prober.deliver import TIMEOUT, Delivered, texts
from prober.deliver.atlassian import SUMMARY, Site, text_of
from prober.deliver.desk import Api, Desk
from prober.deliver.exchange import Exchange, Session, Undelivered, items, packed
from prober.deliver.marks import marked
from prober.deliver.priorities import priority, rises
from prober.deliver.servicedesk import ServiceDesk
from prober.receivers import JiraReceiver
from prober.redact import Redactor
from rules.acts import Act, Outcome

#: The priorities of Jira's default scheme, the highest first.
PRIORITIES = ("Highest", "High", "Medium", "Low")
_DESCRIPTION = 32_767  # characters of a text field
_LONGEST = 4_000_000  # bytes of a list of comments


def jira(name: str, receiver: JiraReceiver, redactor: Redactor | None = None, timeout: float = TIMEOUT) -> Desk:
    """Raises OSError when the file of certification authorities cannot be read."""
    exchange = Exchange.to(receiver, redactor, timeout, _LONGEST)
    api: Api = Jira(receiver) if receiver.service_desk is None else ServiceDesk(receiver)
    return Desk(name, exchange, api)


class Jira(Site):
    """What desk.Api asks for, of a project."""

    def __init__(self, receiver: JiraReceiver) -> None:
        super().__init__(receiver, "rest/api/2")

    async def find(self, session: Session, mark: str) -> str:
        jql = f'labels = "{mark}" ORDER BY created ASC'
        search = "search/jql" if self._receiver.deployment == "cloud" else "search"
        query = urlencode({"jql": jql, "fields": "labels", "maxResults": "5"})
        answer = await session.ask("GET", f"{self._url}/{search}?{query}", headers=self._headers)
        keys = [issue.get("key") for issue in session.rows(answer, "issues")]
        return next((key for key in keys if isinstance(key, str)), "")

    async def create(self, session: Session, act: Act, mark: str) -> str:
        fields: dict[str, Any] = {
            "project": {"key": self._receiver.project},
            "issuetype": {"name": self._receiver.issue_type},
            "summary": texts.subject(act)[:SUMMARY],
            "description": described(act, mark),
            "labels": [mark],
            "priority": {"name": self._priority(act)},
        }
        fields |= self._receiver.fields
        if mark not in fields["labels"]:
            fields["labels"] = [*fields["labels"], mark]
        answer = await session.ask("POST", f"{self._url}/issue", packed({"fields": fields}), self._headers)
        return text_of(answer, "key")

    async def has(self, session: Session, number: str, mark: str) -> bool:
        query = "orderBy=-created&maxResults=100"
        answer = await session.ask("GET", f"{self._issue(number)}/comment?{query}", headers=self._headers)
        return any(mark in str(comment.get("body")) for comment in items(session.unbroken(answer).value, "comments"))

    async def add(self, session: Session, number: str, act: Act, mark: str) -> None:
        if rises(act):
            fields = {"priority": {"name": self._priority(act)}}
            answer = await session.answer(
                "PUT", self._issue(number), packed({"fields": fields}), self._headers, safe=True
            )
            if answer.status >= 500:  # what the desk refuses otherwise is its own matter: the comment says it all
                why = f"{session.host}: the priority could not be set ({answer.status})"
                raise Undelivered(Delivered(Outcome.TRANSIENT, why))
        body = packed({"body": described(act, mark)})
        await session.ask("POST", f"{self._issue(number)}/comment", body, self._headers)

    def _priority(self, act: Act) -> str:
        return priority(act, self._receiver.priorities, PRIORITIES)

    def _issue(self, number: str) -> str:
        return f"{self._url}/issue/{quote(number, safe='')}"


def described(act: Act, mark: str) -> str:
    """The act's text within Jira's limit, as preformatted text, so that no sign in it becomes markup."""
    text = marked(act, mark, _DESCRIPTION - 100).replace("{noformat}", "(noformat)")
    return f"{{noformat}}\n{text}{{noformat}}"
