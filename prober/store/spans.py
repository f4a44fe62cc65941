"""Questions to the figures of minutes, hours and days, and what of them is to be added up.

Whatever is over is answered from the coarsest rows that there are; what has not been added up yet is added up here, so that
an answer never depends on how far the chores have come.
"""

import sqlite3
from collections.abc import Callable, Iterator
from typing import NamedTuple

from prober.store.durations import Durations
from prober.store.figures import DAY, HOUR, LONG, MINUTE, Block, Column, Figures, Scope, block_of, columns_of, together
from prober.store.values import FigureRow, SeriesKey
from rules.model import Fault

#: Minutes that are written this long after their hour, in seconds, are late, and the hour is added up once more.
_LATE = 600

_SERVICE = "SELECT id FROM series WHERE service = ? AND channel = '' AND endpoint = ''"
_ROWS = (
    "SELECT span, start, layout, body FROM figures"
    " WHERE series = ? AND scope = ? AND span IN (%s) AND start >= ? AND start < ?"
)
#: Spans of rows, from the coarsest to those of minutes; the rows of each stand on its grid.
_LEVELS = ((DAY, _ROWS % DAY), (HOUR, _ROWS % HOUR), (MINUTE, _ROWS % "60, 300"))


class Layouts:
    """The columns of blocks by number, read when they are first asked for."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: dict[int, tuple[Column, ...]] = {}

    def block(self, layout: int, body: bytes) -> Block:
        if (columns := self._known.get(layout)) is None:
            row = self._db.execute("SELECT columns FROM layouts WHERE id = ?", (layout,)).fetchone()
            columns = self._known[layout] = columns_of(row[0])
        return block_of(columns, body)


class Spans:
    """The figures of one store's series. Not thread-safe."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._layouts = Layouts(db)

    def of(self, key: SeriesKey, since: int, until: int, span: int) -> tuple[Figures, ...]:
        """A series' whole spans (MINUTE, HOUR, DAY) that have a second within [since, until) and a call in them, in order."""
        row = self._db.execute(_SERVICE, (key.service,)).fetchone()
        if row is None:
            return ()
        found: dict[int, Figures] = {}
        first, end = since - since % span, until + -until % span
        for scope, wanted in _columns(key):
            for length, start, layout, body in self._rows(row[0], scope, span, first - first % LONG, end):
                calls, durations = self._layouts.block(layout, body).total(wanted)
                at = start - start % max(span, length)
                if calls and at + max(span, length) > since:
                    found[at] = _added(found.get(at), Figures(at, max(span, length), calls, durations))
        return tuple(found[start] for start in sorted(found))

    def _rows(
        self, series: int, scope: Scope, most: int, first: int, end: int
    ) -> Iterator[tuple[int, int, int, bytes]]:
        """(span, start, layout, body) of rows that fill [first, end) as far as there are any, none of more than `most`."""
        open_ = [(first, end)]
        for level, query in _LEVELS:
            if level <= most:
                rows = [
                    row for some in open_ for row in self._db.execute(query, (series, scope.value, *some)).fetchall()
                ]
                yield from rows
                open_ = _gaps(open_, {start for _, start, _, _ in rows}, level)


def _gaps(spans: list[tuple[int, int]], filled: set[int], level: int) -> list[tuple[int, int]]:
    """What of the spans is not filled by what begins at `filled` and is `level` long."""
    gaps = []
    for first, end in spans:
        begin = first
        for start in sorted(start for start in filled if first <= start < end):
            if begin < start:
                gaps.append((begin, start))
            begin = start + level
        if begin < end:
            gaps.append((begin, end))
    return gaps


def _columns(key: SeriesKey) -> Iterator[tuple[Scope, Callable[[Column], bool]]]:
    """Where a series' calls are counted: a channel's only endpoint is found by channel, others by endpoint."""
    _, channel, endpoint = key
    if endpoint:
        column = (channel, endpoint)
        yield Scope.CHANNELS, lambda found: found == column
        yield Scope.ENDPOINTS, lambda found: found == column
    else:
        yield Scope.CHANNELS, lambda found: channel in ("", found[0])


def _added(one: Figures | None, other: Figures) -> Figures:
    if one is None:
        return other
    calls: dict[Fault, int] = dict(one.calls)
    for fault, n in other.calls.items():
        calls[fault] = calls.get(fault, 0) + n
    durations: Durations = one.durations + other.durations
    return Figures(one.start, max(one.span, other.span), calls, durations)


class Whole(NamedTuple):
    """An hour or a day that is over and has no row of its own yet. `series` is the number of the service's own."""

    span: int
    series: int
    scope: int
    start: int


def to_add_up(db: sqlite3.Connection, now: int) -> tuple[Whole, ...]:
    """Oldest first: hours that are over at UTC second `now`, and days whose hours are all in the store."""
    hours = _open(db, HOUR, now)
    waiting = {(hour.series, hour.scope, hour.start - hour.start % DAY) for hour in hours}
    days = [day for day in _open(db, DAY, now) if (day.series, day.scope, day.start) not in waiting]
    return (*hours, *days)


def _finer(span: int) -> str:
    return "span IN (60, 300)" if span == HOUR else "span = 3600"


def _open(db: sqlite3.Connection, span: int, now: int) -> list[Whole]:
    query = (
        f"SELECT * FROM (SELECT DISTINCT series, scope, start - start % {span} AS whole FROM figures WHERE {_finer(span)}"  # noqa: S608 - constants
        " AND start < ?) AS f WHERE NOT EXISTS (SELECT 1 FROM figures AS w WHERE w.series = f.series AND w.scope = f.scope"
        f" AND w.span = {span} AND w.start = f.whole) ORDER BY whole, series, scope"
    )
    end = now - _LATE - (now - _LATE) % span
    return [Whole(span, *row) for row in db.execute(query, (end,))]


def added_up(db: sqlite3.Connection, whole: Whole) -> FigureRow | None:
    """An hour from its minutes, a day from its hours; None when they have gone meanwhile."""
    span, series, scope, start = whole
    query = f"SELECT layout, body FROM figures WHERE series = ? AND scope = ? AND {_finer(span)} AND start >= ? AND start < ?"  # noqa: S608 - a constant
    rows = db.execute(query, (series, scope, start, start + span)).fetchall()
    if not rows:
        return None
    layouts = Layouts(db)
    block = together(layouts.block(layout, body) for layout, body in rows)
    service = db.execute("SELECT service FROM series WHERE id = ?", (series,)).fetchone()[0]
    return FigureRow(service, Scope(scope), span, start, block.columns, block.body())
