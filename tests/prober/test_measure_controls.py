"""Controls: whose fault is it that a call failed on the wire? The vendor's only while our own network shows itself fine."""

import pytest
from moved import HANG, MS, OK, T0, FakeCall, Reply, World, broken, reset, status

from prober.measure.clock import NS
from rules.model import Fault, Stage, Trouble, Verdict

RESET = (Verdict.UNAVAILABLE, "connection_reset")
SILENT = (Verdict.UNAVAILABLE, "read_timeout")
VOID = (Verdict.UNMEASURED, "controls_failed")


def test_a_suspicion_is_corroborated_by_a_control_that_answers() -> None:
    world = World()
    world.adopt(world.lane(script=lambda _: reset()), controls=[world.control()])
    world.run(5)
    assert world.verdicts(0, 3) == [RESET] * 4


def test_a_suspicion_is_void_when_all_controls_fail() -> None:
    world = World()
    world.adopt(
        world.lane(script=lambda _: reset()),
        controls=[world.control(lambda _: reset(), "one"), world.control(lambda _: HANG, "two")],
    )
    world.run(8)
    assert world.verdicts(0, 3) == [VOID] * 4
    assert {f.fault for _, f, _ in world.told.failures} == {Fault.OWN}


def test_one_control_of_several_is_enough() -> None:
    world = World()
    world.adopt(
        world.lane(script=lambda _: reset()),
        controls=[world.control(lambda _: reset(), "dead"), world.control(name="well")],
    )
    world.run(5)
    assert world.verdicts(0, 2) == [RESET] * 3


def test_without_a_control_a_suspicion_is_somebodys_and_uncorroborated() -> None:
    world = World()
    world.adopt(world.lane(script=lambda _: reset()))
    world.run(3)
    assert world.verdicts(0, 1) == [(Verdict.INCONCLUSIVE, "uncorroborated")] * 2
    assert {f.fault for _, f, _ in world.told.failures} == {Fault.OTHER}


def test_what_the_server_said_itself_needs_no_control() -> None:
    world = World()
    world.adopt(world.lane(script=lambda _: status(503)), controls=[world.control(lambda _: reset())])
    world.run(3)
    assert world.verdicts(0, 1) == [(Verdict.UNAVAILABLE, "http_status_503")] * 2


def test_a_control_that_answers_within_2_s_after_corroborates() -> None:
    world = World()
    world.adopt(
        world.lane(script=lambda call: reset() if call.second == T0 else OK),
        controls=[world.control(lambda call: OK if call.second >= T0 + 1 else reset())],
    )
    world.run(1.4)
    assert not world.closed(), "the control's next answer may speak for it"
    world.run(0.2)
    assert world.verdicts(0, 0) == [RESET]


def test_a_suspicion_waits_for_the_controls_until_2_25_s_after_it_and_no_longer() -> None:
    world = World()
    world.adopt(
        world.lane(script=lambda call: reset() if call.second == T0 else OK),
        controls=[world.control(lambda call: OK if call.second >= T0 + 2 else reset())],
    )
    world.run(0.025 + 2.25)
    assert not world.closed()
    world.run(0.11)  # the next heartbeat
    assert world.verdicts(0, 0) == [VOID], "the control answered 2.44 s after it, which is too late"


def test_a_control_that_answered_up_to_2_s_before_corroborates_at_once() -> None:
    world = World()
    world.adopt(
        world.lane(script=lambda call: reset() if call.second == T0 + 2 else OK),
        controls=[world.control(lambda call: OK if call.second <= T0 else reset())],
    )
    world.run(3.01)
    assert world.verdicts(2, 2) == [RESET]


def test_a_time_out_needs_a_control_at_its_deadline() -> None:
    """Our network went while the call was open: its silence may be ours."""
    world = World()
    world.adopt(
        world.lane(script=lambda call: HANG if call.second == T0 else OK),
        controls=[world.control(lambda call: OK if call.second < T0 + 5 else HANG)],
    )
    world.run(13)
    assert world.verdicts(0, 0) == [VOID]


def test_a_time_out_needs_a_control_at_its_begin() -> None:
    """Our network came back while the call was open: its silence may be ours."""
    world = World()
    world.adopt(
        world.lane(script=lambda call: HANG if call.second == T0 else OK),
        controls=[world.control(lambda call: OK if call.second > T0 + 5 else HANG)],
    )
    world.run(13)
    assert world.verdicts(0, 0) == [VOID]


@pytest.mark.parametrize("timeout", [1, 10, 60])
def test_a_time_out_with_controls_at_both_is_the_servers_however_long(timeout: int) -> None:
    def controls(call: FakeCall) -> Reply:
        return OK if call.second <= T0 + 1 or call.second >= T0 + timeout - 1 else reset()

    world = World()
    world.adopt(
        world.lane(script=lambda call: HANG if call.second == T0 else OK, timeout=timeout * NS),
        controls=[world.control(controls)],
    )
    world.run(timeout + 3)
    assert world.verdicts(0, 0) == [SILENT]


def test_a_control_is_timed_out_after_2_s_and_called_every_second_all_the_same() -> None:
    world = World()
    world.adopt(world.lane(), controls=[world.control(lambda _: HANG)])
    world.run(10)
    calls = world.probes["reference"].begun
    assert [c.second for c in calls] == [T0 + n for n in range(10)]
    assert {c.ended - c.begun for c in calls if c.over} == {2 * NS}
    assert not world.measure.controls_fine(3 * NS)


def test_controls_are_fine_while_one_answered_lately() -> None:
    world = World()
    world.adopt(world.lane(), controls=[world.control(lambda call: OK if call.second < T0 + 3 else HANG)])
    world.run(3)
    assert world.measure.controls_fine(NS)
    world.run(2)
    assert not world.measure.controls_fine(NS)
    assert world.measure.controls_fine(3 * NS)


def test_an_own_failure_is_ours_whatever_the_controls_say() -> None:
    world = World()
    world.adopt(world.lane(script=lambda _: broken(Trouble.NO_DESCRIPTORS, Stage.CONNECT)), controls=[world.control()])
    world.run(3)
    assert world.verdicts(0, 1) == [(Verdict.UNMEASURED, "no_descriptors")] * 2


def test_successes_of_controls_are_not_hoarded() -> None:
    world = World()
    world.adopt(world.lane(script=lambda _: HANG), controls=[world.control()])
    world.run(100)
    assert len(world.measure._judge.suspicions._successes) <= 14


def test_a_suspicion_settled_late_is_told_once_and_counted_in_its_own_second() -> None:
    world = World()
    world.adopt(
        world.lane(script=lambda call: reset(50 * MS) if call.second == T0 else OK),
        controls=[world.control(lambda _: reset())],
    )
    world.run(6)
    assert [f.reason for name, f, _ in world.told.failures] == ["controls_failed"]
    assert [v for v, _ in world.verdicts(0, 2)] == [Verdict.UNMEASURED, Verdict.AVAILABLE, Verdict.AVAILABLE]
