"""Counting by the minute on the loop: every call once, in the minute in which it began, whatever is configured meanwhile."""

from collections.abc import Iterable

import pytest
from moved import HANG, MS, OK, T0, FakeCall, Reply, World, reset, status

from prober.measure.clock import NS
from prober.measure.figures import Figures
from prober.measure.lane import Lane
from prober.measure.minutes import MANY, Minutes
from prober.measure.ring import Layout, Slot
from prober.store import FigureRow, Scope
from prober.store.figures import LONG, Block, Column, block_of
from rules.model import Fault


def block(row: FigureRow) -> Block:
    assert callable(row.body)
    return block_of(row.columns, row.body())


def counted(rows: Iterable[FigureRow], scope: Scope = Scope.CHANNELS) -> dict[tuple[int, Column], dict[Fault, int]]:
    """Calls by (first second, column) and fault."""
    found = {}
    for row in rows:
        if row.scope is scope:
            for column in row.columns:
                calls, _ = block(row).total(lambda other, column=column: other == column)  # type: ignore[misc]  # bound
                if calls:
                    found[row.start - T0, column] = calls
    return found


class Closing:
    """Takes what is finished with each slot that closes, as the station does."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows: list[FigureRow] = []
        self.told = world.told.closed
        world.told.closed = self.take  # type: ignore[method-assign]  # listens in

    def take(self, slot: Slot) -> None:
        self.told(slot)
        self.rows += self.world.measure.figures.minutes.finished(slot)


def slow(call: FakeCall) -> Reply | None:
    """Now and then an answer that comes when the next minute has long begun."""
    return Reply(8000 * MS) if call.second % 10 == 9 else OK


def test_a_call_counts_in_the_minute_in_which_it_began_however_late_it_ends() -> None:
    world = World()
    closing = Closing(world)
    world.adopt(world.lane("account", slow), world.lane("injection", channel="smtp"))
    world.run(130)
    assert counted(closing.rows) == {
        (start, column): {Fault.NONE: 60} for start in (0, 60) for column in (("api", "account"), ("smtp", "injection"))
    }
    (first, *_) = closing.rows
    _, took = block(first).total(lambda column: column[0] == "api")
    assert took.maximum == pytest.approx(8.0, rel=0.01)
    assert took.quantile(0.5) == pytest.approx(0.005, rel=0.05)
    assert took.total == pytest.approx(6 * 8_000_000 + 54 * 5000, rel=0.01)


def test_endpoints_and_their_channel_are_both_counted() -> None:
    world = World()
    closing = Closing(world)
    down = status(503)
    world.adopt(world.lane("account"), world.lane("templates", lambda _: down), world.lane("mail", channel="smtp"))
    world.run(62)
    assert counted(closing.rows) == {
        (0, ("api", "")): {Fault.NONE: 60, Fault.SERVER_ERROR: 60},
        (0, ("smtp", "")): {Fault.NONE: 60},
    }
    assert counted(closing.rows, Scope.ENDPOINTS) == {
        (0, ("api", "account")): {Fault.NONE: 60},
        (0, ("api", "templates")): {Fault.SERVER_ERROR: 60},
        (0, ("smtp", "mail")): {Fault.NONE: 60},
    }


def test_very_many_endpoints_are_counted_by_five_minutes_and_their_channels_by_one() -> None:
    world = World()
    closing = Closing(world)
    lanes = [world.lane(f"api-{n}", every=10 * NS) for n in range(MANY)]
    world.adopt(*lanes, world.lane("mail", lambda _: HANG, channel="smtp", every=20 * NS))
    world.run(LONG + 20)
    channels = counted(closing.rows)
    assert [channels[60 * n, ("api", "")] for n in range(5)] == [{Fault.NONE: 6 * MANY}] * 5
    assert channels[0, ("smtp", "")] == {Fault.OTHER: 3}  # time-outs that nothing corroborates
    endpoints = [row for row in closing.rows if row.scope is Scope.ENDPOINTS]
    assert [(row.start, row.span) for row in endpoints] == [(T0, LONG)]
    assert counted(endpoints, Scope.ENDPOINTS)[0, ("api", "api-7")] == {Fault.NONE: 30}


def test_a_reload_within_a_minute_divides_it_and_loses_no_call() -> None:
    world = World()
    closing = Closing(world)
    world.adopt(world.lane("account"))
    world.run(30)
    world.adopt(world.lane("account"), world.lane("templates", lambda _: reset()))
    world.run(95)
    assert counted(closing.rows) == {
        (0, ("api", "account")): {Fault.NONE: 31},
        (31, ("api", "")): {Fault.NONE: 29, Fault.OTHER: 29},
        (60, ("api", "")): {Fault.NONE: 60, Fault.OTHER: 60},
    }


def test_minutes_in_which_nothing_was_measured_finish_what_was_open() -> None:
    world = World()
    closing = Closing(world)
    world.adopt(world.lane("account"))
    world.run(20.5)
    world.clock.pass_(150 * NS)
    world.run(80)
    by_start = counted(closing.rows)
    assert by_start[0, ("api", "account")][Fault.NONE] == 21
    assert sorted(start for start, _ in by_start) == [0, 170, 180]  # the minute in which we went on is there in part


def test_services_do_not_mix() -> None:
    world = World()
    closing = Closing(world)
    world.adopt(world.lane("account"), world.lane("other", lambda _: status(503), service="second"))
    world.run(62)
    assert {row.service: counted([row]) for row in closing.rows} == {
        "bird": {(0, ("api", "account")): {Fault.NONE: 60}},
        "second": {(0, ("api", "other")): {Fault.SERVER_ERROR: 60}},
    }


def test_at_the_end_what_is_open_is_told_once() -> None:
    world = World()
    closing = Closing(world)
    world.adopt(world.lane("account"))
    world.run(20)
    minutes = world.measure.figures.minutes
    assert counted(minutes.rest()) == {(0, ("api", "account")): {Fault.NONE: 20}}
    assert (closing.rows, minutes.rest()) == ([], ())


def a_call(lane: Lane, layout: Layout, second: int, took: int) -> FakeCall:
    call = lane.probe.call(lambda _: None)
    assert isinstance(call, FakeCall)
    call.slot, call.begun, call.ended = Slot(second, layout), 0, took
    return call


def test_calls_shorter_and_longer_than_all_buckets_are_counted() -> None:
    world = World()
    plan = world.plan([world.lane()])
    minutes, (lane,) = Minutes(), plan.layouts[0].lanes
    for second, took in ((T0 + 1, 0), (T0, 3_600 * NS)):  # the later one ends first
        minutes.add(lane, a_call(lane, plan.layouts[0], second, took), Fault.NONE)
    (row,) = minutes.rest()
    assert row.start == T0
    assert block(row).total(lambda _: True)[1].calls == 2


def test_what_the_loop_shows_is_what_is_counted() -> None:
    world = World()
    plan = world.plan([world.lane()])
    figures, (lane,) = Figures(), plan.layouts[0].lanes
    figures.install(plan)
    figures.show(lane, a_call(lane, plan.layouts[0], T0, MS), Fault.OWN)
    assert counted(figures.minutes.rest()) == {(0, ("api", "account")): {Fault.OWN: 1}}
