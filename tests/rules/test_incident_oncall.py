"""On-call's levels, pages that are repeated until somebody acknowledges, and maintenance windows."""

from incident_story import AGREEMENT, CALL, NS, PAGE, RESOLVE, T0, TICKET, Story, names, pack_with

from rules.acts import Outcome
from rules.incident import EntryKind, Level, Mode, Phase, RecordKind
from rules.model import Condition

LEVELS = (Level(600, ("second",)), Level(1800, ("boss", "chief")))


class TestLevels:
    def test_the_next_one_is_paged_when_nobody_has_acknowledged(self) -> None:
        s = Story(further=LEVELS)
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        assert s.tick(599) == []
        assert s.tick(600) == ["1/page/second/open"]
        assert "Nobody has acknowledged" in s.act("1/page/second/open").facts["text"]
        assert s.tick(1800) == ["1/page/boss/open", "1/page/chief/open"]
        assert s.tick(10_000) == []

    def test_each_of_three_is_paged_in_its_turn(self) -> None:
        s = Story(further=(*LEVELS, Level(3600, ("owner",))))
        s.raised(0)
        paged = [[name for name in s.tick(at) if "/page/" in name] for at in (600, 1799, 1800, 3599, 3600)]
        assert paged == [
            ["1/page/second/open"],
            [],
            ["1/page/boss/open", "1/page/chief/open"],
            [],
            ["1/page/owner/open"],
        ]

    def test_an_acknowledgement_ends_it_and_names_the_contact(self) -> None:
        s = Story(further=LEVELS)
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        s.entry(300, EntryKind.ACK)
        assert s.tick(5000) == []
        s.cleared(6000)
        assert s.act("1/note/mail/recovered").facts["acknowledged_by"] == "ann"

    def test_a_new_episode_wants_an_acknowledgement_of_its_own(self) -> None:
        s = Story(further=LEVELS)
        s.raised(0)
        s.entry(10, EntryKind.ACK)
        s.cleared(300)
        s.raised(400)
        assert "2/page/second/open" in s.tick(1000)

    def test_a_recovery_ends_it_and_every_level_is_told(self) -> None:
        s = Story(further=LEVELS)
        s.raised(0)
        s.tick(600)
        assert s.cleared(700)[-2:] == [RESOLVE, "1/page_resolve/second/open"]
        assert s.tick(5000) == []

    def test_on_calls_own_matters_rise_too(self) -> None:
        s = Story(further=LEVELS)
        s.raised(0, Condition.BLIND)
        assert s.tick(600) == ["1/page/second/blind-1"]
        assert s.cleared(700, Condition.BLIND) == ["1/page_resolve/pager/blind-1", "1/page_resolve/second/blind-1"]
        facts = s.act("1/page_resolve/pager/blind-1").facts
        assert (facts["recovered"], facts["duration_to"]) == (T0 + 700, "recovered")

    def test_the_recovery_does_not_end_it_while_a_matter_of_on_calls_own_goes_on(self) -> None:
        s = Story(further=LEVELS)
        s.raised(0, Condition.FAILING, "api")
        s.raised(10)
        s.cleared(100)
        assert s.tick(600) == ["1/page/second/failing-1"]
        s.cleared(700, Condition.FAILING, "api")
        assert s.tick(5000) == []

    def test_a_matter_of_on_calls_own_that_is_over_does_not_end_it_for_the_agreements(self) -> None:
        s = Story(further=LEVELS)
        s.raised(0)
        s.raised(10, Condition.FAILING, "api")
        s.cleared(100, Condition.FAILING, "api")
        assert "1/page/second/open" in s.tick(600)

    def test_nor_does_one_of_two_take_the_place_of_the_agreements(self) -> None:
        s = Story(further=LEVELS)
        s.raised(0)
        s.raised(10, Condition.FAILING, "api")
        s.raised(20, Condition.FAILING, "smtp")
        s.cleared(100, Condition.FAILING, "api")
        assert "1/page/second/open" in s.tick(600)

    def test_of_two_matters_of_on_calls_own_they_hear_of_the_one_that_goes_on(self) -> None:
        s = Story(further=LEVELS)
        s.raised(0, Condition.FAILING, "api")
        s.raised(10, Condition.FAILING, "smtp")
        s.cleared(100, Condition.FAILING, "api")
        assert s.tick(600) == ["1/page/second/failing-2"]

    def test_they_hear_of_what_goes_on_and_not_of_what_is_over(self) -> None:
        s = Story(further=LEVELS)
        s.raised(0)
        s.entry(10, EntryKind.ACK)
        s.cleared(200)
        s.raised(300, Condition.FAILING, "api")
        assert s.tick(900) == ["1/page/second/failing-1"]
        facts = s.act("1/page/second/failing-1").facts
        assert (facts["condition"], facts["scope"], facts["severity"]) == ("failing", "api", "internal")

    def test_what_recovers_while_a_matter_of_on_calls_own_goes_on_leaves_them_that(self) -> None:
        s = Story(further=LEVELS)
        s.raised(0)
        s.raised(10, Condition.FAILING, "api")
        s.cleared(100)
        assert s.tick(600) == ["1/page/second/failing-1"]
        assert s.act("1/page/second/failing-1").facts["condition"] == "failing"
        assert "1/page_resolve/second/failing-1" in s.cleared(700, Condition.FAILING, "api")

    def test_a_repeat_is_about_what_goes_on(self) -> None:
        s = Story(page_again=300)
        s.raised(0)
        s.entry(10, EntryKind.ACK)
        s.cleared(100)
        s.raised(200, Condition.BLIND)
        assert s.tick(500) == ["1/page/pager/blind-1~1"]
        assert s.act("1/page/pager/blind-1~1").facts["condition"] == "blind"

    def test_unavailability_takes_the_place_of_a_matter_of_on_calls_own(self) -> None:
        s = Story(further=LEVELS)
        s.raised(0, Condition.FAILING, "api")
        s.raised(10)
        assert s.tick(600) == ["1/page/second/severity-critical"]
        assert s.act("1/page/second/severity-critical").facts["condition"] == "unavailable"

    def test_a_level_that_was_told_of_less_is_told_at_once_when_it_gets_worse(self) -> None:
        s = Story(further=LEVELS)
        s.raised(0, Condition.FAILING, "api")
        assert s.tick(600) == ["1/page/second/failing-1"]
        assert "1/page/second/severity-critical" in s.raised(700)
        assert s.tick(1800) == ["1/page/boss/severity-critical", "1/page/chief/severity-critical"]

    def test_a_clock_that_is_set_moves_them_with_it(self) -> None:
        s = Story(further=LEVELS[:1])
        s.raised(0)
        s.clock(3610, 3600)
        s.tick(4199)
        assert [a.id for a in s.acts if "second" in a.id] == []
        assert s.tick(4200)[-1] == "1/page/second/open"


