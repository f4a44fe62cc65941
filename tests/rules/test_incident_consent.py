"""`mode: ask`: ticket and hotline are put before on-call, and go ahead when nobody answers in time."""

from typing import Any

import pytest
from incident_story import CALL, PAGE, RESOLVE, T0, TICKET, Story, pack_with

from rules.acts import Outcome
from rules.incident import EntryKind, Mode, Phase, RecordKind, Status
from rules.model import Condition

BOTH = pack_with(conditions={"unavailable": "critical", "partial": "non-critical"})


def asked(**changes: Any) -> Story:
    s = Story(mode=Mode.ASK, **changes)
    s.raised(0)
    return s


def test_on_call_is_paged_and_asked_and_nothing_goes_to_the_vendor() -> None:
    s = Story(mode=Mode.ASK)
    assert s.raised(0) == [PAGE]
    facts = s.act(PAGE).facts
    assert facts["asks"] == ["open the ticket by mail or desk", "then call the hotline by call"]
    assert facts["asks_until"] == T0 + 300
    assert facts["text"] == (
        "Your consent is asked for: open the ticket by mail or desk, then call the hotline by call. "
        "Enter consent or decline; without an answer it goes ahead at 2026-11-22 10:05:00 UTC."
    )
    assert s.detail(RecordKind.ASKED) == {"ticket": True, "hotline": True, "until": T0 + 300}
    view = s.state.view()
    assert view is not None
    assert view["asking"] == T0 + 300


def test_with_consent_the_ticket_goes_out_and_then_the_hotline() -> None:
    s = asked()
    assert names_of(s, 60, EntryKind.CONSENT) == [TICKET]
    assert s.accepted(61, s.id(TICKET)) == [CALL]
    assert s.detail(RecordKind.CONSENTED)["by"] == "ann"
    assert s.tick(400) == []
    assert s.cleared(500) == ["1/note/mail/recovered", RESOLVE], "what follows needs no further consent"


def test_without_an_answer_it_goes_ahead_after_ask_for() -> None:
    s = asked(ask_for=120)
    assert s.tick(119) == []
    assert s.tick(120) == [TICKET]
    assert s.detail(RecordKind.WENT_AHEAD) == {"after": 120}
    assert s.accepted(121, s.id(TICKET)) == [CALL]


def test_a_clock_that_is_set_makes_the_time_to_answer_no_shorter() -> None:
    s = asked()
    s.clock(3610, 3600)
    assert s.tick(3899) == []
    assert s.tick(3900) == [TICKET]


def test_declined_nothing_goes_to_the_vendor_in_this_episode() -> None:
    s = asked()
    assert names_of(s, 60, EntryKind.DECLINE) == []
    assert s.detail(RecordKind.DECLINED)["by"] == "ann"
    assert s.tick(1000) == []
    assert s.cleared(2000) == [RESOLVE]
    assert s.detail(RecordKind.NOTE_NOT_SENT) == {"step": "recovered", "why": "on-call declined"}
    assert s.reloaded(2001, title="Mail") == []
    assert s.raised(3000) == ["2/page/pager/open"]  # the next one is asked for anew
    assert s.act("2/page/pager/open").facts["asks_until"] == T0 + 3300
    assert s.tick(3300) == [TICKET.replace("1/", "2/", 1)]


def test_while_it_is_asked_notes_are_held_and_follow_the_ticket() -> None:
    s = asked()
    s.raised(5, scope="smtp")
    assert s.detail(RecordKind.NOTE_HELD) == {"step": "unavailable-2", "ticket": ""}
    names_of(s, 60, EntryKind.CONSENT)
    assert s.accepted(61, s.id(TICKET)) == ["1/note/mail/unavailable-2", CALL]


def test_the_notes_that_were_held_are_dropped_where_the_ticket_was_refused() -> None:
    s = asked()
    names_of(s, 60, EntryKind.CONSENT)
    s.refused(61, s.id(TICKET))
    s.cleared(300)
    s.raised(400)
    assert s.detail(RecordKind.NOTE_HELD)["step"] == "unavailable-again"
    names_of(s, 410, EntryKind.CONSENT)
    assert s.detail(RecordKind.NOTE_NOT_SENT) == {"step": "unavailable-again", "why": "no ticket was opened"}


def test_declined_the_held_notes_are_dropped() -> None:
    s = asked()
    s.raised(5, scope="smtp")
    names_of(s, 60, EntryKind.DECLINE)
    assert s.detail(RecordKind.NOTE_NOT_SENT) == {"step": "unavailable-2", "why": "on-call declined"}


def test_recovered_before_the_answer_the_ticket_still_goes_ahead_and_the_hotline_is_not_called() -> None:
    s = asked()
    assert s.cleared(200) == [RESOLVE]
    assert s.tick(300) == [TICKET]
    assert s.accepted(301, s.id(TICKET)) == ["1/note/mail/recovered"]
    assert s.tick(1000) == []


