"""The pace: every call in its place, every second closed once and in order, whatever hangs (invariants 1, 2 and 4)."""

from itertools import pairwise
from typing import Any

import pytest
from moved import HANG, MS, OK, T0, FakeCall, Reply, World, broken, faults, reset, status

from prober.board import Column
from prober.measure.clock import NS
from prober.measure.lane import FIRST_PLACE, LAST_PLACE
from rules import suspicion
from rules.model import Fault, Finding, Stage, Trouble, Verdict
from rules.suspicion import Settlement

AVAILABLE = (Verdict.AVAILABLE, "ok")


def test_places_are_even_and_within_the_settled_part_of_the_second() -> None:
    world = World()
    lanes = [world.lane(f"e{n}") for n in range(100)]
    world.adopt(*lanes)
    places = [lane.place for lane in lanes]
    assert (FIRST_PLACE, LAST_PLACE) == (20 * MS, 900 * MS)
    assert places[0] == FIRST_PLACE
    assert places[-1] < LAST_PLACE
    assert {b - a for a, b in pairwise(places)} == {8_800_000}


def test_each_call_begins_in_its_place_every_second_and_never_before() -> None:
    world = World()
    world.adopt(world.lane("a"), world.lane("b"))
    world.run(20)
    for name, place in (("a", 20 * MS), ("b", 460 * MS)):
        assert [call.begun_utc for call in world.probes[name].begun] == [(T0 + n) * NS + place for n in range(20)]


def test_every_second_closes_once_and_in_order() -> None:
    world = World()
    world.adopt(world.lane())
    world.run(30.5)
    assert [c.second for c in world.closed()] == list(range(T0, T0 + 30))
    assert set(world.verdicts(0, 29)) == {AVAILABLE}


def test_a_program_that_starts_within_a_second_does_not_call_for_the_part_that_is_past() -> None:
    world = World(utc=T0 * NS + 300 * MS)
    world.adopt(world.lane("early"), world.lane("late"))
    world.run(2)
    assert [call.second for call in world.probes["early"].begun][:1] == [T0 + 1]
    assert [call.second for call in world.probes["late"].begun][:1] == [T0]


def test_a_second_is_not_closed_before_it_is_past() -> None:
    world = World()
    world.adopt(world.lane())
    world.run(0.999_999)
    world._due = 0
    world.turn()
    assert not world.closed()
    world.run(0.000_001)
    assert [c.second for c in world.closed()] == [T0]


def test_a_second_with_an_open_call_stays_open_until_its_deadline_and_so_do_those_after_it() -> None:
    world = World()
    world.adopt(world.lane(script=lambda call: HANG if call.second == T0 + 3 else OK), controls=[world.control()])
    world.run_to(T0 + 13)
    assert [c.second for c in world.closed()] == [T0, T0 + 1, T0 + 2]
    world.run(0.1)
    assert [c.second for c in world.closed()] == list(range(T0, T0 + 13))
    assert world.verdicts(2, 4) == [AVAILABLE, (Verdict.UNAVAILABLE, "read_timeout"), AVAILABLE]


def test_a_second_closes_with_the_answer_of_its_last_call_and_not_before() -> None:
    world = World()
    world.adopt(world.lane("quick"), world.lane("slow", lambda call: status(200, 4 * NS) if call.second == T0 else OK))
    world.run(4.4)
    assert not world.closed()
    world.run(0.1)
    assert [c.second for c in world.closed()] == [T0, T0 + 1, T0 + 2, T0 + 3]


def test_hung_calls_do_not_hide_the_seconds_after_them() -> None:
    """Invariant 4: the endpoint hangs for three seconds, then answers 503, then is well; each second says so."""

    def script(call: FakeCall) -> Reply | None:
        n = call.second - T0
        return HANG if n in (2, 3, 4) else status(503) if n in (5, 6) else OK

    world = World()
    world.adopt(world.lane(script=script), controls=[world.control()])
    world.run(20)
    down = [(Verdict.UNAVAILABLE, "read_timeout")] * 3 + [(Verdict.UNAVAILABLE, "http_status_503")] * 2
    assert world.verdicts(0, 8) == [AVAILABLE] * 2 + down + [AVAILABLE] * 2
    assert world.in_order()


def test_hung_calls_delay_and_drop_no_call_of_theirs_or_of_another() -> None:
    world = World()
    world.adopt(world.lane("hung", lambda _: HANG), world.lane("well"), controls=[world.control()])
    world.run(40)
    for name, place in (("hung", 20 * MS), ("well", 20 * MS + 293_333_333)):
        assert [call.begun_utc - place for call in world.probes[name].begun] == [(T0 + n) * NS for n in range(40)]
    assert world.measure.open_calls == 10


