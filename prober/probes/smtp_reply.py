"""SMTP replies out of bytes: one line or many, enhanced codes, limits (RFC 5321 4.2, RFC 2034, RFC 3463).

Only the code is read as the bytes arrive; text and enhanced code are taken from the kept bytes when somebody asks,
because a healthy call asks once.
"""

import re

from rules.model import Trouble

#: Bytes of one reply line. RFC 5321 4.5.3.1.5 says 512; servers are known to exceed it: eight times that is taken.
MAX_LINE = 4096
#: Bytes of one whole reply, all lines together.
MAX_REPLY = 65_536
#: Bytes of a reply's text that are kept: a hundred lines, since a word of limits outranks the code wherever it stands.
MAX_TEXT = 8192

#: One good reply of several lines and nothing else, in a segment so short that no limit can be passed.
_WHOLE = re.compile(rb"([2-5]\d\d)-[^\n]*\n(?:\1-[^\n]*\n)*\1(?: [^\n]*|\r)?\n")
_SHORT = 2048

#: The first four bytes of a reply's last line, and of the lines before it (RFC 5321 4.2: the first digit is 2 to 5).
_LAST = {b"%d%b" % (code, end): code for code in range(200, 600) for end in (b" ", b"\r", b"\n")}
_MORE = {b"%d-" % code: code for code in range(200, 600)}
#: Servers are known to write "4.7.1: <address>: ..." too.
_ENHANCED = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}(?=[ \t\r\n:;,]|$)")
_AFTER_ENHANCED = b" \t:;,"
#: Control characters are of no use in a text and do harm in a terminal.
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "\ufffd")


class ReplyError(Exception):
    """What came is no SMTP reply (MALFORMED) or is past the limits (TOO_LARGE)."""

    def __init__(self, trouble: Trouble, detail: str) -> None:
        super().__init__(detail)
        self.trouble = trouble
        self.detail = detail


class ReplyReader:
    """Cuts what the server sends into replies. `raw` is the newest complete one, line ends included."""

    __slots__ = ("_at", "_code", "_held", "raw")

    def __init__(self) -> None:
        self.raw = b""
        self._held = bytearray()  # bytes after the newest complete reply
        self._at = 0  # start in `_held` of the first line that is not complete
        self._code = 0  # code of the unfinished reply's lines so far

    def feed(self, data: bytes) -> int:
        """The code of the next complete reply, 0 when more bytes are needed. Raises ReplyError."""
        if not self._held:  # the common cases: one reply in one piece
            end = data.find(b"\n")
            if end == len(data) - 1 < MAX_LINE and (code := _LAST.get(data[:4], 0)):
                self.raw = data
                return code
            if len(data) <= _SHORT and (whole := _WHOLE.fullmatch(data)):
                self.raw = data
                return int(whole[1])
        self._held += data
        return self._next()

    def next(self) -> int:
        """The code of a further reply that came together with the last one, 0 when none did. Raises ReplyError."""
        return self._next() if self._held else 0

    @property
    def pending(self) -> int:
        """Bytes that came and belong to no complete reply yet."""
        return len(self._held)

    def _next(self) -> int:
        held = self._held
        while (end := held.find(b"\n", self._at)) >= 0:
            line = bytes(held[self._at : min(end + 1, self._at + MAX_LINE + 1)])
            if len(line) > MAX_LINE:
                raise ReplyError(Trouble.TOO_LARGE, f"a reply line of more than {MAX_LINE} bytes")
            if end >= MAX_REPLY:
                raise ReplyError(Trouble.TOO_LARGE, f"a reply of more than {MAX_REPLY} bytes")
            code = self._code_of(line)
            if code:
                self.raw = bytes(held[: end + 1])
                del held[: end + 1]
                self._at = self._code = 0
                return code
            self._at = end + 1
        rest = len(held) - self._at
        if rest > MAX_LINE:
            raise ReplyError(Trouble.TOO_LARGE, f"a reply line of more than {MAX_LINE} bytes")
        if len(held) > MAX_REPLY:
            raise ReplyError(Trouble.TOO_LARGE, f"a reply of more than {MAX_REPLY} bytes")
        if rest:
            self._check_start(bytes(held[self._at : self._at + 4]))
        return 0

    def _code_of(self, line: bytes) -> int:
        """The code if `line` is a reply's last, 0 if it announces more. Raises ReplyError."""
        start = line[:4]
        last = _LAST.get(start, 0)
        code = last or _MORE.get(start, 0)
        if not code:
            raise ReplyError(Trouble.MALFORMED, f"not an SMTP reply: {shown(line)}")
        if self._code and code != self._code:  # RFC 5321 4.2.1: the code on every line MUST be the same
            raise ReplyError(Trouble.MALFORMED, f"one reply with two codes: {self._code} and {code}")
        self._code = code
        return last

    def _check_start(self, start: bytes) -> None:
        """Says of junk that it is junk when it comes, not when the deadline passes."""
        digits = start[:3]
        if (
            digits[0] not in b"2345"
            or (len(digits) > 1 and not digits.isdigit())
            or (len(start) == 4 and start not in _LAST and start not in _MORE)
        ):
            raise ReplyError(Trouble.MALFORMED, f"not an SMTP reply: {shown(start)}")


def lines(raw: bytes) -> list[bytes]:
    """The texts of a reply's lines, without codes and line ends."""
    return [line[4:].rstrip(b"\r") for line in raw.removesuffix(b"\n").split(b"\n")]


def read(raw: bytes) -> tuple[str, str]:
    """A reply's enhanced code ("" when there is none) and its text: lines joined by a blank, cut at MAX_TEXT bytes.

    The enhanced code is left out of the text on every line that repeats it (RFC 2034 4). A server that does not repeat it
    may have it on a later line alone.
    """
    texts = lines(raw)
    enhanced = b""
    if found := next(filter(None, map(_ENHANCED.match, texts)), None):
        enhanced = found[0]
        texts = [text[len(enhanced) :].lstrip(_AFTER_ENHANCED) if text.startswith(enhanced) else text for text in texts]
    text = texts[0] if len(texts) == 1 else b" ".join(texts)
    return enhanced.decode(), text[:MAX_TEXT].decode(errors="replace").translate(_CONTROLS)


def shown(data: bytes) -> str:
    """The beginning of strange bytes, for people."""
    return repr(data[:64])[1:]
