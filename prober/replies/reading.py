"""A mail as it lies in the mailbox, made a `Mail` of the rules: bounded, and whatever is wrong with it is told, not raised.

What is read of a mail is cut at `MOST` bytes, before this sees it. MIME is taken apart no deeper and no wider than people
write it; what is past that is left, and said so.
"""

import email
import re
from collections.abc import Iterator
from email.errors import HeaderParseError, MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from html import unescape

from prober.deliver.harmless import harmless
from rules.replies import Mail, Report

#: Bytes of a mail that are looked at.
MOST = 262_144
#: Characters of a text, of a subject, of a header that are kept.
TEXT, SUBJECT, HEADER = 4_000, 300, 1_000
#: Parts and nested multiparts of a mail that are looked at.
PARTS, NESTED = 50, 20
#: Characters of a From: an address has 320 at most (RFC 5321 4.5.3.1), a name is what people bear.
_FROM = 2_000
#: Message-IDs that are looked at; a thread of ours names its first mail in all that follow.
_REFERENCES = 60
#: Headers that the rules judge by, and any that begin with list-.
_KEPT = frozenset(
    (
        "authentication-results",
        "auto-submitted",
        "content-type",
        "precedence",
        "return-path",
        "x-auto-response-suppress",
        "x-autoreply",
        "x-autoreply-from",
        "x-autorespond",
        "x-autoresponder",
        "x-freshdesk-ticket-id",
        "x-mailer",
        "x-zendesk-email-id",
    )
)
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,500}>")
#: In the copy of a mail that came back, and characters of the text in which it is looked for.
_COPIED_ID = re.compile(r"(?im)^message-id:[ \t]*(<[^<>\s]{1,500}>)")
_COPY = 65_536
_ELEMENT = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]{0,20})")
#: Elements whose content is no text, and those that end a line.
_SILENT, _BREAKS = ("script", "style", "head"), ("br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6")
#: Lines at which a mail begins to quote the one it answers.
_QUOTES = re.compile(
    r"(?i)^(?:-{2,} ?(?:original message|forwarded message|ursprüngliche nachricht|message d'origine|messaggio originale"
    r"|mensagem original|исходное сообщение).{0,80}|_{20,}"
    r"|(?:on|am|le|il|em|el) .{5,200}(?:wrote|schrieb|a écrit|ha scritto|escreveu|escribió)\b.{0,100}:"
    r"|.{5,200} (?:пишет|написал\(?а?\)?) ?:)$"
)
#: Above which one is to answer: desks (Zendesk, Jira) begin their mails with it, and who answers them quotes below it.
_ABOVE = re.compile(r"(?i)^(?:##-? .{0,200} -?##|[-—–_ ]*reply above this line\.?[-—–_ ]*)$")
#: Outlook's head of what it quotes: whom it is from, and in the next line when it was sent.
_FROM_WHOM = re.compile(r"(?i)^\*?(?:from|von|de|da|от) ?:\*? ?\S")
_SENT = re.compile(
    r"(?i)^\*?(?:sent|date|gesendet|datum|envoy[ée]|inviato|data|enviad[oa](?: el| em)?|fecha|отправлено|дата) ?:\*? ?\S"
)


def read(raw: bytes, at: int, *, size: int = 0, authority: str = "") -> Mail:
    """The mail in `raw`, of `size` bytes in all, taken by the mailbox at UTC second `at`. Never raises.

    `authority`: the name under which our own mail server writes Authentication-Results (RFC 8601 2.2); when it is not known,
    only the topmost one is believed.
    """
    defects: list[str] = []
    if size > len(raw) or len(raw) > MOST:
        defects.append(f"only the first {min(len(raw), MOST)} of {max(size, len(raw))} bytes were read")
    message = _parsed(raw[:MOST], defects)
    parts = list(_parts(message, defects))
    return Mail(
        at=at,
        sender=_sender(message, defects),
        subject=_decoded(str(message.get("subject", "")), SUBJECT, defects),
        text=_text(parts, defects),
        message_id="".join(_ids(message, "message-id")[:1]),
        references=tuple(
            dict.fromkeys((*_ids(message, "in-reply-to"), *_ids(message, "references"), *_returned(message, parts)))
        )[:_REFERENCES],
        headers=_headers(message, authority),
        report=_report(message, parts),
        defects=tuple(dict.fromkeys(defects)),
    )


