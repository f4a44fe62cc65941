"""One suite over every receiver with an HTTP API: what its answers mean for the act, and that a repeat makes nothing twice.

What each kind says and how, its own file tests (test_deliver_*.py). Here stands what holds of all of them alike, so that a
new kind is held to it by one line in `KINDS`.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from deliver_acts import INCIDENT, act
from fake_api import GIVES_UP, HALF, LOST, SLOW, Fake, Reply, running
from fake_desks import FakeJira, FakeServiceDesk, FakeZendesk
from fake_twilio import ACCOUNT, FakeTwilio
from http_desk import Request, answer, desk
from test_deliver_statuspage import FakeStatuspage
from test_deliver_template import Now
from test_deliver_template import settings as template

from prober.deliver import Delivered, Delivery, marks
from prober.deliver.alertmanager import Alertmanager
from prober.deliver.jira import jira
from prober.deliver.pagerduty import Pagerduty
from prober.deliver.statuspage import Statuspage
from prober.deliver.template import Template
from prober.deliver.twilio import Twilio
from prober.deliver.webhook import Webhook
from prober.deliver.zendesk import zendesk
from prober.receivers import (
    AlertmanagerReceiver,
    JiraReceiver,
    PagerdutyReceiver,
    StatuspageReceiver,
    TemplateReceiver,
    TwilioReceiver,
    WebhookReceiver,
    ZendeskReceiver,
)
from rules.acts import Act, ActKind, Outcome

NAME = "bird.tickets.one"
TOKEN = "s3cret-key"
TICKET = act(ActKind.TICKET, NAME)
PAGE = act(ActKind.PAGE, NAME)
PUBLIC = {"what": "raised", "progress": "investigating", "service": "bird", "title": "Bird Email", "at": 1_795_341_600}
STATUS = Act(INCIDENT, 1, ActKind.STATUS, "raised-1", (NAME,), 1_795_341_600, facts=PUBLIC)


@dataclass
class FakePager(Fake):
    """Takes events of PagerDuty's Events API, or a webhook's acts; whoever sends one key twice has sent one."""

    key: str = "dedup_key"
    status: str = "202 Accepted"
    taken: dict[str, Any] = field(default_factory=dict)

    def handle(self, request: Request, path: str, query: dict[str, str]) -> Reply:
        event = json.loads(request.body)
        self.taken[event[self.key]] = event
        return self.status, {"status": "success", self.key: event[self.key]}


@dataclass
class FakeAlertmanager(Fake):
    """Alerts of API v2: an alert is its labels."""

    taken: dict[str, Any] = field(default_factory=dict)

    def handle(self, request: Request, path: str, query: dict[str, str]) -> Reply:
        if request.method == "GET":
            return "200 OK", list(self.taken.values())
        self.taken |= {json.dumps(alert["labels"], sort_keys=True): alert for alert in json.loads(request.body)}
        return "200 OK", None


@dataclass(frozen=True)
class Kind:
    """A kind of receiver: its fake, the receiver for it (URL, time-out in seconds), what it is given, what came of it."""

    fake: Callable[[], Any]
    make: Callable[[str, float], Delivery]
    act: Act
    made: Callable[[Any], int]
    searches: bool = True  # before it makes anything (again)
    in_doubt: Outcome = Outcome.UNKNOWN  # what a lost answer is: TRANSIENT where sending it twice is sending it once


def _desk(url: str, timeout: float, **more: Any) -> Delivery:
    return zendesk(NAME, ZendeskReceiver.model_validate({"url": url, "api_token": TOKEN, **more}), timeout=timeout)


def _jira(url: str, timeout: float, **more: Any) -> Delivery:
    return jira(NAME, JiraReceiver.model_validate({"url": url, "api_token": TOKEN, **more}), timeout=timeout)


def _template(url: str, timeout: float) -> Delivery:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return Template(NAME, TemplateReceiver.model_validate(template(url, headers=headers)), timeout=timeout)


def _twilio(url: str, timeout: float) -> Delivery:
    own = {"url": url, "account_sid": ACCOUNT, "auth_token": TOKEN, "from": "+15550100", "to": "+49301234567"}
    return Twilio(NAME, TwilioReceiver.model_validate(own), now=lambda: 1_795_341_600.0, timeout=timeout)


def _pagerduty(url: str, timeout: float) -> Delivery:
    return Pagerduty(NAME, PagerdutyReceiver.model_validate({"url": url, "routing_key": TOKEN}), timeout=timeout)


def _alertmanager(url: str, timeout: float) -> Delivery:
    own = {"url": url, "headers": {"Authorization": f"Bearer {TOKEN}"}}
    return Alertmanager(NAME, AlertmanagerReceiver.model_validate(own), timeout=timeout)


def _statuspage(url: str, timeout: float) -> Delivery:
    own = {"url": url, "page": "abc123def456", "component": "whole", "api_key": TOKEN}
    return Statuspage(NAME, StatuspageReceiver.model_validate(own), timeout=timeout, pace=0.0)


def _webhook(url: str, timeout: float) -> Delivery:
    own = {"url": url, "headers": {"Authorization": f"Bearer {TOKEN}"}}
    return Webhook(NAME, WebhookReceiver.model_validate(own), timeout=timeout)


KINDS = {
    "zendesk": Kind(FakeZendesk, _desk, TICKET, lambda f: len(f.tickets)),
    "zendesk_end_user": Kind(FakeZendesk, lambda u, t: _desk(u, t, role="end_user"), TICKET, lambda f: len(f.tickets)),
    "jira": Kind(FakeJira, lambda u, t: _jira(u, t, project="VEN"), TICKET, lambda f: len(f.issues)),
    "jira_server": Kind(
        lambda: FakeJira(search="search"),
        lambda u, t: _jira(u, t, project="VEN", deployment="server"),
        TICKET,
        lambda f: len(f.issues),
    ),
    "service_desk": Kind(
        FakeServiceDesk,
        lambda u, t: _jira(u, t, service_desk="10", request_type="25"),
        TICKET,
        lambda f: len(f.made),
    ),
    "template": Kind(Now, _template, TICKET, lambda f: len(f.incidents)),
    "statuspage": Kind(FakeStatuspage, _statuspage, STATUS, lambda f: len(f.incidents)),
    "twilio": Kind(FakeTwilio, _twilio, PAGE, lambda f: len(f.calls)),
    "pagerduty": Kind(FakePager, _pagerduty, PAGE, lambda f: len(f.taken), searches=False),
    "webhook": Kind(
        lambda: FakePager(key="key", status="200 OK"), _webhook, TICKET, lambda f: len(f.taken), searches=False
    ),
    "alertmanager": Kind(
        FakeAlertmanager, _alertmanager, PAGE, lambda f: len(f.taken), searches=False, in_doubt=Outcome.TRANSIENT
    ),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
searching = pytest.mark.parametrize(
    "kind", [k for k in KINDS.values() if k.searches], ids=[n for n, k in KINDS.items() if k.searches]
)


def within(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(whole())


async def give(kind: Kind, delivery: Delivery) -> Delivered:
    return await delivery.deliver(kind.act, kind.act.key(NAME))


@every_kind
def test_what_is_taken_is_taken_once_however_often_it_is_sent(kind: Kind) -> None:
    async def test() -> None:
        fake = kind.fake()
        async with running(fake) as url:
            delivery = kind.make(url, 10.0)
            outcomes = [(await give(kind, delivery)).outcome for _ in range(1 if kind.fake is FakeTwilio else 2)]
        assert set(outcomes) == {Outcome.ACCEPTED}
        assert kind.made(fake) == 1

    within(test)


@every_kind
@pytest.mark.parametrize(
    ("reply", "outcome", "wait"),
    [
        (answer("429 Too Many Requests", b"slow down", {"Retry-After": "17"}), Outcome.TRANSIENT, 17.0),
        (answer("503 Service Unavailable", headers={"Retry-After": "86400"}), Outcome.TRANSIENT, 300.0),
        (answer("408 Request Timeout"), Outcome.TRANSIENT, 0.0),
        (answer("500 Internal Server Error"), Outcome.TRANSIENT, 0.0),
        (answer("502 Bad Gateway", b"<html>"), Outcome.TRANSIENT, 0.0),
        (answer("400 Bad Request"), Outcome.PERMANENT, 0.0),
        (answer("401 Unauthorized"), Outcome.PERMANENT, 0.0),
        (answer("404 Not Found"), Outcome.PERMANENT, 0.0),
        (answer("422 Unprocessable Entity"), Outcome.PERMANENT, 0.0),
    ],
    ids=["429", "503", "408", "500", "502", "400", "401", "404", "422"],
)
def test_the_status_says_whether_trying_again_can_help_and_when(
    kind: Kind, reply: bytes, outcome: Outcome, wait: float
) -> None:
    async def test() -> None:
        fake = kind.fake()
        fake.faults = [reply]
        async with running(fake) as url:
            delivered = await give(kind, kind.make(url, 10.0))
        assert (delivered.outcome, delivered.retry_after) == (outcome, wait), delivered.detail
        assert delivered.detail.startswith("127.0.0.1 answered ")
        assert kind.made(fake) == 0

    within(test)


@every_kind
@pytest.mark.parametrize("fault", [LOST, SLOW, HALF])
def test_a_lost_or_half_answer_leads_to_no_second_one(kind: Kind, fault: str) -> None:
    async def test() -> None:
        fake = kind.fake()
        fake.faults = [fault]
        async with running(fake) as url:
            delivery = kind.make(url, GIVES_UP if fault == SLOW else 10.0)
            first = await give(kind, delivery)
            # A status that came is an answer, whether or not its body broke off.
            if fault != HALF:
                assert first.outcome is kind.in_doubt, first.detail
            else:
                assert first.outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN, kind.in_doubt)
            again = first if first.outcome is Outcome.ACCEPTED else await give(kind, kind_again(kind, delivery, url))
        assert again.outcome is Outcome.ACCEPTED, again.detail
        assert kind.made(fake) == 1

    within(test)


def kind_again(kind: Kind, delivery: Delivery, url: str) -> Delivery:
    """The same receiver with patience; Twilio's knows what it lost, so that it stays."""
    return delivery if kind.fake is FakeTwilio else kind.make(url, 10.0)


