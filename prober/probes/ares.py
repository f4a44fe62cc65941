"""c-ares off the measuring loop: a thread that asks, and answers that come back to the loop (RFC 1035, RFC 8305 3).

Asking costs hundreds of microseconds (c-ares opens sockets and starts threads), so that the loop only puts a question
into a queue. c-ares has a cache of its own, which pycares cannot switch off and which would answer a refresh with
what is left of the old TTL; so one channel is asked about each name and family once, and a new one takes over when a
question comes again.
"""

import asyncio
import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pycares
from pycares import errno as ares

from rules.model import Trouble

#: Seconds that one try may take, and how many there are. c-ares (1.31 on) gives the first try only some times what this
#: server's answers took of late, 0.25 s at least, and doubles it: a name that needs longer than the server's usual ones
#: needs five tries to be given as much time as two would take without that.
TRY_TIMEOUT = 2.0
TRIES = 5

_TROUBLES = {
    ares.ARES_ENOTFOUND: Trouble.DNS_NXDOMAIN,
    ares.ARES_ENODATA: Trouble.DNS_NO_ADDRESS,
    ares.ARES_ESERVFAIL: Trouble.DNS_SERVFAIL,
    ares.ARES_ETIMEOUT: Trouble.DNS_TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class Found:
    """What the DNS said of one name in one family. `ttl` is seconds; the least of the records that led there."""

    hosts: tuple[str, ...] = ()
    ttl: int = 0
    trouble: Trouble | None = None
    detail: str = ""


#: Called on the loop.
Heard = Callable[[Found], None]


class Asker:
    """Asks for addresses in a thread of its own. `nameservers` are `address` or `address:port`; none: the system's."""

    def __init__(self, loop: asyncio.AbstractEventLoop, nameservers: Sequence[str] = ()) -> None:
        self._loop = loop
        self._nameservers = tuple(nameservers)
        self._questions: queue.SimpleQueue[tuple[str, int, Heard] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="resolver", daemon=True)
        self._thread.start()

    def ask(self, host: str, family: int, heard: Heard) -> None:
        """Ask for the addresses of `host` in `family`; `heard` is called on the loop, unless we are closed before."""
        self._questions.put((host, family, heard))

    def close(self) -> None:
        self._questions.put(None)
        self._thread.join()

    # in the thread

    def _work(self) -> None:
        channel: pycares.Channel | None = None
        asked: set[tuple[str, int]] = set()
        retired: list[pycares.Channel] = []  # with questions still open, perhaps
        while (question := self._questions.get()) is not None:
            host, family, heard = question
            if channel is None or (host, family) in asked:
                if channel is not None:
                    retired.append(channel)
                channel, asked = None, set()
                retired = [old for old in retired if not _finished(old)]
            try:
                channel = channel or self._channel()
                asked.add((host, family))
                channel.getaddrinfo(
                    host,
                    None,
                    family=socket.AddressFamily(family),
                    type=socket.SOCK_STREAM,
                    callback=self._answer(heard),
                )
            except (pycares.AresError, UnicodeError, OSError) as e:  # no channel, or not a name at all
                self._tell(heard, Found(trouble=Trouble.DNS_FAILED, detail=str(e)))
        for old in (*retired, *([channel] if channel is not None else [])):
            old.close()

    def _channel(self) -> pycares.Channel:
        return pycares.Channel(timeout=TRY_TIMEOUT, tries=TRIES, servers=self._nameservers or None)

    def _answer(self, heard: Heard) -> Callable[[Any, int | None], None]:
        def answer(result: Any, error: int | None) -> None:  # in a thread of c-ares, or at once in ours
            self._tell(heard, _failed(error) if error else _found(result))

        return answer

    def _tell(self, heard: Heard, found: Found) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody listens any more
            self._loop.call_soon_threadsafe(heard, found)


def _finished(channel: pycares.Channel) -> bool:
    """Close a channel without open questions."""
    if channel.wait(0):
        channel.close()
        return True
    return False


def _found(result: pycares.AddrInfoResult) -> Found:
    hosts = tuple(_text(node.addr[0]) for node in result.nodes)
    ttl = min([node.ttl for node in result.nodes] + [alias.ttl for alias in result.cnames], default=0)
    return Found(hosts, ttl) if hosts else Found(trouble=Trouble.DNS_NO_ADDRESS, detail="no address")


def _failed(error: int) -> Found:
    trouble = _TROUBLES.get(error, Trouble.DNS_FAILED)
    return Found(trouble=trouble, detail=f"{ares.errorcode.get(error, error)}: {_text(ares.strerror(error))}")


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("ascii", "replace")
