"""The demo's mailbox, hotline and on-call take what is sent, show it once, and keep it as files."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx
import pytest

from prober.demo.receivers import HOTLINE, ON_CALL, Call, Mail, Receivers


def received(folder: Path, work: Callable[[Receivers], Awaitable[None]]) -> None:
    async def main() -> None:
        receivers = Receivers(folder / "arrived")
        await receivers.open()
        try:
            await work(receivers)
        finally:
            await receivers.close()

    asyncio.run(main())


async def post(receivers: Receivers, path: str, key: str = "", **request: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, headers={"Idempotency-Key": key} if key else {}) as client:
        return await client.post(receivers.url + path, **request)


async def send(receivers: Receivers, message: EmailMessage) -> None:
    await aiosmtplib.send(message, hostname="127.0.0.1", port=receivers.mailbox_port, start_tls=False)


def ticket(message_id: str, *, text: str | None = "The mail of Zoë\nwaits.\n") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Message-ID"] = "oncall@example.com", "support@vendor.example", message_id
    message["Subject"] = "An issue\twith two  words"
    if text is None:
        message.set_content(b"\x00", "application", "octet-stream")
    else:
        message.set_content(text)
        message.add_alternative("<p>The mail</p>", subtype="html")
    return message


def test_a_mail_arrives_whole_and_is_kept(tmp_path: Path) -> None:
    async def work(receivers: Receivers) -> None:
        await send(receivers, ticket("<1@example.com>"))
        mail = receivers.arrived.get_nowait()
        assert isinstance(mail, Mail)
        assert mail.text() == "The mail of Zoë\nwaits.\n"
        assert mail.header("Message-ID") == "<1@example.com>"
        assert mail.header("Subject") == "An issue with two words", "in one line"
        assert mail.header("In-Reply-To") == ""
        assert b"<1@example.com>" in (tmp_path / mail.kept).read_bytes()

    received(tmp_path, work)


def test_a_mail_without_a_text_shows_none(tmp_path: Path) -> None:
    async def work(receivers: Receivers) -> None:
        await send(receivers, ticket("<1@example.com>", text=None))
        mail = receivers.arrived.get_nowait()
        assert isinstance(mail, Mail)
        assert mail.text() == ""

    received(tmp_path, work)


def test_a_repeat_under_the_same_key_is_taken_and_shown_once(tmp_path: Path) -> None:
    async def work(receivers: Receivers) -> None:
        for _ in range(2):
            await send(receivers, ticket("<1@example.com>"))
            assert (await post(receivers, ON_CALL, "a/page", json={"kind": "page"})).status_code == 202
        await send(receivers, ticket("<2@example.com>"))
        assert receivers.arrived.qsize() == 3
        assert sorted(path.name for path in (tmp_path / "arrived").iterdir()) == [
            "1-mail.eml",
            "2-page.json",
            "3-mail.eml",
        ]

    received(tmp_path, work)


@pytest.mark.parametrize("path", [HOTLINE, ON_CALL])
def test_a_webhook_arrives_with_its_facts(path: str, tmp_path: Path) -> None:
    async def work(receivers: Receivers) -> None:
        answer = await post(receivers, path, "the-key", json={"kind": "page", "summary": "all\n down", "none": None})
        assert answer.json() == {"id": "the-key"}
        call = receivers.arrived.get_nowait()
        assert isinstance(call, Call)
        assert (call.path, call.fact("summary"), call.fact("none"), call.fact("kind")) == (path, "all down", "", "page")
        assert json.loads((tmp_path / call.kept).read_text())["kind"] == "page"

    received(tmp_path, work)


@pytest.mark.parametrize(
    ("path", "content", "status"), [("/nobody", b"{}", 404), (HOTLINE, b"{junk", 400), (ON_CALL, b"[1]", 400)]
)
def test_what_is_no_webhook_is_refused(path: str, content: bytes, status: int, tmp_path: Path) -> None:
    async def work(receivers: Receivers) -> None:
        assert (await post(receivers, path, content=content)).status_code == status
        assert receivers.arrived.empty()

    received(tmp_path, work)


def test_receivers_that_never_opened_close(tmp_path: Path) -> None:
    asyncio.run(Receivers(tmp_path).close())
