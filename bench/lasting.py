"""What stays small over time: a year's store, a page with a year behind it, memory."""

import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from bench import program
from bench.calls import ground
from bench.meters import percentile, rss_bytes, slope
from bench.program import Program
from bench.settings import Settings
from bench.table import Row
from prober.store import Reader, SeriesKey, SeriesRun, Store, Transaction, Writer
from rules.model import Cell, Fault, Verdict
from rules.timeline import Run, RunBuilder

YEAR = 365 * 86_400  # seconds
CHANGES = 1000
SERVICE = "vendor"
_MS, _MB = 1000.0, 1e6
_WELL = Cell(Verdict.AVAILABLE, "ok", 1, ((Fault.NONE, 1),))
_IDLE = Cell(Verdict.UNMEASURED, "no_call", 0)
_DOWN = tuple(
    Cell(Verdict.UNAVAILABLE, reason, 1, ((fault, 1),))
    for reason, fault in (
        ("http_status_503", Fault.SERVER_ERROR),
        ("read_timeout", Fault.SERVER_TIMEOUT),
        ("connect_refused", Fault.SERVER_ERROR),
    )
)


def spells(changes: int, chance: random.Random) -> list[tuple[int, int, Cell]]:
    """Outages that change a year's verdict so often: (first second, past the last, cell), apart and in order."""
    moments = sorted(chance.sample(range(100, YEAR // 10 - 100), changes))
    pairs = zip(moments[::2], moments[1::2], strict=False)
    return [(10 * a, min(10 * b, 10 * a + 10 * chance.randint(1, 60)), chance.choice(_DOWN)) for a, b in pairs]


def runs(every: int, begin: int, outages: list[tuple[int, int, Cell]]) -> Iterator[Run]:
    """A year's closed runs of a series called every so many seconds, by the encoder that the program has.

    Between two changes the encoder is taken up again where it would stand, as after a restart.
    """
    builder = RunBuilder(every)
    edges = [0, *(second for a, b, _ in outages for second in (a, b)), YEAR]
    ends = edges[1:]
    cells = [_WELL, *(cell for _, _, down in outages for cell in (down, _WELL))]
    for first, end, cell in zip(edges[:-1], ends, cells, strict=True):
        second, learned = first, first + 3 * every
        while second < end:
            if second == learned and builder.open is not None and (skip := (end - second) // every * every):
                second += skip
                builder = RunBuilder.resume(every, builder.open, begin + second - 1)
                continue
            for offset in range(min(every, end - second)):
                closed = builder.feed(begin + second + offset, cell if offset == 0 else _IDLE)
                if closed is not None:
                    yield closed
            second += every
    if (last := builder.open) is not None:
        yield Run(last.start, begin + YEAR, last.cycle)


def a_year(path: Path, every: int, end: int) -> int:
    """A store with the year before second `end`: an API endpoint that fails, an SMTP one that does not. Its runs."""
    begin = (end - YEAR) // every * every
    outages = spells(CHANGES, random.Random(every))
    whole = Store.open(path)
    writer = Writer(whole)
    writer.start()
    count = 0
    for key, changing in (
        (SeriesKey(SERVICE), outages),
        (SeriesKey(SERVICE, "api"), outages),
        (SeriesKey(SERVICE, "api", "e0"), outages),
        (SeriesKey(SERVICE, "smtp"), []),
        (SeriesKey(SERVICE, "smtp", "s0"), []),
    ):
        for run in runs(every, begin, changing):
            writer.submit(Transaction(runs=(SeriesRun(key, run),)))
            count += 1
    writer.submit(Transaction(closed={SERVICE: begin + YEAR - 1}))
    if not writer.stop(60):
        raise RuntimeError(f"the year cannot be written: {writer.health().last_error}")
    return count


def store(settings: Settings) -> Iterator[Row]:
    """The size of a year's timeline."""
    with tempfile.TemporaryDirectory(prefix="prober-bench-") as folder:
        empty = Path(folder) / "empty.db"
        Store.open(empty).close()
        for every in (1, 10):
            path = Path(folder) / f"{every}.db"
            count = a_year(path, every, int(time.time()))
            size = sum(part.stat().st_size for part in path.parent.glob(f"{path.name}*")) / _MB
            settings.say(f"  every {every} s: {count} runs, {size:.2f} MB")
            note = f"{count} runs of 5 series; an empty store is {empty.stat().st_size / _MB:.2f} MB"
            name = f"store of a year, {CHANGES} changes, every {every} s"
            yield Row(name, "MB", size, {}, "5", size <= 5, note)


def _lag(running: Program) -> tuple[float, float]:
    text = running.metrics()
    return running.figure("prober_start_lag_seconds_sum", text), running.figure("prober_start_lag_seconds_count", text)


def page(settings: Settings) -> Iterator[Row]:
    """The status page, asked a hundred times a second with a year behind it."""
    seconds, rate = settings.seconds, 100
    with ground(settings) as here:
        path = here.folder / "year.db"
        a_year(path, 1, int(time.time()) - 5)
        given = program.configuration({"api": program.endpoints(100, here.web.plain)})
        with program.running(here.folder, given, store=path) as running:
            running.wait_until("prober_seconds_total{.*available.*}", 4)
            quiet = [_lag(running)]
            time.sleep(seconds)
            quiet.append(_lag(running))
            took, failed = _ask(f"http://{given['listen']}/", seconds, rate)
            busy = [quiet[1], _lag(running)]
    shutil.rmtree(path, ignore_errors=True)
    if failed:
        raise RuntimeError(f"the status page fails: {failed} of {len(took)}")
    means = [(b[0] - a[0]) / max(1, b[1] - a[1]) * _MS for a, b in (quiet, busy)]
    figure = percentile(took, 0.99)
    note = f"median {statistics.median(took):.1f}; mean start lag {means[0]:.2f} ms without, {means[1]:.2f} ms with it"
    yield Row("status page, 100 a second, a year behind it: p99", "ms", figure, {}, "20", figure <= 20, note)


def _ask(url: str, seconds: int, rate: int) -> tuple[list[float], int]:
    """How long (ms) each of `rate` requests a second took, and how many failed."""
    took: list[float] = []
    failed = 0
    with httpx.Client(trust_env=False, timeout=30) as client:
        client.get(url)
        begin = time.perf_counter()
        for number in range(seconds * rate):
            due = begin + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            failed += client.get(url).status_code != 200
            took.append((time.perf_counter() - due) * _MS)
    return took, failed


def memory(settings: Settings) -> Iterator[Row]:
    """Resident memory of the measuring process at 1,000 endpoints, fresh connections."""
    whole = settings.minutes * 60
    warm = min(600.0, whole / 3)
    with ground(settings) as here:
        given = program.configuration({"api": program.endpoints(1000, here.web.plain)})
        with program.running(here.folder, given) as running:
            running.wait_until("prober_seconds_total{.*available.*}", 4)
            begin = time.monotonic()
            time.sleep(warm)
            since = int(time.time())
            points: list[tuple[float, float]] = []
            while (now := time.monotonic() - begin) < whole:
                points.append((now / 3600, rss_bytes(running.pid) / 1024 / 1024))
                time.sleep(1.0)
            changes = _changes(running.store, since)
    rise, error = slope(points)
    change = points[-1][1] - points[0][1]
    note = (
        f"±{error:.1f} over {settings.minutes:.0f} min after {warm:.0f} s; {points[-1][1]:.1f} MiB, {change:+.2f} in it;"
        f" endpoints changed {changes:,} times: late or stalled seconds, each remembered for a while"
    )
    met = rise <= 3 * error or change < 0.5
    yield Row("RSS slope at 1,000 endpoints", "MiB/h", rise, {}, "nil within its noise", met, note)


def _changes(store: Path, since: int) -> int:
    """How often endpoints have changed their verdict from UTC second `since` on: a busy machine makes them."""
    now = int(time.time()) + 1
    with Reader(store) as reader:
        return sum(
            1 for key in reader.series() if key.endpoint for run in reader.runs(key, since, now) if run.start > since
        )
