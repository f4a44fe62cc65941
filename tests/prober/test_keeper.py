"""From closed seconds to the incident and back over restarts: the loop on a moved clock, the rules, and a real store."""

import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from judged import RULE, Judged, incident_plan
from moved import HANG, MS, OK, T0, FakeCall, Reply, reset, status

from prober.measure.clock import NS
from prober.store import ActStatus, Reader, SeriesKey
from rules.acts import ActResult, Outcome
from rules.incident import ServiceState
from rules.model import Verdict
from rules.slices import AT_ONCE

SERVICE = SeriesKey("bird")
DOWN = (Verdict.UNAVAILABLE, "http_status_503")


def down_from(first: int, to: int = 1 << 40) -> Callable[[FakeCall], Reply]:
    return lambda call: status(503) if first <= call.second - T0 < to else OK


def accept_all(world: Judged) -> None:
    """The serving process carries out everything it was given."""
    world.settle()
    for message in world.messages("act"):
        act = message["act"]
        receiver = act["receivers"][0]
        key = f"{act['incident']}/{act['episode']}/{act['kind']}/{receiver}/{act['step']}"
        if key in world.accepted:
            continue
        world.accepted.add(key)
        world.station.started({"act": key, "receiver": receiver, "at": world.clock.real})
        world.station.attempted(
            {
                "act": key,
                "receiver": receiver,
                "outcome": "accepted",
                "at": world.clock.real,
                "reference": f"<{key}>",
                "final": True,
            }
        )
    world.settle()


def test_unavailable_for_long_enough_opens_one_incident_pages_and_opens_the_ticket(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane(script=down_from(5)))
    world.run_to(T0 + 13)
    world.settle()
    assert world.messages("act") == [], "8 of the last 10 seconds"
    world.run_to(T0 + 30)
    assert world.acts() == [("page", "open"), ("ticket", "open")], "the hotline waits for the ticket"
    (head,) = world.heads()
    assert (head.service, head.phase, head.onset - T0, head.episodes) == ("bird", "open", 5, 1)
    accept_all(world)
    world.run(1)
    assert world.acts()[-1] == ("hotline", "call")
    world.end()


def test_t1_holds_the_second_the_step_and_its_acts_together(tmp_path: Path) -> None:
    """The transaction of the decisive second: nothing of it is ever on disk without the rest."""
    world = Judged(tmp_path / "prober.db")
    works = []
    submit = world.writer.submit

    def seen(work: Any, done: Any = None) -> None:
        works.append(work)
        submit(work, done)

    world.writer.submit = seen  # type: ignore[method-assign]  # a look at what is written
    world.begin(world.lane(script=down_from(0)))
    world.run_to(T0 + 15)
    (decisive,) = [work for work in works if work.acts]
    assert decisive.closed == {"bird": T0 + 9}
    assert {act.kind.value for act in decisive.acts} == {"page", "ticket"}
    assert ("bird", "incident") in decisive.states
    assert ("bird", "conditions") in decisive.states
    assert [head.phase for head in decisive.incidents] == ["open"]
    assert decisive.records
    world.end()


def test_recovery_adds_a_note_and_resolves_the_page(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane(script=down_from(2, 25)))
    world.run_to(T0 + 20)
    accept_all(world)
    world.run_to(T0 + 50)
    accept_all(world)
    kinds = [kind for kind, _ in world.acts()]
    assert kinds == ["page", "ticket", "hotline", "note", "page_resolve"]
    (head,) = world.heads()
    assert head.phase == "recovered"
    assert head.recovered is not None
    world.end()


def test_an_incident_that_is_reopened_is_still_known_to_have_recovered(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane(script=down_from(2, 25)))
    world.run_to(T0 + 50)
    (before,) = world.heads()
    for step in ("closed_by_vendor", "reopen", "resolve"):
        world.station.entered({"kind": step, "incident": before.id, "by": "Ms Example"})
        world.settle()
        (head,) = world.heads()
        assert head.recovered == before.recovered is not None, step
    assert head.phase == "closed"
    world.end()


def test_a_restart_goes_on_with_the_same_incident_and_thread_and_opens_no_second_ticket(tmp_path: Path) -> None:
    path = tmp_path / "prober.db"
    world = Judged(path)
    world.begin(world.lane(script=down_from(2)))
    world.run_to(T0 + 20)
    accept_all(world)
    (before,) = world.heads()
    world.end()

    again = Judged(path, utc=(T0 + 40) * NS)
    again.begin(again.lane(script=lambda call: status(503) if call.second < T0 + 60 else OK))
    again.run_to(T0 + 95)
    again.settle()
    accept_all(again)
    again.run(1)
    (after,) = again.heads()
    assert (after.id, after.onset, after.ticket) == (before.id, before.onset, before.ticket)
    assert [kind for kind, _ in again.acts() if kind == "ticket"] == [], "one incident, one ticket (invariant 6)"
    assert "note" in [kind for kind, _ in again.acts()]
    assert {m["act"]["incident"] for m in again.messages("act")} == {before.id}
    again.end()


