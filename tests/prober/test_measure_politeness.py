"""Politeness: an endpoint that asks us to slow down is left alone, and called every second again once it answers."""

from itertools import pairwise

import pytest
from moved import HANG, MS, OK, T0, FakeCall, Reply, World, status

from prober.board import Column
from prober.measure.clock import NS
from rules.model import Verdict

THROTTLED = (Verdict.UNMEASURED, "throttled")
ASKED = (Verdict.INCONCLUSIVE, "http_status_429")


def seconds(world: World, name: str = "account") -> list[int]:
    return [call.second - T0 for call in world.probes[name].begun]


def test_retry_after_is_honoured_and_the_seconds_meanwhile_are_unmeasured() -> None:
    world = World()
    plan = world.adopt(
        world.lane(script=lambda call: status(429, headers=(("retry-after", "7"),)) if call.second == T0 + 1 else OK)
    )
    world.run(12)
    assert seconds(world) == [0, 1, 9, 10, 11]
    assert world.verdicts(1, 9) == [ASKED, *[THROTTLED] * 7, (Verdict.AVAILABLE, "ok")]
    assert plan.board.cells[Column.MISSED] == 7


def test_without_a_retry_after_the_waits_are_5_10_20_40_60_and_60_s() -> None:
    world = World()
    world.adopt(world.lane(script=lambda _: status(429)))
    world.run(230)
    called = seconds(world)
    # A wait counts from the reply, so that the call after it is in the next second's place.
    assert [b - a - 1 for a, b in pairwise(called)] == [5, 10, 20, 40, 60, 60]


def test_after_a_success_it_is_called_every_second_again_and_the_back_off_begins_anew() -> None:
    world = World()
    world.adopt(world.lane(script=lambda call: status(429) if call.second - T0 in (0, 6, 20) else OK))
    world.run(30)
    assert seconds(world) == [0, 6, 17, 18, 19, 20, 26, 27, 28, 29]


@pytest.mark.parametrize("answer", [status(503), status(401)])
def test_a_failure_that_does_not_ask_for_patience_is_no_success_and_no_throttling(answer: Reply) -> None:
    world = World()
    world.adopt(world.lane(script=lambda call: status(429) if call.second - T0 in (0, 8) else answer))
    world.run(25)
    assert seconds(world) == [0, 6, 7, 8, 19, 20, 21, 22, 23, 24]


def test_the_replies_to_calls_of_one_volley_add_no_back_off() -> None:
    """Three calls were open when the first was told to wait: that is one refusal, not three."""
    world = World()
    world.adopt(world.lane(script=lambda call: status(429, 2500 * MS) if call.second < T0 + 3 else OK))
    world.run(15)
    assert seconds(world) == [0, 1, 2, 8, 9, 10, 11, 12, 13, 14]


def test_of_one_volley_the_longest_retry_after_counts() -> None:
    asked = {0: "4", 1: "9", 2: "3"}

    def script(call: FakeCall) -> Reply:
        n = call.second - T0
        return status(429, 2500 * MS, headers=(("retry-after", asked[n]),)) if n in asked else OK

    world = World()
    world.adopt(world.lane(script=script))
    world.run(16)
    assert seconds(world) == [0, 1, 2, 13, 14, 15], "3.52 s + 9 s"


def test_the_success_of_a_call_from_before_does_not_end_the_wait() -> None:
    def script(call: FakeCall) -> Reply:
        n = call.second - T0
        return status(200, 3 * NS, unmet=None) if n == 0 else status(429) if n == 1 else OK

    world = World()
    world.adopt(world.lane(script=lambda call: Reply(3 * NS) if call.second == T0 else script(call)))
    world.run(10)
    assert seconds(world) == [0, 1, 7, 8, 9]


def test_others_are_not_left_alone_for_it() -> None:
    world = World()
    world.adopt(world.lane("strict", lambda _: status(429)), world.lane("well"), world.lane("hung", lambda _: HANG))
    world.run(20)
    assert seconds(world, "well") == seconds(world, "hung") == list(range(20))


def test_a_clock_that_is_set_moves_the_end_of_a_wait_with_it() -> None:
    world = World()
    world.adopt(
        world.lane(script=lambda call: status(429, headers=(("retry-after", "20"),)) if call.second == T0 else OK)
    )
    world.run(2)
    world.clock.step(100 * NS)
    world.run(10)
    assert seconds(world) == [0], "eighteen seconds are left, whatever the clock says"
    world.run(10)
    assert seconds(world)[1] == 121
