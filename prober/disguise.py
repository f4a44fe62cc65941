"""Texts as they read once their escapes are undone and their broken lines joined, and where each character came from.

A server that repeats what it was sent may escape it (percent, JSON, HTML, quoted-printable, backslashes) or break it: over
lines of MIME, over folded headers, over chunks, over packets and so over lines of a transcript. Secrets are looked for in
what this gives.
"""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

#: What any of them begins with. Each pattern takes such a sign first and looks back at it: a search for one of few signs is
#: many times as fast as one for many alternatives.
_SIGN = r"[=\r\n%&\\]"
#: A line's end with what mail (RFC 2045 6.7) or a header (RFC 5322 2.2.3) puts around it, or what a
#: transcript's line or an SMTP reply's (RFC 5321 4.2.1) begins with.
_BREAK = (
    r"(?P<break>(?:(?<==)\r?\n|(?<=\r)\n|(?<=\n))(?:[ ]{0,20}[0-9]{1,9}\.[0-9] ms [<>])?[ \t]*"
    r"(?:[2-5][0-9]{2}[ -](?:[245](?:\.[0-9]{1,3}){2}[ ])?)?[ \t]*)"
)
_HEX = "[0-9A-Fa-f]{2}"
_BYTES = rf"(?P<bytes>(?<=%){_HEX}(?:%{_HEX})*|(?<=\\)x{_HEX}(?:\\x{_HEX})*)"
_QUOTED_BYTES = r"(?P<bytes>(?<==)[0-9A-F]{2}(?:=[0-9A-F]{2})*)"
_OTHERS = (
    r"(?P<unicode>(?<=\\)u[0-9A-Fa-f]{4})|(?P<backslash>(?<=\\)[\\/\"'nrt])"
    r"|(?P<entity>(?<=&)(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|amp|lt|gt|quot|apos);)"
)
_PLAIN = re.compile(f"{_SIGN}(?:{_BREAK}|{_BYTES}|{_OTHERS})")
_QUOTED = re.compile(f"{_SIGN}(?:{_BREAK}|{_QUOTED_BYTES}|{_OTHERS})")
#: What is undone one after the other: percent within percent, a JSON text in a JSON text. Quoted-printable is undone in a way
#: of its own, since `=` is a sign like others elsewhere, and after its line breaks, which may stand within a letter.
_WAYS = ((_PLAIN, _PLAIN, _PLAIN), (re.compile(_SIGN + _BREAK), _QUOTED, _QUOTED))
#: What stands between two chunks of a body (RFC 9112 7.1), in a transcript too, whose lines are those of the wire.
_PREFIX = r"(?:[ ]{0,20}[0-9]{1,9}\.[0-9] ms [<>] )?"
_CHUNK = re.compile(rf"\r?\n(?P<break>{_PREFIX}[0-9A-Fa-f]{{1,8}}[ \t]*(?:;[^\r\n]{{0,200}})?\r?\n{_PREFIX})")
_CHUNKS = (_CHUNK, _PLAIN, _PLAIN)
_QUOTED_BYTE = re.compile(r"=[0-9A-F]{2}")
_LETTERS = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Disguised:
    """A text read otherwise. Character i of `text` stands for the original's characters `starts[i]` up to `ends[i]`."""

    text: str
    starts: list[int]
    ends: list[int]

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original of the characters from `start` up to `end`, which is past `start`."""
        return self.starts[start], self.ends[end - 1]


def views(text: str) -> Iterator[tuple[str, Callable[[], Disguised]]]:
    """The ways to read `text` that differ from it, each with what makes a `Disguised` of it, which costs more."""
    ways = _WAYS if _QUOTED_BYTE.search(text) else _WAYS[:1]
    for way in (_CHUNKS, *ways) if _CHUNK.search(text) else ways:
        read = text
        for level, escapes in enumerate(way, start=1):
            read, undone = escapes.subn(_read, read)
            if not undone and level > 1:
                break
            if undone:
                yield read, partial(_disguised, text, way[:level])


def _read(match: re.Match[str]) -> str:
    return "".join(character for character, _ in _meant(match)) if match.lastgroup != "break" else ""


def _disguised(text: str, levels: tuple[re.Pattern[str], ...]) -> Disguised:
    view = Disguised(text, list(range(len(text))), list(range(1, len(text) + 1)))
    for escapes in levels:
        view = _undone(view, escapes)
    return view


def _undone(view: Disguised, escapes: re.Pattern[str]) -> Disguised:
    """One level less of escapes."""
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    position = 0
    for match in escapes.finditer(view.text):
        pieces.append(view.text[position : match.start()])
        starts += view.starts[position : match.start()]
        ends += view.ends[position : match.start()]
        at = match.start()
        for character, width in _meant(match):
            pieces.append(character)
            starts.append(view.starts[at])
            ends.append(view.ends[at + width - 1])
            at += width
        position = match.end()
    starts += view.starts[position:]
    ends += view.ends[position:]
    return Disguised("".join([*pieces, view.text[position:]]), starts, ends)


def _meant(match: re.Match[str]) -> Iterator[tuple[str, int]]:
    """The characters that an escape stands for, each with the number of characters that it takes; a break for none."""
    escape, kind = match[0], match.lastgroup
    if kind == "bytes":
        size = 4 if escape.startswith("\\") else 3
        data = bytes(int(escape[at + size - 2 : at + size], 16) for at in range(0, len(escape), size))
        for character in data.decode("utf-8", "surrogateescape"):
            yield character, size * len(character.encode("utf-8", "surrogateescape"))
    elif kind == "unicode":
        yield chr(int(escape[-4:], base=16)), len(escape)
    elif kind == "backslash":
        yield _LETTERS.get(escape[1], escape[1]), len(escape)
    elif kind == "entity":
        characters = html.unescape(escape)
        if characters:  # some numbers stand for nothing
            yield characters[0], len(escape)
