"""Values to rows and back: how cells, runs, acts and failures lie in the tables."""

import base64
import dataclasses
import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import rules
from prober.store.errors import DamagedRowError
from prober.store.figures import Column, columns_text
from prober.store.values import Failure, SeriesKey
from rules.acts import Act, ActKind, ActResult, Outcome
from rules.model import Cell, Fault, Kind, Observation, Stage, Trouble, Verdict
from rules.timeline import Run

Redact = Callable[[Any], Any]


def dumps(value: Any) -> str:
    """JSON as the store keeps it: compact, the same for equal values. Raises TypeError or ValueError for no JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


@contextmanager
def as_written(what: str) -> Iterator[None]:
    """Reads a row of `what`. Raises DamagedRowError where it does not hold what this program writes there."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, zlib.error) as error:
        raise DamagedRowError(f"a row of {what} cannot be understood: {error}") from error


@as_written("runs")
def numbers(cycle: str) -> list[int]:
    """The cells that a cycle's text names."""
    return [int(part.partition("*")[0]) for part in cycle.split(" ")]


class Names:
    """Numbers of series and cells, made when they first occur.

    It remembers what it has seen: after a rollback `forget`, since numbers made in it are not on disk.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._series: dict[SeriesKey, int] = {}
        self._cells: dict[Cell, int] = {}
        self._layouts: dict[tuple[Column, ...], int] = {}

    def forget(self) -> None:
        self._series.clear()
        self._cells.clear()
        self._layouts.clear()

    def series(self, key: SeriesKey) -> int:
        if (number := self._series.get(key)) is None:
            self._db.execute(
                "INSERT INTO series (service, channel, endpoint) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", key
            )
            query = "SELECT id FROM series WHERE service = ? AND channel = ? AND endpoint = ?"
            number = self._series[key] = int(self._db.execute(query, key).fetchone()[0])
        return number

    def cell(self, cell: Cell) -> int:
        if (number := self._cells.get(cell)) is None:
            faults = dumps({fault.value: n for fault, n in cell.faults})
            row = (cell.verdict.value, cell.reason, cell.calls, faults, rules.VERSION)
            insert = "INSERT INTO cells (verdict, reason, calls, faults, rules) VALUES (?, ?, ?, ?, ?)"
            self._db.execute(f"{insert} ON CONFLICT DO NOTHING", row)
            query = "SELECT id FROM cells WHERE verdict = ? AND reason = ? AND calls = ? AND faults = ? AND rules = ?"
            number = self._cells[cell] = int(self._db.execute(query, row).fetchone()[0])
        return number

    def layout(self, columns: tuple[Column, ...]) -> int:
        if (number := self._layouts.get(columns)) is None:
            text = columns_text(columns)
            self._db.execute("INSERT INTO layouts (columns) VALUES (?) ON CONFLICT DO NOTHING", (text,))
            found = self._db.execute("SELECT id FROM layouts WHERE columns = ?", (text,)).fetchone()
            number = self._layouts[columns] = int(found[0])
        return number

    def cycle(self, run: Run) -> str:
        """A run's cycle as text: "7", or "7*1 8*9" for one second of cell 7 and nine of cell 8, again and again."""
        if len(run.cycle) == 1 and run.cycle[0][1] == 1:
            return str(self.cell(run.cycle[0][0]))
        return " ".join(f"{self.cell(cell)}*{n}" for cell, n in run.cycle)


class Cells:
    """Cells by number, read when they are first asked for, so that equal seconds are one object."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: dict[int, Cell] = {}

    def cell(self, number: int) -> Cell:
        if (cell := self._known.get(number)) is None:
            query = "SELECT verdict, reason, calls, faults FROM cells WHERE id = ?"
            row = self._db.execute(query, (number,)).fetchone()
            with as_written("cells"):
                verdict, reason, calls, faults = row
                pairs = tuple((Fault(name), n) for name, n in json.loads(faults).items())
                cell = self._known[number] = Cell(Verdict(verdict), reason, calls, pairs)
        return cell

    def run(self, start: int, stop: int | None, cycle: str) -> Run:
        with as_written("runs"):
            parts = [part.partition("*") for part in cycle.split(" ")]
            return Run(start, stop, tuple((self.cell(int(number)), int(n or 1)) for number, _, n in parts))


def act_row(act: Act) -> tuple[Any, ...]:
    """An act's row, in the order of the table's columns."""
    receivers, facts = dumps(list(act.receivers)), dumps(act.facts)
    kind = act.kind.value
    return (act.id, act.incident, act.episode, kind, act.step, receivers, act.created, act.after, facts)


ACT_COLUMNS = "incident, episode, kind, step, receivers, created, after, facts"


@as_written("acts")
def act_of(row: tuple[Any, ...]) -> Act:
    """An act from ACT_COLUMNS."""
    incident, episode, kind, step, receivers, created, after, facts = row
    return Act(incident, episode, ActKind(kind), step, tuple(json.loads(receivers)), created, after, json.loads(facts))


HEAD_COLUMNS = "id, service, severity, phase, onset, raised, recovered, closed, episodes, ticket, conditions"
ATTEMPT_COLUMNS = "act, receiver, outcome, at_ns, detail, reference, final"


def attempt_row(result: ActResult) -> tuple[Any, ...]:
    """A result's row, in the order of ATTEMPT_COLUMNS."""
    outcome, final = result.outcome.value, int(result.final)
    return (result.act, result.receiver, outcome, result.at, result.detail, result.reference, final)


@as_written("attempts")
def attempt_of(row: tuple[Any, ...]) -> ActResult:
    """The result that `attempt_row` wrote. Raises ValueError for an outcome that we do not know."""
    act, receiver, outcome, at, detail, reference, final = row
    return ActResult(act, receiver, Outcome(outcome), at, detail, reference, bool(final))


def failure_body(failure: Failure, redact: Redact) -> bytes:
    """The evidence of a failed call, redacted and compressed. Bytes of a body that are no UTF-8 stand in base64."""
    facts = dataclasses.asdict(failure.observation)
    body: bytes = redact(facts.pop("body"))  # before base64, in which not every shape of a secret is known again
    try:
        facts["body"] = body.decode()
    except UnicodeDecodeError:
        facts["body_base64"] = base64.b64encode(body).decode()
    transcript = failure.transcript if isinstance(failure.transcript, str) else failure.transcript()
    whole = {"observation": facts, "transcript": transcript, "tags": list(failure.tags)}
    # Level 1: an outage of a thousand endpoints packs a thousand of these a second.
    return zlib.compress(dumps(redact(whole)).encode("utf-8", "backslashreplace"), 1)


def observation_of(facts: Mapping[str, Any]) -> Observation:
    """The observation back from a failure's `observation` object, for replay."""
    given = dict(facts)
    body = base64.b64decode(given.pop("body_base64")) if "body_base64" in given else given.pop("body", "").encode()
    trouble = given.pop("trouble", None)
    return Observation(
        kind=Kind(given.pop("kind")),
        stage=Stage(given.pop("stage")),
        trouble=Trouble(trouble) if trouble else None,
        headers=tuple((name, value) for name, value in given.pop("headers", ())),
        phases=tuple(given.pop("phases", ())),
        family_errors=tuple(given.pop("family_errors", ())),
        body=body,
        **given,
    )
