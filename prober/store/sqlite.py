"""The store as the measuring process holds it: locked, checked, up to date, and what a restart needs of it."""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import rules
from prober.store import rows, schema
from prober.store.errors import CorruptError, NotOursError, ReadOnlyError, StoreError, TooNewError, explain
from prober.store.lock import StoreLock
from prober.store.place import identities, identity, is_there
from prober.store.query import attempts_of, open_runs, runs_between
from prober.store.values import ActStatus, SeriesKey
from rules.acts import Act, ActResult
from rules.timeline import Run

#: Tables that are small at any age and that all depends on; looked through at the start.
_CHECKED = ("series", "cells", "runs", "progress", "states", "incidents", "acts", "writer")
_MAGIC = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class PendingAct:
    """An act that is not done, its attempts so far, and the status of the act that it waits for (None: of none)."""

    act: Act
    attempts: tuple[ActResult, ...]
    after: ActStatus | None


@dataclass(frozen=True, slots=True)
class Memory:
    """What the store knows of a service: its last closed second (None: none), open runs, states (part -> JSON text)."""

    service: str
    closed: int | None = None
    runs: Mapping[SeriesKey, Run] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)


class Store:
    """The measuring process's own connection. Get one by `open`; a Writer takes it over for its thread."""

    def __init__(self, path: Path, db: sqlite3.Connection, lock: StoreLock) -> None:
        self.path = path
        self.db = db
        self._lock = lock
        self._file = identity(path)
        self._log = identities(path)

    @classmethod
    def open(cls, path: Path, migrations: Sequence[Sequence[str]] = schema.MIGRATIONS) -> "Store":
        """Locks and opens the store at `path`, makes it if there is none (mode 0600), and brings its tables up to date.

        Raises a StoreError: StoreLockedError, NotOursError, TooNewError, ReadOnlyError, DiskFullError, CorruptError.
        """
        path = Path(os.path.realpath(path))  # one lock, whatever name it goes by
        if not is_there(path) and not path.parent.is_dir():
            raise StoreError(path, f"there is no directory {path.parent}; make it, or name another file as `store`")
        lock = StoreLock(path)
        try:
            made = _make(path)
            try:
                return cls(path, _open(path, migrations), lock)
            except BaseException:
                if made:  # leave nothing behind that was not there before
                    for name in (path, *_beside(path)):
                        with suppress(OSError):
                            name.unlink()
                raise
        except sqlite3.Error as error:
            lock.release()
            raise explain(error, path) from error
        except BaseException:
            lock.release()
            raise

    def check_place(self) -> None:
        """Raises StoreError when the file is no longer where it was: what is written to it would be lost."""
        try:
            found = identity(self.path)
        except OSError as error:
            raise StoreError(self.path, f"the file has gone ({error.strerror}); put it back, or restart") from None
        if found != self._file:
            raise StoreError(self.path, "the file was replaced by another; put it back, or restart")
        if identities(self.path) != self._log:
            self._rescue()
            raise StoreError(
                self.path,
                "its -wal or -shm was removed or replaced; what stood in them is saved, and they are made anew:"
                " leave them alone while the program runs",
            )

    def _rescue(self) -> None:
        """Everything into the file itself, from a log that has no name any more: a crash would lose it. Then a new log."""
        busy, *_ = self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StoreError(
                self.path, "its -wal or -shm was removed or replaced; somebody still reads what stood there"
            )
        self.reopen()

    def reopen(self) -> None:
        """A fresh connection after the disk failed, so that nothing of the failed one lingers. Raises sqlite3.Error."""
        with suppress(sqlite3.Error):
            self.db.close()
        self.db = _connect(self.path)
        self._log = identities(self.path)

    def load(self) -> dict[str, Memory]:
        """What a restart needs, by service.

        Runs that older rules judged are closed here: the seconds that follow are judged by these. Raises StoreError.
        """
        try:
            self._close_older_runs()
            closed = dict(self.db.execute("SELECT service, closed FROM progress"))
            states: dict[str, dict[str, str]] = {}
            for service, part, body in self.db.execute("SELECT service, part, body FROM states"):
                states.setdefault(service, {})[part] = body
            runs: dict[str, dict[SeriesKey, Run]] = {}
            for key, run in open_runs(self.db):
                runs.setdefault(key.service, {})[key] = run
        except sqlite3.Error as error:
            raise explain(error, self.path) from error
        services = sorted(closed.keys() | states.keys() | runs.keys())
        return {name: Memory(name, closed.get(name), runs.get(name, {}), states.get(name, {})) for name in services}

    def pending(self) -> tuple[PendingAct, ...]:
        """Acts that are not done, oldest first, to be carried on with. Raises StoreError."""
        found = []
        try:
            query = f"SELECT {rows.ACT_COLUMNS} FROM acts WHERE status = 'pending' ORDER BY created, rowid"  # noqa: S608 - a constant
            for row in self.db.execute(query).fetchall():
                act = rows.act_of(row)
                before = self.db.execute("SELECT status FROM acts WHERE id = ?", (act.after,)).fetchone()
                found.append(PendingAct(act, attempts_of(self.db, act.id), ActStatus(before[0]) if before else None))
        except sqlite3.Error as error:
            raise explain(error, self.path) from error
        return tuple(found)

    def runs(self, key: SeriesKey, since: int) -> list[Run]:
        """The recorded runs of a series, cut to begin at second `since`; the last ends after the last closed second."""
        try:
            return list(runs_between(self.db, rows.Cells(self.db), key, since, None))
        except sqlite3.Error as error:
            raise explain(error, self.path) from error

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self.db.close()
        self._lock.release()

    def _close_older_runs(self) -> None:
        older = (
            "SELECT runs.series, runs.start, runs.cycle, progress.closed"
            " FROM runs JOIN series ON series.id = runs.series"
            " JOIN progress ON progress.service = series.service WHERE runs.stop IS NULL"
        )
        judged = dict(self.db.execute("SELECT id, rules FROM cells"))
        self.db.execute("BEGIN IMMEDIATE")
        try:
            for series, start, cycle, closed in self.db.execute(older).fetchall():
                with rows.as_written("runs"):
                    older_rules = any(judged[number] != rules.VERSION for number in rows.numbers(cycle))
                if older_rules:
                    self.db.execute(
                        "UPDATE runs SET stop = ? WHERE series = ? AND start = ?",
                        (max(closed, start) + 1, series, start),
                    )
            self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise


