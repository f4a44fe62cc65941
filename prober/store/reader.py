"""The store as readers see it (commands, the serving process): nothing is written, no measuring process is needed."""

import json
import os
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prober.store import rows, schema
from prober.store.days import Day, Days
from prober.store.errors import NoStoreError, NotOursError, StoreError, TooNewError, explain
from prober.store.figures import DAY, HOUR, MINUTE, Figures
from prober.store.place import identities, is_there
from prober.store.query import attempts_of, closed_through, open_runs, runs_between
from prober.store.spans import Spans, Whole, added_up, to_add_up
from prober.store.values import ActStatus, Certificate, FigureRow, IncidentHead, SeriesKey
from rules.acts import Act, ActResult
from rules.maintenance import Window, Windows
from rules.model import Cell, Fault
from rules.timeline import Run, expand, stretches


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A line of an incident's trail; a kind that other versions of the program wrote is kept as its name."""

    incident: str
    at: int  # UTC seconds
    kind: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredAct:
    """An act as it was written down, how it stands, and what was tried, oldest first."""

    act: Act
    status: ActStatus
    attempts: tuple[ActResult, ...]


@dataclass(frozen=True, slots=True)
class StoredFailure:
    """A failed call as it was kept. `facts` is {"observation": {...}, "transcript": text, "tags": [...]}."""

    key: SeriesKey
    second: int  # UTC
    at: int  # UTC ns
    fault: Fault
    reason: str
    facts: Mapping[str, Any]


