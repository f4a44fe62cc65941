"""An IMAP server that misbehaves by script: what it says to each command is the test's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

#: Gets the command line (without its tag); gives what is sent, with {tag} for the tag. None: silence. b"": close.
Script = Callable[[str], bytes | None]


@asynccontextmanager
async def imap_peer(script: Script, greeting: bytes = b"* OK ready\r\n") -> AsyncIterator[int]:
    """Its port."""
    writers: list[asyncio.StreamWriter] = []
    serving: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        task = asyncio.current_task()
        assert task is not None
        serving.append(task)
        writer.write(greeting)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                tag, _, command = line.decode().strip().partition(" ")
                answer = script(command)
                if answer == b"":
                    break
                if answer is not None:
                    writer.write(answer.replace(b"{tag}", tag.encode()))
                    await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.gather(*serving)
        await server.wait_closed()
