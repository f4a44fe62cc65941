"""A webhook: the act as JSON to a URL of the user's own. The format is documented in docs/webhook.md and versioned."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from prober.deliver import TIMEOUT, Delivered, texts
from prober.deliver.post import USER_AGENT, Poster
from prober.deliver.view import View
from prober.redact import Redactor
from prober.settings import WebhookReceiver
from rules.acts import Act

VERSION = 1
#: Names in a JSON answer by which the receiver may tell what it called the act.
_REFERENCES = ("id", "number", "key")


class Webhook:
    """One URL that takes acts. `now` gives UTC seconds for the signature's time stamp."""

    def __init__(
        self,
        name: str,
        receiver: WebhookReceiver,
        redactor: Redactor | None = None,
        now: Callable[[], float] = time.time,
        timeout: float = TIMEOUT,
    ) -> None:
        """Raises OSError when the file of certification authorities cannot be read."""
        self._name = name
        self._headers = {header: value.get_secret_value() for header, value in receiver.headers.items()}
        self._hmac_key = receiver.hmac_key.get_secret_value().encode() if receiver.hmac_key else b""
        self._now = now
        self._poster = Poster(receiver.url, receiver.ca, redactor or Redactor.of(receiver), timeout)

    async def deliver(self, act: Act, key: str) -> Delivered:
        body = json.dumps(payload(act, key, self._name), ensure_ascii=True, separators=(",", ":")).encode()
        headers = self._headers | {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "Idempotency-Key": _header(key),
            "X-Prober-Key": _header(key),
        }
        if self._hmac_key:
            stamp = str(int(self._now()))
            headers["X-Prober-Timestamp"] = stamp
            headers["X-Prober-Signature"] = signature(self._hmac_key, stamp, body)
        return await self._poster.post(body, headers, _REFERENCES)


def signature(key: bytes, timestamp: str, body: bytes) -> str:
    """What `X-Prober-Signature` holds: HMAC-SHA-256 (RFC 2104) over the time stamp, a dot and the body."""
    return f"sha256={hmac.new(key, timestamp.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


def payload(act: Act, key: str, receiver: str) -> dict[str, Any]:
    """The documented JSON. A function of the act alone, so that a repeat has the same body."""
    view = View(act)
    return {
        "version": VERSION,
        "exercise": view.exercise,
        "key": key,
        "kind": act.kind.value,
        "incident": act.incident,
        "episode": act.episode,
        "step": act.step,
        "alert": act.alert(receiver),
        "receiver": receiver,
        "service": view.service,
        "title": view.title,
        "severity": act.facts.get("severity"),
        "condition": act.facts.get("condition"),
        "subject": texts.subject(act),
        "summary": texts.summary(act),
        "text": texts.text(act),
        "onset": _both(act.facts.get("onset")),
        "raised": _both(act.facts.get("raised")),
        "created": _both(act.created),
        "url": view.room or None,
        "facts": _plain(act.facts),
    }


def _both(second: Any) -> dict[str, Any] | None:
    """An instant as ISO 8601 and as UTC seconds; null when it is not known."""
    if not isinstance(second, int) or isinstance(second, bool) or not 0 < second < 10**11:
        return None
    return {"iso": datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "unix": second}


def _plain(value: Any) -> Any:
    """The facts as JSON; what JSON does not know is written as text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _header(key: str) -> str:
    return key.encode("ascii", "backslashreplace").decode()
