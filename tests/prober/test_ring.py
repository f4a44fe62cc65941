"""The open seconds of a service: none left out, none twice, closed from the oldest on."""

from moved import T0, World

from prober.measure.ring import Layout, Ring, Slot
from rules.model import Fault


def layout(endpoints: int = 3) -> Layout:
    world = World()
    return world.plan([world.lane(f"e{n}") for n in range(endpoints)]).layouts[0]


def closed(ring: Ring, now: int) -> list[tuple[int, int, str]]:
    return [(slot.second - T0, slot.span, slot.void) for slot in ring.ripe(T0 + now)]


def ring() -> Ring:
    return Ring(layout(), T0 - 1)


def test_seconds_come_to_be_one_by_one_and_close_when_they_are_past() -> None:
    r = ring()
    r.reach(T0 + 2)
    assert [slot.second - T0 for slot in r.open] == [0, 1, 2]
    assert closed(r, 1) == [(0, 1, "")]
    assert closed(r, 1) == []
    assert r.closed == T0


def test_a_pending_second_keeps_those_after_it_open() -> None:
    r = ring()
    r.reach(T0 + 3)
    held = r.slot(T0 + 1)
    assert held is not None
    held.pending = 1
    assert closed(r, 9) == [(0, 1, "")]
    held.pending = 0
    assert closed(r, 9) == [(1, 1, ""), (2, 1, ""), (3, 1, "")]


def test_a_closed_second_has_no_slot_any_more() -> None:
    r = ring()
    r.reach(T0)
    list(r.ripe(T0 + 1))
    assert r.slot(T0) is None


def test_a_stretch_that_has_not_come_to_be_is_one_slot_and_its_last_second_another() -> None:
    r = ring()
    r.reach(T0)
    r.void(T0, T0 + 1000, "stalled")
    assert [(slot.second - T0, slot.span, slot.void) for slot in r.open] == [
        (0, 1, "stalled"),
        (1, 999, "stalled"),
        (1000, 1, "stalled"),
    ]
    assert r.slot(T0 + 500) is None, "no call can have begun in it"
    assert r.slot(T0 + 1000) is not None


def test_the_first_reason_for_a_void_second_stays() -> None:
    r = ring()
    r.void(T0, T0, "stalled")
    r.void(T0, T0, "clock_stepped")
    assert closed(r, 5) == [(0, 1, "stalled")]


def test_seconds_outside_a_gap_are_not_touched() -> None:
    r = ring()
    r.reach(T0 + 4)
    r.void(T0 + 1, T0 + 2, "stalled")
    assert [void for _, _, void in closed(r, 9)] == ["", "stalled", "stalled", "", ""]


def test_a_service_that_is_no_longer_configured_gets_no_new_seconds() -> None:
    r = ring()
    r.reach(T0)
    r.retired = True
    r.void(T0, T0 + 50, "stalled")
    assert closed(r, 99) == [(0, 1, "stalled")]


def test_a_tally_adds_up_the_endpoints_of_a_channel() -> None:
    slot = Slot(T0, layout(4))
    slot.ok[0] += 2
    slot.ok[3] += 1
    slot.fail(1, Fault.SERVER_ERROR, "http_status_503")
    slot.fail(3, Fault.SERVER_ERROR, "http_status_503")
    slot.miss(2, "throttled")
    assert slot.tally(0, 4).counts == {(Fault.NONE, "ok"): 3, (Fault.SERVER_ERROR, "http_status_503"): 2}
    assert slot.tally(0, 4).missed == {"throttled": 1}
    assert slot.tally(0, 1).counts == {(Fault.NONE, "ok"): 2}
    assert slot.tally(1, 3).counts == {(Fault.SERVER_ERROR, "http_status_503"): 1}
    assert slot.tally(2, 3).counts == {}


def test_a_channel_is_tallied_alike_whether_few_or_many_of_it_failed() -> None:
    slot = Slot(T0, layout(50))
    for n in range(0, 50, 2):
        slot.fail(n, Fault.OTHER, "http_status_401")
    assert slot.tally(10, 13).counts == {(Fault.OTHER, "http_status_401"): 2}
    assert slot.tally(0, 50).counts == {(Fault.OTHER, "http_status_401"): 25}
