"""A store with days and incidents behind it, in which everything is planted that the public must never see."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prober.store import Failure, IncidentHead, SeriesKey, SeriesRun, Store, Transaction, Writer
from rules.incident import Record, RecordKind
from rules.model import Cell, Fault, Kind, Observation, Stage, Verdict
from rules.timeline import Run

DAY = 86_400
#: What no public answer may hold.
PLANTED = (
    "TRANSCRIPT-4711",
    "192.0.2.99",
    "Erika Mustermann",
    "T-987654",
    "+49 30 1234567",
    "oncall@example.com",
    "account-endpoint",
)

UP = Cell(Verdict.AVAILABLE, "success", 1, ((Fault.NONE, 1),))
DOWN = Cell(Verdict.UNAVAILABLE, "http_status_503", 1, ((Fault.SERVER_ERROR, 1),))
UNSURE = Cell(Verdict.INCONCLUSIVE, "http_status_401", 1, ((Fault.OTHER, 1),))
GAP = Cell(Verdict.UNMEASURED, "not_running", 0)


def write(path: Path, *work: Transaction) -> None:
    """Write transactions into the store at `path`, which is made if it is not there."""
    writer = Writer(Store.open(path))
    writer.start()
    for each in work:
        writer.submit(each)
    assert writer.stop(30), writer.health().last_error


def seconds(closed: int, *spells: tuple[int, int, Cell], service: str = "bird") -> Transaction:
    """Runs (first second, past the last, cell), in order, alike in both channels and the service; `closed` is the last."""
    keys = (SeriesKey(service), SeriesKey(service, "api"), SeriesKey(service, "smtp"))
    runs = [SeriesRun(key, Run(first, end, ((cell, 1),))) for key in keys for first, end, cell in spells]
    return Transaction(runs=tuple(runs), closed={service: closed})


def record(incident: str, at: int, kind: RecordKind, **detail: Any) -> Record:
    return Record(incident, at, kind, detail)


def raised(incident: str, at: int, kind: RecordKind = RecordKind.OPENED, **more: Any) -> Record:
    """A condition was found to hold, a minute after its onset."""
    detail: Mapping[str, Any] = {
        "severity": "critical",
        "condition": "unavailable",
        "onset": at - 60,
        "second": at,
        "scope": "",
    }
    return Record(incident, at, kind, {**detail, **more})


def incident(name: str, *records: Record, service: str = "bird", **head: Any) -> Transaction:
    """An incident's head and records; every private thing is in them."""
    first = records[0].at
    given: dict[str, Any] = {
        "severity": "critical",
        "phase": "open",
        "onset": first - 60,
        "raised": first,
        "ticket": "T-987654",
    }
    private = [
        record(name, first, RecordKind.NOTE, by="Erika Mustermann", text="call +49 30 1234567, TRANSCRIPT-4711"),
        record(name, first, RecordKind.ACK, by="Erika Mustermann", text="oncall@example.com has it"),
        record(
            name, first, RecordKind.RESULT, receiver="email-1", detail="192.0.2.99 took T-987654", outcome="accepted"
        ),
        record(
            name, first, RecordKind.LIFE, step="first_response", by="Erika Mustermann", text="T-987654 is looked at"
        ),
        record(
            name, first, RecordKind.RAISED, condition="partial", scope="api/account-endpoint", onset=first, second=first
        ),
        record(name, first, RecordKind.RAISED, condition="failing", scope="smtp", onset=first, second=first),
    ]
    whole = IncidentHead(id=name, service=service, **{**given, **head})
    return Transaction(incidents=(whole,), records=(records[0], *private, *records[1:]))


def failure(second: int) -> Transaction:
    """A failed call that was kept, with its transcript."""
    seen = Observation(
        kind=Kind.HTTP, stage=Stage.DONE, unmet="status", code=503, text="TRANSCRIPT-4711", peer="192.0.2.99:443"
    )
    key = SeriesKey("bird", "api", "account")
    kept = Failure(key, second, second * 10**9, Fault.SERVER_ERROR, "http_status_503", seen, "TRANSCRIPT-4711")
    return Transaction(failures=(kept,))
