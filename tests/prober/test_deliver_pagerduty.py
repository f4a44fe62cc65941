"""What PagerDuty tells of a page by its REST API: whom it notified, who acknowledged."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from deliver_acts import act
from fake_api import Fake, Reply, running
from http_desk import Request, answer, desk

from prober.deliver import Arrival, Reached
from prober.deliver.pagerduty import Pagerduty, dedup_key
from prober.receivers import PagerdutyReceiver
from rules.acts import ActKind

NAME = "on_call.pagerduty-1"
PAGE = act(ActKind.PAGE, NAME)
TOKEN = "pd-token-0123456789"


@dataclass
class FakePagerduty(Fake):
    """List incidents (by incident_key), list log entries of an incident; reference/REST/openapiv3.json of its schema."""

    incidents: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)

    def handle(self, request: Request, path: str, query: dict[str, str]) -> Reply:
        assert request.headers["authorization"] == f"Token token={TOKEN}"
        if path == "/incidents/PT4KHLK/log_entries":
            return "200 OK", {"log_entries": self.entries, "limit": 100, "offset": 0, "more": False}
        assert path == "/incidents"
        found = [i for i in self.incidents if i["incident_key"] == query["incident_key"]]
        return "200 OK", {"incidents": found, "limit": 25, "offset": 0, "more": False}


def incident(status: str = "triggered", acknowledged_by: str = "", changed_by: str = "") -> dict[str, Any]:
    who = [
        {
            "at": "2026-11-22T10:01:00Z",
            "acknowledger": {"id": "P1", "type": "user_reference", "summary": acknowledged_by},
        }
    ]
    return {
        "id": "PT4KHLK",
        "type": "incident",
        "status": status,
        "incident_key": dedup_key(PAGE, NAME),
        "acknowledgements": who if acknowledged_by else [],
        "last_status_change_by": {"id": "P2", "summary": changed_by} if changed_by else None,
    }


def notified(*names: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = [{"id": "Q1", "type": "trigger_log_entry"}]
    return [*entries, *({"type": "notify_log_entry", "user": {"type": "user", "summary": name}} for name in names)]


def look(fake: Fake, token: str | None = TOKEN, timeout: float = 10.0) -> Arrival:
    async def test() -> Arrival:
        async with running(fake) as url:
            settings = {"routing_key": "r", "api_token": token, "api_url": url + "/"}
            pager = Pagerduty(NAME, PagerdutyReceiver.model_validate(settings), timeout=timeout)
            return await pager.follow(PAGE, PAGE.id, "")

    return within(test)


def within(test: Callable[[], Coroutine[Any, Any, Arrival]]) -> Arrival:
    async def whole() -> Arrival:
        async with asyncio.timeout(20):
            return await test()

    return asyncio.run(whole())


def test_an_incident_that_was_acknowledged_names_who_did() -> None:
    arrival = look(FakePagerduty(incidents=[incident("acknowledged", "Earline Greenholt", "Somebody Else")]))
    by = "Earline Greenholt"
    assert arrival == Arrival(Reached.ACKNOWLEDGED, f"acknowledged in PagerDuty by {by}", by=by)


@pytest.mark.parametrize(("changed_by", "by"), [("Earline Greenholt", "Earline Greenholt"), ("", "somebody")])
def test_an_incident_that_was_resolved_by_hand_is_acknowledged_too(changed_by: str, by: str) -> None:
    arrival = look(FakePagerduty(incidents=[incident("resolved", changed_by=changed_by)]))
    assert arrival == Arrival(Reached.ACKNOWLEDGED, f"resolved in PagerDuty by {by}", by=by)


@pytest.mark.parametrize(
    ("entries", "reached", "detail"),
    [
        (notified("Ada", "Grace", "Ada"), Reached.DELIVERED, "PagerDuty notified Ada, Grace"),
        ([{"type": "notify_log_entry"}], Reached.DELIVERED, "PagerDuty notified somebody"),
        (notified(), Reached.WAITING, "PagerDuty has notified nobody yet"),
    ],
)
def test_before_that_whom_it_notified_is_told(entries: list[Any], reached: Reached, detail: str) -> None:
    assert look(FakePagerduty(incidents=[incident()], entries=entries)) == Arrival(reached, detail, again=15.0)


def test_an_event_of_which_there_is_no_incident_yet_is_waited_for() -> None:
    arrival = look(FakePagerduty(incidents=[]))
    assert arrival == Arrival(Reached.WAITING, "PagerDuty has made no incident of it yet", again=15.0)


def test_without_a_token_nothing_is_asked() -> None:
    fake = FakePagerduty()
    assert look(fake, token=None).again == 0.0
    assert fake.requests == []


@pytest.mark.parametrize(
    ("reply", "again"),
    [
        (answer("401 Unauthorized", TOKEN.encode()), 0.0),
        (answer("429 Too Many Requests", headers={"Retry-After": "40"}), 40.0),
        (answer("500 Internal Server Error"), 15.0),
    ],
)
def test_a_question_that_is_refused_is_asked_again_where_that_can_help(reply: bytes, again: float) -> None:
    async def test() -> Arrival:
        async with desk(reply) as server:
            settings = {"routing_key": "r", "api_token": TOKEN, "api_url": f"http://127.0.0.1:{server.port}"}
            return await Pagerduty(NAME, PagerdutyReceiver.model_validate(settings)).follow(PAGE, PAGE.id, "")

    arrival = within(test)
    assert (arrival.reached, arrival.again) == (Reached.WAITING, again)
    assert TOKEN not in arrival.detail
