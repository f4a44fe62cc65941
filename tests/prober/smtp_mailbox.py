"""SMTP servers for tests, on loopback: a real mailbox (aiosmtpd), and relays that misbehave by script.

Both run on the test's own loop. A relay's script says, per stage, what it answers: bytes, `DROP` (close), or `SILENCE`.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from http_desk import serving

DROP = b"\x00drop"
SILENCE = b"\x00silence"
_BRAVE = {
    "greeting": b"220 relay.test ESMTP\r\n",
    "EHLO": b"250-relay.test\r\n250 8BITMIME\r\n",
    "MAIL": b"250 2.1.0 Ok\r\n",
    "RCPT": b"250 2.1.5 Ok\r\n",
    "DATA": b"354 go on\r\n",
    "dot": b"250 2.0.0 Ok: queued as 4ABC\r\n",
    "QUIT": b"221 bye\r\n",
}


@dataclass
class Mailbox:
    """What came in. `arrived` is set at each message."""

    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        self.envelopes.append(envelope)
        self.arrived.set()
        return "250 2.0.0 Ok: queued as 4ABC"


@asynccontextmanager
async def mailbox(
    *,
    tls: ssl.SSLContext | None = None,
    implicit: bool = False,
    login: tuple[str, str] | None = None,
    wide: bool = False,
) -> AsyncIterator[Mailbox]:
    """A mailbox that takes everything; with `tls` it asks for it, with `login` it asks for that too."""
    box = Mailbox()

    def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        box.logins.append(mechanism)
        return AuthResult(success=login == (data.login.decode(), data.password.decode()))

    def serve() -> SMTP:
        return SMTP(
            box,
            hostname="mailbox.test",
            enable_SMTPUTF8=wide,
            tls_context=None if implicit else tls,
            require_starttls=tls is not None and not implicit,
            authenticator=authenticate if login else None,
            # aiosmtpd takes implicit TLS for none, and warns of logins that it believes to be in the clear
            auth_required=login is not None and not implicit,
            auth_require_tls=tls is not None and not implicit,
        )

    server = await asyncio.get_running_loop().create_server(serve, "127.0.0.1", 0, ssl=tls if implicit else None)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()


@dataclass
class Relay:
    """A scripted relay: `contents` are the messages it saw the dot of, `commands` all that it was told.

    A stage's answer may be a list: one for each time. `before_dot` holds back the answer to the dot.
    """

    answers: dict[str, bytes | list[bytes]]
    port: int = 0
    commands: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    connections: int = 0
    before_dot: asyncio.Event | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def heard(self, verb: str) -> None:
        """Wait until it was told `verb`."""
        while not any(command.startswith(verb) for command in self.commands):
            self._news.clear()
            await self._news.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        going = await self._say("greeting", writer)
        while going and (line := await reader.readline()):
            self.commands.append(line.decode().strip())
            self._news.set()
            stage = line.split()[0].decode().upper()
            answered = self.answers.get(stage, b"")
            going = await self._say(stage, writer)
            if going and stage == "DATA" and answered[:3] == b"354":
                self.contents.append(await reader.readuntil(b"\r\n.\r\n"))
                if self.before_dot is not None:
                    await self.before_dot.wait()
                going = await self._say("dot", writer)
            going = going and stage != "QUIT"

    async def _say(self, stage: str, writer: asyncio.StreamWriter) -> bool:
        """Whether the dialogue goes on."""
        answer = self.answers.get(stage, b"502 not known\r\n")
        if isinstance(answer, list):
            answer = answer.pop(0)
        if answer == SILENCE:
            await asyncio.Event().wait()
        if answer == DROP:
            return False
        writer.write(answer)
        await writer.drain()
        return not answer.startswith(b"421")


@asynccontextmanager
async def relay(script: Mapping[str, bytes] | None = None) -> AsyncIterator[Relay]:
    """A relay that does as it should but where `script` says otherwise."""
    async with serving(Relay({**_BRAVE, **(script or {})})) as peer:
        yield peer