def test_a_call_that_ends_at_its_deadline_is_looked_at_once_more() -> None:
    world = World()
    world.adopt(world.lane(script=lambda call: HANG if call.second == T0 else OK), controls=[world.control()])
    world.probes["account"].on_expire = OK
    world.run(12)
    assert world.verdicts(0, 0) == [AVAILABLE]


def test_a_call_that_is_late_within_its_second_is_made() -> None:
    world = World()
    world.adopt(world.lane("early"), world.lane("late"))
    world.run(2.3)
    world.clock.pass_(450 * MS)  # the loop was busy, but for less than a stall
    world.turn()
    assert world.probes["late"].begun[-1].begun_utc == (T0 + 2) * NS + 750 * MS
    assert world.measure.figures.lag.counts[-4:] == [0, 1, 0, 0], "its lag of 0.29 s is counted"


def test_a_call_that_cannot_begin_within_its_second_is_not_made_and_told() -> None:
    world = World()
    plan = world.adopt(*[world.lane(f"e{n}") for n in range(10)])
    late = plan.layouts[0].lanes[9]
    world.run(2.8)
    world.clock.pass_(450 * MS)
    world.turn()
    world.run(2)
    assert [c.second for c in world.probes["e9"].begun][:4] == [T0, T0 + 1, T0 + 3, T0 + 4]
    seen = world.at(T0 + 2).endpoints["e9"]
    assert (seen.verdict, seen.reason, seen.calls) == (Verdict.UNMEASURED, "late_start", 0)
    assert plan.board.cells[late.row + Column.MISSED] == 1


def test_a_control_that_is_late_is_left_out() -> None:
    world = World()
    world.adopt(*[world.lane(f"e{n}") for n in range(9)], controls=[world.control()])
    world.run(2.8)
    world.clock.pass_(450 * MS)
    world.turn()
    world.run(1)
    assert [c.second for c in world.probes["reference"].begun] == [T0, T0 + 1, T0 + 3]


@pytest.mark.parametrize("hold", [1, 3])
def test_past_hold_a_call_is_not_made_and_is_our_own_limit(hold: int) -> None:
    world = World()
    world.adopt(world.lane(script=lambda _: HANG, hold=hold), controls=[world.control()])
    world.run(25)
    down, ours = (Verdict.UNAVAILABLE, "read_timeout"), (Verdict.UNMEASURED, "own_limit")
    assert world.verdicts(0, 9) == [down] * hold + [ours] * (10 - hold)
    assert max(len([c for c in world.probes["account"].begun if c.second <= T0 + n]) for n in range(10)) == hold


def test_by_default_an_endpoint_may_hang_for_its_whole_time_out_in_every_second() -> None:
    world = World()
    world.adopt(world.lane(script=lambda _: HANG), controls=[world.control()])
    world.run(40)
    assert set(world.verdicts(0, 25)) == {(Verdict.UNAVAILABLE, "read_timeout")}


def test_past_the_descriptors_calls_are_not_made_and_are_our_own_limit() -> None:
    world = World(descriptors=3)
    lanes = [world.lane(f"e{n}", lambda _: HANG) for n in range(5)]
    world.adopt(*lanes)
    world.run(12)
    assert world.measure.open_calls <= 3
    cell = world.at(T0).channels["api"]
    assert faults(cell) == {Fault.OTHER: 3, Fault.OWN: 2}
    assert world.at(T0 + 1).channels["api"].reason == "own_limit"


def test_every_10_s_calls_in_every_tenth_second_of_the_epoch() -> None:
    world = World(utc=(T0 + 3) * NS)
    world.adopt(world.lane(every=10 * NS))
    world.run(40)
    seconds = [c.second for c in world.probes["account"].begun]
    assert seconds == [T0 + n for n in (10, 20, 30, 40)]
    assert [v for v, _ in world.verdicts(9, 12)] == [
        Verdict.UNMEASURED,
        Verdict.AVAILABLE,
        Verdict.UNMEASURED,
        Verdict.UNMEASURED,
    ]


def test_several_calls_a_second_are_one_tally() -> None:
    world = World()
    world.adopt(world.lane(script=lambda call: reset() if call.begun_utc % NS < 250 * MS else OK, every=250 * MS))
    world.run(3)
    cell = world.at(T0 + 1).service
    assert (cell.verdict, cell.calls, faults(cell)) == (Verdict.AVAILABLE, 4, {Fault.NONE: 3, Fault.OTHER: 1})


