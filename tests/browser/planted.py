"""A store with a past, for the browser to look at: a year of runs, incidents of each state, hostile replies.

Two services: `bird` has had outages and is in one; `aivo` has one channel, a title full of markup and nothing wrong.
"""

import datetime as dt
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prober.store import Failure, FigureRow, IncidentHead, Scope, SeriesKey, SeriesRun, Store, Transaction, Writer
from prober.store.durations import bucket_of
from prober.store.figures import ROWS, Block
from rules.acts import Act, ActKind, ActResult, Outcome
from rules.incident_events import Record, RecordKind
from rules.model import Cell, Fault, Kind, Observation, Stage, Verdict
from rules.timeline import Run

HOUR, DAY = 3600, 86_400
TOKEN = "a-token-for-the-browser"
#: What a server may send to break a page: markup, controls, direction marks, and more of it than anybody wants.
HOSTILE = (
    '<script>document.title="owned"</script><img src=x onerror="1">\x1b[31m\u202egnp.exe\u202c\x00&amp;' + "A" * 9000
)

#: A day ahead on which something is planned.
SOON = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=3)

RAW: dict[str, Any] = {
    "location": "fra1",
    "store": "sqlite:///prober.db",
    "web": {"token": TOKEN},
    "services": {
        "bird": {
            "title": "Bird Email",
            "contract": "bird-email-enterprise",
            "terms": {"hotline": "+1 555 0100", "time_zone": "Europe/Amsterdam"},
            "maintenance": [{"title": "Moving house", "start": f"{SOON}T02:00Z", "end": f"{SOON}T04:00Z"}],
            "channels": {
                "api": [
                    {"name": "account", "url": "http://127.0.0.1:9/account"},
                    {"name": "templates", "url": "http://127.0.0.1:9/templates"},
                ],
                "smtp": [{"name": "injection", "host": "127.0.0.1", "port": 9, "depth": "ehlo", "tls": "none"}],
            },
        },
        "aivo": {
            "title": "Aivo <b>&amp;</b> \"Söhne\" 'עברית' Donaudampfschifffahrtsgesellschaftskapitänsmützenversand",
            "contract": "aivo",
            "channels": {"api": [{"name": "send", "url": "http://127.0.0.1:9/send"}]},
        },
    },
}
KEYS = (
    ("bird", "api", "account", Kind.HTTP),
    ("bird", "api", "templates", Kind.HTTP),
    ("bird", "smtp", "injection", Kind.SMTP),
    ("aivo", "api", "send", Kind.HTTP),
)

OK = Cell(Verdict.AVAILABLE, "ok", 1, ((Fault.NONE, 1),))
BOTH = Cell(Verdict.AVAILABLE, "ok", 2, ((Fault.NONE, 2),))
MIXED = Cell(Verdict.AVAILABLE, "ok", 2, ((Fault.NONE, 1), (Fault.SERVER_ERROR, 1)))
DOWN = Cell(Verdict.UNAVAILABLE, "http_status_503", 1, ((Fault.SERVER_ERROR, 1),))
HUNG = Cell(Verdict.UNAVAILABLE, "response_timeout", 2, ((Fault.SERVER_TIMEOUT, 2),))
UNSURE = Cell(Verdict.INCONCLUSIVE, "http_status_429", 1, ((Fault.OTHER, 1),))
OURS = Cell(Verdict.UNMEASURED, "no_route", 1, ((Fault.OWN, 1),))
NOT_RUNNING = Cell(Verdict.UNMEASURED, "not_running", 0)

BIRD, API, SMTP = SeriesKey("bird"), SeriesKey("bird", "api"), SeriesKey("bird", "smtp")
ACCOUNT, TEMPLATES = SeriesKey("bird", "api", "account"), SeriesKey("bird", "api", "templates")
INJECTION = SeriesKey("bird", "smtp", "injection")
AIVO, AIVO_API, SEND = SeriesKey("aivo"), SeriesKey("aivo", "api"), SeriesKey("aivo", "api", "send")
#: What each series is while nothing is wrong.
USUAL = {BIRD: BOTH, API: BOTH, SMTP: OK, ACCOUNT: OK, TEMPLATES: OK, INJECTION: OK, AIVO: OK, AIVO_API: OK, SEND: OK}

