"""The station: acts go out once they are on disk, or once the store has failed; results, entries and totals."""

import json
import random
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from judged import Judged
from moved import MS, OK, T0, Reply, reset, status
from recording import until

from prober.link import encode
from prober.measure.clock import NS
from prober.measure.errands import Errands
from prober.measure.messages import figures_message
from prober.status.states import Held, Standing, State, channel_standing, service_standing
from prober.store import Health, Reader, SeriesKey
from prober.web.view import View
from rules.acts import Act, ActKind, ActResult, Outcome
from rules.model import Condition, Fault, Verdict


def outage(path: Path) -> Judged:
    world = Judged(path)
    world.begin(world.lane(script=lambda _: status(503)))
    return world


def result(act: str, outcome: str = "accepted", *, final: bool | None = None, **more: Any) -> dict[str, Any]:
    receiver = act.split("/")[3]
    done = outcome == "accepted" if final is None else final
    return {"act": act, "receiver": receiver, "outcome": outcome, "at": (T0 + 20) * NS, "final": done, **more}


def key_of(world: Judged, kind: str) -> str:
    world.settle()
    (act,) = [m["act"] for m in world.messages("act") if m["act"]["kind"] == kind][:1]
    return f"{act['incident']}/{act['episode']}/{kind}/{act['receivers'][0]}/{act['step']}"


def test_pages_are_told_what_holds_of_what_and_since_when(tmp_path: Path) -> None:
    """What the station sends is what the pages read: the state of a service, of its channel, and since when it is so."""
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane("account"), world.lane("templates", script=lambda _: status(503)))
    world.run_to(T0 + 20)
    view = View(lambda: T0 + 20.0)
    view.opened(json.loads(encode(world.messages("incidents")[-1])))
    assert [incident.held for incident in view.incidents] == [(("partial", "api/templates", T0),)]
    shown = painted(view.incidents[0].held)
    assert shown == (Standing(State.PARTIAL, T0), Standing(State.PARTIAL, T0))
    world.end()


def painted(held: tuple[tuple[str, str, int], ...]) -> tuple[Standing, Standing]:
    """How the service and its channel stand in public by what holds, with seconds that do not decide it."""
    conditions, recent = [Held(Condition(name), *rest) for name, *rest in held], {Verdict.AVAILABLE: 60}
    return (
        service_standing(conditions, recent, maintenance=False),
        channel_standing("api", conditions, recent, maintenance=False),
    )


def test_an_act_is_handed_over_only_when_it_is_on_disk(tmp_path: Path) -> None:
    """Invariant 7: at the moment in which serve is given an act, a reader of the store finds it there."""
    world = outage(tmp_path / "prober.db")
    found: list[bool] = []
    send = world.sent.append

    def look(message: dict[str, Any]) -> None:
        if message["type"] == "act":
            with Reader(world.path) as reader:
                stored = [a.act.id for a in reader.acts(message["act"]["incident"])]
            found.append(any(message["act"]["kind"] in act for act in stored))
        send(message)

    world.station._send = look
    world.station.errands._send = look
    world.run_to(T0 + 20)
    world.settle()
    assert found == [True, True]
    world.end()


def test_a_new_serving_process_is_not_given_what_is_not_on_disk_yet(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane(script=lambda _: status(503)))
    waiting: list[Any] = []
    submit = world.writer.submit
    world.writer.submit = lambda work, done=None: waiting.append((work, done))  # type: ignore[method-assign]  # a slow disk
    world.run_to(T0 + 20)
    world.station.resend()
    assert world.messages("act") == []
    assert len(world.station.errands) == 2
    for work, done in waiting:
        submit(work, done)
    world.writer.submit = submit  # type: ignore[method-assign]  # it works again
    world.settle()
    assert len(world.messages("act")) == 2
    world.station.resend()
    assert len(world.messages("act")) == 4
    world.end()


def test_acts_go_out_when_the_store_fails(tmp_path: Path) -> None:
    world = outage(tmp_path / "prober.db")
    world.run_to(T0 + 5)
    world.settle()
    block = sqlite3.connect(world.path, isolation_level=None)
    block.execute("BEGIN IMMEDIATE")
    try:
        world.run_to(T0 + 20)

        def handed() -> bool:
            world.loop.run()
            return len(world.messages("act")) == 2

        until(handed)
        assert not world.station.totals()["store"]["ok"]
    finally:
        block.execute("ROLLBACK")
        block.close()
    until(lambda: world.writer.health().ok and not world.writer.health().queued)
    world.end()
    with Reader(world.path) as reader:
        assert len(reader.acts(world.heads()[0].id)) == 2, "and they are written down when it works again"


def test_the_seconds_that_wait_are_seconds_however_few_transactions_they_were_merged_into(tmp_path: Path) -> None:
    world = outage(tmp_path / "prober.db")
    failing = Health(ok=False, queued=3, queued_seconds=240.5, dropped=0, last_error="the disk is full")
    world.writer.health = lambda: failing  # type: ignore[method-assign]
    assert world.station.totals()["store"]["queued"] == 240.5
    world.end()


