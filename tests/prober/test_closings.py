"""What closed seconds mean is worked out slice by slice, in order, and comes to the same as all at once."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from judged import Judged
from moved import OK, T0, FakeCall, Reply, status

from prober.measure.closings import SLICE, Closings
from prober.measure.ring import Layout, Slot
from prober.store import SeriesKey
from rules.slices import AT_ONCE, Work

LAYOUT = Layout("bird", (), ())


class Ticking:
    """A clock on which every look takes a third of a slice."""

    def __init__(self) -> None:
        self.now = 0

    def monotonic(self) -> int:
        self.now += SLICE // 3
        return self.now

    realtime = boottime = monotonic


class Bench:
    """Closings whose work takes `steps` steps a second; `done` are the seconds that have come to their end."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.done: list[int] = []
        self.taken: list[int] = []
        self.broken = -1
        self.later: list[Callable[[], object]] = []
        self.closings = Closings(self.close, self.later.append, Ticking())

    def close(self, slot: Slot) -> Work[None]:
        for _ in range(self.steps):
            self.taken.append(slot.second)
            yield
        if slot.second == self.broken:
            raise ZeroDivisionError
        self.done.append(slot.second)

    def turn(self) -> None:
        """The loop's turn has come round."""
        waiting, self.later[:] = list(self.later), []
        for callback in waiting:
            callback()


def test_what_takes_no_time_is_done_as_soon_as_the_second_closes() -> None:
    bench = Bench(steps=1)
    bench.closings.add(Slot(T0, LAYOUT))
    assert bench.done == [T0]
    assert bench.later == [], "the loop need not call back"


def test_what_takes_longer_lets_the_loop_have_its_turn_between_slices() -> None:
    bench = Bench(steps=20)
    bench.closings.add(Slot(T0, LAYOUT))
    assert (bench.done, len(bench.closings)) == ([], 1)
    turns = 0
    while bench.later:
        bench.turn()
        turns += 1
    assert bench.done == [T0]
    assert turns >= 5, "20 steps at 3 to a slice"


def test_seconds_come_to_their_end_in_order_one_after_another() -> None:
    bench = Bench(steps=7)
    for n in range(4):
        bench.closings.add(Slot(T0 + n, LAYOUT))
        assert len(bench.later) == 1, "the loop is asked once"
    while bench.later:
        bench.turn()
    assert bench.done == [T0, T0 + 1, T0 + 2, T0 + 3]
    assert bench.taken == sorted(bench.taken), "no second is begun before the one before has ended"


def test_the_more_seconds_wait_the_longer_are_the_slices() -> None:
    def steps_of_a_turn(waiting: int) -> int:
        bench = Bench(steps=1000)
        for n in range(waiting):
            bench.closings.add(Slot(T0 + n, LAYOUT))
        before = len(bench.taken)
        bench.turn()
        return len(bench.taken) - before

    assert steps_of_a_turn(5) >= 4 * steps_of_a_turn(1)
    assert steps_of_a_turn(50) == steps_of_a_turn(10), "but never so long that the machine seems to stand still"


def test_all_that_waits_can_be_finished_at_once() -> None:
    bench = Bench(steps=50)
    for n in range(3):
        bench.closings.add(Slot(T0 + n, LAYOUT))
    bench.closings.finish()
    assert (bench.done, len(bench.closings)) == ([T0, T0 + 1, T0 + 2], 0)
    bench.turn()
    assert bench.later == []


def test_a_second_that_fails_by_a_defect_stops_no_other() -> None:
    bench = Bench(steps=9)
    bench.broken = T0 + 1
    for n in range(3):
        bench.closings.add(Slot(T0 + n, LAYOUT))
    failed = 0
    while bench.later:
        try:
            bench.turn()
        except ZeroDivisionError:
            failed += 1
    assert failed == 1, "it is told of, once"
    assert bench.done == [T0, T0 + 2]


def test_people_are_told_when_judging_falls_behind_and_when_it_has_caught_up(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench = Bench(steps=100)
    for n in range(30):
        bench.closings.add(Slot(T0 + n, LAYOUT))
    assert [r.message for r in caplog.records] == ["judging falls behind measuring"]
    while bench.later:
        bench.turn()
    assert [r.message for r in caplog.records] == [
        "judging falls behind measuring",
        "judging has caught up with measuring",
    ]


def outage(path: Path, *, sliced: bool) -> Judged:
    """Most endpoints of a hundred fail for a while, and the service goes down with all of them."""

    def script(number: int) -> Callable[[FakeCall], Reply]:
        def reply(call: FakeCall) -> Reply:
            second = call.second - T0
            return status(503) if 5 <= second < 40 and (number or second >= 20) else OK

        return reply

    world = Judged(path)
    if sliced:
        station = world.station
        station._closings = Closings(station._close, world.loop.call_soon, Ticking())
    world.begin(*(world.lane(f"e{n:03}", script=script(n)) for n in range(4 * AT_ONCE)))
    return world


def test_a_sliced_second_comes_to_the_same_as_one_at_once(tmp_path: Path) -> None:
    """Invariant 10: the same seconds give the same verdicts, messages and acts; and each second is one transaction."""
    worlds = []
    for name in ("whole", "sliced"):
        world = outage(tmp_path / f"{name}.db", sliced=name == "sliced")
        world.run_to(T0 + 60)
        most = len(world.station._closings)
        world.station.end()
        world.acts()
        worlds.append(world)
        assert most == 0 or name == "sliced"
    once, sliced = worlds
    keys = [SeriesKey("bird"), SeriesKey("bird", "api"), *(SeriesKey("bird", "api", f"e{n:03}") for n in (0, 1, 99))]
    for key in keys:
        assert sliced.stored(key)[:60] == once.stored(key)[:60], key
    for kind in ("second", "act"):
        assert sliced.messages(kind)[:50] == once.messages(kind)[:50]
    assert once.messages("act"), "something was to be done"
    for world in worlds:
        world.end()


def test_what_has_closed_is_on_disk_when_the_program_ends(tmp_path: Path) -> None:
    world = outage(tmp_path / "prober.db", sliced=True)
    world.run_to(T0 + 7)
    world.measure.stop()
    world.station.end()
    closed = world.measure.rings["bird"].closed
    world.end()
    assert max(second for second, _ in world.stored(SeriesKey("bird", "api", "e099"))) == closed