@searching
@pytest.mark.parametrize(
    "page",
    [
        answer("200 OK", b"[" + b" " * 200)[:-100],
        answer("200 OK", b"<html>Please log in</html>", {"Content-Type": "text/html"}),
        answer("200 OK", b'{"tickets'),
    ],
    ids=["broken off", "a login's page", "half a value"],
)
def test_a_search_that_cannot_be_read_does_not_pass_for_there_is_none(
    kind: Kind, page: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marks, "SETTLE", 0.0)  # the search has had its time

    async def test() -> None:
        fake = kind.fake()
        fake.faults = [LOST]
        async with running(fake) as url:
            delivery = kind.make(url, 10.0)
            assert (await give(kind, delivery)).outcome is Outcome.UNKNOWN
            serve = fake.serve

            async def garbled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                request = await fake.take(reader)
                assert request.method == "GET", "nothing is made before the search can be read"
                writer.write(page)
                await writer.drain()

            fake.serve = garbled
            blind = await give(kind, delivery)
            fake.serve = serve
            again = await give(kind, delivery)
        assert blind.outcome is Outcome.TRANSIENT, blind.detail
        assert "nothing follows from that" in blind.detail
        assert again.outcome is Outcome.ACCEPTED, again.detail
        assert kind.made(fake) == 1

    within(test)


