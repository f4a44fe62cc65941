"""HTTP with a receiver: requests in one session under one deadline, and what their end says about trying again.

No redirect is followed (a signed act must not wander off), no proxy of the environment is used. What was lost before
the request was wholly written was not taken; after that, it may have been.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import httpx

from prober.deliver import LONGEST_WAIT, TIMEOUT, Delivered
from prober.deliver.harmless import told
from prober.receivers import (
    AlertmanagerReceiver,
    JiraReceiver,
    PagerdutyReceiver,
    StatuspageReceiver,
    TwilioReceiver,
    ZendeskReceiver,
)
from prober.redact import Redactor
from prober.version import version
from rules.acts import Outcome

#: Receivers with an API at an address of their own.
Api = AlertmanagerReceiver | JiraReceiver | PagerdutyReceiver | StatuspageReceiver | TwilioReceiver | ZendeskReceiver

USER_AGENT = f"prober/{version()}"
#: Bytes of an answer that are read; the rest is left.
ANSWER = 65_536
#: Seconds that are waited for the rest of an answer once its status is known.
REST = 2.0
_TRY_AGAIN = frozenset({408, 429})
#: Methods that change nothing: when their answer is lost, nothing can have been taken (RFC 9110 9.2.1).
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def warm() -> None:
    """Load now what httpx would load at the first request, which is a page that must not wait for it."""
    for module in ("httpcore", "anyio._backends._asyncio"):
        with suppress(ImportError):  # the second is anyio's own matter; without it the first page is late, no more
            import_module(module)


class Undelivered(Exception):  # noqa: N818 - an outcome, told upwards; not an error of ours
    """A request that did not do what it was for; `delivered` is what that means for the act."""

    def __init__(self, delivered: Delivered) -> None:
        super().__init__(delivered.detail)
        self.delivered = delivered


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: its status, the start of its body ("" when that broke off), seconds that it asked us to wait.

    `broken`: the body broke off, so that it says nothing, not even that nothing was found.
    """

    status: int
    body: bytes
    retry_after: float
    broken: bool = False

    @property
    def value(self) -> Any:
        """The body's JSON value; None when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class Exchange:
    """Requests to one receiver. What is told of them holds no secret, nor a URL, which may be one itself.

    `longest` is the number of an answer's bytes that are read.
    """

    def __init__(
        self,
        url: str,
        ca: Path | None = None,
        redactor: Redactor | None = None,
        timeout: float = TIMEOUT,
        longest: int = ANSWER,
    ) -> None:
        """Raises OSError when the file of certification authorities cannot be read."""
        self.host = httpx.URL(url).host
        self.redactor = redactor or Redactor()
        self._timeout = timeout
        self._longest = longest
        # Loading the system's authorities takes a while and a plain URL needs none; the bare context trusts nobody.
        secure = url.startswith("https:")
        self._context = ssl.create_default_context(cafile=ca) if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    @classmethod
    def to(
        cls,
        receiver: Api,
        redactor: Redactor | None = None,
        timeout: float = TIMEOUT,
        longest: int = ANSWER,
        url: str = "",
    ) -> Self:
        """Requests to a receiver's API, at `url` where that is not its first address. Raises OSError as above."""
        return cls(url or receiver.url, receiver.ca, redactor or Redactor.of(receiver), timeout, longest)

    @asynccontextmanager
    async def session(self) -> AsyncIterator["Session"]:
        """A session whose requests all end before one deadline, `timeout` seconds from now."""
        deadline = asyncio.get_running_loop().time() + self._timeout
        # One deadline over all, so none for each read (timeout=None).
        plain = {"Accept-Encoding": "identity"}  # a small answer must not unpack to a huge one
        async with httpx.AsyncClient(verify=self._context, headers=plain, trust_env=False, timeout=None) as client:  # noqa: S113
            yield Session(self, client, deadline)

    async def read(self, response: httpx.Response) -> bytes | None:
        """The start of the answer's body; None when it broke off, which does not take the status away."""
        body = b""
        try:
            async with asyncio.timeout(REST):
                async for piece in response.aiter_bytes():
                    body += piece[: self._longest - len(body)]
                    if len(body) >= self._longest:
                        break
        except (httpx.HTTPError, TimeoutError):
            return None
        return body

    def told(self, answer: Answer) -> str:
        """An answer in one harmless line."""
        words = told(self.redactor, answer.body.decode("utf-8", "replace"), 200)
        return f"{self.host} answered {answer.status}" + (f": {words}" if words else "")

    def refused(self, answer: Answer) -> Delivered:
        """What an answer that is no 2xx means for the act."""
        detail = self.told(answer)
        if answer.status in _TRY_AGAIN or answer.status >= 500:
            return Delivered(Outcome.TRANSIENT, detail, retry_after=answer.retry_after)
        if 300 <= answer.status <= 399:
            detail = f"{self.host} answered {answer.status}, a redirect: none is followed, configure the final address"
        return Delivered(Outcome.PERMANENT, detail)


