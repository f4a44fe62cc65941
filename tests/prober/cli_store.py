"""A configuration and its store for the tests of the commands that read it."""

from pathlib import Path

from recording import ACCOUNT, API, DOWN, MIXED, NO_CALL, OK, SERVICE, T0, Recorder, act, failure, write

from prober.store import IncidentHead, SeriesKey, Transaction
from rules.acts import ActKind, ActResult, Outcome
from rules.incident_events import Record, RecordKind

CONFIG = """
store: sqlite:///kept/prober.db
services:
  bird:
    contract: bird-email-enterprise
    channels:
      api:
        - {name: account, url: "http://127.0.0.1:9/account", headers: {Authorization: "${NOT_SET_HERE}"}}
      smtp:
        - {name: account, host: 127.0.0.1, port: 9, tls: none, depth: ehlo}
        - {name: injection, host: 127.0.0.1, port: 9, tls: none, depth: ehlo}
"""
FROM, TO = f"--from={T0}", f"--to={T0 + 100}"
REMOVED = SeriesKey("bird", "api", "removed")


def configured(folder: Path) -> Path:
    """A configuration whose variable is not set: the commands that read need no secret."""
    path = folder / "prober.yaml"
    path.write_text(CONFIG)
    (folder / "kept").mkdir()
    return path


def measured(folder: Path) -> Path:
    """The same, with 30 seconds measured: 10 fine, 5 down, 15 fine; and an endpoint that is no longer configured."""
    path = configured(folder)
    recorder = Recorder(periods={SERVICE: 1, API: 1, ACCOUNT: 1, REMOVED: 10})
    work = []
    for n in range(30):
        cell = DOWN if 10 <= n < 15 else MIXED if n == 20 else OK
        every_ten = OK if n % 10 == 0 else NO_CALL
        work.append(recorder.close({SERVICE: cell, API: cell, ACCOUNT: cell, REMOVED: every_ten}))
    write(folder / "kept" / "prober.db", *work)
    return path


def troubled(folder: Path) -> Path:
    """The same, with two incidents."""
    path = measured(folder)
    ticket, page = act("open", ActKind.TICKET), act("open")
    old = IncidentHead("bird-0", "bird", "internal", "closed", T0 - 500, T0 - 400, T0 - 300, T0 - 200)
    new = IncidentHead(
        "bird-1", "bird", "critical", "recovered", T0 + 10, T0 + 12, T0 + 15, None, 2, "4711", ("unavailable",)
    )
    tried = ActResult(ticket.id, "bird.tickets.email-1", Outcome.TRANSIENT, (T0 + 12) * 10**9, "451 \x1b[31mlater")
    taken = ActResult(
        ticket.id, "bird.tickets.email-1", Outcome.ACCEPTED, (T0 + 13) * 10**9, "250 ok", "queue-7", final=True
    )
    records = (
        Record(
            "bird-1", T0 + 12, RecordKind.OPENED, {"severity": "critical", "bad": 5, "reasons": {"x": 1}, "empty": ""}
        ),
        Record("bird-1", T0 + 15, RecordKind.RECOVERED, {}),
    )
    failures = tuple(failure(T0 + 10 + n % 5) for n in range(12))
    write(
        folder / "kept" / "prober.db",
        Transaction(incidents=(old, new), acts=(ticket, page), records=records, failures=failures),
        Transaction(attempts=(tried, taken)),
    )
    return path
