"""One connection: a socket, its TLS if it has any, and what is known of both."""

import contextlib
import fcntl
import socket
import ssl
import struct
import termios
from functools import lru_cache
from typing import Any

from prober.probes.errors import is_cut

#: Bytes that are read at once.
READ = 65_536
_SIOCOUTQ = termios.TIOCOUTQ  # bytes written and not yet acknowledged, on Linux TCP sockets


class Connection:
    """A connected TCP socket that does not block, with TLS over memory BIOs when `secure` was called."""

    __slots__ = (
        "_in",
        "_out",
        "_pending",
        "clean",
        "expiry",
        "messages",
        "peer",
        "session",
        "since",
        "sock",
        "tls",
        "verified",
    )

    def __init__(self, sock: socket.socket, peer: Any) -> None:
        self.sock = sock
        self.peer = peer
        self.tls: ssl.SSLObject | None = None
        self._in: ssl.MemoryBIO | None = None
        self._out: ssl.MemoryBIO | None = None
        self._pending: bytes | memoryview = b""
        self.clean = True  # what the peer sent is whole: TLS, where there is any, did not end without a close_notify
        self.verified = False
        self.expiry = 0  # unix seconds, earliest of the chain
        self.messages = 0  # injected over this connection
        self.session: Any = None  # what a conversation leaves for the next one
        self.since = 0  # monotonic ns when it became idle

    # TLS

    def secure(self, context: ssl.SSLContext, name: str | None) -> None:
        """Begin a client handshake; `name` is sent as SNI and verified."""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # its flights come in twos
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_hostname=name)
        self.verified = False

    def handshake(self) -> bool:
        """One step; True once TLS stands. Raises ssl.SSLError, and OSError of the socket."""
        assert self.tls is not None
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush_tls()
            return False
        except ssl.SSLError:
            with contextlib.suppress(OSError):  # our alert may find nobody any more; what we objected to counts
                self._flush_tls()
            raise
        self._flush_tls()
        self.verified = self.tls.context.verify_mode == ssl.CERT_REQUIRED
        self.expiry = expiry_of(self.tls)
        return True

    def _flush_tls(self) -> None:
        if self._out is not None and self._out.pending:
            self._send(self._out.read())

    # bytes

    def write(self, data: bytes) -> None:
        """Send, or queue what the socket does not take now. Raises OSError."""
        if self.tls is not None:
            rest = memoryview(data)
            while rest:  # it may take a part, by its documentation
                rest = rest[self.tls.write(rest) :]
            self._flush_tls()
        else:
            self._send(data)

    def _send(self, data: bytes) -> None:
        if self._pending:
            self._pending = bytes(self._pending) + data
            return
        try:
            n = self.sock.send(data)
        except BlockingIOError:
            n = 0
        if n < len(data):
            self._pending = memoryview(data)[n:]

    def flush(self) -> None:
        """The socket takes bytes again. Raises OSError."""
        with contextlib.suppress(BlockingIOError):
            while self._pending:
                self._pending = self._pending[self.sock.send(self._pending) :]

    @property
    def unsent(self) -> bool:
        return bool(self._pending)

    def receive(self) -> bytes | None:
        """Bytes off the socket, undecrypted; b"" when the peer has closed, None when nothing waits. Raises OSError."""
        try:
            return self.sock.recv(READ)
        except BlockingIOError:
            return None

    def decrypt(self, data: bytes | None) -> tuple[bytes, bool]:
        """Plain bytes out of `data` (b"": the peer closed; None: what is buffered), and whether TLS has ended.

        `clean` is False when it ended without a close_notify. Raises ssl.SSLError.
        """
        assert self.tls is not None
        if data is not None:
            self.feed_tls(data)
        plain: list[bytes] = []
        ended = False
        try:
            while chunk := self.tls.read(READ):
                plain.append(chunk)
                if not self.buffered:  # spares the healthy call an exception
                    break
            else:
                ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            ended = True
        except ssl.SSLError as error:
            if not is_cut(error):
                raise
            ended, self.clean = True, False
        return plain[0] if len(plain) == 1 else b"".join(plain), ended

    @property
    def buffered(self) -> bool:
        """Whether TLS holds bytes that were read off the socket and not yet decrypted, or not yet handed out."""
        assert self.tls is not None
        assert self._in is not None
        return bool(self._in.pending or self.tls.pending())

    def feed_tls(self, data: bytes) -> None:
        """Bytes of the peer's records; b"" when it has closed."""
        assert self._in is not None
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()

    def say_goodbye(self) -> None:
        """Send close_notify (RFC 8446, 6.1), as far as the socket takes it."""
        if self.tls is not None:
            with contextlib.suppress(ssl.SSLError, OSError, ValueError):
                self.tls.unwrap()
            with contextlib.suppress(OSError):
                self._flush_tls()

    @property
    def acknowledged(self) -> bool:
        """Whether the peer's TCP has acknowledged all that was written."""
        if self._pending:
            return False
        try:
            (left,) = struct.unpack("i", fcntl.ioctl(self.sock.fileno(), _SIOCOUTQ, b"\0\0\0\0"))
        except (OSError, ValueError):  # it has been closed
            return False
        return bool(left == 0)

    @property
    def local(self) -> str:
        try:
            return show_address(self.sock.getsockname())
        except OSError:
            return ""

    @property
    def tls_version(self) -> str:
        return (self.tls.version() or "") if self.tls is not None else ""


def show_address(address: Any) -> str:
    """A socket address for people: 192.0.2.1:25, [2001:db8::1]:25."""
    if not isinstance(address, tuple) or len(address) < 2:
        return ""
    return f"[{address[0]}]:{address[1]}" if ":" in str(address[0]) else f"{address[0]}:{address[1]}"


def expiry_of(tls: ssl.SSLObject) -> int:
    """The earliest notAfter of the chain that the peer has shown, unix seconds; 0: unknown."""
    leaf = tls.getpeercert(binary_form=True)
    return 0 if leaf is None else _earliest(leaf, _Held(tls))


class _Held:
    """Carries the TLS object past the cache: equal to every other, so that the leaf alone is the key."""

    def __init__(self, tls: ssl.SSLObject) -> None:
        self.tls = tls

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)


@lru_cache(maxsize=4096)
def _earliest(leaf: bytes, held: _Held) -> int:  # noqa: ARG001 - the cache's key
    """The earliest notAfter of the chain whose leaf is `leaf` (DER); parsed once a certificate."""
    native = held.tls._sslobj  # type: ignore[attr-defined]  # noqa: SLF001 - public from Python 3.13 on only
    chain = native.get_verified_chain() if held.tls.context.verify_mode == ssl.CERT_REQUIRED else None
    moments: list[int] = [
        ssl.cert_time_to_seconds(certificate.get_info()["notAfter"])
        for certificate in chain or native.get_unverified_chain() or ()
    ]
    held.tls = None  # type: ignore[assignment]  # the cache keeps the key, not the connection
    return min(moments, default=0)
