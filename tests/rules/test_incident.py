"""The incident as the agreement and DESIGN.md ("Incident", "Order of acts") tell it."""

import json

import pytest
from incident_story import (
    BIRD,
    CALL,
    NS,
    PAGE,
    PLAN,
    RESOLVE,
    T0,
    TICKET,
    Story,
    an_outage,
    names,
    pack_with,
    recovered_with_ticket,
    short,
    with_ticket,
)

from rules.acts import ActKind, Outcome
from rules.incident import (
    TABLE,
    ConditionRaised,
    Entry,
    EntryKind,
    Mode,
    Phase,
    RecordKind,
    ServiceState,
    Status,
    Tick,
    step,
)
from rules.incident_draft import Draft
from rules.model import Condition


class TestPersistentUnavailability:
    def test_on_call_is_paged_and_the_ticket_opened_at_once_and_the_hotline_waits(self) -> None:
        s = Story()
        assert s.raised(0) == [PAGE, TICKET]
        assert s.state.phase is Phase.OPEN
        assert s.kinds() == [RecordKind.RAISED, RecordKind.OPENED, RecordKind.ACT, RecordKind.ACT]

    def test_each_receiver_of_on_call_has_an_act_of_its_own(self) -> None:
        s = Story(on_call=("pager", "phone", "pager"))
        assert s.raised(0) == [PAGE, "1/page/phone/open", TICKET]

    def test_the_ticket_is_one_act_with_all_its_receivers_in_turn(self) -> None:
        assert an_outage().act(TICKET).receivers == ("mail", "desk")

    def test_the_incident_is_named_after_the_service_and_the_second(self) -> None:
        s = an_outage()
        assert s.act(TICKET).incident == "bird-20261122T100000Z"
        assert s.state.view() == {
            "id": "bird-20261122T100000Z",
            "service": "bird",
            "severity": "critical",
            "phase": "open",
            "episode": 1,
            "conditions": [{"condition": "unavailable", "scope": "", "onset": T0 - 59}],
            "opened": T0,
            "onset": T0 - 59,
            "ticket": {
                "act": s.id(TICKET),
                "status": "pending",
                "receiver": "",
                "reference": "",
                "number": "",
            },
            "acknowledged_by": "",
            "waiting": "",
            "asking": None,
            "clocks": [],
        }

    def test_the_facts_carry_what_the_text_needs(self) -> None:
        s = Story()
        s.raised(0, rule={"for": 60})
        facts = s.act(TICKET).facts
        assert json.loads(json.dumps(facts)) == facts
        told = {
            "condition": "unavailable",
            "onset": T0 - 59,
            "raised": T0,
            "measured": 60,
            "bad": 57,
            "reasons": {"http_status_503": 57},
            "severity": "critical",
            "severity_title": "Critical Issue",
            "article": "Problème Critique, (i)",
            "episode": 1,
            "mode": "act",
            "ticket_status": "none",
            "ticket_pending": False,
            "thread": "",
            "rule": {"for": 60},
        }
        assert {k: facts[k] for k in told} == told
        assert "all of these calls fail" in facts["unavailability"]["meaning"]

    def test_the_page_says_what_follows(self) -> None:
        facts = an_outage().act(PAGE).facts
        assert facts["follows"] == ["open the ticket by mail or desk", "then call the hotline by call"]
        assert "text" not in facts

    def test_told_twice_it_is_recorded_and_nothing_else(self) -> None:
        s = an_outage()
        assert s.raised(5) == []
        assert s.detail(RecordKind.IGNORED)["why"] == "holds already"
        assert s.cleared(6, Condition.PARTIAL, "api/x") == []
        assert s.detail(RecordKind.IGNORED)["why"] == "does not hold"

    def test_a_severity_that_pages_nobody_pages_nobody(self) -> None:
        severities = BIRD.to_mapping()["severities"]
        severities["critical"]["page"] = False
        s = Story(pack=pack_with(severities=severities))
        assert s.raised(0) == [TICKET]


