"""The writer: a disk that fails holds nobody up, loses no step, and nothing is written twice."""

import asyncio
import logging
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from recording import ACCOUNT, API, DOWN, OK, SERVICE, T0, Recorder, Waiter, act, failure, until, write

from prober.store import (
    Bounds,
    DiskFullError,
    Health,
    Reader,
    SeriesKey,
    SeriesRun,
    Store,
    StoreError,
    Transaction,
    Writer,
)
from prober.store import writer as writer_module
from prober.store.backlog import Backlog, Entry
from prober.web.stored import Stored
from rules.incident_events import Record, RecordKind
from rules.timeline import Run

QUICK = (0.001, 0.01)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "prober.db"


class Disk:
    """A failpoint that makes commits fail at a point while `broken` names it, and can hold them there."""

    def __init__(self, broken: str = "") -> None:
        self.broken = broken
        self.tries = 0
        self.may_go = threading.Event()
        self.may_go.set()
        self.reached = threading.Event()

    def __call__(self, point: str) -> None:
        if not self.may_go.is_set() and point == "applied":
            self.reached.set()
            self.may_go.wait(20)
        if point == self.broken:
            self.tries += 1
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error


@contextmanager
def writing(path: Path, **options: Any) -> Iterator[Writer]:
    writer = Writer(Store.open(path), back_off=QUICK, **options)
    writer.start()
    try:
        yield writer
    finally:
        writer.stop()


def note(n: int) -> Transaction:
    return Transaction(records=(Record("bird-1", T0 + n, RecordKind.NOTE, {"n": n}),))


def notes(path: Path) -> list[int]:
    with Reader(path) as reader:
        return [record.detail["n"] for record in reader.records("bird-1")]


@pytest.mark.parametrize("point", ["begin", "applied", "committed"])
def test_what_fails_is_tried_again_and_written_once_and_in_order(path: Path, point: str) -> None:
    disk, first, second = Disk(point), Waiter(), Waiter()
    with writing(path, failpoint=disk) as writer:
        writer.submit(note(0), first)
        error = first.result()
        assert isinstance(error, StoreError)
        assert "the disk failed" in str(error)
        writer.submit(note(1), second)
        assert str(second.result()) == str(
            error
        )  # told at once, although its turn has not come: acts go out all the same
        assert not writer.health().ok
        assert "disk I/O error" in writer.health().last_error
        until(lambda: disk.tries > 3)
        disk.broken = ""
        until(lambda: writer.health().ok)
        until(lambda: writer.health().queued == 0)
    assert notes(path) == [0, 1]
    assert first.told == [error]


def test_callers_are_told_when_it_is_on_disk_and_not_before(path: Path) -> None:
    disk, done = Disk(), Waiter()
    disk.may_go.clear()
    with writing(path, failpoint=disk) as writer:
        writer.submit(note(0), done)
        assert disk.reached.wait(20)
        assert done.told == []
        assert writer.health().queued == 1
        disk.may_go.set()
        assert done.result() is None
        assert notes(path) == [0]


def test_what_queued_up_during_a_commit_goes_with_the_next(path: Path) -> None:
    disk = Disk()
    disk.may_go.clear()
    begun: list[str] = []
    with writing(path, failpoint=lambda point: (begun.append(point), disk(point))[0]) as writer:
        writer.submit(note(0))
        assert disk.reached.wait(20)
        for n in range(1, 30):
            writer.submit(note(n))
        disk.may_go.set()
        until(lambda: writer.health().queued == 0)
    assert notes(path) == list(range(30))
    assert begun.count("committed") == 2


def test_a_full_disk_is_told_and_nothing_is_lost_when_there_is_room_again(path: Path) -> None:
    store = Store.open(path)
    pages = store.db.execute("PRAGMA page_count").fetchone()[0]
    store.db.execute(f"PRAGMA max_page_count = {pages}")
    big = Transaction(records=(Record("bird-1", T0, RecordKind.NOTE, {"n": 0, "text": "x" * 100_000}),))
    writer, done = Writer(store, back_off=QUICK), Waiter()
    writer.start()
    writer.submit(big, done)
    assert isinstance(done.result(), DiskFullError)
    assert "make room" in writer.health().last_error
    writer.submit(note(1))
    with writer._changed:  # between two tries
        store.db.execute("PRAGMA max_page_count = 1000000")
    until(lambda: writer.health().ok)
    assert writer.stop()
    assert notes(path) == [0, 1]


