"""Opening a store: what is wrong with it is said, with what to do, and nothing of it is touched."""

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from recording import API, OK, T0, Recorder, act, write

from prober.errors import Exit, UsageError
from prober.store import (
    CorruptError,
    Failure,
    IncidentHead,
    NoStoreError,
    NotOursError,
    Reader,
    ReadOnlyError,
    Store,
    StoreError,
    StoreLockedError,
    TooNewError,
    Transaction,
    locate,
)
from prober.store.errors import explain
from prober.store.schema import MIGRATIONS, migrate, version
from rules.incident import Record, RecordKind
from rules.model import Fault, Kind, Observation, Stage


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "prober.db"


def text_file(path: Path) -> None:
    path.write_text("customer:\n  company: Example GmbH\n" * 100)


def other_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE songs (title)")


def other_database_with_an_id(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA application_id = 7")
        db.execute("PRAGMA user_version = 1")


def directory(path: Path) -> None:
    path.mkdir()


def fifo(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (text_file, "is not an SQLite database"),
        (other_database, "belongs to another program"),
        (other_database_with_an_id, "belongs to another program"),
        (directory, "a directory; name a file"),
        (fifo, "no regular file"),
    ],
)
def test_what_is_not_ours_is_refused_and_left_as_it_is(path: Path, make: Callable[[Path], None], says: str) -> None:
    make(path)
    before = path.read_bytes() if path.is_file() else None
    for opened in (Store.open, Reader):
        with pytest.raises(NotOursError, match=says) as raised:
            opened(path)
        assert str(path) in str(raised.value)
        assert raised.value.exit == Exit.FAILED
    assert path.is_file() == (before is not None)
    if before is not None:
        assert path.read_bytes() == before


