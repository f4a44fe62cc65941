"""The HTTP server: uvicorn on a socket that is already listening, guarded against clients that are slow on purpose.

uvicorn bounds neither how long a request may take to come, nor how large its head may be, nor how many more may be
sent behind it, nor how long an answer may lie unread; `Guarded` does. Answers wait in memory, so the number of
connections is bounded too: when it is reached, a new connection takes the place of the one that has waited for its client
the longest: for a request, for the rest of one, or for its answer to be read.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from itertools import count
from typing import Any

from starlette.types import ASGIApp
from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

#: A request must have come wholly within this many seconds.
REQUEST_WITHIN = 10.0
#: Something of an answer must be read within this many seconds (twice that at worst).
ANSWER_WITHIN = 15.0
#: Bytes of a request's line and headers.
LARGEST_HEAD = 32 * 1024
#: Connections at a time, and requests that one of them may have waiting behind the one that is being answered.
MOST = 128
WAITING = 32

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 24\r\nConnection: close\r\n\r\nThe head is too large.\r\n"
)


class Guarded(HttpToolsProtocol):
    """One connection, with bounds."""

    _turns = count()  # the loop's clock counts milliseconds, in which several connections may be made

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._coming: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._unread = 0  # bytes of answers that nobody had read when we last looked
        self._in_head = False
        self._completed = False  # a request has come to its end within the bytes at hand
        self._head = 0  # bytes of the head that have come so far
        self._turn = next(self._turns)  # the smaller, the longer ago anything began or ended here
        self._given_up = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._coming = self.loop.call_later(REQUEST_WITHIN, self._give_up)
        self._looking = self.loop.call_later(ANSWER_WITHIN, self._look)
        there = [c for c in self.connections if isinstance(c, Guarded) and not c._given_up]  # noqa: SLF001 - its own class
        if len(there) > MOST:
            waiting = [c for c in there if c is not self and c._waits()]  # noqa: SLF001 - its own class
            min(waiting, key=lambda c: c._turn, default=self)._give_up()  # noqa: SLF001 - its own class

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._coming, self._looking):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._coming is None:
            self._coming = self.loop.call_later(REQUEST_WITHIN, self._give_up)
        self._completed = False
        super().data_received(data)
        if self._in_head and not self._completed:  # else these bytes were mostly those of requests before it
            self._head += len(data)
            if self._head > LARGEST_HEAD and not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        self._in_head, self._head = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Raises _Crowded, which the parser hands on as an error of the request: answered with 400, then closed."""
        self._in_head = False
        self._turn = next(self._turns)
        if len(self.pipeline) >= WAITING:
            raise _Crowded
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if self._coming is not None:
            self._coming.cancel()
            self._coming = None
        self._completed = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._turn = next(self._turns)
        super().on_response_complete()

    def _waits(self) -> bool:
        """Whether it is the client's turn: to ask, to send the rest of what it asks, or to read what it was answered."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete or self.transport.get_write_buffer_size() > 0:
            return True
        return cycle.more_body and not self.pipeline

    def _look(self) -> None:
        """Give up on a client that has read nothing of what waits for it since we last looked."""
        unread = self.transport.get_write_buffer_size()
        if 0 < self._unread <= unread:
            self._give_up()
            return
        self._unread = unread
        self._looking = self.loop.call_later(ANSWER_WITHIN, self._look)

    def _give_up(self) -> None:
        """Close at once: whatever waits to be sent to this client is thrown away."""
        self._given_up = True
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None:
            cycle.disconnected = True  # uvloop takes no more bytes from now on; uvicorn learns of the end a step later
        self.transport.abort()


class _Crowded(Exception):  # noqa: N818 - said to the parser, and by it to nobody
    """A client has sent more requests than it may have waiting."""


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
