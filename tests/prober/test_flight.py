"""Calls in flight: found by deadline, counted, moved over a gap."""

from moved import OK, World

from prober.measure.clock import NS
from prober.measure.flight import Flight
from prober.probes.call import Call


def call(begun: int, timeout: int) -> Call:
    world = World()
    world.lane("a", lambda _: OK)
    made = world.probes["a"].call(lambda _: None)
    made.begun, made.deadline = begun, begun + timeout
    return made


def test_calls_expire_at_their_deadline_whatever_their_time_out() -> None:
    flight = Flight()
    long, short, later = call(0, 10 * NS), call(NS, 2 * NS), call(2 * NS, 10 * NS)
    for each, timeout in ((long, 10), (short, 2), (later, 10)):
        flight.add(each, timeout * NS)
    assert flight.next_deadline() == 3 * NS
    assert flight.expired(3 * NS - 1) == []
    assert flight.expired(3 * NS) == [short]
    assert set(flight.expired(12 * NS)) == {long, short, later}
    assert len(flight) == 3, "they stay until they are removed"


def test_a_call_is_removed_once() -> None:
    flight = Flight()
    one = call(0, NS)
    flight.add(one, NS)
    assert one in flight
    flight.remove(one)
    flight.remove(one)
    assert (len(flight), one in flight, flight.next_deadline()) == (0, False, None)


def test_deadlines_move_by_a_gap() -> None:
    flight = Flight()
    one = call(0, NS)
    flight.add(one, NS)
    flight.shift(5 * NS)
    assert flight.next_deadline() == 6 * NS
    assert flight.expired(5 * NS) == []


def test_the_oldest_open_call_is_known() -> None:
    flight = Flight()
    assert flight.first_begun(7) == 7
    one, two = call(3, 10 * NS), call(5, NS)
    flight.add(one, 10 * NS)
    flight.add(two, NS)
    assert flight.first_begun(9) == 3
    flight.remove(one)
    assert flight.first_begun(9) == 5
