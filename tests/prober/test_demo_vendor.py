"""The demo's mail platform does what it is told, as httpx and aiosmtplib see it."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiosmtplib
import httpx
import pytest

from prober.demo import api, smtp
from prober.demo.modes import MEANINGS, Channel, Mode, UnknownModeError, choose
from prober.demo.smtp import USERNAME
from prober.demo.vendor import Vendor

KEY = "the-key"
MESSAGE = b"Subject: probe\r\n\r\n.a line that begins with a dot\r\n"


@asynccontextmanager
async def platform(told: Callable[[Mapping[Channel, Mode]], None] = lambda _: None) -> AsyncIterator[Vendor]:
    vendor = Vendor(KEY, told)
    await vendor.open()
    try:
        yield vendor
    finally:
        await vendor.close()


def played(work: Callable[[Vendor], Awaitable[None]]) -> None:
    """Run a test's coroutine function against a platform."""

    async def main() -> None:
        async with platform() as vendor:
            await work(vendor)

    asyncio.run(main())


async def account(vendor: Vendor, key: str = KEY, within: float = 10.0, **request: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=within) as client:
        arguments = {"method": "GET", "url": vendor.account_url, "headers": {"Authorization": key}} | request
        return await client.request(**arguments)


async def inject(vendor: Vendor, key: str = KEY, within: float = 10.0) -> str:
    """One mail handed over; the reply to its final dot."""
    client = aiosmtplib.SMTP(
        hostname="127.0.0.1",
        port=vendor.doors[Channel.SMTP].port,
        timeout=within,
        start_tls=False,
        username=USERNAME,
        password=key,
    )
    async with client:
        _, reply = await client.sendmail("probe@example.com", ["sink@example.com"], MESSAGE)
        return reply


async def command(vendor: Vendor, method: str, path: str, **request: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.request(method, f"http://{vendor.control.address}{path}", **request)


def test_a_healthy_platform_answers_and_takes_mail() -> None:
    async def work(vendor: Vendor) -> None:
        answer = await account(vendor)
        assert (answer.status_code, answer.json()["results"]["status"]) == (200, "active")
        assert "queued as 000001" in await inject(vendor)

    played(work)


@pytest.mark.parametrize(
    ("mode", "status", "error"),
    [
        (Mode.ERROR, 503, {"message": "Service Unavailable", "description": "The service is not available."}),
        (Mode.OVERLOADED, 400, {"message": "resources unavailable", "code": "1502"}),
        (Mode.UNAUTHORIZED, 401, {"message": "Unauthorized."}),
        (Mode.THROTTLED, 429, {"message": "Too many requests"}),
    ],
)
def test_the_api_fails_with_the_vendor_s_error_bodies(mode: Mode, status: int, error: dict[str, str]) -> None:
    async def work(vendor: Vendor) -> None:
        await vendor.set({Channel.API: mode})
        answer = await account(vendor)
        assert answer.status_code == status
        assert answer.json()["errors"][0].items() >= error.items()
        assert answer.headers.get("Retry-After") == ("5" if mode is Mode.THROTTLED else None)
        assert "queued" in await inject(vendor), "SMTP goes on"

    played(work)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"headers": {"Authorization": "another"}}, 401),
        ({"method": "DELETE"}, 405),
        ({"url": "/api/v1/nothing"}, 404),
    ],
)
def test_the_api_refuses_what_is_not_its_account(request_: dict[str, Any], status: int) -> None:
    async def work(vendor: Vendor) -> None:
        if "url" in request_:
            request_["url"] = f"http://{vendor.doors[Channel.API].address}{request_['url']}"
        assert (await account(vendor, **request_)).status_code == status

    played(work)


@pytest.mark.parametrize(
    ("mode", "error"),
    [
        (Mode.HANG, httpx.ReadTimeout),
        (Mode.RESET, httpx.ReadError),
        (Mode.REFUSE, httpx.ConnectError),
    ],
)
def test_the_api_fails_in_the_transport_and_comes_back(mode: Mode, error: type[Exception]) -> None:
    async def work(vendor: Vendor) -> None:
        await vendor.set({Channel.API: mode})
        with pytest.raises(error):
            await account(vendor, within=0.3 if mode is Mode.HANG else 10)
        await vendor.heal()
        assert (await account(vendor)).status_code == 200, "the same port answers again"

    played(work)