class TestTheHotline:
    def test_it_is_called_once_the_ticket_was_accepted(self) -> None:
        s = an_outage()
        assert s.accepted(2, s.id(TICKET), "desk") == [CALL]
        facts = s.act(CALL).facts
        assert facts["because"] == "ticket_accepted"
        assert (facts["ticket_status"], facts["ticket_pending"]) == ("accepted", False)
        assert (facts["ticket"], facts["thread"]) == ("<id@example.com>", s.id(TICKET))

    def test_it_is_called_120_s_after_the_first_attempt_saying_so(self) -> None:
        s = Story()
        s.raised(0)
        s.started(7.5, s.id(TICKET))
        assert s.detail(RecordKind.STARTED) == {"act": s.id(TICKET), "receiver": "mail"}
        s.started(60, s.id(TICKET), "desk")  # a further attempt does not put it off
        assert s.tick(127) == []
        assert s.tick(128) == [CALL]
        facts = s.act(CALL).facts
        assert (facts["because"], facts["ticket_status"], facts["ticket_pending"]) == ("waited", "pending", True)

    def test_without_any_attempt_it_is_not_called(self) -> None:
        s = Story()
        s.raised(0)
        assert s.tick(10_000) == []

    def test_a_result_tells_of_an_attempt_whose_begin_was_lost(self) -> None:
        s = Story()
        s.raised(0)
        assert s.result(10, s.id(TICKET), Outcome.TRANSIENT) == []
        assert s.tick(129) == []
        assert s.tick(130) == ["1/page/pager/ticket-late", CALL]

    def test_it_is_called_once_an_episode(self) -> None:
        s = an_outage()
        assert s.tick(121) == [CALL]
        assert s.accepted(130, s.id(TICKET)) == []
        assert s.tick(500) == []

    def test_without_ticket_receivers_the_page_says_so_and_it_is_called_after_120_s(self) -> None:
        s = Story(tickets=())
        assert s.raised(0) == [PAGE]
        assert s.act(PAGE).facts["text"] == "By hand, because no receiver is configured: open the ticket."
        assert s.detail(RecordKind.NO_TICKET)["why"] == "no receiver is configured"
        assert s.tick(119) == []
        assert s.tick(120) == [CALL]
        facts = s.act(CALL).facts
        assert (facts["ticket_status"], facts["ticket_pending"]) == ("none", False)

    def test_without_hotline_receivers_on_call_is_told_to_call(self) -> None:
        s = an_outage(hotline=())
        assert s.act(PAGE).facts["text"] == "By hand, because no receiver is configured: then call the hotline."
        assert s.detail(RecordKind.HOTLINE_NOT_CALLED)["why"] == "no receiver is configured"
        assert s.accepted(2, s.id(TICKET)) == []

    def test_a_severity_without_hotline_calls_none(self) -> None:
        s = Story(pack=pack_with(conditions={"unavailable": "non-critical"}))
        assert s.raised(0) == [PAGE, TICKET]
        assert s.accepted(2, s.id(TICKET)) == []

    def test_a_pack_may_have_it_called_at_once(self) -> None:
        severities = BIRD.to_mapping()["severities"]
        severities["critical"] |= {"after_ticket": False}
        s = Story(pack=pack_with(severities=severities))
        assert s.raised(0) == [PAGE, TICKET, CALL]
        assert s.act(CALL).facts["because"] == "at_once"
        assert s.act(PAGE).facts["follows"][1] == "call the hotline by call"

    def test_a_reload_does_not_put_it_off(self) -> None:
        s = Story(tickets=())
        s.raised(0)
        s.reloaded(60, title="Mail")
        assert s.tick(119) == []
        assert s.tick(120) == [CALL]

    def test_a_clock_set_forward_does_not_cut_the_wait_short(self) -> None:
        s = an_outage()
        s.clock(3610, 3600)
        assert s.tick(3611) == []
        assert s.tick(3720) == []
        assert s.tick(3721) == [CALL]

    def test_nor_once_somebody_has_acknowledged(self) -> None:
        s = an_outage()
        s.entry(5, EntryKind.ACK)
        s.clock(3610, 3600)
        assert s.tick(3720) == []
        assert s.tick(3721) == [CALL]

    def test_nor_where_there_is_no_ticket_to_wait_for(self) -> None:
        s = Story(tickets=())
        s.raised(0)
        s.clock(3601, 3600)
        assert s.tick(3719) == []
        assert s.tick(3720) == [CALL]

    def test_one_refused_for_good_has_on_call_call_by_hand(self) -> None:
        s = with_ticket()
        assert s.refused(5, s.id(CALL), "webhook 404") == ["1/page/pager/hotline-failed"]
        assert "call the hotline by hand. webhook 404" in s.act("1/page/pager/hotline-failed").facts["text"]

    def test_one_refused_for_good_where_there_is_no_ticket_too(self) -> None:
        s = Story(tickets=())
        s.raised(0)
        s.tick(120)
        assert s.refused(125, s.id(CALL), "webhook 404") == ["1/page/pager/hotline-failed"]

    def test_a_note_refused_for_good_has_on_call_write_by_hand(self) -> None:
        s = with_ticket()
        s.accepted(5, s.id(CALL))
        s.cleared(300)
        s.raised(400)
        note = s.id("2/note/mail/unavailable-again")
        assert s.refused(402, note, "desk 422: closed") == ["2/page/pager/note-failed"]
        assert "write into it by hand. desk 422: closed" in s.act("2/page/pager/note-failed").facts["text"]
        assert s.refused(403, note, "desk 422: closed") == []
        assert s.detail(RecordKind.RESULT)["standing"] == "repeated"

    def test_receivers_taken_away_before_it_was_due_are_recorded(self) -> None:
        s = an_outage()
        s.reloaded(50, hotline=())
        assert s.tick(121) == []
        assert s.detail(RecordKind.HOTLINE_NOT_CALLED)["why"] == "no receiver is configured"


class TestATicketThatNobodyTakes:
    def test_on_call_is_paged_and_the_hotline_follows_at_120_s(self) -> None:
        s = an_outage()
        assert s.refused(3, s.id(TICKET)) == ["1/page/pager/ticket-failed"]
        assert "open the ticket by hand. 550 no such user" in s.act("1/page/pager/ticket-failed").facts["text"]
        assert s.detail(RecordKind.TICKET_FAILED)["detail"] == "550 no such user"
        assert s.tick(120) == []
        assert s.tick(121) == [CALL]
        assert s.act(CALL).facts["ticket_status"] == "failed"

    def test_there_is_nothing_to_add_a_note_to(self) -> None:
        s = an_outage()
        s.refused(3, s.id(TICKET))
        assert s.cleared(300) == [RESOLVE, "1/page_resolve/pager/ticket-failed"]
        assert s.detail(RecordKind.NOTE_NOT_SENT)["why"] == "no ticket was opened"

    def test_a_note_that_waited_for_it_is_not_sent(self) -> None:
        s = an_outage()
        s.cleared(300)
        s.refused(301, s.id(TICKET))
        assert s.detail(RecordKind.NOTE_NOT_SENT) == {"step": "recovered", "why": "no ticket was opened"}

    def test_a_new_episode_waits_for_time_alone(self) -> None:
        s = an_outage()
        s.refused(3, s.id(TICKET))
        s.cleared(300)
        assert s.raised(400) == ["2/page/pager/open"]
        assert s.tick(519) == []
        assert s.tick(520) == ["2/hotline/call/call"]

    def test_a_new_episode_opens_the_ticket_that_nobody_was_configured_for(self) -> None:
        s = Story(tickets=())
        s.raised(0)
        s.cleared(300)
        assert s.reloaded(310, tickets=("mail",)) == [], "it is over"
        assert s.raised(400) == ["2/page/pager/open", "2/ticket/mail/open"]

    def test_a_receiver_that_took_it_after_all_counts(self) -> None:
        s = an_outage()
        s.refused(3, s.id(TICKET))
        assert s.accepted(9, s.id(TICKET), "desk") == [CALL]
        assert s.state.incident is not None
        assert s.state.incident.ticket is not None
        assert s.state.incident.ticket.status is Status.ACCEPTED

    def test_a_transient_refusal_leaves_it_pending(self) -> None:
        s = an_outage()
        assert s.result(2, s.id(TICKET), Outcome.TRANSIENT, detail="451 later") == []
        assert s.detail(RecordKind.RESULT)["standing"] == "taken"

    def test_on_call_is_told_once_an_episode_that_no_relay_is_left(self) -> None:
        s = an_outage()
        told = s.result(2, s.id(TICKET), Outcome.TRANSIENT, detail="no_relay: every relay is the service itself")
        assert told == ["1/page/pager/no-relay"]
        assert s.result(3, s.id(TICKET), Outcome.TRANSIENT, detail="no_relay: every relay is the service itself") == []

    def test_one_that_was_taken_at_the_second_attempt_is_not_late(self) -> None:
        s = an_outage()
        s.result(2, s.id(TICKET), Outcome.TRANSIENT, detail="451 later")
        assert s.accepted(3, s.id(TICKET)) == [CALL]
        s.result(4, s.id(CALL), Outcome.TRANSIENT, detail="busy")
        s.accepted(5, s.id(CALL), "call")
        assert s.tick(500) == []

    def test_on_call_is_not_paged_about_a_page_that_no_relay_carries(self) -> None:
        s = an_outage()
        assert s.result(2, s.id(PAGE), Outcome.TRANSIENT, "pager", detail="no_relay: every relay is the service") == []