def test_the_loop_may_be_gone_when_the_disk_answers(tmp_path: Path) -> None:
    world = outage(tmp_path / "prober.db")
    world.run_to(T0 + 9)
    world.settle()
    world.loop.closed = True
    world.run_to(T0 + 20)
    world.end()
    assert world.messages("act") == []
    with Reader(world.path) as reader:
        assert len(reader.acts(world.heads()[0].id)) == 2


def test_a_result_is_recorded_and_the_act_is_done(tmp_path: Path) -> None:
    world = outage(tmp_path / "prober.db")
    world.run_to(T0 + 20)
    page = key_of(world, "page")
    world.station.attempted(result(page, "transient", detail="busy"))
    assert len(world.station.errands) == 2
    world.station.attempted(result(page))
    assert len(world.station.errands) == 1
    world.settle()
    with Reader(world.path) as reader:
        (stored,) = [a for a in reader.acts(world.heads()[0].id) if a.act.id == page]
    assert [(a.outcome, a.detail) for a in stored.attempts] == [(Outcome.TRANSIENT, "busy"), (Outcome.ACCEPTED, "")]
    assert world.station.totals()["acts"] == [["page", "transient", 1], ["page", "accepted", 1]]
    world.station.resend()
    assert [m["act"]["kind"] for m in world.messages("act")] == ["page", "ticket", "ticket"]
    world.end()


def test_a_receiver_that_refuses_for_good_ends_the_act_and_on_call_is_told(tmp_path: Path) -> None:
    world = outage(tmp_path / "prober.db")
    world.run_to(T0 + 20)
    world.station.attempted(result(key_of(world, "ticket"), "permanent", final=True, detail="550 no such user"))
    world.settle()
    assert "ticket-failed" in [m["act"]["step"] for m in world.messages("act") if m["act"]["kind"] == "page"]
    world.end()


def test_results_of_acts_that_nobody_knows_are_counted_and_harmless(tmp_path: Path) -> None:
    world = outage(tmp_path / "prober.db")
    world.station.attempted(result("other/1/page/x/open"))
    world.station.started({"act": "other/1/page/x/open", "receiver": "x", "at": 1})
    assert world.station.totals()["acts"] == [["unknown", "accepted", 1]]
    world.end()


def test_what_is_no_longer_wanted_is_withdrawn(tmp_path: Path) -> None:
    world = outage(tmp_path / "prober.db")
    world.run_to(T0 + 20)
    ticket = key_of(world, "ticket")
    incident = ticket.split("/", 1)[0]
    entry = {"incident": incident, "kind": "adopt", "by": "eve", "text": "by hand", "ticket": "VENDOR-7", "id": 4}
    world.station.entered(entry)
    world.settle()
    assert {"type": "withdraw", "act": ticket} in world.sent
    world.station.resend()
    assert [m["act"]["kind"] for m in world.messages("act")].count("ticket") == 1
    assert world.heads()[0].ticket == "VENDOR-7"
    world.end()


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        ({"kind": "ack"}, "no incident '' is open"),
        ({"kind": "ack", "incident": "nobody-1"}, "no incident 'nobody-1' is open"),
        ({"kind": "dance", "incident": "*"}, "no such step: 'dance'"),
        ({"incident": "*"}, "no such step: None"),
        ({"kind": "resolve", "incident": "*"}, "still"),
    ],
)
def test_an_entry_that_makes_no_sense_is_answered_with_why(tmp_path: Path, entry: dict[str, Any], error: str) -> None:
    world = outage(tmp_path / "prober.db")
    world.run_to(T0 + 20)
    world.settle()
    if entry.get("incident") == "*":
        entry = {**entry, "incident": world.heads()[0].id}
    world.station.entered({"id": 9, "by": "eve", "text": "", **entry})
    answer = world.sent[-1]
    assert (answer["type"], answer["id"], answer["ok"]) == ("entered", 9, False)
    assert error in answer["error"]
    world.end()


def test_totals_say_what_was_measured_and_how_we_fare(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane(script=lambda call: status(503) if call.second < T0 + 12 else Reply()))
    world.run_to(T0 + 20)
    world.settle()
    totals = world.station.totals()
    encode(totals)
    seconds = {(service, channel, verdict): n for service, channel, verdict, n in totals["seconds"]}
    assert seconds["bird", "", "unavailable"] == seconds["bird", "api", "unavailable"] == 12
    assert sum(n for (_, channel, _), n in seconds.items() if channel == "") == len(world.stored(SeriesKey("bird")))
    assert sum(totals["durations"]["bird\x1fapi"][0]) == 20
    assert sum(totals["lag"][0]) == 20
    assert (totals["pending"], totals["stalls"], totals["steps"], totals["open_calls"]) == (2, 0, 0, 0)
    assert 5 <= totals["oldest"] <= 15
    assert totals["store"]["ok"]
    world.end()


def test_every_closed_second_is_told_to_the_serving_process(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane(), world.lane("b", lambda _: status(401), channel="smtp"))
    world.run(3.5)
    told = world.messages("second")
    assert [m["second"] - T0 for m in told] == [0, 1, 2]
    assert told[0]["cells"] == {
        "": ["available", "ok", 2, {"none": 1, "other": 1}],
        "api": ["available", "ok", 1, {"none": 1}],
        "smtp": ["inconclusive", "http_status_401", 1, {"other": 1}],
    }
    world.end()


