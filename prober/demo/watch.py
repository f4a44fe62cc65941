"""What the prober has made of it, read from its store as anybody may: closed seconds, and the incident's trail."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prober.demo.modes import Channel
from prober.store import NoStoreError, Reader, SeriesKey
from prober.store.reader import StoredRecord
from rules.model import Cell


@dataclass(frozen=True, slots=True)
class Second:
    """A closed second (UTC): the service's cell, and each channel's."""

    second: int
    service: Cell
    channels: Mapping[Channel, Cell]


@dataclass(frozen=True, slots=True)
class News:
    """What is in the store since the last look, in order."""

    seconds: tuple[Second, ...] = ()
    records: tuple[StoredRecord, ...] = ()


class Watch:
    """Looks into the store of a prober that runs, again and again. Use it in one thread."""

    def __init__(self, path: Path, service: str) -> None:
        self._path = path
        self._service = service
        self._reader: Reader | None = None
        self._next = 0  # the first second not seen
        self._records: dict[str, int] = {}  # by incident, how many were seen

    def look(self) -> News:
        """Nothing until the prober has made its store. Raises StoreError when the store fails."""
        reader = self._open()
        if reader is None:
            return News()
        closed = reader.closed(self._service)
        seconds = self._seconds(reader, closed) if closed is not None else ()
        found: list[StoredRecord] = []
        for head in reader.incidents(self._service):
            records = reader.records(head.id)
            found += records[self._records.get(head.id, 0) :]
            self._records[head.id] = len(records)
        return News(seconds, tuple(found))

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _open(self) -> Reader | None:
        if self._reader is None:
            try:
                self._reader = Reader(self._path)
            except NoStoreError:
                return None
        return self._reader

    def _seconds(self, reader: Reader, closed: int) -> tuple[Second, ...]:
        since, until = self._next, closed + 1
        by_channel = {
            channel: dict(reader.seconds(SeriesKey(self._service, channel.value), since, until)) for channel in Channel
        }
        found = tuple(
            Second(second, cell, {channel: cells[second] for channel, cells in by_channel.items() if second in cells})
            for second, cell in reader.seconds(SeriesKey(self._service), since, until)
        )
        self._next = until
        return found
