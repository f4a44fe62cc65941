"""A ticket, note or page as a mail: headers, plain text and HTML, as bytes.

The message is a function of the act alone (its Date is when the act was made), so that a repeat is the same message
under the same Message-ID (RFC 5322 3.6.4) and the receiver can drop it. It is written out by hand, because the
standard library's policies fold long identifiers differently from version to version.
"""

import hashlib
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime

from prober.deliver import texts
from prober.deliver.harmless import harmless
from prober.settings import EmailReceiver
from rules.acts import Act, ActKind

#: Earlier mails of a thread named in References; more help no reader.
_REFERENCES = 20
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,200}@[!-;=?-~]{1,255}>\Z")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a relay is handed: addresses (domains in ASCII, RFC 5890) and the message with CRLF line ends."""

    sender: str
    to: str
    cc: tuple[str, ...]
    message_id: str
    content: bytes

    @property
    def wide(self) -> bool:
        """Whether an address has letters outside ASCII before the @, which asks for SMTPUTF8 (RFC 6531)."""
        return not all(address.isascii() for address in (self.sender, self.to, *self.cc))


def message_id(key: str, incident: str, sender: str) -> str:
    """The Message-ID of the act with `key`: the same on every repeat, at the sender's domain."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    name = re.sub(r"[^A-Za-z0-9-]+", "-", incident).strip("-")[:64] or "incident"
    return f"<{digest}.{name}@{_ascii(sender).rpartition('@')[2]}>"


def compose(act: Act, key: str, receiver_name: str, receiver: EmailReceiver) -> Envelope:
    """The mail that carries `act` to `receiver` under `key`."""
    sender, to, cc = _ascii(receiver.from_), _ascii(receiver.to), tuple(_ascii(a) for a in receiver.cc)
    own_id = message_id(key, act.incident, sender)
    thread = _thread(act, receiver_name, sender)
    boundary = f"=_{hashlib.sha256(key.encode()).hexdigest()[:40]}"
    headers = [
        ("Date", format_datetime(datetime.fromtimestamp(act.created, UTC))),
        ("From", sender),
        ("To", to),
        *([("Cc", ",\r\n ".join(cc))] if cc else []),
        ("Subject", _encoded(texts.subject(act))),
        ("Message-ID", own_id),
        *([("In-Reply-To", thread[0]), ("References", "\r\n ".join(thread))] if thread else []),
        ("Auto-Submitted", "auto-generated"),  # RFC 3834: no vacation notice answers it
        ("X-Prober-Key", harmless(key, limit=500).encode("ascii", "backslashreplace").decode()),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/alternative;\r\n boundary="{boundary}"'),
    ]
    lines = [*(f"{name}: {value}" for name, value in headers), ""]
    for kind, text in (("plain", texts.text(act)), ("html", texts.html(act))):
        lines += [f"--{boundary}", f"Content-Type: text/{kind}; charset=utf-8"]
        lines += ["Content-Transfer-Encoding: quoted-printable", "", _quoted(text)]
    lines += [f"--{boundary}--", ""]
    return Envelope(sender, to, cc, own_id, "\r\n".join(lines).encode())


def _thread(act: Act, receiver_name: str, sender: str) -> list[str]:
    """Message-IDs of the mails that this one belongs to, the first one first; none for one that opens a thread."""
    if act.kind is ActKind.PAGE_RESOLVE and act.after:
        return [_own_id(act.after, act.incident, receiver_name, sender)]
    if act.kind is not ActKind.NOTE:
        return []
    thread = act.facts.get("thread")
    first = thread if isinstance(thread, str) and thread else act.after
    earlier = act.facts.get("earlier")
    ids = [first, *(earlier if isinstance(earlier, list) else ())][:_REFERENCES]
    found = [_own_id(i, act.incident, receiver_name, sender) for i in ids if isinstance(i, str) and i]
    reference = act.facts.get("ticket")  # as it was sent: the sender's address may have been configured anew since
    if isinstance(reference, str) and _MESSAGE_ID.match(reference):
        found[:1] = [reference]
    return list(dict.fromkeys(found))


def _own_id(act_id: str, incident: str, receiver_name: str, sender: str) -> str:
    """The Message-ID under which this receiver got the act `act_id` (incident/episode/kind/receiver/step)."""
    parts = act_id.split("/", 4)
    if len(parts) == 5:
        parts[3] = receiver_name
    return message_id("/".join(parts), incident, sender)


def _encoded(subject: str) -> str:
    """RFC 2047, folded; ASCII stays readable."""
    return Header(subject, "us-ascii" if subject.isascii() else "utf-8", header_name="Subject").encode(linesep="\r\n")


def _quoted(text: str) -> str:
    return quopri.encodestring(text.encode()).decode().replace("\r\n", "\n").replace("\n", "\r\n")


def _ascii(address: str) -> str:
    """The address with its domain as DNS knows it; letters outside ASCII before the @ stay."""
    local, at, domain = address.rpartition("@")
    return address if domain.isascii() else f"{local}{at}{domain.encode('idna').decode()}"


def stuffed(content: bytes) -> bytes:
    """The message as DATA sends it: dots doubled at line starts, the end marked (RFC 5321 4.5.2)."""
    return re.sub(rb"(?m)^\.", b"..", content) + (b"" if content.endswith(b"\r\n") else b"\r\n") + b".\r\n"


def addresses(envelope: Envelope) -> Iterator[str]:
    """All recipients; the first is the one that must take it."""
    yield envelope.to
    yield from envelope.cc
