"""HTTP/1.1 over the wire: one request, one response (RFC 9110, RFC 9112). httptools parses."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httptools
import re2

from prober.probes.coding import undone
from prober.probes.conversation import Results, Send, Step
from prober.probes.tidy import Tidy, may_be_tidied, new_parser
from prober.settings import Expect
from rules.model import HTTP_PHASES, Stage, Trouble

#: Bytes of a response's body that are looked at (and, for unmet calls, kept).
BODY = 65_536
#: Bytes that a status line and its headers may take.
HEAD = 65_536
#: Bytes of a response that are read. What is longer is judged by what has come: a healthy server may send without end.
MOST = 1_048_576
_PROCESSING, _TRANSFER = 3, 4  # indexes of rules.model.HTTP_PHASES
_PHRASE = 200  # characters of a reason phrase that are kept
_MISSING = object()
_VERSIONS = {"1.1": 1.1, "1.0": 1.0}


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a response must be, compiled once. Checked in the order status, header, body, json."""

    statuses: frozenset[int]
    headers: tuple[tuple[str, Any], ...] = ()  # name in lower case, RE2
    body: Any = None  # RE2
    json: tuple[tuple[str, Any], ...] = ()  # path ("data.0.state"), value
    markers: tuple[bytes, ...] = ()  # bytes of a vendor's error bodies

    @classmethod
    def of(cls, expect: Expect, markers: tuple[bytes, ...] = ()) -> "Expectation":
        """Raises re2.error for a pattern that is no RE2."""
        options = re2.Options()
        options.log_errors = False
        return cls(
            statuses_of(expect.status),
            tuple((name.lower(), re2.compile(pattern, options)) for name, pattern in expect.header.items()),
            None if expect.body is None else re2.compile(expect.body, options),
            tuple(expect.json_.items()),
            markers,
        )

    @property
    def by_status(self) -> bool:
        return not (self.headers or self.body or self.json)

    def unmet(self, code: int, headers: tuple[tuple[str, str], ...], body: bytes) -> str | None:
        """The name of the first expectation that is not met; "vendor" for a body that may be a vendor's error."""
        if code not in self.statuses:
            return "status"
        if not self.by_status:
            for name, pattern in self.headers:
                if not any(n == name and pattern.search(value) for n, value in headers):
                    return f"header {name}"
            text = body.decode("utf-8-sig", "replace")  # a byte order mark is no part of the text (RFC 8259, 8.1)
            if self.body is not None and not self.body.search(text):
                return "body"
            if (path := _unmet_json(text, self.json)) is not None:
                return f"json {path}"
        for marker in self.markers:
            if marker in body:
                return "vendor"
        return None


def named(unmet: str | None) -> str:
    """The place in the configuration of what `Expectation.unmet` names, for people; "" where the status says it."""
    what, _, which = (unmet or "").partition(" ")
    if what not in ("header", "body", "json"):
        return ""
    return f"not as in expect.{what}" + (f": {which}" if which else "")


@lru_cache(maxsize=1024)
def statuses_of(status: tuple[str, ...]) -> frozenset[int]:
    """The codes that `200`, `2xx` and the like mean; 2xx where nothing is said.

    Shared by all endpoints that want the same: the set of a class takes 8 KiB.
    """
    codes: set[int] = set()
    for item in status or ("2xx",):
        if item.lower().endswith("xx"):
            codes.update(range(int(item[0]) * 100, int(item[0]) * 100 + 100))
        else:
            codes.add(int(item))
    return frozenset(codes)


def _unmet_json(text: str, wanted: tuple[tuple[str, Any], ...]) -> str | None:
    if not wanted:
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return wanted[0][0]
    for path, value in wanted:
        found = _at(document, path)
        if found != value or isinstance(found, bool) is not isinstance(value, bool):  # to Python, 1 is True
            return path
    return None


