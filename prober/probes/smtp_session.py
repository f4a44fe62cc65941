"""What both sides of an SMTP session say of themselves: how deep we go, who we are, what the server offers."""

import socket
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from prober.probes.smtp_reply import lines


class Depth(IntEnum):
    """How far a call goes; in the order of the dialogue."""

    BANNER = 1
    EHLO = 2
    TLS = 3
    AUTH = 4
    RCPT = 5
    DATA = 6


@dataclass(frozen=True, slots=True)
class Session:
    """What the server offered in its newest EHLO reply; a kept connection goes on with it."""

    starttls: bool = False
    size: bool = False  # RFC 1870
    eight_bit: bool = False  # RFC 6152
    utf8: bool = False  # RFC 6531
    mechanisms: frozenset[str] = frozenset()
    keywords: str = ""  # as offered, for people


@lru_cache(maxsize=1024)
def read_session(raw: bytes) -> Session:
    """The extensions of an EHLO reply. A server says the same each time, so that it is read once."""
    mechanisms: set[str] = set()
    keywords: list[str] = []
    for line in lines(raw)[1:]:
        words = line.decode("ascii", "replace").upper().replace("AUTH=", "AUTH ", 1).split()  # AUTH=: before RFC 2554
        if words:
            keywords.append(words[0])
            if words[0] == "AUTH":
                mechanisms.update(words[1:])
    return Session(
        starttls="STARTTLS" in keywords,
        size="SIZE" in keywords,
        eight_bit="8BITMIME" in keywords,
        utf8="SMTPUTF8" in keywords,
        mechanisms=frozenset(mechanisms),
        keywords=" ".join(keywords)[:150],
    )


def own_name(fallback: str) -> str:
    """What we call ourselves: the host's name if it is a full one, else the sender's domain (no DNS is asked here)."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else fallback or "localhost.localdomain"
