"""The board: the newest facts of every endpoint in memory that both processes see.

The measuring process writes a call's figures here as it ends (a few stores, no message, no lock); the serving process reads
them when somebody scrapes. One row an endpoint, one column a figure, all float64, so that a single figure is never torn.
The memory is a memfd that the serving process opens through /proc; it goes with the measuring process.
"""

import mmap
import os
from collections.abc import Sequence
from enum import IntEnum

from rules.model import Fault, Kind


class Column(IntEnum):
    """Columns of a row. Instants are UTC seconds, durations seconds; NaN never occurs, 0 is "none yet"."""

    ENDED = 0  # UTC seconds at which the newest call ended; 0: none has
    SUCCESS = 1
    DURATION = 2
    CODE = 3
    CERT_EXPIRY = 4  # unix seconds
    CALLS = 5  # five columns: calls by fault, in the order of FAULTS
    MISSED = 10  # calls due and not made
    PHASE = 11  # as many columns as the longest of rules.model.PHASES; -1: not reached
    FAILED = 23  # UTC seconds at which the newest failed call began; 0: none has failed
    FAILED_TOOK = 24
    FAILED_FAULT = 25  # its place in FAULTS
    FAILED_REASON = 26  # its place in rules.reasons.REASONS
    VERSION = 27  # of HTTP in the newest reply; 0: none has come


FAULTS: tuple[Fault, ...] = tuple(Fault)
WIDTH = Column.VERSION + 1


class Board:
    """Rows of `WIDTH` float64, one an endpoint, in the order of `keys`.

    `keys` are (service, channel, endpoint, kind). Make one with `create`; the other process calls `open` with `path`.
    """

    def __init__(self, fd: int, keys: Sequence[tuple[str, str, str, Kind]], *, writable: bool) -> None:
        size = max(1, len(keys)) * WIDTH * 8
        self._fd = fd
        self.keys = tuple(keys)
        self._map = mmap.mmap(fd, size, access=mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ)
        self.cells = memoryview(self._map).cast("d")

    @classmethod
    def create(cls, keys: Sequence[tuple[str, str, str, Kind]]) -> "Board":
        fd = os.memfd_create("prober-board", os.MFD_CLOEXEC)
        os.ftruncate(fd, max(1, len(keys)) * WIDTH * 8)
        return cls(fd, keys, writable=True)

    @classmethod
    def open(cls, path: str, keys: Sequence[tuple[str, str, str, Kind]]) -> "Board":
        return cls(os.open(path, os.O_RDONLY | os.O_CLOEXEC), keys, writable=False)

    @property
    def path(self) -> str:
        """Where another process of the same user finds the memory while this one lives."""
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    def row(self, index: int) -> Sequence[float]:
        start = index * WIDTH
        return self.cells[start : start + WIDTH].tolist()

    def close(self) -> None:
        self.cells.release()
        self._map.close()
        os.close(self._fd)
