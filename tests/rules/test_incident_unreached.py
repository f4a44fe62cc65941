"""A call that was accepted and reached nobody: the next number, the next level before its time, and at last on-call is told."""

import pytest
from incident_story import Story, names

from rules.acts import Outcome
from rules.incident import EntryKind, Level, Mode, RecordKind
from rules.incident_answers import NO_RELAY

LEVELS = (Level(600, ("boss",)), Level(1200, ("chief",)))


def outage(**changes: object) -> Story:
    """A ticket that is in, and the hotline called by the first of two numbers."""
    s = Story(hotline=("first", "second"), **changes)
    s.raised(0)
    s.accepted(1, s.id("1/ticket/mail/open"))
    s.accepted(2, s.id("1/hotline/first/call"), "first")
    return s


def unreached(s: Story, at: int, key: str) -> list[str]:
    return names(s.entry(at, EntryKind.UNREACHED, value=f"{s.acts[0].incident}/{key}").acts)


def test_the_hotline_that_nobody_answered_is_called_by_the_next_number() -> None:
    s = outage()
    assert unreached(s, 60, "1/hotline/first/call") == ["1/hotline/second/call-next"]
    assert s.detail(RecordKind.TOLD)["text"] == "as said on the phone"


def test_when_there_is_no_next_number_on_call_is_told_once() -> None:
    s = outage()
    unreached(s, 60, "1/hotline/first/call")
    s.accepted(61, s.id("1/hotline/second/call-next"), "second")
    assert unreached(s, 120, "1/hotline/second/call-next") == ["1/page/pager/hotline-unreached"]
    assert unreached(s, 121, "1/hotline/second/call-next") == []
    assert s.act("1/page/pager/hotline-unreached").facts["text"] == "as said on the phone"


def test_the_next_number_is_not_called_twice_for_the_same_word() -> None:
    s = outage()
    unreached(s, 60, "1/hotline/first/call")
    assert unreached(s, 61, "1/hotline/first/call") == []


@pytest.mark.parametrize("why", ["recovered", "another episode", "observing", "configured away"])
def test_the_next_number_is_not_called_when_the_call_is_no_longer_wanted(why: str) -> None:
    s = outage()
    if why in ("recovered", "another episode"):
        s.cleared(30)
    if why == "another episode":
        s.raised(40)
    if why == "observing":
        s.reloaded(30, mode=Mode.OBSERVE)
    if why == "configured away":
        s.reloaded(30, hotline=("first",))
    assert [a for a in unreached(s, 60, "1/hotline/first/call") if "hotline/" in a] == []


def test_a_page_that_reached_nobody_pages_the_next_level_before_its_time() -> None:
    s = outage(further=LEVELS)
    assert unreached(s, 30, "1/page/pager/open") == ["1/page/boss/open"]
    assert s.tick(600) == [], "the level is not paged again when its time comes"
    assert s.tick(1200) == ["1/page/chief/open"]


def test_within_maintenance_the_next_level_is_left_for_its_end() -> None:
    s = outage(further=LEVELS)
    s.maintenance(20, begins=True)
    assert unreached(s, 30, "1/page/pager/open") == []
    s.maintenance(1000, begins=False)
    assert s.tick(1001) == ["1/page/boss/open"]


@pytest.mark.parametrize("page_again", [0, 600])
def test_when_there_is_no_further_level_the_others_are_told(page_again: int) -> None:
    s = outage(page_again=page_again)
    assert unreached(s, 30, "1/page/pager/open") == ["1/page/pager/page-unreached"]


def test_once_somebody_has_it_the_next_level_is_left_in_peace() -> None:
    s = outage(further=LEVELS)
    s.entry(10, EntryKind.ACK)
    assert unreached(s, 30, "1/page/pager/open") == ["1/page/pager/page-unreached"]


def test_within_maintenance_nobody_is_paged_for_it() -> None:
    s = outage(further=LEVELS)
    s.maintenance(20, begins=True)
    assert unreached(s, 30, "1/page/pager/open") == []
    assert RecordKind.NOT_PAGED in s.kinds()


