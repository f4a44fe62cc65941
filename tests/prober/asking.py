"""Asks the application without a server, as from an address of the test's choice."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from serving import KEYS, RAW

from prober import config
from prober.board import Board
from prober.link import Message
from prober.web.app import app
from prober.web.entries import Entries
from prober.web.gate import Gate
from prober.web.health import Reloads
from prober.web.probe import CallOnce
from prober.web.stored import Stored
from prober.web.targets import Callee
from prober.web.view import View
from rules.model import Observation

NOW = 1_795_341_700.0
_STORES: list[Stored] = []


def close_stores() -> None:
    """The readers and threads of all desks so far, which may be shared by the tests of a module."""
    while _STORES:
        with suppress(RuntimeError):  # a test may have closed its own
            _STORES.pop().close()


class Clock:
    """Both clocks of a view, moved by hand."""

    def __init__(self) -> None:
        self.utc = NOW
        self.monotonic = 100.0


class Desk:
    """An application with its view, and what it has put on the link."""

    def __init__(
        self, raw: Mapping[str, Any] = RAW, call_once: CallOnce | None = None, store: Path | None = None, **web: Any
    ) -> None:
        self.clock = Clock()
        self.view = View(now=lambda: self.clock.utc, monotonic=lambda: self.clock.monotonic)
        self.sent: list[Message] = []
        self._sending: asyncio.Queue[Message] = asyncio.Queue()
        self.reloads = Reloads(self._send)
        self.board = Board.create(KEYS)
        settings = config.from_raw({**raw, "web": web}, Path())
        self.view.configured(settings, self.board, 0, {"bird": ("critical",)})
        self.entries = Entries(self.view, self._send)
        self.stored = Stored()
        _STORES.append(self.stored)
        if store is not None:
            self.stored.configured(store)
        self.gate = Gate(self.view)
        self.app = app(
            self.view, self.reloads, call_once or _nothing, entries=self.entries, stored=self.stored, gate=self.gate
        )

    def show(self, view: View) -> None:
        """Show another view than its own."""
        self.view = view
        self.app = app(view, self.reloads, _nothing)

    def _send(self, message: Message) -> None:
        self.sent.append(message)
        self._sending.put_nowait(message)

    async def next_sent(self) -> Message:
        """What is put on the link next."""
        return await asyncio.wait_for(self._sending.get(), 10)

    def ask(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        peer: str = "192.0.2.7",
        body: bytes = b"",
    ) -> httpx.Response:
        """One request, answered."""
        return asyncio.run(self.asked(path, method, headers, peer, body))

    async def asked(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        peer: str = "192.0.2.7",
        body: bytes = b"",
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(peer, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://prober.test") as client:
            return await client.request(method, path, headers=headers, content=body or None)


def run(work: Callable[[], Awaitable[None]]) -> None:
    """Runs a test's coroutine function."""

    async def wrapped() -> None:
        await work()

    asyncio.run(wrapped())


async def _nothing(_: Callee, __: float) -> Observation:
    raise AssertionError("nothing was to be called")