def _sender(message: Message, defects: list[str]) -> str:
    """The address of From; "" when there is none or several, or when nobody writes it so."""
    values = [str(value) for value in message.get_all("from", [])][:5]
    if any(len(value) > _FROM for value in values):
        defects.append("its sender is too long to be read")
        return ""
    try:
        senders = {address for _, address in getaddresses(values) if "@" in address}
    except RecursionError:  # comments within comments
        defects.append("its sender is nested too deeply to be read")
        return ""
    return harmless(senders.pop().strip().lower(), limit=320) if len(senders) == 1 else ""


def _parsed(raw: bytes, defects: list[str]) -> Message:
    nested = raw.lower().count(b"multipart/") + raw.lower().count(b"message/rfc822")
    if nested <= NESTED:
        try:
            return email.message_from_bytes(raw)
        except (
            MessageError,
            ValueError,
            RecursionError,
        ) as error:  # the parser promises to take anything, and mostly does
            defects.append(f"its body cannot be read ({type(error).__name__})")
    else:
        defects.append("its body is nested too deeply to be read")
    head = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0]
    return BytesHeaderParser().parsebytes(head + b"\r\n\r\n")


def _parts(message: Message, defects: list[str]) -> Iterator[Message]:
    """All parts but the multiparts themselves, in their order, without recursion."""
    stack, seen = [message], 0
    while stack:
        part = stack.pop()
        seen += 1
        if seen > PARTS:
            defects.append(f"only the first {PARTS} of its parts were read")
            return
        below = part.get_payload()
        if isinstance(below, list) and part.get_content_type() != "message/delivery-status":
            stack += [p for p in reversed(below) if isinstance(p, Message)]
            if part.get_content_type() == "message/rfc822":
                yield part
        else:
            yield part


def _ids(message: Message, name: str) -> list[str]:
    return [found for value in message.get_all(name, [])[:5] for found in _MESSAGE_ID.findall(str(value)[:20_000])]


