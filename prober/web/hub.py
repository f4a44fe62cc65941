"""Server-sent events to whoever listens: bounded in listeners, in what waits for each, and in what is kept for a return.

An event's id is BOOT-NUMBER. Who comes back with the id of one that is still kept gets all that followed; any other id
gets `reset`: what the listener knows is too old to go on from, and it has to look at the page again.
"""

import asyncio
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

#: Listeners at a time, and events that may wait for one of them before it is cut off.
MOST = 48
WAITING = 128
#: What is kept for those who come back: events, and bytes in all.
KEPT = 900
KEPT_BYTES = 4 * 1024 * 1024
#: Seconds without an event after which a comment is sent, so that proxies and clients see that the line stands.
HEARTBEAT = 10.0

_RESET = b"event: reset\ndata: {}\n\n"
_BEAT = b": still here\n\n"


class CrowdedError(Exception):
    """There are as many listeners as there may be."""


class Listener:
    """One who listens. Iterate over it once; it ends when the hub closes it or when it was too slow.

    One that is never iterated over, since its client went at once, is cut off like a slow one.
    """

    def __init__(self, hub: "Hub", missed: list[bytes]) -> None:
        self._hub = hub
        self._missed = missed
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()  # bounded by `Hub.tell`
        self.slow = False

    async def events(self) -> AsyncIterator[bytes]:
        """What goes on the wire."""
        try:
            yield b"retry: 3000\n\n"
            for event in self._missed:
                yield event
            while not self.slow:
                try:
                    following = await asyncio.wait_for(self.queue.get(), self._hub.heartbeat)
                except TimeoutError:
                    yield _BEAT
                    continue
                if following is None:
                    return
                yield following
        finally:
            self._hub.leave(self)


class Hub:
    """All listeners and the newest events. Not for use from other threads.

    `waiting`: events that may wait for a listener; more of them where more than that are told at a time.
    """

    def __init__(self, heartbeat: float = HEARTBEAT) -> None:
        self.heartbeat = heartbeat
        self.waiting = WAITING
        self._boot = secrets.token_hex(4)
        self._number = 0
        self._kept: deque[tuple[int, bytes]] = deque()
        self._bytes = 0
        self._listeners: set[Listener] = set()
        self._closed = False

    @property
    def mark(self) -> str:
        """The id of the newest event."""
        return f"{self._boot}-{self._number}"

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def listen(self, after: str) -> Listener:
        """A new listener; `after`: the id of the last event it knows, "" for none. Raises CrowdedError."""
        if self._closed or len(self._listeners) >= MOST:
            raise CrowdedError
        listener = Listener(self, self._since(after))
        self._listeners.add(listener)
        return listener

    def _since(self, after: str) -> list[bytes]:
        if not after:
            return []
        boot, _, number = after.partition("-")
        oldest = self._kept[0][0] if self._kept else self._number + 1
        if boot != self._boot or not number.isdecimal() or not oldest - 1 <= int(number[:18]) <= self._number:
            return [_RESET]
        return [event for n, event in self._kept if n > int(number)]

    def tell(self, kind: str, data: Any) -> None:
        """An event to all. A listener for whom too many wait already is cut off: it may come back."""
        self._number += 1
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=True)  # one line, whatever is in it
        event = f"id: {self.mark}\nevent: {kind}\ndata: {text}\n\n".encode()
        self._kept.append((self._number, event))
        self._bytes += len(event)
        while len(self._kept) > KEPT or self._bytes > KEPT_BYTES:
            self._bytes -= len(self._kept.popleft()[1])
        for listener in tuple(self._listeners):
            if listener.queue.qsize() < self.waiting:
                listener.queue.put_nowait(event)
            else:
                listener.slow = True
                self.leave(listener)

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    def reset(self) -> None:
        """What was told before is no base to go on from: all have to look at the page again."""
        self._boot = secrets.token_hex(4)
        self._number = 0
        self._kept.clear()
        self._bytes = 0
        self.tell("reset", {})

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        for listener in tuple(self._listeners):
            listener.queue.put_nowait(None)
