"""An SMTP server on loopback that behaves well, or misbehaves by name (`BEHAVIOURS`).

It runs in a thread with an event loop of its own, so that the program under test may be in the same process or another:

    with smtp_peer("silence_at_mail") as peer:
        ...  # peer.host, peer.port, peer.received
"""

import asyncio
import base64
import contextlib
import hmac
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import trustme

STAGES = ("banner", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "dot")
USER, PASSWORD = "probe", "open sesame"
Tls = Literal["none", "starttls", "implicit"]

#: What a server of good behaviour says.
GOOD = {
    "banner": b"220 peer.example ESMTP\r\n",
    "starttls": b"220 2.0.0 go ahead\r\n",
    "auth": b"235 2.7.0 authenticated\r\n",
    "mail": b"250 2.1.0 ok\r\n",
    "rcpt": b"250 2.1.5 ok\r\n",
    "data": b"354 end with a dot\r\n",
    "dot": b"250 2.0.0 queued as 4711\r\n",
}


class HangupError(Exception):
    """The dialogue is over: the connection is to be closed."""


@dataclass
class Received:
    """One message that the server took, or was sent before it failed."""

    sender: str
    recipient: str
    data: bytes  # dots unstuffed, without the final one
    accepted: bool
    login: str = ""
    encrypted: bool = False


@dataclass
class Line:
    """One connection as a behaviour sees it."""

    peer: "SmtpPeer"
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    encrypted: bool = False
    login: str = ""
    sender: str = ""
    recipient: str = ""

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        try:
            await self.writer.drain()
        except ConnectionError as e:
            raise HangupError from e

    async def hear(self) -> bytes:
        line = await self.reader.readline()
        if not line.endswith(b"\n"):
            raise HangupError
        self.peer.commands.append(line)
        return line.rstrip(b"\r\n")

    async def wait_for_the_end(self) -> None:
        """Say nothing more until the client has gone."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65_536):
                pass
        raise HangupError

    def reset(self) -> None:
        """Close with RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise HangupError


#: What is done at a stage instead of the good reply.
Act = Callable[[Line], Awaitable[None]]


