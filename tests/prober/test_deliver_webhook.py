"""Webhooks and PagerDuty against a real HTTP server that answers well, badly, late, half or not at all."""

import asyncio
import hashlib
import hmac
import json
import re
import socket
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
from deliver_acts import FACTS, act
from http_desk import DROP, NEVER_READ, REFUSE_TO_READ, RESET, SILENCE, Desk, answer, desk

from prober.deliver import Delivered, Delivery, exchange
from prober.deliver.pagerduty import Pagerduty, dedup_key, encode, event
from prober.deliver.webhook import Webhook, payload, signature
from prober.settings import PagerdutyReceiver, WebhookReceiver
from rules.acts import ActKind, Outcome

PAGE = act(ActKind.PAGE, "on_call.webhook-1")
KEY = PAGE.key("on_call.webhook-1")


def within(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(whole())


def webhook(port: int, timeout: float = 10.0, scheme: str = "http", **more: Any) -> Webhook:
    receiver = WebhookReceiver.model_validate({"url": f"{scheme}://127.0.0.1:{port}/page?room=7", **more})
    return Webhook("on_call.webhook-1", receiver, now=lambda: 1795341601.9, timeout=timeout)


def pagerduty(port: int, **more: Any) -> Pagerduty:
    settings = {"url": f"http://127.0.0.1:{port}/v2/enqueue", "routing_key": "R0UT1NGK3Y-0123456789", **more}
    return Pagerduty("on_call.pagerduty-1", PagerdutyReceiver.model_validate(settings))


async def try_once(delivery: Delivery) -> Delivered:
    return await delivery.deliver(PAGE, KEY)


def test_the_act_arrives_as_the_documented_json() -> None:
    async def test() -> None:
        async with desk(answer("201 Created", b'{"id": "T-17", "number": 4}')) as receiver:
            delivered = await try_once(webhook(receiver.port, headers={"X-Room": "seven"}))
        assert delivered == Delivered(Outcome.ACCEPTED, "127.0.0.1 answered 201", "T-17")
        request = receiver.requests[0]
        assert (request.method, request.path) == ("POST", "/page?room=7")
        assert request.headers["content-type"] == "application/json"
        assert re.fullmatch(r"prober/\S+", request.headers["user-agent"])
        assert request.headers["idempotency-key"] == request.headers["x-prober-key"] == KEY
        assert request.headers["x-room"] == "seven"
        assert "x-prober-signature" not in request.headers
        body = json.loads(request.body)
        assert body == json.loads(json.dumps(payload(PAGE, KEY, "on_call.webhook-1")))
        assert body["facts"] == FACTS
        assert body["onset"] == {"iso": "2026-11-22T09:59:00Z", "unix": 1795341540}
        assert body["created"] == {"iso": "2026-11-22T10:00:00Z", "unix": 1795341600}

    within(test)


def test_every_field_of_the_document_is_sent_and_every_field_sent_is_documented() -> None:
    document = (Path(__file__).parents[2] / "docs" / "webhook.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([a-z_]+)` \|", document, re.MULTILINE))
    assert documented == set(payload(PAGE, KEY, "on_call.webhook-1"))


