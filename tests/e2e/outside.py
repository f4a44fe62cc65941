"""What the program under test meets, in threads of the test's own process: a vendor's API that fails by a script, and the
vendor's support mailbox, its hotline and our on-call, which keep one journal of all that arrives, in its order.
"""

import asyncio
import contextlib
import itertools
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, TypeVar

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.peers.smtp_peer import GOOD, Behaviour, Line

T = TypeVar("T")


def until(found: Callable[[], T], what: str, within: float = 100.0) -> T:
    """Wait until `found()` is true, and give what it gave. Fails with `what` it waited for."""
    end = time.monotonic() + within
    while not (value := found()):
        assert time.monotonic() < end, f"waited {within:g} s in vain until {what}"
        time.sleep(0.02)  # between looks at a condition, not instead of one
    return value


def side_by_side(*works: Callable[[], None]) -> None:
    """Run `works`, which mostly wait, at the same time; raises what went wrong in all of them."""
    errors: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below, in the test's own thread
            error.add_note(f"in {getattr(work, '__name__', work)}")
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0] if len(errors) == 1 else BaseExceptionGroup("several went wrong", errors)


class Loop:
    """An event loop in a thread, for servers."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.servers: list[asyncio.Server] = []  # closed with the loop
        self._thread = threading.Thread(target=self.loop.run_forever, name="outside", daemon=True)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def close(self) -> None:
        async def end() -> None:
            for server in self.servers:
                server.close()
            while tasks := asyncio.all_tasks() - {asyncio.current_task()}:  # one that ends may have begun another
                await asyncio.sleep(0)  # each has begun: cancelled before, it would not close its connection
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            for _ in range(3):
                await asyncio.sleep(0)  # transports close their sockets in a turn of their own

        self.do(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


@dataclass(frozen=True)
class Spell:
    """From instant `begin` to before `end` (UTC seconds) a server is in `mode`."""

    begin: float
    end: float
    mode: str


class Script:
    """Who fails when. A server asks for its mode at the moment a connection or command comes in."""

    def __init__(self, mode: str = "ok") -> None:
        self.always = mode
        self.spells: list[Spell] = []

    def mode(self) -> str:
        now = time.time()
        return next((s.mode for s in self.spells if s.begin <= now < s.end), self.always)


class Api:
    """An HTTP server that answers by its script: ok, a status such as 503, hang, reset, or slow (1.2 s).

    `refuse()` closes the listening socket, `listen()` opens it again on the same port.
    """

    def __init__(self, loop: Loop, host: str = "127.0.0.1", script: Script | None = None) -> None:
        self._loop = loop
        self.host = host
        self.port = 0
        self.script = script or Script()
        self.requests = 0
        self._server: asyncio.Server | None = None
        self.listen()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/"

    def listen(self) -> None:
        async def open_() -> None:
            # A large backlog, as a real server has it: a busy test machine must not look like a lossy network.
            self._server = await asyncio.start_server(self._serve, self.host, self.port, backlog=4096)
            self._loop.servers.append(self._server)
            self.port = self._server.sockets[0].getsockname()[1]

        self._loop.do(open_())

    def refuse(self) -> None:
        async def close() -> None:
            if self._server is not None:
                self._server.close()
                self._server = None

        self._loop.do(close())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            mode = self.script.mode()
            if mode == "hang":
                await reader.read()  # until the client gives up
            elif mode == "reset":
                sock: socket.socket = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                if mode == "slow":
                    await asyncio.sleep(1.2)
                status = "200 OK" if mode in ("ok", "slow") else f"{mode} It Is So"
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".encode())
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def by_script(script: Script) -> Behaviour:
    """A mail server that at MAIL answers as the script has it: ok, hang, or a reply such as "451 4.3.0 ...."."""

    async def at_mail(line: Line) -> None:
        mode = script.mode()
        if mode == "hang":
            await line.wait_for_the_end()
        await line.say(GOOD["mail"] if mode == "ok" else mode.encode() + b"\r\n")

    return Behaviour({"mail": at_mail})


@dataclass(frozen=True)
class Arrival:
    """One thing that came: `place` is mail, hotline or page. `key` is the same for every repeat."""

    place: str
    at: float
    key: str
    body: dict[str, Any] = field(default_factory=dict)
    mail: EmailMessage = field(default_factory=EmailMessage)

    @property
    def kind(self) -> str:
        """ticket or note for mail; what the JSON says for the others."""
        if self.place == "mail":
            return "note" if self.mail["In-Reply-To"] else "ticket"
        return str(self.body["kind"])

    @property
    def service(self) -> str:
        return str(self.body["service"]) if self.body else str(self.mail["To"]).partition("@")[0].strip("<")

    @property
    def text(self) -> str:
        """The mail's plain text."""
        part = self.mail.get_body(("plain",))
        assert part is not None
        return str(part.get_content())


class Desk:
    """Support's mailbox, the hotline and on-call's pager. `down` names the places that refuse for now (503, 451)."""

    def __init__(self, loop: Loop, host: str = "127.0.0.1") -> None:
        self.host = host
        self.journal: list[Arrival] = []
        self.down: set[str] = set()
        self.on_arrival: Callable[[Arrival], None] = lambda _: None  # before it is answered
        self._numbers = itertools.count(1)

        async def open_() -> None:
            web = await asyncio.start_server(self._serve, host, 0)
            mail = await asyncio.get_running_loop().create_server(lambda: SMTP(self, hostname="mailbox"), host, 0)
            loop.servers.extend((web, mail))
            self.port, self.mail_port = (server.sockets[0].getsockname()[1] for server in (web, mail))

        loop.do(open_())

    def url(self, place: str) -> str:
        return f"http://{self.host}:{self.port}/{place}"

    def came(self, kind: str, service: str | None = None) -> list[Arrival]:
        """What arrived of a kind, in its order."""
        return [a for a in list(self.journal) if a.kind == kind and service in (None, a.service)]

    def wait_for(self, kind: str, service: str | None = None, count: int = 1, within: float = 100.0) -> list[Arrival]:
        def enough() -> list[Arrival]:
            found = self.came(kind, service)
            return found if len(found) >= count else []

        return until(enough, f"{count} x {kind} of {service or 'any service'} came", within)

    def keys(self, kind: str, service: str | None = None) -> set[str]:
        """The different keys under which acts of a kind came: a repeat has the same."""
        return {a.key for a in self.came(kind, service)}

    def everything(self) -> list[str]:
        """Kinds in the order of their arrival, for messages of failed tests."""
        return [f"{a.service}:{a.kind}" for a in list(self.journal)]

    def _arrived(self, arrival: Arrival) -> None:
        self.journal.append(arrival)
        self.on_arrival(arrival)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if "mail" in self.down:
            return "451 4.3.0 not now"
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self._arrived(Arrival("mail", time.time(), str(mail["Message-ID"]), mail=mail))
        return f"250 2.0.0 Ok: queued as {next(self._numbers):06d}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = head.split("\r\n")
            headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:])}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            place = lines[0].split()[1].strip("/")
            if place in self.down:
                status = "503 Not Now"
            else:
                status = "202 Accepted"
                self._arrived(Arrival(place, time.time(), headers["idempotency-key"], json.loads(body)))
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@contextlib.contextmanager
def outside(host: str = "127.0.0.1") -> Iterator[tuple[Loop, Desk]]:
    """A loop with a desk on it; its servers end with it."""
    loop = Loop()
    try:
        yield loop, Desk(loop, host)
    finally:
        loop.close()