def test_no_second_is_unavailable_without_a_call_or_beside_a_success_or_another_fault() -> None:
    """Invariant 2, through the loop: the channel has three endpoints that fail in every combination."""
    replies = {"ok": OK, "server": status(503), "other": status(401), "own": broken(Trouble.NO_ROUTE)}
    names = list(replies)
    world = World()
    lanes = [
        world.lane(f"e{i}", lambda call, i=i: replies[names[(call.second - T0) // 4**i % 4]])  # type: ignore[misc]
        for i in range(3)
    ]
    world.adopt(*lanes)
    world.run(66)
    for n in range(64):
        kinds = {names[n // 4**i % 4] for i in range(3)}
        seen = world.at(T0 + n).channels["api"]
        assert (seen.verdict is Verdict.UNAVAILABLE) == (kinds == {"server"}), kinds
        if kinds == {"own"}:
            assert seen.verdict is Verdict.UNMEASURED, "our own failures are no measurement (invariant 3)"
    assert world.in_order()


def test_a_thousand_endpoints_that_all_hang_are_judged_every_second() -> None:
    world = World()
    world.adopt(*[world.lane(f"e{n}", lambda _: HANG) for n in range(1000)], controls=[world.control()])
    world.run(15)
    assert world.verdicts(0, 3) == [(Verdict.UNAVAILABLE, "read_timeout")] * 4
    assert world.at(T0 + 2).service.calls == 1000
    assert world.measure.open_calls == 10_000
    assert world.in_order()


def test_a_thousand_suspicions_that_wait_are_not_looked_at_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Controls fail and every endpoint is reset: what waits for a control's word costs nothing until its time is over."""
    looked = 0
    settle = suspicion.settle

    def counted(*args: Any) -> Settlement:
        nonlocal looked
        looked += 1
        return settle(*args)

    monkeypatch.setattr(suspicion, "settle", counted)
    world = World()
    lanes = [world.lane(f"e{n}", lambda _: reset()) for n in range(200)]
    world.adopt(*lanes, controls=[world.control(lambda _: reset())])
    world.run(10)
    assert looked <= 2 * 200 * 10
    assert world.verdicts(0, 3) == [(Verdict.UNMEASURED, "controls_failed")] * 4


def test_calls_that_pass_over_a_second_while_many_begin_belong_to_their_second() -> None:
    """A loop so slow that beginning what is due takes it over a boundary still makes the calls of the new second."""
    world = World()

    def slow(_call: FakeCall) -> Reply:
        world.clock.pass_(4 * MS)
        return OK

    world.adopt(*[world.lane(f"e{n}", slow) for n in range(300)])
    world.run(10)
    calls = [c for probe in world.probes.values() for c in probe.begun]
    for n in range(1, 8):
        seen = world.at(T0 + n)
        begun = [c for c in calls if c.second == T0 + n]
        assert seen.service.calls == len(begun)
        reasons = {cell.reason for cell in seen.endpoints.values()}
        assert reasons <= {"ok", "late_start"}, "a call is made or told as not made"


def test_a_call_that_a_second_passes_over_while_others_begin_is_not_made() -> None:
    world = World()

    def slow(call: FakeCall) -> Reply:
        if call.second == T0:
            world.clock.pass_(18 * MS)
        return OK

    world.adopt(*[world.lane(f"e{n}", slow if n == 98 else lambda _: OK) for n in range(100)])
    world.run(0.879)
    world.clock.pass_(106 * MS)  # 0.985: both are late, and only the first still begins in its second
    world.turn()
    world.run(3)
    assert [c.second - T0 for c in world.probes["e98"].begun][:2] == [0, 1]
    assert [c.second - T0 for c in world.probes["e99"].begun][:2] == [1, 2]
    assert world.at(T0).endpoints["e99"].reason == "late_start"


def test_an_engine_that_breaks_costs_its_own_call_alone() -> None:
    world = World()

    def breaks(_call: FakeCall) -> Reply:
        raise RuntimeError("a defect of the engine")

    world.adopt(world.lane("broken", breaks), world.lane("well"))
    world.run(3)
    seen = world.at(T0 + 1)
    assert seen.endpoints["broken"].reason == "engine_error"
    assert faults(seen.service) == {Fault.NONE: 1, Fault.OWN: 1}
    assert world.measure.open_calls == 0


def test_an_engine_that_breaks_at_the_deadline_does_not_keep_its_second_open(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.adopt(world.lane(script=lambda _: HANG), world.lane("well"))

    def breaks(_call: FakeCall, _now: int) -> None:
        raise RuntimeError("a defect of the engine")

    monkeypatch.setattr(FakeCall, "expire", breaks)
    world.run(12)
    assert world.at(T0).endpoints["account"].reason == "engine_error"


def test_an_engine_that_breaks_after_it_has_told_its_end_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    world = World()

    def breaks(call: FakeCall) -> Reply:
        call.end(OK)
        raise RuntimeError("a defect of the engine")

    world.adopt(world.lane(script=breaks))
    world.run(2)
    assert world.verdicts(0, 0) == [AVAILABLE]
    assert world.at(T0).service.calls == 1
    assert "an engine is broken" in caplog.text


def test_what_an_endpoint_has_shown_is_remembered_for_later_calls() -> None:
    """Rows of classification.md ask whether TLS has worked, the input has passed, a redirect was seen."""
    world = World()
    replies = [broken(Trouble.TLS_ALERT, Stage.TLS), status(302), status(401, verified=True), OK]
    plan = world.adopt(world.lane(script=lambda call: replies[call.second - T0]))
    history = []
    for _ in replies:
        world.run(1)
        history.append(plan.layouts[0].lanes[0].history)
    assert [h.redirected for h in history] == [False, True, True, True]
    assert [h.tls_worked for h in history] == [False, False, True, True]
    assert [h.passed for h in history] == [False, False, False, True]


def test_a_server_that_never_took_our_certificate_is_not_accused_of_its_alerts() -> None:
    """In TLS 1.3 the handshake stands for us before the server has looked at what we show: it has not worked by that."""
    world = World()
    refused = Reply(5 * MS, False, {"stage": Stage.HEADERS, "trouble": Trouble.TLS_ALERT, "verified": True})
    world.adopt(world.lane(script=lambda _: refused))
    world.run(4)
    assert world.verdicts(0, 2) == [(Verdict.INCONCLUSIVE, "tls_alert")] * 3, "none of them was suspected"


@pytest.mark.parametrize(("habit", "remembered"), [(False, False), (True, True)], ids=["never", "always"])
def test_a_loop_is_judged_by_what_was_before_it_however_long_it_lasts(habit: bool, remembered: bool) -> None:
    world = World()
    well = Reply(5 * MS, True, {"redirected": habit})
    loop = broken(Trouble.REDIRECT_LOOP)
    plan = world.adopt(world.lane(script=lambda call: well if call.second == T0 else loop))
    for _ in range(3):
        world.run(1)
        assert plan.layouts[0].lanes[0].history.redirected is remembered


def test_a_call_that_met_no_expectation_and_is_nobodys_fault_is_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.measure.judge.classify", lambda *_: Finding(Fault.NONE, "ok"))
    world = World()
    world.adopt(world.lane(script=lambda _: status(250)))
    world.run(2)
    assert world.verdicts(0, 0) == [AVAILABLE]
    assert world.told.failures == []


def test_the_board_shows_phases_and_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeCall, "cert_expiry", T0 + 99)
    world = World()
    lane = world.lane()
    lane.tls = True
    plan = world.adopt(lane)
    world.run(1.5)
    row = plan.board.row(0)
    assert row[Column.CERT_EXPIRY] == T0 + 99
    assert row[Column.PHASE : Column.PHASE + 5] == [0, 0, 0, -1, -1]
    assert (row[Column.SUCCESS], row[Column.DURATION]) == (1, 0.005)


def test_after_stop_no_call_begins_and_open_ones_may_end() -> None:
    world = World()
    world.adopt(world.lane("slow", lambda _: status(200, 1500 * MS)))
    world.run(2.1)
    world.measure.stop()
    world.run(3)
    assert [c.second for c in world.probes["slow"].begun] == [T0, T0 + 1, T0 + 2]
    assert [c.second for c in world.closed()] == [T0, T0 + 1, T0 + 2]


def test_calls_that_are_given_up_leave_their_seconds_open() -> None:
    world = World()
    world.adopt(world.lane(script=lambda call: HANG if call.second == T0 + 1 else OK))
    world.run(3)
    world.measure.stop()
    world.measure.cancel()
    assert world.probes["account"].begun[1].cancelled
    assert world.measure.open_calls == 0
    assert [c.second for c in world.closed()] == [T0]
