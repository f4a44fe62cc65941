"""Reload: from a second's boundary on, all of the new plan; what is open ends under the old one, what is known stays."""

import pytest
from moved import HANG, MS, T0, Reply, World, reset, status

from prober.board import Column
from prober.measure.clock import NS
from rules.model import Verdict

AVAILABLE = (Verdict.AVAILABLE, "ok")


def began(world: World, name: str) -> list[int]:
    return [call.second - T0 for call in world.probes[name].begun]


def test_a_plan_holds_from_the_next_second_on() -> None:
    world = World()
    world.adopt(world.lane("old"))
    world.run(2.5)
    world.adopt(world.lane("new"))
    world.run(3)
    assert began(world, "old") == [0, 1, 2]
    assert began(world, "new") == [3, 4, 5]
    assert list(world.at(T0 + 2).endpoints) == ["old"]
    assert list(world.at(T0 + 3).endpoints) == ["new"]
    assert world.in_order()
    assert len(world.told.plans) == 2


def test_no_endpoint_misses_its_place_in_the_first_second_of_a_plan() -> None:
    world = World()
    world.adopt(world.lane("a"))
    world.run(2.95)
    lanes = [world.lane(f"e{n}") for n in range(10)]
    world.adopt(*lanes)
    world.clock.pass_(150 * MS)  # the boundary was passed 0.1 s ago when the loop comes to it
    world.turn()
    world.run(1)
    assert all(began(world, f"e{n}")[0] == 3 for n in range(10))


def test_open_calls_of_a_plan_that_is_gone_end_in_their_own_second() -> None:
    world = World()
    world.adopt(world.lane("a"), world.lane("hung", lambda _: HANG), controls=[world.control()])
    world.run(2.5)
    world.adopt(world.lane("b"), controls=[world.control()])
    world.run(12)
    assert world.at(T0 + 2).endpoints["hung"].reason == "read_timeout"
    assert list(world.at(T0 + 3).endpoints) == ["b"]
    assert world.in_order()


def test_counters_stay_with_their_endpoint_and_calls_that_end_later_count_there() -> None:
    """The board's rows are in another order after the reload, and one endpoint has gone."""
    world = World()
    slow = Reply(1500 * MS)
    world.adopt(world.lane("gone", lambda _: slow), world.lane("x"), world.lane("stays", lambda _: slow))
    world.run(3.95)
    plan = world.adopt(world.lane("new"), world.lane("stays"))
    world.run(5)
    rows = {key[2]: plan.board.row(n) for n, key in enumerate(plan.board.keys)}
    assert set(rows) == {"new", "stays"}
    assert rows["stays"][Column.CALLS] == 9, "four before the reload, two of which ended after it, and five since"
    assert rows["new"][Column.CALLS] == 5
    assert rows["new"][Column.ENDED] > T0 + 8


def test_durations_count_on_over_a_reload() -> None:
    world = World()
    world.adopt(world.lane("a"))
    world.run(2.5)
    world.adopt(world.lane("b"))
    world.run(2)
    assert sum(world.measure.figures.durations["bird", "api"].counts) == 5


def test_kept_connections_of_the_plan_before_are_closed() -> None:
    world = World()
    world.adopt(world.lane("a"), controls=[world.control()])
    before = [world.probes["a"], world.probes["reference"]]
    world.run(1.5)
    world.adopt(world.lane("b"), controls=[world.control()])
    world.run(1)
    assert [probe.closed for probe in before] == [1, 1]
    assert world.probes["b"].closed == 0


def test_a_changed_interval_holds_from_the_boundary_on() -> None:
    world = World()
    world.adopt(world.lane("a"))
    world.run(2.5)
    world.adopt(world.lane("a", every=5 * NS))
    world.run(20)
    assert began(world, "a") == [5, 10, 15, 20]
    assert world.verdicts(2, 6) == [
        AVAILABLE,
        *[(Verdict.UNMEASURED, "no_call")] * 2,
        AVAILABLE,
        (Verdict.UNMEASURED, "no_call"),
    ]


def test_a_service_that_is_added_begins_with_the_plan() -> None:
    world = World()
    world.adopt(world.lane("a"))
    world.run(2.5)
    world.adopt(world.lane("a"), world.lane("b", service="mailer"), closed={"mailer": T0 - 5})
    world.run(3)
    assert world.verdicts(3, 4, "mailer") == [AVAILABLE] * 2
    assert world.at(T0 - 4, "mailer").service.reason == "not_running"
    assert world.in_order("mailer")


def test_a_service_that_is_removed_closes_its_last_second_and_retires() -> None:
    world = World()
    world.adopt(world.lane("a"), world.lane("b", lambda _: HANG, service="mailer"), controls=[world.control()])
    world.run(2.5)
    world.adopt(world.lane("a"), controls=[world.control()])
    world.run(9)
    assert world.told.gone == []
    world.run(2)
    assert world.told.gone == ["mailer"]
    assert [c.second - T0 for c in world.closed("mailer")] == [0, 1, 2]
    assert "mailer" not in world.measure.rings


