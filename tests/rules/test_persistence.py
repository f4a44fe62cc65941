"""Persistent, onset, recovered: DESIGN's sentences by example, and the naive model by the thousand."""

from fractions import Fraction

import naive
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rules.persistence import Began, Mark, Recovered, Rule, Tracker, Transition

G, B, F, U, N = Mark
RULE = Rule()  # 60 s, every 1 s, 0.9, 3 at least, recovered after 120 s
SECOND = 1_795_341_600

Stretches = list[tuple[Mark, int]]


def run(rule: Rule, stretches: Stretches, tracker: Tracker | None = None) -> list[Transition]:
    """Feed stretches of equal seconds, second by second."""
    tracker = tracker or Tracker(rule)
    second = SECOND if tracker.next is None else tracker.next
    found = []
    for mark in spread(stretches):
        found.append(tracker.feed(second, mark))
        second += 1
    return [x for x in found if x is not None]


def spread(stretches: Stretches) -> list[Mark]:
    return [mark for mark, n in stretches for _ in range(n)]


def began(at: int, onset: int, measured: int, bad: int) -> Began:
    return Began(SECOND + at, SECOND + onset, measured, bad)


def test_begins_when_nine_tenths_of_the_last_sixty_seconds_are_unavailable() -> None:
    # 54 of 60 are enough; the six seconds before the outage were fine.
    assert run(RULE, [(G, 100), (B, 53)]) == []
    assert run(RULE, [(G, 100), (B, 54)]) == [began(153, 100, 60, 54)]


def test_the_onset_is_the_first_bad_second_of_the_longest_stretch_in_which_the_share_holds() -> None:
    # The single bad second at 90 belongs to the stretch (55 of 61 do), that at 80 does not (56 of 71).
    found = run(RULE, [(G, 80), (B, 1), (G, 9), (B, 1), (G, 5), (B, 54)])
    assert found == [began(148, 90, 60, 54)]


def test_nothing_persists_before_the_series_is_as_old_as_the_window() -> None:
    assert run(RULE, [(B, 59)]) == []
    assert run(RULE, [(B, 60)]) == [began(59, 0, 60, 60)]


def test_a_gap_makes_the_window_start_anew_and_bounds_the_onset() -> None:
    assert run(RULE, [(B, 40), (U, 5), (B, 15)]) == [began(59, 0, 55, 55)]  # five seconds are none
    assert run(RULE, [(B, 40), (U, 6), (B, 59)]) == []
    assert run(RULE, [(B, 40), (U, 6), (B, 60)]) == [began(105, 46, 60, 60)]


def test_the_gap_of_an_endpoint_called_every_ten_seconds_is_over_twenty() -> None:
    rule = Rule(every=10)
    assert rule.bearable == 20
    assert run(rule, [(B, 1), (U, 20)] * 3)[0] == began(59, 0, 3, 3)
    assert run(rule, [(B, 1), (U, 21)] * 9) == []


def test_inconclusive_seconds_are_measured_and_not_bad() -> None:
    assert run(RULE, [(F, 7), (B, 53)]) == []
    assert run(RULE, [(F, 6), (B, 54)]) == [began(59, 6, 60, 54)]


def test_unmeasured_seconds_count_neither_way() -> None:
    assert run(RULE, [(B, 1), (U, 4)] * 12) == [began(59, 0, 12, 12)]


def test_fewer_measured_seconds_than_at_least_prove_nothing() -> None:
    rule = Rule(for_=12, every=4)
    assert run(rule, [(B, 1), (U, 6)] * 5) == []
    assert run(Rule(for_=12, every=4, at_least=1), [(B, 1), (U, 6)] * 2) == [began(11, 0, 2, 2)]


def test_recovers_after_so_many_seconds_without_a_bad_one() -> None:
    assert run(RULE, [(B, 60), (G, 119)]) == [began(59, 0, 60, 60)]
    assert run(RULE, [(B, 60), (G, 120)])[1:] == [Recovered(SECOND + 179)]
    assert run(RULE, [(B, 60), (G, 119), (B, 1), (G, 120)])[1:] == [Recovered(SECOND + 299)]


