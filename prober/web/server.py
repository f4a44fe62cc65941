"""The HTTP server: uvicorn on a socket that is already listening, guarded against clients that are slow on purpose.

uvicorn bounds neither how long a request may take to come, nor how large its head may be, nor how long an answer may
lie unread; `Guarded` does. Answers wait in memory, so the number of connections is bounded too: when it is reached, a
new connection takes the place of the one that has been idle the longest.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from starlette.types import ASGIApp
from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

#: A request must have come wholly within this many seconds, and an answer must have been read.
REQUEST_WITHIN = 10.0
ANSWER_WITHIN = 30.0
#: Bytes of a request's line and headers.
LARGEST_HEAD = 32 * 1024
#: Connections at a time.
MOST = 128

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 24\r\nConnection: close\r\n\r\nThe head is too large.\r\n"
)


class Guarded(HttpToolsProtocol):
    """One connection, with bounds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._coming: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._in_head = False
        self._head = 0  # bytes of the head that have come so far
        self._since = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._coming = self.loop.call_later(REQUEST_WITHIN, self._give_up)
        if len(self.connections) > MOST:
            idle = [c for c in self.connections if isinstance(c, Guarded) and c._is_idle()]  # noqa: SLF001 - its own class
            min(idle, key=lambda c: c._since, default=self)._give_up()  # noqa: SLF001 - its own class

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._coming, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._coming is None:
            self._coming = self.loop.call_later(REQUEST_WITHIN, self._give_up)
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > LARGEST_HEAD and not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        self._in_head, self._head = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if self._coming is not None:
            self._coming.cancel()
            self._coming = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        if self._unread is None:
            self._unread = self.loop.call_later(ANSWER_WITHIN, self._give_up)
        super().pause_writing()

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def _is_idle(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _give_up(self) -> None:
        """Close at once: whatever waits to be sent to this client is thrown away."""
        self.transport.abort()


class WebServer(Server):
    """uvicorn's server, whose signals are handled elsewhere; `listening` is set once it serves."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            Config(
                app,
                http=Guarded,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,  # whoever says that a request came from this machine is not believed
                server_header=False,
                timeout_keep_alive=15,
                timeout_graceful_shutdown=2,
            )
        )
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
