"""As much of an IMAP client (RFC 3501, IDLE of RFC 2177) as watching a mailbox takes; it never deletes.

Our own, on asyncio streams, because every wait must have an end and every answer a bound: a server that stops answering, or
that sends without end, costs one connection and nothing else.
"""

import asyncio
import base64
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Literal, Self

from prober.errors import ProberError

#: Bytes of a line, and of a literal, that are taken: a hundred thousand UIDs stand in one line.
_LINE, _LITERAL = 1_048_576, 1_048_576
#: Lines, and bytes in all, that one command may be answered by.
_LINES, _ANSWER = 10_000, 4_194_304
_LITERAL_END = re.compile(rb"\{(\d{1,10})\}$")
_UID = re.compile(rb"\d{1,10}")  # of 32 bits (RFC 3501 2.3.1.1)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class ImapError(ProberError):
    """The server refused, or did not speak IMAP, or was silent. The message holds no secret."""


class ImapRefusedError(ImapError):
    """The server refused one command; the connection stands."""


@dataclass(frozen=True, slots=True)
class Line:
    """One answer; `literals` are the bytes that stood in it, in their order."""

    text: bytes
    literals: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Selected:
    """A folder as it is: `validity` and UIDs as RFC 3501 2.3.1.1 has them; `next` 0 when the server does not say."""

    validity: int
    next: int
    exists: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """A message's start. `at`: UTC seconds at which the mailbox took it; `size`: bytes of the whole."""

    uid: int
    at: int
    size: int
    raw: bytes