def _at(document: Any, path: str) -> Any:
    """The value at `data.0.state` of a JSON document."""
    here = document
    for part in path.split("."):
        if isinstance(here, Mapping):
            here = here.get(part, _MISSING)
        elif isinstance(here, list) and part.isdecimal() and int(part) < len(here):
            here = here[int(part)]
        else:
            return _MISSING
    return here


@dataclass(frozen=True, slots=True)
class HttpPlan:
    """One endpoint's request as bytes, and what its response must be."""

    request: bytes
    shown: bytes | None  # the request without its secrets; None: it has none
    head_only: bool  # HEAD: no body follows
    expectation: Expectation
    reuse: bool = False

    @classmethod
    def build(
        cls,
        method: str,
        target: str,
        host: str,
        headers: Mapping[str, str],
        body: str | None,
        expectation: Expectation,
        *,
        reuse: bool = False,
        secret: Callable[[str], str] | None = None,
    ) -> "HttpPlan":
        """`target` is the request target (path and query), `host` the Host header, `secret` redacts what is shown."""
        given = {name.lower() for name in headers}
        lines = [f"{method} {target} HTTP/1.1"]
        if "host" not in given:
            lines.append(f"Host: {host}")
        if "user-agent" not in given:
            lines.append("User-Agent: prober")
        if "accept" not in given:
            lines.append("Accept: */*")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        content = (body or "").encode()
        if (content or method in ("POST", "PUT", "PATCH")) and "content-length" not in given:
            lines.append(f"Content-Length: {len(content)}")
        if "connection" not in given:
            lines.append("Connection: keep-alive" if reuse else "Connection: close")
        head = "\r\n".join(lines) + "\r\n\r\n"
        shown = None if secret is None else secret(head + (body or "")).encode()
        return cls(head.encode("utf-8") + content, shown, method == "HEAD", expectation, reuse)

    def conversation(self, send: Send) -> "HttpConversation":
        return HttpConversation(self, send)


