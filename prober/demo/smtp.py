"""The SMTP side of the demo's mail platform: a real dialogue (RFC 5321) with login, and mail that goes nowhere."""

import asyncio
import base64
import binascii
import re
from contextlib import suppress

from prober.demo.http import reset, until_gone
from prober.demo.modes import SLOWNESS, Mode

USERNAME = "SMTP_Injection"
_NAME = "smtp.platform.example"
#: Seconds that a client may be silent, and bytes that a message may have.
_PATIENCE, _MOST = 60.0, 10_000_000
#: RFC 5321 4.5.3.1: no line is longer, by far.
_ADDRESS = re.compile(r"(?:FROM|TO):\s?<[^<>]{0,512}>", re.IGNORECASE)


class Smtp:
    """Takes mail from whoever logs in with the key, in the present mode, and throws it away."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.mode = Mode.OK
        self.connections = 0
        self.messages = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        # A client that hangs up, or sends what is no line, ends its own dialogue alone.
        with suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            match self.mode:
                case Mode.HANG:
                    await until_gone(reader)
                case Mode.RESET:
                    reset(writer)
                case Mode.SMTP_421:
                    await _say(writer, f"421 4.3.2 {_NAME} system not accepting network messages")
                case mode:
                    await asyncio.sleep(SLOWNESS if mode is Mode.SLOW else 0)
                    await _Dialogue(self, reader, writer).run()


class _Dialogue:
    """One connection. Each command has a method that gives the reply; None ends the dialogue."""

    def __init__(self, server: Smtp, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._logged_in = False
        self._from = self._to = False

    async def run(self) -> None:
        await _say(self._writer, f"220 {_NAME} ESMTP")
        commands = {
            "EHLO": self._ehlo,
            "HELO": self._ehlo,
            "AUTH": self._auth,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
        }
        while True:
            verb, _, rest = (await self._line()).partition(" ")
            verb = verb.upper()
            if verb == "QUIT":
                return await _say(self._writer, "221 2.0.0 bye")
            if verb in commands:
                reply = await commands[verb](rest.strip())
            else:
                reply = "250 2.0.0 ok" if verb == "NOOP" else "500 5.5.2 command not known"
            await _say(self._writer, reply)

    async def _line(self) -> str:
        async with asyncio.timeout(_PATIENCE):
            line = await self._reader.readuntil(b"\n")
        return line.decode("utf-8", "replace").rstrip("\r\n")

    async def _ehlo(self, _: str) -> str:
        offered = ("8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", f"SIZE {_MOST}", "AUTH PLAIN LOGIN")
        return "\r\n".join([f"250-{_NAME}", *(f"250-{name}" for name in offered[:-1]), f"250 {offered[-1]}"])

    async def _rset(self, _: str) -> str:
        self._from = self._to = False
        return "250 2.0.0 ok"

    async def _auth(self, rest: str) -> str:
        """RFC 4954, with PLAIN (RFC 4616) and LOGIN."""
        mechanism, _, initial = rest.partition(" ")
        try:
            if mechanism.upper() == "PLAIN":
                _, user, password = _decoded(initial or await self._ask("")).split("\0")
            elif mechanism.upper() == "LOGIN":
                user = _decoded(initial or await self._ask("Username:"))
                password = _decoded(await self._ask("Password:"))
            else:
                return "504 5.5.4 mechanism not known"
        except ValueError:
            return "501 5.5.2 this is no login"
        self._logged_in = (user, password) == (USERNAME, self._server.key) and self._server.mode is not Mode.SMTP_535
        return "235 2.7.0 welcome" if self._logged_in else "535 5.7.8 no authentication type succeeded"

    async def _ask(self, prompt: str) -> str:
        await _say(self._writer, f"334 {base64.b64encode(prompt.encode()).decode()}")
        return await self._line()

    async def _mail(self, rest: str) -> str:
        if not self._logged_in:
            return "530 5.7.0 log in first"
        if self._server.mode is Mode.SMTP_451:
            return "451 4.3.0 local error in processing"
        self._from, self._to = _ADDRESS.match(rest) is not None, False
        return "250 2.1.0 ok" if self._from else "501 5.1.7 this is no address"

    async def _rcpt(self, rest: str) -> str:
        if not self._from:
            return "503 5.5.1 MAIL first"
        self._to = _ADDRESS.match(rest) is not None or self._to
        return "250 2.1.5 ok" if self._to else "501 5.1.3 this is no address"

    async def _data(self, _: str) -> str:
        if not self._to:
            return "503 5.5.1 RCPT first"
        await _say(self._writer, "354 end with a dot")
        size = 0
        while (line := await self._reader.readuntil(b"\n")) not in (b".\r\n", b".\n"):
            size += len(line)
        self._from = self._to = False
        if size > _MOST:
            return "552 5.3.4 message too large"
        self._server.messages += 1
        return f"250 2.0.0 ok, queued as {self._server.messages:06X}"


async def _say(writer: asyncio.StreamWriter, text: str) -> None:
    writer.write(f"{text}\r\n".encode())
    await writer.drain()


def _decoded(text: str) -> str:
    """Raises ValueError (binascii's and UnicodeDecodeError are ones)."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except binascii.Error as error:
        raise ValueError(str(error)) from error
