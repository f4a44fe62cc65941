"""Connecting to a name with several addresses: RFC 8305, "Happy Eyeballs", section 5.

Addresses are tried in order, the next one 250 ms after the last was begun or at once when it failed; the first that connects
carries the call, the others are closed. The call fails when all of them have failed.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from prober.probes.errors import UNTRIED_TROUBLES, os_trouble, says_more
from prober.probes.reactor import WRITABLE, Reactor
from rules.model import Trouble

#: RFC 8305, 8: "Connection Attempt Delay".
ATTEMPT_DELAY = 0.25

Address = tuple[int, Any]  # family, socket address


def open_socket(reactor: Reactor, address: Address, handler: Callable[[int], None]) -> socket.socket:
    """A socket that has begun to connect and is watched. Raises OSError."""
    sock = socket.socket(address[0], socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        with contextlib.suppress(BlockingIOError):
            sock.connect(address[1])
        reactor.watch(sock, handler)
    except OSError:
        sock.close()
        raise
    return sock


def connect_error(sock: socket.socket) -> int:
    """The errno with which connecting ended, 0 when it succeeded."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


class Race:
    """One race. Exactly one of `won(sock, address, events)` and `lost(trouble, detail)` is called, unless it is cancelled."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        reactor: Reactor,
        addresses: Sequence[Address],
        won: Callable[[socket.socket, Any, int], None],
        lost: Callable[[Trouble, str], None],
    ) -> None:
        self._loop = loop
        self._reactor = reactor
        self._waiting = list(addresses)
        self._running: dict[socket.socket, Any] = {}
        self._won = won
        self._lost = lost
        self._timer: asyncio.TimerHandle | None = None
        self._last: tuple[Trouble, str] = (Trouble.NO_ROUTE, "no address")
        self.errors: list[str] = []

    def start(self) -> None:
        self._next()

    def _next(self) -> None:
        self._disarm()
        while self._waiting:
            address = self._waiting.pop(0)
            try:
                sock = open_socket(self._reactor, address, lambda _events: None)
            except OSError as error:
                self._note(address[1], *os_trouble(error.errno or 0))
                continue
            self._reactor.hand_over(sock, partial(self._event, sock))
            self._running[sock] = address[1]
            if self._waiting:
                self._timer = self._loop.call_later(ATTEMPT_DELAY, self._next)
            return
        if not self._running:
            self._lost(*self._last)

    def _event(self, sock: socket.socket, events: int) -> None:
        error = connect_error(sock)
        address = self._running[sock]
        if error == 0 and events & WRITABLE:
            del self._running[sock]
            self.errors += [f"{other[0]} unanswered" for other in self._running.values()]
            self.cancel()
            self._won(sock, address, events)
            return
        del self._running[sock]
        self._reactor.close(sock)
        self._note(address, *os_trouble(error))
        if self._waiting or not self._running:
            self._next()

    def _note(self, address: Any, trouble: Trouble, detail: str) -> None:
        self.errors.append(f"{address[0]} {detail}")
        if says_more(trouble, self._last[0]):
            self._last = (trouble, detail)

    def timed_out(self) -> tuple[Trouble, str]:
        """The deadline has passed while no address carries the call: what to say of it."""
        silent = False
        for sock, address in self._running.items():
            if error := connect_error(sock):  # it came in time, and it is we who are late
                self._note(address, *os_trouble(error))
            else:
                silent = True
                self._note(address, Trouble.TIMEOUT, "timeout")
        return (Trouble.TIMEOUT, "") if silent and self._last[0] not in UNTRIED_TROUBLES else self._last

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def cancel(self) -> None:
        self._disarm()
        self._waiting.clear()
        for sock in self._running:
            self._reactor.close(sock)
        self._running.clear()
