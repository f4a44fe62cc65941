"""Any other desk, by templates: what they may say, what is sent, and what an act cannot make of them."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from deliver_acts import FACTS, act
from fake_api import LOST, Fake, Reply, running
from http_desk import Request, answer, desk

from prober.deliver import Delivered, marks
from prober.deliver.marks import mark
from prober.deliver.template import Template, at_path, faults
from prober.receiver_checks import check
from prober.receivers import TemplateReceiver, TemplateRequest
from rules.acts import Act, ActKind, Outcome

NAME = "bird.tickets.template-1"
TICKET = act(ActKind.TICKET, NAME)
NOTE = act(ActKind.NOTE, NAME, step="recovered", after=TICKET.id, facts={**FACTS, "thread": TICKET.id})
PAGE = act(ActKind.PAGE, NAME)
RESOLVE = act(ActKind.PAGE_RESOLVE, NAME, after=PAGE.id)


class Now(Fake):
    """A desk somewhat like ServiceNow's Table API."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.incidents: list[dict[str, Any]] = []
        self.missing = "200 OK"
        self.lags = False  # the search shows nothing yet

    def handle(self, request: Request, path: str, query: dict[str, str]) -> Reply:
        if request.method == "POST":
            self.incidents.append({"number": f"INC{len(self.incidents):07}", **json.loads(request.body)})
            return "201 Created", {"result": self.incidents[-1]}
        if request.method == "PATCH":
            found = next(i for i in self.incidents if path.endswith(i["number"]))
            found["notes"] = [*found.get("notes", ()), json.loads(request.body)["work_notes"]]
            return "200 OK", {"result": found}
        shown = [] if self.lags else self.incidents
        found_all = [i for i in shown if i["correlation_id"] == query["correlation_id"]]
        return (self.missing if not found_all else "200 OK"), {"result": found_all}


def settings(url: str, **more: Any) -> dict[str, Any]:
    """A receiver for `Now`."""
    return {
        "open": {
            "url": url + "/api/incident",
            "body": '{"short_description": {{ subject | tojson }}, "description": {{ text | tojson }},'
            ' "correlation_id": {{ mark | tojson }}, "priority": "{{ priority }}"}',
            "reference": "result.number",
        },
        "add": {
            "method": "PATCH",
            "url": url + "/api/incident/{{ ticket | quote }}",
            "body": '{"work_notes": {{ text | tojson }}}',
            "reference": "result.number",
        },
        "find": {
            "method": "GET",
            "url": url + "/api/incident?correlation_id={{ mark | quote }}",
            "reference": "result.0.number",
        },
        "headers": {"Authorization": "Bearer s3cr3t-0123456789"},
        **more,
    }


def receiver(url: str, **more: Any) -> Template:
    return Template(NAME, TemplateReceiver.model_validate(settings(url, **more)))