def test_a_condition_of_both_channels_is_named_once(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane("account", lambda _: status(401)), world.lane("send", lambda _: status(401), channel="smtp"))
    world.run_to(T0 + 30)
    world.settle()
    assert [step for kind, step in world.acts() if kind == "page"] == ["failing-1", "failing-2"]
    (head,) = world.heads()
    assert head.conditions == ("failing",)


def test_the_gap_of_a_restart_is_on_record(tmp_path: Path) -> None:
    path = tmp_path / "prober.db"
    world = Judged(path)
    world.begin(world.lane())
    world.run_to(T0 + 10)
    world.end()
    again = Judged(path, utc=(T0 + 100) * NS + 500 * MS)
    again.begin(again.lane())
    again.run(5)
    again.end()
    stored = again.stored(SERVICE)
    assert [second for second, _ in stored] == list(range(T0, T0 + 105))
    reasons = [cell.reason for _, cell in stored]
    assert reasons == ["ok"] * 10 + ["not_running"] * 90 + ["no_call"] + ["ok"] * 4


def test_acts_that_were_not_done_are_handed_to_the_serving_process_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "prober.db"
    world = Judged(path)
    world.begin(world.lane(script=down_from(0)))
    world.run_to(T0 + 20)
    world.settle()
    (ticket,) = [m["act"] for m in world.messages("act") if m["act"]["kind"] == "ticket"]
    key = f"{ticket['incident']}/1/ticket/{ticket['receivers'][0]}/open"
    world.station.attempted(
        {
            "act": key,
            "receiver": ticket["receivers"][0],
            "outcome": "transient",
            "at": world.clock.real,
            "detail": "busy",
        }
    )
    world.end()

    again = Judged(path, utc=(T0 + 25) * NS)
    again.begin(again.lane(script=down_from(0)))
    again.station.resend()
    given = {m["act"]["kind"]: m for m in again.messages("act")}
    assert set(given) == {"page", "ticket"}
    assert [a["outcome"] for a in given["ticket"]["earlier"]] == ["transient"]
    assert given["ticket"]["act"] == json.loads(json.dumps(ticket)), "a repeat says the same under the same key"
    again.end()


def test_what_is_written_is_what_was_judged_over_gaps_and_reloads(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane("a", down_from(3, 6)), world.lane("b", every=3 * NS, channel="smtp"))
    world.run(8.5)
    world.clock.pass_(5 * NS)
    world.turn()
    world.run(4)
    world.reload(world.lane("b", channel="smtp"), world.lane("c", lambda _: status(401)))
    world.run(5)
    world.end()
    stored = [second for second, _ in world.stored(SERVICE)]
    assert stored == list(range(T0, stored[-1] + 1))
    gone = world.stored(SeriesKey("bird", "api", "a"))
    assert [s - T0 for s, cell in gone if cell.verdict is Verdict.UNAVAILABLE] == [3, 4, 5]
    assert gone[-1][0] < stored[-1], "an endpoint that goes keeps its history, and no more"
    assert {cell.reason for _, cell in world.stored(SeriesKey("bird", "api", "c"))} == {"http_status_401"}


def test_an_outage_that_began_before_a_reload_persists_after_it_with_its_onset(tmp_path: Path) -> None:
    """What the window holds is not forgotten because the configuration was reloaded in the middle of it."""
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane("a", down_from(3)))
    world.run(8.5)
    world.reload(world.lane("a", down_from(3)), world.lane("b", lambda _: status(503)))
    world.run_to(T0 + 16)
    (head,) = world.heads()
    assert head.onset == T0 + 3
    assert world.acts() == [("page", "open"), ("ticket", "open")]
    world.end()


def test_a_reload_of_many_endpoints_pauses_between_them(tmp_path: Path) -> None:
    """A thousand of them stood the loop still for half a second: a stall of our own, and a second that nobody measured."""
    world = Judged(tmp_path / "prober.db")
    world.begin(*(world.lane(f"e{number}") for number in range(60)))
    world.run(2.5)
    keeper = world.station.keepers["bird"]
    work = keeper.reloading(keeper.layout, keeper.state.plan, RULE, lambda act: act, world.clock.real)
    assert sum(1 for _ in work) == (60 + 2) // AT_ONCE
    world.run(2)
    world.end()
    assert {cell.reason for _, cell in world.stored(SERVICE)} == {"ok"}


