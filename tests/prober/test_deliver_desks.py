"""Tickets at Zendesk, Jira and Jira Service Management: one an incident, whatever is lost on the way."""

import asyncio
import base64
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
from deliver_acts import FACTS, act
from fake_api import FINE, GIVES_UP, HALF, LOST, SLOW, Fake, running
from fake_desks import FakeJira, FakeServiceDesk, FakeZendesk
from http_desk import answer

from prober.deliver import Delivered, marks
from prober.deliver.desk import Desk
from prober.deliver.jira import jira
from prober.deliver.marks import mark
from prober.deliver.zendesk import zendesk
from prober.receivers import JiraReceiver, ZendeskReceiver
from rules.acts import Act, ActKind, Outcome

NAME = "bird.tickets.desk"
#: The act's first receiver refused it, so its own name is another's.
TICKET = act(ActKind.TICKET, "bird.tickets.email-1", NAME)
THREAD = {**FACTS, "thread": TICKET.id, "ticket": "<mail@example.com>"}
NOTE = act(ActKind.NOTE, NAME, step="recovered", after=TICKET.id, facts=THREAD)
PAGE = act(ActKind.PAGE, NAME)
TOKEN = "desk-token-0123456789"


@dataclass(frozen=True)
class Kind:
    """A kind of desk: its fake, a receiver for it, and what the fake holds."""

    fake: Callable[[], Any]
    make: Callable[..., Desk]
    tickets: Callable[[Any], list[Any]]  # tickets of the fake
    comments: Callable[[Any, int], list[str]]  # comments of the ticket at that place, without its first text
    number: str  # of the first ticket


def zendesk_desk(url: str, timeout: float = 10.0, **more: Any) -> Desk:
    settings = {"url": url, "username": "oncall@example.com", "api_token": TOKEN, **more}
    return zendesk(NAME, ZendeskReceiver.model_validate(settings), timeout=timeout)


def jira_desk(url: str, timeout: float = 10.0, **more: Any) -> Desk:
    settings = {"url": url, "username": "oncall@example.com", "api_token": TOKEN, "project": "VEN", **more}
    return jira(NAME, JiraReceiver.model_validate(settings), timeout=timeout)


def service_desk(url: str, timeout: float = 10.0, **more: Any) -> Desk:
    settings = {"url": url, "api_token": TOKEN, "service_desk": "10", "request_type": "25", **more}
    return jira(NAME, JiraReceiver.model_validate(settings), timeout=timeout)


def _zendesk_comments(fake: FakeZendesk, place: int) -> list[str]:
    return [c["body"] for c in fake.comments[fake.tickets[place]["id"]][1:]]