def test_recovery_wants_one_available_second_and_three_measured() -> None:
    assert run(RULE, [(B, 60), (F, 500)])[1:] == []
    assert run(RULE, [(B, 60), (F, 500), (G, 1)])[1:] == [Recovered(SECOND + 560)]
    slow = Rule(every=60, for_=180)
    tracker = Tracker(slow)
    assert run(slow, [(B, 1), (U, 59)] * 3, tracker) == [began(179, 0, 3, 3)]
    assert run(slow, [(G, 1), (U, 59)] * 3, tracker) == [Recovered(SECOND + 300)]  # its third call that succeeds


def test_a_gap_starts_the_count_to_recovery_anew() -> None:
    assert run(RULE, [(B, 60), (G, 100), (U, 5), (G, 15)])[1:] == [Recovered(SECOND + 179)]
    assert run(RULE, [(B, 60), (G, 100), (U, 6), (G, 120)])[1:] == [Recovered(SECOND + 285)]
    assert run(RULE, [(B, 60), (G, 1), (U, 1000)])[1:] == []


def test_after_a_recovery_a_new_spell_has_its_own_onset() -> None:
    assert run(RULE, [(B, 60), (G, 120), (B, 54)])[2:] == [began(233, 180, 60, 54)]


def test_seconds_bad_before_a_recovery_do_not_make_persistence_begin_again() -> None:
    # A window longer than the recovery still holds the old outage; without a bad second since, there is no onset.
    rule = Rule(for_=60, recovered_after=5)
    assert run(rule, [(B, 60), (G, 40)]) == [began(59, 0, 60, 60), Recovered(SECOND + 64)]


def test_a_window_that_is_bad_by_what_has_recovered_is_no_new_spell() -> None:
    # The window's share holds again at the end (9 of 18), only because good seconds before the outage have left it; since
    # the recovery one second of three was bad.
    rule = Rule(for_=20, share=Fraction(1, 2), recovered_after=3)
    found = run(rule, [(G, 1), (U, 5), (G, 6), (B, 8), (G, 6), (B, 1), (G, 2), (U, 5)])
    assert found == [began(19, 12, 15, 8), Recovered(SECOND + 22)]


def test_neutral_seconds_neither_are_measured_nor_make_a_gap() -> None:
    assert run(RULE, [(B, 1), (N, 19)] * 3) == [began(59, 0, 3, 3)]
    assert run(RULE, [(B, 20), (U, 3), (N, 30), (U, 3), (B, 60)]) == [began(115, 56, 60, 60)]  # six unmeasured: a gap


def test_the_reasons_since_the_onset_are_counted() -> None:
    tracker = Tracker(RULE)
    tracker.feed_many(SECOND, 10, B, "early")
    tracker.feed_many(SECOND + 10, 30, G)
    tracker.feed_many(SECOND + 40, 30, B, "http_status_503")
    assert tracker.reasons == {}
    tracker.feed_many(SECOND + 70, 30, B, "timeout")
    assert (tracker.onset, dict(tracker.reasons)) == (SECOND + 40, {"http_status_503": 30, "timeout": 30})
    tracker.feed(SECOND + 100, B, "timeout")
    assert tracker.reasons["timeout"] == 31
    tracker.feed_many(SECOND + 101, 120, G)
    assert not tracker.persistent
    assert tracker.reasons == {}


def test_seconds_must_be_consecutive() -> None:
    tracker = Tracker(RULE)
    tracker.feed(SECOND, G)
    with pytest.raises(ValueError, match=f"came where {SECOND + 1} was due"):
        tracker.feed(SECOND, G)
    with pytest.raises(ValueError, match="came where"):
        tracker.feed_many(SECOND + 1, -1, G)
    assert tracker.feed_many(SECOND + 1, 0, B) == ()


def test_a_rule_is_exact_about_its_share_and_refuses_impossible_figures() -> None:
    rule = Rule.of(for_ms=60_000, every_ms=500, share=0.9, at_least=3, recovered_after_ms=119_001)
    assert rule == Rule(60, Fraction(1, 2), Fraction(9, 10), 3, 120)
    other = Rule.of(for_ms=89_001, every_ms=2500, share=0.5, at_least=4, recovered_after_ms=300_000)
    assert other == Rule(90, Fraction(5, 2), Fraction(1, 2), 4, 300), "spans are rounded up, and full seconds kept"
    for figures in ({"for_": 0}, {"share": Fraction(0)}, {"share": Fraction(11, 10)}, {"every": 0}, {"at_least": 0}):
        with pytest.raises(ValueError, match="not figures of persistence"):
            Rule(**figures)  # type: ignore[arg-type]  # each is of its field's type