def test_an_act_that_is_forgotten_is_told_all_the_same() -> None:
    s = outage()
    assert unreached(s, 30, "1/hotline/first/again-updates-3") == ["1/page/pager/hotline-unreached"]


@pytest.mark.parametrize("value", ["", "1", "x/1/hotline/first/call", "{}/1/fax/first/call", "{}/1/hotline"])
def test_a_word_about_no_act_of_this_incident_is_refused(value: str) -> None:
    s = outage()
    made = s.entry(30, EntryKind.UNREACHED, value=value.format(s.acts[0].incident))
    assert "is no act of this incident; give the act's key" in made.refused
    assert made.acts == ()


def test_without_an_incident_it_is_refused() -> None:
    s = Story()
    assert "no incident of bird is open" in s.entry(0, EntryKind.UNREACHED, value="x").refused


# nobody takes it


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.TRANSIENT])
def test_a_ticket_that_nobody_takes_for_two_minutes_is_told_to_on_call_once(outcome: Outcome) -> None:
    s = Story()
    s.raised(0)
    ticket = s.id("1/ticket/mail/open")
    s.started(1, ticket)
    assert s.result(120, ticket, outcome, detail="no answer in time") == []
    assert s.result(121, ticket, outcome, detail="no answer in time") == [
        "1/page/pager/ticket-late",
        "1/hotline/call/call",
    ]
    text = s.act("1/page/pager/ticket-late").facts["text"]
    assert text.startswith(
        "No receiver has taken the ticket so far; it goes on being tried. If it cannot wait, open it by"
    )
    assert text.endswith("no answer in time")
    assert s.result(150, ticket, outcome, detail="no answer in time") == [], "once is enough"
    s.accepted(160, ticket)
    assert s.tickets() == {ticket}, "one incident, one ticket"


def test_on_call_is_told_after_two_minutes_though_the_next_attempt_is_far_away() -> None:
    s = Story()
    s.raised(0)
    ticket = s.id("1/ticket/mail/open")
    s.started(1, ticket)
    s.result(60, ticket, Outcome.TRANSIENT, detail="the desk answered 503")
    assert s.tick(120) == []
    assert s.tick(121) == ["1/page/pager/ticket-late", "1/hotline/call/call"]
    assert s.act("1/page/pager/ticket-late").facts["text"].endswith("the desk answered 503")
    assert s.tick(122) == [], "once is enough"
    assert s.result(180, ticket, Outcome.TRANSIENT, detail="the desk answered 503") == []


def test_nobody_is_told_of_a_late_ticket_within_a_maintenance_window() -> None:
    s = Story()
    s.raised(0)
    ticket = s.id("1/ticket/mail/open")
    s.started(1, ticket)
    s.result(2, ticket, Outcome.TRANSIENT)
    s.maintenance(60, begins=True)
    assert "1/page/pager/ticket-late" not in s.tick(130)
    s.maintenance(200, begins=False)
    assert "1/page/pager/ticket-late" in s.tick(201)


def test_a_mail_that_no_relay_can_carry_is_told_of_as_that_alone() -> None:
    s = Story()
    s.raised(0)
    ticket = s.id("1/ticket/mail/open")
    s.started(1, ticket)
    assert "1/page/pager/no-relay" in s.result(2, ticket, Outcome.TRANSIENT, detail=f"{NO_RELAY}: mx1 is the service")
    assert "1/page/pager/ticket-late" not in s.tick(200)


def test_a_call_to_the_hotline_that_nobody_takes_is_told_to_on_call() -> None:
    s = Story()
    s.raised(0)
    s.accepted(1, s.id("1/ticket/mail/open"))
    call = s.id("1/hotline/call/call")
    s.started(2, call, "call")
    assert s.result(122, call, Outcome.UNKNOWN, "call") == ["1/page/pager/hotline-late"]
    assert s.act("1/page/pager/hotline-late").facts["text"].endswith("call by hand.")


def test_a_note_that_is_late_wakes_nobody() -> None:
    s = outage()
    s.cleared(30)
    note = s.id("1/note/mail/recovered")
    s.started(31, note)
    assert s.result(500, note, Outcome.TRANSIENT) == []
