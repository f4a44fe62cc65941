"""Puts a transaction's values into the tables. The caller begins and commits."""

import sqlite3
from collections.abc import Iterable

from prober.store import rows
from prober.store.errors import ContradictionError
from prober.store.figures import DAY, HOUR
from prober.store.values import ActStatus, Failure, FigureRow, SeriesKey, Transaction
from rules.acts import Outcome

#: Rows of old failures or figures that go in one commit, so that throwing away never holds up a second.
PURGE_AT_ONCE = 500


def apply(db: sqlite3.Connection, names: rows.Names, work: Transaction) -> None:
    """All but the chores. Raises ContradictionError or sqlite3.IntegrityError: it contradicts what is recorded."""
    _seconds(db, names, work)
    _incidents(db, work)
    _acts(db, work)
    _certificates(db, names, work)
    _maintenance(db, work)


def _seconds(db: sqlite3.Connection, names: rows.Names, work: Transaction) -> None:
    for row in work.runs:
        db.execute(
            "INSERT INTO runs (series, start, stop, cycle) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (series, start) DO UPDATE SET stop = excluded.stop, cycle = excluded.cycle",
            (names.series(row.key), row.run.start, row.run.end, names.cycle(row.run)),
        )
    for service, second in work.closed.items():
        changed = db.execute(
            "INSERT INTO progress (service, closed) VALUES (?, ?)"
            " ON CONFLICT (service) DO UPDATE SET closed = excluded.closed WHERE excluded.closed >= progress.closed",
            (service, second),
        ).rowcount
        if not changed:
            raise ContradictionError(f"second {second} of {service} is closed already")


def _incidents(db: sqlite3.Connection, work: Transaction) -> None:
    for (service, part), body in work.states.items():
        db.execute(
            "INSERT INTO states VALUES (?, ?, ?) ON CONFLICT (service, part) DO UPDATE SET body = excluded.body",
            (service, part, body),
        )
    for head in work.incidents:
        db.execute(
            f"INSERT INTO incidents ({rows.HEAD_COLUMNS})"  # noqa: S608 - a constant
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET severity = excluded.severity,"
            " phase = excluded.phase, onset = excluded.onset, raised = excluded.raised, recovered = excluded.recovered,"
            " closed = excluded.closed, episodes = excluded.episodes, ticket = excluded.ticket,"
            " conditions = excluded.conditions",
            (
                *(head.id, head.service, head.severity, head.phase, head.onset, head.raised, head.recovered),
                *(head.closed, head.episodes, head.ticket, rows.dumps(list(head.conditions))),
            ),
        )
    for record in work.records:
        db.execute(
            "INSERT INTO records (incident, at, kind, detail) VALUES (?, ?, ?, ?)",
            (record.incident, record.at, record.kind, rows.dumps(record.detail)),
        )


def _acts(db: sqlite3.Connection, work: Transaction) -> None:
    for act in work.acts:
        db.execute(
            f"INSERT INTO acts (id, {rows.ACT_COLUMNS}, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending')"  # noqa: S608 - a constant
            " ON CONFLICT (id) DO NOTHING",
            rows.act_row(act),
        )
    for result in work.attempts:
        db.execute(
            f"INSERT INTO attempts ({rows.ATTEMPT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
            rows.attempt_row(result),
        )
        if result.outcome is Outcome.ACCEPTED:  # also of an act that was withdrawn meanwhile: it did arrive
            db.execute("UPDATE acts SET status = 'accepted' WHERE id = ?", (result.act,))
        elif result.final:
            db.execute("UPDATE acts SET status = 'failed' WHERE id = ? AND status = 'pending'", (result.act,))
    for act_id, status in work.statuses:
        db.execute(
            "UPDATE acts SET status = ? WHERE id = ? AND status <> ?", (status.value, act_id, ActStatus.ACCEPTED.value)
        )