def test_a_service_that_comes_back_before_it_has_retired_goes_on() -> None:
    world = World()
    world.adopt(world.lane("a"), world.lane("b", lambda _: HANG, service="mailer"), controls=[world.control()])
    world.run(2.5)
    world.adopt(world.lane("a"), controls=[world.control()])
    world.run(3)
    world.adopt(world.lane("a"), world.lane("c", service="mailer"), controls=[world.control()])
    world.run(12)
    assert world.told.gone == []
    assert world.in_order("mailer")
    reasons = [r for _, r in world.verdicts(0, 7, "mailer")]
    assert reasons == ["read_timeout"] * 3 + ["no_call"] * 3 + ["ok"] * 2


def test_a_service_whose_last_second_closes_while_its_return_is_awaited_does_not_retire() -> None:
    world = World()
    slow = Reply(900 * MS)
    world.adopt(world.lane("a"), world.lane("b", lambda _: slow, service="mailer"))
    world.run(2.5)
    world.adopt(world.lane("a"))
    world.run(0.6)
    world.adopt(world.lane("a"), world.lane("c", service="mailer"))
    world.run(5)
    assert world.told.gone == []
    assert world.in_order("mailer")
    assert [r for _, r in world.verdicts(2, 5, "mailer")] == ["ok", "no_call", "ok", "ok"]


@pytest.mark.parametrize("trouble", ["stall", "forward", "suspend"])
def test_no_second_has_two_plans_whatever_befalls_the_machine_at_the_boundary(trouble: str) -> None:
    world = World()
    world.adopt(*[world.lane(f"e{n}") for n in range(5)])
    world.run(2.5)
    world.adopt(world.lane("alone", lambda _: reset()))
    match trouble:
        case "stall":
            world.clock.pass_(1200 * MS)
        case "forward":
            world.clock.step(4 * NS)
        case _:
            world.clock.suspend(100 * NS)
    world.turn()
    world.run(5)
    calls = world.probes["alone"].begun
    assert calls
    for call in calls[:-1]:
        assert list(world.at(call.second).endpoints) == ["alone"], "a call counts in a second of its own plan"
    assert {tuple(c.endpoints) for c in world.closed()} == {tuple(f"e{n}" for n in range(5)), ("alone",)}
    assert world.in_order()


def test_a_reload_after_a_step_back_does_not_wait_for_the_clock() -> None:
    world = World()
    world.adopt(world.lane("a"))
    world.run(5.5)
    world.clock.step(-3600 * NS)
    world.run(1)
    world.adopt(world.lane("b"))
    world.run(1)
    assert len(world.told.plans) == 2
    world.run(3600)
    assert began(world, "b")[0] == 6
    assert world.in_order()


def test_a_reload_over_reload_keeps_the_seconds_in_order() -> None:
    world = World()
    world.adopt(world.lane("a", lambda _: HANG), controls=[world.control()])
    world.run(1.5)
    for name in ("b", "c", "d"):
        world.adopt(*[world.lane(f"{name}{n}", lambda _: HANG) for n in range(3)], controls=[world.control()])
        world.run(1)
    world.run(12)
    assert [len(world.at(T0 + n).endpoints) for n in range(6)] == [1, 1, 3, 3, 3, 3]
    assert [next(iter(world.at(T0 + n).endpoints)) for n in range(6)] == ["a", "a", "b0", "c0", "d0", "d0"]
    assert world.in_order()


def test_a_time_out_from_before_a_reload_is_corroborated_by_the_controls_of_its_time() -> None:
    """The new plan's calls are short; what an open long one needs is not forgotten for that."""
    world = World()
    world.adopt(world.lane("long", lambda _: HANG, timeout=30 * NS), controls=[world.control()])
    world.run(0.5)
    world.adopt(world.lane("short", timeout=2 * NS), controls=[world.control()])
    world.run(32)
    assert world.at(T0).service.reason == "read_timeout"


def test_a_plan_without_controls_leaves_suspicions_uncorroborated() -> None:
    world = World()
    world.adopt(world.lane(script=lambda _: reset()), controls=[world.control()])
    world.run(1.5)
    world.adopt(world.lane(script=lambda _: reset()))
    world.run(3)
    assert [r for _, r in world.verdicts(1, 3)] == ["connection_reset", "uncorroborated", "uncorroborated"]


def test_a_plan_that_was_never_begun_is_replaced() -> None:
    world = World()
    world.adopt(world.lane("a"))
    world.run(0.5)
    world.adopt(world.lane("b"))
    world.adopt(world.lane("c", lambda _: status(503)))
    world.run(2)
    assert began(world, "b") == []
    assert world.verdicts(1, 1) == [(Verdict.UNAVAILABLE, "http_status_503")]
