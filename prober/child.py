"""The serving process as the measuring process holds it: started, started again when it dies, never waited for."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

from prober import logs
from prober.link import Decoder, Message, encode

log = logs.get("serve")

#: The serving process; it is told its descriptors. -P: what lies in the working directory is none of its modules.
COMMAND = (sys.executable, "-P", "-m", "prober.serve")
#: Bytes that may wait for serve; past it, views are dropped (acts and the configuration are not).
_MOST_WAITING = 4 * 1024 * 1024
#: Seconds before serve is started again, doubling up to the second.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
#: Seconds it must have lived for the pause to begin anew.
_WELL = 60.0
#: Seconds in which a process whose link has ended ends by itself, before it is killed.
_LAST_WORDS = 2.0
_VIEWS = frozenset({"second", "totals", "incidents"})


class Child:
    """Starts the serving process with one end of a socket pair and the listening socket.

    `take(message)` gets what it says; `hello()` is called whenever a new one waits for its setup and the acts that are not done.
    """

    def __init__(self, listen: socket.socket, take: Callable[[Message], None], hello: Callable[[], None]) -> None:
        self._listen = listen
        self._take = take
        self._hello = hello
        self._process: subprocess.Popen[bytes] | None = None
        self._near: socket.socket | None = None
        self._transport: asyncio.Transport | None = None
        self._ended = asyncio.Event()
        self._pause = _FIRST_PAUSE
        self._since = 0.0
        self._stopping = asyncio.Event()
        self._restart: asyncio.Task[None] | None = None
        self.dropped = 0
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def spawn(self) -> None:
        """Start the process; needs no event loop, so that it can start while the rest does. Raises OSError."""
        near, far = socket.socketpair()
        near.setblocking(False)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [*COMMAND, "--link", str(far.fileno()), "--listen", str(self._listen.fileno())],
                pass_fds=(far.fileno(), self._listen.fileno()),
                stdin=subprocess.DEVNULL,
                env={
                    k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
                },
            )
        except OSError:
            near.close()
            raise
        finally:
            far.close()
        self._near = near

    async def attach(self) -> None:
        """Read and write the link of the process that `spawn` started."""
        loop = asyncio.get_running_loop()
        assert self._near is not None
        self._ended.clear()
        self._since = loop.time()
        transport, _ = await loop.create_connection(lambda: _Link(self._take, self._lost), sock=self._near)
        self._transport = transport
        self._hello()

    def send(self, message: Message) -> None:
        """Put a message on the link; dropped when there is none, or when serve is behind and it is only a view."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > _MOST_WAITING and message["type"] in _VIEWS:
            self.dropped += 1
            return
        transport.write(encode(message))

    def _lost(self) -> None:
        self._transport = None
        self._near = None
        self._ended.set()
        if not self._stopping.is_set():
            self._restart = asyncio.get_running_loop().create_task(self._again(), name="serve again")

    async def _again(self) -> None:
        loop = asyncio.get_running_loop()
        process = self._process
        status = await loop.run_in_executor(None, _reap, process) if process is not None else None
        if loop.time() - self._since > _WELL:
            self._pause = _FIRST_PAUSE
        log.error(
            "the serving process has ended; it is started again", extra=logs.fields(status=status, after=self._pause)
        )
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), self._pause)
            return
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        self.restarts += 1
        try:
            self.spawn()
        except OSError:
            log.exception("the serving process cannot be started")
            self._lost()
            return
        await self.attach()

    def leave(self) -> None:
        """We are about to end: one that ends meanwhile, since all of us were told to (a supervisor's group), is let go."""
        self._stopping.set()

    async def stop(self, within: float) -> None:
        """Tell it to end, and wait for it, `within` seconds at most; what it reports meanwhile is taken."""
        self.leave()
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        if self._transport is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), within)
        if self._transport is not None:
            self._transport.close()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, _reap, process)

    def kill(self) -> None:
        """End it at once, when the start has failed."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._near is not None and self._transport is None:  # else it is the transport's
            self._near.close()


class _Link(asyncio.Protocol):
    def __init__(self, take: Callable[[Message], None], lost: Callable[[], None]) -> None:
        self._take = take
        self._lost = lost
        self._decoder = Decoder()

    def data_received(self, data: bytes) -> None:
        for message in self._decoder.feed(data):
            try:
                self._take(message)
            except (KeyError, TypeError, ValueError):  # the others, results above all, must go on
                log.exception("a message of the serving process is not right", extra=logs.fields(type=message["type"]))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - however it ended
        self._lost()


def _reap(process: subprocess.Popen[bytes]) -> int:
    """The exit status, of a process that ends by itself soon or is killed."""
    try:
        return process.wait(_LAST_WORDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
