"""Clocks of an agreement while they run: standing still, going on, other terms, another calendar, a clock that was set."""

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from incident_story import AGREEMENT, BIRD, T0, Story

from rules import clocks
from rules.acts import ActKind, Outcome
from rules.clocks import Running, Standing
from rules.contracts.calendar import ALWAYS, Calendar, Zone, between
from rules.contracts.clauses import Action, Clock, Mark, Party, Span, Within
from rules.contracts.model import Pack
from rules.contracts.spans import week_of
from rules.incident import EntryKind, Mode, RecordKind, ServiceState

ZONE = Zone.of(ZoneInfo("Europe/Amsterdam"), "Europe/Amsterdam", T0 - 10**7, T0 + 10**8)
OFFICE = Calendar(ZONE, week_of("mon-fri", "09:00-17:00"))
HOUR = 3600


def a_clock(**changes: Any) -> Clock:
    plain: dict[str, Any] = {
        "name": "answer",
        "title": "Answer",
        "article": "1",
        "of": Party.VENDOR,
        "within": Within("", {"": Span(seconds=HOUR)}),
        "calendar": "always",
        "starts": (Mark.TICKET,),
        "stops": (Mark.UPDATE,),
        "warn": (Span(seconds=600),),
        "due": (Action.CHASE,),
    }
    return Clock(**(plain | changes))


CLOCK = a_clock()


def begun(clock: Clock = CLOCK, calendar: Calendar = ALWAYS, span: Span | None = None) -> Running:
    return clocks.start(clock, span or Span(seconds=HOUR), calendar, T0)