def _headers(message: Message, authority: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, value in message.items()[:500]:
        key = name.lower()
        if key in _KEPT or key.startswith("list-"):
            found[key] = (*found.get(key, ()), harmless(str(value), limit=HEADER))[:10]
    if results := found.get("authentication-results"):
        own = [r for r in results if r.partition(";")[0].split()[:1] == [authority]]
        found["authentication-results"] = tuple(own if authority else results[:1])
    return found


# --- words


def _decoded(value: str, limit: int, defects: list[str]) -> str:
    """A header's text (RFC 2047), as far as it can be read."""
    try:
        pieces = decode_header(value[: 10 * limit])
    except (HeaderParseError, ValueError):
        return harmless(value, limit=limit)
    words = [p if isinstance(p, str) else _of_charset(p, charset or "", defects) for p, charset in pieces]
    return harmless("".join(words), limit=limit)


def _of_charset(data: bytes, charset: str, defects: list[str]) -> str:
    """Bytes as text; what a charset does not know shows as U+FFFD. An unknown charset is read as UTF-8, then Latin-1."""
    for known in (charset, "utf-8"):
        try:
            return data.decode(known or "utf-8", "strict" if not charset else "replace")
        except (LookupError, UnicodeError, ValueError):
            continue
    if charset:
        defects.append(f"its character set {harmless(charset, limit=40)} is not known")
    return data.decode("latin-1")


def _text(parts: list[Message], defects: list[str]) -> str:
    """The start of what it says: its first plain text, or its HTML without tags; without what it quotes."""
    for kind in ("text/plain", "text/html"):
        for part in parts:
            if part.get_content_type() != kind or part.get_content_disposition() == "attachment":
                continue
            words = _body(part, defects)
            if kind == "text/html":
                words = _bare(words)
            if said := _unquoted(words):
                return said
    return ""


def _bare(html: str) -> str:
    """HTML without its tags, in one pass: what is not closed is dropped, or stands for itself."""
    found, position = [], 0
    while (start := html.find("<", position)) >= 0:
        found.append(html[position:start])
        if html.startswith("<!--", start):
            end = html.find("-->", start)
            position = end + 3 if end >= 0 else len(html)
            continue
        end = html.find(">", start)
        if end < 0:
            position = start
            break
        m = _ELEMENT.match(html, start)
        name = m[2].lower() if m else ""
        position = end + 1
        if name in _SILENT and m and not m[1]:
            close = re.compile(f"(?i)</{name}[^<>]{{0,20}}>").search(html, position)
            position = close.end() if close else len(html)
        found.append("\n" if name in _BREAKS and (name == "br" or (m and m[1])) else "" if m else html[start:position])
    return unescape("".join([*found, html[position:]]))


def _body(part: Message, defects: list[str]) -> str:
    try:
        data = part.get_payload(decode=True)
    except (ValueError, AssertionError) as error:
        defects.append(f"a part cannot be decoded ({type(error).__name__})")
        data = None
    if not isinstance(data, bytes):
        return str(part.get_payload())[:MOST] if isinstance(part.get_payload(), str) else ""
    try:
        charset = part.get_content_charset() or ""
    except (ValueError, LookupError, IndexError):  # a broken RFC 2231 parameter
        charset = ""
    return _of_charset(data, charset, defects)


def _unquoted(text: str) -> str:
    given = [" ".join(line[:2_000].split()) for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    lines: list[str] = []
    for line, after in zip(given, [*given[1:], ""], strict=True):
        if line.startswith(">"):
            continue
        if _QUOTES.match(line[:300]) or (_FROM_WHOM.match(line) and _SENT.match(after)):
            break
        if _ABOVE.match(line[:300]):
            if any(map(str.isalnum, "".join(lines))):
                break
            lines.clear()
            continue
        if line or (lines and lines[-1]):
            lines.append(line)
        if sum(map(len, lines)) > TEXT:
            break
    return harmless("\n".join(lines).strip(), lines=True, limit=TEXT)


# --- bounces


def _report(message: Message, parts: list[Message]) -> Report | None:
    """The worst of what a delivery status notification says of its recipients (RFC 3464)."""
    status = next((p for p in parts if p.get_content_type() == "message/delivery-status"), None)
    if status is None:
        return None
    fields = (
        [group for group in status.get_payload() if isinstance(group, Message)][:PARTS] if status.is_multipart() else []
    )
    recipients = [group for group in fields if group.get("action")]
    worst = min(recipients, key=lambda group: _rank(str(group["action"])), default=None)
    if worst is None:
        return Report("failed", original=_original(message, parts))
    rank = _rank(str(worst["action"]))
    alike = [_recipient(group) for group in recipients if group is not worst and _rank(str(group["action"])) == rank]
    return Report(
        action=_field(worst, "action", 20).lower(),
        status=_field(worst, "status", 20),
        recipient=_recipient(worst),
        diagnostic=_field(worst, "diagnostic-code", 500),
        original=_original(message, parts),
        others=tuple(dict.fromkeys(alike)),
    )


def _recipient(group: Message) -> str:
    return _field(group, "final-recipient", 320).rpartition(";")[2].strip().strip("<>")


def _returned(message: Message, parts: list[Message]) -> list[str]:
    """The Message-ID of the mail that an old-fashioned bounce (qmail's, Exim's) has a copy of in its text."""
    if str(message.get("return-path", "")).strip() != "<>" or message.is_multipart():
        return []
    return [found for part in parts for found in _COPIED_ID.findall(_body(part, [])[:_COPY])][:5]


def _rank(action: str) -> int:
    order = ("failed", "delayed")
    return order.index(action.strip().lower()) if action.strip().lower() in order else len(order)


def _field(group: Message, name: str, limit: int) -> str:
    return harmless(" ".join(str(group.get(name, "")).split()), limit=limit)


def _original(message: Message, parts: list[Message]) -> str:
    """The Message-ID of the mail that came back, whole or its headers alone (RFC 3462)."""
    for part in parts:
        kind = part.get_content_type()
        if kind == "message/rfc822":
            inner = part.get_payload()
            found = _ids(inner[0], "message-id") if isinstance(inner, list) and isinstance(inner[0], Message) else []
        elif kind == "text/rfc822-headers":
            found = _ids(BytesHeaderParser().parsebytes(_body(part, []).encode("utf-8", "replace")), "message-id")
        else:
            continue
        if found:
            return found[0]
    return next(iter(_ids(message, "x-failed-message-id") or _ids(message, "in-reply-to")), "")
