"""What goes into the store: a transaction and its parts, as values.

Seconds are UTC POSIX seconds; `closed` is always the last closed second itself: an open run reaches to `closed + 1`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from prober.store.figures import ROWS, Column, Scope
from rules.acts import Act, ActResult
from rules.incident_events import Record
from rules.model import Fault, Observation
from rules.timeline import Run


class SeriesKey(NamedTuple):
    """One line of seconds: a service's own (no channel), a channel's (no endpoint), or an endpoint's."""

    service: str
    channel: str = ""
    endpoint: str = ""


class ActStatus(StrEnum):
    """How a stored act stands."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    FAILED = "failed"  # every receiver refused for good
    WITHDRAWN = "withdrawn"  # no longer wanted
    OBSERVED = "observed"  # written down as what would have been done


@dataclass(frozen=True, slots=True)
class SeriesRun:
    """A run of a series: open while `run.end` is None, sent again whenever it changes; once it has an end it stays."""

    key: SeriesKey
    run: Run


@dataclass(frozen=True, slots=True)
class IncidentHead:
    """What a list shows of an incident. Instants are UTC seconds; `ticket` is what the vendor or receiver called it."""

    id: str
    service: str
    severity: str
    phase: str
    onset: int
    raised: int
    recovered: int | None = None
    closed: int | None = None
    episodes: int = 1
    ticket: str = ""
    conditions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed call kept as evidence. A callable transcript is rendered in the writer's thread, not on the loop."""

    key: SeriesKey
    second: int
    at: int  # UTC ns
    fault: Fault
    reason: str
    observation: Observation
    transcript: str | Callable[[], str] = ""
    tags: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes it takes in memory, roughly; a transcript not rendered yet is counted at its bound of 16 KiB."""
        transcript = len(self.transcript) if isinstance(self.transcript, str) else 16_384
        return 1024 + len(self.observation.body) + transcript


@dataclass(frozen=True, slots=True)
class FigureRow:
    """A service's calls of one span of time, counted by column (`prober.store.figures`).

    `start` is the first second counted (UTC): it tells the parts of a minute apart when a restart or a reload divides it.
    A callable body is packed in the writer's thread.
    """

    service: str
    scope: Scope
    span: int  # seconds
    start: int
    columns: tuple[Column, ...]
    body: bytes | Callable[[], bytes]

    @property
    def size(self) -> int:
        """Bytes it takes in memory, roughly."""
        return len(self.body) if isinstance(self.body, bytes) else 1024 + (4 * ROWS + 200) * len(self.columns)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server certificate as a sweep found it. Instants are UTC seconds."""

    key: SeriesKey
    serial: str
    subject: str
    issuer: str
    not_after: int
    checked: int


@dataclass(frozen=True, slots=True)
class MaintenanceTurn:
    """An announced window begins or ends with `second` (UTC) for a service.

    `planned`: of an end, when the window was to end by its calendar (0: not known); the program may have been down by then.
    """

    service: str
    title: str
    second: int
    begins: bool
    planned: int = 0


@dataclass(frozen=True, slots=True)
class Transaction:
    """What is written down together or not at all (T1 and T2 of DESIGN.md are two of these).

    closed     service -> its last closed second; never goes back
    runs       runs opened, changed or closed, in the order in which they came to be
    states     (service, part) -> JSON text: what a restart needs beside the runs (part: "incident", "conditions", ...)
    incidents  heads, as they are now
    acts       new ones, written as pending; an act that is already there stays as it is
    statuses   (act id, status) where it is not one that an attempt brings; an accepted act stays accepted
    attempts   results; ACCEPTED and a final refusal set the act's status
    maintenance  windows that begin or end
    figures    calls counted by the minute, the hour or the day; they wait apart, as the failures do
    purge_failures_before  UTC second; failures before it may go (0: none)
    purge_minutes_before   likewise the figures of minutes, once their hour is added up
    """

    closed: Mapping[str, int] = field(default_factory=dict)
    runs: tuple[SeriesRun, ...] = ()
    states: Mapping[tuple[str, str], str] = field(default_factory=dict)
    incidents: tuple[IncidentHead, ...] = ()
    records: tuple[Record, ...] = ()
    acts: tuple[Act, ...] = ()
    statuses: tuple[tuple[str, ActStatus], ...] = ()
    attempts: tuple[ActResult, ...] = ()
    failures: tuple[Failure, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    maintenance: tuple[MaintenanceTurn, ...] = ()
    figures: tuple[FigureRow, ...] = ()
    purge_failures_before: int = 0
    purge_minutes_before: int = 0

    def steps(self) -> "Transaction":
        """Only what must never be lost: the incident's steps and acts, without seconds and evidence."""
        return replace(self.without_chores(), closed={}, runs=(), certificates=())

    def without_chores(self) -> "Transaction":
        """Without what is written apart."""
        return replace(self, failures=(), figures=(), purge_failures_before=0, purge_minutes_before=0)


def merge(first: Transaction, second: Transaction) -> Transaction:
    """One transaction that leaves the store as `first` and then `second` would."""
    runs = {(row.key, row.run.start): row for row in first.runs}
    runs.update({(row.key, row.run.start): row for row in second.runs})
    heads = {head.id: head for head in first.incidents}
    heads.update({head.id: head for head in second.incidents})
    certificates = {(seen.key, seen.serial): seen for seen in first.certificates}
    certificates.update({(seen.key, seen.serial): seen for seen in second.certificates})
    return Transaction(
        closed={**first.closed, **second.closed},
        runs=tuple(runs.values()),
        states={**first.states, **second.states},
        incidents=tuple(heads.values()),
        records=first.records + second.records,
        acts=first.acts + second.acts,
        statuses=first.statuses + second.statuses,
        attempts=first.attempts + second.attempts,
        failures=first.failures + second.failures,
        certificates=tuple(certificates.values()),
        maintenance=first.maintenance + second.maintenance,
        figures=first.figures + second.figures,
        purge_failures_before=max(first.purge_failures_before, second.purge_failures_before),
        purge_minutes_before=max(first.purge_minutes_before, second.purge_minutes_before),
    )
