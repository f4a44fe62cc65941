"""Heartbeats: stalls and stepped clocks told apart from three clocks' readings."""

from hypothesis import given
from hypothesis import strategies as st

from rules.machine import STALL_OVER, STEP_OVER, SUSPENDED_FROM, Change, Reading, Stall, Step, compare, drift

MS = 1_000_000
S = 1_000 * MS
UTC = 1_795_341_600 * S
BEFORE = Reading(monotonic=50 * S, realtime=UTC, boottime=70 * S)


def after(awake: int, *, asleep: int = 0, stepped: int = 0, reading: Reading = BEFORE) -> Reading:
    elapsed = awake + asleep
    return Reading(reading.monotonic + awake, reading.realtime + elapsed + stepped, reading.boottime + elapsed)


def test_the_figures_are_the_designs() -> None:
    assert (STALL_OVER, STEP_OVER) == (500 * MS, 250 * MS)


def test_a_heartbeat_in_time_is_nothing() -> None:
    assert compare(BEFORE, after(100 * MS)) == Change(None, None)


def test_a_gap_of_500_ms_is_no_stall_and_one_of_more_is() -> None:
    assert compare(BEFORE, after(500 * MS)).stall is None
    assert compare(BEFORE, after(500 * MS + 1)).stall == Stall(UTC, UTC + 500 * MS + 1, gap=500 * MS + 1)


def test_a_stopped_process_moves_its_deadlines_by_the_gap() -> None:
    assert compare(BEFORE, after(5 * S)) == Change(Stall(UTC, UTC + 5 * S, gap=5 * S), None)


def test_a_suspended_machine_stalls_although_monotonic_stood_still() -> None:
    stall = Stall(UTC, UTC + 3600 * S + 100 * MS, gap=100 * MS, suspended=3600 * S)
    assert compare(BEFORE, after(100 * MS, asleep=3600 * S)) == Change(stall, None)


def test_nanoseconds_between_two_readings_are_no_suspend() -> None:
    almost = after(5 * S, asleep=SUSPENDED_FROM - 1)
    assert compare(BEFORE, almost).stall == Stall(UTC, UTC + 5 * S + SUSPENDED_FROM - 1, gap=5 * S, suspended=0)
    asleep = compare(BEFORE, after(5 * S, asleep=SUSPENDED_FROM)).stall
    assert asleep is not None
    assert asleep.suspended == SUSPENDED_FROM == 10 * MS


def test_a_clock_moved_by_250_ms_is_slewing_and_by_more_is_stepped() -> None:
    assert compare(BEFORE, after(100 * MS, stepped=250 * MS)).step is None
    assert compare(BEFORE, after(100 * MS, stepped=-250 * MS)).step is None
    assert compare(BEFORE, after(100 * MS, stepped=250 * MS + 1)).step is not None
    assert compare(BEFORE, after(100 * MS, stepped=-250 * MS - 1)).step is not None


def test_a_step_forward_names_the_seconds_that_never_were() -> None:
    _, step = compare(BEFORE, after(100 * MS, stepped=30 * S))
    assert step == Step(UTC + 100 * MS, UTC + 100 * MS + 30 * S)
    assert (step.delta, step.forward) == (30 * S, True)


def test_a_step_back_says_by_how_much() -> None:
    _, step = compare(BEFORE, after(100 * MS, stepped=-30 * S))
    assert step is not None
    assert (step.delta, step.forward) == (-30 * S, False)


def test_a_leap_second_is_a_step_back() -> None:
    _, step = compare(BEFORE, after(100 * MS, stepped=-S))
    assert step is not None
    assert step.delta == -S


def test_a_stall_and_a_step_at_once_are_both_told_and_do_not_overlap() -> None:
    stall, step = compare(BEFORE, after(2 * S, stepped=10 * S))
    assert stall == Stall(UTC, UTC + 2 * S, gap=2 * S)
    assert step == Step(UTC + 2 * S, UTC + 12 * S)


def test_small_steps_add_up_in_the_drift() -> None:
    reading = BEFORE
    for _ in range(5):
        following = after(100 * MS, stepped=100 * MS, reading=reading)
        assert compare(reading, following).step is None
        reading = following
    assert drift(BEFORE, reading) == 500 * MS


awake = st.integers(0, 100 * S)
asleep = st.one_of(st.just(0), st.integers(SUSPENDED_FROM, 10_000 * S))
stepped = st.one_of(st.just(0), st.integers(-1000 * S, 1000 * S))


@given(awake, asleep, stepped)
def test_a_change_tells_exactly_what_was_done_to_the_machine(awake: int, asleep: int, stepped: int) -> None:
    stall, step = compare(BEFORE, after(awake, asleep=asleep, stepped=stepped))
    elapsed = awake + asleep
    assert stall == (Stall(UTC, UTC + elapsed, awake, asleep) if elapsed > STALL_OVER else None)
    assert (step.delta if step else 0) == (stepped if abs(stepped) > STEP_OVER else 0)


@given(awake, asleep)
def test_no_stall_and_no_suspend_looks_like_a_step(awake: int, asleep: int) -> None:
    assert compare(BEFORE, after(awake, asleep=asleep)).step is None


@given(st.lists(st.tuples(awake, asleep, stepped), max_size=20))
def test_the_drift_is_the_sum_of_all_steps(beats: list[tuple[int, int, int]]) -> None:
    reading = BEFORE
    for awake_, asleep_, stepped_ in beats:
        reading = after(awake_, asleep=asleep_, stepped=stepped_, reading=reading)
    assert drift(BEFORE, reading) == sum(stepped_ for _, _, stepped_ in beats)


@given(st.integers(-1000, 1000))
def test_boottime_read_a_moment_early_or_late_changes_nothing(jitter: int) -> None:
    current = after(100 * MS)
    assert compare(BEFORE, Reading(current.monotonic, current.realtime, current.boottime + jitter)) == Change(
        None, None
    )