class TestRepeats:
    def test_a_page_is_repeated_until_somebody_acknowledges(self) -> None:
        s = Story(page_again=300)
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        assert s.tick(299) == []
        assert s.tick(300) == ["1/page/pager/open~1"]
        assert s.tick(600) == ["1/page/pager/open~2"]
        s.entry(601, EntryKind.ACK)
        assert s.tick(5000) == []

    def test_it_is_repeated_no_sooner_than_the_time_between_two(self) -> None:
        s = Story(page_again=300)
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        assert s.tick(300) == ["1/page/pager/open~1"]
        assert [s.tick(at) for at in (301, 302, 599)] == [[], [], []]
        assert s.tick(600) == ["1/page/pager/open~2"]

    def test_whoever_has_not_had_it_gets_the_page_and_no_repeat(self) -> None:
        s = Story(page_again=300)
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        s.reloaded(10, on_call=("pager", "phone"))
        assert s.raised(20, Condition.FAILING, "api") == ["1/page/pager/failing-1", "1/page/phone/failing-1"]
        assert s.tick(300) == ["1/page/pager/open~1", "1/page/phone/open"]

    def test_a_repeat_shares_the_alert_and_is_resolved_with_it(self) -> None:
        s = Story(page_again=300)
        s.raised(0)
        s.tick(300)
        assert s.act("1/page/pager/open~1").alert("pager") == s.act(PAGE).alert("pager")
        assert [a for a in s.cleared(400) if "resolve" in a] == [RESOLVE]

    def test_the_levels_that_were_reached_are_repeated(self) -> None:
        s = Story(page_again=400, further=LEVELS)
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        s.tick(400)
        s.tick(600)
        assert s.tick(800) == ["1/page/pager/open~2", "1/page/second/open~2"]

    def test_a_reload_that_repeats_pages_no_longer_makes_no_flood(self) -> None:
        s = Story(page_again=300)
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        s.reloaded(100, page_again=0)
        assert [s.tick(at) for at in (300, 301, 302)] == [[], [], []]

    def test_a_reload_that_repeats_pages_more_often_counts_from_then(self) -> None:
        s = Story(page_again=3600)
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        s.reloaded(100, page_again=60)
        assert s.tick(159) == []
        assert s.tick(160) == ["1/page/pager/open~1"]
        s.reloaded(170, title="Mail")
        assert s.tick(220) == ["1/page/pager/open~2"]

    def test_a_reload_that_brings_levels_and_repeats_is_for_the_page_that_nobody_took_too(self) -> None:
        s = Story()
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        s.reloaded(1000, page_again=300, further=LEVELS)
        assert s.tick(1001) == ["1/page/second/open"]
        assert s.tick(1300) == ["1/page/pager/open~1", "1/page/second/open~1"]
        s.entry(1301, EntryKind.ACK)
        assert s.tick(5000) == []

    def test_a_reload_that_brings_them_pages_nobody_once_somebody_has_it(self) -> None:
        s = Story()
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        s.entry(10, EntryKind.ACK)
        s.reloaded(1000, page_again=300, further=LEVELS)
        assert [s.tick(at) for at in (1001, 1300, 5000)] == [[], [], []]

    def test_after_days_the_state_has_not_grown(self) -> None:
        s = Story(page_again=60)
        s.raised(0)
        for i in range(1, 200):
            s.tick(60 * i)
            s.accepted(60 * i, f"{s.acts[0].incident}/1/page/pager/open~{i}", "pager")
        assert s.state.incident is not None
        assert len(s.state.incident.made) < 6

    def test_a_clock_that_is_set_makes_no_flood(self) -> None:
        s = Story(page_again=300)
        s.raised(0)
        s.clock(86_410, 86_400)
        assert "1/page/pager/open~1" not in s.tick(86_500)
        assert s.tick(86_700)[-1:] == ["1/page/pager/open~1"]

    def test_on_calls_own_pages_are_forgotten_once_they_are_over(self) -> None:
        s = Story()
        s.raised(0)
        for i in range(1, 50):
            s.raised(100 * i, Condition.FAILING, "api")
            s.cleared(100 * i + 50, Condition.FAILING, "api")
            for kind in ("page", "page_resolve"):
                s.accepted(100 * i + 60, f"{s.acts[0].incident}/1/{kind}/pager/failing-{i}", "pager")
        assert s.state.incident is not None
        assert len(s.state.incident.made) < 8


