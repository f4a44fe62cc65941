"""HTTP/1.1 over the wire: one request, one response (RFC 9110, RFC 9112). httptools parses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httptools

from prober.probes.coding import undone
from prober.probes.conversation import Results, Send, Step
from prober.probes.expectation import Expectation, named
from prober.probes.tidy import Tidy, may_be_tidied, new_parser
from rules.model import HTTP_PHASES, Stage, Trouble

#: Bytes of a response's body that are looked at (and, for unmet calls, kept).
BODY = 65_536
#: Bytes that a status line and its headers may take.
HEAD = 65_536
#: Bytes of a response that are read. What is longer is judged by what has come: a healthy server may send without end.
MOST = 1_048_576
_PROCESSING, _TRANSFER = 3, 4  # indexes of rules.model.HTTP_PHASES
_PHRASE = 200  # characters of a reason phrase that are kept
_VERSIONS = {"1.1": 1.1, "1.0": 1.0}


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
        # Blanks around a value are no part of it (RFC 9110, 5.5).
        self.headers = tuple((n.decode("latin-1").lower(), v.decode("latin-1").strip(" \t")) for n, v in self._headers)
        self.body = self._plain_body()

    def _plain_body(self) -> bytes:
        """The part of the body that is looked at, without its Content-Encoding."""
        body = (self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks))[:BODY]
        coding = [value for name, value in self._headers if name.lower() == b"content-encoding"]
        return undone(body, b",".join(coding).decode("latin-1"), BODY) if coding else body
