"""Questions to the tables that the measuring process and the readers share."""

import sqlite3
from collections.abc import Iterator

from prober.store import rows
from prober.store.values import SeriesKey
from rules.acts import ActResult
from rules.timeline import Run, cut

#: Runs fetched at a time: a year's listing holds no transaction open, which would keep the log from being emptied.
PAGE = 500


def open_runs(db: sqlite3.Connection) -> Iterator[tuple[SeriesKey, Run]]:
    """The run of each series that has not ended yet, oldest series first."""
    cells = rows.Cells(db)
    query = (
        "SELECT service, channel, endpoint, start, cycle FROM runs JOIN series ON series.id = runs.series"
        " WHERE stop IS NULL ORDER BY series.id"
    )
    for service, channel, endpoint, start, cycle in db.execute(query).fetchall():
        yield SeriesKey(service, channel, endpoint), cells.run(start, None, cycle)


def closed_through(db: sqlite3.Connection, service: str) -> int | None:
    """The service's last closed second."""
    row = db.execute("SELECT closed FROM progress WHERE service = ?", (service,)).fetchone()
    return None if row is None else int(row[0])


def runs_between(
    db: sqlite3.Connection, cells: rows.Cells, key: SeriesKey, since: int, until: int | None
) -> Iterator[Run]:
    """The runs of a series within [since, until), cut to it and to the closed seconds, in order; all have an end.

    Lazily, a page at a time, each page for itself: what is closed does not change meanwhile.
    """
    closed = closed_through(db, key.service)
    row = db.execute("SELECT id FROM series WHERE service = ? AND channel = ? AND endpoint = ?", key).fetchone()
    if closed is None or row is None:
        return
    stop = closed + 1 if until is None else min(until, closed + 1)
    first = "SELECT coalesce(max(start), ?) FROM runs WHERE series = ? AND start <= ?"
    begin = int(db.execute(first, (since, row[0], since)).fetchone()[0])
    page = "SELECT start, stop, cycle FROM runs WHERE series = ? AND start >= ? AND start < ? ORDER BY start LIMIT ?"
    while found := db.execute(page, (row[0], begin, stop, PAGE)).fetchall():
        yield from cut((cells.run(*fields) for fields in found), since, stop)
        begin = found[-1][0] + 1


def attempts_of(db: sqlite3.Connection, act: str) -> tuple[ActResult, ...]:
    """What became of an act so far, oldest first; `act` is its id."""
    query = f"SELECT {rows.ATTEMPT_COLUMNS} FROM attempts WHERE act = ? ORDER BY id"  # noqa: S608 - a constant
    return tuple(rows.attempt_of(row) for row in db.execute(query, (act,)))