class Session:
    """Requests that belong together."""

    def __init__(self, exchange: Exchange, client: httpx.AsyncClient, deadline: float) -> None:
        self.host = exchange.host
        self._exchange = exchange
        self._client = client
        self._deadline = deadline

    async def answer(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None, *, safe: bool = False
    ) -> Answer:
        """The answer, whatever its status. Raises Undelivered when none came.

        `safe` says of another method than GET that the request changes nothing (a search by POST).
        """
        sent = False
        answer: Answer | None = None

        async def trace(event: str, _: Mapping[str, Any]) -> None:
            nonlocal sent
            sent = sent or event.endswith("send_request_body.complete")

        extensions = {"trace": trace}
        try:
            async with (
                asyncio.timeout_at(self._deadline),
                self._client.stream(method, url, content=body, headers=headers, extensions=extensions) as response,
            ):
                answer = Answer(response.status_code, b"", retry_after(response.headers.get("retry-after", "")))
                body_read = await self._exchange.read(response)
                answer = replace(answer, body=body_read or b"", broken=body_read is None)
        except (httpx.HTTPError, OSError) as error:  # TimeoutError is an OSError
            if answer is None:
                outcome = Outcome.UNKNOWN if sent and not safe and method not in _SAFE else Outcome.TRANSIENT
                when = "after the request was sent" if sent else "before the request was sent"
                raise Undelivered(Delivered(outcome, f"{self._exchange.host}: {_words(error)} {when}")) from error
        return answer

    async def ask(
        self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None, *, safe: bool = False
    ) -> Answer:
        """The answer of a request that succeeded (2xx). Raises Undelivered for any other end."""
        answer = await self.answer(method, url, body, headers, safe=safe)
        if not 200 <= answer.status <= 299:
            raise Undelivered(self._exchange.refused(answer))
        return answer

    def unbroken(self, answer: Answer) -> Answer:
        """The answer of a search. Raises Undelivered when it broke off: then it does not say that nothing is there."""
        if answer.broken:
            raise self._unreadable(answer, "but its answer broke off")
        return answer

    def rows(self, answer: Answer, name: str = "") -> list[dict[str, Any]]:
        """The objects that a search found: in the list `name` of the JSON object, or ("") in the JSON list.

        Raises Undelivered when there is no such list: what cannot be read (a half answer, a login's page) must not pass for
        "there is none", or a second ticket would be opened.
        """
        value = self.unbroken(answer).value
        found = value if not name else value.get(name) if isinstance(value, dict) else None
        if not isinstance(found, list):
            raise self._unreadable(answer, "but not with what it found")
        return [row for row in found if isinstance(row, dict)]

    def _unreadable(self, answer: Answer, why: str) -> Undelivered:
        detail = f"{self.host} answered {answer.status}, {why}; nothing follows from that"
        return Undelivered(Delivered(Outcome.TRANSIENT, detail))


def packed(value: Any) -> bytes:
    """A JSON value as a request's body."""
    return json.dumps(value, separators=(",", ":")).encode()


def items(value: Any, name: str) -> list[dict[str, Any]]:
    """The objects in the list `name` of a JSON object; what has another shape is left out."""
    found = value.get(name) if isinstance(value, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def retry_after(value: str) -> float:
    """Seconds of a Retry-After header (RFC 9110 10.2.3), at most LONGEST_WAIT; 0 when none can be read."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return 0.0
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max(0.0, (at - datetime.now(UTC)).total_seconds()), LONGEST_WAIT)


def _words(error: Exception) -> str:
    """An error in words that hold nothing of the request."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not accepted ({cause.verify_message})"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.ConnectError):
        return "no connection"
    return type(error).__name__