def test_every_kind_of_act_is_documented() -> None:
    document = (Path(__file__).parents[2] / "docs" / "webhook.md").read_text(encoding="utf-8")
    [row] = re.findall(r"^\| `kind` \| (.*) \|$", document, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", row)) - {"status_pages"} == {kind.value for kind in ActKind}


def test_the_signature_covers_time_stamp_and_body() -> None:
    async def test() -> None:
        async with desk() as receiver:
            await try_once(webhook(receiver.port, hmac_key="a shared key"))
        request = receiver.requests[0]
        assert request.headers["x-prober-timestamp"] == "1795341601"
        expected = hmac.new(b"a shared key", b"1795341601." + request.body, hashlib.sha256).hexdigest()
        assert request.headers["x-prober-signature"] == f"sha256={expected}"

    within(test)


def test_the_documents_example_of_a_signature_is_right() -> None:
    document = (Path(__file__).parents[2] / "docs" / "webhook.md").read_text(encoding="utf-8")
    example = re.search(r"`(sha256=[0-9a-f]{64})`", document)
    assert example is not None
    assert signature(b"example-key", "1795341600", b'{"version":1}') == example[1]


def test_a_repeat_has_the_same_body_and_key() -> None:
    async def test() -> None:
        async with desk() as receiver:
            await try_once(webhook(receiver.port))
            await try_once(webhook(receiver.port))
        first, second = receiver.requests
        assert first.body == second.body
        assert first.headers["idempotency-key"] == second.headers["idempotency-key"]

    within(test)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("200 OK", Outcome.ACCEPTED),
        ("202 Accepted", Outcome.ACCEPTED),
        ("204 No Content", Outcome.ACCEPTED),
        ("301 Moved Permanently", Outcome.PERMANENT),
        ("307 Temporary Redirect", Outcome.PERMANENT),
        ("400 Bad Request", Outcome.PERMANENT),
        ("401 Unauthorized", Outcome.PERMANENT),
        ("404 Not Found", Outcome.PERMANENT),
        ("408 Request Timeout", Outcome.TRANSIENT),
        ("429 Too Many Requests", Outcome.TRANSIENT),
        ("500 Internal Server Error", Outcome.TRANSIENT),
        ("503 Service Unavailable", Outcome.TRANSIENT),
        ("599 Whatever", Outcome.TRANSIENT),
    ],
)
@pytest.mark.parametrize("make", [webhook, pagerduty])
def test_the_status_says_whether_trying_again_can_help(
    make: Callable[[int], Delivery], status: str, outcome: Outcome
) -> None:
    async def test() -> None:
        elsewhere = {"Location": "http://127.0.0.1:1/"} if status.startswith("3") else {}
        async with desk(answer(status, headers=elsewhere)) as receiver:
            delivered = await try_once(make(receiver.port))
        assert delivered.outcome is outcome
        assert delivered.detail.startswith(f"127.0.0.1 answered {status[:3]}")
        assert len(receiver.requests) == 1

    within(test)


def test_a_redirect_is_told_as_one() -> None:
    async def test() -> None:
        async with desk(answer("302 Found", headers={"Location": "http://127.0.0.1:1/"})) as receiver:
            delivered = await try_once(webhook(receiver.port))
        assert delivered.detail == "127.0.0.1 answered 302, a redirect: none is followed, configure the final address"

    within(test)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 120 ", 120.0),
        ("99999999999999", 300.0),
        ("-5", 0.0),
        ("soon", 0.0),
        ("", 0.0),
        ("²", 0.0),
        ("Sun, 22 Nov 2009 10:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2009 10:00:00 -0000", 0.0),
        ("Sun, 99 Nov 2009 10:00:00 GMT", 0.0),
        ("Sun, 22 Nov 99999999999999999999 10:00:00 GMT", 0.0),
        (f"Sun, 22 Nov 2009 10:00:00 {'9' * 80}", 0.0),
    ],
)
def test_retry_after_is_read_and_bounded(value: str, seconds: float) -> None:
    assert exchange.retry_after(value) == seconds


def test_retry_after_may_be_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 95.0 <= exchange.retry_after(later) <= 100.0


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_the_wait_that_a_receiver_asks_for_is_told(status: str) -> None:
    async def test() -> None:
        async with desk(answer(status, b"slow down", {"Retry-After": "17"})) as receiver:
            delivered = await try_once(webhook(receiver.port))
        assert delivered == Delivered(
            Outcome.TRANSIENT, f"127.0.0.1 answered {status[:3]}: slow down", retry_after=17.0
        )

    within(test)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (DROP, Outcome.UNKNOWN),
        (RESET, Outcome.UNKNOWN),
        (b"HTTP/1.1 200 O", Outcome.UNKNOWN),
        (b"HTTP/1.1 200 OK\r\nContent-Le", Outcome.UNKNOWN),
        (b"\x00\x01 not http\r\n\r\n", Outcome.UNKNOWN),
        (REFUSE_TO_READ, Outcome.UNKNOWN),  # a small request is with the kernel before the reset comes
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", Outcome.ACCEPTED),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 50\r\n\r\n{", Outcome.TRANSIENT),
        (b"HTTP/1.1 410 Gone\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Outcome.PERMANENT),
    ],
)
def test_what_breaks_off_after_the_request_was_sent_is_in_doubt_unless_the_status_is_known(
    reply: bytes, outcome: Outcome
) -> None:
    async def test() -> None:
        async with desk(reply) as receiver:
            delivered = await try_once(webhook(receiver.port))
        assert delivered.outcome is outcome, delivered.detail
        if outcome is Outcome.UNKNOWN:
            assert delivered.detail.endswith("after the request was sent")

    within(test)


