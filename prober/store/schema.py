"""The store's tables, as numbered migrations.

`application_id` says that a file is ours, `user_version` how many migrations it has seen. A migration is never edited
once released: a change is a new one. Instants are UTC seconds unless a column says ns. The language is kept to what
SQLite 3.34 knows, the oldest that comes with a Python 3.11.
"""

import sqlite3
from collections.abc import Sequence

#: "PROB".
APPLICATION_ID = 0x50524F42

_FIRST = (
    """CREATE TABLE series (
        id INTEGER PRIMARY KEY, service TEXT NOT NULL, channel TEXT NOT NULL, endpoint TEXT NOT NULL,
        UNIQUE (service, channel, endpoint))""",
    # A second's verdict with all that is told of it; few distinct ones exist, so runs name them by number.
    """CREATE TABLE cells (
        id INTEGER PRIMARY KEY, verdict TEXT NOT NULL, reason TEXT NOT NULL, calls INTEGER NOT NULL,
        faults TEXT NOT NULL, rules TEXT NOT NULL, UNIQUE (verdict, reason, calls, faults, rules))""",
    # [start, stop); stop NULL: open, it reaches through progress.closed. cycle: "cell" or "cell*n cell*n ...".
    """CREATE TABLE runs (
        series INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER, cycle TEXT NOT NULL,
        PRIMARY KEY (series, start), CHECK (stop IS NULL OR stop > start)) WITHOUT ROWID""",
    # Invariant 1: a second has one verdict, and it is never changed afterwards.
    """CREATE TRIGGER runs_stay BEFORE UPDATE ON runs WHEN OLD.stop IS NOT NULL
        AND (NEW.stop IS NOT OLD.stop OR NEW.cycle <> OLD.cycle)
        BEGIN SELECT RAISE(ABORT, 'a closed run does not change'); END""",
    """CREATE TRIGGER runs_apart BEFORE INSERT ON runs WHEN
        (SELECT coalesce(stop, 9223372036854775807) FROM runs WHERE series = NEW.series AND start < NEW.start
            ORDER BY start DESC LIMIT 1) > NEW.start
        OR (SELECT start FROM runs WHERE series = NEW.series AND start > NEW.start ORDER BY start LIMIT 1)
            < coalesce(NEW.stop, 9223372036854775807)
        BEGIN SELECT RAISE(ABORT, 'runs of a series overlap'); END""",
    """CREATE TRIGGER runs_last BEFORE DELETE ON runs
        BEGIN SELECT RAISE(ABORT, 'runs are not deleted'); END""",
    "CREATE TABLE progress (service TEXT PRIMARY KEY, closed INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE states (service TEXT, part TEXT, body TEXT NOT NULL, PRIMARY KEY (service, part)) WITHOUT ROWID",
    """CREATE TABLE incidents (
        id TEXT PRIMARY KEY, service TEXT NOT NULL, severity TEXT NOT NULL, phase TEXT NOT NULL, onset INTEGER NOT NULL,
        raised INTEGER NOT NULL, recovered INTEGER, closed INTEGER, episodes INTEGER NOT NULL, ticket TEXT NOT NULL,
        conditions TEXT NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX incidents_by_service ON incidents (service, raised)",
    """CREATE TABLE records (
        id INTEGER PRIMARY KEY AUTOINCREMENT, incident TEXT NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL,
        detail TEXT NOT NULL)""",
    "CREATE INDEX records_by_incident ON records (incident)",
    """CREATE TRIGGER records_stay BEFORE UPDATE ON records
        BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END""",
    """CREATE TRIGGER records_last BEFORE DELETE ON records
        BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END""",
    """CREATE TABLE acts (
        id TEXT PRIMARY KEY, incident TEXT NOT NULL, episode INTEGER NOT NULL, kind TEXT NOT NULL, step TEXT NOT NULL,
        receivers TEXT NOT NULL, created INTEGER NOT NULL, after TEXT NOT NULL, facts TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('pending', 'accepted', 'failed', 'withdrawn', 'observed')))""",
    "CREATE INDEX acts_by_incident ON acts (incident)",
    "CREATE INDEX acts_pending ON acts (created) WHERE status = 'pending'",
    """CREATE TABLE attempts (
        id INTEGER PRIMARY KEY AUTOINCREMENT, act TEXT NOT NULL, receiver TEXT NOT NULL, outcome TEXT NOT NULL,
        at_ns INTEGER NOT NULL, detail TEXT NOT NULL, reference TEXT NOT NULL, final INTEGER NOT NULL)""",
    "CREATE INDEX attempts_by_act ON attempts (act)",
    # body: zlib of JSON {observation, transcript, ...}; redacted before it gets here.
    """CREATE TABLE failures (
        id INTEGER PRIMARY KEY, series INTEGER NOT NULL, second INTEGER NOT NULL, at_ns INTEGER NOT NULL,
        fault TEXT NOT NULL, reason TEXT NOT NULL, body BLOB NOT NULL)""",
    "CREATE INDEX failures_by_series ON failures (series, second)",
    "CREATE INDEX failures_by_second ON failures (second)",
    """CREATE TABLE certificates (
        series INTEGER NOT NULL, serial TEXT NOT NULL, subject TEXT NOT NULL, issuer TEXT NOT NULL,
        not_after INTEGER NOT NULL, seen INTEGER NOT NULL, checked INTEGER NOT NULL,
        PRIMARY KEY (series, serial)) WITHOUT ROWID""",
    # The last transaction on disk and who made it, so that none is applied twice when a commit's end is unknown.
    "CREATE TABLE writer (id INTEGER PRIMARY KEY CHECK (id = 1), boot TEXT NOT NULL, seq INTEGER NOT NULL)",
    "INSERT INTO writer VALUES (1, '', 0)",
)

_SECOND = (
    # The columns of blocks of figures, as JSON [[channel, endpoint], ...]; a reload that changes them makes another row.
    "CREATE TABLE layouts (id INTEGER PRIMARY KEY, columns TEXT NOT NULL UNIQUE)",
    # Calls counted over [start, start + span): minutes (span under 3600), hours, days. series: the service's own.
    # scope 0: by channel, 1: by endpoint. body: prober/store/figures.py.
    """CREATE TABLE figures (
        id INTEGER PRIMARY KEY, series INTEGER NOT NULL, scope INTEGER NOT NULL, span INTEGER NOT NULL,
        start INTEGER NOT NULL, layout INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (series, scope, span, start))""",
    "CREATE INDEX figures_of_minutes ON figures (start) WHERE span < 3600",
)

_THIRD = (
    # Announced maintenance as it was kept: [start, stop) of a service's seconds; stop NULL: it goes on.
    """CREATE TABLE maintenance (
        service TEXT NOT NULL, start INTEGER NOT NULL, stop INTEGER, title TEXT NOT NULL,
        PRIMARY KEY (service, start, title)) WITHOUT ROWID""",
)

#: Migration n brings user_version from n to n + 1.
MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _SECOND, _THIRD)


def version(db: sqlite3.Connection) -> int:
    """The version of the schema of an open store; 0 for an empty file."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def is_ours(db: sqlite3.Connection) -> bool:
    """Whether an open store was made by this program."""
    return int(db.execute("PRAGMA application_id").fetchone()[0]) == APPLICATION_ID


def is_blank(db: sqlite3.Connection) -> bool:
    """Nothing is in it: a new file, or one whose making was cut off before the first migration was on disk."""
    return version(db) == 0 and db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0


def migrate(db: sqlite3.Connection, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
    """Brings the tables up to date, all in one transaction: whoever reads meanwhile sees nothing half made.

    `db` is in autocommit mode.
    """
    if version(db) == len(migrations):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        for migration in migrations[version(db) :]:
            for statement in migration:
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(migrations)}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
