"""The last hour as a grid of 61 rows of 60 cells: a row is a minute, and equal seconds together are one shape.

The first row begins with the oldest of 3,600 seconds and the last ends with the newest, so both are mostly part ones.
Each cell is one unit of the picture; how it looks is its verdict's pattern, a tile of one unit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log10

from prober.web.hour import HOUR, Stretch
from prober.web.pulse import Took
from rules.model import Verdict

ROWS = 61


@dataclass(frozen=True, slots=True)
class Frame:
    """The hour that is shown: seconds [first, end), UTC. `top` is the unix minute of the first row."""

    end: int

    @property
    def first(self) -> int:
        return self.end - HOUR

    @property
    def top(self) -> int:
        return self.first // 60


def paths(stretches: Iterable[Stretch], frame: Frame) -> dict[str, str]:
    """For each verdict that occurs, the path of its cells."""
    found: dict[Verdict, list[str]] = {}
    for first, end, cell in stretches:
        found.setdefault(cell.verdict, []).extend(_boxes(max(first, frame.first), min(end, frame.end), frame.top))
    return {verdict.value: "".join(found[verdict]) for verdict in Verdict if found.get(verdict)}


def _boxes(first: int, end: int, top: int) -> Iterable[str]:
    """A stretch as boxes: the rest of its first row, whole rows, and what is left."""
    while first < end:
        row, column = divmod(first, 60)
        if column == 0 and end - first >= 60:
            rows = (end - first) // 60
            yield f"M0 {row - top}h60v{rows}H0z"
            first += 60 * rows
        else:
            wide = min(60 - column, end - first)
            yield f"M{column} {row - top}h{wide}v1h-{wide}z"
            first += wide


def packed(stretches: Iterable[Stretch], frame: Frame) -> tuple[list[list[object]], str]:
    """The same for the script: the cells that occur, and "INDEX*SECONDS ..." from the frame's first second on.

    Index -1 stands for seconds of which nothing is known.
    """
    kinds: dict[object, int] = {}
    rows: list[list[object]] = []
    parts: list[str] = []
    at = frame.first
    for begun, ended, cell in stretches:
        first, end = max(begun, frame.first), min(ended, frame.end)
        if end <= first:
            continue
        if first > at:
            parts.append(f"-1*{first - at}")
        if cell not in kinds:
            kinds[cell] = len(rows)
            rows.append([cell.verdict.value, cell.reason, cell.calls, {f.value: n for f, n in cell.faults}])
        parts.append(f"{kinds[cell]}*{end - first}")
        at = end
    return rows, " ".join(parts)


def bars(minutes: Sequence[Took], frame: Frame) -> dict[str, str]:
    """The minutes' times as paths, a row a minute: to the median, from there to the 95th percentile, the longest."""
    p50, p95, longest = [], [], []
    for took in minutes:
        row = took.minute - frame.top
        if 0 <= row < ROWS:
            a, b, c = scale(took.p50), scale(took.p95), scale(took.longest)
            p50.append(f"M0 {row}h{a}v1H0z")
            p95.append(f"M{a} {row}h{round(b - a, 1)}v1H{a}z")
            longest.append(f"M{c} {row}h1v1h-1z")
    return {"p50": "".join(p50), "p95": "".join(p95), "longest": "".join(longest)}


def scale(milliseconds: float) -> float:
    """Where a time stands: 1 ms at 0, 10 ms at 25, 100 ms at 50, 1 s at 75, 10 s at 100 and what is longer too."""
    return round(min(100.0, max(0.0, 25 * log10(max(milliseconds, 1.0)))), 1)
