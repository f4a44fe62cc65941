"""Jira, by its platform's REST API v2: an issue of a project, found again by a label.

Version 2 takes plain texts on Cloud, Server and Data Center alike; Cloud searches by its newer `search/jql` alone.
Sources: developer.atlassian.com, Jira Cloud platform REST API v2: Issues, Issue search, Issue comments; JQL fields.
"""

import re
from typing import Any
from urllib.parse import quote, urlencode

from prober.deliver import TIMEOUT, Delivered, texts
from prober.deliver.credentials import authorization
from prober.deliver.desk import Api, Desk
from prober.deliver.exchange import USER_AGENT, Exchange, Session, Undelivered, items, packed
from prober.deliver.marks import marked
from prober.deliver.priorities import priority, rises
from prober.deliver.servicedesk import ServiceDesk
from prober.receivers import JiraReceiver
from prober.redact import Redactor
from rules.acts import Act, Outcome

#: The priorities of Jira's default scheme, the highest first.
PRIORITIES = ("Highest", "High", "Medium", "Low")
_SUMMARY = 255  # characters
_DESCRIPTION = 32_767  # characters of a text field
_LONGEST = 4_000_000  # bytes of a list of comments
_KEY = re.compile(r"[A-Z][A-Z0-9_]+-[0-9]+\Z")


def jira(name: str, receiver: JiraReceiver, redactor: Redactor | None = None, timeout: float = TIMEOUT) -> Desk:
    """Raises OSError when the file of certification authorities cannot be read."""
    exchange = Exchange(receiver.url, receiver.ca, redactor or Redactor.of(receiver), timeout, _LONGEST)
    api: Api = Jira(receiver) if receiver.service_desk is None else ServiceDesk(receiver)
    return Desk(name, exchange, api)


class Jira:
    """What desk.Api asks for, of a project."""

    def __init__(self, receiver: JiraReceiver) -> None:
        self._receiver = receiver
        self._url = f"{receiver.url.rstrip('/')}/rest/api/2"
        self._headers = {
            "Authorization": authorization(receiver.username, receiver.api_token),
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
        }

    def is_number(self, text: str) -> bool:
        return bool(_KEY.match(text))

    async def find(self, session: Session, mark: str) -> str:
        jql = f'labels = "{mark}" ORDER BY created ASC'
        search = "search/jql" if self._receiver.deployment == "cloud" else "search"
        query = urlencode({"jql": jql, "fields": "labels", "maxResults": "5"})
        answer = await session.ask("GET", f"{self._url}/{search}?{query}", headers=self._headers)
        keys = [issue.get("key") for issue in items(answer.value, "issues")]
        return next((key for key in keys if isinstance(key, str)), "")

    async def create(self, session: Session, act: Act, mark: str) -> str:
        fields: dict[str, Any] = {
            "project": {"key": self._receiver.project},
            "issuetype": {"name": self._receiver.issue_type},
            "summary": texts.subject(act)[:_SUMMARY],
            "description": described(act, mark),
            "labels": [mark],
            "priority": {"name": self._priority(act)},
        }
        fields |= self._receiver.fields
        if mark not in fields["labels"]:
            fields["labels"] = [*fields["labels"], mark]
        answer = await session.ask("POST", f"{self._url}/issue", packed({"fields": fields}), self._headers)
        value = answer.value
        key = value.get("key") if isinstance(value, dict) else None
        return key if isinstance(key, str) else ""

    async def has(self, session: Session, number: str, mark: str) -> bool:
        query = "orderBy=-created&maxResults=100"
        answer = await session.ask("GET", f"{self._issue(number)}/comment?{query}", headers=self._headers)
        return any(mark in str(comment.get("body")) for comment in items(answer.value, "comments"))

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
