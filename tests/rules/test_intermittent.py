"""Unavailable seconds that come and go: the stories, and a naive model over whole histories."""

import json
from collections.abc import Sequence

import naive
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.conditions import Conditions, Event
from rules.incident_events import ConditionCleared, ConditionRaised
from rules.intermittent import Intermittence, Rate
from rules.model import Cell, Condition, Fault, Tally, Verdict
from rules.persistence import Mark, Rule
from rules.seconds import judge
from rules.timeline import Run, RunBuilder
from rules.watched import unavailable_mark

SECOND = 1_795_341_600
FINE = judge(Tally({(Fault.NONE, "ok"): 1}))
DOWN = judge(Tally({(Fault.SERVER_ERROR, "http_status_503"): 1}))
HANGS = judge(Tally({(Fault.SERVER_TIMEOUT, "timeout"): 1}))
REFUSED = judge(Tally({(Fault.OTHER, "http_status_401"): 1}))
NO_CALL = judge(Tally())
EVERY = {("api", "account"): 1000}


class Service:
    """One service of one endpoint, whose cell is the channel's and the service's."""

    def __init__(self, rate: Rate | None, rule: Rule) -> None:
        self.rate, self.rule = rate, rule
        self.conditions = Conditions(rule, EVERY, intermittent=rate)
        self.cells: list[Cell] = []

    def feed(self, *cells: Cell) -> list[Event]:
        events: list[Event] = []
        for cell in cells:
            second = SECOND + len(self.cells)
            events += self.conditions.feed(second, cell, {"api": cell}, {("api", "account"): cell})
            self.cells.append(cell)
        return events

    def restart(self, rate: Rate | None) -> None:
        """Anew, from the snapshot by way of JSON and the record's runs."""
        snapshot = json.loads(json.dumps(self.conditions.snapshot()))
        self.conditions = Conditions(self.rule, EVERY, snapshot=snapshot, intermittent=rate)
        builder, runs = RunBuilder(1), []
        for second, cell in enumerate(self.cells, SECOND):
            if closed := builder.feed(second, cell):
                runs.append(closed)
        runs += [builder.open] if builder.open else []
        for key in (("", ""), ("api", ""), ("api", "account")):
            self.conditions.replay(*key, runs, SECOND + len(self.cells) - 1)


def intermittent(events: Sequence[Event]) -> list[Event]:
    return [e for e in events if e.condition is Condition.INTERMITTENT]


def brief(events: Sequence[Event]) -> list[tuple[str, Condition, int]]:
    names = {ConditionRaised: "raised", ConditionCleared: "cleared"}
    return [(names[type(e)], e.condition, e.second - SECOND) for e in events]


RATE = Rate(seconds=5, within=600, recovered_after=100)


def test_as_many_unavailable_seconds_as_the_rate_names_raise_it_once_they_cannot_persist_any_more() -> None:
    service = Service(RATE, Rule())
    blip = [*[FINE] * 9, DOWN]
    events = service.feed(*[FINE] * 100, *blip * 4, *[FINE] * 9, HANGS, *[FINE] * 60)
    assert events == [
        ConditionRaised(
            Condition.INTERMITTENT,
            second=SECOND + 149 + 60,  # the fifth is as old as the window of persistence
            onset=SECOND + 109,
            measured=150,
            bad=5,
            reasons={"http_status_503": 4, "timeout": 1},
            rule={"seconds": 5, "within": 600, "recovered_after": 100},
        )
    ]


def test_it_is_over_after_so_many_seconds_without_an_unavailable_one_and_counting_begins_anew() -> None:
    service = Service(RATE, Rule(for_=10, recovered_after=20))
    blips = [*[FINE] * 9, DOWN] * 5
    assert brief(service.feed(*blips, *[FINE] * 10)) == [("raised", Condition.INTERMITTENT, 59)]
    assert service.feed(*[FINE] * 80, DOWN, *[FINE] * 99) == []
    assert service.feed(FINE) == [ConditionCleared(Condition.INTERMITTENT, SECOND + 240, "", SECOND + 140)]
    assert service.feed(*[FINE] * 200) == []
    assert brief(service.feed(*blips, *[FINE] * 10)) == [("raised", Condition.INTERMITTENT, 441 + 59)]


