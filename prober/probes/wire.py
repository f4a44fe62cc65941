"""The wire: carries one call's conversation over TCP and TLS, times its phases and keeps its bytes.

One absolute deadline, which the measuring loop keeps (`expire`); every phase stamped; transcript bounded. The conversation
(prober/probes/conversation.py) knows the protocol, the wire the sockets.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any

from prober.probes.call import Call, phase_durations
from prober.probes.connection import Connection, show_address
from prober.probes.conversation import Conversation, Step
from prober.probes.errors import os_trouble, tls_trouble
from prober.probes.race import Race, connect_error, open_socket
from prober.probes.reactor import GONE, READABLE, WRITABLE, Reactor, monotonic_ns
from prober.probes.resolve import Answer, Resolver, fixed
from prober.probes.target import Target
from rules.model import Kind, Observation, Stage, Trouble

#: Bytes of a call's transcript that are kept.
TRANSCRIPT = 16_384
#: How long a closing connection may wait for the peer's farewell, ns.
_LINGER = 1_000_000_000
_RESOLVE, _CONNECT, _TLS = 0, 1, 2  # indexes of the phases that the wire marks; the same for every kind


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
        self._idle: list[Connection] = []

    def call(self, done: Callable[[Call], None], *, full: bool = False) -> Call:
        return WireCall(self, done, full)

    def take(self) -> Connection | None:
        """An idle connection, which is the taker's from now on."""
        return self._idle.pop() if self._idle else None

    def keep(self, connection: Connection, now: int) -> None:
        """Keep a connection for the next call; what the peer does to it meanwhile (close it, mostly) drops it."""
        connection.since = now
        self._idle.append(connection)

        def drop(events: int) -> None:
            if events & (READABLE | GONE) and connection in self._idle:
                self._idle.remove(connection)
                self.reactor.close(connection.sock)

        self.reactor.hand_over(connection.sock, drop)

    def close(self) -> None:
        for connection in self._idle:
            self.reactor.close(connection.sock)
        self._idle.clear()


