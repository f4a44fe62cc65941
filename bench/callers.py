"""The peers that are Python: `python -m bench.callers NAME CALLS RATE HOST PORT [CA]` prints the CPU of its calls as JSON.

Each makes its calls after some to warm up, and reads its own CPU time before and after (getrusage(2)): with RATE 0 one call
after another, which is the cheapest way to make them; else so many a second on a grid, as the program has to.
"""

import asyncio
import json
import resource
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from typing import Any

import uvloop

WARM = 30
#: One call.
Call = Callable[[], Awaitable[None]]


def spent() -> tuple[float, float]:
    """(user, system) CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime, used.ru_stime


class Exchange(asyncio.Protocol):
    """A bare protocol: one GET, the response parsed by httptools, its status and end looked at."""

    def __init__(self, request: bytes, *, keep: bool) -> None:
        self._request = request
        self._keep = keep
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.transport: Any = None
        self._parser: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        """One request."""
        import httptools

        self._parser = httptools.HttpResponseParser(self)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """httptools: the response is whole."""
        status = self._parser.get_status_code()
        if not self._keep:
            self.transport.close()
        self.done.set_result(status)


def _request(host: str, port: int, *, keep: bool) -> bytes:
    kind = "keep-alive" if keep else "close"
    head = f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: bare\r\nAccept: */*\r\nConnection: {kind}\r\n\r\n"
    return head.encode()


def _context(ca: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca)
    context.options |= ssl.OP_NO_TICKET
    return context


async def bare_fresh(host: str, port: int, ca: str) -> Call:
    """A bare protocol on uvloop, a connection a call; with TLS where `ca` is given."""
    loop = asyncio.get_running_loop()
    request = _request(host, port, keep=False)
    context = _context(ca) if ca else None
    name = "localhost" if ca else None

    async def call() -> None:
        _, protocol = await loop.create_connection(
            lambda: Exchange(request, keep=False), host, port, ssl=context, server_hostname=name, family=socket.AF_INET
        )
        assert await protocol.done == 200

    return call


async def bare_kept(host: str, port: int, _ca: str) -> Call:
    """A bare protocol on uvloop, on connections that are kept."""
    loop = asyncio.get_running_loop()
    request = _request(host, port, keep=True)
    idle: list[Exchange] = []

    async def call() -> None:
        if idle:
            protocol = idle.pop()
            protocol.done = loop.create_future()
            protocol.send()
        else:
            _, protocol = await loop.create_connection(lambda: Exchange(request, keep=True), host, port)
        assert await protocol.done == 200
        idle.append(protocol)

    return call


async def httpx_fresh(host: str, port: int, ca: str) -> Call:
    """httpx, a connection a call, one client."""
    import httpx

    limits = httpx.Limits(max_keepalive_connections=0)
    client = httpx.AsyncClient(limits=limits, trust_env=False, verify=_context(ca) if ca else True)
    url = f"https://localhost:{port}/" if ca else f"http://{host}:{port}/"

    async def call() -> None:
        assert (await client.get(url)).status_code == 200

    return call


async def httpx_kept(host: str, port: int, _ca: str) -> Call:
    """httpx, one connection."""
    import httpx

    client = httpx.AsyncClient(trust_env=False)

    async def call() -> None:
        assert (await client.get(f"http://{host}:{port}/")).status_code == 200

    return call


async def aiosmtplib_fresh(host: str, port: int, _ca: str) -> Call:
    """aiosmtplib, a connection and a message a call."""
    import aiosmtplib

    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "probe@example.com", "sink@example.com", "prober injection"
    message.set_content("An injection of a monitoring probe. It may be thrown away.\n")

    async def call() -> None:
        client = aiosmtplib.SMTP(hostname=host, port=port, start_tls=False, use_tls=False)
        await client.connect()
        await client.send_message(message)
        await client.quit()

    return call


CALLERS: dict[str, Callable[[str, int, str], Awaitable[Call]]] = {
    "bare_fresh": bare_fresh,
    "bare_kept": bare_kept,
    "httpx_fresh": httpx_fresh,
    "httpx_kept": httpx_kept,
    "aiosmtplib_fresh": aiosmtplib_fresh,
}


async def paced(call: Call, calls: int, rate: int) -> None:
    """Begin `calls` calls, `rate` a second, whether or not those before have ended; wait for all."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    made = 0
    tasks: set[asyncio.Future[None]] = set()
    while made < calls:
        due = min(calls, int((loop.time() - begin) * rate) + 1)
        for _ in range(due - made):
            task = asyncio.ensure_future(call())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        made = due
        await asyncio.sleep(max(0.001, begin + made / rate - loop.time()))
    while tasks:
        await asyncio.wait(tasks)


async def measured(name: str, calls: int, rate: int, host: str, port: int, ca: str) -> dict[str, float]:
    """CPU seconds of `calls` calls, user and system."""
    call = await CALLERS[name](host, port, ca)
    for _ in range(WARM):
        await call()
    before = spent()
    if rate:
        await paced(call, calls, rate)
    else:
        for _ in range(calls):
            await call()
    after = spent()
    return {"calls": calls, "user": after[0] - before[0], "system": after[1] - before[1]}


def main() -> None:
    name, calls, rate, host, port, *ca = sys.argv[1:]
    found = uvloop.run(measured(name, int(calls), int(rate), host, int(port), ca[0] if ca else ""))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