class TestOneRun:
    def test_it_is_due_after_its_span_and_warned_of_before(self) -> None:
        run = begun()
        assert (run.due, run.warn, run.next, run.lapses) == (T0 + HOUR, (T0 + HOUR - 600,), T0 + HOUR, T0 + HOUR - 600)

    def test_a_warning_that_would_come_with_the_start_is_left_out(self) -> None:
        assert begun(a_clock(warn=(Span(seconds=HOUR), Span(seconds=2 * HOUR)))).warn == ()

    def test_days_are_days_of_its_calendar(self) -> None:
        assert begun(span=Span(days=1)).due == T0 + 24 * HOUR
        assert between(OFFICE, T0, begun(calendar=OFFICE, span=Span(days=5)).due) == 40 * HOUR

    def test_standing_still_it_keeps_what_is_left(self) -> None:
        paused = clocks.pause(begun(), ALWAYS, T0 + 1000)
        assert paused.lapses == 0
        assert clocks.resume(paused, CLOCK, ALWAYS, T0 + 50_000).due == T0 + 50_000 + HOUR - 1000

    def test_late_when_it_was_stopped_it_stays_due_when_it_was(self) -> None:
        late = clocks.acted(begun(), CLOCK, ALWAYS, T0 + HOUR)
        on = clocks.resume(clocks.pause(late, ALWAYS, T0 + 2 * HOUR), CLOCK, ALWAYS, T0 + 9 * HOUR)
        assert (on.due, on.next, on.warn) == (T0 + HOUR, 0, ())

    def test_late_and_to_be_done_again_it_is_done_again(self) -> None:
        clock = a_clock(again=Span(seconds=600))
        late = clocks.acted(begun(clock), clock, ALWAYS, T0 + HOUR)
        assert late.next == T0 + HOUR + 600
        on = clocks.resume(clocks.pause(late, ALWAYS, T0 + 2 * HOUR), clock, ALWAYS, T0 + 9 * HOUR)
        assert on.next == T0 + 9 * HOUR + 600

    def test_stopped_in_the_second_in_which_it_was_due_it_is_due_as_soon_as_it_goes_on(self) -> None:
        on = clocks.resume(clocks.pause(begun(), ALWAYS, T0 + HOUR), CLOCK, ALWAYS, T0 + 9 * HOUR)
        assert on.next == T0 + 9 * HOUR

    def test_what_passed_while_it_stood_still_does_not_make_it_late(self) -> None:
        paused = clocks.pause(begun(), ALWAYS, T0 + 1000)
        assert clocks.late(paused, T0 + 9 * HOUR) == 0
        assert clocks.late(begun(), T0 + 2 * HOUR) == HOUR
        assert clocks.late(begun(), T0) == 0

    def test_at_most_so_often(self) -> None:
        clock = a_clock(again=Span(seconds=60), at_most=2)
        once = clocks.acted(begun(clock), clock, ALWAYS, T0 + HOUR)
        assert (once.next, clocks.acted(once, clock, ALWAYS, once.next).next) == (T0 + HOUR + 60, 0)

    def test_a_cadence_is_done_again_after_its_own_span(self) -> None:
        clock = a_clock(every=True)
        assert clocks.acted(begun(clock), clock, ALWAYS, T0 + HOUR).next == T0 + 2 * HOUR

    def test_without_a_word_of_again_it_is_done_once(self) -> None:
        assert clocks.acted(begun(), CLOCK, ALWAYS, T0 + HOUR).next == 0

    def test_another_span_counts_from_the_same_begin(self) -> None:
        changed = clocks.resettle(begun(), CLOCK, Span(seconds=600), ALWAYS, T0 + 60)
        assert (changed.due, changed.next) == (T0 + 600, T0 + 600)

    def test_another_span_while_it_stands_still_counts_when_it_goes_on(self) -> None:
        paused = clocks.pause(begun(), ALWAYS, T0 + 1000)
        changed = clocks.resettle(paused, CLOCK, Span(seconds=2 * HOUR), ALWAYS, T0 + 2000)
        assert clocks.resume(changed, CLOCK, ALWAYS, T0 + 3000).due == T0 + 3000 + 2 * HOUR - 1000

    def test_what_was_done_is_not_done_again_because_the_same_was_configured_anew(self) -> None:
        done = clocks.acted(begun(), CLOCK, ALWAYS, T0 + HOUR)
        assert clocks.resettle(done, CLOCK, Span(seconds=HOUR), ALWAYS, T0 + 2 * HOUR).next == 0

    @pytest.mark.parametrize("delta", [86_400, -86_400])
    def test_a_clock_that_was_set_moves_it(self, delta: int) -> None:
        at = T0 + 60 + delta
        assert clocks.shift(begun(), CLOCK, ALWAYS, delta, at).due == T0 + delta + HOUR
        paused = clocks.shift(clocks.pause(begun(), ALWAYS, T0 + 50), CLOCK, ALWAYS, delta, at)
        assert (paused.since, paused.due) == (T0 + 50 + delta, T0 + HOUR + delta)
        clock = a_clock(again=Span(seconds=600))
        done = clocks.acted(begun(clock), clock, ALWAYS, T0 + HOUR)
        assert clocks.shift(done, clock, ALWAYS, delta, at + HOUR).next == T0 + HOUR + 600 + delta


steps = st.lists(st.tuples(st.sampled_from(["pause", "resume", "wait"]), st.integers(0, 6 * HOUR)), max_size=12)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from([ALWAYS, OFFICE]), st.integers(0, 7 * 86_400), steps)
def test_whatever_it_stands_still_for_it_runs_for_its_span(calendar: Calendar, offset: int, story: list[Any]) -> None:
    """The time in which it ran, on its calendar, is its span when it is due; and it is never due earlier than before."""
    clock = a_clock(pauses=True)
    at = T0 + offset
    run, ran, since, due = clocks.start(clock, Span(seconds=5 * HOUR), calendar, at), 0, at, 0
    for what, seconds in story:
        at += seconds
        if run.standing is Standing.RUNNING and at >= run.due:
            break
        assert run.due >= due
        due = run.due
        if what == "pause" and run.standing is Standing.RUNNING:
            run, ran = clocks.pause(run, calendar, at), ran + between(calendar, since, at)
        elif what == "resume" and run.standing is Standing.PAUSED:
            run, since = clocks.resume(run, clock, calendar, at), at
    if run.standing is Standing.PAUSED:
        run, since = clocks.resume(run, clock, calendar, at), at
    assert ran + between(calendar, since, run.due) == 5 * HOUR