class WireCall(Call):
    """One call over the wire."""

    __slots__ = (
        "_conn",
        "_conv",
        "_goal",
        "_handshaking",
        "_log",
        "_logged",
        "_over",
        "_probe",
        "_race",
        "_received",
        "_reused",
        "_sent",
        "_sock",
        "_stage",
    )

    def __init__(self, probe: WireProbe, done: Callable[[Call], None], full: bool) -> None:
        super().__init__(done, full=full)
        self._probe = probe
        self._conn: Connection | None = None
        self._sock: socket.socket | None = None  # while one address is being connected
        self._race: Race | None = None
        self._reused = False
        self._goal: Any = None
        self._handshaking = False
        self._over = False
        self._stage: Stage | None = Stage.RESOLVE  # None: the conversation knows
        self._log: list[tuple[int, str, bytes]] = []
        self._logged = 0
        self._sent = 0
        self._received = 0

    # the way to a connection

    def start(self, now: int, utc: int) -> None:
        self.begun = now
        self.begun_utc = utc
        self._conv = self._probe.converse(self._send)
        self.marks = self._conv.marks
        if self._probe.target.reuse and (connection := self._probe.take()) is not None:
            self._resume(connection, now)
        else:
            self._resolve(now)

    def _resume(self, connection: Connection, now: int) -> None:
        self._conn = connection
        self._reused = True
        self._stage = None
        self.marks[_RESOLVE] = self.marks[_CONNECT] = self.marks[_TLS] = now
        session = getattr(self._conv, "session", None)
        if session is not None or connection.session is not None:
            self._conv.session = connection.session  # type: ignore[attr-defined]  # SMTP alone has one
        self._probe.reactor.hand_over(connection.sock, self._on_event)
        try:
            step = self._conv.resumed(now)
        except OSError as error:
            self._broken(error)
        else:
            self._act(step)

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
        else:
            self._lost(*os_trouble(error))

    def _lost(self, trouble: Trouble, detail: str) -> None:
        self._end(trouble, detail, monotonic_ns())

    def _won(self, sock: socket.socket, address: Any, events: int) -> None:
        now = monotonic_ns()
        self.marks[_CONNECT] = now
        self._conn = connection = Connection(sock, address)
        self._probe.reactor.hand_over(sock, self._on_event)
        if self._probe.target.tls == "implicit":
            self._begin_tls(connection)
        else:
            self._talk(now)
        if events & (READABLE | GONE) and not self._over:
            self._read(events)  # what came with the connection has no edge of its own any more

    def _begin_tls(self, connection: Connection) -> None:
        target = self._probe.target
        assert target.context is not None
        self._stage = Stage.TLS
        self._handshaking = True
        connection.secure(target.context, target.server_name)
        self._step_tls(connection)

    def _step_tls(self, connection: Connection) -> None:
        try:
            if not connection.handshake():
                return
        except OSError as error:
            self._broken(error)
            return
        self._handshaking = False
        self._talk(monotonic_ns())
        if not self._over:  # bytes may have come together with the end of the handshake
            self._decrypted(connection, None)

    def _talk(self, now: int) -> None:
        """The connection stands, with TLS if it was to: the conversation's turn."""
        self._stage = None
        conv = self._conv
        try:
            if self._conn is not None and self._conn.tls is not None and self._probe.target.tls == "starttls":
                step = conv.secured(now)
            else:
                self.marks[_TLS] = now
                step = conv.opened(now)
        except OSError as error:
            self._broken(error)
        else:
            if step:
                self._act(step)

    # bytes

    def _send(self, data: bytes, shown: bytes | None = None) -> None:
        """What the conversation sends. Raises OSError, past the conversation, to whoever let it speak."""
        assert self._conn is not None
        self._note(">", data if shown is None else shown)
        self._sent += len(data)
        self._conn.write(data)

    def _note(self, direction: str, data: bytes) -> None:
        room = TRANSCRIPT - self._logged
        if room > 0:
            self._logged += len(data)
            self._log.append((monotonic_ns() - self.begun, direction, data if len(data) <= room else data[:room]))

    def _on_event(self, events: int) -> None:
        connection = self._conn
        if connection is None or self._over:
            return
        if events & WRITABLE and connection.unsent:
            try:
                connection.flush()
            except OSError as error:
                self._broken(error)
                return
        if events & (READABLE | GONE):
            self._read(events)

    def _read(self, events: int) -> None:
        connection = self._conn
        assert connection is not None
        while not self._over:
            try:
                data = connection.receive()
            except OSError as error:
                self._broken(error)
                return
            if data is None:
                return
            self._received += len(data)
            if connection.tls is None:
                self._plain(data)
            elif self._handshaking:
                connection.feed_tls(data)
                self._step_tls(connection)
            else:
                self._decrypted(connection, data)
            if not data or (len(data) < 65_536 and not events & GONE):
                return

    def _decrypted(self, connection: Connection, data: bytes | None) -> None:
        try:
            plain, ended = connection.decrypt(data)
        except ssl.SSLError as error:
            self._broken(error)
            return
        if plain:
            self._plain(plain)
        if ended and not self._over:
            self._plain(b"")

    def _plain(self, data: bytes) -> None:
        now = monotonic_ns()
        if data:
            self._note("<", data)
            try:
                step = self._conv.feed(data, now)
            except OSError as error:
                self._broken(error)
                return
            if step:
                self._act(step)
        elif self._reused and not self._received:
            self._retry()
        else:
            self._act(self._conv.closed(now))

    def _broken(self, error: OSError) -> None:
        """The socket or TLS failed (ssl.SSLError is an OSError)."""
        if self._reused and not self._received:
            self._retry()
        elif isinstance(error, ssl.SSLError):
            self._end(*tls_trouble(error), monotonic_ns())
        else:
            self._end(*os_trouble(error.errno or 0), monotonic_ns())

    def _retry(self) -> None:
        """The kept connection had died: once more on a fresh one, same call, same deadline (RFC 9112, 9.3.1)."""
        if self._conn is not None:
            self._probe.reactor.close(self._conn.sock)
            self._conn = None
        self._reused = False
        self._log.clear()
        self._logged = self._sent = 0
        self._conv = self._probe.converse(self._send)
        self.marks = self._conv.marks
        self._resolve(monotonic_ns())

    def _act(self, step: Step) -> None:
        """Do what the conversation asks."""
        if step is Step.DONE:
            self._end(self._conv.trouble, self._conv.detail, monotonic_ns())
        elif step is Step.STARTTLS:
            assert self._conn is not None
            self._begin_tls(self._conn)

    # the end

    def expire(self, now: int) -> None:
        if self._conn is not None and not self._over:
            self._read(GONE)
        if not self._over:
            if self._race is not None:
                self._race.timed_out()
            self._end(Trouble.TIMEOUT, "", now)

    def cancel(self) -> None:
        self._over = True
        self._release()

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
        self.code = conv.code
        self.healthy = trouble is None and conv.unmet is None
        if self.full or not self.healthy:
            self.observation = self._observe(trouble, detail)
        connection = self._conn
        if connection is None or trouble is not None:
            self._release()
        elif conv.keep:
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
        early = trouble is not None and self._stage is not None
        stage = self._stage if early and self._stage is not None else conv.stage
        if target.kind is Kind.HTTP and stage is Stage.HEADERS and connection is not None and connection.unsent:
            stage = Stage.SEND
        return Observation(
            kind=target.kind,
            stage=stage,
            trouble=trouble,
            unmet=conv.unmet if trouble is None else None,
            detail=detail[:200],
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
            family_errors=tuple(self._race.errors) if self._race is not None else (),
            peer=show_address(connection.peer) if connection is not None else "",
            local=connection.local if connection is not None else "",
            sent=self._sent,
            received=self._received,
            cert_expiry=connection.expiry if connection is not None else 0,
            tls_version=connection.tls_version if connection is not None else "",
            message_id=conv.message_id,
        )

    @property
    def cert_expiry(self) -> int:
        """notAfter of the chain in this call, unix seconds; 0 without TLS."""
        return self._conn.expiry if self._conn is not None else 0

    def transcript(self) -> list[tuple[int, str, bytes]]:
        return self._log
