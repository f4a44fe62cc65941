"""Text that came from outside, made harmless before it stands in a ticket, a header, a log or a record.

A server's reply may hold terminal escapes, line breaks that would end a header, or bidirectional marks that show
something else than what stands there. They are not dropped, since the text is evidence: they are shown as escapes.
"""

import unicodedata

from prober.redact import Redactor

#: Format characters that words of some scripts need (zero width non-joiner and joiner).
_NEEDED = "\u200c\u200d"
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def harmless(text: str, *, lines: bool = False, limit: int = 0) -> str:
    r"""`text` with every control, format and surrogate character written as an escape (`\x1b`, `\u202e`).

    With `lines`, line breaks (CRLF and CR become LF) and tabs stay; without, they become blanks. `limit` is the
    number of characters kept (0: all); what is cut is told.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not lines:
        text = text.replace("\n", " ").replace("\t", " ")
    if limit and len(text) > limit:
        text = f"{text[:limit]}... ({len(text) - limit} more characters)"
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(c) for c in text)


def _shown(c: str) -> str:
    if c in "\n\t" or c in _NEEDED or unicodedata.category(c) not in _HIDDEN:
        return c
    n = ord(c)
    return f"\\x{n:02x}" if n < 0x100 else f"\\u{n:04x}" if n < 0x10000 else f"\\U{n:08x}"


def told(redactor: Redactor, text: str, limit: int = 300) -> str:
    """What another side said, in one harmless line without secrets. They go before the text is cut, or a part would stay."""
    return harmless(redactor.text(text), limit=limit)