def test_silence_after_the_request_is_in_doubt() -> None:
    async def test() -> None:
        async with desk(SILENCE) as receiver:
            delivered = await try_once(webhook(receiver.port, timeout=1.5))
        assert delivered == Delivered(Outcome.UNKNOWN, "127.0.0.1: no answer in time after the request was sent")

    within(test)


def test_a_request_that_could_not_be_written_whole_was_not_taken() -> None:
    big = replace(PAGE, facts={"samples": "x" * 30_000_000})

    async def test() -> None:
        async with desk(NEVER_READ) as receiver:
            delivered = await webhook(receiver.port, timeout=1.5).deliver(big, KEY)
        assert delivered == Delivered(Outcome.TRANSIENT, "127.0.0.1: no answer in time before the request was sent")

    within(test)


def test_a_body_that_never_ends_does_not_take_the_status_away() -> None:
    async def test() -> None:
        endless = b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"id": 1'
        async with desk(endless, hang=True) as receiver:
            delivered = await try_once(webhook(receiver.port, timeout=1.5))
        assert delivered == Delivered(Outcome.ACCEPTED, "127.0.0.1 answered 200")

    within(test)


def test_a_body_that_is_slow_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "REST", 0.05)

    async def test() -> None:
        async with desk(b"HTTP/1.1 500 No\r\nContent-Length: 900\r\n\r\nx", hang=True) as receiver:
            delivered = await try_once(webhook(receiver.port))
        assert delivered == Delivered(Outcome.TRANSIENT, "127.0.0.1 answered 500")

    within(test)


def test_a_huge_body_is_cut() -> None:
    async def test() -> None:
        async with desk(answer("200 OK", b'{"id": "' + b"x" * 300_000 + b'"}')) as receiver:
            delivered = await try_once(webhook(receiver.port))
        assert delivered == Delivered(Outcome.ACCEPTED, "127.0.0.1 answered 200")

    within(test)


@pytest.mark.parametrize(
    ("body", "reference"),
    [
        (b'{"id": "INC-1"}', "INC-1"),
        (b'{"number": 42}', "42"),
        (b'{"key": "K", "number": ""}', ""),
        (b'{"id": true, "key": "K"}', "K"),
        (b'{"id": {"a": 1}}', ""),
        (b'["id"]', ""),
        (b"[" * 30_000, ""),
        (b"not json", ""),
        (b'{"id": "a\\u202eb"}', "a\\u202eb"),
    ],
)
def test_the_reference_is_what_the_answer_calls_the_act(body: bytes, reference: str) -> None:
    async def test() -> None:
        async with desk(answer("200 OK", body)) as receiver:
            assert (await try_once(webhook(receiver.port))).reference == reference

    within(test)


def test_nobody_there_is_transient() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))

        async def test() -> None:
            delivered = await try_once(webhook(unused.getsockname()[1]))
            assert delivered == Delivered(Outcome.TRANSIENT, "127.0.0.1: no connection before the request was sent")

        within(test)


def test_an_untrusted_certificate_is_transient_and_the_configured_authority_is_trusted(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))

    async def test() -> None:
        async with desk(tls=context) as receiver:
            distrusted = await try_once(webhook(receiver.port, scheme="https"))
            trusted = await try_once(webhook(receiver.port, scheme="https", ca=str(ca)))
        assert distrusted.outcome is Outcome.TRANSIENT
        assert "its certificate is not accepted" in distrusted.detail
        assert trusted.outcome is Outcome.ACCEPTED

    within(test)


def test_secrets_that_come_back_are_not_told() -> None:
    async def test() -> None:
        said = b"bad key hook-secret-0123456789 and header-secret-0123456789"
        async with desk(answer("403 Forbidden", said)) as receiver:
            more: dict[str, Any] = {
                "hmac_key": "hook-secret-0123456789",
                "headers": {"X-Token": "header-secret-0123456789"},
            }
            delivered = await try_once(webhook(receiver.port, **more))
        assert "secret" not in delivered.detail
        assert "bad key" in delivered.detail

    within(test)


def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)

    async def test() -> None:
        async with desk() as receiver:
            assert (await try_once(webhook(receiver.port))).outcome is Outcome.ACCEPTED

    within(test)