class TestRecovery:
    def test_a_note_goes_into_the_ticket_by_the_receiver_that_took_it_and_the_page_is_resolved(self) -> None:
        s = an_outage()
        s.accepted(2, s.id(TICKET), "desk")
        s.accepted(3, s.id(CALL), "call")
        assert s.cleared(300, last=T0 + 179) == ["1/note/desk/recovered", RESOLVE]
        note, resolve = s.last.acts
        assert (note.receivers, note.after) == (("desk",), s.id(TICKET))
        assert (note.facts["recovered"], note.facts["duration"], note.facts["duration_to"]) == (
            T0 + 300,
            239,
            "last_bad",
        )
        assert note.facts["thread"] == s.id(TICKET)
        told = s.detail(RecordKind.RECOVERED)
        assert (told["recovered"], told["duration"]) == (T0 + 300, 239)
        assert resolve.after == s.id(PAGE)
        assert (resolve.facts["recovered"], resolve.facts["duration"]) == (T0 + 300, 239)
        assert resolve.alert("pager") == s.act(PAGE).alert("pager")
        assert s.state.phase is Phase.RECOVERED

    def test_the_duration_runs_to_the_recovery_where_the_last_bad_second_is_not_known(self) -> None:
        s = with_ticket()
        s.cleared(300)
        facts = s.act("1/note/mail/recovered").facts
        assert (facts["duration"], facts["duration_to"]) == (359, "recovered")

    def test_a_hotline_that_waits_is_not_called(self) -> None:
        s = an_outage()
        s.cleared(90)
        assert s.detail(RecordKind.HOTLINE_NOT_CALLED)["why"] == "recovered before the call was due"
        assert s.tick(200) == []

    def test_a_call_that_is_not_taken_yet_is_withdrawn(self) -> None:
        s = with_ticket()
        s.cleared(300)
        assert s.last.withdraw == (s.id(CALL),)
        assert s.detail(RecordKind.HOTLINE_NOT_CALLED)["why"] == "recovered before the call was made"

    def test_a_call_that_was_taken_is_not_withdrawn(self) -> None:
        s = with_ticket()
        s.accepted(5, s.id(CALL), "call")
        s.cleared(300)
        assert s.last.withdraw == ()

    def test_the_note_of_a_ticket_on_its_way_follows_it_to_the_receiver_that_takes_it(self) -> None:
        s = an_outage()
        assert s.cleared(300) == [RESOLVE]
        assert s.detail(RecordKind.NOTE_HELD) == {"step": "recovered", "ticket": s.id(TICKET)}
        assert s.accepted(400, s.id(TICKET), "desk") == ["1/note/desk/recovered"]
        note = s.act("1/note/desk/recovered")
        assert (note.created, note.after) == (T0 + 300, s.id(TICKET))
        assert (note.facts["thread"], note.facts["ticket_status"]) == (s.id(TICKET), "accepted")

    def test_without_a_ticket_no_note_is_sent(self) -> None:
        s = Story(tickets=())
        s.raised(0)
        assert s.cleared(300) == [RESOLVE]
        assert s.detail(RecordKind.NOTE_NOT_SENT)["why"] == "no ticket was opened"

    def test_a_receiver_that_a_reload_took_away_is_replaced_by_the_first(self) -> None:
        s = with_ticket()
        s.reloaded(10, tickets=("desk",))
        assert s.cleared(300)[0] == "1/note/desk/recovered"

    def test_with_no_receiver_left_the_note_is_recorded_as_not_sent(self) -> None:
        s = with_ticket()
        s.reloaded(10, tickets=())
        assert s.cleared(300) == [RESOLVE]
        assert s.detail(RecordKind.NOTE_NOT_SENT) == {"step": "recovered", "why": "no receiver is configured"}


