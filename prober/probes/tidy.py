"""Patience with responses: what every client of the vendor's takes without a word is no fault.

Most of it llhttp takes when told to. A length said twice alike (RFC 9112, 6.3) and blanks in a chunk's extensions (7.1.1),
which nobody reads, it refuses whatever it is told: `Tidy` puts them so that it takes them too.
"""

import re
from enum import Enum, auto
from typing import Any

import httptools

#: What every client of the vendor's takes without a word, and RFC 9112 lets a recipient take (2.2, 5.2, 6.3, 7.1.1), is no fault.
_LENIENT = {
    "lenient_headers": True,  # lines that are folded
    "lenient_optional_cr_before_lf": True,
    "lenient_spaces_after_chunk_size": True,
    "lenient_chunked_length": True,  # a length beside the chunks, which goes unheeded
    "lenient_keep_alive": True,  # an interim response that says "close", or comes as HTTP/1.0
}

#: In the words of llhttp's errors.
_TIDIED = ("Content-Length", "chunk extensions")
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(rb"\ncontent-length[ \t]*:([^\n]*)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\ntransfer-encoding[ \t]*:[^\n]*chunked[ \t]*\r?\n", re.IGNORECASE)
_INTERIM = re.compile(rb"\s*HTTP/1\.\d 1(?!01)\d\d")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r?\n\Z", re.DOTALL)


def new_parser(callbacks: object) -> Any:
    """A patient parser of one connection's responses (llhttp)."""
    parser = httptools.HttpResponseParser(callbacks)
    parser.set_dangerous_leniencies(**_LENIENT)
    return parser


def may_be_tidied(error: httptools.HttpParserError) -> bool:
    """Whether `Tidy` might help where the parser said this."""
    return any(word in str(error) for word in _TIDIED)


class _At(Enum):
    HEAD = auto()
    SIZE = auto()  # the line that begins a chunk
    CHUNK = auto()
    REST = auto()  # nothing to be put right any more


class Tidy:
    """One connection's responses. What it does not understand it leaves as it is: the parser says what is wrong with it."""

    __slots__ = ("_at", "_done", "_held", "_left")

    def __init__(self) -> None:
        self._at = _At.HEAD
        self._held = b""
        self._done = 0  # bytes of `_held` that have been taken: cutting each piece off would copy the rest every time
        self._left = 0  # bytes of the chunk that are still due, its line's end included

    def feed(self, data: bytes) -> bytes:
        """What of the response is ready; heads and chunks' sizes are held back until they are whole."""
        self._held += data
        ready: list[bytes] = []
        while self._done < len(self._held) and (piece := self._next()):
            ready.append(piece)
        self._held, self._done = self._held[self._done :], 0
        return b"".join(ready)

    def _next(self) -> bytes:
        """The next piece, b"" while it is not whole."""
        if self._at is _At.HEAD:
            found = _END_OF_HEAD.search(self._held, self._done)
            return self._head(self._take(found.end() - self._done)) if found else b""
        if self._at is _At.SIZE:
            end = self._held.find(b"\n", self._done) + 1
            return self._size(self._take(end - self._done)) if end else b""
        if self._at is _At.REST:
            return self._take(len(self._held))
        piece = self._take(self._left)
        self._left -= len(piece)
        if not self._left:
            self._at = _At.SIZE
        return piece

    def _take(self, size: int) -> bytes:
        """The next `size` bytes, or as many as there are."""
        piece = self._held[self._done : self._done + size]
        self._done += len(piece)
        return piece

    def _head(self, head: bytes) -> bytes:
        if not _INTERIM.match(head):
            self._at = _At.SIZE if _CHUNKED.search(head) else _At.REST
        said = b",".join(_LENGTH.findall(head)).split(b",")
        lengths = {length.strip() for length in said}
        if len(said) < 2 or len(lengths) > 1:
            return head
        once = iter((b"\nContent-Length: %b\r" % lengths.pop(),))
        return _LENGTH.sub(lambda _: next(once, b""), head)

    def _size(self, line: bytes) -> bytes:
        found = _SIZE.match(line)
        if found is None:
            self._at = _At.REST
            return line
        size = int(found[1], 16)
        self._at, self._left = (_At.CHUNK, size + 2) if size else (_At.REST, 0)
        return b"%x\r\n" % size
