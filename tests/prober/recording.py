"""A small measuring process for the tests of the store: closes seconds and makes transactions of them."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from prober.store import Failure, SeriesKey, SeriesRun, Store, Transaction, Writer
from rules.acts import Act, ActKind
from rules.model import Cell, Fault, Kind, Observation, Stage, Verdict
from rules.timeline import RunBuilder

T0 = 1_795_341_600  # 2026-11-22T10:00:00Z
SERVICE, API, SMTP = SeriesKey("bird"), SeriesKey("bird", "api"), SeriesKey("bird", "smtp")
ACCOUNT = SeriesKey("bird", "api", "account")
OK = Cell(Verdict.AVAILABLE, "ok", 1, ((Fault.NONE, 1),))
DOWN = Cell(Verdict.UNAVAILABLE, "http_status_503", 2, ((Fault.SERVER_ERROR, 2),))
MIXED = Cell(Verdict.AVAILABLE, "ok", 3, ((Fault.NONE, 2), (Fault.OTHER, 1)))
NO_CALL = Cell(Verdict.UNMEASURED, "no_call", 0)


class Recorder:
    """Turns closed seconds into transactions, as the measuring process does, from second `start` on."""

    def __init__(self, start: int = T0, periods: Mapping[SeriesKey, int] | None = None) -> None:
        self.next = start
        self.builders = {key: RunBuilder(n) for key, n in (periods or {SERVICE: 1, API: 1}).items()}
        self.written: dict[SeriesKey, object] = {}

    def close(self, cells: Mapping[SeriesKey, Cell], **more: Any) -> Transaction:
        """The transaction of the next second, in which each series was what `cells` says."""
        rows = []
        for key, cell in cells.items():
            builder = self.builders[key]
            if closed := builder.feed(self.next, cell):
                rows.append(SeriesRun(key, closed))
            if builder.open is not self.written.get(key):
                self.written[key] = run = builder.open
                assert run is not None
                rows.append(SeriesRun(key, run))
        self.next += 1
        return Transaction(closed={"bird": self.next - 1}, runs=tuple(rows), **more)

    def all(self, cell: Cell, seconds: int = 1) -> Transaction:
        """The newest of `seconds` transactions, merged with the others, all series alike."""
        from prober.store.values import merge

        whole = Transaction()
        for _ in range(seconds):
            whole = merge(whole, self.close(dict.fromkeys(self.builders, cell)))
        return whole


class Waiter:
    """A `done` that can be waited for: `Waiter().result()` is what it was told."""

    def __init__(self) -> None:
        self.told: list[Exception | None] = []
        self._event = threading.Event()

    def __call__(self, error: Exception | None) -> None:
        self.told.append(error)
        self._event.set()

    def result(self) -> Exception | None:
        assert self._event.wait(20), "nobody was told"
        return self.told[0]


def write(path: Path, *work: Transaction, **options: Any) -> None:
    """Puts transactions into the store at `path`, each on disk before this returns."""
    writer = Writer(Store.open(path), **options)
    writer.start()
    for each in work:
        writer.submit(each)
    assert writer.stop(), writer.health()


def until(holds: Callable[[], bool]) -> None:
    """Waits until `holds()`, 20 s at most."""
    ticks = threading.Event()
    for _ in range(2000):
        if holds():
            return
        ticks.wait(0.01)
    raise AssertionError("it did not come to hold")


def act(step: str = "open", kind: ActKind = ActKind.PAGE, after: str = "", **facts: Any) -> Act:
    return Act("bird-1", 1, kind, step, ("on_call.webhook-1",), T0, after, facts)


def failure(second: int = T0, body: bytes = b"sorry", **more: Any) -> Failure:
    seen = Observation(
        Kind.HTTP,
        Stage.DONE,
        unmet="status",
        code=503,
        body=body,
        headers=(("retry-after", "3"),),
        begun=second * 10**9,
    )
    return Failure(ACCOUNT, second, second * 10**9, Fault.SERVER_ERROR, "http_status_503", seen, **more)
