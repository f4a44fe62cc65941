"""What Jira and Jira Service Management have in common: how one logs in, and how issues are called."""

import re

from prober.deliver.credentials import authorization
from prober.deliver.exchange import USER_AGENT, Answer
from prober.receivers import JiraReceiver

_KEY = re.compile(r"[A-Z][A-Z0-9_]+-[0-9]+\Z")
SUMMARY = 255  # characters


class Site:
    """A site of Atlassian's; `path` is that of one of its APIs."""

    def __init__(self, receiver: JiraReceiver, path: str) -> None:
        self._receiver = receiver
        self._url = f"{receiver.url.rstrip('/')}/{path}"
        self._headers = {
            "Authorization": authorization(receiver.username, receiver.api_token),
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
        }

    def is_number(self, text: str) -> bool:
        """Whether `text` is an issue's key, such as VEN-12."""
        return bool(_KEY.match(text))


def text_of(answer: Answer, name: str) -> str:
    """A text in the JSON object that was answered; "" when it has none of that name."""
    value = answer.value
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""