class TestUnavailableAgain:
    def test_the_same_ticket_gets_a_note_and_page_and_call_are_new(self) -> None:
        s = recovered_with_ticket()
        assert s.raised(400) == ["2/page/pager/open", "2/note/mail/unavailable-again"]
        assert s.accepted(402, s.id("2/note/mail/unavailable-again")) == ["2/hotline/call/call"]
        assert s.act("2/hotline/call/call").facts["because"] == "note_accepted"
        assert s.tickets() == {s.id(TICKET)}
        assert s.act("2/page/pager/open").facts["follows"][0] == "add to the ticket by mail or desk"

    def test_a_ticket_that_was_refused_is_not_said_to_be_added_to(self) -> None:
        s = Story()
        s.raised(0)
        s.refused(2, s.id(TICKET))
        s.cleared(300)
        assert s.raised(400) == ["2/page/pager/open"]
        facts = s.act("2/page/pager/open").facts
        assert facts["follows"] == ["then call the hotline by call"]
        assert facts["text"].startswith("The ticket was refused by every receiver. Open it by hand")

    def test_the_call_waits_no_longer_than_120_s_for_the_note(self) -> None:
        s = recovered_with_ticket()
        s.raised(400)
        s.started(401, s.id("2/note/mail/unavailable-again"))
        assert s.tick(520) == []
        assert s.tick(521) == ["2/hotline/call/call"]
        facts = s.act("2/hotline/call/call").facts
        assert (facts["note_pending"], facts["ticket_pending"]) == (True, False)

    def test_where_the_ticket_is_on_its_way_for_that_long_the_call_is_made_at_once(self) -> None:
        s = an_outage()
        s.cleared(300)
        assert s.raised(400) == ["2/page/pager/open", "2/hotline/call/call"]
        assert s.act("2/hotline/call/call").facts["ticket_pending"] is True
        assert s.accepted(500, s.id(TICKET)) == ["1/note/mail/recovered", "2/note/mail/unavailable-again"]

    def test_recovered_again_it_resolves_the_new_page_alone(self) -> None:
        s = recovered_with_ticket()
        s.raised(400)
        assert s.cleared(700) == ["2/note/mail/recovered", "2/page_resolve/pager/open"]

    def test_notes_name_the_earlier_ones(self) -> None:
        s = recovered_with_ticket()
        s.raised(400)
        assert s.act("2/note/mail/unavailable-again").facts["earlier"] == [s.id("1/note/mail/recovered")]

    def test_what_is_settled_is_forgotten_and_what_is_not_is_kept(self) -> None:
        s = recovered_with_ticket()
        for act in (PAGE, RESOLVE, "1/note/mail/recovered"):
            s.accepted(301, s.id(act))
        s.raised(400)
        s.cleared(700)
        s.raised(800)
        assert s.state.incident is not None
        kept = [short(m.id) for m in s.state.incident.made]
        assert [k for k in kept if k.startswith("1/")] == [TICKET]


class TestOnCallAlone:
    def test_failing_pages_on_call_and_asks_the_vendor_for_nothing(self) -> None:
        s = Story()
        assert s.raised(0, Condition.FAILING, "api") == ["1/page/pager/failing-1"]
        assert s.state.phase is Phase.INTERNAL
        facts = s.act("1/page/pager/failing-1").facts
        assert (facts["severity"], facts["severity_title"], facts["scope"]) == ("internal", "On-call alone", "api")
        assert "unavailability" not in facts
        assert s.tick(500) == []
        view = s.state.view()
        assert view is not None
        assert (view["phase"], view["severity"]) == ("open", "internal")

    def test_it_closes_by_itself_when_all_of_it_is_over(self) -> None:
        s = Story()
        s.raised(0, Condition.FAILING, "api")
        assert s.raised(5, Condition.BLIND) == ["1/page/pager/blind-2"]
        assert s.cleared(100, Condition.FAILING, "api") == ["1/page_resolve/pager/failing-1"]
        assert s.state.phase is Phase.INTERNAL
        assert s.cleared(200, Condition.BLIND) == ["1/page_resolve/pager/blind-2"]
        assert s.act("1/page_resolve/pager/blind-2").facts["condition"] == "blind"
        assert s.detail(RecordKind.CLOSED)["how"] == "by_itself"
        assert s.state.phase is Phase.NONE
        assert s.state.view() is None

    def test_unavailable_raises_the_same_incident_to_the_agreements_severity(self) -> None:
        s = Story()
        s.raised(0, Condition.FAILING, "api")
        assert s.raised(60) == ["1/page/pager/severity-critical", TICKET]
        assert s.act(TICKET).incident == s.act("1/page/pager/failing-1").incident
        assert s.detail(RecordKind.SEVERITY) == {"before": "internal", "now": "critical"}
        assert s.accepted(70, s.id(TICKET)) == [CALL]

    def test_beside_an_open_incident_it_has_a_page_of_its_own_and_no_note(self) -> None:
        s = with_ticket()
        assert s.raised(10, Condition.FAILING, "smtp") == ["1/page/pager/failing-1"]
        assert s.act("1/page/pager/failing-1").facts["severity"] == "internal"
        assert s.cleared(20, Condition.FAILING, "smtp") == ["1/page_resolve/pager/failing-1"]
        assert s.act("1/page_resolve/pager/failing-1").facts["severity"] == "internal"
        assert s.raised(30, Condition.FAILING, "smtp") == ["1/page/pager/failing-2"]
        assert s.state.phase is Phase.OPEN

    def test_beside_a_recovered_incident_too(self) -> None:
        s = recovered_with_ticket()
        assert s.raised(310, Condition.BLIND) == ["1/page/pager/blind-1"]
        assert s.cleared(320, Condition.BLIND) == ["1/page_resolve/pager/blind-1"]
        assert s.state.phase is Phase.RECOVERED

    def test_the_vendors_recovery_leaves_its_page_alone(self) -> None:
        s = with_ticket()
        s.raised(10, Condition.FAILING, "smtp")
        assert "1/page_resolve/pager/failing-1" not in s.cleared(300)

    def test_what_goes_on_after_the_incident_is_closed_opens_the_next(self) -> None:
        s = recovered_with_ticket()
        first = s.act(TICKET).incident
        s.raised(310, Condition.FAILING, "api")
        acts = names(s.entry(400, EntryKind.RESOLVE).acts)
        assert acts == ["1/page_resolve/pager/failing-1", "1/page/pager/failing-1"]
        assert s.act("1/page/pager/failing-1").incident == "bird-20261122T100640Z" != first
        assert s.state.phase is Phase.INTERNAL

    def test_partial_is_recorded_and_nothing_is_done_where_the_pack_does_not_map_it(self) -> None:
        s = Story()
        assert s.raised(0, Condition.PARTIAL, "api/account") == []
        assert s.kinds() == [RecordKind.RAISED]
        before = s.state
        assert s.tick(1) == []
        assert s.state is before, "time alone changes nothing, so that nothing is written down every second"
        assert s.cleared(100, Condition.PARTIAL, "api/account") == []
        assert s.kinds() == [RecordKind.CLEARED]
        assert s.state.held == ()

    def test_another_channel_is_a_note_in_the_same_episode_and_ends_with_the_service(self) -> None:
        s = Story()
        s.raised(0)
        assert s.accepted(1, s.id(TICKET)) == [CALL]
        assert s.raised(5, Condition.UNAVAILABLE, "smtp") == ["1/note/mail/unavailable-2"]
        assert s.cleared(300, Condition.UNAVAILABLE, "smtp") == []
        assert s.last.withdraw == ()
        assert s.raised(301, Condition.UNAVAILABLE, "smtp") == []  # told of before, and still the same episode
        s.cleared(310, Condition.UNAVAILABLE, "smtp")
        assert "1/note/mail/recovered" in s.cleared(310)
        assert s.state.phase is Phase.RECOVERED