def test_slow_answers_are_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "SLOWNESS", 0.2)
    monkeypatch.setattr(smtp, "SLOWNESS", 0.2)

    async def work(vendor: Vendor) -> None:
        await vendor.set(choose("slow"))
        loop = asyncio.get_running_loop()
        for call in (account, inject):
            before = loop.time()
            await call(vendor)
            assert loop.time() - before >= 0.19

    played(work)


@pytest.mark.parametrize(
    ("mode", "error", "words"),
    [
        (Mode.SMTP_421, aiosmtplib.SMTPConnectError, "4.3.2"),
        (Mode.SMTP_451, aiosmtplib.SMTPSenderRefused, "4.3.0 local error in processing"),
        (Mode.SMTP_535, aiosmtplib.SMTPAuthenticationError, "5.7.8"),
        (Mode.HANG, aiosmtplib.SMTPConnectTimeoutError, ""),
        (Mode.RESET, (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPConnectError), ""),
        (Mode.REFUSE, aiosmtplib.SMTPConnectError, ""),
    ],
)
def test_smtp_fails_as_it_is_told_and_comes_back(mode: Mode, error: Any, words: str) -> None:
    async def work(vendor: Vendor) -> None:
        await vendor.set({Channel.SMTP: mode})
        with pytest.raises(error) as caught:
            await inject(vendor, within=0.3 if mode is Mode.HANG else 10)
        assert words in str(caught.value)
        assert (await account(vendor)).status_code == 200, "the API goes on"
        await vendor.heal()
        assert "queued" in await inject(vendor)

    played(work)


def test_smtp_asks_for_the_right_login() -> None:
    async def work(vendor: Vendor) -> None:
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await inject(vendor, key="another")

    played(work)


def _plain(user: str) -> str:
    return base64.b64encode(f"\0{user}\0{KEY}".encode()).decode()


@pytest.mark.parametrize(
    ("said", "answers"),
    [
        (["NOOP", "nonsense", "RSET", "QUIT"], ["250", "500", "250", "221"]),
        (["HELO x", "MAIL FROM:<a@b.example>"], ["250", "530"]),
        (["AUTH CRAM-MD5", "AUTH PLAIN %%%", "AUTH PLAIN aGFsZg=="], ["504", "501", "501"]),
        (["AUTH PLAIN", _plain(USERNAME), "DATA", "RCPT TO:<a@b.example>"], ["334", "235", "503", "503"]),
        ([f"AUTH PLAIN {_plain(USERNAME)}", "MAIL FROM:nobody", "mail from:<>"], ["235", "501", "250"]),
        (
            [f"AUTH PLAIN {_plain(USERNAME)}", "MAIL FROM:<>", "RCPT TO:x", "RSET", "DATA"],
            ["235", "250", "501", "250", "503"],
        ),
    ],
)
def test_smtp_keeps_to_the_dialogue(said: list[str], answers: list[str]) -> None:
    async def work(vendor: Vendor) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", vendor.doors[Channel.SMTP].port)
        assert (await reader.readline())[:4] == b"220 "
        for line, expected in zip(said, answers, strict=True):
            writer.write(f"{line}\r\n".encode())
            reply = await reader.readline()
            while reply[3:4] == b"-":
                reply = await reader.readline()
            assert reply[:3].decode() == expected, line
        writer.close()
        await writer.wait_closed()

    played(work)


def test_a_message_beyond_the_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "_MOST", 10)

    async def work(vendor: Vendor) -> None:
        with pytest.raises(aiosmtplib.SMTPDataError, match=r"5\.3\.4"):
            await inject(vendor)

    played(work)


def test_what_hangs_goes_on_hanging_when_the_platform_heals() -> None:
    """Or the calls of the outage's last seconds would end well, which no healing does for them."""

    async def work(vendor: Vendor) -> None:
        await vendor.set(choose("hang"))
        reader, writer = await asyncio.open_connection("127.0.0.1", vendor.doors[Channel.SMTP].port)
        await vendor.heal()
        assert "queued" in await inject(vendor)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        writer.close()
        await writer.wait_closed()

    played(work)


