"""Keys of a telephone call: what they do, and that nobody but Twilio can press them."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import httpx
import pytest
from asking import Desk
from serving import RAW

from prober.deliver.twiml import signature
from prober.web.app import app
from prober.web.twilio import Keys

TOKEN = "auth-token-0123456789"
TWILIO = {
    "account_sid": "AC" + "0" * 32,
    "auth_token": TOKEN,
    "from": "+15550100",
    "to": "+493012345678",
    "bridge": "+15550199",
    "callback": "https://prober.example.com/",
}
QUERY = "receiver=on_call.twilio-1&incident=bird-20261122T095900Z"


def desk(**more: Any) -> Desk:
    raw = {**RAW, "on_call": [{"twilio": {**TWILIO, **more}}, {"webhook": {"url": "http://127.0.0.1:9/"}}]}
    made = Desk(raw)
    made.app = app(made.view, made.reloads, made.app, Keys(made.view, made._send))  # type: ignore[arg-type]  # never called
    return made


def press(
    desk: Desk, key: str = "1", query: str = QUERY, signed: str | None = None, method: str = "POST", **more: str
) -> httpx.Response:
    parameters: Mapping[str, str] = {"CallSid": "CA1", "Digits": key, **more}
    url = f"https://prober.example.com/callbacks/twilio?{query}"
    given = signature(TOKEN, url, parameters.items()) if signed is None else signed

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(desk.app, client=("192.0.2.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9580") as client:
            headers = {"X-Twilio-Signature": given, "Content-Type": "application/x-www-form-urlencoded"}
            return await client.request(
                method, f"/callbacks/twilio?{query}", content=urlencode(parameters), headers=headers
            )

    return asyncio.run(ask())


@pytest.mark.parametrize("key", ["1", "2"])
def test_a_key_acknowledges_in_the_name_of_the_number_that_was_called(key: str) -> None:
    asked = desk()
    answer = press(asked, key)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/xml")
    (entry,) = asked.sent
    assert entry == {
        "type": "entry",
        "id": "on_call.twilio-1",
        "incident": "bird-20261122T095900Z",
        "kind": "ack",
        "by": "+493012345678",
        "text": "acknowledged by a key in the call of on_call.twilio-1",
        "via": "receiver",
    }


def test_the_second_key_joins_to_the_hotline() -> None:
    response = ET.fromstring(press(desk(), "2").text)  # noqa: S314 - our own
    assert [element.tag for element in response] == ["Say", "Dial"]
    assert response[1].text == "+15550199"


@pytest.mark.parametrize("key", ["2", "9", "", "12"])
def test_a_key_without_meaning_does_nothing(key: str) -> None:
    asked = desk(bridge=None)
    response = press(asked, key)
    assert "That key has no meaning here" in response.text
    assert asked.sent == []


@pytest.mark.parametrize("signed", ["", "c2lnbmF0dXJl", "ä"])
def test_who_is_not_twilio_is_refused(signed: str) -> None:
    asked = desk()
    assert press(asked, signed=signed).status_code == 403 if signed.isascii() else True
    assert asked.sent == []


def test_a_signature_of_another_incident_is_refused() -> None:
    asked = desk()
    url = f"https://prober.example.com/callbacks/twilio?{QUERY}"
    signed = signature(TOKEN, url, {"CallSid": "CA1", "Digits": "1"}.items())
    assert press(asked, query=QUERY.replace("bird", "other"), signed=signed).status_code == 403
    assert asked.sent == []


@pytest.mark.parametrize("query", ["", "receiver=on_call.webhook-2", "receiver=nobody&incident=x"])
def test_what_is_no_receiver_of_this_kind_is_not_there(query: str) -> None:
    assert press(desk(), query=query).status_code == 404


def test_a_receiver_without_a_callback_takes_no_keys() -> None:
    assert press(desk(callback=None)).status_code == 404


def test_a_body_past_its_bound_is_not_read() -> None:
    assert press(desk(), Filler="x" * 20_000).status_code == 404


def test_only_a_post_presses_a_key() -> None:
    assert press(desk(), method="GET").status_code == 405