class Imap:
    """One connection. Every method raises ImapError, and OSError when the connection fails; none waits for ever."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float) -> None:
        self._reader = reader
        self._writer = writer
        self._timeout = timeout
        self._tags = count(1)
        self.capabilities: frozenset[str] = frozenset()

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        host: str,
        port: int,
        tls: Literal["none", "starttls", "implicit"],
        context: ssl.SSLContext | None,
        timeout: float,  # noqa: ASYNC109 - of each step, kept for the commands to come
    ) -> AsyncIterator[Self]:
        """A connection whose greeting was read and whose TLS stands; closed at the end, with LOGOUT if it can be."""
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(
                host, port, limit=_LINE, ssl=context if tls == "implicit" else None
            )
        self = cls(reader, writer, timeout)
        try:
            async with asyncio.timeout(timeout):
                greeting = await self._line()
                if not greeting.text.upper().startswith((b"* OK", b"* PREAUTH")):
                    raise ImapError(f"the server greets with {_shown(greeting.text)}")
                await self._learn()
                if tls == "starttls":
                    await self._starttls(context, host)
            yield self
        finally:
            writer.close()

    async def _starttls(self, context: ssl.SSLContext | None, host: str) -> None:
        if "STARTTLS" not in self.capabilities:
            raise ImapError("the server does not offer STARTTLS; nothing is said in the clear")
        await self.command("STARTTLS")
        await self._writer.start_tls(context or ssl.create_default_context(), server_hostname=host)
        await self._learn()  # what was said before TLS is not to be believed (RFC 3501 6.2.1)

    async def _learn(self) -> None:
        for line in await self.command("CAPABILITY"):
            if line.text.upper().startswith(b"* CAPABILITY "):
                self.capabilities = frozenset(line.text.decode("ascii", "replace").upper().split()[2:])

    async def login(self, username: str, password: str) -> None:
        """PLAIN where it is offered, which takes any character (RFC 4616); LOGIN otherwise."""
        if "AUTH=PLAIN" in self.capabilities:
            plain = base64.b64encode(f"\0{username}\0{password}".encode())
            if "SASL-IR" in self.capabilities:
                await self.command("AUTHENTICATE PLAIN " + plain.decode(), name="AUTHENTICATE")
            else:
                await self.command("AUTHENTICATE PLAIN", answer=plain + b"\r\n")
        elif "LOGINDISABLED" in self.capabilities:
            raise ImapError("the server takes no password on this connection; set tls to starttls or implicit")
        else:
            await self.command(f"LOGIN {_quoted(username)} {_quoted(password)}", name="LOGIN")
        await self._learn()

    async def select(self, folder: str, *, writable: bool = False) -> Selected:
        """Open a folder; read-only (EXAMINE) unless something is to be marked."""
        found = {"UIDVALIDITY": 0, "UIDNEXT": 0}
        exists = 0
        for line in await self.command(f"{'SELECT' if writable else 'EXAMINE'} {_quoted(_utf7(folder))}"):
            for name in found:
                if m := re.search(rf"\[{name} (\d{{1,20}})\]".encode(), line.text, re.IGNORECASE):
                    found[name] = int(m[1])
            if m := re.match(rb"\* (\d{1,20}) EXISTS", line.text, re.IGNORECASE):
                exists = int(m[1])
        if not found["UIDVALIDITY"]:
            raise ImapError("the server gives its messages no lasting numbers (UIDVALIDITY)")
        return Selected(found["UIDVALIDITY"], found["UIDNEXT"], exists)

    async def after(self, uid: int) -> list[int]:
        """UIDs greater than `uid`, in their order."""
        return [n for n in await self._search(f"UID {uid + 1}:*") if n > uid]  # "n:*" names the last one in any case

    async def since(self, at: int) -> list[int]:
        """UIDs of messages that the mailbox took on the day of `at` (UTC seconds), the day before it, or later.

        The day before, because servers count days by their own time.
        """
        day = datetime.fromtimestamp(max(0, at - 86_400), UTC)
        return await self._search(f"SINCE {day.day}-{_MONTHS[day.month - 1]}-{day.year}")

    async def _search(self, what: str) -> list[int]:
        uids: set[int] = set()
        for line in await self.command(f"UID SEARCH {what}"):
            if line.text.upper().startswith(b"* SEARCH"):
                uids.update(int(word) for word in line.text.split()[2:] if _UID.fullmatch(word))
        return sorted(uids)

    async def fetch(self, uid: int, most: int) -> Fetched | None:
        """The first `most` bytes of a message, left unread as it is; None when it is gone."""
        for line in await self.command(f"UID FETCH {uid} (UID INTERNALDATE RFC822.SIZE BODY.PEEK[]<0.{most}>)"):
            if not re.match(rb"\* \d+ FETCH ", line.text, re.IGNORECASE) or not line.literals:
                continue
            if f"UID {uid}".encode() not in line.text.upper():
                continue
            size = re.search(rb"RFC822\.SIZE (\d{1,12})", line.text, re.IGNORECASE)
            return Fetched(uid, _instant(line.text), int(size[1]) if size else 0, line.literals[-1])
        return None

    async def mark_seen(self, uid: int) -> None:
        """Mark a message as read; the folder must have been opened for writing."""
        await self.command(f"UID STORE {uid} +FLAGS.SILENT (\\Seen)")

    async def noop(self) -> None:
        """Ask for news: what comes is in the next search."""
        await self.command("NOOP")

    async def idle(self, within: float) -> bool:
        """Wait for news for `within` seconds at most; whether there were any."""
        tag = self._send("IDLE")
        news = False
        async with asyncio.timeout(self._timeout):
            while True:
                line = await self._line()
                if line.text.startswith(b"+"):
                    break
                self._refused(tag, line, "IDLE")
                news = news or _is_news(line)
        try:
            async with asyncio.timeout(within):
                while not news:
                    line = await self._line()
                    self._refused(tag, line, "IDLE")
                    news = _is_news(line)
        except TimeoutError:
            pass
        async with asyncio.timeout(self._timeout):
            self._writer.write(b"DONE\r\n")
            await self._writer.drain()
            last = await self._answers(tag, "IDLE")
        return news or any(map(_is_news, last))

    async def logout(self) -> None:
        """Say good-bye; the server's answer changes nothing."""
        await self.command("LOGOUT")

    # the protocol

    async def command(self, text: str, *, name: str = "", answer: bytes = b"") -> list[Line]:
        """Send a command; its answers up to OK. `answer` is sent when the server asks for more."""
        name = name or text.split(maxsplit=1)[0]
        try:
            async with asyncio.timeout(self._timeout):
                tag = self._send(text)
                await self._writer.drain()
                if answer:
                    line = await self._line()
                    if not line.text.startswith(b"+"):
                        self._refused(tag, line, name)
                        raise ImapError(f"{name} was answered by {_shown(line.text)}")
                    self._writer.write(answer)
                    await self._writer.drain()
                return await self._answers(tag, name)
        except TimeoutError as error:
            raise ImapError(f"no answer to {name} within {self._timeout:g} s") from error

    def _send(self, text: str) -> bytes:
        if re.search(r"[\x00\r\n]", text):
            raise ImapError("a command holds a line break")
        tag = f"a{next(self._tags)}"
        self._writer.write(f"{tag} {text}\r\n".encode())
        return tag.encode()

    async def _answers(self, tag: bytes, name: str) -> list[Line]:
        lines: list[Line] = []
        total = 0
        while True:
            line = await self._line()
            self._refused(tag, line, name)
            if line.text.startswith(tag + b" "):
                return lines
            lines.append(line)
            total += len(line.text) + sum(map(len, line.literals))
            if len(lines) > _LINES or total > _ANSWER:
                raise ImapError(f"{name} is answered without end")

    def _refused(self, tag: bytes, line: Line, name: str) -> None:
        """Raises when `line` ends the command other than well, or the connection."""
        if line.text.startswith(tag + b" ") and not line.text[len(tag) + 1 :].upper().startswith(b"OK"):
            raise ImapRefusedError(f"{name} was refused: {_shown(line.text[len(tag) + 1 :])}")
        if line.text.upper().startswith(b"* BYE") and name != "LOGOUT":
            raise ImapError(f"the server ends the connection: {_shown(line.text)}")

    async def _line(self) -> Line:
        text, total = b"", 0
        literals: list[bytes] = []
        while True:
            try:
                piece = await self._reader.readuntil(b"\r\n")
            except asyncio.IncompleteReadError as error:
                raise ImapError("the server has closed the connection") from error
            except asyncio.LimitOverrunError as error:
                raise ImapError("the server sends a line without end") from error
            text += piece[:-2]
            m = _LITERAL_END.search(text)
            if m is None:
                return Line(text, tuple(literals))
            total += int(m[1]) + len(text)
            if total > _LITERAL:
                raise ImapError("the server sends more than was asked for")
            literals.append(await self._read_exactly(int(m[1])))
            text += b" "

    async def _read_exactly(self, size: int) -> bytes:
        try:
            return await self._reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            raise ImapError("the server has closed the connection") from error


def _is_news(line: Line) -> bool:
    return re.match(rb"\* \d+ (EXISTS|RECENT)", line.text, re.IGNORECASE) is not None


def _instant(text: bytes) -> int:
    m = re.search(rb'INTERNALDATE "([^"]{1,40})"', text, re.IGNORECASE)
    try:
        day, month, rest = (m[1] if m else b"").decode("ascii", "replace").strip().split("-", 2)
        at = datetime.strptime(f"{day} {_MONTHS.index(month.title()) + 1} {rest}", "%d %m %Y %H:%M:%S %z")
        return max(0, int(at.timestamp()))
    except (ValueError, OverflowError):
        return 0


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _utf7(folder: str) -> str:
    """A folder's name in modified UTF-7 (RFC 3501 5.1.3)."""
    found = []
    for plain, wide in re.findall(r"([\x20-\x7e]+)|([^\x20-\x7e]+)", folder):
        if wide:
            coded = base64.b64encode(wide.encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
            found.append(f"&{coded}-")
        else:
            found.append(plain.replace("&", "&-"))
    return "".join(found)


def _shown(text: bytes) -> str:
    return text[:200].decode("ascii", "backslashreplace")
