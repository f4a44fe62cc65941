"""The bytes of a call over the wire: between its connection and its conversation, through TLS, into its transcript.

What leads to the connection, and what follows from the call's end, is `prober.probes.wire`'s part.
"""

import logging
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

from prober.probes.call import Call
from prober.probes.connection import READ, Connection
from prober.probes.conversation import Conversation, Step
from prober.probes.errors import os_trouble, tls_trouble
from prober.probes.reactor import GONE, READABLE, WRITABLE, monotonic_ns
from rules.model import Stage, Trouble

if TYPE_CHECKING:
    from prober.probes.wire import WireProbe

#: Bytes of a call's transcript that are kept, and how many of them at most are the request's.
TRANSCRIPT, TRANSCRIPT_SENT = 16_384, 8_192
#: Reads of one connection before others have their turn: a peer that sends without end must not hold the loop.
_READS = 4
_TLS = 2  # index of the phase; the same for every kind

log = logging.getLogger(__name__)


class Carrier(Call):
    """A call whose conversation is carried over one connection (or, when a kept one had died, over a second one)."""

    __slots__ = (
        "_conn",
        "_conv",
        "_handshaking",
        "_heard",
        "_log",
        "_logged",
        "_over",
        "_probe",
        "_received",
        "_reused",
        "_sent",
        "_spent",
        "_stage",
    )
    _conv: Conversation

    def __init__(self, probe: "WireProbe", done: Callable[[Call], None], full: bool) -> None:
        super().__init__(done, full=full)
        self._probe = probe
        self._conn: Connection | None = None
        self._reused = False
        self._handshaking = False
        self._over = False
        self._stage: Stage | None = Stage.RESOLVE  # None: the conversation knows
        self._log: list[tuple[int, str, bytes]] = []
        self._logged = 0
        self._sent = 0
        self._received = 0
        self._spent = False  # not to be kept: its peer has ended, or bytes wait whose event has been and gone
        self._heard = False  # the conversation has heard something: not a kept connection that was dead already

    # what `wire` adds

    def _end(self, trouble: Trouble | None, detail: str, now: int) -> None:
        raise NotImplementedError

    def _retry(self) -> None:
        raise NotImplementedError

    # TLS and the conversation's turns

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
        if not self._over and connection.buffered:  # bytes came together with the end of the handshake
            self._decrypted(connection, None)

    def _talk(self, now: int) -> None:
        """The connection stands, with TLS if it was to: the conversation's turn."""
        self._stage = None
        conv = self._conv
        try:
            if self._probe.target.tls == "starttls" and self._conn is not None and self._conn.tls is not None:
                step = conv.secured(now)
            else:
                if self._probe.target.tls == "implicit":
                    self.marks[_TLS] = now
                step = conv.opened(now)
        except OSError as error:
            self._unsendable(error)
        else:
            if step:
                self._act(step)

    def _act(self, step: Step) -> None:
        """Do what the conversation asks."""
        if step is Step.DONE:
            self._end(self._conv.trouble, self._conv.detail, monotonic_ns())
        elif step is Step.STARTTLS:
            assert self._conn is not None
            self._begin_tls(self._conn)

    # bytes

    def _send(self, data: bytes, shown: bytes | None = None) -> None:
        """What the conversation sends. Raises OSError, past the conversation, to whoever let it speak."""
        assert self._conn is not None
        self._note(">", data if shown is None else shown, TRANSCRIPT_SENT, monotonic_ns())
        self._conn.write(data)
        self._sent += len(data)

    def _note(self, direction: str, data: bytes, most: int, now: int) -> None:
        room = most - self._logged
        if room > 0:
            if len(data) > room:
                data = data[:room]
            self._logged += len(data)
            self._log.append((now - self.begun, direction, data))

    def _on_event(self, events: int) -> None:
        connection = self._conn
        if connection is None or self._over:
            return
        try:
            if events & WRITABLE and connection.unsent:
                try:
                    connection.flush()
                except OSError as error:
                    self._unsendable(error)
                    return
            if events & (READABLE | GONE):
                self._read(events)
        except Exception as error:  # noqa: BLE001 - our own defect must cost this call alone, and be called ours
            self._defect(error)

    def _read(self, events: int) -> None:
        """Read until nothing waits, or until it is another call's turn."""
        connection = self._conn
        assert connection is not None
        for _ in range(_READS):
            try:
                data = connection.receive()
            except OSError as error:
                self._broken(error)
                return
            if data is None:
                return
            self._received += len(data)
            self._spent = events & GONE != 0 or len(data) == READ
            if connection.tls is None:
                self._plain(data, clean=True)
            elif self._handshaking:
                connection.feed_tls(data)
                self._step_tls(connection)
            else:
                self._decrypted(connection, data)
            if self._conn is not connection:  # it had died, and another one is on its way
                return
            if self._over or not data or (len(data) < READ and not events & GONE):
                return
        self._probe.loop.call_soon(self._on_event, GONE)  # its edge is gone: the rest is ours to fetch

    def _decrypted(self, connection: Connection, data: bytes | None) -> None:
        try:
            plain, ended = connection.decrypt(data)
        except ssl.SSLError as error:
            self._broken(error)
            return
        if ended:
            self._spent = True
        if plain:
            self._plain(plain, clean=True)
        if ended and not self._over:
            self._plain(b"", clean=connection.clean)

    def _plain(self, data: bytes, *, clean: bool) -> None:
        """Bytes for the conversation; b"": the peer has closed, with a close_notify where there is TLS (`clean`)."""
        now = monotonic_ns()
        if data:
            self._heard = True
            self._note("<", data, TRANSCRIPT, now)
            try:
                step = self._conv.feed(data, now)
            except OSError as error:
                self._unsendable(error)
                return
            if step:
                self._act(step)
        elif self._reused and not self._heard:
            self._retry()
        else:
            self._act(self._conv.closed(now, clean=clean))

    # failures

    def _unsendable(self, error: OSError) -> None:
        """A write failed. What the peer said before it hung up says more than the write does: look for it first."""
        connection = self._conn
        if connection is not None and not self._handshaking and not isinstance(error, ssl.SSLError):
            self._read(GONE)
        if not self._over and self._conn is connection:
            self._broken(error)

    def _broken(self, error: OSError) -> None:
        """The socket or TLS failed (ssl.SSLError is an OSError)."""
        if self._over:
            return
        if self._reused and not self._heard:
            self._retry()
        elif isinstance(error, ssl.SSLError):
            self._end(*tls_trouble(error), monotonic_ns())
        else:
            self._end(*os_trouble(error.errno or 0), monotonic_ns())

    def _defect(self, error: Exception) -> None:
        """Our own engine failed: this call has ended by it. After its end it is somebody else's to know."""
        if self._over:
            raise error
        if not self._probe.defective:
            self._probe.defective = True
            log.error("a defect of the prober ended a call", exc_info=error)
        self._end(Trouble.ENGINE, f"{type(error).__name__}: {error}", monotonic_ns())
