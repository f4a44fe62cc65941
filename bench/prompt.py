"""How prompt the whole program is, in its two processes: acts after the second that decides them, the first call, pages."""

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import program, receivers
from bench.calls import ground
from bench.meters import percentile
from bench.settings import Settings
from bench.table import Row

_MS = 1000.0
#: Seconds of the window of persistence; at a share of 0.9 all of them must be unavailable.
WINDOW = 5
_PATIENCE = 30.0  # seconds


class Outages:
    """An API whose path /N answers 503 from second `begins[N]` on, and stamps of what the acts' receivers got."""

    def __init__(self) -> None:
        self.begins: list[int] = []
        self.arrived: dict[str, list[float]] = {"mail": [], "page": [], "hotline": []}
        self._changed = threading.Condition()

    def seen(self, path: str, at: float) -> int:
        """What the receivers' `Seen` is to be."""
        kind = path.strip("/")
        if kind.isdigit():
            number = int(kind)
            return 503 if number < len(self.begins) and at >= self.begins[number] else 200
        with self._changed:
            self.arrived[kind].append(at)
            self._changed.notify_all()
        return 200

    def wait(self, count: int, within: float) -> None:
        """Until `count` mails and pages have come. Raises RuntimeError when they do not."""
        with self._changed:
            if not self._changed.wait_for(lambda: all(len(x) >= count for x in self.arrived.values()), within):
                raise RuntimeError(f"{ {k: len(v) for k, v in self.arrived.items()} } acts of {count} have arrived")


def acts(settings: Settings) -> Iterator[Row]:
    """From the decisive second closed to the ticket's and the page's first byte, one service after another."""
    outages = Outages()
    count = settings.samples
    with (
        tempfile.TemporaryDirectory(prefix="prober-bench-") as folder,
        receivers.http(outages.seen) as port,
        receivers.mailbox(outages.seen) as mail,
    ):
        ticket = {"email": {"to": "support@vendor.example", "from": "oncall@example.com"}}
        services = {
            f"vendor{n}": program.service(
                {"api": [{"name": "api", "url": f"http://127.0.0.1:{port}/{n}"}]},
                mode="act",
                persistence={"for": f"{WINDOW}s"},
                tickets=[ticket],
                hotline=[{"webhook": {"url": f"http://127.0.0.1:{port}/hotline"}}],
            )
            for n in range(count)
        }
        given = program.configuration(
            {},
            services=services,
            relays=[{"host": "127.0.0.1", "port": mail, "tls": "none"}],
            on_call=[{"webhook": {"url": f"http://127.0.0.1:{port}/page"}}],
        )
        with program.running(Path(folder), given) as running:
            running.wait_until('prober_seconds_total{.*"available".*}', 2 * count * (WINDOW + 1))
            first = int(time.time()) + 2
            outages.begins = [first + 2 * n for n in range(count)]
            outages.wait(count, 2 * count + WINDOW + _PATIENCE)
    decided = [begin + WINDOW for begin in outages.begins]  # the instant at which the last second of the window is past
    for kind, name in (("mail", "ticket (e-mail)"), ("page", "page (webhook)")):
        late = [(at - when) * _MS for at, when in zip(sorted(outages.arrived[kind]), decided, strict=False)]
        figure = statistics.median(late)
        note = f"median of {count}, worst {max(late):.0f}; from the end of the second, so that closing it is in it"
        yield Row(f"decisive second to first byte of the {name}", "ms", figure, {}, "100", figure <= 100, note)


def start(settings: Settings) -> Iterator[Row]:
    """From the start of the process to the first call's first byte, at any instant of a second."""
    took: list[float] = []
    with tempfile.TemporaryDirectory(prefix="prober-bench-") as name:
        for turn in range(settings.samples):
            took.append(_start(Path(name), turn / settings.samples))
            settings.say(f"  {turn + 1}/{settings.samples}: {took[-1]:.2f} s")
    figure = statistics.median(took)
    note = (
        f"one endpoint; median of {len(took)}, {min(took):.2f} to {max(took):.2f}: up to 1 s is its place in the second"
    )
    yield Row("start to the first call", "s", figure, {}, "1.5", figure <= 1.5, note)


def _start(folder: Path, phase: float) -> float:
    called = threading.Event()
    stamp: list[float] = []

    def seen(_path: str, at: float) -> int:
        stamp.append(at)
        called.set()
        return 200

    with receivers.http(seen) as port:
        given: dict[str, Any] = program.configuration({"api": program.endpoints(1, port)})
        time.sleep((phase - time.time()) % 1.0)
        begin = time.time()
        with program.running(folder, given):
            if not called.wait(_PATIENCE):
                raise RuntimeError("no call came")
    return stamp[0] - begin


def metrics(settings: Settings) -> Iterator[Row]:
    """/metrics with a thousand endpoints, figures of each."""
    with ground(settings) as here:
        given = program.configuration({"api": program.endpoints(1000, here.web.plain)})
        with program.running(here.folder, given) as running:
            running.wait_until("prober_seconds_total{.*available.*}", 6)
            took: list[float] = []
            size = 0
            for _ in range(40):
                begin = time.perf_counter()
                size = len(running.metrics())
                took.append((time.perf_counter() - begin) * _MS)
                time.sleep(0.05)
    figure = statistics.median(took)
    note = f"median of {len(took)}, p95 {percentile(took, 0.95):.0f}; {size / 1e6:.1f} MB; while all are called every second"
    yield Row("/metrics with 1,000 endpoints", "ms", figure, {}, "100", figure <= 100, note)
