"""Our own machine: stalls, suspends, stepped clocks and restarts never become the vendor's fault (invariant 5)."""

import time

import pytest
from moved import HANG, MS, OK, T0, FakeCall, Reply, World, reset, status

from prober.measure.clock import NS, SystemClock
from rules.model import Verdict

AVAILABLE = (Verdict.AVAILABLE, "ok")
STALLED = (Verdict.UNMEASURED, "stalled")
STEPPED = (Verdict.UNMEASURED, "clock_stepped")
NOT_RUNNING = (Verdict.UNMEASURED, "not_running")
SILENT = (Verdict.UNAVAILABLE, "read_timeout")


def stop(world: World, seconds: float, *, events_first: bool = True) -> None:
    """The process is stopped (SIGSTOP, a paused machine) and goes on."""
    world.clock.pass_(round(seconds * NS))
    world.turn(events_first=events_first)


# stalls


@pytest.mark.parametrize("events_first", [True, False])
def test_the_seconds_of_a_gap_are_stalled(events_first: bool) -> None:
    world = World()
    world.adopt(world.lane())
    world.run(2.5)
    stop(world, 5, events_first=events_first)
    world.run(3)
    assert world.verdicts(0, 9) == [AVAILABLE] * 3 + [STALLED] * 4 + [AVAILABLE] * 3
    assert world.in_order()
    assert world.measure.stalls == 1


def test_getting_ready_is_no_gap() -> None:
    world = World()
    world.clock.pass_(round(2.3 * NS))  # lanes are built, the store is read
    world.adopt(world.lane())
    world.run(3)
    assert world.measure.stalls == 0
    assert world.verdicts(3, 4) == [AVAILABLE] * 2


def test_a_second_of_the_gap_that_holds_a_success_is_available() -> None:
    world = World()
    world.adopt(world.lane(script=lambda _: Reply(300 * MS)))
    world.run(2.1)
    stop(world, 5.7)  # the answer to the call of second 2 arrived meanwhile
    world.run(2)
    assert world.verdicts(1, 8) == [AVAILABLE] * 2 + [STALLED] * 4 + [AVAILABLE] * 2


def test_half_a_second_is_no_gap() -> None:
    world = World()
    world.adopt(world.lane())
    world.run(2.3)
    stop(world, 0.4)
    world.run(2)
    assert world.measure.stalls == 0
    assert world.verdicts(0, 3) == [AVAILABLE] * 4


@pytest.mark.parametrize("events_first", [True, False])
@pytest.mark.parametrize("reply", [reset(400 * MS), status(503, 400 * MS)])
def test_failures_first_seen_within_the_gap_are_void(events_first: bool, reply: Reply) -> None:
    """The server's reset or 503 arrived while we stood still: perhaps because of that."""
    world = World()
    world.adopt(world.lane(script=lambda call: reply if call.second == T0 + 2 else OK), controls=[world.control()])
    world.run(2.3)
    stop(world, 5, events_first=events_first)
    world.run(3)
    assert world.verdicts(1, 8) == [AVAILABLE] + [STALLED] * 5 + [AVAILABLE] * 2
    assert [f.reason for _, f, _ in world.told.failures] == ["stalled"]


def test_failures_seen_before_the_gap_stand_where_the_gap_does_not_cover_their_second() -> None:
    world = World()
    world.adopt(world.lane(script=lambda call: status(503) if call.second == T0 + 1 else OK))
    world.run(2.5)
    stop(world, 5)
    world.run(2)
    assert world.verdicts(1, 1) == [(Verdict.UNAVAILABLE, "http_status_503")]


def test_a_call_that_began_after_the_gap_is_judged_although_the_heartbeat_is_the_gaps() -> None:
    world = World()
    world.adopt(world.lane(script=lambda call: status(503) if call.second == T0 + 8 else OK))
    world.run(2.5)
    stop(world, 5.49)  # until 7.99, and the next call is due at 8.02
    world.run(2)
    assert world.verdicts(6, 8) == [STALLED, AVAILABLE, (Verdict.UNAVAILABLE, "http_status_503")]


