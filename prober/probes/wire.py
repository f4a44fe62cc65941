"""The wire: brings one call to its connection, keeps its one absolute deadline, and says how it ended.

The way leads over an address, a socket and perhaps TLS; every phase of it is stamped. The conversation
(prober/probes/conversation.py) knows the protocol, the carrier (prober/probes/carrier.py) moves its bytes.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any

from prober.probes.call import Call, phase_durations
from prober.probes.carrier import Carrier
from prober.probes.connection import Connection, show_address
from prober.probes.conversation import Conversation
from prober.probes.errors import os_trouble
from prober.probes.race import Race, connect_error, open_socket
from prober.probes.reactor import GONE, READABLE, WRITABLE, Reactor, monotonic_ns
from prober.probes.resolve import Answer, Resolver, fixed
from prober.probes.target import Target
from rules.model import Kind, Observation, Stage, Trouble

#: How long a closing connection may wait for the peer's farewell, ns.
_LINGER = 1_000_000_000
_RESOLVE, _CONNECT = 0, 1  # indexes of the phases that the wire marks; the same for every kind
_DETAIL = 200  # characters


class WireProbe:
    """Makes the wire calls of one endpoint and keeps its idle connections.

    `converse(send)` makes the conversation of one call; its first argument is how it sends.
    """

    def __init__(
        self,
        target: Target,
        converse: Callable[..., Conversation],
        loop: asyncio.AbstractEventLoop,
        reactor: Reactor,
        resolver: Resolver,
    ) -> None:
        self.target = target
        self.converse = converse
        self.loop = loop
        self.reactor = reactor
        self.resolver = resolver
        self.fixed: Answer | None = fixed(target.resolve, target.port) if target.resolve else None
        self.defective = False  # a defect of ours has ended a call, and has been logged
        self._idle: list[Connection] = []
        self._closed = False

    def call(self, done: Callable[[Call], None], *, full: bool = False) -> Call:
        return WireCall(self, done, full)

    def take(self) -> Connection | None:
        """An idle connection, which is the taker's from now on."""
        return self._idle.pop() if self._idle else None

    def keep(self, connection: Connection, now: int) -> None:
        """Keep a connection for the next call; what the peer does to it meanwhile (close it, mostly) drops it."""
        if self._closed:  # the configuration has changed since the call began: there is no next call
            connection.say_goodbye()
            self.reactor.close(connection.sock)
            return
        connection.since = now
        self._idle.append(connection)

        def drop(events: int) -> None:
            if events & (READABLE | GONE) and connection in self._idle:
                self._idle.remove(connection)
                self.reactor.close(connection.sock)

        self.reactor.hand_over(connection.sock, drop)

    def close(self) -> None:
        self._closed = True
        for connection in self._idle:
            self.reactor.close(connection.sock)
        self._idle.clear()