def test_two_reloads_while_calls_hang_are_each_judged_by_their_own_layout(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane("a", lambda _: HANG), controls=[world.control()])
    world.run(1.5)
    world.reload(world.lane("b", lambda _: HANG), world.lane("c"), controls=[world.control()])
    world.run(1)
    world.reload(world.lane("d", lambda _: status(503)), controls=[world.control()])
    world.run(14)
    world.end()
    verdicts = [(cell.verdict, cell.reason) for _, cell in world.stored(SERVICE)][:5]
    silent = (Verdict.UNAVAILABLE, "read_timeout")
    assert verdicts == [silent, silent, (Verdict.AVAILABLE, "ok"), DOWN, DOWN]
    assert [s - T0 for s, _ in world.stored(SeriesKey("bird", "api", "c"))] == [2]
    assert [s - T0 for s, _ in world.stored(SeriesKey("bird", "api", "a"))] == [0, 1]


def test_a_reload_that_no_second_was_measured_by_is_passed_over(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane("a"))
    world.run(1.5)
    world.reload(world.lane("b"))
    world.reload(world.lane("c", lambda _: status(503)))
    world.run(2)
    world.end()
    assert world.stored(SeriesKey("bird", "api", "b")) == []
    assert [cell.reason for _, cell in world.stored(SeriesKey("bird", "api", "c"))] == ["http_status_503"]


def test_a_service_that_is_removed_keeps_its_open_incident_and_may_come_back(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane("a", down_from(0)), world.lane("x", service="mailer"))
    world.run_to(T0 + 15)
    accept_all(world)
    (before,) = world.heads()
    world.reload(world.lane("x", service="mailer"))
    world.run(5)
    assert list(world.station.gone) == ["bird"]
    world.station.entered({"id": 1, "incident": before.id, "kind": "ack", "by": "eve", "text": "mine"})
    assert world.sent[-1] == {"type": "entered", "id": 1, "ok": True, "error": ""}
    world.reload(world.lane("x", service="mailer"), world.lane("a", down_from(0)))
    world.run(20)
    world.settle()
    (after,) = [head for head in world.heads() if head.service == "bird"]
    assert (after.id, after.episodes) == (before.id, 1)
    assert [kind for kind, _ in world.acts()].count("ticket") == 1
    world.end()
    reasons = {cell.reason for s, cell in world.stored(SERVICE) if T0 + 17 <= s <= T0 + 19}
    assert reasons == {"not_running"}
    stored = [s for s, _ in world.stored(SERVICE)]
    assert stored == sorted(set(stored))


def test_a_clock_set_back_is_over_in_its_time_though_the_incident_of_a_service_that_was_removed_is_closed(
    tmp_path: Path,
) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane("a", down_from(0)), world.lane("x", service="mailer"))
    world.run_to(T0 + 15)
    (opened,) = world.heads()
    world.reload(world.lane("x", service="mailer"))
    world.run(3)
    world.clock.step(-30 * NS)
    world.run(1)
    keeper = world.station.gone["bird"]
    world.station.entered({"id": 1, "incident": opened.id, "kind": "closed_by_vendor", "by": "eve", "text": "left"})
    assert [held.scope for held in keeper.state.held] == ["clock"]
    world.run(40)
    assert (keeper.state.held, keeper.state.blind_until, keeper.state.incident) == ((), 0, None)
    world.end()


@pytest.mark.parametrize("restarted", [False, True])
def test_an_incident_closed_after_its_service_was_removed_opens_no_other(tmp_path: Path, restarted: bool) -> None:
    """Nobody measures it any more. Back in the configuration it is judged anew."""
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane("a", down_from(0)), world.lane("x", service="mailer"))
    world.run_to(T0 + 15)
    accept_all(world)
    (opened,) = world.heads()
    world.reload(world.lane("x", service="mailer"))
    world.run(5)
    world.station.entered({"id": 1, "incident": opened.id, "kind": "closed_by_vendor", "by": "eve", "text": "left"})
    assert world.sent[-1]["ok"]
    assert [head.phase for head in world.heads()] == ["closed"]
    assert [kind for kind, _ in world.acts()].count("ticket") == 1
    if restarted:
        world.end()
        world = Judged(tmp_path / "prober.db", utc=world.clock.real)
        world.begin(world.lane("a", down_from(0)), world.lane("x", service="mailer"))
    else:
        world.reload(world.lane("a", down_from(0)), world.lane("x", service="mailer"))
    begun = world.second
    world.run(8)
    assert [head.phase for head in world.heads()] == ["closed"], "that it is down is not known yet"
    world.run(10)
    (_, after) = sorted(world.heads(), key=lambda head: head.raised)
    assert after.onset >= begun
    world.end()


