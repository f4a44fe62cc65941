"""PagerDuty by its Events API v2: a page triggers an alert, its resolve resolves the same one.

Limits and answers as facts of the API: 202 is accepted, 429 and 5xx are tried again; `dedup_key` 255 characters,
`summary` 1,024, the event 512,000 bytes at most.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from prober.deliver import TIMEOUT, Delivered, texts
from prober.deliver.post import USER_AGENT, Poster
from prober.deliver.view import View
from prober.deliver.webhook import payload
from prober.redact import Redactor
from prober.settings import PagerdutyReceiver
from rules.acts import Act, ActKind

DEDUP_KEY = 255
SUMMARY = 1024
EVENT = 512_000  # bytes


class Pagerduty:
    """One PagerDuty integration."""

    def __init__(
        self, name: str, receiver: PagerdutyReceiver, redactor: Redactor | None = None, timeout: float = TIMEOUT
    ) -> None:
        """Raises OSError when the file of certification authorities cannot be read."""
        self._name = name
        self._routing_key = receiver.routing_key.get_secret_value() if receiver.routing_key else ""
        self._poster = Poster(receiver.url, receiver.ca, redactor or Redactor.of(receiver), timeout)

    async def deliver(self, act: Act, key: str) -> Delivered:
        body = encode(event(act, key, self._name, self._routing_key))
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        return await self._poster.post(body, headers, ("dedup_key",))


def dedup_key(act: Act, receiver: str) -> str:
    """What a page and its resolve share; hashed when it is longer than the API takes."""
    alert = act.alert(receiver)
    return alert if len(alert) <= DEDUP_KEY else hashlib.sha256(alert.encode()).hexdigest()


def event(act: Act, key: str, receiver: str, routing_key: str) -> dict[str, Any]:
    """The event. What is no page triggers too: a ticket or hotline that goes to PagerDuty is somebody's call."""
    resolve = act.kind is ActKind.PAGE_RESOLVE
    common = {
        "routing_key": routing_key,
        "event_action": "resolve" if resolve else "trigger",
        "dedup_key": dedup_key(act, receiver),
    }
    if resolve:
        return common
    view = View(act)
    details = payload(act, key, receiver)
    return common | {
        "client": "prober",
        "links": [],
        "payload": {
            "summary": texts.summary(act)[:SUMMARY],
            "source": view.location or view.service or "prober",
            "severity": "critical",
            "timestamp": datetime.fromtimestamp(act.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": view.service,
            "class": view.condition,
            "custom_details": {
                name: details[name]
                for name in ("key", "incident", "episode", "severity", "condition", "onset", "raised", "text", "facts")
            },
        },
    }


def encode(value: dict[str, Any]) -> bytes:
    """The event as bytes within the API's limit: the facts go first, then the text is cut."""
    body = json.dumps(value, separators=(",", ":")).encode()
    if len(body) <= EVENT:
        return body
    details = dict(value["payload"]["custom_details"])
    details.pop("facts", None)
    details["text"] = str(details.get("text", ""))[:60_000]  # at most 6 bytes a character once escaped
    smaller = value | {"payload": value["payload"] | {"custom_details": details}}
    return json.dumps(smaller, separators=(",", ":")).encode()