@dataclass(frozen=True)
class Behaviour:
    """What a server does otherwise than a good one, by stage; and what it offers."""

    acts: Mapping[str, Act] = field(default_factory=dict)
    offers_starttls: bool = True
    mechanisms: str | None = "PLAIN LOGIN CRAM-MD5"
    extensions: tuple[str, ...] = ("SIZE 10000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
    line_end: bytes = b"\r\n"
    esmtp: bool = True


def reply(text: str, *, close: bool = False) -> Act:
    async def act(line: Line) -> None:
        await line.say(text.encode() + b"\r\n")
        if close:
            raise HangupError

    return act


def raw(data: bytes, *, then: Literal["go on", "wait", "close"] = "wait") -> Act:
    async def act(line: Line) -> None:
        await line.say(data)
        if then == "wait":
            await line.wait_for_the_end()
        if then == "close":
            raise HangupError

    return act


async def silence(line: Line) -> None:
    await line.wait_for_the_end()


async def drop(line: Line) -> None:
    raise HangupError


async def reset(line: Line) -> None:
    line.reset()


def endless(data: bytes) -> Act:
    """Say the same for ever."""

    async def act(line: Line) -> None:
        while True:
            await line.say(data)
            await asyncio.sleep(0)  # drain() may never wait

    return act


async def trickle(line: Line) -> None:
    """A greeting that never ends, a byte at a time."""
    while True:
        await line.say(b"220-a\r\n"[line.peer.trickled % 7 :][:1])
        line.peer.trickled += 1
        await asyncio.sleep(0.01)


async def refuse_while_data_come(line: Line) -> None:
    """354, then 421 and away, without waiting for the message."""
    await line.say(GOOD["data"])
    await line.say(b"421 4.3.2 going down\r\n")
    raise HangupError


JUNK = bytes(range(128, 256)) * 4


def _registry() -> dict[str, Behaviour]:
    found: dict[str, Behaviour] = {
        "healthy": Behaviour(),
        "bare_lf": Behaviour(line_end=b"\n"),
        "helo_only": Behaviour(esmtp=False, extensions=(), mechanisms=None, offers_starttls=False),
        "no_extensions": Behaviour(extensions=()),
        "no_starttls": Behaviour(offers_starttls=False),
        "no_auth": Behaviour(mechanisms=None),
        "no_auth_mechanism": Behaviour(mechanisms="GSSAPI NTLM"),
        "plain_only": Behaviour(mechanisms="PLAIN"),
        "login_only": Behaviour(mechanisms="LOGIN"),
        "cram_only": Behaviour(mechanisms="CRAM-MD5"),
        "auth_refused": Behaviour({"auth": reply("535 5.7.8 no authentication type succeeded")}),
        "early_421_in_data": Behaviour({"data": refuse_while_data_come}),
        "trickle_banner": Behaviour({"banner": trickle}),
        "injects_before_tls": Behaviour({"starttls": raw(GOOD["starttls"] + b"250 injected\r\n")}),
        "two_replies_at_mail": Behaviour({"mail": raw(GOOD["mail"] * 2, then="go on")}),
        "positive_out_of_place": Behaviour({"mail": reply("354 what?")}),
        "two_codes_at_ehlo": Behaviour({"ehlo": raw(b"250-peer\r\n251 SIZE\r\n")}),
        "half_reply_then_drop": Behaviour({"mail": raw(b"250 2.1", then="close")}),
        "echoes_the_login": Behaviour({"auth": _echo}),
        "bad_challenge": Behaviour({"auth": raw(b"334 !!!\r\n")}, mechanisms="CRAM-MD5"),
    }
    for stage in STAGES:
        found |= {
            f"421_at_{stage}": Behaviour({stage: reply("421 4.3.2 shutting down", close=True)}),
            f"421_policy_at_{stage}": Behaviour({stage: reply("421 4.7.0 too many errors from you", close=True)}),
            f"silence_at_{stage}": Behaviour({stage: silence}),
            f"drop_at_{stage}": Behaviour({stage: drop}),
            f"reset_at_{stage}": Behaviour({stage: reset}),
            f"junk_at_{stage}": Behaviour({stage: raw(JUNK)}),
            f"endless_line_at_{stage}": Behaviour({stage: endless(b"220 " + b"x" * 1000)}),
            f"endless_reply_at_{stage}": Behaviour({stage: endless(b"250-again\r\n" * 100)}),
            f"huge_reply_at_{stage}": Behaviour({stage: raw(b"250-x\r\n" * 20_000 + b"250 end\r\n")}),
        }
        for code in (450, 451, 452, 454, 455, *(range(500, 505)), 530, 534, 535, 538, *range(550, 557)):
            kind = code // 100
            found |= {
                f"{code}_at_{stage}": Behaviour({stage: reply(f"{code} not now")}),
                f"{code}_policy_at_{stage}": Behaviour({stage: reply(f"{code} {kind}.7.1 refused by policy")}),
                f"{code}_system_at_{stage}": Behaviour({stage: reply(f"{code} {kind}.3.0 system failure")}),
                f"{code}_rate_at_{stage}": Behaviour(
                    {stage: reply(f"{code} Throttling failure: sending rate exceeded")}
                ),
            }
    return found


async def _echo(line: Line) -> None:
    """As servers do that do not know a command: the refusal repeats it."""
    await line.say(b"500 5.5.2 unknown: " + line.peer.commands[-1].rstrip() + b"\r\n")


BEHAVIOURS: Mapping[str, Behaviour] = _registry()


class SmtpPeer:
    """The server. `commands` are the lines that it heard, `received` the messages; `connections` how many came."""

    def __init__(self, behaviour: Behaviour, tls: Tls, authority: trustme.CA) -> None:
        self.behaviour = behaviour
        self.tls = tls
        self.host = "127.0.0.1"
        self.port = 0
        self.commands: list[bytes] = []
        self.received: list[Received] = []
        self.connections = 0
        self.trickled = 0
        self.authority = authority
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(self._context)
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # life

    async def serve(self, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        context = self._context if self.tls == "implicit" else None
        server = await asyncio.start_server(self._connected, self.host, 0, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self._stop.wait()
        server.close()
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:  # one that ends may have begun another
            await asyncio.sleep(0)  # each has begun: cancelled before, it would not close its connection
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()

    def stop(self) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        line = Line(self, reader, writer, encrypted=self.tls == "implicit")
        try:
            await self._dialogue(line)
        except (HangupError, ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError, TimeoutError):
                await writer.wait_closed()

    # the dialogue

    async def _dialogue(self, line: Line) -> None:
        await self._answer(line, "banner")
        while True:
            heard = await line.hear()
            verb = heard.split(b" ", 1)[0].upper().decode("ascii", "replace")
            if verb == "QUIT":
                await line.say(b"221 2.0.0 bye\r\n")
                return
            handler = getattr(self, f"_on_{verb.lower()}", None)
            if handler is None:
                await line.say(b"502 5.5.1 what?\r\n")
            else:
                await handler(line, heard)

    async def _answer(self, line: Line, stage: str) -> bool:
        """The stage's act if it has one, else the good reply; True for the good one."""
        act = self.behaviour.acts.get(stage)
        if act is not None:
            await act(line)
            return False
        await line.say(GOOD[stage].replace(b"\r\n", self.behaviour.line_end))
        return True

    async def _on_ehlo(self, line: Line, heard: bytes) -> None:
        behaviour = self.behaviour
        if "ehlo" in behaviour.acts:
            await behaviour.acts["ehlo"](line)
            return
        if not behaviour.esmtp:
            await line.say(b"502 5.5.1 what?\r\n")
            return
        words = ["peer.example", *behaviour.extensions]
        if self.tls == "starttls" and behaviour.offers_starttls and not line.encrypted:
            words.append("STARTTLS")
        if behaviour.mechanisms is not None:
            words.append(f"AUTH {behaviour.mechanisms}")
        marks = ["-"] * (len(words) - 1) + [" "]
        lines = [f"250{mark}{word}".encode() for mark, word in zip(marks, words, strict=True)]
        await line.say(behaviour.line_end.join([*lines, b""]))

    async def _on_helo(self, line: Line, heard: bytes) -> None:
        await line.say(b"250 peer.example\r\n")

    async def _on_starttls(self, line: Line, heard: bytes) -> None:
        if await self._answer(line, "starttls"):
            await line.writer.start_tls(self._context)
            line.encrypted = True

    async def _on_auth(self, line: Line, heard: bytes) -> None:
        if "auth" in self.behaviour.acts:
            await self.behaviour.acts["auth"](line)
            return
        _, mechanism, *first = heard.decode().split(" ")
        user, good = await getattr(self, f"_auth_{mechanism.lower().replace('-', '_')}")(line, first)
        if good:
            line.login = user
            await self._answer(line, "auth")
        else:
            await line.say(b"535 5.7.8 credentials refused\r\n")

    async def _ask(self, line: Line, prompt: bytes) -> str:
        await line.say(b"334 " + base64.b64encode(prompt) + b"\r\n")
        return base64.b64decode(await line.hear()).decode()

    async def _auth_plain(self, line: Line, first: list[str]) -> tuple[str, bool]:
        answer = base64.b64decode(first[0]).decode() if first else await self._ask(line, b"")
        _, user, password = answer.split("\0")
        return user, (user, password) == (USER, PASSWORD)

    async def _auth_login(self, line: Line, first: list[str]) -> tuple[str, bool]:
        user = base64.b64decode(first[0]).decode() if first else await self._ask(line, b"Username:")
        password = await self._ask(line, b"Password:")
        return user, (user, password) == (USER, PASSWORD)

    async def _auth_cram_md5(self, line: Line, first: list[str]) -> tuple[str, bool]:
        challenge = b"<1896.697170952@peer.example>"
        user, digest = (await self._ask(line, challenge)).split(" ")
        return user, digest == hmac.new(PASSWORD.encode(), challenge, "md5").hexdigest()

    async def _on_mail(self, line: Line, heard: bytes) -> None:
        line.sender = heard.decode()
        await self._answer(line, "mail")

    async def _on_rcpt(self, line: Line, heard: bytes) -> None:
        line.recipient = heard.decode()
        await self._answer(line, "rcpt")

    async def _on_data(self, line: Line, heard: bytes) -> None:
        if not await self._answer(line, "data"):
            return
        lines: list[bytes] = []
        while (text := await line.reader.readline()) != b".\r\n":
            if not text.endswith(b"\n"):
                raise HangupError
            lines.append(text.removeprefix(b"."))
        message = Received(line.sender, line.recipient, b"".join(lines), False, line.login, line.encrypted)
        self.received.append(message)
        message.accepted = "dot" not in self.behaviour.acts
        await self._answer(line, "dot")

    async def _on_rset(self, line: Line, heard: bytes) -> None:
        await line.say(b"250 2.0.0 ok\r\n")


@contextlib.contextmanager
def smtp_peer(
    behaviour: str | Behaviour = "healthy", *, tls: Tls = "none", authority: trustme.CA | None = None
) -> Iterator[SmtpPeer]:
    """A running server; `authority` signs its certificate (default: one of its own, `peer.authority`)."""
    found = BEHAVIOURS[behaviour] if isinstance(behaviour, str) else behaviour
    peer = SmtpPeer(found, tls, authority or trustme.CA())
    started = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(peer.serve(started)), name="smtp-peer", daemon=True)
    thread.start()
    if not started.wait(10):
        raise RuntimeError("the SMTP peer did not start")
    try:
        yield peer
    finally:
        peer.stop()
        thread.join(10)
