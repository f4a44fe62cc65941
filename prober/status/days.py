"""The days behind a service's seconds: how many were available, unavailable, inconclusive and not measured.

Closed seconds never change (DESIGN.md, invariant 1), so a day is summed up once, and of today only what is new is read.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prober.status.states import measured
from prober.store import Reader, SeriesKey
from rules.model import Verdict
from rules.timeline import Run, cut, sums

DAY = 86_400
#: Days that are shown, today included.
SHOWN = 90


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day, from its first second `start` (UTC seconds) to now, if it is today. Counts are seconds."""

    start: int
    available: int = 0
    unavailable: int = 0
    inconclusive: int = 0

    @property
    def measured(self) -> int:
        return self.available + self.unavailable + self.inconclusive

    @property
    def date(self) -> str:
        return dt.datetime.fromtimestamp(self.start, dt.UTC).strftime("%Y-%m-%d")

    def unmeasured(self, until: float) -> int:
        """Seconds of the day before UTC second `until`, at which its last seconds are yet to close, of which nothing is known."""
        return max(0, min(DAY, int(until) - self.start) - self.measured)


def uptime(days: Iterable[Day]) -> float | None:
    """The share of measured seconds that were not unavailable; None when none was measured."""
    known = list(days)
    total = sum(day.measured for day in known)
    return 1 - sum(day.unavailable for day in known) / total if total else None


def percent(share: float | None) -> str:
    """In words, never rounded up: 100 % says that no second was unavailable."""
    return (
        "not measured" if share is None else f"{int(share * 100_000 + 1e-6) / 1000:.3f}".rstrip("0").rstrip(".") + " %"
    )


class Ledger:
    """The days of one series, kept up to date by `read`."""

    def __init__(self, key: SeriesKey) -> None:
        self._key = key
        self._through = 0  # first second (UTC) that is not read yet
        self._days: dict[int, dict[Verdict, int]] = {}

    def read(self, reader: Reader, now: int) -> None:
        """Take in what was closed since, of the days that are shown at UTC second `now`."""
        first = now // DAY * DAY - (SHOWN - 1) * DAY
        since = max(first, self._through)
        closed = reader.closed(self._key.service)
        if closed is None or closed < since:
            return
        for run in reader.runs(self._key, since, closed + 1):
            self._add(run)
        self._through = closed + 1
        self._days = {start: counts for start, counts in self._days.items() if start >= first}

    def _add(self, run: Run) -> None:
        assert run.end is not None  # what a reader gives has an end
        start = run.start
        while start < run.end:
            day = start // DAY * DAY
            end = min(run.end, day + DAY)
            counts = self._days.setdefault(day, dict.fromkeys(Verdict, 0))
            for verdict, n in sums(cut((run,), start, end)).items():
                counts[verdict] += n
            start = end

    def until(self, now: int, lag: int) -> int:
        """The first UTC second that may still be measured: seconds close up to `lag` seconds late, what is older never will."""
        return self._through if now - lag <= self._through <= now else now

    def days(self, now: int) -> tuple[Day, ...]:
        """The days shown, oldest first, today last."""
        today = now // DAY * DAY
        return tuple(
            _day(start, self._days.get(start, {})) for start in range(today - (SHOWN - 1) * DAY, today + 1, DAY)
        )


def recent(reader: Reader, key: SeriesKey, now: int, seconds: int, lag: int) -> dict[Verdict, int] | None:
    """The newest closed `seconds` of a series by verdict; None when nothing was closed of late (at UTC second `now`).

    Seconds close up to `lag` seconds late: as long as a call may take.
    """
    closed = reader.closed(key.service)
    if closed is None or closed < now - seconds - lag:
        return None
    found = sums(reader.runs(key, closed + 1 - seconds, closed + 1))
    return found if measured(found) else None


def _day(start: int, counts: Mapping[Verdict, int]) -> Day:
    return Day(
        start,
        counts.get(Verdict.AVAILABLE, 0),
        counts.get(Verdict.UNAVAILABLE, 0),
        counts.get(Verdict.INCONCLUSIVE, 0),
    )