def _certificates(db: sqlite3.Connection, names: rows.Names, work: Transaction) -> None:
    for seen in work.certificates:
        db.execute(
            "INSERT INTO certificates (series, serial, subject, issuer, not_after, seen, checked)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (series, serial) DO UPDATE SET checked = excluded.checked",
            (
                *(names.series(seen.key), seen.serial, seen.subject, seen.issuer),
                *(seen.not_after, seen.checked, seen.checked),
            ),
        )


def _maintenance(db: sqlite3.Connection, work: Transaction) -> None:
    for turn in work.maintenance:
        if turn.begins:
            db.execute(
                "INSERT INTO maintenance (service, start, stop, title) VALUES (?, ?, NULL, ?)"
                " ON CONFLICT DO UPDATE SET stop = NULL",  # the clock was set back to before it began
                (turn.service, turn.second, turn.title),
            )
        else:  # by the calendar where that is known, unless it is an earlier window's end
            db.execute(
                "UPDATE maintenance SET stop = CASE WHEN ?1 > start THEN ?1 ELSE max(?2, start) END"
                " WHERE service = ?3 AND title = ?4 AND stop IS NULL",
                (turn.planned, turn.second, turn.service, turn.title),
            )


def keep(db: sqlite3.Connection, names: rows.Names, failures: Iterable[tuple[Failure, bytes]]) -> None:
    """Failed calls with their bodies as `rows.failure_body` packs them."""
    for failure, body in failures:
        db.execute(
            "INSERT INTO failures (series, second, at_ns, fault, reason, body) VALUES (?, ?, ?, ?, ?, ?)",
            (names.series(failure.key), failure.second, failure.at, failure.fault.value, failure.reason, body),
        )


def count(db: sqlite3.Connection, names: rows.Names, figures: Iterable[tuple[FigureRow, bytes]]) -> None:
    """Figures with their bodies packed. Those of minutes stay as they were first told; of hours and days, as last."""
    for row, body in figures:
        series = names.series(SeriesKey(row.service))
        late = "ON CONFLICT (series, scope, span, start)"
        late += " DO NOTHING" if row.span < HOUR else " DO UPDATE SET layout = excluded.layout, body = excluded.body"
        db.execute(
            f"INSERT INTO figures (series, scope, span, start, layout, body) VALUES (?, ?, ?, ?, ?, ?) {late}",  # noqa: S608 - constants
            (series, row.scope.value, row.span, row.start, names.layout(row.columns), body),
        )
        for span in (HOUR, DAY):  # a minute that was late: what it belongs to is added up anew
            if row.span < span:
                db.execute(
                    "DELETE FROM figures WHERE series = ? AND scope = ? AND span = ? AND start = ?",
                    (series, row.scope.value, span, row.start - row.start % span),
                )


def purge(db: sqlite3.Connection, before: int) -> int:
    """Throws away some failures older than `before` (UTC seconds); returns how many. Call it until that is 0."""
    oldest = "SELECT id FROM failures WHERE second < ? ORDER BY second LIMIT ?"
    return db.execute(f"DELETE FROM failures WHERE id IN ({oldest})", (before, PURGE_AT_ONCE)).rowcount  # noqa: S608 - a constant


def purge_minutes(db: sqlite3.Connection, before: int) -> int:
    """Likewise some figures of minutes whose hour is over before `before` and added up."""
    oldest = (
        "SELECT id FROM figures AS minutes WHERE span < 3600 AND start < ? AND EXISTS (SELECT 1 FROM figures AS hour"
        " WHERE hour.series = minutes.series AND hour.scope = minutes.scope AND hour.span = 3600"
        " AND hour.start = minutes.start - minutes.start % 3600) ORDER BY start LIMIT ?"
    )
    whole = before - before % HOUR
    return db.execute(f"DELETE FROM figures WHERE id IN ({oldest})", (whole, PURGE_AT_ONCE)).rowcount  # noqa: S608 - a constant
