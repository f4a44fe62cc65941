"""How long calls took in the last hour, by minute: the newest call of each endpoint, looked at once a second.

What lies before this process's start comes from the store's minutes (`seed`). Only calls that succeeded count: how long
a call hung before it failed is in its evidence.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil

from prober.board import Column
from prober.store import SeriesKey
from prober.web.view import View

#: Minutes that are kept: an hour touches so many.
_MINUTES = 61


@dataclass(frozen=True, slots=True)
class Took:
    """How long calls took in a minute. `minute`: unix minutes; the others milliseconds."""

    minute: int
    p50: float
    p95: float
    longest: float


@dataclass(slots=True)
class _Line:
    past: "deque[Took]" = field(default_factory=lambda: deque(maxlen=_MINUTES - 1))
    minute: int = 0
    times: list[float] = field(default_factory=list)  # of the minute, ms

    def add(self, minute: int, time: float) -> None:
        if minute != self.minute:
            if (took := self.current()) is not None:
                self.past.append(took)
            self.minute, self.times = minute, []
        self.times.append(time)

    def current(self) -> Took | None:
        if not self.times:
            return None
        times = sorted(self.times)
        return Took(self.minute, _at(times, 0.5), _at(times, 0.95), round(times[-1], 1))


class Pulse:
    """Takes a look when told to; `now` and instants are UTC seconds."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._seen: dict[SeriesKey, float] = {}  # when the newest call that was looked at ended
        self._lines: dict[SeriesKey, _Line] = {}

    def look(self, wanted: Mapping[SeriesKey, object]) -> None:
        """Note the newest call of each endpoint in `wanted`, for it and for its channel, if it has ended since."""
        board = self._view.board
        if board is None:
            return
        for index, (service, channel, endpoint, _) in enumerate(board.keys):
            key = SeriesKey(service, channel, endpoint)
            if key not in wanted:
                continue
            row = board.row(index)
            ended = row[Column.ENDED]
            if not ended or ended == self._seen.get(key) or not row[Column.SUCCESS]:
                continue
            self._seen[key] = ended
            for line in (key, SeriesKey(service, channel)):
                self._lines.setdefault(line, _Line()).add(int(ended) // 60, row[Column.DURATION] * 1000)

    def minutes(self, key: SeriesKey, since: int) -> list[Took]:
        """The minutes of a series that end after `since`, oldest first; the last may be under way."""
        line = self._lines.get(key)
        if line is None:
            return []
        now = line.current()
        return [took for took in (*line.past, *([now] if now else [])) if (took.minute + 1) * 60 > since]

    def seed(self, key: SeriesKey, minutes: Iterable[Took]) -> None:
        """What is on record of a series' minutes; what was looked at here goes before it."""
        line = self._lines.setdefault(key, _Line())
        known = {took.minute: took for took in (*minutes, *line.past) if took.minute != line.minute}
        line.past = deque((known[minute] for minute in sorted(known)), maxlen=_MINUTES - 1)

    def forget(self, wanted: Mapping[SeriesKey, object]) -> None:
        """Of series that are not among `wanted` any more."""
        channels = {SeriesKey(key.service, key.channel) for key in wanted}
        self._lines = {key: line for key, line in self._lines.items() if key in wanted or key in channels}
        self._seen = {key: ended for key, ended in self._seen.items() if key in wanted}


def _at(times: list[float], share: float) -> float:
    """The nearest-rank quantile of sorted times."""
    return round(times[max(0, ceil(share * len(times)) - 1)], 1)
