"""A service that is taken out of the configuration: its incident stays, and a person's word ends it."""

import pytest
from incident_story import CALL, PAGE, RESOLVE, TICKET, Story, an_outage, names, recovered_with_ticket, with_ticket

from rules.incident import CLOCK, EntryKind, Phase, RecordKind, ServiceState
from rules.incident_state import MAILBOX
from rules.model import Condition


def test_its_incident_goes_on_and_its_acts_are_carried_out() -> None:
    s = an_outage()
    assert s.removed(5) == []
    assert s.kinds() == [RecordKind.REMOVED]
    assert s.accepted(10, s.id(TICKET)) == [CALL]
    assert s.state.phase is Phase.OPEN
    assert s.removed(20) == []
    assert s.kinds() == [], "told twice"


@pytest.mark.parametrize("kind", [EntryKind.RESOLVE, EntryKind.CLOSED_BY_VENDOR])
def test_a_persons_word_ends_it_and_opens_no_other(kind: EntryKind) -> None:
    s = with_ticket()
    s.removed(5)
    made = s.entry(60, kind)
    assert made.refused == ""
    assert names(made.acts) == [RESOLVE]
    assert (s.state.phase, s.state.held) == (Phase.NONE, ())
    assert s.tick(61) == []


@pytest.mark.parametrize("kind", [EntryKind.ACK, EntryKind.NOTE, EntryKind.FIRST_RESPONSE])
def test_no_other_word_ends_it(kind: EntryKind) -> None:
    s = with_ticket()
    s.removed(5)
    assert s.entry(60, kind).refused == ""
    assert s.state.phase is Phase.OPEN


def test_one_that_has_recovered_is_agreed_to_be_resolved() -> None:
    s = recovered_with_ticket()
    s.removed(310)
    assert s.entry(400, EntryKind.RESOLVE).refused == ""
    assert s.state.phase is Phase.NONE


def test_what_concerns_on_call_alone_can_be_ended_because_it_never_ends_by_itself() -> None:
    s = Story()
    s.raised(0, Condition.FAILING, "api")
    assert "closes by itself" in s.entry(5, EntryKind.RESOLVE).refused
    s.removed(10)
    made = s.entry(60, EntryKind.RESOLVE)
    assert (made.refused, names(made.acts)) == ("", ["1/page_resolve/pager/failing-1"])
    assert s.detail(RecordKind.CLOSED)["how"] == "resolve"
    assert (s.state.phase, s.state.held) == (Phase.NONE, ())


def test_with_no_incident_there_is_nothing_to_end() -> None:
    s = Story()
    s.removed(0)
    assert s.entry(5, EntryKind.RESOLVE).refused == "no incident of bird is open"


@pytest.mark.parametrize("scope", [CLOCK, f"{MAILBOX}support"])
def test_what_is_not_told_by_its_seconds_still_holds(scope: str) -> None:
    s = with_ticket()
    s.raised(5, Condition.BLIND, scope)
    s.removed(10)
    assert names(s.entry(60, EntryKind.RESOLVE).acts)[-1] == "1/page/pager/blind-1"
    assert [held.scope for held in s.state.held] == [scope]
    s.cleared(100, Condition.BLIND, scope)
    assert s.state.phase is Phase.NONE


def test_a_window_that_ends_without_an_incident_opens_none() -> None:
    s = Story()
    s.maintenance(0, begins=True)
    s.raised(60)
    s.removed(100)
    assert s.maintenance(200, begins=False) == []
    assert (s.state.held, s.state.silenced, s.state.phase) == ((), (), Phase.NONE)


def test_what_a_window_silenced_beside_an_open_incident_waits_until_the_service_is_back() -> None:
    s = with_ticket()
    s.maintenance(10, begins=True)
    s.raised(60, Condition.FAILING, "smtp")
    s.removed(100)
    assert s.maintenance(200, begins=False) == []
    assert s.tick(201) == []
    assert s.reloaded(300) == ["1/page/pager/failing-1"]
    assert s.kinds()[0] is RecordKind.PUT_BACK
    assert s.state.silenced == ()


def test_put_back_it_is_judged_anew_and_its_open_incident_goes_on() -> None:
    s = with_ticket()
    s.removed(5)
    assert s.reloaded(60) == []
    assert s.kinds() == [RecordKind.PUT_BACK]
    assert "still unavailable" in s.entry(70, EntryKind.RESOLVE).refused
    s.cleared(300)
    assert s.state.phase is Phase.RECOVERED


def test_what_nobody_had_made_a_matter_of_is_forgotten_at_once() -> None:
    s = Story()
    s.raised(0, Condition.PARTIAL, "api/account")
    s.removed(10)
    assert s.state.held == ()
    s.reloaded(20)
    assert s.raised(100) == [PAGE, TICKET]


def test_an_earlier_programs_state_says_nothing_of_it() -> None:
    s = with_ticket()
    earlier = s.state.to_json().replace(',"measured":true', "")
    assert 'measured":' in earlier, "the incident's own figures"
    assert ServiceState.from_json(earlier) == s.state
