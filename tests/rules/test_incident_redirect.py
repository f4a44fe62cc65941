"""A reload in the midst of an incident: what was meant for receivers that are gone goes to those that are there."""

from dataclasses import replace

import pytest
from incident_story import CALL, PAGE, PLAN, TICKET, Story

from rules.acts import Outcome
from rules.incident import EntryKind, Level, Mode
from rules.model import Condition

GONE = "no receiver of this name is configured"


def refused(s: Story, at: int, act: str, receiver: str) -> list[str]:
    return s.result(at, s.id(act), Outcome.PERMANENT, receiver, final=True, detail=GONE)


def test_a_page_that_waits_goes_to_the_new_receiver_once_the_old_one_is_refused() -> None:
    s = Story()
    s.raised(0)
    assert s.reloaded(5, on_call=("phone",)) == [], "an attempt under way may still succeed"
    assert refused(s, 6, PAGE, "pager") == ["1/page/phone/open"]
    assert s.act("1/page/phone/open").facts["follows"][0] == "open the ticket by mail or desk"
    s.accepted(7, s.id("1/page/phone/open"), "phone")
    assert s.reloaded(8, on_call=("phone",), title="Bird") == [], "once is enough"
    resolved = [act for act in s.cleared(300) if "page_resolve" in act]
    assert resolved == ["1/page_resolve/phone/open"], "nobody has the other one"


def test_a_page_refused_before_the_new_plan_was_known_goes_out_with_it() -> None:
    """The serving process has new receivers up to a call's time-out before the rules have the new plan."""
    s = Story()
    s.raised(0)
    assert refused(s, 4, PAGE, "pager") == []
    assert s.reloaded(5, on_call=("phone",)) == ["1/page/phone/open"]


def test_a_page_of_on_calls_own_goes_on_too() -> None:
    s = Story()
    own = s.raised(0, Condition.BLIND)
    assert own == ["1/page/pager/blind-1"]
    s.reloaded(5, on_call=("phone",))
    assert refused(s, 6, own[0], "pager") == ["1/page/phone/blind-1"]
    assert s.act("1/page/phone/blind-1").facts["condition"] == "blind"
    assert "follows" not in s.act("1/page/phone/blind-1").facts


def test_a_page_of_on_calls_own_promises_no_ticket_although_one_was_opened_for_the_agreements() -> None:
    s = Story()
    s.raised(0)
    own = s.raised(1, Condition.FAILING, "api")
    s.reloaded(5, on_call=("phone",))
    assert "1/page/phone/failing-1" in refused(s, 6, own[0], "pager")
    assert "follows" not in s.act("1/page/phone/failing-1").facts


@pytest.mark.parametrize(
    "change",
    [{"on_call": ()}, {"on_call": ("phone", "pager")}, {"on_call": ("phone",), "further": (Level(300, ("pager",)),)}],
    ids=["nobody", "still there", "still there as a further level"],
)
def test_a_page_is_made_anew_for_nobody_else(change: dict[str, object]) -> None:
    s = Story()
    s.raised(0)
    s.reloaded(5, **change)
    assert refused(s, 6, PAGE, "pager") == []


def test_whoever_has_acknowledged_has_it() -> None:
    s = Story()
    s.raised(0)
    s.entry(3, EntryKind.ACK)
    s.reloaded(5, on_call=("phone",))
    assert refused(s, 6, PAGE, "pager") == []


def test_the_ticket_is_opened_by_the_new_receiver_and_the_hotline_follows_it() -> None:
    s = Story()
    s.raised(0)
    s.started(1, s.id(TICKET))
    s.reloaded(5, tickets=("form",))
    assert refused(s, 6, TICKET, "desk") == ["1/ticket/form/open"], "nobody has to open it by hand"
    assert s.reloaded(7, tickets=("form",), title="Bird") == []
    assert s.accepted(8, s.id("1/ticket/form/open"), "form") == [CALL], "first the ticket, then the hotline"
    assert s.cleared(300)[0] == "1/note/form/recovered"