class TestAPackThatMapsMore:
    PACK = pack_with(
        conditions={"unavailable": "critical", "partial": "non-critical", "blind": "non-critical"},
        on_call_alone=["failing"],
    )

    def test_unavailable_raises_the_incident_that_partial_opened(self) -> None:
        s = Story(pack=self.PACK)
        assert s.raised(0, Condition.PARTIAL, "api/a") == [PAGE, TICKET]
        s.accepted(1, s.id(TICKET))
        assert s.raised(30) == ["1/page/pager/severity-critical", "1/note/mail/severity-critical"]
        assert s.accepted(31, s.id("1/note/mail/severity-critical")) == [CALL]
        assert s.tickets() == {s.id(TICKET)}

    def test_a_rise_waits_for_the_ticket_that_is_on_its_way(self) -> None:
        s = Story(pack=self.PACK)
        s.raised(0, Condition.PARTIAL, "api/a")
        assert s.raised(30) == ["1/page/pager/severity-critical"]
        assert s.accepted(31, s.id(TICKET)) == ["1/note/mail/severity-critical", CALL]

    def test_a_rise_opens_the_ticket_that_the_lower_severity_did_not_ask_for(self) -> None:
        severities = self.PACK.to_mapping()["severities"]
        severities["non-critical"]["ticket"] = False
        s = Story(
            pack=pack_with(severities=severities, conditions=self.PACK.to_mapping()["conditions"], on_call_alone=[])
        )
        assert s.raised(0, Condition.PARTIAL, "api/a") == [PAGE]
        assert s.raised(30) == ["1/page/pager/severity-critical", TICKET]

    def test_a_further_condition_is_a_note(self) -> None:
        s = Story(pack=self.PACK)
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        assert s.raised(5, Condition.PARTIAL, "smtp/b") == ["1/note/mail/partial-2"]
        assert s.cleared(6, Condition.PARTIAL, "smtp/b") == []
        assert s.state.phase is Phase.OPEN
        assert s.raised(7, Condition.PARTIAL, "smtp/b") == []  # told of before
        s.cleared(300)
        assert s.state.phase is Phase.OPEN, "it holds all the same"
        s.cleared(310, Condition.PARTIAL, "smtp/b")
        assert s.state.phase is Phase.RECOVERED

    def test_an_endpoint_again_while_another_is_down_is_no_new_episode(self) -> None:
        s = Story(pack=self.PACK)
        s.raised(0, Condition.PARTIAL, "api/a")
        s.accepted(1, s.id(TICKET))
        s.raised(5, Condition.PARTIAL, "api/b")
        s.cleared(300, Condition.PARTIAL, "api/a")
        assert s.raised(400, Condition.PARTIAL, "api/a") == []
        assert s.state.incident is not None
        assert s.state.incident.episode == 1

    def test_unavailable_again_while_partial_holds_on_is_a_new_episode(self) -> None:
        s = Story(pack=self.PACK)
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        s.raised(5, Condition.PARTIAL, "api/a")
        s.cleared(300)
        assert s.last.withdraw == (s.id(CALL),)
        assert s.state.phase is Phase.OPEN
        assert s.raised(400) == ["2/page/pager/open", "2/note/mail/unavailable-again"]
        assert s.detail(RecordKind.EPISODE)["episode"] == 2
        assert s.accepted(401, s.id("2/note/mail/unavailable-again")) == ["2/hotline/call/call"]
        s.cleared(700)
        assert s.state.phase is Phase.OPEN  # partial has held all the time
        s.cleared(800, Condition.PARTIAL, "api/a")
        assert s.state.phase is Phase.RECOVERED

    def test_a_call_that_was_not_made_is_made_when_it_rises_in_the_same_episode(self) -> None:
        severities = BIRD.to_mapping()["severities"]
        conditions = {"unavailable": "emergency", "partial": "critical", "intermittent": "non-critical"}
        s = Story(pack=pack_with(severities={"emergency": severities["critical"]} | severities, conditions=conditions))
        s.raised(0, Condition.PARTIAL, "api/a")
        assert s.accepted(1, s.id(TICKET)) == [CALL]
        s.raised(5, Condition.INTERMITTENT)
        s.cleared(6, Condition.PARTIAL, "api/a")
        assert s.last.withdraw == (s.id(CALL),)
        s.raised(30)
        assert s.accepted(31, s.id("1/note/mail/severity-emergency")) == ["1/hotline/call/call-2"]
        assert s.tick(500) == [], "once an episode"

    def test_it_gets_the_ticket_that_on_call_declined_in_the_episode_before(self) -> None:
        s = Story(pack=self.PACK, mode=Mode.ASK)
        s.raised(0)
        s.raised(5, Condition.PARTIAL, "api/a")
        s.entry(60, EntryKind.DECLINE)
        assert s.reloaded(100, mode=Mode.ACT) == []
        s.cleared(300)
        assert s.raised(400) == ["2/page/pager/open", "2/ticket/mail/open"]

    def test_the_pages_of_every_episode_are_resolved_when_all_is_over(self) -> None:
        s = Story(pack=self.PACK)
        s.raised(0)
        s.raised(5, Condition.PARTIAL, "api/a")
        for episode in (1, 2, 3):
            s.accepted(episode * 1000, s.id(f"{episode}/page/pager/open"), "pager")
            s.cleared(episode * 1000 + 300)
            if episode < 3:
                s.raised(episode * 1000 + 900)
        resolved = [name for name in s.cleared(5000, Condition.PARTIAL, "api/a") if "/page_resolve/" in name]
        assert resolved == [f"{episode}/page_resolve/pager/open" for episode in (1, 2, 3)]

    def test_the_incident_keeps_its_highest_severity(self) -> None:
        s = Story(pack=self.PACK)
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        s.cleared(300)
        assert s.raised(400, Condition.PARTIAL, "api/a") == ["2/page/pager/open", "2/note/mail/unavailable-again"]
        assert s.accepted(401, s.id("2/note/mail/unavailable-again")) == []  # partial calls no hotline
        assert s.act("2/page/pager/open").facts["severity"] == "critical"
        assert s.raised(410)[0] == "2/page/pager/severity-critical"

    def test_a_clock_set_back_stays_our_own_matter_even_where_blind_is_mapped(self) -> None:
        s = Story(pack=self.PACK)
        assert s.clock(0, -60) == ["1/page/pager/blind-1"]