#: (seconds before now, how long, what which series were then); those not named were as usual.
Spell = tuple[int, int, dict[SeriesKey, Cell]]


def plant(folder: Path, now: int) -> None:
    """Writes the store `prober.db` into `folder`; the last closed second is `now - 1`."""
    writer = Writer(Store.open(folder / "prober.db"))
    writer.start()
    closed = {"bird": now - 1, "aivo": now - 1}
    writer.submit(Transaction(closed=closed, runs=tuple(_runs(now)), **_trouble(now)))
    assert writer.stop(30), writer.health()


def spells(now: int) -> list[Spell]:
    """What was not as usual, oldest first: a year with an outage now and then, and an hour in which everything happens."""
    outage = {BIRD: DOWN, API: DOWN, ACCOUNT: DOWN, TEMPLATES: DOWN}
    found: list[Spell] = [(day * DAY + day % 7 * HOUR, 300 + 40 * (day % 9), outage) for day in range(360, 2, -11)]
    found.append((40 * DAY - 7 * HOUR, 3 * HOUR, dict.fromkeys(USUAL, NOT_RUNNING)))
    found.sort(key=lambda spell: -spell[0])
    found += [
        (3300, 120, {BIRD: MIXED, API: MIXED, TEMPLATES: DOWN}),
        (3000, 45, {TEMPLATES: UNSURE, API: MIXED}),
        (2400, 30, dict.fromkeys(USUAL, OURS)),
        (1800, 1, {SMTP: HUNG, INJECTION: HUNG, BIRD: HUNG}),
        (1790, 1, {SMTP: HUNG, INJECTION: HUNG, BIRD: HUNG}),
        (1200, 20, dict.fromkeys(USUAL, NOT_RUNNING)),
        (600, 600, outage),
    ]
    return found


def _runs(now: int) -> Iterator[SeriesRun]:
    for key, usual in USUAL.items():
        at = now - 365 * DAY
        pieces: list[tuple[int, Cell]] = []
        for ago, length, cells in spells(now):
            if key in cells:
                pieces += [(at, usual), (now - ago, cells[key])]
                at = now - ago + length
        if at < now:
            pieces.append((at, usual))
        for (start, cell), (end, _) in zip(pieces, [*pieces[1:], (None, usual)], strict=True):
            yield SeriesRun(key, Run(start, end, ((cell, 1),)))


def _trouble(now: int) -> dict[str, Any]:
    """Incidents of each state with trails, acts and evidence."""
    heads = (
        IncidentHead("bird-closed", "bird", "critical", "closed", now - 20 * DAY, now - 20 * DAY + 60, now - 19 * DAY,
                     now - 18 * DAY, 2, "T-1001", ("unavailable",)),
        IncidentHead("bird-internal", "bird", "internal", "closed", now - 9 * DAY, now - 9 * DAY + 60, now - 8 * DAY,
                     now - 8 * DAY, 1, "", ("blind",)),
        IncidentHead("aivo-recovered", "aivo", "critical", "recovered", now - DAY, now - DAY + 60, now - DAY + HOUR,
                     None, 1, "4711", ("unavailable",)),
        IncidentHead("bird-open", "bird", "critical", "open", now - 600, now - 540, None, None, 1, "T-4711",
                     ("unavailable",)),
    )  # fmt: skip
    ticket = Act("bird-open", 1, ActKind.TICKET, "open", ("bird.tickets.email-1",), now - 540, "", FACTS)
    page = Act("bird-open", 1, ActKind.PAGE, "open", ("on_call.webhook-1",), now - 540, "", FACTS)
    hotline = Act("bird-open", 1, ActKind.HOTLINE, "open", ("bird.hotline.webhook-1",), now - 540, ticket.id, FACTS)
    results = (
        ActResult(ticket.id, "bird.tickets.email-1", Outcome.TRANSIENT, (now - 539) * 10**9, f"451 {HOSTILE[:300]}"),
        ActResult(ticket.id, "bird.tickets.email-1", Outcome.ACCEPTED, (now - 530) * 10**9, "250 ok", "queue-7", True),
        ActResult(page.id, "on_call.webhook-1", Outcome.ACCEPTED, (now - 539) * 10**9, "200", "", True),
    )
    records = [
        *_trail("bird-closed", now - 20 * DAY + 60, now - 19 * DAY, now - 18 * DAY),
        *_trail("bird-internal", now - 9 * DAY + 60, now - 8 * DAY, now - 8 * DAY),
        *_trail("aivo-recovered", now - DAY + 60, now - DAY + HOUR, 0),
        *_trail("bird-open", now - 540, 0, 0),
        Record("bird-open", now - 300, RecordKind.ACK, {"by": "Ada", "text": "I have it"}),
        Record("bird-open", now - 200, RecordKind.NOTE, {"by": HOSTILE[:60], "text": HOSTILE[:2000]}),
    ]
    failures = tuple(_failure(ACCOUNT, now - 600 + n) for n in range(0, 60, 5))
    return {"incidents": heads, "acts": (ticket, page, hotline), "attempts": results, "records": tuple(records),
            "failures": failures, "figures": tuple(_minutes(now))}  # fmt: skip


