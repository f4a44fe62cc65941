"""A listening port on loopback that keeps its number while it is shut, so that a server can refuse and come back.

A socket that is bound and does not listen holds the port: connections to it are refused (RFC 9293 3.10.7.1), and nobody
else gets it meanwhile.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

HOST = "127.0.0.1"
_BACKLOG = 128

#: Serves one connection; the door closes the connection afterwards.
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Door:
    """A port that the system chooses at the first `open`. `open` and `shut` as often as wanted, `close` at the end."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._holder: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    async def open(self) -> None:
        """Let clients in."""
        if self._holder is None:
            self._holder = _bound(0)
            self.port = self._holder.getsockname()[1]
        if self._server is None:
            self._server = await asyncio.start_server(self._come_in, sock=_bound(self.port), backlog=_BACKLOG)

    def shut(self) -> None:
        """Refuse who comes from now on; who is in stays."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def close(self) -> None:
        """Refuse, and end every dialogue that goes on."""
        self.shut()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    async def _come_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # a callback of start_server runs in a task
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            pass  # the door closes; nobody waits for this task but `close`
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def _bound(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((HOST, port))
    except OSError:
        sock.close()
        raise
    return sock