# --- in an incident


def pack_of(**clock: Any) -> Pack:
    """Bird's agreement with one clock of our own."""
    plain = {
        "title": "Answer",
        "article": "9",
        "within": "1h",
        "starts": ["ticket"],
        "stops": ["update"],
        "due": ["chase"],
    }
    terms = AGREEMENT.to_mapping()["terms"]
    return Pack.parse(BIRD.to_mapping() | {"clocks": {"answer": plain | clock}, "terms": terms})


def without_escalation(pack: Pack) -> Pack:
    """The same agreement after its point of escalation was taken out."""
    plain = {key: value for key, value in pack.to_mapping().items() if key != "escalation"}
    plain["clocks"]["answer"]["due"] = ["chase"]
    return Pack.parse(plain)


def with_ticket(story: Story) -> Story:
    story.raised(0)
    story.accepted(0, story.id("1/ticket/mail/open"))
    return story


def run_of(story: Story) -> Running:
    assert story.state.incident is not None
    run = story.state.incident.clock("answer")
    assert run is not None
    return run


class TestItsBegin:
    def test_a_clock_that_runs_from_the_call_begins_when_the_call_was_taken(self) -> None:
        s = with_ticket(Story(pack=pack_of(starts=["hotline"])))
        assert s.state.incident is not None
        assert s.state.incident.clock("answer") is None
        s.accepted(20, s.id("1/hotline/call/call"), "call")
        assert run_of(s).begun == T0 + 20

    def test_a_ticket_that_a_person_opened_counts_from_when_they_say_it_was(self) -> None:
        s = Story(pack=pack_of())
        s.raised(0)
        s.entry(90, EntryKind.ADOPT, ticket="4711", when=30)
        assert run_of(s).begun == T0 + 30

    def test_told_twice_of_what_starts_it_it_runs_from_the_first(self) -> None:
        s = with_ticket(Story(pack=pack_of(starts=["intake"])))
        s.entry(10, EntryKind.INTAKE)
        s.entry(50, EntryKind.INTAKE)
        assert run_of(s).begun == T0 + 10

    def test_once_it_was_met_what_starts_it_starts_it_again(self) -> None:
        s = with_ticket(Story(pack=pack_of(starts=["intake"])))
        s.entry(10, EntryKind.INTAKE)
        s.entry(20, EntryKind.UPDATE)
        s.entry(50, EntryKind.INTAKE)
        assert (run_of(s).begun, run_of(s).standing) == (T0 + 50, Standing.RUNNING)