def _beside(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))


def _make(path: Path) -> bool:
    """Makes the file, readable by its owner alone; SQLite gives its other files the same mode. False: it was there."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return False
    except PermissionError as error:
        raise ReadOnlyError(path, f"cannot be made ({error.strerror}); check the directory's owner and mode") from None
    except OSError as error:
        raise StoreError(path, f"cannot be made ({error.strerror})") from None
    return True


def _connect(path: Path) -> sqlite3.Connection:
    # mode=rw: a file that went away is not made anew behind our back.
    db = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False, timeout=1.0
    )
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA journal_size_limit = 16777216")  # bytes of -wal that stay after a checkpoint
    except BaseException:
        db.close()
        raise
    return db


def _open(path: Path, migrations: Sequence[Sequence[str]]) -> sqlite3.Connection:
    try:
        with path.open("r+b") as file:  # SQLite would read what cannot be written, and fail with the first second
            head = file.read(16)
    except OSError as error:
        raise ReadOnlyError(
            path, f"cannot be written ({error.strerror}); check owner and mode of the file and its directory"
        ) from None
    if head not in (b"", _MAGIC):
        raise NotOursError(path, "this is not an SQLite database; name another file as `store`")
    # Looked at before anything is written to it: a foreign file stays as it is. Where there is no log all is in the file,
    # and it is read as it stands: else SQLite would leave a log and its index behind, ours beside somebody else's file.
    alone = "" if path.with_name(path.name + "-wal").exists() else "&immutable=1"
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro{alone}", uri=True, isolation_level=None)) as look:
        ours, blank, found = schema.is_ours(look), schema.is_blank(look), schema.version(look)
    if not ours and not blank:
        raise NotOursError(path, "this SQLite database belongs to another program; name another file as `store`")
    if found > len(migrations):
        raise TooNewError(path, f"a newer prober wrote it (format {found}, known: {len(migrations)}); update prober")
    db = _connect(path)
    try:
        schema.migrate(db, migrations)
        for table in _CHECKED:
            problem = db.execute(f"PRAGMA quick_check('{table}')").fetchone()[0]
            if problem != "ok":
                problem = str(problem).splitlines()[-1]
                raise CorruptError(
                    path, f"the file is damaged ({problem}); move it aside (keep it as evidence) and start again"
                )
    except BaseException:
        db.close()
        raise
    return db