def test_seconds_that_are_not_measured_neither_raise_it_nor_end_it() -> None:
    service = Service(RATE, Rule(for_=10, recovered_after=20))
    assert brief(service.feed(*[FINE, DOWN] * 4, *[FINE] * 50)) == []
    assert brief(intermittent(service.feed(*[NO_CALL] * 50, DOWN, *[FINE] * 10))) == [
        ("raised", Condition.INTERMITTENT, 118)
    ]
    assert intermittent(service.feed(*[FINE] * 80, *[NO_CALL] * 300)) == [], "a gap starts the recovery anew"
    assert intermittent(service.feed(*[REFUSED] * 150)) == [], "nor does it recover without a success"
    assert brief(intermittent(service.feed(FINE))) == [("cleared", Condition.INTERMITTENT, 649)]


def test_an_outage_that_persists_is_not_intermittent_as_well() -> None:
    service = Service(RATE, Rule())
    events = service.feed(*[FINE] * 100, *[DOWN] * 300, *[FINE] * 300)
    assert brief(events) == [("raised", Condition.UNAVAILABLE, 153), ("cleared", Condition.UNAVAILABLE, 519)]


def test_what_was_intermittent_and_persists_is_raised_first_and_cleared_then() -> None:
    service = Service(RATE, Rule())
    assert brief(service.feed(*[FINE, FINE, DOWN] * 60, *[DOWN] * 80))[-2:] == [
        ("raised", Condition.UNAVAILABLE, 229),
        ("cleared", Condition.INTERMITTENT, 229),
    ]


def test_a_gap_of_hours_is_taken_in_one_step() -> None:
    service = Service(RATE, Rule(for_=10, recovered_after=20))
    service.feed(*[FINE, DOWN] * 4)
    assert service.conditions.feed_gap(SECOND + 8, 100_000, NO_CALL)[-1].condition is Condition.BLIND
    later = SECOND + 100_008
    for second in range(later, later + 50):
        assert not intermittent(service.conditions.feed(second, DOWN if second == later else FINE, {"api": FINE}, {}))


def test_a_rate_that_is_no_longer_configured_takes_with_it_what_it_raised() -> None:
    service = Service(RATE, Rule(for_=10, recovered_after=20))
    service.feed(*[FINE, DOWN] * 6, *[FINE] * 20)
    assert (Condition.INTERMITTENT, "") in service.conditions.raised
    service.restart(None)
    assert brief(service.feed(FINE)) == [("cleared", Condition.INTERMITTENT, 32)]


def test_memory_is_bounded_by_the_window_whatever_happens() -> None:
    seen = Intermittence(Rate(seconds=30, within=100), Rule())
    for second in range(SECOND, SECOND + 5000):
        seen.feed(second, 1, DOWN if second % 2 else HANGS, persistent=False)
    assert seen.bad == 100
    assert sum(map(len, (seen._window.runs, seen._recent.runs))) <= 160


@pytest.mark.parametrize(
    "figures", [{"seconds": 0}, {"within": 0}, {"recovered_after": 0}, {"seconds": 9, "within": 8}]
)
def test_figures_that_cannot_be_are_refused(figures: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="not figures of a rate"):
        Rate(**figures)


def test_spans_of_the_configuration_are_whole_seconds() -> None:
    assert Rate.of(seconds=3, within_ms=60_000, recovered_after_ms=1500) == Rate(3, 60, 2)
    assert Rate.of(seconds=3, within_ms=2001, recovered_after_ms=3000) == Rate(3, 3, 3), "each of so many seconds"


# --- a naive model


def model(rule: Rule, rate: Rate, cells: Sequence[Cell]) -> list[tuple[str, int]]:
    """The sentences of the rule over the whole list of seconds, with no regard to cost."""
    marks = [unavailable_mark(cell) for cell in cells]
    onsets, _ = naive.held(rule, marks)
    found: list[tuple[str, int]] = []
    raised, since = False, -1
    for s in range(len(marks)):
        if onsets[s] is not None:
            since = s
            if raised:
                found.append(("cleared", s))
            raised = False
            continue
        counted = range(max(since + 1, s - rule.for_ - rate.within + 1), s - rule.for_ + 1)
        if not raised and sum(marks[t] is Mark.BAD for t in counted) >= rate.seconds:
            raised = True
            found.append(("raised", s))
        elif raised and _over(rule, rate, marks, s, since):
            raised, since = False, s
            found.append(("cleared", s))
    return found