def test_open_incidents_are_told_whenever_they_change(tmp_path: Path) -> None:
    world = outage(tmp_path / "prober.db")
    world.run_to(T0 + 20)
    (first, *_) = world.messages("incidents")
    newest = world.messages("incidents")[-1]["open"]
    assert first["type"] == "incidents"
    assert [(i["service"], i["phase"]) for i in newest] == [("bird", "open")]
    world.end()


def test_slow_work_of_the_serving_process_is_written_down(tmp_path: Path) -> None:
    world = outage(tmp_path / "prober.db")
    world.run_to(T0 + 3)
    world.settle()
    with Reader(world.path) as reader:
        until(lambda: len(list(reader.failures("bird", T0, T0 + 10))) > 0)
    world.station.certificate(
        {"service": "bird", "channel": "api", "endpoint": "account", "not_after": T0 + 9, "checked": T0, "serial": "0a"}
    )
    world.station.purge({"failures_before": T0 + 100})
    world.settle()
    with Reader(world.path) as reader:
        until(lambda: list(reader.failures("bird", T0, T0 + 10)) == [])
        assert [(c.serial, c.not_after) for c in reader.certificates()] == [("0a", T0 + 9)]
    world.end()


def test_an_act_that_is_no_longer_wanted_before_it_was_handed_over_never_is() -> None:
    sent: list[dict[str, Any]] = []
    errands = Errands(sent.append)
    act = Act("i", 1, ActKind.HOTLINE, "open", ("call",), T0)
    errands.made([act], "bird")
    errands.unwanted([act.id])
    errands.hand_over([act], [act.id])
    assert sent == [{"type": "withdraw", "act": act.id}]
    assert errands.service_of(act.id) == "bird"
    assert errands.age(T0) == 0


def test_attempts_are_told_to_the_next_serving_process() -> None:
    sent: list[dict[str, Any]] = []
    errands = Errands(sent.append)
    act = Act("i", 1, ActKind.TICKET, "open", ("a", "b"), T0)
    errands.made([act], "bird")
    errands.hand_over([act], [])
    errands.attempted(ActResult(act.id, "a", Outcome.PERMANENT, 7))
    errands.resend()
    assert [m["earlier"] for m in sent] == [[], [{"receiver": "a", "outcome": "permanent", "at": 7}]]
    assert errands.age(T0 + 30) == 30


def test_calls_by_the_minute_agree_with_the_seconds_on_record(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    order = random.Random(5)
    replies = (OK, OK, OK, status(503), status(429), reset(), Reply(3_000 * MS))

    def script(_: object) -> Reply:
        return order.choice(replies)

    few = world.lane("few", script, every=2 * NS, hold=1)
    world.begin(world.lane("account", script, hold=2), few, world.lane("mail", script, channel="smtp"))
    world.run_to(T0 + 130)
    world.reload(world.lane("account", script), world.lane("mail", script, channel="smtp"))
    world.run_to(T0 + 200)
    closed = world.measure.rings["bird"].closed
    world.end()
    with Reader(world.path) as reader:
        for key in reader.series():
            seconds: Counter[Fault] = Counter()
            for _, cell in reader.seconds(key, T0, closed + 1):
                seconds.update(dict(cell.faults))
            minutes: Counter[Fault] = Counter()
            for minute in reader.minutes(key, T0, closed + 1):
                minutes.update(minute.calls)
            missing = {fault: minutes[fault] - n for fault, n in seconds.items()}
            assert all(0 <= n <= 4 for n in missing.values()), key  # seconds that were open in the end had calls too
            if key.endpoint == "few":
                assert minutes == seconds
        assert set(seconds) >= {Fault.NONE, Fault.SERVER_ERROR}


def test_a_service_that_goes_leaves_its_last_minute(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane("account"), world.lane("other", service="second"))
    world.run_to(T0 + 20)
    world.reload(world.lane("account"))
    world.run_to(T0 + 25)
    world.settle()
    with Reader(world.path) as reader:
        until(lambda: bool(reader.minutes(SeriesKey("second"), T0, T0 + 60)))
        assert reader.minutes(SeriesKey("second"), T0, T0 + 60)[0].calls == {Fault.NONE: 21}
    world.end()


def test_hours_that_the_serving_process_has_added_up_are_written_down(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane("account"))
    world.run_to(T0 + 62)
    world.settle()
    with Reader(world.path) as reader:
        until(lambda: len(reader.to_add_up(T0 + 7200)) == 1)
        hour = reader.added_up(reader.to_add_up(T0 + 7200)[0])
        assert hour is not None
        world.station.added_up(figures_message(hour))
        world.settle()
        until(lambda: reader.to_add_up(T0 + 7200) == ())
        assert [found.calls for found in reader.hours(SeriesKey("bird"), T0, T0 + 1)] == [{Fault.NONE: 60}]
    world.end()