class TestAcrossARestart:
    def test_what_was_due_while_we_were_down_is_done_once(self) -> None:
        s = with_ticket(Story(pack=pack_of(warn=["30m", "10m"], again="10m")))
        s.state = ServiceState.from_json(s.state.to_json())
        assert s.tick(9 * HOUR) == ["1/note/mail/chase-answer-1"]
        told = {"clock": "answer", "article": "9", "due": T0 + HOUR, "times": 1}
        assert s.detail(RecordKind.CLOCK_DUE) == told
        assert run_of(s).warn == ()
        assert s.tick(9 * HOUR + 599) == []
        assert s.tick(9 * HOUR + 600) == ["1/note/mail/chase-answer-2"]

    def test_of_several_warnings_the_newest_is_told(self) -> None:
        s = with_ticket(Story(pack=pack_of(warn=["30m", "20m", "10m"])))
        assert s.tick(2500) == ["1/page/pager/warn-answer-1"]
        assert s.tick(2999) == []
        assert s.tick(3000) == ["1/page/pager/warn-answer-2"]

    def test_other_hours_after_a_reload_move_what_is_due(self) -> None:
        office = {"business": replace(OFFICE, week=week_of("mon-sun", "09:00-17:00"))}
        s = with_ticket(Story(pack=pack_of(calendar="business"), calendars=office))
        assert run_of(s).due == T0 + HOUR  # a Sunday, 11:00 in Amsterdam
        s.reloaded(60, calendars={"business": OFFICE})
        assert s.detail(RecordKind.CLOCK_CHANGED)["before"] == T0 + HOUR
        assert between(OFFICE, T0, run_of(s).due) == HOUR

    def test_a_clock_that_the_agreement_no_longer_has_is_stopped_with_its_pages(self) -> None:
        s = with_ticket(Story(pack=pack_of(warn=["10m"])))
        s.tick(3000)
        assert s.reloaded(3100, pack=BIRD) == ["1/page_resolve/pager/warn-answer-1"]
        assert run_of(s).standing is Standing.STOPPED
        assert s.detail(RecordKind.CLOCK_STOPPED)["why"] == "the agreement has no such clock any more"
        view = s.state.view()
        assert view is not None
        assert [(c["name"], c["title"], c["article"]) for c in view["clocks"]][-1] == ("answer", "answer", "")

    def test_a_clock_that_is_new_begins_with_the_reload_where_what_starts_it_has_happened(self) -> None:
        s = with_ticket(Story(pack=BIRD))
        s.reloaded(100, pack=pack_of())
        assert run_of(s).due == T0 + 100 + HOUR

    def test_one_whose_start_has_not_happened_does_not(self) -> None:
        s = with_ticket(Story(pack=BIRD))
        s.reloaded(100, pack=pack_of(starts=["intake"]))
        assert s.state.incident is not None
        assert s.state.incident.clock("answer") is None

    def test_one_that_was_met_stays_met(self) -> None:
        s = with_ticket(Story(pack=pack_of()))
        s.entry(60, EntryKind.UPDATE)
        s.reloaded(100, pack=pack_of(within="2h"))
        assert run_of(s).standing is Standing.MET

    def test_the_same_after_a_reload_that_changes_nothing_of_it(self) -> None:
        s = with_ticket(Story(pack=pack_of()))
        s.reloaded(100, title="Mail")
        assert RecordKind.CLOCK_CHANGED not in [r.kind for r in s.records]


class TestTheMachinesClock:
    def test_set_forward_nothing_is_due_early(self) -> None:
        s = with_ticket(Story(pack=pack_of(warn=["10m"])))
        s.clock(7210, 7200)
        assert s.tick(7210) == []
        assert s.tick(7200 + HOUR - 1) == ["1/page/pager/warn-answer-1"]
        assert s.tick(7200 + HOUR) == ["1/note/mail/chase-answer-2"]

    @pytest.mark.parametrize("delta", [60, -HOUR])
    def test_the_hours_of_the_point_of_escalation_are_those_of_the_clock_as_it_is_now(self, delta: int) -> None:
        s = with_ticket(Story(pack=pack_of(due=["escalate"]), calendars={"tam": OFFICE}, escalation=("tam",)))
        s.tick(HOUR)
        assert s.detail(RecordKind.WILL_ESCALATE)["to"] == "Technical Account Manager"
        assert s.state.incident is not None
        before = s.state.incident.later
        s.clock(HOUR + 60 + delta, delta)
        assert s.state.incident.later == before

    def test_set_into_the_hours_of_the_point_of_escalation_it_is_turned_to_at_once(self) -> None:
        s = with_ticket(Story(pack=pack_of(due=["escalate"]), calendars={"tam": OFFICE}, escalation=("tam",)))
        s.tick(HOUR)
        assert s.state.incident is not None
        monday = s.state.incident.later[0][0] - T0 + 600
        s.clock(monday, monday - HOUR - 60)
        assert s.tick(monday) == ["1/escalation/tam/late-answer-1"]

    def test_a_point_of_escalation_that_is_there_no_longer_is_not_looked_for_when_the_clock_is_set(self) -> None:
        pack = pack_of(due=["escalate"])
        s = with_ticket(Story(pack=pack, calendars={"tam": OFFICE}, escalation=("tam",)))
        s.tick(HOUR)
        s.reloaded(HOUR + 10, pack=without_escalation(pack))
        s.clock(HOUR + 80, 60)
        assert s.tick(3 * 86_400) == []