def test_cancelling_passes_through() -> None:
    async def test() -> None:
        async with desk(SILENCE) as receiver:
            task = asyncio.ensure_future(try_once(webhook(receiver.port)))
            await asyncio.wait({task}, timeout=0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    within(test)


def test_facts_that_json_does_not_know_are_sent_as_text() -> None:
    odd = replace(PAGE, facts={"kind": ActKind.PAGE, "pair": (1, 2), "path": Path("x"), "onset": True})
    assert payload(odd, KEY, "r")["facts"] == {"kind": "page", "pair": [1, 2], "path": "x", "onset": True}
    assert payload(odd, KEY, "r")["onset"] is None


# --- PagerDuty


def sent(receiver: Desk) -> Any:
    return json.loads(receiver.requests[-1].body)


def test_a_page_triggers_and_its_resolve_resolves_the_same_alert() -> None:
    async def test() -> None:
        async with desk(answer("202 Accepted", b'{"status": "success", "dedup_key": "d-1"}')) as receiver:
            delivered = await try_once(pagerduty(receiver.port))
            trigger = sent(receiver)
            resolve_act = act(ActKind.PAGE_RESOLVE, "on_call.webhook-1")
            await pagerduty(receiver.port).deliver(resolve_act, resolve_act.id)
            resolve = sent(receiver)
        assert delivered == Delivered(Outcome.ACCEPTED, "127.0.0.1 answered 202", "d-1")
        assert trigger["event_action"] == "trigger"
        assert trigger["routing_key"] == resolve["routing_key"] == "R0UT1NGK3Y-0123456789"
        assert trigger["dedup_key"] == resolve["dedup_key"] == PAGE.alert("on_call.pagerduty-1")
        assert resolve["event_action"] == "resolve"
        assert "payload" not in resolve
        assert trigger["payload"]["severity"] == "critical"
        assert trigger["payload"]["source"] == "fra1"
        assert trigger["payload"]["component"] == "bird"
        assert trigger["payload"]["timestamp"] == "2026-11-22T10:00:00Z"
        assert trigger["payload"]["summary"].startswith("Critical Issue: Bird Email: persistent Unavailability")
        assert trigger["payload"]["custom_details"]["incident"] == PAGE.incident
        assert trigger["client"] == "prober"

    within(test)


@pytest.mark.parametrize(
    ("facts", "severity"),
    [
        ({"severity": "critical"}, "critical"),
        ({"severity": "severity-1"}, "critical"),
        ({"severity": "internal"}, "critical"),
        ({"severity": "non-critical"}, "error"),
        ({"severity": "severity-2"}, "error"),
        ({"severity": "issue"}, "error"),
        ({"severity": "internal", "urgency": "low"}, "warning"),
        ({"severity": None}, "critical"),
    ],
)
def test_the_severity_is_pagerdutys_word_for_the_agreements(facts: dict[str, Any], severity: str) -> None:
    made = act(ActKind.PAGE, "on_call.pagerduty-1", facts=FACTS | facts)
    assert event(made, made.id, "on_call.pagerduty-1", "r")["payload"]["severity"] == severity


def test_the_routing_key_is_not_told() -> None:
    async def test() -> None:
        async with desk(answer("400 Bad Request", b"invalid key R0UT1NGK3Y-0123456789")) as receiver:
            delivered = await try_once(pagerduty(receiver.port))
        assert delivered.outcome is Outcome.PERMANENT
        assert "R0UT1NGK3Y-0123456789" not in delivered.detail

    within(test)


def test_an_alerts_name_that_is_too_long_is_hashed_alike_for_page_and_resolve() -> None:
    page = act(ActKind.PAGE, "r", step="s" * 300)
    resolve = act(ActKind.PAGE_RESOLVE, "r", step="s" * 300)
    assert len(dedup_key(page, "r")) <= 255
    assert dedup_key(page, "r") == dedup_key(resolve, "r")
    assert dedup_key(page, "r") != dedup_key(act(ActKind.PAGE, "r", step="s" * 301), "r")


@pytest.mark.parametrize("filler", ["x", "\u202e", "é"])
def test_an_event_never_exceeds_what_the_api_takes(filler: str) -> None:
    huge = {**FACTS, "text": filler * 600_000, "title": filler * 5_000, "samples": [{"response": filler * 600_000}] * 9}
    page = replace(PAGE, facts=huge)
    body = encode(event(page, KEY, "r", "key"))
    assert len(body) <= 512_000
    assert len(json.loads(body)["payload"]["summary"]) <= 1024
    assert "facts" not in json.loads(body)["payload"]["custom_details"]