def test_closing_ends_what_hangs() -> None:
    async def work(vendor: Vendor) -> None:
        await vendor.set(choose("hang"))
        reader, writer = await asyncio.open_connection("127.0.0.1", vendor.doors[Channel.API].port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        while not (await command(vendor, "GET", "/")).json()["seen"]["requests"]:
            pass  # until it hangs
        await vendor.close()
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()

    played(work)


@pytest.mark.parametrize(
    "request_",
    [
        {"data": {"mode": "hang", "channel": "smtp"}},
        {"params": {"mode": "hang", "channel": "smtp"}},
        {"json": {"mode": "hang", "channel": "smtp"}},
    ],
)
def test_a_visitor_makes_it_fail_and_heals_it(request_: dict[str, Any]) -> None:
    told: list[dict[Channel, Mode]] = []

    async def main() -> None:
        async with platform(lambda modes: told.append(dict(modes))) as vendor:
            answer = await command(vendor, "POST", "/fail", **request_)
            assert answer.json()["now"] == {"api": "ok", "smtp": "hang"}
            assert (await command(vendor, "POST", "/heal")).json()["now"] == {"api": "ok", "smtp": "ok"}
            assert (await command(vendor, "POST", "/heal")).status_code == 200

    asyncio.run(main())
    assert told == [
        {Channel.API: Mode.OK, Channel.SMTP: Mode.HANG},
        {Channel.API: Mode.OK, Channel.SMTP: Mode.OK},
    ], "changes alone are told"


def test_a_mode_without_a_channel_concerns_every_channel_that_knows_it() -> None:
    assert choose("refuse") == {Channel.API: Mode.REFUSE, Channel.SMTP: Mode.REFUSE}
    assert choose("503") == {Channel.API: Mode.ERROR}
    assert choose("smtp-451", "smtp") == {Channel.SMTP: Mode.SMTP_451}


@pytest.mark.parametrize(
    ("mode", "channel", "words"), [("moon", "", "there are: ok, 503"), ("503", "smtp", "to: api; not")]
)
def test_a_mode_that_is_not_there_is_refused_with_what_there_is(mode: str, channel: str, words: str) -> None:
    with pytest.raises(UnknownModeError, match=words):
        choose(mode, channel)


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "words"),
    [
        ("POST", "/fail", b"mode=moon", 400, "no mode is called 'moon'"),
        ("POST", "/fail", b"", 400, "no mode is called ''"),
        ("POST", "/fail", b"{junk", 400, "this is no JSON"),
        ("GET", "/fail", b"", 404, "there are GET /"),
    ],
)
def test_the_commanding_api_says_what_was_wrong(
    method: str, path: str, content: bytes, status: int, words: str
) -> None:
    async def work(vendor: Vendor) -> None:
        answer = await command(vendor, method, path, content=content)
        assert (answer.status_code, words in answer.json()["error"]) == (status, True)

    played(work)


def test_the_commanding_api_shows_what_it_saw_and_all_modes() -> None:
    async def work(vendor: Vendor) -> None:
        await account(vendor)
        await inject(vendor)
        state = (await command(vendor, "GET", "/")).json()
        assert state["seen"] == {"requests": 1, "connections": 1, "messages": 1}
        assert state["modes"].keys() == {mode.value for mode in MEANINGS} == {mode.value for mode in Mode}

    played(work)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
    ],
)
def test_what_is_no_request_for_this_server_is_a_bad_one(sent: bytes) -> None:
    async def work(vendor: Vendor) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", vendor.control.port)
        writer.write(sent)
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 Bad Request")
        writer.close()

    played(work)


def test_a_client_that_hangs_up_harms_nobody() -> None:
    async def work(vendor: Vendor) -> None:
        for door in (*vendor.doors.values(), vendor.control):
            _, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(b"POST / HT")
            writer.close()
            await writer.wait_closed()
        assert (await account(vendor)).status_code == 200
        assert "queued" in await inject(vendor)

    played(work)
