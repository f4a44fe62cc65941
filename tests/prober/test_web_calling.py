"""The single calls of /probe, made for real."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
from asking import Desk, run

from prober.settings import ApiEndpoint, Control, SmtpEndpoint
from prober.web.calling import Calling
from prober.web.targets import Callee
from rules.model import Kind, Observation, Stage, Trouble

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def observed(talk: Talk | None, callee: Callable[[int], Callee], timeout: float = 10.0) -> Observation:
    """What a call shows of a server that talks so; without one, of a port at which nobody listens."""
    seen: list[Observation] = []

    async def work() -> None:
        calling = Calling(Desk().view)
        if talk is None:
            with socket.socket() as unheard:  # bound, so that it is nobody else's, and not listening
                unheard.bind(("127.0.0.1", 0))
                seen.append(await calling.call_once(callee(unheard.getsockname()[1]), timeout))
            calling.close()
            return
        over = asyncio.Event()

        async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await talk(reader, writer)
            writer.close()
            over.set()

        async with await asyncio.start_server(served, "127.0.0.1", 0) as server:
            seen.append(await calling.call_once(callee(server.sockets[0].getsockname()[1]), timeout))
            calling.close()
            await asyncio.wait_for(over.wait(), 10)

    run(work)
    return seen[0]


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    await writer.drain()


async def greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mx.example.com ready\r\n")
    while await reader.readline():  # until the client has said its farewell
        writer.write(b"221 bye\r\n")


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def test_an_http_call_comes_back_with_its_phases() -> None:
    seen = observed(answers, lambda port: ApiEndpoint(name="x", url=f"http://127.0.0.1:{port}/", connection="reuse"))
    assert (seen.kind, seen.stage, seen.code, seen.unmet) == (Kind.HTTP, Stage.DONE, 200, None)
    assert seen.phases[3] > 0
    assert seen.ended > seen.begun


def test_an_smtp_greeting_is_a_call() -> None:
    seen = observed(
        greets, lambda port: SmtpEndpoint(name="x", host="127.0.0.1", port=port, tls="none", depth="banner")
    )
    assert (seen.kind, seen.stage, seen.code) == (Kind.SMTP, Stage.DONE, 220)


def test_a_handshake_is_a_call() -> None:
    seen = observed(hangs, lambda port: Control(name="x", tcp=f"127.0.0.1:{port}"))
    assert (seen.kind, seen.stage, seen.trouble) == (Kind.TCP, Stage.DONE, None)
    seen = observed(None, lambda port: Control(name="x", tcp=f"127.0.0.1:{port}"))
    assert seen.trouble is Trouble.REFUSED


def test_a_call_ends_at_its_deadline() -> None:
    seen = observed(hangs, lambda port: ApiEndpoint(name="x", url=f"http://127.0.0.1:{port}/"), timeout=0.1)
    assert (seen.stage, seen.trouble) == (Stage.HEADERS, Trouble.TIMEOUT)


def test_a_scraper_that_goes_takes_its_call_with_it() -> None:
    async def work() -> None:
        closed = asyncio.Event()

        async def notes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.set()
            await reader.read()
            writer.close()
            closed.set()

        heard = asyncio.Event()
        calling = Calling(Desk().view)
        async with await asyncio.start_server(notes, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            call = asyncio.create_task(calling.call_once(ApiEndpoint(name="x", url=url), 60))
            await heard.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await asyncio.wait_for(closed.wait(), 10)
        calling.close()

    run(work)