class TestMaintenance:
    """Seconds are measured and marked; nobody is paged, no ticket is opened."""

    def test_what_is_over_before_the_window_ends_reaches_nobody(self) -> None:
        s = Story()
        s.maintenance(0, begins=True)
        assert s.raised(10) == []
        assert s.raised(20, Condition.FAILING, "smtp") == []
        assert s.cleared(300) == []
        assert s.cleared(310, Condition.FAILING, "smtp") == []
        assert s.maintenance(600, begins=False) == []
        assert (s.state.phase, s.state.silenced, s.state.maintenance) == (Phase.NONE, (), ())

    def test_what_was_over_within_it_acts_once_when_it_comes_again(self) -> None:
        s = Story()
        s.maintenance(0, begins=True)
        s.raised(10)
        s.cleared(100)
        s.maintenance(200, begins=False)
        assert s.raised(300) == [PAGE, TICKET]
        assert s.kinds().count(RecordKind.RAISED) == 1

    def test_so_it_does_beside_an_incident_that_was_open_before(self) -> None:
        s = Story()
        s.raised(-1000)
        s.cleared(-500)
        s.maintenance(0, begins=True)
        s.raised(10)
        s.cleared(100)
        s.maintenance(200, begins=False)
        s.raised(300)
        assert s.kinds().count(RecordKind.RAISED) == 1
        assert s.state.incident is not None
        assert s.state.incident.episode == 2

    def test_what_outlasts_it_acts_at_its_end(self) -> None:
        s = Story()
        s.maintenance(0, begins=True)
        s.raised(10)
        assert s.tick(300) == []
        assert s.maintenance(600, begins=False) == [PAGE, TICKET]
        assert s.act(TICKET).incident == "bird-20261122T101000Z"
        assert s.act(TICKET).facts["onset"] == T0 - 49

    def test_the_agreements_matter_comes_first(self) -> None:
        s = Story()
        s.maintenance(0, begins=True)
        s.raised(10, Condition.FAILING, "api")
        s.raised(20)
        assert s.maintenance(600, begins=False) == [PAGE, TICKET, "1/page/pager/failing-1"]

    def test_two_windows_overlap_and_the_last_one_counts(self) -> None:
        s = Story()
        s.maintenance(0, begins=True)
        s.maintenance(5, begins=True, title="network")
        s.raised(10)
        assert s.maintenance(600, begins=False) == []
        assert s.maintenance(700, begins=False, title="network") == [PAGE, TICKET]

    def test_told_twice_it_changes_nothing(self) -> None:
        s = Story()
        s.maintenance(0, begins=True)
        before = s.state
        s.maintenance(0, begins=True)
        assert s.state is before
        s.maintenance(1, begins=False)
        s.maintenance(1, begins=False)
        assert [r.detail["begins"] for r in s.records] == [True, False]

    def test_an_open_incident_goes_on_without_pages(self) -> None:
        s = Story(further=LEVELS, page_again=300)
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        s.maintenance(10, begins=True)
        assert s.tick(700) == []
        assert s.result(701, s.id(CALL), Outcome.PERMANENT, final=True) == []
        assert s.detail(RecordKind.NOT_PAGED)["why"] == "maintenance: new disks"
        assert "1/note/mail/recovered" in s.cleared(800)
        assert s.state.phase is Phase.RECOVERED

    def test_a_level_whose_time_comes_within_the_window_is_paged_when_it_ends(self) -> None:
        s = Story(further=LEVELS)
        s.raised(0)
        s.maintenance(100, begins=True)
        assert "1/page/second/open" not in s.tick(600)
        s.maintenance(1000, begins=False)
        assert s.tick(1001) == ["1/page/second/open"]

    def test_again_within_the_window_it_is_no_new_episode_before_the_window_ends(self) -> None:
        s = Story()
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        s.cleared(300)
        s.maintenance(310, begins=True)
        assert s.raised(320) == []
        assert s.state.phase is Phase.RECOVERED
        assert s.maintenance(600, begins=False) == ["2/page/pager/open", "2/note/mail/unavailable-again"]

    def test_what_goes_on_after_a_closing_within_the_window_waits_for_its_end(self) -> None:
        s = Story()
        s.raised(0)
        s.maintenance(10, begins=True)
        s.entry(20, EntryKind.CLOSED_BY_VENDOR)
        assert s.state.phase is Phase.NONE
        acts = s.maintenance(600, begins=False)
        assert acts == [PAGE, TICKET]
        assert s.act(TICKET).incident == "bird-20261122T101000Z"

    def test_what_is_nobodys_matter_stays_so(self) -> None:
        s = Story()
        s.maintenance(0, begins=True)
        s.raised(10, Condition.PARTIAL, "api/a")
        assert s.maintenance(600, begins=False) == []
        assert [h.condition for h in s.state.held] == [Condition.PARTIAL]
        assert s.state.silenced == ()

    def test_a_warning_of_a_clock_reaches_nobody_within_it(self) -> None:
        s = Story(pack=AGREEMENT)
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        s.entry(2, EntryKind.INTAKE)
        s.maintenance(10, begins=True)
        assert s.tick(602) == []
        assert [r.kind for r in s.last.records] == [RecordKind.CLOCK_WARNED, RecordKind.NOT_PAGED]


