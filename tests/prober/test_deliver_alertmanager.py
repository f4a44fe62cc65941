"""Pages as alerts: against a real Alertmanager, which routes them, and against a server that answers badly."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from deliver_acts import FACTS, act
from http_desk import SILENCE, Desk, answer, desk

from prober.deliver import Arrival, Delivered, Reached
from prober.deliver.alertmanager import ALERT, HORIZON, Alertmanager
from prober.receivers import AlertmanagerReceiver
from rules.acts import ActKind, Outcome
from tests.peers.alertmanager_peer import alertmanager_peer

NAME = "on_call.alertmanager-1"
PAGE = act(ActKind.PAGE, NAME)
#: The facts may have changed since the page.
RESOLVE = act(ActKind.PAGE_RESOLVE, NAME, after=PAGE.id, facts={**FACTS, "severity": "high", "condition": "partial"})


def within(test: Callable[[], Coroutine[Any, Any, None]], seconds: float = 40) -> None:
    async def whole() -> None:
        async with asyncio.timeout(seconds):
            await test()

    asyncio.run(whole())


def receiver(url: str, now: Callable[[], float] = time.time, timeout: float = 10.0, **more: Any) -> Alertmanager:
    settings = AlertmanagerReceiver.model_validate({"url": url, **more})
    return Alertmanager(NAME, settings, now=now, timeout=timeout)


async def hooked(hook: Desk, status: str) -> dict[str, Any]:
    """The first notification of that status, once Alertmanager has sent it."""
    while True:
        for request in hook.requests:
            body: dict[str, Any] = json.loads(request.body)
            if body["status"] == status:
                return body
        await asyncio.sleep(0.05)


async def routed(pager: Alertmanager) -> Arrival:
    """What becomes of the page once Alertmanager has decided that, a moment after it took it."""
    while (arrival := await pager.follow(PAGE, PAGE.id, "")).detail.endswith("has not routed it yet"):
        pass
    return arrival


@pytest.mark.peer("alertmanager")
def test_a_page_fires_until_it_is_resolved_whatever_its_facts_are_then(tmp_path: Path) -> None:
    async def test() -> None:
        async with desk() as hook:
            with alertmanager_peer(tmp_path, f"http://127.0.0.1:{hook.port}/") as peer:
                pager = receiver(peer.url, labels={"team": "mail"}, generator_url="http://127.0.0.1:9580/")
                delivered = await pager.deliver(PAGE, PAGE.id)
                fired = await hooked(hook, "firing")
                resolved_by = receiver(peer.url)  # another process, after a restart: it knows of no label
                resolution = await resolved_by.deliver(RESOLVE, RESOLVE.id)
                resolved = await hooked(hook, "resolved")
                assert peer.alerts() == []
        assert delivered == Delivered(Outcome.ACCEPTED, "127.0.0.1 took it", PAGE.alert(NAME))
        assert resolution.outcome is Outcome.ACCEPTED
        (alert,) = fired["alerts"]
        assert alert["labels"] == {
            "alertname": "VendorIncident",
            "service": "bird",
            "severity": "critical",
            "condition": "unavailable",
            "incident": PAGE.incident,
            "team": "mail",
            ALERT: PAGE.alert(NAME),
        }
        assert alert["annotations"]["summary"].startswith("Critical Issue: Bird Email: persistent Unavailability")
        assert "WHAT WAS SEEN" in alert["annotations"]["description"]
        assert alert["generatorURL"] == "http://127.0.0.1:9580/"
        (over,) = resolved["alerts"]
        assert over["annotations"]["description"].startswith("Resolved."), (
            "it tells people the newest that it was given"
        )

    within(test)


@pytest.mark.peer("alertmanager")
def test_a_followed_page_fires_again_after_alertmanager_has_forgotten_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with desk() as hook:
            with alertmanager_peer(tmp_path, f"http://127.0.0.1:{hook.port}/") as peer:
                pager = receiver(peer.url, resend="30s")
                await pager.deliver(PAGE, PAGE.id)
                await asyncio.to_thread(peer.stop)
                lost = await pager.follow(PAGE, PAGE.id, "")
                await asyncio.to_thread(peer.start)
                assert peer.alerts() == []
                again = await routed(pager)
                (alert,) = peer.alerts()
        assert lost.reached is Reached.WAITING
        assert lost.detail == "127.0.0.1: no connection before the request was sent"
        assert (lost.again, again.again) == (30.0, 30.0)
        assert alert["labels"][ALERT] == PAGE.alert(NAME)
        assert (again.reached, again.detail) == (Reached.DELIVERED, "127.0.0.1 routes it to on-call")

    within(test)


@pytest.mark.peer("alertmanager")
def test_a_silenced_page_is_told_as_one_that_reaches_nobody(tmp_path: Path) -> None:
    async def test() -> None:
        async with desk() as hook:
            with alertmanager_peer(tmp_path, f"http://127.0.0.1:{hook.port}/") as peer:
                peer.silence(incident=PAGE.incident)
                pager = receiver(peer.url)
                await pager.deliver(PAGE, PAGE.id)
                arrival = await routed(pager)
        assert arrival.reached is Reached.WAITING
        assert arrival.detail == "127.0.0.1 keeps it back: silenced or inhibited"

    within(test)


def test_an_alert_ends_ahead_so_that_our_restart_is_no_recovery() -> None:
    alert = receiver("http://127.0.0.1:9093", now=lambda: 1_795_341_600.0).alert(PAGE)
    starts, ends = (datetime.fromisoformat(alert[name]) for name in ("startsAt", "endsAt"))
    assert (ends - starts).total_seconds() == HORIZON
    slow = receiver("http://127.0.0.1:9093", now=lambda: 1_795_341_600.0, resend="1h").alert(PAGE)
    assert slow["endsAt"] == "2026-11-22T20:00:00.000Z"


def test_what_is_not_known_is_no_label() -> None:
    alert = receiver("http://127.0.0.1:9093").alert(act(ActKind.PAGE, NAME, facts={}))
    assert set(alert["labels"]) == {"alertname", "incident", ALERT}
    assert "generatorURL" not in alert


def test_a_path_prefix_and_headers_are_kept() -> None:
    async def test() -> None:
        async with desk(answer("200 OK")) as server:
            pager = receiver(
                f"http://127.0.0.1:{server.port}/am/", headers={"Authorization": "Bearer t0k3n-0123456789"}
            )
            await pager.deliver(PAGE, PAGE.id)
        (request,) = server.requests
        assert request.path == "/am/api/v2/alerts"
        assert request.headers["authorization"] == "Bearer t0k3n-0123456789"
        assert isinstance(json.loads(request.body), list)

    within(test)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (answer("400 Bad Request", b'{"code": 601}'), Outcome.PERMANENT),
        (answer("429 Too Many Requests", headers={"Retry-After": "7"}), Outcome.TRANSIENT),
        (answer("503 Service Unavailable"), Outcome.TRANSIENT),
        (b"HTTP/1.1 2", Outcome.TRANSIENT),  # an alert that is sent twice is one alert
        (SILENCE, Outcome.TRANSIENT),
    ],
)
def test_what_goes_wrong_is_told(reply: bytes, outcome: Outcome) -> None:
    async def test() -> None:
        async with desk(reply) as server:
            pager = receiver(f"http://127.0.0.1:{server.port}", timeout=1.5)
            delivered = await pager.deliver(PAGE, PAGE.id)
            resolved = await pager.deliver(RESOLVE, RESOLVE.id)
        assert (delivered.outcome, resolved.outcome) == (outcome, outcome)

    within(test)


def test_resolving_what_alertmanager_does_not_have_changes_nothing() -> None:
    async def test() -> None:
        async with desk(answer("200 OK", b"[]")) as server:
            delivered = await receiver(f"http://127.0.0.1:{server.port}").deliver(RESOLVE, RESOLVE.id)
        assert delivered.detail == "127.0.0.1 does not have it any more"
        assert [request.method for request in server.requests] == ["GET"]

    within(test)


@pytest.mark.parametrize("shown", [b"{}", b"no json", answer("200 OK", b"[" * 50)[:-20]])
def test_a_list_of_alerts_that_cannot_be_read_resolves_nothing_and_is_asked_for_again(shown: bytes) -> None:
    async def test() -> None:
        shows = shown if shown.startswith(b"HTTP") else answer("200 OK", shown)
        async with desk(shows) as server:
            delivered = await receiver(f"http://127.0.0.1:{server.port}").deliver(RESOLVE, RESOLVE.id)
        assert delivered.outcome is Outcome.TRANSIENT
        assert "nothing follows from that" in delivered.detail
        async with desk(answer("200 OK"), shows) as server:
            arrival = await receiver(f"http://127.0.0.1:{server.port}").follow(PAGE, PAGE.id, "")
        assert arrival.reached is Reached.WAITING
        assert arrival.again > 0, "the alert is sent again in any case"

    within(test)


@pytest.mark.parametrize("shown", [b"[]", b'[{"labels": "x"}]', b'[1, "x", null]'])
def test_an_answer_of_another_shape_shows_no_alert(shown: bytes) -> None:
    async def test() -> None:
        async with desk(answer("200 OK"), answer("200 OK", shown)) as server:
            arrival = await receiver(f"http://127.0.0.1:{server.port}").follow(PAGE, PAGE.id, "")
        assert arrival.detail == "127.0.0.1 does not show it yet"

    within(test)


def test_an_alert_that_no_receiver_gets_is_told() -> None:
    async def test() -> None:
        shown = json.dumps([{"labels": {}, "status": {"state": "active"}, "receivers": "odd"}]).encode()
        async with desk(answer("200 OK"), answer("200 OK", shown)) as server:
            arrival = await receiver(f"http://127.0.0.1:{server.port}").follow(PAGE, PAGE.id, "")
        assert arrival.detail == "127.0.0.1 routes it to nobody"

    within(test)


@pytest.mark.parametrize("status", ["odd", {}, {"state": "unprocessed"}])
def test_an_alert_in_no_known_state_has_reached_nobody(status: Any) -> None:
    async def test() -> None:
        shown = json.dumps([{"labels": {}, "status": status, "receivers": [{"name": "on-call"}]}]).encode()
        async with desk(answer("200 OK"), answer("200 OK", shown)) as server:
            arrival = await receiver(f"http://127.0.0.1:{server.port}").follow(PAGE, PAGE.id, "")
        assert (arrival.reached, arrival.detail) == (Reached.WAITING, "127.0.0.1 has not routed it yet")

    within(test)
