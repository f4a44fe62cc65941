"""What is measured of processes (CPU time, memory), and how figures of several rounds become one."""

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: One figure of one round, microseconds mostly.
Take = Callable[[], float]


def cpu_ns(pid: int) -> int:
    """CPU time that process `pid` has had, user and system, all threads, ns. Raises OSError once it is gone.

    The clock of another process (clock_getcpuclockid(3)); `/proc/PID/stat` counts in steps of 10 ms.
    """
    return time.clock_gettime_ns((~pid << 3) | 2)


def rss_bytes(pid: int) -> int:
    """Resident memory of process `pid`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of a call, µs: all of it, and the part that the kernel had."""

    total: float
    system: float = 0.0


def system_share(pid: int, before: tuple[int, int] = (0, 0)) -> tuple[int, int]:
    """(user, system) ticks of process `pid` since `before`."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) - before[0], int(fields[12]) - before[1]


def rounds(takes: Mapping[str, Take], times: int, say: Callable[[str], None]) -> dict[str, float]:
    """The median of each figure over `times` rounds; A B A B, so that a noisy machine is noisy for all alike."""
    found: dict[str, list[float]] = {name: [] for name in takes}
    for turn in range(times):
        for name, take in takes.items():
            figure = take()
            found[name].append(figure)
            say(f"  round {turn + 1}/{times}  {name}: {figure:.1f}")
    return {name: statistics.median(figures) for name, figures in found.items()}


def percentile(figures: Sequence[float], share: float) -> float:
    """The figure below or at which `share` of all lie."""
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def slope(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Least squares through (x, y): the slope, and its standard error. Needs three points."""
    n = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    rise = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    rest = sum((y - mean_y - rise * (x - mean_x)) ** 2 for x, y in points)
    return rise, (rest / (n - 2) / spread) ** 0.5


def end(process: "subprocess.Popen[bytes] | subprocess.Popen[str]", within: float = 15.0) -> None:
    """SIGTERM, and SIGKILL for what does not end by it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(within)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