KINDS = {
    "zendesk": Kind(FakeZendesk, zendesk_desk, lambda f: f.tickets, _zendesk_comments, "35436"),
    "zendesk_end_user": Kind(
        FakeZendesk,
        lambda *a, **k: zendesk_desk(*a, role="end_user", **k),
        lambda f: f.tickets,
        _zendesk_comments,
        "35436",
    ),
    "jira": Kind(
        FakeJira, jira_desk, lambda f: f.issues, lambda f, n: [c["body"] for c in f.issues[n]["comments"]], "VEN-24"
    ),
    "jira_server": Kind(
        lambda: FakeJira(search="search"),
        lambda *a, **k: jira_desk(*a, deployment="server", **k),
        lambda f: f.issues,
        lambda f, n: [c["body"] for c in f.issues[n]["comments"]],
        "VEN-24",
    ),
    "service_desk": Kind(
        FakeServiceDesk,
        service_desk,
        lambda f: f.made,
        lambda f, n: [c["body"] for c in f.made[n]["comments"]],
        "HELP-1",
    ),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def within(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(whole())


async def give(desk: Desk, act: Act) -> Delivered:
    return await desk.deliver(act, act.key(NAME))


# what each kind does


@every_kind
def test_a_ticket_is_opened_once_and_its_number_is_told(kind: Kind) -> None:
    async def test() -> None:
        fake = kind.fake()
        async with running(fake) as url:
            first = await give(kind.make(url), TICKET)
            again = await give(kind.make(url), TICKET)  # after a restart: nothing is remembered
        assert first == Delivered(Outcome.ACCEPTED, f"127.0.0.1 opened it as {kind.number}", kind.number)
        assert again == Delivered(Outcome.ACCEPTED, f"127.0.0.1 is there already, as {kind.number}", kind.number)
        assert len(kind.tickets(fake)) == 1
        assert "We report a Critical Issue" in json.dumps(kind.tickets(fake)[0])

    within(test)


@every_kind
@pytest.mark.parametrize("fault", [LOST, HALF, SLOW])
def test_a_ticket_whose_answer_was_lost_is_found_and_not_opened_again(kind: Kind, fault: str) -> None:
    async def test() -> None:
        fake = kind.fake()
        fake.faults = [fault]
        async with running(fake) as url:
            first = await give(kind.make(url, timeout=GIVES_UP if fault == SLOW else 10.0), TICKET)
            again = await give(kind.make(url), TICKET)
        # A 2xx whose body broke off has opened it; the search gives the number at once.
        assert first.outcome is (Outcome.ACCEPTED if fault == HALF else Outcome.UNKNOWN)
        assert (again.outcome, again.reference) == (Outcome.ACCEPTED, kind.number)
        assert len(kind.tickets(fake)) == 1

    within(test)


@every_kind
def test_nothing_is_opened_again_while_the_search_may_lag(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        fake = kind.fake()
        fake.faults, fake.forgets = [LOST], True
        async with running(fake) as url:
            desk = kind.make(url)
            first, second = await give(desk, TICKET), await give(desk, TICKET)
            assert (first.outcome, second.outcome) == (Outcome.UNKNOWN, Outcome.UNKNOWN)
            assert second.detail == "127.0.0.1: the answer was lost, and the search does not show it yet"
            assert len(kind.tickets(fake)) == 1
            monkeypatch.setattr(marks, "SETTLE", 0.0)  # it has had its time: the ticket was not made, as far as we know
            third = await give(desk, TICKET)
        assert third.outcome is Outcome.ACCEPTED

    within(test)


@every_kind
def test_a_number_that_nobody_tells_is_asked_for_again(kind: Kind) -> None:
    async def test() -> None:
        fake = kind.fake()
        fake.faults, fake.forgets = [HALF], True
        async with running(fake) as url:
            desk = kind.make(url)
            first = await give(desk, TICKET)
            fake.forgets = False
            again = await give(desk, TICKET)
        assert first == Delivered(Outcome.UNKNOWN, "127.0.0.1: it was opened, but its number is not known")
        assert again.reference == kind.number

    within(test)


@every_kind
def test_a_note_goes_into_the_ticket_once(kind: Kind) -> None:
    async def test() -> None:
        fake = kind.fake()
        async with running(fake) as url:
            await give(kind.make(url), TICKET)
            first, again = await give(kind.make(url), NOTE), await give(kind.make(url), NOTE)
        assert first == Delivered(Outcome.ACCEPTED, f"127.0.0.1 added it to {kind.number}", kind.number)
        assert again == Delivered(Outcome.ACCEPTED, f"127.0.0.1 has it already, in {kind.number}", kind.number)
        (comment,) = kind.comments(fake, 0)
        assert "by our measurements it has recovered" in " ".join(comment.split())
        assert mark(NOTE.key(NAME)) in comment

    within(test)


@every_kind
@pytest.mark.parametrize("fault", [LOST, SLOW])
def test_a_note_whose_answer_was_lost_is_not_written_twice(kind: Kind, fault: str) -> None:
    async def test() -> None:
        fake = kind.fake()
        async with running(fake) as url:
            await give(kind.make(url), TICKET)
            fake.faults = [fault]
            first = await give(kind.make(url, timeout=GIVES_UP if fault == SLOW else 10.0), NOTE)
            again = await give(kind.make(url), NOTE)
        assert (first.outcome, again.outcome) == (Outcome.UNKNOWN, Outcome.ACCEPTED)
        assert len(kind.comments(fake, 0)) == 1

    within(test)


@every_kind
def test_a_note_goes_into_the_ticket_whose_number_was_adopted(kind: Kind) -> None:
    async def test() -> None:
        fake = kind.fake()
        async with running(fake) as url:
            await give(kind.make(url), act(ActKind.TICKET, NAME, incident="another"))
            adopted = act(ActKind.NOTE, NAME, step="recovered", facts={**FACTS, "ticket": f"#{kind.number}"})
            delivered = await give(kind.make(url), adopted)
        assert (delivered.outcome, delivered.reference) == (Outcome.ACCEPTED, kind.number)
        assert len(kind.comments(fake, 0)) == 1

    within(test)


@every_kind
@pytest.mark.parametrize("note", [NOTE, act(ActKind.NOTE, NAME), act(ActKind.PAGE_RESOLVE, NAME)])
def test_a_note_without_its_ticket_opens_no_second_one(kind: Kind, note: Act) -> None:
    async def test() -> None:
        fake = kind.fake()
        async with running(fake) as url:
            delivered = await give(kind.make(url), note)
        assert delivered == Delivered(Outcome.PERMANENT, "127.0.0.1: the ticket to add to is not there")
        assert kind.tickets(fake) == []

    within(test)


@every_kind
def test_a_page_its_repeats_and_its_resolve_are_one_ticket(kind: Kind) -> None:
    async def test() -> None:
        fake = kind.fake()
        repeat = act(ActKind.PAGE, NAME, step="open~2")
        resolve = act(ActKind.PAGE_RESOLVE, NAME, after=PAGE.id)
        async with running(fake) as url:
            desk = kind.make(url)
            outcomes = [(await give(desk, each)).outcome for each in (PAGE, repeat, resolve)]
        assert outcomes == [Outcome.ACCEPTED] * 3
        assert len(kind.tickets(fake)) == 1
        (comment,) = kind.comments(fake, 0)
        assert comment.removeprefix("{noformat}\n").startswith("Resolved.")

    within(test)


@every_kind
def test_a_resolve_right_after_its_page_waits_until_the_search_shows_the_ticket(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The desk was down, and gets both at once: refused, the page's ticket would be told of no end."""
    resolve = act(ActKind.PAGE_RESOLVE, NAME, after=PAGE.id)

    async def test() -> None:
        fake = kind.fake()
        async with running(fake) as url:
            receiver = kind.make(url)
            opened = await give(receiver, PAGE)
            fake.forgets = True
            early = await give(receiver, resolve)
            fake.forgets = False
            late = await give(receiver, resolve)
            fake.forgets = True
            monkeypatch.setattr(marks, "SETTLE", 0.0)
            gone = await give(receiver, resolve)
        why = "127.0.0.1: the search does not show yet what was opened"
        assert (opened.outcome, early) == (Outcome.ACCEPTED, Delivered(Outcome.TRANSIENT, why))
        assert (late.outcome, gone.outcome) == (Outcome.ACCEPTED, Outcome.PERMANENT)
        assert len(kind.comments(fake, 0)) == 1

    within(test)


@every_kind
def test_two_incidents_are_two_tickets(kind: Kind) -> None:
    async def test() -> None:
        fake = kind.fake()
        async with running(fake) as url:
            desk = kind.make(url)
            first, second = await give(desk, TICKET), await give(desk, act(ActKind.TICKET, NAME, incident="another"))
        assert first.reference != second.reference
        assert len(kind.tickets(fake)) == 2

    within(test)


@every_kind
@pytest.mark.parametrize(
    ("reply", "outcome", "wait"),
    [
        (answer("429 Too Many Requests", b"slow down", {"Retry-After": "17"}), Outcome.TRANSIENT, 17.0),
        (answer("500 Internal Server Error"), Outcome.TRANSIENT, 0.0),
        (answer("503 Service Unavailable", headers={"Retry-After": "600"}), Outcome.TRANSIENT, 300.0),
        (answer("401 Unauthorized", f"no such token {TOKEN}".encode()), Outcome.PERMANENT, 0.0),
        (answer("422 Unprocessable Entity", b'{"error": "RecordInvalid"}'), Outcome.PERMANENT, 0.0),
        (answer("302 Found", headers={"Location": "http://127.0.0.1:1/"}), Outcome.PERMANENT, 0.0),
        (b"HTTP/1.1 20", Outcome.UNKNOWN, 0.0),
    ],
)
def test_what_the_desk_answers_says_whether_trying_again_can_help(
    kind: Kind, reply: bytes, outcome: Outcome, wait: float
) -> None:
    async def test() -> None:
        fake = kind.fake()
        fake.faults = [reply]
        async with running(fake) as url:
            delivered = await give(kind.make(url), TICKET)
        assert (delivered.outcome, delivered.retry_after) == (outcome, wait)
        assert kind.tickets(fake) == []
        assert TOKEN not in delivered.detail

    within(test)


@every_kind
def test_nothing_is_opened_when_the_search_cannot_be_made(kind: Kind) -> None:
    async def test() -> None:
        async with running(Broken()) as url:
            refused = await give(kind.make(url), TICKET)
        assert refused == Delivered(Outcome.PERMANENT, "127.0.0.1 answered 403: {}")

    within(test)


class Broken(Fake):
    """Searching is not allowed."""

    def handle(self, request: Any, path: str, query: dict[str, str]) -> tuple[str, Any]:
        assert request.method == "GET"
        return "403 Forbidden", {}


class Odd(Fake):
    """Answers of shapes that no documentation has."""

    value: Any = None

    def handle(self, request: Any, path: str, query: dict[str, str]) -> tuple[str, Any]:
        return "200 OK", self.value


#: Where the APIs put what a search found.
LISTS = ("tickets", "requests", "issues", "values")


@every_kind
@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "text",
        {"tickets": 1, "requests": "x", "issues": {}, "values": None, "ticket": [], "request": {"id": "x"}, "key": 7},
        {"tickets": [1, {}], "requests": [{}], "issues": [{}, {"key": 1}], "values": [{}], "issueKey": None},
    ],
)
def test_an_answer_of_another_shape_opens_nothing_that_is_known(kind: Kind, value: Any) -> None:
    """A search that is understood and shows nothing of ours lets a ticket be opened, whose number is not known then."""

    async def test() -> None:
        odd = Odd()
        odd.value = value
        async with running(odd) as url:
            delivered = await give(kind.make(url), TICKET)
        opened = any(request.method == "POST" for request in odd.requests)
        assert delivered.outcome is (Outcome.UNKNOWN if opened else Outcome.TRANSIENT)
        assert opened == (isinstance(value, dict) and all(isinstance(value[n], list) for n in LISTS)), delivered.detail

    within(test)


# what is each kind's own


def sent(fake: Fake, method: str) -> Any:
    """The body of the last request of that method."""
    return json.loads(next(r for r in reversed(fake.requests) if r.method == method).body)


def test_a_zendesk_ticket_is_an_incident_of_its_requester_with_mark_priority_and_fields() -> None:
    async def test() -> None:
        fake = FakeZendesk()
        async with running(fake) as url:
            desk = zendesk_desk(
                url, requester="ops@example.com", fields={"group_id": 7}, priorities={"critical": "high"}
            )
            await give(desk, TICKET)
        ticket = sent(fake, "POST")["ticket"]
        assert ticket["external_id"] == mark(TICKET.key(NAME))
        assert (ticket["type"], ticket["priority"], ticket["group_id"]) == ("incident", "high", 7)
        assert ticket["requester"] == {"email": "ops@example.com", "name": "ops@example.com"}
        assert ticket["subject"] == "Critical Issue: Bird Email [bird-20261122T095900Z]"
        headers = fake.requests[-1].headers
        assert (
            headers["authorization"]
            == "Basic " + base64.b64encode(f"oncall@example.com/token:{TOKEN}".encode()).decode()
        )
        assert headers["idempotency-key"] == mark(TICKET.key(NAME))

    within(test)


def test_zendesks_own_memory_stops_a_second_ticket_too() -> None:
    async def test() -> None:
        fake = FakeZendesk(forgets=True, remembers=True, faults=[LOST])
        async with running(fake) as url:
            first = await give(zendesk_desk(url), TICKET)
            again = await give(zendesk_desk(url), TICKET)  # after a restart, with a search that lags
        assert first.outcome is Outcome.UNKNOWN
        assert again.reference == "35436"
        assert len(fake.tickets) == 1

    within(test)


def test_a_zendesk_request_is_the_users_own() -> None:
    async def test() -> None:
        fake = FakeZendesk()
        async with running(fake) as url:
            desk = zendesk_desk(url, role="end_user", username=None)
            await give(desk, TICKET)
            request = sent(fake, "POST")["request"]
            await give(desk, act(ActKind.NOTE, NAME, step="severity-critical", facts=THREAD))
        assert "external_id" not in request
        assert mark(TICKET.key(NAME)) in request["comment"]["body"]
        assert set(sent(fake, "PUT")["request"]) == {"comment"}
        assert fake.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
        assert fake.requests[0].path.startswith("/api/v2/requests.json?")

    within(test)


@pytest.mark.parametrize(
    ("step", "change"),
    [
        ("recovered", {}),
        ("severity-critical", {"priority": "urgent"}),
        ("unavailable-again", {"status": "open"}),
    ],
)
def test_a_zendesk_note_changes_of_the_ticket_what_its_step_says(step: str, change: dict[str, str]) -> None:
    async def test() -> None:
        fake = FakeZendesk()
        async with running(fake) as url:
            await give(zendesk_desk(url), TICKET)
            await give(zendesk_desk(url), act(ActKind.NOTE, NAME, step=step, facts=THREAD))
        ticket = sent(fake, "PUT")["ticket"]
        assert ticket.pop("comment")["public"] is True
        assert ticket == change

    within(test)


def test_a_jira_issue_has_project_type_label_priority_and_fields() -> None:
    async def test() -> None:
        fake = FakeJira()
        async with running(fake) as url:
            more: dict[str, Any] = {
                "issue_type": "Incident",
                "fields": {"components": [{"name": "mail"}], "labels": ["vendor"]},
            }
            await give(jira_desk(url, **more), TICKET)
        fields = sent(fake, "POST")["fields"]
        assert fields["project"] == {"key": "VEN"}
        assert fields["issuetype"] == {"name": "Incident"}
        assert fields["labels"] == ["vendor", mark(TICKET.key(NAME))]
        assert fields["priority"] == {"name": "Highest"}
        assert fields["components"] == [{"name": "mail"}]
        assert fields["description"].startswith("{noformat}\n")
        assert fields["description"].endswith("{noformat}")

    within(test)


def test_a_text_that_is_longer_than_jira_takes_is_cut_and_keeps_its_mark() -> None:
    async def test() -> None:
        fake = FakeJira()
        samples = [{"response": "{noformat}" + "x\n" * 3_900}] * 5
        async with running(fake) as url:
            long = act(ActKind.TICKET, NAME, facts={**FACTS, "samples": samples, "reasons": {}})
            await give(jira_desk(url), long)
        description = sent(fake, "POST")["fields"]["description"]
        assert len(description) <= 32_767
        assert description.count("{noformat}") == 2
        assert description.endswith(f"Reference: {mark(long.key(NAME))}\n{{noformat}}")

    within(test)


@pytest.mark.parametrize("free", [True, False])
def test_a_higher_severity_raises_the_issues_priority_where_we_may(free: bool) -> None:
    async def test() -> None:
        fake = FakeJira(priorities_are_free=free)
        async with running(fake) as url:
            desk = jira_desk(url)
            await give(desk, act(ActKind.TICKET, NAME, facts={**FACTS, "severity": "non-critical"}))
            delivered = await give(desk, act(ActKind.NOTE, NAME, step="severity-critical", facts=THREAD))
        assert delivered.outcome is Outcome.ACCEPTED  # the comment says it all
        assert len(fake.issues[0]["comments"]) == 1
        assert fake.issues[0]["fields"]["priority"] == {"name": "Highest" if free else "Medium"}

    within(test)


def test_a_priority_that_cannot_be_set_now_is_set_later() -> None:
    async def test() -> None:
        fake = FakeJira()
        rise = act(ActKind.NOTE, NAME, step="severity-critical", facts=THREAD)
        async with running(fake) as url:
            await give(jira_desk(url), TICKET)
            fake.faults = [answer("503 Service Unavailable")]
            first, again = await give(jira_desk(url), rise), await give(jira_desk(url), rise)
        assert (first.outcome, again.outcome) == (Outcome.TRANSIENT, Outcome.ACCEPTED)
        assert first.detail == "127.0.0.1: the priority could not be set (503)"

    within(test)


def test_a_service_desks_request_has_its_type_and_a_priority_only_where_one_is_configured() -> None:
    async def test() -> None:
        fake = FakeServiceDesk()
        async with running(fake) as url:
            await give(service_desk(url), TICKET)
            plain = sent(fake, "POST")
            mapped = service_desk(url, priorities={"critical": "P1"}, fields={"customfield_1": "mail"})
            await give(mapped, act(ActKind.TICKET, NAME, incident="another"))
        assert (plain["serviceDeskId"], plain["requestTypeId"]) == ("10", "25")
        assert set(plain["requestFieldValues"]) == {"summary", "description"}
        values = sent(fake, "POST")["requestFieldValues"]
        assert values["priority"] == {"name": "P1"}
        assert values["customfield_1"] == "mail"
        assert fake.requests[0].headers["authorization"] == f"Bearer {TOKEN}"

    within(test)


@pytest.mark.parametrize("page", [100, 50])
def test_a_service_desks_comments_are_looked_through_page_by_page(page: int) -> None:
    """Also where it gives fewer at once than were asked for ("up to the maximum set for these objects")."""

    async def test() -> None:
        fake = FakeServiceDesk(page=page)
        async with running(fake) as url:
            await give(service_desk(url), TICKET)
            comments = fake.made[0]["comments"]
            comments += [{"body": f"chatter {n}"} for n in range(60)]
            await give(service_desk(url), NOTE)
            again = await give(service_desk(url), NOTE)
            assert again.detail == "127.0.0.1 has it already, in HELP-1"
            comments[:0] = [{"body": "more chatter"} for _ in range(950)]
            far = await give(service_desk(url), NOTE)  # past ten pages nobody looks
        assert far.detail == "127.0.0.1 added it to HELP-1"

    within(test)


@pytest.mark.parametrize(
    ("severity", "priorities"),
    [
        ("critical", ("urgent", "Highest")),
        ("non-critical", ("normal", "Medium")),
        ("severity-1", ("urgent", "Highest")),
        ("2", ("high", "High")),
        ("p9", ("low", "Low")),
        ("issue", ("normal", "Medium")),
        ("low", ("low", "Low")),
        ("something", ("high", "High")),
        ("", ("high", "High")),
        (None, ("high", "High")),
    ],
)
def test_a_severitys_name_gives_its_priority(severity: str | None, priorities: tuple[str, str]) -> None:
    async def test() -> None:
        ticket = act(ActKind.TICKET, NAME, facts={**FACTS, "severity": severity})
        fake_zendesk, fake_jira = FakeZendesk(), FakeJira()
        async with running(fake_zendesk) as one, running(fake_jira) as other:
            await give(zendesk_desk(one), ticket)
            await give(jira_desk(other), ticket)
        assert (fake_zendesk.tickets[0]["priority"], fake_jira.issues[0]["fields"]["priority"]["name"]) == priorities

    within(test)


def test_lost_answers_are_forgotten_in_the_end() -> None:
    lost = marks.Recent(lambda: 0.0)
    for n in range(1_500):
        lost.add(str(n))
    assert not lost.unsettled("0")
    assert lost.unsettled("1499")


def test_a_fault_of_one_request_is_no_fault_of_the_next() -> None:
    async def test() -> None:
        fake = FakeZendesk(faults=[FINE, answer("502 Bad Gateway")])
        async with running(fake) as url:
            desk = zendesk_desk(url)
            outcomes = [(await give(desk, each)).outcome for each in (TICKET, NOTE, NOTE)]
        assert outcomes == [Outcome.ACCEPTED, Outcome.TRANSIENT, Outcome.ACCEPTED]

    within(test)