def test_a_new_episode_asks_before_the_note_and_the_call() -> None:
    s = asked()
    names_of(s, 60, EntryKind.CONSENT)
    s.accepted(61, s.id(TICKET))
    s.cleared(300)
    assert s.raised(400) == ["2/page/pager/open"]
    assert names_of(s, 410, EntryKind.CONSENT) == ["2/note/mail/unavailable-again"]
    assert s.accepted(411, s.id("2/note/mail/unavailable-again")) == ["2/hotline/call/call"]


def test_so_does_one_that_begins_while_an_endpoint_is_still_down() -> None:
    s = Story(mode=Mode.ASK, pack=BOTH)
    s.raised(0)
    s.raised(5, Condition.PARTIAL, "api/a")
    names_of(s, 60, EntryKind.CONSENT)
    s.accepted(61, s.id(TICKET))
    s.cleared(300)
    assert s.raised(400) == ["2/page/pager/open"]
    assert names_of(s, 410, EntryKind.CONSENT) == ["2/note/mail/unavailable-again"]


def test_a_higher_severity_asks_anew_although_the_lower_one_was_declined() -> None:
    s = Story(mode=Mode.ASK, pack=BOTH)
    s.raised(0, Condition.PARTIAL, "api/a")
    names_of(s, 10, EntryKind.DECLINE)
    assert s.raised(60) == ["1/page/pager/severity-critical"]
    assert s.act("1/page/pager/severity-critical").facts["asks_until"] == T0 + 360
    assert names_of(s, 70, EntryKind.CONSENT) == [TICKET]


def test_what_comes_while_it_is_asked_is_part_of_the_question() -> None:
    s = Story(mode=Mode.ASK, pack=BOTH)
    s.raised(0, Condition.PARTIAL, "api/a")
    s.raised(60)
    assert s.tick(299) == []
    assert s.tick(300) == [TICKET]
    assert s.accepted(301, s.id(TICKET)) == [CALL]  # unavailable has it called, although partial began the question
    assert [r.kind for r in s.records].count(RecordKind.ASKED) == 1


def test_the_call_is_for_what_still_holds() -> None:
    s = Story(mode=Mode.ASK, pack=BOTH)
    s.raised(0)
    s.raised(5, Condition.PARTIAL, "api/a")
    s.cleared(100)
    assert s.tick(300) == [TICKET]
    assert s.accepted(301, s.id(TICKET)) == ["1/note/mail/partial-2"]


def test_nothing_is_asked_where_nobody_is_configured_to_do_it() -> None:
    s = asked(tickets=(), hotline=())
    assert RecordKind.ASKED not in [r.kind for r in s.records]
    assert "asks" not in s.act(PAGE).facts


def test_nothing_is_asked_where_the_agreement_wants_neither_ticket_nor_call() -> None:
    severities = BOTH.to_mapping()["severities"]
    severities["non-critical"]["ticket"] = False
    s = Story(mode=Mode.ASK, pack=pack_with(severities=severities, conditions={"partial": "non-critical"}))
    s.raised(0, Condition.PARTIAL, "api/a")
    assert RecordKind.ASKED not in [r.kind for r in s.records]


def test_a_call_that_the_agreement_does_not_want_is_not_asked_for() -> None:
    s = Story(mode=Mode.ASK, pack=BOTH)
    s.raised(0, Condition.PARTIAL, "api/a")
    told = s.detail(RecordKind.ASKED)
    assert (told["ticket"], told["hotline"]) == (True, False)


def test_the_hotline_alone_is_asked_for_too() -> None:
    s = asked(tickets=())
    assert s.detail(RecordKind.ASKED)["ticket"] is False
    assert s.act(PAGE).facts["text"].endswith("By hand, because no receiver is configured: open the ticket.")
    assert names_of(s, 10, EntryKind.CONSENT) == []
    assert s.tick(130) == [CALL]


def test_on_calls_own_matters_need_no_consent() -> None:
    s = Story(mode=Mode.ASK)
    assert s.raised(0, Condition.BLIND) == ["1/page/pager/blind-1"]
    assert s.entry(1, EntryKind.CONSENT).refused.startswith("this concerns on-call alone")


def test_an_incident_that_began_as_on_calls_own_asks_before_it_goes_to_the_vendor() -> None:
    s = Story(mode=Mode.ASK)
    s.raised(0, Condition.BLIND)
    assert s.raised(60) == ["1/page/pager/severity-critical"]
    assert s.act("1/page/pager/severity-critical").facts["asks_until"] == T0 + 360
    assert s.tick(359) == []
    assert s.tick(360) == [TICKET]


