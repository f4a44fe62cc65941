"""A lane's place and grid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moved import MS, T0, World

from prober.measure.clock import NS, Grid
from prober.measure.lane import FIRST_PLACE, LAST_PLACE, Lane, spread

WORLD = World()


def lane(every: int = NS, timeout: int = 10 * NS, hold: int | None = None, place: int = 300 * MS) -> Lane:
    made = WORLD.lane(every=every, timeout=timeout, hold=hold)
    made.place = place
    return made


@given(st.integers(1, 3000))
def test_places_lie_within_the_settled_part_and_in_the_order_of_the_configuration(count: int) -> None:
    lanes = [lane() for _ in range(count)]
    spread(lanes)
    places = [one.place for one in lanes]
    assert places == sorted(places)
    assert len(set(places)) == count
    assert places[0] >= FIRST_PLACE
    assert places[-1] < LAST_PLACE


@given(st.sampled_from([250 * MS, NS, 2 * NS, 10 * NS, 60 * NS, 3600 * NS]), st.integers(0, 2 * T0 * NS))
def test_the_first_due_instant_is_on_the_grid_and_not_before(every: int, now: int) -> None:
    one = lane(every)
    due = one.first_due(now)
    anchor = one.place % every
    assert due >= now or due == anchor
    assert (due - anchor) % every == 0
    assert due - every < now or due == anchor


def test_two_probers_call_an_endpoint_in_the_same_seconds() -> None:
    one = lane(10 * NS)
    assert one.first_due(T0 * NS + 1) % (10 * NS) == one.first_due((T0 + 7) * NS) % (10 * NS) == one.place


@pytest.mark.parametrize(
    ("every", "timeout", "hold", "expected"), [(1, 10, None, 11), (10, 10, None, 2), (60, 10, None, 1), (1, 10, 3, 3)]
)
def test_in_flight_is_bounded(every: int, timeout: int, hold: int | None, expected: int) -> None:
    assert lane(every * NS, timeout * NS, hold).hold == expected


def test_the_grid_converts_both_ways_and_follows() -> None:
    grid = Grid(100, T0 * NS)
    assert grid.utc(100 + NS) == (T0 + 1) * NS
    assert grid.monotonic(T0 * NS) == 100
    grid.follow(200, T0 * NS + 400)
    assert grid.utc(200) == T0 * NS + 400