def test_deadlines_move_by_the_gap_and_the_time_out_then_stands() -> None:
    world = World()
    world.adopt(world.lane(script=lambda call: HANG if call.second == T0 else OK), controls=[world.control()])
    world.run(4.5)
    stop(world, 20)
    world.run(5.4)
    assert not world.probes["account"].begun[0].over, "10 s, and the 20 in which nobody listened"
    world.run(3)
    call = world.probes["account"].begun[0]
    assert call.ended - call.begun == 30 * NS
    assert world.verdicts(0, 1) == [SILENT, AVAILABLE]
    assert world.in_order()


def test_a_gap_of_a_night_is_one_slot_and_takes_no_time() -> None:
    world = World()
    world.adopt(world.lane())
    world.run(2.5)
    stop(world, 9 * 3600)
    world.run(2)
    spans = [(c.second - T0, c.span, c.service.reason) for c in world.closed()]
    assert (3, 9 * 3600 - 1, "stalled") in spans
    assert len(spans) < 10
    assert world.in_order()


def test_a_gap_that_ends_in_the_second_of_a_call_yet_to_come_does_not_keep_it_from_being_made() -> None:
    world = World()
    world.adopt(world.lane("early"), world.lane("late"))
    world.run(2.5)
    stop(world, 5.7)  # 8.2: early is past its place, late (8.46) is not
    world.run(2)
    assert [c.second - T0 for c in world.probes["late"].begun] == [0, 1, 2, 8, 9]
    assert world.verdicts(8, 8) == [AVAILABLE]


def test_the_listener_hears_of_the_gap() -> None:
    world = World()
    world.adopt(world.lane())
    world.run(2.5)
    stop(world, 5)
    (stall,) = world.told.stalls
    assert stall.gap == pytest.approx(5 * NS, abs=101 * MS)
    assert stall.suspended == 0


# suspends


@pytest.mark.parametrize("events_first", [True, False])
def test_calls_in_flight_over_a_suspend_are_void_if_they_fail(events_first: bool) -> None:
    """MONOTONIC stood still: the peer waited an hour, our deadline has nine seconds to go."""
    world = World()
    world.adopt(
        world.lane("cut", lambda call: reset(3 * NS) if call.second == T0 + 2 else OK),
        world.lane("hung", lambda call: HANG if call.second == T0 + 2 else OK),
        controls=[world.control()],
    )
    world.run(2.8)
    world.clock.suspend(3600 * NS)
    world.turn(events_first=events_first)
    world.run(12)
    assert {(name, f.reason) for name, f, _ in world.told.failures} == {("cut", "stalled"), ("hung", "stalled")}
    assert world.verdicts(2, 3) == [STALLED] * 2
    assert world.at(T0 + 3604).service.verdict is Verdict.AVAILABLE
    assert world.in_order()


def test_a_success_over_a_suspend_stands() -> None:
    world = World()
    world.adopt(world.lane(script=lambda call: Reply(2 * NS) if call.second == T0 + 2 else OK))
    world.run(2.8)
    world.clock.suspend(3600 * NS)
    world.turn()
    world.run(4)
    assert world.verdicts(2, 3) == [AVAILABLE, STALLED]


def test_a_suspend_is_seen_before_the_first_event_after_it_is_believed() -> None:
    """The reset came with the wake-up, before any heartbeat was due."""
    world = World()
    world.adopt(
        world.lane(script=lambda call: reset(801 * MS) if call.second == T0 + 2 else OK), controls=[world.control()]
    )
    world.run(2.82)
    world.clock.suspend(600 * NS)
    world.clock.pass_(MS)
    world.turn()
    assert [f.reason for _, f, _ in world.told.failures] == ["stalled"]
    assert world.measure.stalls == 1


def test_no_call_begins_by_the_clock_from_before_a_suspend() -> None:
    """The first call after the wake-up is due before the next heartbeat is: it belongs to the second that it is now."""
    world = World()
    world.adopt(world.lane("early"), world.lane("late"))
    world.run(2.455)  # heartbeats at 2.4 and 2.5, the call is due at 2.46
    world.clock.suspend(600 * NS)
    world.run(3)
    assert [c.second - T0 for c in world.probes["late"].begun] == [0, 1, 602, 603, 604, 605][
        : len(world.probes["late"].begun)
    ]
    assert len(world.probes["late"].begun) >= 5