class TestStandingStill:
    def test_one_that_starts_while_they_wait_for_us_stands_still_from_the_start(self) -> None:
        s = Story(pack=pack_of(pauses=True, starts=["intake"]))
        with_ticket(s)
        s.entry(10, EntryKind.WAITING_FOR_US)
        s.entry(20, EntryKind.INTAKE)
        assert run_of(s).standing is Standing.PAUSED
        s.entry(5000, EntryKind.WAITING_FOR_THEM)
        assert run_of(s).due == T0 + 5000 + HOUR

    def test_one_that_does_not_pause_goes_on(self) -> None:
        s = with_ticket(Story(pack=pack_of()))
        s.entry(10, EntryKind.WAITING_FOR_US)
        assert run_of(s).standing is Standing.RUNNING
        later = with_ticket(Story(pack=pack_of(starts=["intake"])))
        later.entry(10, EntryKind.WAITING_FOR_US)
        later.entry(20, EntryKind.INTAKE)
        assert run_of(later).standing is Standing.RUNNING

    def test_told_twice_it_stands_still_once(self) -> None:
        s = with_ticket(Story(pack=pack_of(pauses=True)))
        s.entry(10, EntryKind.WAITING_FOR_US)
        s.entry(500, EntryKind.WAITING_FOR_US)
        s.entry(1010, EntryKind.WAITING_FOR_THEM)
        assert run_of(s).due == T0 + 1000 + HOUR

    def test_closed_while_it_stands_still_it_was_not_late(self) -> None:
        s = with_ticket(Story(pack=pack_of(pauses=True)))
        s.entry(10, EntryKind.WAITING_FOR_US)
        s.cleared(100)
        s.entry(9 * HOUR, EntryKind.RESOLVE)
        assert s.detail(RecordKind.CLOCK_STOPPED)["late"] == 0

    def test_told_late_that_they_need_not_wait_any_more_it_does_not_go_back(self) -> None:
        s = with_ticket(Story(pack=pack_of(pauses=True)))
        s.entry(600, EntryKind.WAITING_FOR_US)
        s.entry(700, EntryKind.WAITING_FOR_THEM, when=100)
        assert run_of(s).due == T0 + HOUR, "no second counts twice"
        s.entry(800, EntryKind.WAITING_FOR_US, when=200)
        s.entry(900, EntryKind.WAITING_FOR_THEM)
        assert run_of(s).due == T0 + 300 + HOUR


class TestToldOutOfOrder:
    def test_an_older_update_does_not_set_a_cadence_back(self) -> None:
        s = with_ticket(Story(pack=pack_of(every=True)))
        s.entry(3000, EntryKind.UPDATE)
        s.entry(3100, EntryKind.UPDATE, when=1000)
        assert run_of(s).due == T0 + 3000 + HOUR
        s.entry(3200, EntryKind.UPDATE, when=3150)
        assert run_of(s).due == T0 + 3150 + HOUR
        assert [r.detail["late"] for r in s.records if r.kind is RecordKind.CLOCK_MET] == [0, 0]

    def test_what_came_before_the_recorded_start_of_a_single_clock_meets_it(self) -> None:
        s = with_ticket(Story(pack=pack_of(starts=["intake"], stops=["call-back"])))
        s.entry(600, EntryKind.INTAKE)
        s.entry(700, EntryKind.CALL_BACK, when=300)
        assert run_of(s).standing is Standing.MET