class TestReopening:
    def closed(self) -> Story:
        s = Story(pack=AGREEMENT)
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        s.entry(2, EntryKind.INTAKE)
        s.cleared(300)
        s.entry(400, EntryKind.CLOSED_BY_VENDOR)
        return s

    def test_the_same_incident_goes_on_with_its_ticket(self) -> None:
        s = self.closed()
        assert s.entry(500, EntryKind.REOPEN).refused == ""
        assert s.state.phase is Phase.RECOVERED
        assert s.detail(RecordKind.REOPENED)["by"] == "ann"
        assert s.raised(600)[0] == "2/page/pager/open"
        assert len(s.tickets()) == 1

    def test_by_its_name(self) -> None:
        s = self.closed()
        incident = s.acts[0].incident
        assert s.entry(500, EntryKind.REOPEN, incident="bird-20250101T000000Z").refused == (
            f"incident bird-20250101T000000Z is not the newest that was closed; {incident} is"
        )
        assert s.entry(501, EntryKind.REOPEN, incident=incident).refused == ""

    def test_nobody_is_paged_on_for_what_was_closed(self) -> None:
        s = Story(further=LEVELS)
        s.raised(0)
        s.removed(50)
        s.entry(60, EntryKind.RESOLVE)
        s.reloaded(65, title="Mail")
        assert s.entry(70, EntryKind.REOPEN).refused == ""
        assert s.tick(5000) == []

    def test_what_is_open_cannot_be_reopened(self) -> None:
        s = self.closed()
        s.raised(500)
        assert s.entry(600, EntryKind.REOPEN).refused == f"incident {s.acts[-1].incident} is open"

    def test_its_clocks_were_stopped_and_stay_so(self) -> None:
        s = self.closed()
        assert s.detail(RecordKind.CLOCK_STOPPED) == {
            "clock": "call-back",
            "due": T0 + 902,
            "late": 0,
            "why": "the incident was closed",
        }
        s.entry(500, EntryKind.REOPEN)
        assert s.tick(5000) == []

    def test_on_calls_own_matter_is_over_when_it_is_over(self) -> None:
        s = Story()
        s.raised(0, Condition.BLIND)
        s.cleared(10, Condition.BLIND)
        assert s.entry(20, EntryKind.REOPEN).refused == "no incident of bird is open"