class TestOperators:
    def test_a_resolve_closes_what_has_recovered_and_says_who_when_and_how(self) -> None:
        s = recovered_with_ticket()
        assert s.entry(400, EntryKind.RESOLVE).refused == ""
        assert s.detail(RecordKind.CLOSED) == {
            "how": "resolve",
            "by": "ann",
            "text": "as said on the phone",
            "at": (T0 + 400) * NS,
        }
        assert s.records[-1].incident == "bird-20261122T100000Z"
        assert s.state.phase is Phase.NONE

    def test_a_resolve_is_refused_while_it_is_unavailable(self) -> None:
        s = with_ticket()
        made = s.entry(10, EntryKind.RESOLVE)
        assert made.refused == "bird is still unavailable; it can be resolved once it has recovered"
        assert s.detail(RecordKind.REFUSED)["why"] == made.refused
        assert s.state.phase is Phase.OPEN

    def test_the_next_outage_opens_a_new_incident_with_its_own_ticket(self) -> None:
        s = recovered_with_ticket()
        s.entry(400, EntryKind.RESOLVE)
        assert s.raised(1000) == [PAGE, TICKET]
        assert len(s.tickets()) == 2
        assert {t.partition("/")[0] for t in s.tickets()} == {"bird-20261122T100000Z", "bird-20261122T101640Z"}

    def test_two_incidents_of_one_second_have_two_names(self) -> None:
        s = an_outage()
        s.entry(0, EntryKind.CLOSED_BY_VENDOR)
        assert s.act(TICKET).incident == "bird-20261122T100001Z"

    def test_the_vendor_can_close_a_recovered_one(self) -> None:
        s = recovered_with_ticket()
        s.entry(400, EntryKind.CLOSED_BY_VENDOR)
        assert s.detail(RecordKind.CLOSED)["how"] == "closed_by_vendor"

    def test_closed_by_the_vendor_while_it_goes_on_a_new_incident_follows_at_once(self) -> None:
        s = with_ticket()
        s.accepted(3, s.id(CALL), "call")
        assert names(s.entry(60, EntryKind.CLOSED_BY_VENDOR).acts) == [RESOLVE, PAGE, TICKET]
        assert len(s.tickets()) == 2
        assert s.state.phase is Phase.OPEN

    def test_closing_withdraws_what_has_not_gone_out(self) -> None:
        s = an_outage()
        s.cleared(300)
        s.entry(400, EntryKind.RESOLVE)
        assert s.last.withdraw == (s.id(TICKET),)
        assert s.detail(RecordKind.NOTE_NOT_SENT)["why"] == "the incident was closed"

    def test_closing_records_the_call_that_waits(self) -> None:
        s = an_outage()
        s.entry(60, EntryKind.CLOSED_BY_VENDOR)
        assert any(
            r.detail.get("why") == "the incident was closed"
            for r in s.records
            if r.kind is RecordKind.HOTLINE_NOT_CALLED
        )

    def test_an_acknowledgement_and_a_note_are_recorded(self) -> None:
        s = an_outage()
        s.entry(5, EntryKind.ACK)
        s.entry(6, EntryKind.NOTE)
        assert [r.kind for r in s.records[-2:]] == [RecordKind.ACK, RecordKind.NOTE]
        view = s.state.view()
        assert view is not None
        assert view["acknowledged_by"] == "ann"
        assert s.last.acts == ()

    @pytest.mark.parametrize("kind", list(EntryKind))
    def test_with_no_incident_every_entry_is_refused(self, kind: EntryKind) -> None:
        s = Story()
        assert s.entry(5, kind).refused == "no incident of bird is open"
        assert s.detail(RecordKind.REFUSED)["by"] == "ann"
        s.entry(6, kind, incident="bird-20250101T000000Z")
        assert [r.incident for r in s.records] == ["", "bird-20250101T000000Z"]

    def test_a_note_that_says_nothing_is_refused(self) -> None:
        s = an_outage()
        assert s.tell(Entry(EntryKind.NOTE, "ann", " ", (T0 + 5) * NS)).refused == "a note needs a text"

    @pytest.mark.parametrize("kind", list(EntryKind))
    def test_an_entry_for_another_incident_is_refused(self, kind: EntryKind) -> None:
        s = recovered_with_ticket()
        made = s.entry(400, kind, incident="bird-20250101T000000Z", ticket="7")
        assert made.refused == "incident bird-20250101T000000Z is not open; bird-20261122T100000Z is"
        assert (made.records[0].detail["entry"], made.records[0].detail["by"]) == (kind.value, "ann")
        assert made.records[0].incident == "bird-20250101T000000Z"  # on the trail of the one that was meant

    @pytest.mark.parametrize("kind", [EntryKind.RESOLVE, EntryKind.ADOPT, EntryKind.CLOSED_BY_VENDOR])
    def test_on_calls_own_matter_is_not_closed_by_hand(self, kind: EntryKind) -> None:
        s = Story()
        s.raised(0, Condition.BLIND)
        assert "closes by itself" in s.entry(5, kind, ticket="7").refused
        assert s.detail(RecordKind.REFUSED)["by"] == "ann"