def test_calls_that_begin_after_a_suspend_are_judged_as_ever() -> None:
    world = World()
    world.adopt(world.lane(script=lambda call: status(503) if call.second > T0 + 100 else OK))
    world.run(2.8)
    world.clock.suspend(600 * NS)
    world.run(3)
    assert world.at(T0 + 604).service.reason == "http_status_503"


def test_a_control_does_not_speak_across_a_suspend() -> None:
    """By MONOTONIC it answered a second after the reset; by any other clock, an hour."""
    world = World()
    world.adopt(
        world.lane(script=lambda call: reset() if call.second == T0 + 2 else OK),
        controls=[world.control(lambda call: OK if call.second > T0 + 100 else reset())],
    )
    world.run(2.8)
    world.clock.suspend(3600 * NS)
    world.turn()
    world.run(4)
    assert [f.reason for _, f, _ in world.told.failures] == ["controls_failed"]
    assert world.verdicts(2, 2) == [STALLED]


# stepped clocks


def test_seconds_skipped_by_a_clock_set_forward_are_unmeasured() -> None:
    world = World()
    world.adopt(world.lane(script=lambda _: status(503)))
    world.run(2.5)
    world.clock.step(10 * NS)
    world.run(3)
    down = (Verdict.UNAVAILABLE, "http_status_503")
    assert world.verdicts(1, 14) == [down] + [STEPPED] * 11 + [down] * 2
    assert world.in_order()
    (step,) = world.told.steps
    assert step.delta == 10 * NS


def test_a_clock_set_forward_by_years_is_one_slot_at_once() -> None:
    world = World()
    world.adopt(world.lane())
    world.run(2.5)
    years = 30 * 365 * 86400
    world.clock.step(years * NS)
    begun = time.process_time()
    world.run(3)
    assert time.process_time() - begun < 2, "no work for each second that never was"
    assert len(world.closed()) < 10
    assert world.at(T0 + 1_000_000).service.reason == "clock_stepped"
    assert world.verdicts(years + 3, years + 4) == [AVAILABLE] * 2
    assert world.in_order()


def test_a_small_step_forward_touches_one_second() -> None:
    world = World()
    world.adopt(world.lane(script=lambda _: status(503)))
    world.run(2.1)
    world.clock.step(300 * MS)
    world.run(2)
    down = (Verdict.UNAVAILABLE, "http_status_503")
    assert world.verdicts(0, 3) == [down, down, STEPPED, down]


def test_after_a_step_back_nothing_is_called_or_judged_until_time_passes_the_last_second_seen() -> None:
    world = World()
    world.adopt(world.lane(), controls=[world.control()])
    world.run(5.5)
    closed = len(world.closed())
    world.clock.step(-20 * NS)
    world.run(20)
    assert len(world.closed()) == closed
    assert max(c.second for c in world.probes["account"].begun) == T0 + 5
    world.run(3)
    assert [c.second - T0 for c in world.probes["account"].begun] == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert world.in_order()
    assert world.verdicts(5, 7) == [AVAILABLE] * 3, "second 5 holds a success from before"
    (step,) = world.told.steps
    assert step.delta == -20 * NS


def test_failures_of_seconds_that_come_twice_are_void_and_those_of_seconds_before_stand() -> None:
    """A step back by 3 s at 11.5, with ten hung calls: seconds 8 to 11 come twice."""
    world = World()
    world.adopt(world.lane(script=lambda _: HANG), controls=[world.control()])
    world.run(11.5)
    world.clock.step(-3 * NS)
    world.run(20)
    assert world.verdicts(0, 11) == [SILENT] * 8 + [STEPPED] * 4
    assert world.verdicts(12, 13) == [SILENT] * 2
    assert world.in_order()


def test_slewing_is_no_event() -> None:
    world = World()
    world.adopt(world.lane())
    for _ in range(100):
        world.run(0.2)
        world.clock.real += 100_000  # 500 ppm
    assert not world.told.steps
    assert set(world.verdicts(0, 18)) == {AVAILABLE}
    assert world.in_order()