OPENING = {
    "severity": "critical",
    "condition": "unavailable",
    "scope": "",
    "bad": 60,
    "reasons": {"http_status_503": 60},
}
FACTS = {"service": "bird", "title": "Bird Email", "condition": "unavailable", "severity": "critical"}


def _trail(incident: str, raised: int, recovered: int, closed: int) -> Iterator[Record]:
    yield Record(incident, raised, RecordKind.OPENED, {**OPENING, "onset": raised - 60})
    if recovered:
        yield Record(incident, recovered, RecordKind.RECOVERED, {})
    if closed:
        yield Record(incident, closed, RecordKind.CLOSED, {"by": "Ada", "text": "agreed"})


def _failure(key: SeriesKey, second: int) -> Failure:
    seen = Observation(
        Kind.HTTP,
        Stage.DONE,
        unmet="status",
        code=503,
        text=HOSTILE[:200],
        headers=(("x-hostile", HOSTILE[:500]),),
        body=HOSTILE.encode(),
        begun=second * 10**9,
    )
    transcript = f"> GET /account HTTP/1.1\n< HTTP/1.1 503 {HOSTILE}"
    return Failure(key, second, second * 10**9, Fault.SERVER_ERROR, "http_status_503", seen, transcript)


def open_incident(now: int) -> dict[str, Any]:
    """The head of the open incident, as the link carries it."""
    return {
        "id": "bird-open",
        "service": "bird",
        "severity": "critical",
        "phase": "open",
        "episode": 1,
        "conditions": [{"condition": "unavailable", "scope": "", "onset": now - 600}],
        "opened": now - 540,
        "onset": now - 600,
        "ticket": "T-4711",
        "clocks": [
            {"name": "first_response", "state": "running", "due": now + 900},
            {"name": "resolution", "state": "running", "due": now - 60},
        ],
    }


def _minutes(now: int) -> Iterator[FigureRow]:
    """How long calls took in each minute of the hour before the last half of one."""
    for start in range(now - HOUR - now % 60, now - HOUR // 2, 60):
        for service, columns in (("bird", (("api", ""), ("smtp", ""))), ("aivo", (("api", "send"),))):
            counts, totals = array("I", bytes(4 * ROWS * len(columns))), array("Q", bytes(8 * len(columns)))
            for column in range(len(columns)):
                for n in range(60):
                    took = (40 + 7 * column + start // 60 % 13 + n % 20) * (8 if n > 57 else 1)  # ms
                    counts[bucket_of(took * 10**6) * len(columns) + column] += 1
                    totals[column] += took * 1000
            longest = array("Q", [480_000] * len(columns))
            block = Block(columns, counts.tobytes(), totals.tobytes(), longest.tobytes())
            yield FigureRow(service, Scope.CHANNELS, 60, start, columns, block.body())