@every_kind
def test_a_redirect_is_not_followed_and_takes_no_credentials_along(kind: Kind) -> None:
    async def test() -> None:
        async with desk() as elsewhere:
            for status in ("301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"):
                target = f"http://127.0.0.1:{elsewhere.port}/"
                async with desk(answer(status, headers={"Location": target})) as here:
                    delivered = await give(kind, kind.make(f"http://127.0.0.1:{here.port}", 10.0))
                assert delivered.outcome is Outcome.PERMANENT
                assert "a redirect: none is followed, configure the final address" in delivered.detail
            assert elsewhere.requests == []

    within(test)


@every_kind
def test_an_answer_without_end_is_neither_kept_nor_waited_for(kind: Kind) -> None:
    class Flood(Fake):
        """Writes until nobody reads any more."""

        written = 0

        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self.take(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n[")
            while True:
                writer.write(b" " * 65_536)
                self.written += 65_536
                await writer.drain()

    async def test() -> None:
        flood = Flood()
        async with running(flood) as url:
            delivered = await asyncio.wait_for(give(kind, kind.make(url, 10.0)), 20)
        assert len(delivered.detail) < 500
        assert flood.written < 40_000_000, "it stops reading after what is kept, and what the sockets hold"

    within(test)


@every_kind
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "500 Internal Server Error"])
def test_a_secret_that_comes_back_is_not_told(kind: Kind, status: str) -> None:
    async def test() -> None:
        said = f"Authorization: Bearer {TOKEN} {TOKEN}".encode()
        async with desk(answer(status, b'{"id": "' + said + b'", "error": "' + said + b'"}')) as receiver:
            delivered = await give(kind, kind.make(f"http://127.0.0.1:{receiver.port}", 10.0))
        assert TOKEN not in f"{delivered.detail} {delivered.reference}"

    within(test)


@every_kind
def test_nobody_there_is_worth_another_try(kind: Kind) -> None:
    async def test() -> None:
        async with desk() as gone:
            port = gone.port
        delivered = await give(kind, kind.make(f"http://127.0.0.1:{port}", 5.0))
        assert delivered.outcome is Outcome.TRANSIENT
        assert delivered.detail == "127.0.0.1: no connection before the request was sent"

    within(test)
