"""The reactor: sockets of calls in an epoll of our own, which the event loop watches as one descriptor.

A socket is registered once, edge-triggered, for reading and writing, and leaves when it is closed; the loop's own reader and
writer handles would cost several times as much a call (docs/adr/0002-own-epoll.md).
"""

import asyncio
import select
import socket
import time
from collections import deque
from collections.abc import Callable

#: Called with the epoll events of its descriptor.
Handler = Callable[[int], None]

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT
GONE = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_ALL = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
#: Events at a time: what is due meanwhile waits for no more.
_BATCH = 128


class Reactor:
    """Dispatches socket events to handlers on `loop`.

    `on_wake` is called before each batch (the machine's stall is looked for there, before any event is believed). A socket
    closed while a batch is dispatched is closed after it, so that its descriptor cannot be somebody else's within the batch.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_wake: Callable[[], None] = lambda: None) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._dispatching = False
        self._closing: list[socket.socket] = []
        self._lingering: deque[tuple[int, socket.socket]] = deque()
        self.on_wake = on_wake
        loop.add_reader(self._epoll.fileno(), self._drain)

    @property
    def sockets(self) -> int:
        """How many sockets are open here."""
        return len(self._handlers)

    def watch(self, sock: socket.socket, handler: Handler) -> None:
        """Dispatch the events of `sock` (not yet watched) to `handler`. Raises OSError."""
        fd = sock.fileno()
        self._epoll.register(fd, _ALL)
        self._handlers[fd] = handler

    def hand_over(self, sock: socket.socket, handler: Handler) -> None:
        """Let `handler` have the events of a socket already watched."""
        self._handlers[sock.fileno()] = handler

    def close(self, sock: socket.socket) -> None:
        """Stop watching and close; nothing to do when it has been closed here before."""
        if self._handlers.pop(sock.fileno(), None) is None and not self._epoll.closed:
            return
        if self._dispatching:
            self._closing.append(sock)
        else:
            sock.close()

    def linger(self, sock: socket.socket, until: int) -> None:
        """Close `sock` as soon as the peer answers or closes, at `until` (monotonic ns) at the latest."""
        self.hand_over(sock, lambda _events: self.close(sock))
        self._lingering.append((until, sock))

    def sweep(self, now: int) -> None:
        """Close what has lingered long enough."""
        while self._lingering and (self._lingering[0][0] <= now or self._lingering[0][1].fileno() < 0):
            self.close(self._lingering.popleft()[1])

    def _drain(self) -> None:
        self.on_wake()
        handlers = self._handlers
        self._dispatching = True
        try:
            for fd, events in self._epoll.poll(0, _BATCH):
                handler = handlers.get(fd)
                if handler is not None:
                    try:
                        handler(events)
                    except Exception as error:  # noqa: BLE001 - the batch's other events come but once
                        self._loop.call_exception_handler({"message": "an event's handler failed", "exception": error})
        finally:
            self._dispatching = False
            if self._closing:
                for sock in self._closing:
                    sock.close()
                self._closing.clear()

    def shut(self) -> None:
        """Stop watching everything. Who holds a socket still has to `close` it."""
        self._loop.remove_reader(self._epoll.fileno())
        self._handlers.clear()
        self._epoll.close()


def monotonic_ns() -> int:
    """CLOCK_MONOTONIC, ns (a name of our own so that tests can move it)."""
    return time.monotonic_ns()
