"""One JSON request to a receiver's URL, and what its answer says about trying again.

No redirect is followed (a signed act must not wander off), no proxy of the environment is used, and the whole
exchange has one deadline. What was lost before the request was wholly written was not taken; after that, it may have
been.
"""

import asyncio
import json
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx

from prober.deliver import LONGEST_WAIT, TIMEOUT, Delivered
from prober.deliver.harmless import told
from prober.redact import Redactor
from prober.version import version
from rules.acts import Outcome

USER_AGENT = f"prober/{version()}"
#: Bytes of an answer that are read; the rest is left.
ANSWER = 65_536
#: Seconds that are waited for the rest of an answer once its status is known.
_REST = 2.0
_TRY_AGAIN = frozenset({408, 429})


def warm() -> None:
    """Load now what httpx would load at the first request, which is a page that must not wait for it."""
    for module in ("httpcore", "anyio._backends._asyncio"):
        with suppress(ImportError):  # the second is anyio's own matter; without it the first page is late, no more
            import_module(module)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    retry_after: float


class Poster:
    """Posts to one URL. What is told of an exchange holds no secret, nor the URL, which may be one itself."""

    def __init__(
        self, url: str, ca: Path | None = None, redactor: Redactor | None = None, timeout: float = TIMEOUT
    ) -> None:
        """Raises OSError when the file of certification authorities cannot be read."""
        self._url = url
        self._timeout = timeout
        self._host = httpx.URL(url).host
        # Loading the system's authorities takes a while and a plain URL needs none; the bare context trusts nobody.
        secure = url.startswith("https:")
        self._context = ssl.create_default_context(cafile=ca) if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._redactor = redactor or Redactor()

    async def post(self, body: bytes, headers: Mapping[str, str], names: tuple[str, ...]) -> Delivered:
        """Send `body`. The reference is the first of `names` that the answer's JSON object holds."""
        sent = False
        answer: _Answer | None = None

        async def trace(event: str, _: Mapping[str, Any]) -> None:
            nonlocal sent
            sent = sent or event.endswith("send_request_body.complete")

        extensions = {"trace": trace}
        try:
            async with (
                asyncio.timeout(self._timeout),  # one deadline over all, so none for each read (timeout=None)
                httpx.AsyncClient(verify=self._context, trust_env=False, timeout=None) as client,  # noqa: S113
                client.stream("POST", self._url, content=body, headers=headers, extensions=extensions) as response,
            ):
                answer = _Answer(response.status_code, b"", _retry_after(response.headers.get("retry-after", "")))
                answer = replace(answer, body=await _read(response))
        except (httpx.HTTPError, OSError) as error:  # TimeoutError is an OSError
            if answer is None:
                outcome = Outcome.UNKNOWN if sent else Outcome.TRANSIENT
                when = "after the request was sent" if sent else "before the request was sent"
                return Delivered(outcome, f"{self._host}: {_words(error)} {when}")
        return self._judge(answer, names)

    def _judge(self, answer: _Answer, names: tuple[str, ...]) -> Delivered:
        status = answer.status
        if 200 <= status <= 299:
            return Delivered(Outcome.ACCEPTED, f"{self._host} answered {status}", self._reference(answer.body, names))
        words = told(self._redactor, answer.body.decode("utf-8", "replace"), 200)
        detail = f"{self._host} answered {status}" + (f": {words}" if words else "")
        if status in _TRY_AGAIN or status >= 500:
            return Delivered(Outcome.TRANSIENT, detail, retry_after=answer.retry_after)
        if 300 <= status <= 399:
            detail = f"{self._host} answered {status}, a redirect: none is followed, configure the final address"
        return Delivered(Outcome.PERMANENT, detail)

    def _reference(self, body: bytes, names: tuple[str, ...]) -> str:
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return ""
        if not isinstance(value, dict):
            return ""
        found = (value[n] for n in names if isinstance(value.get(n), str | int) and not isinstance(value[n], bool))
        return told(self._redactor, str(next(found, "")), 200)


async def _read(response: httpx.Response) -> bytes:
    """The start of the answer's body. The status counts once it is there: a body that breaks off changes nothing."""
    body = b""
    try:
        async with asyncio.timeout(_REST):
            async for piece in response.aiter_raw():
                body += piece[: ANSWER - len(body)]
                if len(body) >= ANSWER:
                    break
    except (httpx.HTTPError, TimeoutError):
        return b""
    return body


def _retry_after(value: str) -> float:
    """Seconds of a Retry-After header (RFC 9110 10.2.3), at most LONGEST_WAIT; 0 when there is none that can be
    read."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
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