class WireCall(Carrier):
    """One call over the wire."""

    __slots__ = ("_goal", "_race", "_sock")

    def __init__(self, probe: WireProbe, done: Callable[[Call], None], full: bool) -> None:
        super().__init__(probe, done, full)
        self._sock: socket.socket | None = None  # while one address is being connected
        self._goal: Any = None  # the only address, where there is but one
        self._race: Race | None = None

    # the way to a connection

    def start(self, now: int, utc: int) -> None:
        self.begun = now
        self.begun_utc = utc
        self._conv = self._probe.converse(self._send)
        self.marks = self._conv.marks
        try:
            if self._probe.target.reuse and (connection := self._probe.take()) is not None:
                self._resume(connection, now)
            else:
                self._resolve(now)
        except Exception as error:  # noqa: BLE001 - our own defect must cost this call alone, and be called ours
            self._defect(error)

    def _resume(self, connection: Connection, now: int) -> None:
        self._conn = connection
        self._reused = True
        self._stage = None
        self.marks[_RESOLVE] = self.marks[_CONNECT] = now
        if connection.session is not None:
            self._conv.session = connection.session  # type: ignore[attr-defined]  # SMTP alone has one
        self._probe.reactor.hand_over(connection.sock, self._on_event)
        try:
            step = self._conv.resumed(now)
        except OSError as error:
            self._broken(error)
        else:
            self._act(step)

    def _retry(self) -> None:
        """The kept connection had died: once more on a fresh one, same call, same deadline (RFC 9112, 9.3.1)."""
        if self._conn is not None:
            self._probe.reactor.close(self._conn.sock)
            self._conn = None
        self._reused = False
        self._log.clear()
        self._logged = self._sent = self._received = 0
        self._conv.abandoned()
        self._conv = self._probe.converse(self._send)
        self.marks = self._conv.marks
        self._resolve(monotonic_ns())

    def _resolve(self, now: int) -> None:
        probe = self._probe
        self._stage = Stage.RESOLVE
        answer = probe.fixed or probe.resolver.lookup(probe.target.host, probe.target.port, self._resolved)
        if answer is not None:
            self._connect(answer, now)

    def _resolved(self, answer: Answer) -> None:
        if not self._over:
            self._connect(answer, monotonic_ns())

    def _connect(self, answer: Answer, now: int) -> None:
        if answer.trouble is not None:
            self._end(answer.trouble, answer.detail, now)
            return
        self.marks[_RESOLVE] = now
        self._stage = Stage.CONNECT
        addresses = answer.addresses
        if len(addresses) > 1:
            self._race = Race(self._probe.loop, self._probe.reactor, addresses, self._won, self._lost)
            self._race.start()
            return
        self._goal = addresses[0][1]
        try:
            self._sock = open_socket(self._probe.reactor, addresses[0], self._on_connect)
        except OSError as error:
            self._lost(*os_trouble(error.errno or 0))

    def _on_connect(self, events: int) -> None:
        sock = self._sock
        if sock is None:
            return
        error = connect_error(sock)
        if error == 0 and events & WRITABLE:
            self._sock = None
            self._won(sock, self._goal, events)
        elif error == errno.ECONNRESET:
            self._won_and_reset(sock)
        else:
            self._lost(*os_trouble(error))

    def _won_and_reset(self, sock: socket.socket) -> None:
        """It stood, and was reset before we looked: in the handshake a reset is a refusal (tcp(7), connect(2))."""
        self._sock = None
        self.marks[_CONNECT] = monotonic_ns()
        self._conn = connection = Connection(sock, self._goal)
        implicit = self._probe.target.tls == "implicit"
        self._stage = Stage.TLS if implicit else None
        if self._probe.target.kind is Kind.SMTP and not implicit and (said := connection.receive()):
            self._received += len(said)  # an SMTP server speaks first: what it said outranks that it then hung up
            self._plain(said, clean=True)
        self._broken(OSError(errno.ECONNRESET, "reset by the peer"))

    def _lost(self, trouble: Trouble, detail: str) -> None:
        self._end(trouble, detail, monotonic_ns())

    def _won(self, sock: socket.socket, address: Any, events: int) -> None:
        now = monotonic_ns()
        self.marks[_CONNECT] = now
        self._conn = connection = Connection(sock, address)
        self._probe.reactor.hand_over(sock, self._on_event)
        try:
            if self._probe.target.tls == "implicit":
                self._begin_tls(connection)
            else:
                self._talk(now)
            if events & (READABLE | GONE) and not self._over:
                self._read(events)  # what came with the connection has no edge of its own any more
        except Exception as error:  # noqa: BLE001 - our own defect must cost this call alone, and be called ours
            self._defect(error)

    # the end

    def expire(self, now: int) -> None:
        try:
            self._look_once_more()
        except Exception as error:  # noqa: BLE001 - our own defect must cost this call alone, and be called ours
            self._defect(error)
        if not self._over:
            trouble, detail = Trouble.TIMEOUT, ""
            if self._race is not None and self._conn is None:
                trouble, detail = self._race.timed_out()
            self._end(trouble, detail, now)

    def _look_once_more(self) -> None:
        """What waits at the deadline came in time, and it is we who are late."""
        if self._over:
            return
        if self._conn is not None:
            self._read(GONE)
        elif self._sock is not None and (error := connect_error(self._sock)):
            self._lost(*os_trouble(error))

    def cancel(self) -> None:
        if self._over or not self.begun:
            return
        self._over = True
        self._release()
        self._race = None
        self._conv.abandoned()
        del self._conv

    def _release(self) -> None:
        if self._race is not None:
            self._race.cancel()
        if self._sock is not None:
            self._probe.reactor.close(self._sock)
            self._sock = None
        if self._conn is not None:
            self._probe.reactor.close(self._conn.sock)

    def _end(self, trouble: Trouble | None, detail: str, now: int) -> None:
        if self._over:
            return
        self._over = True
        self.ended = now
        conv = self._conv
        if trouble is not None:
            conv.abandoned()
        self.code, self.version = conv.code, conv.version
        self.healthy = trouble is None and conv.unmet is None
        if self.full or not self.healthy:
            self.observation = self._observe(trouble, detail)
        connection = self._conn
        if connection is None or trouble is not None:
            self._release()
        elif conv.keep and not self._spent:
            connection.session = getattr(conv, "session", None)
            connection.messages += 1
            self._probe.keep(connection, now)
        else:
            self._part(connection, conv.parting, now)
        self._race = None  # neither race nor conversation may leave a cycle to the garbage collector
        del self._conv
        self.done(self)

    def _part(self, connection: Connection, parting: bytes, now: int) -> None:
        reactor = self._probe.reactor
        if not parting:
            connection.say_goodbye()
            reactor.close(connection.sock)
            return
        try:
            connection.write(parting)
        except OSError:
            reactor.close(connection.sock)  # the call is over: how the farewell fares does not matter
        else:
            reactor.linger(connection.sock, now + _LINGER)

    def _observe(self, trouble: Trouble | None, detail: str) -> Observation:
        conv, connection, target = self._conv, self._conn, self._probe.target
        stage = conv.stage if self._stage is None or trouble is None else self._stage
        if target.kind is Kind.HTTP and stage is Stage.HEADERS and connection is not None and connection.unsent:
            stage = Stage.SEND
        return Observation(
            kind=target.kind,
            stage=stage,
            trouble=trouble,
            unmet=conv.unmet if trouble is None else None,
            detail=detail[:_DETAIL],
            code=conv.code,
            enhanced=conv.enhanced,
            text=conv.text,
            headers=conv.headers,
            body=conv.body,
            fresh=not self._reused,
            verified=connection is not None and connection.verified,
            sent_whole=connection is not None and self._sent > 0 and connection.acknowledged,
            idle=self.begun - connection.since if connection is not None and self._reused else 0,
            messages=connection.messages if connection is not None else 0,
            begun=self.begun_utc,
            ended=self.begun_utc + self.ended - self.begun,
            phases=phase_durations(self.begun, self.marks),
            family_errors=self._tried(trouble, detail),
            peer=show_address(connection.peer) if connection is not None else "",
            local=connection.local if connection is not None else "",
            sent=self._sent,
            received=self._received,
            cert_expiry=connection.expiry if connection is not None else 0,
            tls_version=connection.tls_version if connection is not None else "",
            message_id=conv.message_id,
            version=conv.version,
        )

    def _tried(self, trouble: Trouble | None, detail: str) -> tuple[str, ...]:
        """The addresses that did not carry the call, and why."""
        if self._race is not None:
            return tuple(self._race.errors)
        if self._goal is None or self._conn is not None:
            return ()
        return (f"{self._goal[0]} {detail or trouble}",)

    @property
    def cert_expiry(self) -> int:
        """notAfter of the chain in this call, unix seconds; 0 without TLS."""
        return self._conn.expiry if self._conn is not None else 0

    def transcript(self) -> list[tuple[int, str, bytes]]:
        return self._log