class TestAdoption:
    def test_a_ticket_on_its_way_is_withdrawn_and_the_call_is_made(self) -> None:
        s = an_outage()
        assert names(s.entry(10, EntryKind.ADOPT, ticket="4711").acts) == [CALL]
        assert s.last.withdraw == (s.id(TICKET),)
        facts = s.act(CALL).facts
        assert (facts["because"], facts["ticket"], facts["ticket_status"]) == ("ticket_adopted", "4711", "accepted")
        told = s.detail(RecordKind.ADOPTED)
        assert (told["by"], told["ticket"]) == ("ann", "4711")

    def test_notes_go_by_the_first_receiver_with_the_number(self) -> None:
        s = an_outage()
        s.entry(10, EntryKind.ADOPT, ticket="4711")
        assert s.cleared(300)[0] == "1/note/mail/recovered"
        note = s.act("1/note/mail/recovered")
        assert (note.facts["ticket"], note.facts["thread"], note.after) == ("4711", "", "")

    def test_a_note_that_waited_goes_out(self) -> None:
        s = an_outage()
        s.cleared(300)
        assert names(s.entry(310, EntryKind.ADOPT, ticket="4711").acts) == ["1/note/mail/recovered"]

    def test_our_own_ticket_keeps_its_thread_and_gets_the_number(self) -> None:
        s = with_ticket()
        assert s.entry(10, EntryKind.ADOPT, ticket="4711").withdraw == ()
        s.cleared(300)
        facts = s.act("1/note/mail/recovered").facts
        assert (facts["ticket"], facts["thread"]) == ("4711", s.id(TICKET))

    def test_one_takes_the_place_of_a_ticket_that_nobody_took(self) -> None:
        s = an_outage()
        s.refused(3, s.id(TICKET))
        assert names(s.entry(10, EntryKind.ADOPT, ticket="4711").acts) == [CALL]
        assert s.last.withdraw == (), "there is nothing to withdraw"
        assert s.cleared(300)[0] == "1/note/mail/recovered"

    def test_without_receivers_it_is_recorded_and_no_note_can_follow(self) -> None:
        s = Story(tickets=())
        s.raised(0)
        assert names(s.entry(10, EntryKind.ADOPT, ticket="4711").acts) == [CALL]
        s.cleared(300)
        assert s.detail(RecordKind.NOTE_NOT_SENT)["why"] == "no receiver is configured"

    def test_it_needs_the_number(self) -> None:
        s = an_outage()
        before = s.state
        made = s.entry(10, EntryKind.ADOPT, ticket=" ")
        assert (made.refused, made.acts, made.withdraw) == ("adopt needs the ticket's number", (), ())
        assert s.state == before

    def test_a_late_word_of_the_withdrawn_ticket_is_recorded(self) -> None:
        s = an_outage()
        s.entry(10, EntryKind.ADOPT, ticket="4711")
        assert s.accepted(11, s.id(TICKET)) == []
        assert s.detail(RecordKind.RESULT)["standing"] == "late"


class TestResults:
    def test_a_repeated_acceptance_changes_nothing_and_is_recorded(self) -> None:
        s = with_ticket()
        before = s.state
        assert s.accepted(9, s.id(TICKET), "desk") == []
        assert s.state == before
        assert s.detail(RecordKind.RESULT)["standing"] == "repeated"

    def test_a_refusal_after_an_acceptance_changes_nothing(self) -> None:
        s = with_ticket()
        before = s.state
        assert s.refused(9, s.id(TICKET)) == []
        assert s.state == before

    def test_a_result_of_an_unknown_act_is_recorded_under_the_incident_it_names(self) -> None:
        s = Story()
        s.accepted(9, "bird-20250101T000000Z/1/page/pager/open")
        s.accepted(9, "nonsense")
        assert [(r.incident, r.detail["standing"]) for r in s.records] == [
            ("bird-20250101T000000Z", "late"),
            ("", "late"),
        ]

    def test_an_attempt_at_an_unknown_act_is_recorded(self) -> None:
        s = Story()
        s.started(9, "bird-20250101T000000Z/1/page/pager/open")
        assert s.detail(RecordKind.STARTED)["late"] is True

    def test_only_the_first_attempt_is_recorded_as_begun(self) -> None:
        s = an_outage()
        assert s.started(20, s.id(TICKET), "desk").records == ()

    def test_a_page_or_a_note_that_it_is_over_refused_for_good_is_recorded_alone(self) -> None:
        s = recovered_with_ticket()
        assert s.refused(301, s.id("1/note/mail/recovered")) == []
        assert s.refused(301, s.id(PAGE)) == []
        assert s.kinds() == [RecordKind.RESULT]