class TestASeverityThatComesBack:
    """The vendor set another one, under which there is no such clock, and took it back."""

    def story(self, **changes: Any) -> Story:
        return with_ticket(Story(pack=pack_of(severities=["critical"], **changes)))

    def lowered_and_raised(self, s: Story) -> None:
        s.entry(600, EntryKind.SEVERITY, value="non-critical")
        assert run_of(s).standing is Standing.STOPPED
        s.tick(1000)
        s.entry(1200, EntryKind.SEVERITY, value="critical")

    def test_its_clock_goes_on_as_if_it_had_not_been_stopped(self) -> None:
        s = self.story(warn=["10m"])
        self.lowered_and_raised(s)
        assert run_of(s).due == T0 + HOUR
        assert s.detail(RecordKind.CLOCK_CHANGED)["clock"] == "answer"
        assert s.tick(3000) == ["1/page/pager/warn-answer-1"]
        assert s.tick(HOUR) == ["1/note/mail/chase-answer-2"]

    def test_what_is_over_its_time_by_then_is_done_at_once(self) -> None:
        s = self.story()
        s.tick(HOUR)
        s.entry(HOUR + 60, EntryKind.SEVERITY, value="non-critical")
        s.entry(HOUR + 120, EntryKind.SEVERITY, value="critical")
        assert s.tick(HOUR + 121) == ["1/note/mail/chase-answer-2"]

    def test_what_was_answered_meanwhile_is_not_asked_for(self) -> None:
        s = self.story()
        s.entry(600, EntryKind.SEVERITY, value="non-critical")
        s.entry(700, EntryKind.UPDATE)
        s.entry(800, EntryKind.SEVERITY, value="critical")
        assert run_of(s).standing is Standing.STOPPED

    def test_a_cadence_counts_from_what_came_meanwhile(self) -> None:
        s = self.story(every=True)
        s.entry(600, EntryKind.SEVERITY, value="non-critical")
        s.entry(700, EntryKind.UPDATE)
        s.entry(800, EntryKind.SEVERITY, value="critical")
        assert run_of(s).due == T0 + 700 + HOUR

    def test_one_that_can_stand_still_begins_anew(self) -> None:
        s = self.story(pauses=True)
        self.lowered_and_raised(s)
        assert run_of(s).due == T0 + 1200 + HOUR

    def test_what_ended_with_the_incident_stays_ended_when_it_is_reopened(self) -> None:
        s = self.story()
        s.cleared(100)
        s.entry(200, EntryKind.RESOLVE)
        s.entry(300, EntryKind.REOPEN)
        s.entry(400, EntryKind.SEVERITY, value="non-critical")
        s.entry(500, EntryKind.SEVERITY, value="critical")
        assert run_of(s).standing is Standing.STOPPED