def test_a_leap_back_of_a_second_costs_the_seconds_it_touches() -> None:
    world = World()
    world.adopt(world.lane())
    world.run(5.5)
    world.clock.step(-NS)
    world.run(5)
    assert [v for v, _ in world.verdicts(4, 7)] == [Verdict.AVAILABLE] * 4
    assert [c.second - T0 for c in world.probes["account"].begun] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_a_step_while_the_process_stood_still_is_both() -> None:
    world = World()
    world.adopt(world.lane(script=lambda _: status(503)))
    world.run(2.5)
    world.clock.step(100 * NS)
    stop(world, 5)
    world.run(2)
    reasons = {world.at(T0 + n).service.reason for n in range(3, 107)}
    assert reasons == {"stalled", "clock_stepped"}
    assert world.in_order()


def test_a_torn_reading_of_the_clocks_is_taken_anew() -> None:
    """The process was stopped between two of the three readings: that must not look like a stepped clock."""
    world = World()
    world.adopt(world.lane())
    world.run(2.5)
    clock, torn = world.clock, iter([True])
    realtime = clock.realtime

    def stopped_before() -> int:
        if next(torn, False):
            clock.pass_(3 * NS)
        return realtime()

    clock.realtime = stopped_before  # type: ignore[method-assign]  # one reading takes three seconds
    world.run(1)
    assert not world.told.steps
    assert len(world.told.stalls) == 1


# restarts


def test_the_gap_of_a_restart_was_not_running() -> None:
    world = World()
    world.adopt(world.lane(), closed={"bird": T0 - 100})
    world.run(2)
    assert world.closed()[0].second == T0 - 99
    assert {world.at(T0 - n).service.reason for n in range(1, 100)} == {"not_running"}
    assert world.verdicts(0, 0) == [AVAILABLE]
    assert world.in_order()


def test_the_first_start_has_no_gap() -> None:
    world = World()
    world.adopt(world.lane())
    world.run(2)
    assert world.closed()[0].second == T0


def test_a_restart_within_the_second_goes_on_without_a_gap() -> None:
    world = World(utc=T0 * NS + 500 * MS)
    world.adopt(world.lane(), closed={"bird": T0 - 1})
    world.run(2)
    assert world.closed()[0].second == T0


def test_a_last_second_that_lies_ahead_is_waited_for() -> None:
    """The clock was set back while we were down: what is recorded is not measured again."""
    world = World()
    world.adopt(world.lane(), closed={"bird": T0 + 30})
    world.run(30.9)
    assert not world.probes["account"].begun
    assert not world.closed()
    world.run(3)
    assert [c.second for c in world.closed()] == [T0 + 31, T0 + 32]
    assert world.verdicts(31, 32) == [AVAILABLE] * 2


def test_a_gap_of_years_before_a_restart_is_one_slot() -> None:
    world = World()
    world.adopt(world.lane(), closed={"bird": 1})
    world.run(2)
    assert (world.closed()[0].second, world.closed()[0].span) == (2, T0 - 3)
    assert world.in_order()


def test_the_machines_clocks_are_read_in_nanoseconds() -> None:
    clock = SystemClock()
    assert abs(clock.realtime() - time.time_ns()) < 10 * NS
    assert abs(clock.monotonic() - time.monotonic_ns()) < 10 * NS
    assert clock.boottime() >= clock.monotonic() - NS


def test_random_gaps_and_steps_leave_every_second_with_one_verdict_and_none_against_a_healthy_vendor() -> None:
    """Invariants 1 and 5 together: whatever befalls our machine, in whatever order."""
    import random

    for seed in range(25):
        chance = random.Random(seed)

        def script(call: FakeCall, chance: random.Random = chance) -> Reply:
            return Reply(chance.choice([5, 300, 900, 2500]) * MS)

        world = World()
        world.adopt(world.lane(script=script), world.lane("other", channel="smtp"), controls=[world.control(script)])
        for _ in range(30):
            world.run(chance.random() * 5)
            match chance.randrange(6):
                case 0:
                    stop(world, chance.random() * 12, events_first=chance.random() < 0.5)
                case 1:
                    world.clock.suspend(round(chance.random() * 100 * NS))
                case 2:
                    world.clock.step(round((chance.random() - 0.5) * 20 * NS))
                case _:
                    pass
        world.run(60)
        assert world.in_order(), seed
        assert not {c.service.verdict for c in world.closed()} & {Verdict.UNAVAILABLE, Verdict.INCONCLUSIVE}, seed
        assert len(world.closed()) > 50
