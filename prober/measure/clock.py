"""Time as the measuring process has it: three clocks of the machine, and the UTC grid anchored to the monotonic one."""

import time
from typing import Protocol

NS = 1_000_000_000


class Clock(Protocol):
    """Readings in ns. Tests move them by hand."""

    def monotonic(self) -> int: ...

    def realtime(self) -> int: ...

    def boottime(self) -> int: ...


class SystemClock:
    """The machine's clocks. Two are builtins as they are: they are read several times a call."""

    monotonic = staticmethod(time.monotonic_ns)
    realtime = staticmethod(time.time_ns)

    def boottime(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Grid:
    """UTC by the monotonic clock: durations never jump, and a step of the wall clock is an event, not a surprise.

    `follow` takes up the small differences by which the wall clock is slewed, and the large ones of a step once that has been
    dealt with.
    """

    __slots__ = ("_offset",)

    def __init__(self, monotonic: int, realtime: int) -> None:
        self._offset = realtime - monotonic

    def utc(self, monotonic: int) -> int:
        return monotonic + self._offset

    def monotonic(self, utc: int) -> int:
        return utc - self._offset

    def follow(self, monotonic: int, realtime: int) -> None:
        self._offset = realtime - monotonic
