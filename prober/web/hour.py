"""The newest closed seconds of every series: from the store, and from the link what has closed since it was written.

Endpoints' seconds are in the store alone, so they follow their channel's by a commit, a second at most.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from prober import logs
from prober.link import Message
from prober.settings import Settings
from prober.store import NoStoreError, Reader, SeriesKey, StoreError
from prober.web.stored import Stored
from rules.model import Cell, Fault, Verdict

log = logs.get("web")

#: What the live view shows, seconds.
HOUR = 3600
#: Endpoints of one service, and in all, that it shows: the first of the configuration.
MOST_ENDPOINTS = 50
MOST_IN_ALL = 200
#: Seconds of each service that are kept from the link, for while the store fails.
_KEPT = 600
#: A second that the link has not told is waited for so long, in seconds: the store has it soon.
_PATIENCE = 15
_END = 1 << 62

#: (first second, one past the last, what they all were), UTC.
Stretch: TypeAlias = tuple[int, int, Cell]


def shown(settings: Settings) -> dict[str, tuple[SeriesKey, ...]]:
    """By service, the series that are shown: its own, its channels', and as many endpoints as there is room for."""
    found = {}
    left = MOST_IN_ALL
    for name, service in settings.services.items():
        channels = [(c, e) for c, e in (("api", service.channels.api), ("smtp", service.channels.smtp)) if e]
        endpoints = [SeriesKey(name, channel, each.name) for channel, some in channels for each in some]
        endpoints = endpoints[: min(MOST_ENDPOINTS, left)]
        left -= len(endpoints)
        keys = [SeriesKey(name)]
        for channel, _ in channels:
            keys += [SeriesKey(name, channel), *(key for key in endpoints if key.channel == channel)]
        found[name] = tuple(keys)
    return found


class Newest:
    """What the link told of the newest seconds."""

    def __init__(self) -> None:
        self._seconds: dict[str, deque[tuple[int, Mapping[str, Cell]]]] = {}

    def take(self, message: Message) -> None:
        """A message `second`. Raises KeyError, TypeError or ValueError for one that is not right."""
        service, second = str(message["service"]), int(message["second"])
        cells = {str(name): _cell(*told) for name, told in message["cells"].items()}
        kept = self._seconds.setdefault(service, deque(maxlen=_KEPT))
        if not kept or kept[-1][0] < second:
            kept.append((second, cells))

    def last(self, service: str) -> int | None:
        kept = self._seconds.get(service)
        return kept[-1][0] if kept else None

    def of(self, key: SeriesKey) -> tuple[int, Cell] | None:
        """The newest second of a service or a channel; of an endpoint nothing is known here."""
        kept = self._seconds.get(key.service)
        return (
            (kept[-1][0], kept[-1][1][key.channel])
            if kept and not key.endpoint and key.channel in kept[-1][1]
            else None
        )

    def after(self, key: SeriesKey, second: int) -> Iterator[Stretch]:
        """What closed after `second`, up to what the link has left out; endpoints' seconds it never tells."""
        if key.endpoint:
            return
        kept = self._seconds.get(key.service, ())
        newest = kept[-1][0] if kept else 0
        for at, cells in kept:
            if at <= second or key.channel not in cells:
                continue
            if at > second + 1 and newest - second <= _PATIENCE:
                return
            yield at, at + 1, cells[key.channel]
            second = at


class Seconds:
    """Both together. `why` says why the store was of no use at the last question; "" when it was."""

    def __init__(self, stored: Stored, newest: Newest) -> None:
        self._stored = stored
        self._newest = newest
        self.why = ""

    async def after(self, marks: Mapping[SeriesKey, int]) -> dict[SeriesKey, list[Stretch]]:
        """What closed after each series' mark (a UTC second), in order, equal seconds together."""
        found: dict[SeriesKey, list[Stretch]] = {key: [] for key in marks}
        try:
            found = await self._stored.ask(lambda reader: _read(reader, marks))
        except StoreError as error:
            why = "nothing is recorded yet" if isinstance(error, NoStoreError) else f"the store cannot be read: {error}"
            if why != self.why:
                log.warning("the live view goes without the store: %s", error)
            self.why = why
        else:
            self.why = ""
        for key, stretches in found.items():
            reached = stretches[-1][1] - 1 if stretches else marks[key]
            for stretch in self._newest.after(key, reached):
                _append(stretches, stretch)
        return found


def _read(reader: Reader, marks: Mapping[SeriesKey, int]) -> dict[SeriesKey, list[Stretch]]:
    return {key: list(reader.stretches(key, mark + 1, _END)) for key, mark in marks.items()}


def _append(stretches: list[Stretch], one: Stretch) -> None:
    if stretches and stretches[-1][1] == one[0] and stretches[-1][2] == one[2]:
        stretches[-1] = (stretches[-1][0], one[1], one[2])
    else:
        stretches.append(one)


def _cell(verdict: str, reason: str, calls: int, faults: Mapping[str, int] | None = None) -> Cell:
    pairs = tuple((Fault(name), int(n)) for name, n in (faults or {}).items())
    return Cell(Verdict(verdict), str(reason), int(calls), pairs)