class TestWhatIsEntered:
    def test_a_step_is_recorded_with_who_when_and_how(self) -> None:
        s = Story()
        s.raised(0)
        s.entry(60, EntryKind.FIRST_RESPONSE, ticket="4711", when=30)
        assert s.detail(RecordKind.LIFE) == {
            "step": "first_response",
            "by": "ann",
            "text": "as said on the phone",
            "at": (T0 + 60) * NS,
            "ticket": "4711",
            "when": T0 + 30,
        }

    def test_the_tickets_number_is_taken_down_once(self) -> None:
        s = Story()
        s.raised(0)
        s.entry(60, EntryKind.NOTE, ticket="4711")
        s.entry(61, EntryKind.UPDATE, ticket="9999")
        assert s.state.incident is not None
        assert s.state.incident.ticket is not None
        assert s.state.incident.ticket.number == "4711"

    def test_what_is_told_to_on_call_is_told_once_an_episode(self) -> None:
        s = Story()
        s.raised(0)
        acts = [a.id for a in s.entry(60, EntryKind.TELL, value="mail-bounced").acts]
        assert acts == [s.id("1/page/pager/mail-bounced")]
        assert s.act("1/page/pager/mail-bounced").facts["text"] == "as said on the phone"
        assert s.entry(61, EntryKind.TELL, value="mail-bounced").acts == ()
        assert s.entry(62, EntryKind.TELL).acts[0].step == "tell"

    def test_nothing_can_have_happened_after_it_was_entered(self) -> None:
        s = Story(pack=AGREEMENT)
        s.raised(0)
        s.entry(60, EntryKind.INTAKE, when=4000)
        assert s.state.incident is not None
        assert s.state.incident.clocks[0].begun == T0 + 60

    def test_the_tickets_number_is_taken_down_from_an_answer_too(self) -> None:
        s = Story()
        s.raised(0)
        s.entry(60, EntryKind.FIRST_RESPONSE, ticket="4711")
        s.entry(61, EntryKind.UPDATE)
        assert s.state.incident is not None
        assert s.state.incident.ticket is not None
        assert s.state.incident.ticket.number == "4711"

    def test_a_severity_that_the_agreement_has_not_changes_nothing(self) -> None:
        s = Story()
        s.raised(0)
        before = s.state
        assert s.entry(60, EntryKind.SEVERITY, value="urgent").refused.startswith("'urgent' is not a severity")
        assert s.state == before
        assert s.detail(RecordKind.REFUSED)["by"] == "ann"

    CONFIRMED = pack_with(
        conditions={"unavailable": {"severity": "non-critical", "confirmed": "critical", "article": "1"}}
    )

    def test_confirmed_by_others_it_rises_and_the_new_severity_adds_the_call(self) -> None:
        s = Story(pack=self.CONFIRMED)
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        s.entry(60, EntryKind.CONFIRM)
        assert names(s.last.acts) == ["1/page/pager/severity-critical", "1/note/mail/severity-critical"]
        assert s.detail(RecordKind.CONFIRMED)["by"] == "ann"
        assert s.accepted(61, s.id("1/note/mail/severity-critical")) == [CALL]

    def test_it_opens_the_ticket_that_the_lower_severity_did_not_ask_for(self) -> None:
        severities = self.CONFIRMED.to_mapping()["severities"]
        severities["non-critical"]["ticket"] = False
        s = Story(pack=pack_with(severities=severities, conditions=self.CONFIRMED.to_mapping()["conditions"]))
        assert s.raised(0) == [PAGE]
        s.entry(60, EntryKind.CONFIRM)
        assert names(s.last.acts) == ["1/page/pager/severity-critical", TICKET]

    def test_in_mode_ask_on_call_is_asked_before_it_goes_to_the_vendor(self) -> None:
        s = Story(pack=self.CONFIRMED, mode=Mode.ASK)
        s.raised(0)
        s.entry(10, EntryKind.CONSENT)
        s.accepted(11, s.id(TICKET))
        s.entry(60, EntryKind.CONFIRM)
        assert names(s.last.acts) == ["1/page/pager/severity-critical"]
        assert s.tick(359) == []
        assert s.tick(360) == ["1/note/mail/severity-critical"]

    def test_a_confirmation_of_what_has_recovered_is_recorded_and_asks_for_nothing(self) -> None:
        pack = pack_with(
            conditions={
                "unavailable": {"severity": "non-critical", "confirmed": "critical", "article": "silent"},
            }
        )
        s = Story(pack=pack)
        s.raised(0)
        s.accepted(1, s.id(TICKET))
        s.cleared(300)
        assert s.entry(310, EntryKind.CONFIRM).acts == ()
        assert s.detail(RecordKind.SEVERITY)["now"] == "critical"