def test_a_flapping_series_keeps_few_lows() -> None:
    tracker = Tracker(RULE)
    for i in range(20_000):
        tracker.feed(SECOND + i, B if i % 2 else G)
    assert len(tracker._lows) <= 2 * 60 * 10
    slow = Tracker(Rule(every=30))  # its windows may hold too few measured seconds
    for i in range(20_000):
        slow.feed(SECOND + i, B if i % 2 else G)
    assert len(slow._lows) == 1024


rules = st.builds(
    Rule,
    for_=st.integers(1, 12),
    every=st.sampled_from([1, 2, 3, Fraction(7, 2)]),
    share=st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(9, 10), Fraction(2, 3)]),
    at_least=st.integers(1, 4),
    recovered_after=st.integers(1, 15),
)
patterns = st.lists(st.sampled_from([G, B, B, F, U, N]), min_size=1, max_size=4)
sequences = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([G, B, B, F, U, U, N]), st.integers(1, 16)).map(lambda x: [x]),
        st.tuples(patterns, st.integers(1, 12)).map(lambda x: [(mark, 1) for mark in x[0]] * x[1]),
    ),
    max_size=14,
).map(lambda groups: [stretch for group in groups for stretch in group])


@settings(max_examples=300, deadline=None)
@given(rules, sequences)
@example(Rule(for_=5, recovered_after=2, share=Fraction(1, 2)), [(B, 5), (G, 2), (B, 1), (G, 5)])
@example(
    Rule(for_=5, recovered_after=3, share=Fraction(9, 10)), [(U, 3), (B, 4), (U, 1), (N, 4), (G, 3), (U, 7), (B, 9)]
)
def test_the_naive_model_agrees(rule: Rule, stretches: Stretches) -> None:
    marks = spread(stretches)
    assert run(rule, stretches) == naive.transitions(rule, marks, SECOND)


@settings(max_examples=250, deadline=None)
@given(rules, sequences)
def test_stretches_fed_at_once_are_seconds_fed_one_by_one(rule: Rule, stretches: Stretches) -> None:
    one, many = Tracker(rule), Tracker(rule)
    expected, found = [], []
    second = SECOND
    for i, (mark, n) in enumerate(stretches):
        for s in range(second, second + n):
            expected += [x for x in [one.feed(s, mark, str(i % 3))] if x]
        found += many.feed_many(second, n, mark, str(i % 3))
        second += n
        assert (many.measured, many.bad, many.onset, many.last_bad) == (one.measured, one.bad, one.onset, one.last_bad)
        assert many.reasons == one.reasons
    assert found == expected


@settings(max_examples=300, deadline=None)
@given(rules, sequences, st.data())
def test_a_replayed_tracker_goes_on_as_if_never_stopped(rule: Rule, stretches: Stretches, data: st.DataObject) -> None:
    marks = spread(stretches)
    stop = data.draw(st.integers(0, len(marks)))
    live = Tracker(rule)
    for s, mark in enumerate(marks[:stop]):
        live.feed(s, mark, "r")
    again = Tracker(rule, live.onset, live.recovered)
    for s, mark in enumerate(marks[:stop]):
        again.replay(s, 1, mark, "r")
    assert again.reasons == live.reasons
    for s, mark in enumerate(marks[stop:], stop):
        assert again.feed(s, mark, "r") == live.feed(s, mark, "r")
    assert (again.reasons, again.bad) == (live.reasons, live.bad)


@settings(max_examples=60, deadline=None)
@given(rules, sequences, sequences)
def test_the_reach_is_history_enough(rule: Rule, before: Stretches, after: Stretches) -> None:
    """Without throttling, and with windows that cannot be too thin, a tracker is rebuilt from `reach` seconds."""
    rule = Rule(rule.for_ + 40, rule.every, rule.share, min(rule.at_least, 3), rule.recovered_after)
    assert rule.dense
    history = [U if mark is N else mark for mark in spread(before) * 40]
    future = [U if mark is N else mark for mark in spread(after)]
    live = Tracker(rule)
    for s, mark in enumerate(history):
        live.feed(s, mark)
    again = Tracker(rule, live.onset, live.recovered)
    reach = rule.reach if B in history[-rule.reach :] else rule.short_reach
    for s, mark in list(enumerate(history))[-reach:]:
        again.replay(s, 1, mark)
    for s, mark in enumerate(future, len(history)):
        assert again.feed(s, mark) == live.feed(s, mark)
