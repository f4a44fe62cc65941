"""Many endpoints at once: ten thousand that are well, a thousand that all hang."""

import contextlib
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench import program, servers
from bench.calls import ground
from bench.lags import quantile
from bench.meters import cpu_ns, end, rss_bytes
from bench.program import ROOT, Program
from bench.settings import Settings
from bench.table import Row
from prober.store import Reader
from rules.model import Verdict

MIB = 1024 * 1024
_MS = 1000.0


def raise_limit(wanted: int) -> int:
    """As many descriptors as `wanted` for this process and its children, or what the machine grants."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return wanted
        wanted = hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def misjudged(store: Path, first: int, last: int, truth: Verdict) -> Counter[str]:
    """Seconds of endpoints, channels and the service from `first` to `last` that are not `truth`, by what they are."""
    wrong: Counter[str] = Counter()
    with Reader(store) as reader:
        for key in reader.series():
            seen = 0
            for start, stop, cell in reader.stretches(key, first, last + 1):
                seen += stop - start
                if cell.verdict is not truth:
                    wrong[f"{cell.verdict.value}/{cell.reason}"] += stop - start
            if seen < last + 1 - first:
                wrong["missing"] += last + 1 - first - seen
    return wrong


def _told(wrong: Counter[str]) -> str:
    return "; " + ", ".join(f"{what} {n}" for what, n in wrong.most_common(3)) if wrong else ""


def _settled(running: Program, second: int) -> None:
    """Until the store holds second `second`. Raises RuntimeError when it does not come to."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with Reader(running.store) as reader:
            if (reader.closed("vendor") or 0) >= second:
                return
        time.sleep(0.2)
    raise RuntimeError(f"second {second} is not closed 30 s later")


def healthy(settings: Settings) -> Iterator[Row]:
    """All of them on kept connections, once a second, beside a bare timer."""
    count, seconds = settings.many, settings.many_seconds
    raise_limit(2 * count)
    with ground(settings) as here:
        ours, bare = here.folder / "ours.json", here.folder / "bare.json"
        given = program.configuration({"api": program.endpoints(count, here.web.plain, connection="reuse")})
        timer = subprocess.Popen([sys.executable, "-m", "bench.lags", "timer", str(count), str(bare)], cwd=ROOT)
        try:
            with program.running(here.folder, given, stats=ours) as running:
                running.wait_until(
                    "prober_seconds_total{.*available.*}", 24, within=120
                )  # a dozen seconds: all are connected
                program.until_quiet()
                for process in (timer, running.process):
                    process.send_signal(signal.SIGUSR1)
                first, before = int(time.time()) + 1, cpu_ns(running.pid)
                time.sleep(seconds)
                cpu = (cpu_ns(running.pid) - before) / seconds / 1e9
                memory = rss_bytes(running.pid) / MIB
                last = first + seconds - 2
                _settled(running, last)
                wrong = misjudged(running.store, first, last, Verdict.AVAILABLE)
        finally:
            end(timer)
        name = f"{count} healthy endpoints"
        what = f"{seconds} s, kept, {here.web.program}"
        yield Row(f"{name}: CPU", "cores", cpu, {}, "1", cpu <= 1, what)
        yield Row(f"{name}: RSS", "MiB", memory, {}, "200", memory <= 200)
        bad = wrong.total()
        yield Row(
            f"{name}: seconds skipped or misjudged", "", bad, {}, "0", bad == 0, f"of {count * seconds}{_told(wrong)}"
        )
        for share, text in ((0.5, "p50"), (0.99, "p99")):
            late, peer = quantile(ours, share) * _MS, quantile(bare, share) * _MS
            bar = "within 2 ms of the timer" if share > 0.9 else ""
            met = late - peer <= 2 if bar else None
            yield Row(f"{name}: start lag {text}", "ms", late, {"bare timer": peer}, bar, met)


def hanging(settings: Settings) -> Iterator[Row]:
    """None of them ever answers; a control does."""
    count, seconds = settings.hanging, settings.many_seconds
    limit = raise_limit(20_000)
    timeout = 10
    with ground(settings) as here, servers.ours("hang") as port:
        given = program.configuration(
            {"api": program.endpoints(count, port)},
            controls=[{"name": "web", "url": f"http://127.0.0.1:{here.web.plain}/"}],
        )
        with program.running(here.folder, given) as running:
            running.wait_until('prober_seconds_total{.*"unavailable".*}', 2, within=60)
            first = int(time.time()) - timeout + 1
            early = rss_bytes(running.pid) / MIB
            time.sleep(seconds)
            memory = rss_bytes(running.pid) / MIB
            last = int(time.time()) - timeout - 3
            _settled(running, last)
            wrong = misjudged(running.store, first, last, Verdict.UNAVAILABLE)
        open_calls = count * (timeout + 1)
        bad = wrong.total()
        note = f"of {(last + 1 - first) * count}; up to {open_calls} calls open, {limit} descriptors{_told(wrong)}"
        name = f"{count} endpoints that hang"
        yield Row(f"{name}: seconds skipped or misjudged", "", bad, {}, "0", bad == 0, note)
        yield Row(
            f"{name}: RSS",
            "MiB",
            memory,
            {f"{seconds} s before": early},
            "bounded",
            memory < early + 30,
            "from there 30 MiB",
        )