def test_another_program_that_holds_the_store_only_delays(path: Path) -> None:
    with writing(path) as writer:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        done = Waiter()
        writer.submit(note(0), done)
        assert "another program holds it" in str(done.result())
        other.execute("ROLLBACK")
        other.close()
        until(lambda: writer.health().ok)
    assert notes(path) == [0]


def test_a_file_that_goes_away_is_told_and_written_when_it_is_back(path: Path) -> None:
    with writing(path) as writer:
        path.rename(path.with_name("moved.db"))
        done = Waiter()
        writer.submit(note(0), done)
        assert "the file has gone" in str(done.result())
        path.touch()
        until(lambda: "was replaced by another" in writer.health().last_error)
        path.with_name("moved.db").rename(path)
        until(lambda: writer.health().ok)
    assert notes(path) == [0]


@pytest.mark.parametrize("gone", [("-wal",), ("-shm",), ("-wal", "-shm")])
def test_a_log_that_is_removed_under_the_running_program_is_saved_and_made_anew(
    path: Path, gone: tuple[str, ...]
) -> None:
    """SQLite would go on writing to a file without a name, which nobody sees and a crash takes away."""
    stored = Stored()
    stored.configured(path)

    def served() -> list[int]:
        """As pages ask for them."""
        return [n.detail["n"] for n in asyncio.run(stored.ask(lambda reader: list(reader.records("bird-1"))))]

    first, second, third = Waiter(), Waiter(), Waiter()
    with writing(path) as writer:
        writer.submit(note(0), first)
        assert first.result() is None
        assert served() == [0]
        for end in gone:
            path.with_name(path.name + end).unlink()
        writer.submit(note(1), second)
        assert "-wal or -shm was removed" in str(second.result())
        until(lambda: writer.health().ok and writer.health().queued == 0)
        writer.submit(note(2), third)
        assert third.result() is None
        assert notes(path) == served() == [0, 1, 2]
        copy = path.with_name("after-a-crash.db")
        for end in ("", "-wal"):
            shutil.copy(path.with_name(path.name + end), copy.with_name(copy.name + end))
        assert notes(copy) == [0, 1, 2]
    stored.close()
    assert notes(path) == [0, 1, 2]


def test_a_disk_that_does_not_answer_holds_no_act_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "STUCK", 0.0)
    disk, done = Disk(), Waiter()
    disk.may_go.clear()
    with writing(path, failpoint=disk) as writer:
        writer.submit(note(0), done)
        assert disk.reached.wait(20)
        assert not writer.health().ok
        writer.poll()
        assert "has not answered" in str(done.result())
        disk.may_go.set()
        until(lambda: writer.health().queued == 0)
    assert len(done.told) == 1
    assert notes(path) == [0]


def test_stopping_gives_up_at_its_deadline_and_says_so(path: Path) -> None:
    disk = Disk("begin")
    writer = Writer(Store.open(path), failpoint=disk, back_off=(60.0, 60.0))
    writer.start()
    done = Waiter()
    writer.submit(note(0), done)
    assert done.result() is not None
    assert not writer.stop(within=0.2)
    assert disk.tries == 2  # once more at the end, however long the wait was
    Store.open(path).close()  # the lock is gone


def test_stopping_while_the_disk_hangs_does_not_hang(path: Path) -> None:
    disk = Disk()
    disk.may_go.clear()
    writer = Writer(Store.open(path), failpoint=disk)
    writer.start()
    writer.submit(note(0))
    assert disk.reached.wait(20)
    assert not writer.stop(within=-1.0)
    assert writer.health().last_error == f"store {path}: the disk does not answer"
    disk.may_go.set()
    writer._thread.join(20)
    writer._store.close()