@pytest.mark.parametrize("kind", [EntryKind.CONSENT, EntryKind.DECLINE])
def test_an_answer_to_no_question_is_refused_and_changes_nothing(kind: EntryKind) -> None:
    s = Story()
    s.raised(0)
    before = s.state
    assert s.entry(1, kind).refused == "nothing is asked for"
    assert s.state == before
    assert s.kinds() == [RecordKind.REFUSED]
    told = s.detail(RecordKind.REFUSED)
    assert (told["entry"], told["by"]) == (kind.value, "ann")


def test_whoever_declined_cannot_consent_afterwards() -> None:
    s = asked()
    names_of(s, 60, EntryKind.DECLINE)
    late = s.entry(61, EntryKind.CONSENT)
    assert (late.refused, late.acts) == ("nothing is asked for", ())


def test_a_ticket_that_a_person_opened_answers_the_question() -> None:
    s = asked()
    s.raised(5, scope="smtp")
    assert names_of(s, 60, EntryKind.ADOPT, ticket="4711") == ["1/note/mail/unavailable-2"]
    assert s.detail(RecordKind.ASK_ENDED)["why"] == "ticket 4711 was adopted"
    assert s.tick(1000) == []  # whoever opened it has the call in hand too


def test_closed_the_question_is_over() -> None:
    s = asked()
    names_of(s, 60, EntryKind.CLOSED_BY_VENDOR)
    assert "the incident was closed" in [r.detail.get("why") for r in s.records if r.kind is RecordKind.ASK_ENDED]


def test_closed_without_a_question_none_is_said_to_be_over() -> None:
    s = Story()
    s.raised(0)
    names_of(s, 60, EntryKind.CLOSED_BY_VENDOR)
    assert RecordKind.ASK_ENDED not in [r.kind for r in s.records]


class TestReload:
    def test_another_change_is_no_answer(self) -> None:
        s = asked()
        assert s.reloaded(60, title="Mail") == []
        assert s.tick(299) == []
        assert s.tick(300) == [TICKET]

    def test_what_was_answered_is_not_asked_again(self) -> None:
        s = asked()
        names_of(s, 60, EntryKind.CONSENT)
        s.accepted(61, s.id(TICKET))
        s.reloaded(70, title="Mail")
        assert [r.kind for r in s.records].count(RecordKind.ASKED) == 1

    def test_what_was_declined_is_not_asked_again(self) -> None:
        s = asked()
        names_of(s, 60, EntryKind.DECLINE)
        assert s.reloaded(70, title="Mail") == []
        assert s.tick(1000) == []
        assert [r.kind for r in s.records].count(RecordKind.ASKED) == 1

    def test_a_pack_that_knows_the_condition_no_more_asks_for_nothing(self) -> None:
        s = Story(mode=Mode.OBSERVE)
        s.raised(0)
        assert s.reloaded(60, mode=Mode.ASK, pack=pack_with(conditions={})) == []
        assert RecordKind.ASKED not in [r.kind for r in s.records]

    def test_switched_to_act_nobody_has_to_consent_any_more(self) -> None:
        s = asked()
        assert s.reloaded(60, mode=Mode.ACT) == [TICKET]
        assert s.detail(RecordKind.ASK_ENDED)["why"] == "nobody has to consent any more"

    def test_switched_to_observe_nothing_is_asked_any_more(self) -> None:
        s = asked()
        assert s.reloaded(60, mode=Mode.OBSERVE) == []
        assert s.detail(RecordKind.ASK_ENDED)["why"] == "observing now"
        assert s.tick(1000) == []
        assert RecordKind.WENT_AHEAD not in [r.kind for r in s.records]
        assert s.state.phase is Phase.OPEN

    def test_switched_to_ask_what_could_not_be_done_before_is_asked_for(self) -> None:
        s = Story(mode=Mode.OBSERVE)
        s.raised(0)
        assert s.reloaded(60, mode=Mode.ASK) == []
        assert s.tick(360) == [TICKET]

    def test_without_receivers_any_more_nothing_can_go_ahead(self) -> None:
        s = asked()
        s.raised(5, scope="smtp")
        s.reloaded(60, tickets=(), hotline=())
        assert s.tick(300) == []
        assert s.detail(RecordKind.NO_TICKET)["why"] == "no receiver is configured"
        assert s.detail(RecordKind.NOTE_NOT_SENT)["why"] == "no ticket was opened"


def test_a_ticket_that_was_refused_is_not_asked_for_twice() -> None:
    s = asked()
    names_of(s, 60, EntryKind.CONSENT)
    s.result(61, s.id(TICKET), Outcome.PERMANENT, final=True)
    assert s.state.incident is not None
    assert s.state.incident.ticket is not None
    assert s.state.incident.ticket.status is Status.FAILED
    assert s.tick(182) == [CALL]


def names_of(s: Story, at: int, kind: EntryKind, ticket: str = "") -> list[str]:
    """The acts that an entry led to."""
    made = s.entry(at, kind, ticket=ticket)
    assert not made.refused
    return [a.id.partition("/")[2] for a in made.acts]
