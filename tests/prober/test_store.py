"""The store's contents: what goes in comes out, what is closed stays, a year stays small."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording import (
    ACCOUNT,
    API,
    DOWN,
    MIXED,
    NO_CALL,
    OK,
    SERVICE,
    SMTP,
    T0,
    Recorder,
    Waiter,
    act,
    failure,
    write,
)

import rules
from prober.store import (
    ActStatus,
    Certificate,
    IncidentHead,
    Reader,
    SeriesKey,
    SeriesRun,
    Store,
    Transaction,
    Writer,
    observation_of,
)
from prober.store.values import merge
from rules.acts import ActKind, ActResult, Outcome
from rules.incident_events import Record, RecordKind
from rules.model import Cell, Fault, Verdict
from rules.timeline import Run, RunBuilder

YEAR = 365 * 86_400


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "prober.db"


def test_every_closed_second_comes_back_with_the_cell_that_it_was_given(path: Path) -> None:
    recorder = Recorder()
    cells = [OK] * 40 + [DOWN] * 20 + [MIXED] * 3 + [OK]
    write(path, *(recorder.close({SERVICE: cell, API: cell}) for cell in cells))
    with Reader(path) as reader:
        assert list(reader.seconds(API, T0, T0 + 1000)) == [(T0 + n, cell) for n, cell in enumerate(cells)]
        assert list(reader.seconds(API, T0 + 38, T0 + 42)) == [(T0 + 38 + n, cells[38 + n]) for n in range(4)]
        assert list(reader.stretches(SERVICE, T0 + 39, T0 + 63)) == [
            (T0 + 39, T0 + 40, OK),
            (T0 + 40, T0 + 60, DOWN),
            (T0 + 60, T0 + 63, MIXED),
        ]


def test_a_second_that_is_not_closed_is_not_told_although_its_run_is_open(path: Path) -> None:
    recorder = Recorder()
    write(path, recorder.all(OK, 5))
    with Reader(path) as reader:
        assert [second for second, _ in reader.seconds(API, T0 - 5, T0 + 100)] == [T0 + n for n in range(5)]
        assert reader.closed("bird") == T0 + 4


def test_a_period_without_seconds_and_a_series_without_runs_are_empty(path: Path) -> None:
    write(path, Recorder().all(OK, 5))
    with Reader(path) as reader:
        assert list(reader.seconds(API, T0 + 50, T0 + 100)) == []
        assert list(reader.seconds(API, 0, T0)) == []
        assert list(reader.seconds(SMTP, 0, T0 + 100)) == []
        assert list(reader.seconds(SeriesKey("other"), 0, T0 + 100)) == []
        assert reader.closed("other") is None


def test_an_endpoint_called_every_ten_seconds_keeps_its_stride_in_one_run(path: Path) -> None:
    recorder = Recorder(periods={ACCOUNT: 10})
    cells = [OK if (T0 + n) % 10 == 0 else NO_CALL for n in range(1000)]
    write(path, *(recorder.close({ACCOUNT: cell}) for cell in cells))
    with Reader(path) as reader:
        assert len(list(reader.runs(ACCOUNT, T0, T0 + 1000))) == 1
        assert [cell for _, cell in reader.seconds(ACCOUNT, T0 + 3, T0 + 1000)] == cells[3:]


def test_runs_are_read_page_by_page_without_losing_any(path: Path) -> None:
    recorder = Recorder(periods={API: 1})
    cells = [OK if n % 2 else DOWN for n in range(1300)]
    whole = Transaction()
    for cell in cells:
        whole = merge(whole, recorder.close({API: cell}))
    write(path, whole)
    with Reader(path) as reader:
        assert [cell for _, cell in reader.seconds(API, T0, T0 + 1300)] == cells


def test_a_restart_goes_on_where_it_stopped(path: Path) -> None:
    recorder = Recorder(periods={SERVICE: 1, ACCOUNT: 10})
    cells = [OK if n % 10 == 0 else NO_CALL for n in range(24)]
    states = {("bird", "incident"): '{"a":1}', ("bird", "conditions"): "[]"}
    write(path, *(recorder.close({SERVICE: OK, ACCOUNT: c}) for c in cells), Transaction(states=states))

    store = Store.open(path)
    memory = store.load()["bird"]
    assert memory.closed == T0 + 23
    assert memory.states == {"incident": '{"a":1}', "conditions": "[]"}
    resumed = RunBuilder.resume(10, memory.runs[ACCOUNT], T0 + 23)
    assert resumed.open == recorder.builders[ACCOUNT].open
    assert sum((run.end or 0) - run.start for run in store.runs(ACCOUNT, T0 + 14)) == 10
    assert store.runs(SERVICE, T0 + 20) == [Run(T0 + 20, T0 + 24, ((OK, 1),))]
    store.close()


def test_an_empty_store_remembers_nothing(path: Path) -> None:
    store = Store.open(path)
    assert store.load() == {}
    assert store.pending() == ()
    store.close()


def test_runs_that_older_rules_judged_are_closed_before_new_seconds_follow(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    write(path, recorder.all(OK, 5))
    monkeypatch.setattr(rules, "VERSION", "next")
    store = Store.open(path)
    assert store.load()["bird"].runs == {}
    assert store.runs(API, T0) == [Run(T0, T0 + 5, ((OK, 1),))]
    store.close()
    write(path, Transaction(closed={"bird": T0 + 5}, runs=(SeriesRun(API, Run(T0 + 5, None, ((OK, 1),))),)))
    with closing(sqlite3.connect(path)) as db:
        judged = (
            "SELECT start, stop, rules FROM runs JOIN cells ON cells.id = runs.cycle JOIN series ON series.id = series"
        )
        found = db.execute(f"{judged} WHERE channel = 'api' ORDER BY start").fetchall()
    assert found == [(T0, T0 + 5, "1"), (T0 + 5, None, "next")]


def test_a_closed_run_never_changes(path: Path) -> None:
    closed = SeriesRun(API, Run(T0, T0 + 5, ((OK, 1),)))
    changed = SeriesRun(API, Run(T0, T0 + 5, ((DOWN, 1),)))
    overlapping = SeriesRun(API, Run(T0 + 4, None, ((DOWN, 1),)))
    write(path, Transaction(runs=(closed,)), Transaction(runs=(closed,)))  # told twice is harmless
    for bad, why in ((changed, "a closed run does not change"), (overlapping, "runs of a series overlap")):
        assert why in refused(path, Transaction(runs=(bad,)))
    with Reader(path) as reader:
        assert [key for key in reader.series() if key != API] == []
    with closing(sqlite3.connect(path)) as db, pytest.raises(sqlite3.IntegrityError, match="not deleted"):
        db.execute("DELETE FROM runs")


def test_a_second_is_not_closed_twice(path: Path) -> None:
    recorder = Recorder()
    write(path, recorder.all(OK, 5))
    assert "is closed already" in refused(path, Transaction(closed={"bird": T0 + 3}))
    with Reader(path) as reader:
        assert reader.closed("bird") == T0 + 4


def refused(path: Path, work: Transaction) -> str:
    writer, done = Writer(Store.open(path)), Waiter()
    writer.start()
    writer.submit(work, done)
    error = done.result()
    assert writer.stop()
    return str(error)


def test_the_record_is_append_only(path: Path) -> None:
    write(path, Transaction(records=(Record("bird-1", T0, RecordKind.OPENED, {"severity": "critical"}),)))
    with closing(sqlite3.connect(path)) as db:
        for spoil in ("UPDATE records SET kind = 'x'", "DELETE FROM records"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                db.execute(spoil)


def test_an_incident_comes_back_with_its_whole_trail(path: Path) -> None:
    head = IncidentHead("bird-1", "bird", "critical", "open", T0, T0 + 60, conditions=("unavailable",))
    later = IncidentHead(
        "bird-1", "bird", "critical", "recovered", T0, T0 + 60, recovered=T0 + 300, episodes=2, ticket="4711"
    )
    records = (
        Record("bird-1", T0 + 60, RecordKind.OPENED, {"severity": "critical"}),
        Record("bird-1", T0 + 300, RecordKind.RECOVERED, {}),
    )
    ticket = act("open", ActKind.TICKET, measured=60, text="Grüße\u202e")
    tried = ActResult(ticket.id, "bird.tickets.email-1", Outcome.TRANSIENT, T0 * 10**9, "451 later")
    taken = ActResult(
        ticket.id, "bird.tickets.email-1", Outcome.ACCEPTED, T0 * 10**9 + 5, "250 ok", "queue-7", final=True
    )
    write(
        path,
        Transaction(incidents=(head,), records=records[:1], acts=(ticket,)),
        Transaction(attempts=(tried,)),
        Transaction(attempts=(taken,), incidents=(later,), records=records[1:]),
    )
    with Reader(path) as reader:
        assert reader.incidents() == reader.incidents("bird") == (later,)
        assert reader.incidents("other") == ()
        assert reader.incident("bird-1") == later
        assert reader.incident("bird-2") is None
        assert [(r.at, r.kind, r.detail) for r in reader.records("bird-1")] == [
            (T0 + 60, "opened", {"severity": "critical"}),
            (T0 + 300, "recovered", {}),
        ]
        (stored,) = reader.acts("bird-1")
        assert stored.act == ticket
        assert (stored.status, stored.attempts) == (ActStatus.ACCEPTED, (tried, taken))


def result(act_id: str, outcome: Outcome, *, final: bool = False) -> ActResult:
    return ActResult(act_id, "on_call.webhook-1", outcome, T0 * 10**9, final=final)


WITHDRAWN = Transaction(statuses=((act().id, ActStatus.WITHDRAWN),))
ACCEPTED = Transaction(attempts=(result(act().id, Outcome.ACCEPTED, final=True),))
REFUSED = Transaction(attempts=(result(act().id, Outcome.PERMANENT, final=True),))
TRIED = Transaction(attempts=(result(act().id, Outcome.TRANSIENT),))
OBSERVED = Transaction(statuses=((act().id, ActStatus.OBSERVED),))


@pytest.mark.parametrize(
    ("story", "status"),
    [
        ((), ActStatus.PENDING),
        ((TRIED,), ActStatus.PENDING),
        ((TRIED, ACCEPTED), ActStatus.ACCEPTED),
        ((TRIED, REFUSED), ActStatus.FAILED),
        ((WITHDRAWN,), ActStatus.WITHDRAWN),
        ((WITHDRAWN, REFUSED), ActStatus.WITHDRAWN),
        ((WITHDRAWN, ACCEPTED), ActStatus.ACCEPTED),  # it was on its way already, and did arrive
        ((ACCEPTED, WITHDRAWN), ActStatus.ACCEPTED),
        ((ACCEPTED, REFUSED), ActStatus.ACCEPTED),
        ((OBSERVED,), ActStatus.OBSERVED),
        ((ACCEPTED, Transaction(acts=(act(),))), ActStatus.ACCEPTED),  # a repeat makes no second act
    ],
)
def test_an_act_stands_as_what_became_of_it(path: Path, story: tuple[Transaction, ...], status: ActStatus) -> None:
    write(path, Transaction(acts=(act(),)), *story)
    merged = Transaction(acts=(act(),))
    for each in story:
        merged = merge(merged, each)
    write(path.with_name("merged.db"), merged)
    for each_path in (path, path.with_name("merged.db")):
        with Reader(each_path) as reader:
            assert [stored.status for stored in reader.acts("bird-1")] == [status]


def test_what_is_pending_is_carried_on_with_after_a_restart(path: Path) -> None:
    ticket = act("open", ActKind.TICKET)
    note = act("recovered", ActKind.NOTE, after=ticket.id, onset=T0)
    tried = result(note.id, Outcome.TRANSIENT)
    write(
        path,
        Transaction(acts=(ticket, act(), note)),
        Transaction(attempts=(result(ticket.id, Outcome.ACCEPTED, final=True), tried)),
    )
    store = Store.open(path)
    page, second = store.pending()
    assert (page.act, page.attempts, page.after) == (act(), (), None)
    assert (second.act, second.attempts, second.after) == (note, (tried,), ActStatus.ACCEPTED)
    store.close()


def test_an_attempt_at_an_act_that_nobody_knows_is_kept_all_the_same(path: Path) -> None:
    write(path, Transaction(attempts=(result("gone", Outcome.UNKNOWN),)))
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT act, outcome FROM attempts").fetchall() == [("gone", "unknown")]


@pytest.mark.parametrize("body", [b"sorry", b"\xff\x00 not text", "grün".encode(), b""])
def test_a_failed_call_is_kept_with_all_that_was_seen(path: Path, body: bytes) -> None:
    kept = failure(body=body, transcript=lambda: "> GET /\n< 503", tags=("maintenance",))
    write(path, Transaction(failures=(kept,)))
    with Reader(path) as reader:
        (found,) = reader.failures("bird", T0, T0 + 1)
        assert (found.key, found.second, found.fault, found.reason) == (
            ACCOUNT,
            T0,
            Fault.SERVER_ERROR,
            "http_status_503",
        )
        assert found.facts["transcript"] == "> GET /\n< 503"
        assert found.facts["tags"] == ["maintenance"]
        assert observation_of(found.facts["observation"]) == kept.observation
        assert list(reader.failures("bird", T0 + 1, T0 + 9)) == []
        assert reader.count_failures("bird", T0, T0 + 1) == 1


def test_no_secret_reaches_the_disk_with_the_evidence(path: Path) -> None:
    def redact(value: object) -> object:
        if isinstance(value, str):
            return value.replace("hunter2", "***")
        if isinstance(value, dict):
            return {key: redact(each) for key, each in value.items()}
        return [redact(each) for each in value] if isinstance(value, list | tuple) else value

    write(path, Transaction(failures=(failure(body=b"key hunter2", transcript="AUTH hunter2"),)), redact=redact)
    with Reader(path) as reader:
        (found,) = reader.failures("bird", T0, T0 + 1)
    assert "hunter2" not in str(found)
    assert found.facts["transcript"] == "AUTH ***"


def test_old_evidence_goes_when_it_is_told_to(path: Path) -> None:
    failures = tuple(failure(T0 + n) for n in range(1200))
    write(path, Transaction(failures=failures), Transaction(purge_failures_before=T0 + 1100))
    with Reader(path) as reader:
        assert [each.second for each in reader.failures("bird", 0, T0 * 2)] == [T0 + n for n in range(1100, 1200)]


def test_a_certificate_is_one_line_however_often_it_is_seen(path: Path) -> None:
    def seen(checked: int) -> Certificate:
        return Certificate(ACCOUNT, "0a:1b", "CN=api", "CN=ca", T0 + 1000, checked)

    write(path, Transaction(certificates=(seen(T0),)), Transaction(certificates=(seen(T0 + 60),)))
    with Reader(path) as reader:
        assert reader.certificates() == (seen(T0 + 60),)


def test_the_file_is_its_owners_alone(path: Path) -> None:
    store = Store.open(path)
    for name in path.parent.iterdir():
        assert stat.S_IMODE(name.stat().st_mode) == 0o600, name
    assert {"prober.db-wal", "prober.db.lock"} <= {name.name for name in path.parent.iterdir()}
    assert store.db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert store.db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()


def year() -> Iterator[SeriesRun]:
    """A year of one service: three channels' worth of series, 1,000 changes, an endpoint every 10 s among them."""
    slow = ((OK, 1), (NO_CALL, 9))
    mixed = ((Cell(Verdict.AVAILABLE, "ok", 2, ((Fault.NONE, 2),)), 1), (OK, 9))
    cycles = {
        SERVICE: mixed,
        API: mixed,
        SMTP: ((OK, 1),),
        ACCOUNT: ((OK, 1),),
        SeriesKey("bird", "api", "slow"): slow,
        SeriesKey("bird", "smtp", "injection"): ((OK, 1),),
    }
    for key, cycle in cycles.items():
        step = YEAR // 1000
        for n in range(1000):
            bad = Cell(Verdict.UNAVAILABLE, f"http_status_{500 + n % 7}", 1 + n % 3, ((Fault.SERVER_ERROR, 1 + n % 3),))
            begin, down = T0 + n * step, T0 + n * step + 30 + n % 1700
            yield SeriesRun(key, Run(begin, down, cycle))
            yield SeriesRun(key, Run(down, begin + step if n < 999 else None, ((bad, 1),)))