class Reader:
    """A read-only connection; one a thread. Use it in a `with`. All methods raise a StoreError when the store fails.

    Raises NoStoreError when there is none yet, NotOursError, TooNewError, or another StoreError.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))
        if not is_there(self.path):
            raise NoStoreError(self.path, "there is none yet; `prober run` makes it")
        try:
            self._db = self._connect()
        except sqlite3.Error as error:
            raise explain(error, self.path) from error
        self._log = identities(self.path)
        self._cells = rows.Cells(self._db)
        self._days = Days(self._db, self._cells)
        self._spans = Spans(self._db)

    def stale(self) -> bool:
        """The log was made anew since this was opened, so that it would see nothing of what is written now."""
        return identities(self.path) != self._log

    def _connect(self) -> sqlite3.Connection:
        uri = f"{self.path.as_uri()}?mode=ro"
        # Without write access to the directory SQLite cannot read a log-mode database that nobody has open. If there is
        # no log, all is in the file, and it is read as it stands.
        alone = not os.access(self.path.parent, os.W_OK) and not self.path.with_name(self.path.name + "-wal").exists()
        db = sqlite3.connect(uri + "&immutable=1" if alone else uri, uri=True, isolation_level=None, timeout=5.0)
        try:
            db.execute("BEGIN")  # one picture, also of a store that is being made
            ours, blank, found = schema.is_ours(db), schema.is_blank(db), schema.version(db)
            db.execute("COMMIT")
            if not ours:
                if blank:
                    raise NoStoreError(self.path, "there is nothing in it yet; `prober run` fills it")
                raise NotOursError(
                    self.path, "this SQLite database belongs to another program; name another file as `store`"
                )
            if found > len(schema.MIGRATIONS):
                known = len(schema.MIGRATIONS)
                raise TooNewError(
                    self.path, f"a newer prober wrote it (format {found}, this one knows {known}); update prober"
                )
            if found < len(schema.MIGRATIONS):
                raise StoreError(self.path, "an older prober wrote it; `prober run` brings it up to date")
        except BaseException:
            db.close()
            raise
        return db

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if isinstance(error, sqlite3.Error):
            raise explain(error, self.path) from error

    def close(self) -> None:
        self._db.close()

    def series(self) -> tuple[SeriesKey, ...]:
        """All that was ever measured, also what is no longer configured."""
        query = "SELECT service, channel, endpoint FROM series ORDER BY service, channel, endpoint"
        return tuple(SeriesKey(*row) for row in self._db.execute(query))

    def closed(self, service: str) -> int | None:
        """The service's last closed second (UTC); None: none yet."""
        return closed_through(self._db, service)

    def runs(self, key: SeriesKey, since: int, until: int) -> Iterator[Run]:
        """The closed seconds of a series within [since, until) as runs, lazily, in order."""
        return runs_between(self._db, self._cells, key, since, until)

    def seconds(self, key: SeriesKey, since: int, until: int) -> Iterator[tuple[int, Cell]]:
        """The closed seconds of a series within [since, until), each with its cell, lazily, in order."""
        return expand(self.runs(key, since, until))

    def stretches(self, key: SeriesKey, since: int, until: int) -> Iterator[tuple[int, int, Cell]]:
        """As (first second, one past the last, cell), equal seconds together."""
        held: tuple[int, int, Cell] | None = None
        for first, n, cell in stretches(self.runs(key, since, until)):
            if held and held[1] == first and held[2] == cell:
                held = (held[0], first + n, cell)
                continue
            if held:
                yield held
            held = (first, first + n, cell)
        if held:
            yield held

    def days(self, key: SeriesKey, since: int, until: int) -> tuple[Day, ...]:
        """Every UTC day of a series that has a second within [since, until), in order, also those with nothing on record.

        `SeriesKey(service)` is the service itself, `SeriesKey(service, channel)` a channel.
        """
        took = {figures.start: figures.durations for figures in self._spans.of(key, since, until, DAY)}
        days = self._days.of(key, since, until)
        return tuple(replace(day, durations=took[day.start]) if day.start in took else day for day in days)

    def hours(self, key: SeriesKey, since: int, until: int) -> tuple[Figures, ...]:
        """The hours of a series that have a second within [since, until) and a call in them, in order."""
        return self._spans.of(key, since, until, HOUR)

    def minutes(self, key: SeriesKey, since: int, until: int) -> tuple[Figures, ...]:
        """Likewise its minutes, as far back as they are kept; where a service has very many endpoints, theirs are of 5 min."""
        return self._spans.of(key, since, until, MINUTE)

    def to_add_up(self, now: int) -> tuple[Whole, ...]:
        """Hours and days that are over at UTC second `now` and have no figures of their own yet, oldest first."""
        return to_add_up(self._db, now)

    def added_up(self, whole: Whole) -> FigureRow | None:
        """Such an hour or day, for the writer; None when what it is made of has gone."""
        return added_up(self._db, whole)

    def newest(self) -> Iterator[tuple[SeriesKey, int, Cell]]:
        """Each series that goes on: its service's last closed second (UTC), and its cell in it. One look at all of them."""
        closed: dict[str, int | None] = {}
        for key, run in open_runs(self._db):
            if key.service not in closed:
                closed[key.service] = self.closed(key.service)
            last = closed[key.service]
            if last is not None and last >= run.start:
                yield key, last, run.cell(last)

    def incidents(self, service: str | None = None) -> tuple[IncidentHead, ...]:
        """Oldest first."""
        query = f"SELECT {rows.HEAD_COLUMNS} FROM incidents WHERE ? IS NULL OR service = ? ORDER BY raised, id"  # noqa: S608 - a constant
        return tuple(_head(row) for row in self._db.execute(query, (service, service)))

    def incident(self, incident: str) -> IncidentHead | None:
        row = self._db.execute(f"SELECT {rows.HEAD_COLUMNS} FROM incidents WHERE id = ?", (incident,)).fetchone()  # noqa: S608 - a constant
        return _head(row) if row else None

    def state(self, service: str, part: str) -> str | None:
        """What the measuring process has written down of itself for a restart (JSON); `part`: "incident", "conditions"."""
        query = "SELECT body FROM states WHERE service = ? AND part = ?"
        row = self._db.execute(query, (service, part)).fetchone()
        return str(row[0]) if row else None

    def records(self, incident: str) -> tuple[StoredRecord, ...]:
        """What happened, in the order in which it was written down."""
        query = "SELECT incident, at, kind, detail FROM records WHERE incident = ? ORDER BY id"
        return tuple(_record(who, at, kind, detail) for who, at, kind, detail in self._db.execute(query, (incident,)))

    def acts(self, incident: str) -> tuple[StoredAct, ...]:
        query = f"SELECT {rows.ACT_COLUMNS}, status FROM acts WHERE incident = ? ORDER BY rowid"  # noqa: S608 - a constant
        found = []
        for *fields, status in self._db.execute(query, (incident,)).fetchall():
            act = rows.act_of(tuple(fields))
            found.append(StoredAct(act, ActStatus(status), attempts_of(self._db, act.id)))
        return tuple(found)

    def failures(self, service: str, since: int, until: int, most: int = 1000) -> Iterator[StoredFailure]:
        """Failed calls of a service that were kept, within [since, until), oldest first, `most` at most, lazily."""
        query = (
            "SELECT service, channel, endpoint, second, at_ns, fault, reason, body FROM failures"
            " JOIN series ON series.id = failures.series WHERE service = ? AND second >= ? AND second < ?"
            " ORDER BY second, at_ns LIMIT ?"
        )
        for name, channel, endpoint, second, at, fault, reason, body in self._db.execute(
            query, (service, since, until, most)
        ):
            with rows.as_written("failures"):
                facts, whose = json.loads(zlib.decompress(body)), Fault(fault)
            yield StoredFailure(SeriesKey(name, channel, endpoint), second, at, whose, reason, facts)

    def count_failures(self, service: str, since: int, until: int) -> int:
        query = (
            "SELECT count(*) FROM failures JOIN series ON series.id = failures.series"
            " WHERE service = ? AND second >= ? AND second < ?"
        )
        return int(self._db.execute(query, (service, since, until)).fetchone()[0])

    def maintenance(self, service: str, since: int, until: int) -> Windows:
        """The announced windows within [since, until) in which the service's seconds were measured and nobody was paged."""
        query = (
            "SELECT start, coalesce(stop, ?3), title FROM maintenance"
            " WHERE service = ?1 AND start < ?3 AND coalesce(stop, ?3) > max(start, ?2)"
        )
        return Windows(Window(*row) for row in self._db.execute(query, (service, since, until)))

    def certificates(self) -> tuple[Certificate, ...]:
        query = (
            "SELECT service, channel, endpoint, serial, subject, issuer, not_after, checked FROM certificates"
            " JOIN series ON series.id = certificates.series ORDER BY service, channel, endpoint, checked"
        )
        return tuple(Certificate(SeriesKey(a, b, c), *rest) for a, b, c, *rest in self._db.execute(query))


@rows.as_written("records")
def _record(incident: str, at: int, kind: str, detail: str) -> StoredRecord:
    return StoredRecord(incident, at, kind, json.loads(detail))


@rows.as_written("incidents")
def _head(row: tuple[Any, ...]) -> IncidentHead:
    *fields, conditions = row
    return IncidentHead(*(*fields, tuple(json.loads(conditions))))