def test_a_ticket_that_every_receiver_refused_is_opened_by_others_that_are_configured_afterwards() -> None:
    s = Story()
    s.raised(0)
    assert refused(s, 2, TICKET, "desk") == ["1/page/pager/ticket-failed"]
    assert s.reloaded(60, tickets=("mail", "desk"), title="Bird") == [], "the same ones: a person has been told"
    assert s.reloaded(90, tickets=("form",)) == ["1/ticket/form/open", "1/page_resolve/pager/ticket-failed"]
    assert "By hand no longer" in s.act("1/page_resolve/pager/ticket-failed").facts["text"]


def test_on_call_is_paged_anew_when_those_refuse_it_too() -> None:
    s = Story()
    s.raised(0)
    assert refused(s, 2, TICKET, "desk") == ["1/page/pager/ticket-failed"]
    s.reloaded(90, tickets=("form",))
    assert refused(s, 91, "1/ticket/form/open", "form") == ["1/page/pager/ticket-failed-2"]
    again = s.reloaded(120, tickets=("other",))
    assert again == ["1/ticket/other/open", "1/page_resolve/pager/ticket-failed-2"]
    assert refused(s, 121, "1/ticket/other/open", "other") == ["1/page/pager/ticket-failed-3"]


def test_of_two_refused_before_the_new_plan_was_known_only_what_is_still_asked_for_is_paged() -> None:
    s = Story()
    s.raised(0)
    refused(s, 4, TICKET, "desk")
    refused(s, 4, "1/page/pager/ticket-failed", "pager")
    refused(s, 4, PAGE, "pager")
    assert s.reloaded(5, on_call=("phone",), tickets=("form",)) == ["1/ticket/form/open", "1/page/phone/open"]


def test_a_ticket_that_a_person_opened_meanwhile_stays_the_only_one() -> None:
    s = Story()
    s.raised(0)
    refused(s, 2, TICKET, "desk")
    s.entry(50, EntryKind.ADOPT, ticket="4711")
    assert not [act for act in s.reloaded(90, tickets=("form",)) if "ticket" in act]


def test_nothing_goes_to_the_vendor_while_it_is_observed_or_when_it_is_over() -> None:
    s = Story()
    s.raised(0)
    s.reloaded(5, tickets=("form",), mode=Mode.OBSERVE)
    assert not [act for act in refused(s, 6, TICKET, "desk") if "ticket/" in act]
    s = Story()
    s.raised(0)
    s.cleared(300)
    s.reloaded(305, tickets=("form",))
    assert not [act for act in refused(s, 306, TICKET, "desk") if "ticket/" in act]


def test_where_the_new_severity_wants_no_ticket_none_is_opened() -> None:
    s = Story()
    s.raised(0)
    severities = tuple(replace(each, ticket=False, after_ticket=False) for each in PLAN.pack.severities)
    pack = replace(PLAN.pack, severities=severities)
    s.reloaded(5, tickets=("form",), pack=pack)
    assert refused(s, 6, TICKET, "desk") == []
    assert s.state.incident is not None
    assert s.state.incident.ticket is None


def test_the_hotline_is_called_by_the_new_receiver() -> None:
    s = Story()
    s.raised(0)
    s.accepted(2, s.id(TICKET))
    s.reloaded(5, hotline=("voice",))
    assert refused(s, 6, CALL, "call") == ["1/hotline/voice/call"]
    assert s.act("1/hotline/voice/call").facts["because"] == "receivers_changed"
    assert s.reloaded(7, hotline=("voice",), title="Bird") == [], "it was called once"
    assert refused(s, 8, "1/hotline/voice/call", "voice") == ["1/page/pager/hotline-failed"]


def test_a_note_is_for_whoever_has_the_ticket() -> None:
    s = Story()
    s.raised(0)
    s.accepted(2, s.id(TICKET))
    s.accepted(3, s.id(CALL), "call")
    s.cleared(300)
    s.raised(400)
    s.reloaded(405, tickets=("form",))
    assert refused(s, 406, "2/note/mail/unavailable-again", "mail") == ["2/page/pager/note-failed"]