def test_a_clock_that_was_set_back_while_the_program_was_down_is_told_to_on_call_once(tmp_path: Path) -> None:
    path = tmp_path / "prober.db"
    world = Judged(path)
    world.begin(world.lane())
    world.run_to(T0 + 50)
    world.end()
    again = Judged(path, utc=(T0 - 100) * NS)
    again.begin(again.lane())
    again.run(2)
    assert [kind for kind, _ in again.acts()] == ["page"]
    assert again.station.keepers["bird"].state.blind_until == T0 + 50
    again.end()
    third = Judged(path, utc=(T0 - 90) * NS)
    third.begin(third.lane())
    third.run(2)
    third.settle()
    assert third.acts() == [], "the page is on record; it is not made again"
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM records WHERE kind = 'clock'").fetchone() == (1,)
    third.run_to(T0 + 60)
    third.settle()
    assert [kind for kind, _ in third.acts()] == ["page_resolve"]
    third.end()
    assert [s for s, _ in third.stored(SERVICE)] == list(range(T0, T0 + 60))


def test_a_clock_set_back_while_running_reaches_on_call(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane())
    world.run(10.5)
    world.clock.step(-3600 * NS)
    world.run(2)
    assert [kind for kind, _ in world.acts()] == ["page"]
    assert world.station.measure is not None
    assert world.station.measure.steps == 1
    world.end()


def test_a_step_of_years_costs_nothing_and_leaves_one_run(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane(script=down_from(0, 3)), world.lane("b"))
    world.run(5.5)
    world.clock.step(20 * 365 * 86400 * NS)
    world.run(5)
    world.end()
    assert len(world.runs(SERVICE)) < 8


def test_a_state_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    from prober.measure.keeper import Keeper
    from prober.store import Memory

    world = Judged(tmp_path / "prober.db")
    where = world.plan([world.lane()]).layouts[0]
    memory = Memory("bird", T0, {}, {"incident": "{}"})
    with pytest.raises(ValueError, match="not the state of a service's incident"):
        Keeper(where, incident_plan(), world.rule, lambda act: act, memory, lambda _k, _s: [])
    world.end()


def test_the_state_on_disk_is_the_state_in_memory(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane(script=down_from(2, 20)))
    world.run_to(T0 + 18)
    accept_all(world)
    world.run_to(T0 + 45)
    accept_all(world)
    world.settle()
    state = world.station.keepers["bird"].state
    world.end()
    again = Judged(tmp_path / "prober.db", utc=(T0 + 50) * NS)
    assert ServiceState.from_json(again.memories["bird"].states["incident"]) == state
    again.end()


def test_the_same_calls_give_the_same_seconds_incidents_and_acts(tmp_path: Path) -> None:
    """Invariant 10, through the whole measuring process."""

    def script(call: FakeCall) -> Reply | None:
        n = call.second - T0
        return [OK, status(503), reset(), status(401), HANG][n * n % 5] if n < 15 else down_from(15, 45)(call)

    told = []
    for name in ("one", "two"):
        world = Judged(tmp_path / name)
        world.begin(world.lane("a", script), world.lane("b", script, channel="smtp"), controls=[world.control()])
        for _ in range(8):
            world.run(10)
            accept_all(world)
        world.end()
        seconds = world.stored(SERVICE)
        with Reader(world.path) as reader:
            records = [(r.at, r.kind, r.detail) for head in world.heads() for r in reader.records(head.id)]
            acts = [(a.act, a.status) for head in world.heads() for a in reader.acts(head.id)]
        told.append((seconds, world.heads(), records, acts))
    assert told[0] == told[1]
    assert told[0][3]
    assert {status_ for _, status_ in told[0][3]} == {ActStatus.ACCEPTED}


def test_results_of_acts_are_on_disk_with_the_step_they_cause(tmp_path: Path) -> None:
    """T2: the ticket's acceptance and the hotline that follows it are one transaction."""
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane(script=down_from(0)))
    world.run_to(T0 + 15)
    world.settle()
    works: list[Any] = []
    submit = world.writer.submit

    def seen(work: Any, done: Any = None) -> None:
        works.append(work)
        submit(work, done)

    world.writer.submit = seen  # type: ignore[method-assign]  # a look at what is written
    accept_all(world)
    (t2,) = [
        work for work in works if any(a.outcome is Outcome.ACCEPTED and "/ticket/" in a.act for a in work.attempts)
    ]
    assert [act.kind.value for act in t2.acts] == ["hotline"]
    assert isinstance(t2.attempts[0], ActResult)
    world.end()