def test_a_writer_that_was_never_started_stops_too(path: Path) -> None:
    writer = Writer(Store.open(path))
    assert writer.health() == Health(ok=False, queued=0, queued_seconds=0.0, dropped=0, last_error="")
    assert writer.stop()


def test_a_transaction_that_contradicts_the_record_loses_its_seconds_but_no_step(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad, done = Recorder().all(OK, 5), SeriesRun(API, Run(T0 + 2, None, ((DOWN, 1),))), Waiter()
    with caplog.at_level(logging.CRITICAL), writing(path) as writer:
        writer.submit(good)
        writer.submit(Transaction(runs=(bad,), acts=(act(),), records=note(0).records), done)
        writer.submit(note(1))
        assert "overlap" in str(done.result())
        until(lambda: writer.health().queued == 0)
        health = writer.health()
        assert (health.ok, health.dropped) == (True, 1)
        assert "refused: runs of a series overlap" in health.last_error
    assert notes(path) == [0, 1]
    with Reader(path) as reader:
        assert [stored.act for stored in reader.acts("bird-1")] == [act()]
        assert {cell for _, cell in reader.seconds(API, T0, T0 + 9)} == {OK}


def test_what_is_no_json_is_refused_and_holds_up_nobody(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    done = Waiter()
    with caplog.at_level(logging.CRITICAL), writing(path) as writer:
        writer.submit(Transaction(records=(Record("bird-1", T0, RecordKind.NOTE, {"n": object()}),)), done)
        assert isinstance(done.result(), TypeError)
        writer.submit(note(1))
        until(lambda: writer.health().queued == 0)
    assert notes(path) == [1]


def test_evidence_that_cannot_be_rendered_is_dropped_alone(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> str:
        raise RuntimeError("no transcript")

    with caplog.at_level(logging.CRITICAL), writing(path) as writer:
        writer.submit(Transaction(failures=(failure(T0, transcript=broken), failure(T0 + 1))))
        until(lambda: writer.health().dropped == 1)
    with Reader(path) as reader:
        assert [kept.second for kept in reader.failures("bird", T0, T0 + 9)] == [T0 + 1]


def test_evidence_that_sqlite_refuses_is_dropped_and_holds_up_nobody(path: Path) -> None:
    with writing(path) as writer:
        writer.submit(Transaction(failures=(failure(1 << 70),)))
        until(lambda: writer.health().dropped == 1)
        writer.submit(note(0))
        until(lambda: writer.health().ok and writer.health().queued == 0)
    assert notes(path) == [0]


def test_evidence_waits_while_the_disk_fails_and_goes_when_it_waits_too_long(path: Path) -> None:
    disk, done = Disk("begin"), Waiter()
    with writing(path, failpoint=disk, bounds=Bounds(evidence_seconds=0.0)) as writer:
        writer.submit(Transaction(records=note(0).records, failures=(failure(),)), done)
        assert done.result() is not None
        until(lambda: writer.health().dropped == 1)
        disk.broken = ""
        until(lambda: writer.health().ok)
    with Reader(path) as reader:
        assert list(reader.failures("bird", 0, T0 * 2)) == []
    assert notes(path) == [0]


def test_evidence_comes_through_a_failure_of_its_own_commit(path: Path) -> None:
    with writing(path) as writer:
        path.rename(path.with_name("moved.db"))
        writer.submit(Transaction(failures=(failure(),)))
        until(lambda: not writer.health().ok)
        path.with_name("moved.db").rename(path)
        until(lambda: writer.health().ok)
    with Reader(path) as reader:
        assert [kept.second for kept in reader.failures("bird", 0, T0 * 2)] == [T0]


def test_a_callback_that_fails_does_not_stop_the_writing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Exception | None) -> None:
        raise RuntimeError("the loop is closed")

    with caplog.at_level(logging.CRITICAL), writing(path) as writer:
        writer.submit(note(0), broken)
        writer.submit(note(1))
    assert notes(path) == [0, 1]


def test_the_connection_is_made_anew_after_the_disk_failed(path: Path) -> None:
    disk, done = Disk("applied"), Waiter()
    store = Store.open(path)
    writer = Writer(store, failpoint=disk, back_off=QUICK)
    writer.start()
    before = store.db
    writer.submit(Recorder().all(OK, 3), done)
    assert done.result() is not None
    disk.broken = ""
    until(lambda: writer.health().ok)
    assert store.db is not before
    assert writer.stop()
    with Reader(path) as reader:
        assert len(list(reader.seconds(API, T0, T0 + 9))) == 3


# What waits, without a thread.


def entry(seq: int, work: Transaction, since: float = 0.0) -> Entry:
    return Entry(seq, work, None, since)


def test_what_waits_is_merged_so_that_it_grows_by_what_happened_not_by_time() -> None:
    backlog, recorder = Backlog(Bounds()), Recorder()
    for n in range(500):
        backlog.add(entry(n + 1, recorder.all(OK), float(n)))
        backlog.press(float(n))
    (whole,) = backlog.entries
    assert (whole.seq, whole.since, len(whole.work.runs)) == (500, 0.0, 2)
    assert whole.work.closed == {"bird": T0 + 499}


def test_evidence_older_than_two_minutes_goes_first_and_is_counted() -> None:
    backlog = Backlog(Bounds())
    for n in range(200):
        backlog.add(entry(n + 1, Transaction(failures=(failure(T0 + n),), records=note(n).records), float(n)))
    backlog.press(200.0)
    assert [kept.second for _, kept in backlog.evidence] == [T0 + n for n in range(80, 200)]
    assert backlog.dropped == 80
    assert len(backlog.take()[0].work.records) == 200


def test_evidence_is_bounded_in_bytes_and_the_begin_of_an_outage_stays() -> None:
    one = failure(body=b"x" * 10_000)
    backlog = Backlog(Bounds(evidence_bytes=3 * one.size))
    for n in range(5):
        backlog.add(entry(n + 1, Transaction(failures=(failure(T0 + n, body=b"x" * 10_000),))))
    assert [kept.second for _, kept in backlog.evidence] == [T0, T0 + 1, T0 + 2]
    assert backlog.dropped == 2
    since, first = backlog.take_evidence(1)[0]
    backlog.put_back(since, first)
    assert backlog.take_evidence(9)[0] == (since, first)
    backlog.keep(0.0, one)
    assert len(backlog.evidence) == 1


def test_past_the_bound_endpoints_lose_past_runs_and_channels_none() -> None:
    backlog, recorder = Backlog(Bounds(runs=20)), Recorder(periods={SERVICE: 1, API: 1, ACCOUNT: 1})
    for n in range(30):
        backlog.add(entry(n + 1, recorder.all(OK if n % 2 else DOWN)))
    backlog.press(0.0)
    rows = backlog.entries[0].work.runs
    count = {key: sum(row.key == key for row in rows) for key in (SERVICE, API, ACCOUNT)}
    assert count == {SERVICE: 30, API: 30, ACCOUNT: 1}
    assert backlog.dropped == 29
    assert [row.run.end for row in rows if row.key == ACCOUNT] == [None]


def test_a_series_with_a_hole_tells_what_it_has(path: Path) -> None:
    runs = (SeriesRun(ACCOUNT, Run(T0, T0 + 3, ((OK, 1),))), SeriesRun(ACCOUNT, Run(T0 + 6, None, ((DOWN, 1),))))
    write(path, Transaction(runs=runs, closed={"bird": T0 + 7}))
    with Reader(path) as reader:
        assert [s - T0 for s, _ in reader.seconds(ACCOUNT, T0, T0 + 99)] == [0, 1, 2, 6, 7]
        assert [s - T0 for s, _ in reader.seconds(ACCOUNT, T0 + 4, T0 + 7)] == [6]
        assert reader.series() == (SeriesKey("bird", "api", "account"),)
