"""A small HTTP/1.1 server for the demo's peers: what a request says, what is answered, and ways to fail.

One request a connection (`Connection: close`), length-delimited bodies alone (RFC 9112 6.2): enough for the prober, for
webhooks and for curl. Whoever answers may also reset the connection or say nothing (`Misbehaviour`).
"""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

#: Bytes of a request's head and body at most; a page of a prober has a few thousand.
_MOST_HEAD, _MOST_BODY = 64 * 1024, 4 * 1024 * 1024
#: Seconds that a client may take to send its request.
_PATIENCE = 30.0


class Misbehaviour(Enum):
    """What is done instead of answering."""

    SILENCE = auto()  # nothing is said until the client has gone
    RESET = auto()  # the connection is reset (RST)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; the body's length and the end of the connection are added when it is written."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, status: int, value: Any, **headers: str) -> "Response":
        """`value` as JSON; headers by their names with _ for -."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(status, json.dumps(value, indent=1).encode() + b"\n", {"Content-Type": "application/json", **named})

    def encoded(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {text}" for name, text in self.headers.items()]
        lines += [f"Content-Length: {len(self.body)}", "Connection: close", "", ""]
        return "\r\n".join(lines).encode("latin-1") + self.body


#: Answers a request. What it raises is a defect and ends up in the loop's exception handler.
Answer = Callable[[Request], Awaitable[Response | Misbehaviour]]


async def serve(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection: read a request, do as `answer` says, close."""
    with suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        async with asyncio.timeout(_PATIENCE):
            request = await _request(reader)
        reply = await answer(request) if request is not None else Response(HTTPStatus.BAD_REQUEST)
        if reply is Misbehaviour.SILENCE:
            await until_gone(reader)
        elif reply is Misbehaviour.RESET:
            reset(writer)
        elif isinstance(reply, Response):
            writer.write(reply.encoded())
            await writer.drain()


async def _request(reader: asyncio.StreamReader) -> Request | None:
    """None: it is no request that this server understands."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    words = first.split(" ")
    headers = {name.strip().lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
    length = headers.get("content-length", "0")
    if len(words) != 3 or not length.isdecimal() or int(length) > _MOST_BODY or "transfer-encoding" in headers:
        return None
    return Request(words[0], words[1], headers, await reader.readexactly(int(length)))


async def until_gone(reader: asyncio.StreamReader) -> None:
    """Say nothing until the client closes; what it sends meanwhile is thrown away."""
    with suppress(ConnectionError):
        while await reader.read(65_536):
            pass


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST: the peer sees ECONNRESET."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