def test_a_year_of_seconds_with_a_thousand_changes_takes_5_mb_at_most(path: Path) -> None:
    runs = tuple(year())
    write(path, Transaction(runs=runs, closed={"bird": T0 + YEAR - 1}))
    size = path.stat().st_size
    assert size <= 5_000_000, size
    with Reader(path) as reader:
        assert sum(end - first for first, end, _ in reader.stretches(SMTP, T0, T0 + YEAR)) == YEAR


def test_seconds_in_which_nothing_changes_do_not_make_it_grow(path: Path) -> None:
    recorder = Recorder()
    write(path, recorder.all(OK, 10))
    before = path.stat().st_size
    write(path, *(recorder.all(OK) for _ in range(500)))
    assert path.stat().st_size == before
    with Reader(path) as reader:
        assert reader.closed("bird") == T0 + 509


cells = st.sampled_from([OK, DOWN, MIXED, NO_CALL])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(cells, min_size=1, max_size=12), min_size=1, max_size=8), st.integers(1, 4))
def test_merged_transactions_leave_the_store_as_they_would_have_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Cell]], period: int
) -> None:
    folder = tmp_path_factory.mktemp("merged")
    recorder = Recorder(periods={API: period})
    works = [[recorder.close({API: cell}) for cell in batch] for batch in batches]
    merged = []
    for batch in works:
        whole = batch[0]
        for work in batch[1:]:
            whole = merge(whole, work)
        merged.append(whole)
    write(folder / "one.db", *(work for batch in works for work in batch))
    write(folder / "merged.db", *merged)
    expected = [(T0 + n, cell) for n, cell in enumerate(cell for batch in batches for cell in batch)]
    for name in ("one.db", "merged.db"):
        with Reader(folder / name) as reader:
            assert list(reader.seconds(API, T0, T0 + 1000)) == expected
