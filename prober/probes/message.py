"""The message that an injection carries (RFC 5322), made once an endpoint save for its Message-ID and Date."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.policy import SMTP, SMTPUTF8
from email.utils import formatdate
from itertools import count
from quopri import encodestring

from prober.settings import Mail

#: RFC 5322 2.1.1: longest line, without its end.
_MAX_LINE = 998
_FILLER = b"\r\n" + b"x" * 74
_BODY = "An injection of a monitoring probe. It may be thrown away.\n"
_OURS = frozenset({"message-id", "date", "mime-version", "content-type", "content-transfer-encoding"})
#: Tells this process's Message-IDs from every other's; `_counter` tells them apart within it.
_prefix = secrets.token_hex(8).encode()
_counter = count(1)


def next_id(domain: bytes) -> bytes:
    """A Message-ID as it stands in the header (RFC 5322 3.6.4), that nobody has used before."""
    return b"<%b.%012x@%b>" % (_prefix, next(_counter), domain)


class _Clock:
    """The Date header (RFC 5322 3.3, UTC), formatted once a second for all endpoints."""

    def __init__(self) -> None:
        self._second = -1
        self._date = b""

    def date(self) -> bytes:
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._date = formatdate(now).replace("-0000", "+0000").encode()
        return self._date


_clock = _Clock()


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox as it is sent. `utf8`: its local part needs SMTPUTF8 (RFC 6531); a domain is written in ASCII."""

    text: str
    domain: bytes
    utf8: bool

    @classmethod
    def of(cls, text: str) -> "Address":
        """From `name@domain`. Raises ValueError with what would be right."""
        local, at, domain = text.rpartition("@")
        if not (local and at and domain) or any(c <= " " or c in "<>\x7f" for c in text):
            raise ValueError(f"not a mail address: {text!r}; write one such as probe@example.com")
        name = domain if domain.isascii() else domain.encode("idna").decode()
        return cls(f"{local}@{name}", name.encode(), not local.isascii())

    @property
    def envelope(self) -> bytes:
        return self.text.encode()


@dataclass(frozen=True, slots=True)
class Message:
    """A message ready for DATA: `rest` follows the two headers that change, dots stuffed, final dot included.

    `size` is RFC 1870's, less the Message-ID: bytes as they are, without stuffed dots and the final one. `eight_bit`:
    it has bytes over 127.
    """

    rest: bytes = field(repr=False)
    size: int
    eight_bit: bool

    def data(self, message_id: bytes) -> bytes:
        """All that is sent after the 354."""
        return b"Message-ID: %b\r\nDate: %b\r\n%b" % (message_id, _clock.date(), self.rest)


@dataclass(frozen=True, slots=True)
class Messages:
    """One message in two forms: as it is, and in seven bits for a server without 8BITMIME (RFC 6152)."""

    sender: Address
    recipient: Address
    natural: Message
    seven_bit: Message

    @property
    def utf8(self) -> bool:
        """Whether only a server with SMTPUTF8 can take it."""
        return self.sender.utf8 or self.recipient.utf8


def messages(mail: Mail, endpoint: str) -> Messages:
    """The messages of an endpoint named `endpoint`. Raises ValueError for what cannot stand in a message."""
    sender, recipient = Address.of(mail.from_), Address.of(mail.to)
    head = _headers(mail, sender, recipient, endpoint)
    body = _body(mail.body or _BODY)
    short = max(map(len, body.split(b"\r\n"))) <= _MAX_LINE
    if short and body.isascii():
        plain = _message(head, b"7bit", body, mail.size)
        return Messages(sender, recipient, plain, plain)
    quoted = encodestring(body.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    seven_bit = _message(head, b"quoted-printable", quoted, mail.size)
    return Messages(sender, recipient, _message(head, b"8bit", body, mail.size) if short else seven_bit, seven_bit)


def _headers(mail: Mail, sender: Address, recipient: Address, endpoint: str) -> bytes:
    policy = SMTPUTF8 if sender.utf8 or recipient.utf8 else SMTP
    headers: dict[str, tuple[str, str]] = {
        "from": ("From", sender.text),
        "to": ("To", recipient.text),
        "subject": ("Subject", mail.subject),
        "auto-submitted": ("Auto-Submitted", "auto-generated"),  # RFC 3834: nobody's out-of-office answers it
        "x-prober": ("X-Prober", "injection"),
        "x-prober-endpoint": ("X-Prober-Endpoint", endpoint),
    }
    headers |= _own(mail.headers)
    return b"".join(
        policy.header_store_parse(name, value)[1].fold(policy=policy).encode() for name, value in headers.values()
    )


def _own(headers: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """The user's headers, which replace ours. Raises ValueError for those that are the injection's alone."""
    for name in headers:
        if name.lower() in _OURS:
            raise ValueError(f"the header {name} is the injection's own and cannot be set")
        if not name or any(not "!" <= c <= "~" or c == ":" for c in name):
            raise ValueError(f"not a header's name: {name!r}")
    return {name.lower(): (name, value) for name, value in headers.items()}


def _body(text: str) -> bytes:
    whole = text if text.endswith("\n") else text + "\n"
    return whole.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode()


def _message(head: bytes, encoding: bytes, body: bytes, fill: int) -> Message:
    whole = (
        b"%bMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: %b\r\n\r\n%b"
        % (
            head,
            encoding,
            _filled(body, fill),
        )
    )
    changing = len(Message(b"", 0, eight_bit=False).data(b""))
    return Message(whole.replace(b"\r\n.", b"\r\n..") + b".\r\n", changing + len(whole), not whole.isascii())


def _filled(body: bytes, size: int) -> bytes:
    """`body` with lines of x before its end, so that it has `size` bytes; as it is where it has them."""
    lines, rest = divmod(max(0, size - len(body)), len(_FILLER))
    end = b"x" * rest if rest < 2 else b"\r\n" + b"x" * (rest - 2)
    return body[:-2] + _FILLER * lines + end + b"\r\n"
