"""An HTTP receiver for tests, on loopback: keeps what it was sent, answers by script, also badly."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol, TypeVar


class Scripted(Protocol):
    """A peer that holds one conversation a connection; `port` is set once it listens."""

    port: int

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None: ...


AnyPeer = TypeVar("AnyPeer", bound=Scripted)

DROP = b"\x00drop"  # closes after the request, without a byte
RESET = b"\x00reset"  # resets the connection after the request
SILENCE = b"\x00silence"
NEVER_READ = b"\x00never"
REFUSE_TO_READ = b"\x00refuse"  # closes after the first bytes of the request


def answer(status: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A whole HTTP/1.1 response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass
class Desk:
    """`answers` are used one after the other, the last one again and again; `hang` keeps a connection open after it."""

    answers: list[bytes]
    hang: bool = False
    port: int = 0
    requests: list[Request] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reply = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if reply == NEVER_READ:
            await asyncio.Event().wait()
        if reply == REFUSE_TO_READ:
            await reader.read(1)
            _reset(writer)
            return
        await self.take(reader)
        if reply == SILENCE:
            await asyncio.Event().wait()
        if reply == RESET:
            _reset(writer)
        if reply in (RESET, DROP):
            return
        writer.write(reply)
        await writer.drain()
        if self.hang:
            await asyncio.Event().wait()

    async def take(self, reader: asyncio.StreamReader) -> Request:
        """The next request, whole."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = head[0].split(" ")
        self.requests.append(Request(method, path, headers, body))
        return self.requests[-1]


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def desk(*answers: bytes, hang: bool = False, tls: ssl.SSLContext | None = None) -> AsyncIterator[Desk]:
    """A receiver that says 200 unless told otherwise."""
    async with serving(Desk(list(answers) or [answer("200 OK")], hang), tls) as receiver:
        yield receiver


@asynccontextmanager
async def serving(peer: AnyPeer, tls: ssl.SSLContext | None = None) -> AsyncIterator[AnyPeer]:
    """Any scripted peer, on a free port of loopback."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await peer.serve(reader, writer)
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for _ in range(3):  # who came last has begun: cancelled before, it would not close its connection
            await asyncio.sleep(0)
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