def within(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(whole())


async def give(delivery: Template, act: Act) -> Delivered:
    return await delivery.deliver(act, act.key(NAME))


def test_a_ticket_is_what_the_template_makes_of_the_act() -> None:
    async def test() -> None:
        now = Now()
        async with running(now) as url:
            delivered = await give(receiver(url, priorities={"critical": "1"}), TICKET)
        assert delivered == Delivered(Outcome.ACCEPTED, "127.0.0.1 answered 201", "INC0000000")
        (incident,) = now.incidents
        assert incident["short_description"] == "Critical Issue: Bird Email [bird-20261122T095900Z]"
        assert (
            incident["description"].startswith("\nWe report a Critical Issue") or "We report" in incident["description"]
        )
        assert incident["priority"] == "1"
        post = now.requests[-1]
        assert post.headers["authorization"] == "Bearer s3cr3t-0123456789"
        assert post.headers["content-type"] == "application/json"
        assert post.headers["idempotency-key"] == mark(TICKET.key(NAME))

    within(test)


def test_a_ticket_whose_answer_was_lost_is_found_and_not_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        now = Now(faults=[LOST])
        async with running(now) as url:
            delivery = receiver(url)
            first, again = await give(delivery, TICKET), await give(delivery, TICKET)
        assert first.outcome is Outcome.UNKNOWN
        assert again == Delivered(Outcome.ACCEPTED, "127.0.0.1 has it already, as INC0000000", "INC0000000")
        assert len(now.incidents) == 1

    within(test)


@pytest.mark.parametrize("missing", ["200 OK", "404 Not Found"])
def test_nothing_is_opened_again_while_the_search_may_lag(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    async def test() -> None:
        now = Now(faults=[b"HTTP/1.1 2"])
        now.missing = missing
        async with running(now) as url:
            delivery = receiver(url)
            outcomes = [(await give(delivery, TICKET)).outcome for _ in range(2)]
            monkeypatch.setattr(marks, "SETTLE", 0.0)
            outcomes.append((await give(delivery, TICKET)).outcome)
        assert outcomes == [Outcome.UNKNOWN, Outcome.UNKNOWN, Outcome.ACCEPTED]

    within(test)


@pytest.mark.parametrize(("opens", "adds"), [(TICKET, NOTE), (PAGE, RESOLVE)])
def test_what_adds_to_something_that_the_search_does_not_show_yet_is_tried_again(opens: Act, adds: Act) -> None:
    """The pager was down, and gets a page and its resolve at once: refused, the page would stand there for ever."""

    async def test() -> None:
        now = Now()
        now.lags = True
        async with running(now) as url:
            delivery = receiver(url)
            opened, early = await give(delivery, opens), await give(delivery, adds)
            now.lags = False
            late = await give(delivery, adds)
        why = "127.0.0.1: the search does not show yet what was opened"
        assert (opened.outcome, early) == (Outcome.ACCEPTED, Delivered(Outcome.TRANSIENT, why))
        assert late.outcome is Outcome.ACCEPTED
        assert len(now.incidents[0]["notes"]) == 1

    within(test)


def test_a_note_and_a_resolve_go_where_what_they_belong_to_is() -> None:
    async def test() -> None:
        now = Now()
        async with running(now) as url:
            delivery = receiver(url)
            for each in (TICKET, NOTE, PAGE, RESOLVE):
                assert (await give(delivery, each)).outcome is Outcome.ACCEPTED
            adopted = act(ActKind.NOTE, NAME, facts={**FACTS, "ticket": "INC0000001"})
            await give(delivery, adopted)
        ticket, page = now.incidents
        assert len(ticket["notes"]) == 1
        assert [note.strip().startswith("Resolved.") for note in page["notes"]] == [True, False]

    within(test)


def test_a_note_that_finds_no_ticket_is_refused_and_goes_to_no_ticket_in_particular() -> None:
    async def test() -> None:
        now = Now()
        async with running(now) as url:
            delivered = await give(receiver(url), NOTE)
        assert delivered == Delivered(Outcome.PERMANENT, "127.0.0.1: the ticket to add to is not there")
        assert [request.method for request in now.requests] == ["GET"]

    within(test)


def test_a_pager_needs_one_template_alone() -> None:
    async def test() -> None:
        async with desk() as pager:
            url = f"http://127.0.0.1:{pager.port}/{{{{ kind }}}}/{{{{ alert | quote }}}}"
            bare = {"open": {"url": url, "body": "{{ summary }}", "content_type": "text/plain"}}
            delivery = Template(NAME, TemplateReceiver.model_validate(bare))
            delivered = [await give(delivery, each) for each in (PAGE, RESOLVE)]
        assert [each.outcome for each in delivered] == [Outcome.ACCEPTED] * 2
        paths = [request.path for request in pager.requests]
        alert = PAGE.alert(NAME).replace("/", "%2F")
        assert paths == [f"/page/{alert}", f"/page_resolve/{alert}"]
        assert pager.requests[0].headers["content-type"] == "text/plain"

    within(test)


def test_a_request_without_a_body_has_no_type() -> None:
    async def test() -> None:
        async with desk() as pager:
            bare = {"open": {"url": f"http://127.0.0.1:{pager.port}/", "method": "PUT"}}
            await give(Template(NAME, TemplateReceiver.model_validate(bare)), PAGE)
        assert "content-type" not in pager.requests[0].headers

    within(test)


@pytest.mark.parametrize("status", ["403 Forbidden", "429 Too Many Requests", "500 Internal Server Error"])
def test_nothing_is_opened_when_the_search_fails(status: str) -> None:
    async def test() -> None:
        async with desk(answer(status, b"s3cr3t-0123456789", {"Retry-After": "9"})) as server:
            delivered = await give(receiver(f"http://127.0.0.1:{server.port}"), TICKET)
        assert [request.method for request in server.requests] == ["GET"]
        assert delivered.outcome is (Outcome.PERMANENT if status.startswith("403") else Outcome.TRANSIENT)
        assert "s3cr3t-0123456789" not in delivered.detail

    within(test)


@pytest.mark.parametrize(
    ("part", "text", "why"),
    [
        ("url", "/{{ facts.nothing.at.all / 0 }}", "the template fails on this act (UndefinedError)"),
        ("body", "{{ 1 / 0 }}", "the template fails on this act (ZeroDivisionError)"),
        ("body", "{{ facts.__class__() }}", "the template fails on this act (SecurityError)"),
        ("body", "{{ 'x' * 2000000 }}", "the template makes a body of more than a million characters"),
        ("url", "/{{ summary }}", "the template makes no URL; put values through the filter quote"),
        ("url", "{{ '.evil.example/' }}", "the template makes no URL; put values through the filter quote"),
        ("url", "/#{{ kind }}", "the template makes no URL; put values through the filter quote"),
    ],
)
def test_a_template_that_fails_is_told_and_leads_nowhere(part: str, text: str, why: str) -> None:
    async def test() -> None:
        async with desk() as server:
            origin = f"http://127.0.0.1:{server.port}"
            request = TemplateRequest.model_construct(
                method="POST",
                url=origin + (text if part == "url" else ""),
                body=text if part == "body" else "",
                content_type="text/plain",
                reference="",
            )
            delivery = Template(NAME, TemplateReceiver.model_construct(open=request))
            delivered = await give(delivery, TICKET)
        assert delivered == Delivered(Outcome.PERMANENT, f"127.0.0.1: {why}")
        assert server.requests == []

    within(test)


def test_what_is_missing_in_an_act_is_empty() -> None:
    async def test() -> None:
        async with desk() as server:
            bare = {"open": {"url": f"http://127.0.0.1:{server.port}/", "body": "[{{ facts.a.b }}{{ facts.c }}]"}}
            await give(Template(NAME, TemplateReceiver.model_validate(bare)), act(ActKind.PAGE, NAME, facts={}))
        assert server.requests[0].body == b"[]"

    within(test)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{{ subject", "is not a template (Jinja): unexpected end of template"),
        ("{{ subjekt }}", "names subjekt, which no act has; known are alert, condition"),
        ("{{ subject | toyson }}", "is not a template (Jinja): No filter named 'toyson'"),
    ],
)
def test_a_template_that_is_wrong_is_told_before_it_is_used(text: str, fault: str) -> None:
    request = TemplateRequest.model_validate({"url": "http://h/", "body": text})
    ((key, message),) = faults(request)
    assert key == "body"
    assert message.startswith(fault)


def test_what_a_receiver_lacks_is_told() -> None:
    good = settings("http://desk.example")
    assert list(check(TemplateReceiver.model_validate(good))) == []
    elsewhere = {**good, "find": {"url": "http://other.example/", "method": "GET"}}
    assert list(check(TemplateReceiver.model_validate(elsewhere))) == [
        (("find", "url"), "leads to another host than the one of open; keep to one"),
        (("find", "reference"), "is missing; write where the answer holds the number of a ticket that is there"),
    ]


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [
        ({"result": [{"id": 7}]}, "result.0.id", "7"),
        ({"result": []}, "result.0.id", ""),
        ({"id": True}, "id", ""),
        ({"id": {"a": 1}}, "id", ""),
        ({"0": "zero"}, "0", "zero"),
        (["a"], "x", ""),
        (["a"], "9999999999", ""),
        ("text", "id", ""),
        (None, "id", ""),
    ],
)
def test_a_path_finds_texts_and_numbers(value: Any, path: str, found: str) -> None:
    assert at_path(value, path) == found