class TestObserve:
    def test_it_pages_and_says_what_it_would_have_done(self) -> None:
        s = Story(mode=Mode.OBSERVE)
        assert s.raised(0) == [PAGE]
        facts = s.act(PAGE).facts
        assert facts["observe"] is True
        assert facts["would"] == ["open the ticket by mail or desk", "then call the hotline by call"]
        assert s.kinds()[-2:] == [RecordKind.WOULD_OPEN_TICKET, RecordKind.WOULD_CALL_HOTLINE]

    def test_it_resolves_the_page_and_adds_no_note(self) -> None:
        s = Story(mode=Mode.OBSERVE)
        s.raised(0)
        assert s.tick(500) == []
        assert s.cleared(600) == [RESOLVE]
        assert s.detail(RecordKind.WOULD_ADD_NOTE) == {"step": "recovered"}
        assert s.act(RESOLVE).facts["observe"] is True

    def test_switched_to_act_in_an_outage_it_opens_the_ticket(self) -> None:
        s = Story(mode=Mode.OBSERVE)
        s.raised(0)
        assert s.reloaded(60, mode=Mode.ACT) == [TICKET]
        assert s.detail(RecordKind.PLAN)["changed"] == ["mode"]
        assert s.accepted(61, s.id(TICKET)) == [CALL]

    def test_switched_to_observe_the_call_that_waits_is_not_made(self) -> None:
        s = an_outage()
        s.reloaded(60, mode=Mode.OBSERVE)
        assert s.accepted(61, s.id(TICKET)) == []
        assert s.detail(RecordKind.WOULD_CALL_HOTLINE)["because"] == "ticket_accepted"


class TestReload:
    def test_the_same_configuration_changes_nothing(self) -> None:
        s = with_ticket()
        before = s.state
        assert s.reloaded(10) == []
        assert s.state is before
        assert s.last.records == ()

    def test_a_ticket_that_could_not_be_opened_is_opened_once_it_can(self) -> None:
        s = Story(tickets=())
        s.raised(0)
        assert s.reloaded(30, tickets=("desk",)) == ["1/ticket/desk/open"]
        s.started(31, s.id("1/ticket/desk/open"), "desk")
        assert s.tick(125) == []  # it waits for the ticket now
        assert s.tick(151) == [CALL]

    def test_a_condition_that_a_reload_made_the_agreements_matter_opens_an_incident(self) -> None:
        s = Story()
        s.raised(0, Condition.PARTIAL, "api/a")
        assert s.reloaded(5, pack=TestAPackThatMapsMore.PACK) == [PAGE, TICKET]

    def test_one_that_is_no_longer_mapped_can_still_recover_and_be_closed(self) -> None:
        s = with_ticket()
        s.accepted(3, s.id(CALL), "call")
        s.reloaded(10, pack=pack_with(conditions={}, on_call_alone=["failing", "blind"]))
        assert s.cleared(300) == ["1/note/mail/recovered", RESOLVE]
        assert s.entry(310, EntryKind.RESOLVE).refused == ""

    def test_what_a_new_agreement_knows_alone_is_told_beside_what_it_knows_no_more(self) -> None:
        s = with_ticket()
        s.reloaded(10, pack=pack_with(conditions={"partial": "non-critical"}))
        told = s.raised(20, Condition.PARTIAL, "api/a")
        assert told == ["1/page/pager/severity-critical", "1/note/mail/severity-critical"]

    def test_a_ticket_is_not_opened_by_a_pack_that_does_not_know_the_condition_any_more(self) -> None:
        s = Story(tickets=())
        s.raised(0)
        assert s.reloaded(5, tickets=("mail",), pack=pack_with(conditions={})) == []


class TestTheClock:
    def test_on_call_is_told_that_it_went_back_until_time_has_caught_up(self) -> None:
        s = Story()
        assert s.clock(-60, -60.5) == ["1/page/pager/blind-1"]
        facts = s.act("1/page/pager/blind-1").facts
        assert (facts["condition"], facts["scope"], facts["severity"]) == ("blind", "clock", "internal")
        assert s.clock(-65, -5) == []  # again before it has caught up: told already
        assert s.tick(0) == []
        assert s.tick(1) == ["1/page_resolve/pager/blind-1"]
        assert s.state.phase is Phase.NONE
        assert s.state.blind_until == 0

    def test_what_else_is_over_meanwhile_does_not_end_it(self) -> None:
        s = Story()
        s.clock(-60, -60)
        s.raised(-50, Condition.FAILING, "api")
        s.cleared(-40, Condition.FAILING, "api")
        assert s.tick(-1) == []
        assert s.tick(0) == ["1/page_resolve/pager/blind-1"]

    def test_a_step_forward_is_recorded_alone(self) -> None:
        s = Story()
        assert s.clock(10, 5) == []
        assert s.detail(RecordKind.CLOCK) == {"delta": 5 * NS, "second": T0 + 10}
        assert s.state.phase is Phase.NONE
        s.tick(11)
        assert s.kinds() == []

    def test_a_clock_set_back_does_not_put_the_call_off(self) -> None:
        s = an_outage()
        s.clock(-3599, -3600)
        assert s.tick(-3480) == []
        assert s.tick(-3479) == [CALL]


def test_time_alone_changes_nothing_and_makes_no_new_state() -> None:
    for s in (Story(), with_ticket(), recovered_with_ticket()):
        made = step(s.state, Tick(T0 + 10_000))
        assert made.state is s.state
        assert (made.records, made.acts, made.withdraw) == ((), (), ())


def test_every_event_in_every_phase_that_can_meet_has_a_row() -> None:
    met = {phase for phase, _ in TABLE}
    assert met == set(Phase)
    for (phase, what), row in TABLE.items():
        assert row.effects or (phase, what.name) == (Phase.NONE, "TICK"), (phase, what)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "plan": {}}', "nonsense"])
def test_a_state_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the state of a service's incident"):
        ServiceState.from_json(text)


def test_a_row_that_makes_no_sense_is_found_out() -> None:
    with pytest.raises(RuntimeError, match="wrong row"):
        _ = Draft(ServiceState(PLAN), 0).incident


def test_acts_keys_name_incident_episode_kind_receiver_and_step() -> None:
    s = with_ticket()
    assert s.act(TICKET).key("desk") == "bird-20261122T100000Z/1/ticket/desk/open"
    assert {a.kind for a in s.acts} == {ActKind.PAGE, ActKind.TICKET, ActKind.HOTLINE}


def test_an_event_of_another_scope_is_another_matter() -> None:
    state = ServiceState(PLAN)
    for scope in ("api", "smtp"):
        state = step(state, ConditionRaised(Condition.FAILING, T0, T0, scope)).state
    assert [h.scope for h in state.held] == ["api", "smtp"]