class TestWhatIsDone:
    def test_the_hotline_is_not_called_again_while_a_call_is_on_its_way(self) -> None:
        s = with_ticket(Story(pack=pack_of(due=["hotline"], again="10m")))
        assert s.tick(HOUR) == []
        assert s.detail(RecordKind.HOTLINE_NOT_CALLED)["why"] == "a call is on its way"
        s.accepted(HOUR + 1, s.id("1/hotline/call/call"), "call")
        assert s.tick(HOUR + 600) == ["1/hotline/call/again-answer-1"]
        assert s.act("1/hotline/call/again-answer-1").facts["because"] == "late: answer"

    def test_nor_while_consent_is_asked_for(self) -> None:
        s = Story(pack=pack_of(due=["hotline", "escalate"], again="10m"), mode=Mode.ASK, escalation=("tam",))
        s.raised(0)
        s.entry(1, EntryKind.CONSENT)
        s.accepted(2, s.id("1/ticket/mail/open"))
        s.accepted(3, s.id("1/hotline/call/call"), "call")
        s.cleared(200)
        s.raised(HOUR - 10)  # asked for anew
        assert s.tick(HOUR + 2) == []
        assert s.detail(RecordKind.HOTLINE_NOT_CALLED)["why"] == "on-call has not consented"
        assert s.detail(RecordKind.NOT_ESCALATED)["why"] == "mode ask"

    def test_declined_nobody_is_escalated_to(self) -> None:
        s = Story(pack=pack_of(due=["escalate"]), mode=Mode.ASK, escalation=("tam",))
        s.raised(0)
        s.entry(1, EntryKind.CONSENT)
        s.accepted(2, s.id("1/ticket/mail/open"))
        s.cleared(200)
        s.raised(HOUR - 10)
        s.entry(HOUR - 5, EntryKind.DECLINE)
        assert s.tick(HOUR + 2) == []
        assert s.detail(RecordKind.NOT_ESCALATED)["why"] == "on-call declined"

    def test_a_point_of_escalation_that_the_agreement_no_longer_has_is_not_reached(self) -> None:
        pack = pack_of(due=["escalate"])
        s = with_ticket(Story(pack=pack, calendars={"tam": OFFICE}, escalation=("tam",)))
        s.tick(HOUR)
        s.reloaded(HOUR + 10, pack=without_escalation(pack))
        assert s.tick(3 * 86_400) == []
        assert s.state.incident is not None
        assert s.state.incident.later == ()

    @pytest.mark.parametrize(
        "ends", [(EntryKind.UPDATE,), (EntryKind.RESOLVE, EntryKind.REOPEN)], ids=["met", "closed"]
    )
    def test_nobody_is_escalated_to_for_what_is_over_when_the_hours_begin(self, ends: tuple[EntryKind, ...]) -> None:
        s = with_ticket(Story(pack=pack_of(due=["escalate"]), calendars={"tam": OFFICE}, escalation=("tam",)))
        s.tick(HOUR)
        assert s.kinds()[-1] is RecordKind.WILL_ESCALATE
        s.cleared(HOUR + 10)
        for at, kind in enumerate(ends, HOUR + 20):
            assert not s.entry(at, kind).refused
        assert s.tick(3 * 86_400) == []

    def test_an_escalation_without_a_ticket_of_ours_waits_for_none(self) -> None:
        s = Story(pack=pack_of(due=["escalate"], starts=["intake"]), tickets=(), escalation=("tam",))
        s.raised(0)
        s.entry(0, EntryKind.INTAKE)
        assert "1/escalation/tam/late-answer-1" in s.tick(HOUR)
        assert s.act("1/escalation/tam/late-answer-1").after == ""

    def test_each_level_is_paged_in_turn_and_then_no_more(self) -> None:
        from rules.incident import Level

        levels = (Level(10**6, ("second",)), Level(10**7, ("boss",)))
        s = with_ticket(Story(pack=pack_of(due=["page"], again="10m"), further=levels))
        due = "due-answer-1"
        assert s.tick(HOUR) == [f"1/page/pager/{due}", f"1/page/second/{due}"]
        assert s.tick(HOUR + 600) == [f"1/page/pager/{due}~2", f"1/page/boss/{due}"]
        assert s.tick(HOUR + 1200) == []
        resolved = [a.id for a in s.entry(HOUR + 1300, EntryKind.UPDATE).acts if a.kind is ActKind.PAGE_RESOLVE]
        assert len(resolved) == 3

    def test_after_days_of_further_calls_the_state_has_not_grown(self) -> None:
        s = with_ticket(Story(pack=pack_of(every=True, due=["hotline"])))
        s.accepted(1, s.id("1/hotline/call/call"), "call")
        for hour in range(1, 60):
            for name in s.tick(hour * HOUR):
                s.accepted(hour * HOUR, s.id(name), "call")
        assert s.state.incident is not None
        assert len(s.state.incident.made) < 16
        assert len([a for a in s.acts if a.kind is ActKind.HOTLINE]) == 60

    def test_after_weeks_of_reminders_the_state_has_not_grown(self) -> None:
        s = with_ticket(Story(pack=pack_of(every=True, due=["chase"])))
        for hour in range(1, 300):
            for name in s.tick(hour * HOUR):
                s.result(hour * HOUR, s.id(name), Outcome.ACCEPTED, name.split("/")[2])
        assert s.state.incident is not None
        assert len(s.state.incident.made) < 16
        assert len([a for a in s.acts if "chase" in a.step]) == 299

    def test_notes_name_the_newest_ones_that_went_before(self) -> None:
        s = with_ticket(Story(pack=pack_of(every=True, due=["chase"])))
        for hour in range(1, 30):
            for name in s.tick(hour * HOUR):
                s.accepted(hour * HOUR, s.id(name))
        assert len(s.acts[-1].facts["earlier"]) == 10


def test_the_view_tells_each_clock_with_its_article() -> None:
    s = with_ticket(Story(pack=pack_of()))
    view = s.state.view()
    assert view is not None
    assert view["clocks"] == [
        {
            "name": "answer",
            "title": "Answer",
            "of": "vendor",
            "article": "9",
            "state": "running",
            "since": T0,
            "due": T0 + HOUR,
            "ended": None,
        }
    ]