class HttpConversation(Results):
    """One exchange. See prober.probes.conversation for the fields and methods."""

    __slots__ = (
        "_chunks",
        "_complete",
        "_fed",
        "_headers",
        "_parser",
        "_plan",
        "_raw",
        "_send",
        "_size",
        "_status",
        "_tidy",
    )

    def __init__(self, plan: HttpPlan, send: Send) -> None:
        super().__init__(Stage.HEADERS, len(HTTP_PHASES))
        self._plan = plan
        self._send = send
        self._parser = new_parser(self)
        self._raw: list[bytes] = []  # the response as it came, as long as it may have to be read once more
        self._tidy: Tidy | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        self._size = 0
        self._status = b""
        self._fed = 0
        self._complete = False

    # what httptools calls

    def on_status(self, status: bytes) -> None:
        if not self.code:
            self._status += status

    def on_header(self, name: bytes, value: bytes) -> None:
        if b"\0" in value:  # which no client takes for a header (RFC 9110, 5.5)
            raise ValueError("a NUL in a header")
        if not self.code:  # neither trailers (RFC 9110, 6.5.1) nor what follows the response
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        code = self._parser.get_status_code()
        if (100 <= code < 200 and code != 101) or self._complete:
            return
        if not code:
            raise ValueError("status 000")
        self.code = code
        self.version = _VERSIONS.get(self._parser.get_http_version(), 0.0)
        self.stage = Stage.BODY
        if self._plan.head_only:
            self._complete = True
            self.keep = self._plan.reuse and self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        if self._size < BODY and not self._complete:
            self._chunks.append(data)
            self._size += len(data)

    def on_message_complete(self) -> None:
        if self._complete:  # a response that nobody asked for follows the one that somebody did
            self.keep = False
        elif self.code:
            self._complete = True
            self.keep = self._plan.reuse and self._parser.should_keep_alive()  # known here alone
        else:  # 1xx: the real response follows (RFC 9110, 15.2)
            self._headers.clear()
            self._status = b""

    # what the wire calls

    def opened(self, now: int) -> Step:  # noqa: ARG002 - the wire marks it
        self._send(self._plan.request, self._plan.shown)
        return Step.MORE

    resumed = opened

    def secured(self, now: int) -> Step:  # noqa: ARG002 - the wire marks it
        raise AssertionError("HTTP has no STARTTLS")

    def feed(self, data: bytes, now: int) -> Step:
        if not self.marks[_PROCESSING]:
            self.marks[_PROCESSING] = now
        self._fed += len(data)
        if self._fed <= HEAD:
            self._raw.append(data)
        error = self._parse(data if self._tidy is None else self._tidy.feed(data))
        if error is not None and self._tidy is None and self._fed <= HEAD and may_be_tidied(error):
            error = self._parse_anew()
        if error is not None:
            self.detail = str(error.__context__ or error)  # of a callback of ours: what it complained of
            return self._end(Trouble.MALFORMED)
        if self._complete:
            return self._finish(now)
        if not self.code and self._fed > HEAD:
            self.detail = f"headers of more than {HEAD} bytes"
            return self._end(Trouble.TOO_LARGE)
        if self._fed > MOST:
            return self._finish(now)
        return Step.MORE

    def _parse(self, data: bytes) -> httptools.HttpParserError | None:
        """What is wrong with the bytes, if anything."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # 101: no response to this request can follow
            self._complete = True
        except httptools.HttpParserError as error:
            if not self._complete:  # what follows a whole response does not matter
                return error
            self.keep = False
        return None

    def _parse_anew(self) -> httptools.HttpParserError | None:
        """Once more from the first byte, with what clients take and the parser does not put right."""
        self._parser, self._tidy = new_parser(self), Tidy()
        self.code, self.stage, self._status, self._size = 0, Stage.HEADERS, b"", 0
        self._headers.clear()
        self._chunks.clear()
        return self._parse(self._tidy.feed(b"".join(self._raw)))

    def closed(self, now: int, *, clean: bool = True) -> Step:
        if self.code and clean and not self._has_length():
            return self._finish(now)  # the body ends with the connection (RFC 9112, 6.3; with close_notify: 9.8)
        if not clean:
            self.detail = "TLS ended without close_notify"
        return self._end(Trouble.CLOSED)

    def abandoned(self) -> None:
        self._keep_response()
        self._parser = None

    def _has_length(self) -> bool:
        """Whether the response says where its body ends (RFC 9112, 6.3)."""
        given = {name.lower(): value for name, value in self._headers}
        coding = given.get(b"transfer-encoding")
        if coding is not None:
            return coding.rpartition(b",")[2].strip().lower() == b"chunked"
        return b"content-length" in given

    def _finish(self, now: int) -> Step:
        self.marks[_TRANSFER] = now
        self.stage = Stage.DONE
        expectation = self._plan.expectation
        if self.code in expectation.statuses and expectation.by_status:
            if expectation.markers and self._chunks:
                body = self._plain_body()
                for marker in expectation.markers:
                    if marker in body:
                        self.unmet = "vendor"
        else:
            self._keep_response()
            self.unmet = expectation.unmet(self.code, self.headers, self.body)
        if self.unmet is not None:
            self._keep_response()
            self.detail = named(self.unmet)
        self._parser = None  # it holds us: no cycle a call is left to the garbage collector
        return Step.DONE

    def _end(self, trouble: Trouble) -> Step:
        self.trouble = trouble
        return Step.DONE

    def _keep_response(self) -> None:
        self.text = self._status.decode("latin-1")[:_PHRASE]
        self.headers = tuple((n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in self._headers)
        self.body = self._plain_body()

    def _plain_body(self) -> bytes:
        """The part of the body that is looked at, without its Content-Encoding."""
        body = (self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks))[:BODY]
        coding = [value for name, value in self._headers if name.lower() == b"content-encoding"]
        return undone(body, b",".join(coding).decode("latin-1"), BODY) if coding else body
