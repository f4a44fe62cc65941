"""Fakes of vendors' REST APIs on loopback: they keep state as the documented schemas have it, and fail on command."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from http_desk import Desk, Request, answer, serving

# What becomes of a request that changes something; bytes stand for that answer, without the change.
LOST = "lost"  # done, and the connection is closed without an answer
HALF = "half"  # done, and the answer breaks off in its body
SLOW = "slow"  # done, and no answer comes
#: Seconds after which a receiver gives up on SLOW: enough to come so far on a busy machine too.
GIVES_UP = 2.0
FINE = "fine"

Reply = tuple[str, Any]


@dataclass
class Fake(Desk):
    """A server whose `handle` says what a request does. `faults` are used up by requests other than GET."""

    answers: list[bytes] = field(default_factory=lambda: [answer("200 OK")])
    faults: list[bytes | str] = field(default_factory=list)

    def handle(self, request: Request, path: str, query: dict[str, str]) -> Reply:
        raise NotImplementedError

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await self.take(reader)
        parts = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        fault = self.faults.pop(0) if self.faults and request.method != "GET" else FINE
        if isinstance(fault, bytes):
            writer.write(fault)
            return
        status, value = self.handle(request, parts.path, query)
        body = b"" if value is None else json.dumps(value).encode()
        if fault == SLOW:
            await asyncio.Event().wait()
        if fault == HALF:
            writer.write(answer(status, body)[: -max(1, len(body) // 2)])
        elif fault == FINE:
            writer.write(answer(status, body, {"Content-Type": "application/json"}))
        await writer.drain()


@asynccontextmanager
async def running(fake: Fake) -> AsyncIterator[str]:
    """The fake, served; gives its URL."""
    async with serving(fake):
        yield f"http://127.0.0.1:{fake.port}"