def test_a_store_that_may_only_be_read_is_refused_at_the_start(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup that somebody else put back, say; the superuser, whom no mode hinders, may run this test."""
    Store.open(path).close()
    opened = Path.open

    def refused(self: Path, mode: str = "r", *more: Any, **named: Any) -> Any:
        if self == path and set(mode) & set("wa+"):
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return opened(self, mode, *more, **named)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(ReadOnlyError, match=r"cannot be written \(Permission denied\); check owner and mode"):
        Store.open(path)
    monkeypatch.undo()
    Store.open(path).close()


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    with pytest.raises(NoStoreError, match="nothing in it yet"):
        Reader(path)
    Store.open(path).close()
    with Reader(path) as reader:
        assert reader.series() == ()


def test_a_store_whose_making_was_cut_off_is_made(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
    assert path.stat().st_size > 0
    Store.open(path).close()


def test_a_store_of_a_newer_program_is_refused(path: Path) -> None:
    newer = (*MIGRATIONS, ("CREATE TABLE of_the_future (x)",))
    Store.open(path, newer).close()
    for opened in (Store.open, Reader):
        with pytest.raises(TooNewError, match=r"format 4, known: 3\)|format 4, this one knows 3.*update prober"):
            opened(path)


def test_an_older_store_is_brought_up_to_date_with_all_that_is_in_it(path: Path) -> None:
    write(path, Recorder().all(OK, 3))
    newer = (*MIGRATIONS, ("CREATE TABLE added (x)", "INSERT INTO added VALUES (1)"))
    Store.open(path, newer).close()
    store = Store.open(path, newer)
    assert store.db.execute("SELECT x FROM added").fetchall() == [(1,)]
    assert len(store.runs(API, T0)) == 1
    store.close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(path: Path) -> None:
    write(path, Recorder().all(OK, 3))
    with pytest.raises(StoreError, match=r"no such table: nonsense"):
        Store.open(path, (*MIGRATIONS, ("CREATE TABLE added (x)", "INSERT INTO nonsense VALUES (1)")))
    with Reader(path) as reader:
        assert len(list(reader.seconds(API, T0, T0 + 9))) == 3


def test_a_store_that_cannot_be_made_leaves_nothing_behind(path: Path) -> None:
    with pytest.raises(StoreError, match="syntax error"):
        Store.open(path, (("MAKE SOMETHING",),))
    assert [name.name for name in path.parent.iterdir()] == ["prober.db.lock"]


def test_two_measuring_processes_cannot_share_a_store(path: Path, tmp_path: Path) -> None:
    store = Store.open(path)
    (tmp_path / "alias.db").symlink_to(path)
    for name in ("prober.db", "alias.db"):
        with pytest.raises(StoreLockedError, match=rf"another `prober run` \(process {os.getpid()}\)"):
            Store.open(tmp_path / name)
    store.close()
    Store.open(path).close()


def test_a_killed_process_holds_no_lock(path: Path) -> None:
    holds = "import sys, time; from pathlib import Path; from prober.store import Store\n"
    holds += "Store.open(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    child = subprocess.Popen(
        [sys.executable, "-c", holds, path],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(StoreLockedError, match=f"process {child.pid}"):
            Store.open(path)
        child.kill()
    Store.open(path).close()


def test_a_store_in_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"there is no directory {tmp_path}/missing; make it"):
        Store.open(tmp_path / "missing" / "prober.db")
    with pytest.raises(NoStoreError, match="`prober run` makes it"):
        Reader(tmp_path / "missing" / "prober.db")


def test_a_name_that_is_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="File name too long"):
        Store.open(tmp_path / ("x" * 300))


def planted(path: Path) -> None:
    """A store with a row in every table that is read."""
    head = IncidentHead("bird-1", "bird", "critical", "open", T0, T0)
    record = Record("bird-1", T0, RecordKind.NOTE, {"text": "hello"})
    failed = Failure(API, T0, T0 * 10**9, Fault.SERVER_ERROR, "http_status_503", Observation(Kind.HTTP, Stage.DONE))
    write(
        path,
        Recorder().all(OK),
        Transaction(incidents=(head,), records=(record,), acts=(act(),), failures=(failed,)),
    )


def read_all(path: Path) -> None:
    """What a start reads, and what the commands do."""
    with closing(Store.open(path)) as store:
        store.load()
        store.pending()
    with Reader(path) as reader:
        list(reader.seconds(API, T0, T0 + 10))
        reader.incidents()
        reader.acts("bird-1")
        reader.records("bird-1")
        list(reader.failures("bird", T0, T0 + 10))


@pytest.mark.parametrize(
    ("table", "column", "junk"),
    [
        ("cells", "faults", "{"),
        ("cells", "faults", '{"nobody": 1}'),
        ("cells", "verdict", "fine"),
        ("runs", "cycle", "77"),
        ("runs", "cycle", "1*x"),
        ("acts", "facts", "{"),
        ("acts", "kind", "telegram"),
        ("incidents", "conditions", "5"),
        ("records", "detail", "\x00"),
        ("failures", "body", b"\xa5"),
    ],
)
def test_a_row_that_holds_what_nobody_wrote_is_told_as_damage(
    path: Path, table: str, column: str, junk: object
) -> None:
    """SQLite finds nothing wrong with it: a flipped bit within a text, or somebody else's hand."""
    planted(path)
    read_all(path)
    with closing(sqlite3.connect(path)) as db:
        for (guard,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {guard}")  # damage does not ask
        db.execute(f"UPDATE {table} SET {column} = ?", (junk,))  # noqa: S608 - names of this test
        db.commit()
    with pytest.raises(CorruptError, match=rf"damaged.*a row of ({table}|cells) cannot be understood"):
        read_all(path)


def test_a_damaged_store_is_told(path: Path) -> None:
    write(path, *(Recorder(T0 + 1000 * n).all(OK) for n in range(1)))
    content = bytearray(path.read_bytes())
    content[4096 * 2 : 4096 * 9] = b"\xa5" * 4096 * 7
    path.write_bytes(content)
    with pytest.raises(CorruptError, match=r"damaged.*keep it as evidence"):
        Store.open(path)


def as_nobody(path: Path, *code: str) -> str:
    """What python code with `path` says as a user who owns nothing here: standard error and output."""
    script = "\n".join(
        (  # all that may be imported later too: a Python of root's own is out of reach by then
            "import sys, sqlite3, urllib.parse; from pathlib import Path; from prober.store import *; path = Path(sys.argv[1])",
            "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534)",
            *code,
        )
    )
    # Nobody can write down what coverage would count in it.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", script, path],
        capture_output=True,
        text=True,
        env={**environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    return done.stdout + done.stderr


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which root alone can")


@pytest.fixture
def others(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A folder that other users can look into, and a store in it."""
    theirs = (
        tmp_path_factory.getbasetemp().parent,
        tmp_path_factory.getbasetemp().parents[1],
    )  # with workers one deeper
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and folder.stat().st_mode & 0o055 != 0o055:
            assert any(folder.is_relative_to(one) for one in theirs), f"{folder} is no folder of the tests'"
            folder.chmod(0o755)
    return tmp_path / "prober.db"


@needs_root
def test_a_store_that_is_not_ours_to_write_is_told(others: Path) -> None:
    write(others, Recorder().all(OK, 3))
    said = as_nobody(others, "Store.open(path)")
    assert f"ReadOnlyError: store {others}: its lock {others}.lock cannot be written (Permission denied)" in said
    assert "check its owner and mode" in said
    (others.parent / "prober.db.lock").chmod(0o666)
    others.chmod(0o644)
    said = as_nobody(others, "Store.open(path)")
    assert f"ReadOnlyError: store {others}: cannot be written" in said
    others.chmod(0o600)
    said = as_nobody(others, "Store.open(path)")
    assert "cannot be opened" in said or "Permission denied" in said
    assert "check owner and mode" in as_nobody(others, "Reader(path)")


@needs_root
def test_a_folder_that_is_not_ours_to_write_is_told(others: Path) -> None:
    said = as_nobody(others, "Store.open(path)")
    assert f"ReadOnlyError: store {others}: its lock {others}.lock cannot be written" in said


@needs_root
def test_a_store_in_a_folder_that_cannot_be_written_is_read_all_the_same(others: Path) -> None:
    write(others, Recorder().all(OK, 3))
    others.chmod(0o644)
    said = as_nobody(
        others, f"with Reader(path) as r: print(len(list(r.seconds(SeriesKey('bird', 'api'), 0, {T0 * 2}))))"
    )
    assert said == "3\n"


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (sqlite3.SQLITE_FULL, "DiskFullError", "the disk is full; make room"),
        (sqlite3.SQLITE_IOERR_FSYNC, "StoreError", "the disk failed"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "ReadOnlyError", "cannot be written"),
        (sqlite3.SQLITE_READONLY, "ReadOnlyError", "whether its disk has become read-only"),
        (sqlite3.SQLITE_CANTOPEN, "StoreError", "that the disk takes more files"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "StoreLockedError", "another program holds it"),
        (sqlite3.SQLITE_MISUSE, "StoreError", "SQLite failed"),
    ],
)
def test_each_failure_of_sqlite_says_what_to_do(code: int, kind: str, says: str) -> None:
    error = sqlite3.OperationalError("sqlite's word")
    error.sqlite_errorcode = code
    said = explain(error, Path("prober.db"))
    assert type(said).__name__ == kind
    assert str(said) == f"store prober.db: {str(said).split(': ', 1)[1]}"
    assert says in str(said)
    assert "(sqlite's word)" in str(said)


def test_the_configuration_says_where_it_is() -> None:
    assert locate("sqlite:///prober.db", Path("/etc/prober")) == Path("/etc/prober/prober.db")
    assert locate("sqlite:////var/lib/prober.db", Path("/etc/prober")) == Path("/var/lib/prober.db")
    for wrong in ("postgres://x", "sqlite:///", "prober.db", "sqlite:///var/"):
        with pytest.raises(UsageError, match=r"write sqlite:///prober\.db"):
            locate(wrong, Path("/"))


def test_a_reader_sees_what_a_running_writer_commits_and_needs_none(path: Path) -> None:
    from prober.store import SeriesKey, Writer

    recorder = Recorder()
    writer = Writer(Store.open(path))
    writer.start()
    from recording import Waiter

    with Reader(path) as reader:
        for seconds in (3, 6):
            done = Waiter()
            writer.submit(recorder.all(OK, 3), done)
            assert done.result() is None
            assert len(list(reader.seconds(SeriesKey("bird", "api"), T0, T0 + 99))) == seconds
    assert writer.stop()
    with Reader(path) as reader:
        assert len(list(reader.seconds(API, T0, T0 + 99))) == 6


def test_a_failure_while_reading_is_one_of_ours(path: Path) -> None:
    write(path, Recorder().all(OK, 3))
    with pytest.raises(StoreError, match="no such table"), Reader(path) as reader:
        reader._db.execute("SELECT * FROM songs")


def test_a_store_that_lost_a_table_says_so_wherever_it_is_asked(path: Path) -> None:
    store = Store.open(path)
    for table in ("progress", "acts", "runs"):
        store.db.execute(f"DROP TABLE {table}")
    for ask in (store.load, store.pending, lambda: store.runs(API, T0)):
        with pytest.raises(StoreError, match=r"SQLite failed \(no such table"):
            ask()
    store.close()


def test_a_link_in_the_place_of_the_lock_is_not_followed(path: Path) -> None:
    other = path.with_name("other")
    other.write_text("somebody's")
    path.with_name("prober.db.lock").symlink_to(other)
    with pytest.raises(StoreError, match=r"its lock .* cannot be made \(Too many levels of symbolic links\)"):
        Store.open(path)
    assert other.read_text() == "somebody's"


def test_a_lock_that_cannot_be_made_is_told(path: Path) -> None:
    path.with_name("prober.db.lock").mkdir()
    with pytest.raises(StoreError, match=r"its lock .* cannot be made \(Is a directory\)"):
        Store.open(path)
    with pytest.raises(StoreError, match=r"cannot be looked at \(File name too long\)"):
        Reader(path.with_name("x" * 300))


def test_a_store_that_is_being_made_is_either_blank_or_whole_to_whoever_reads_it(tmp_path: Path) -> None:
    path, seen = tmp_path / "prober.db", set()
    with closing(sqlite3.connect(path, isolation_level=None)) as db, closing(sqlite3.connect(path)) as other:
        db.execute("PRAGMA journal_mode = WAL")
        db.set_trace_callback(lambda _: seen.add(version(other)))
        migrate(db)
        db.set_trace_callback(None)
        seen.add(version(other))
    assert seen == {0, len(MIGRATIONS)}