def _over(rule: Rule, rate: Rate, marks: Sequence[Mark], s: int, since: int) -> bool:
    if marks[s] not in naive.MEASURED:
        return False
    bad = max((t for t in range(s + 1) if marks[t] is Mark.BAD), default=-1)
    clean = [t for t in naive.since_gap(rule, marks, s) if t > max(bad, since)]
    if not clean:
        return False
    return s - clean[0] + 1 >= rate.recovered_after and len(clean) >= 3 and Mark.GOOD in [marks[t] for t in clean]


CELLS = st.lists(
    st.tuples(st.sampled_from([FINE, FINE, DOWN, DOWN, HANGS, REFUSED, NO_CALL]), st.integers(1, 9)), max_size=50
)
RULES = st.builds(Rule, for_=st.integers(3, 8), recovered_after=st.integers(1, 9))
RATES = st.builds(Rate, seconds=st.integers(1, 4), within=st.integers(4, 40), recovered_after=st.integers(1, 12))


@settings(max_examples=200, deadline=None)
@given(RULES, RATES, CELLS)
def test_a_naive_model_agrees(rule: Rule, rate: Rate, stretches: list[tuple[Cell, int]]) -> None:
    cells = [cell for cell, n in stretches for _ in range(n)]
    events = intermittent(Service(rate, rule).feed(*cells))
    assert [(kind, second) for kind, _, second in brief(events)] == model(rule, rate, cells)


@settings(max_examples=200, deadline=None)
@given(RULES, RATES, CELLS, CELLS)
def test_a_restart_changes_nothing(
    rule: Rule, rate: Rate, before: list[tuple[Cell, int]], after: list[tuple[Cell, int]]
) -> None:
    first, second = ([cell for cell, n in stretches for _ in range(n)] for stretches in (before, after))
    straight, restarted = Service(rate, rule), Service(rate, rule)
    straight.feed(*first)
    restarted.feed(*first)
    restarted.restart(rate)
    assert intermittent(restarted.feed(*second)) == intermittent(straight.feed(*second))


@settings(max_examples=200, deadline=None)
@given(st.builds(Rule, for_=st.integers(3, 25), recovered_after=st.just(5)), RATES, CELLS, st.integers(0, 60), CELLS)
def test_a_gap_fed_at_once_is_the_same_seconds_one_by_one(
    rule: Rule, rate: Rate, before: list[tuple[Cell, int]], n: int, after: list[tuple[Cell, int]]
) -> None:
    first, later = ([cell for cell, n in stretches for _ in range(n)] for stretches in (before, after))
    one, many = Service(rate, rule), Service(rate, rule)
    one.feed(*first), many.feed(*first)
    assert list(many.conditions.feed_gap(SECOND + len(first), n, NO_CALL)) == one.feed(*[NO_CALL] * n)
    many.cells += [NO_CALL] * n
    assert many.feed(*later) == one.feed(*later)


def test_unavailable_seconds_that_are_as_old_as_the_window_only_within_a_gap_count() -> None:
    """The machine was suspended for hours half a minute after they came: they were as many as the rate names all the same."""
    service = Service(RATE, Rule())
    service.feed(*[FINE] * 100, *[DOWN, FINE] * 5, *[FINE] * 30)
    raised, *_ = service.conditions.feed_gap(SECOND + 140, 10_000, NO_CALL)
    assert (raised.condition, raised.second) == (Condition.INTERMITTENT, SECOND + 108 + 60)


@settings(max_examples=100, deadline=None)
@given(RULES, RATES, CELLS)
def test_it_is_never_raised_while_the_service_is_persistently_unavailable(
    rule: Rule, rate: Rate, stretches: list[tuple[Cell, int]]
) -> None:
    service = Service(rate, rule)
    for cell, n in stretches:
        for _ in range(n):
            service.feed(cell)
            raised = {condition for condition, _ in service.conditions.raised}
            assert not {Condition.UNAVAILABLE, Condition.INTERMITTENT} <= raised


def test_a_record_with_a_hole_counts_what_it_has() -> None:
    seen = Intermittence(Rate(seconds=2, within=100), Rule(for_=10))
    runs = [Run(SECOND, SECOND + 5, ((DOWN, 1),)), Run(SECOND + 20, None, ((FINE, 1),))]
    seen.replay(runs, SECOND + 60, persistent=False)
    assert (seen.bad, seen.onset, DOWN.verdict) == (5, SECOND, Verdict.UNAVAILABLE)
