"""Business hours as values: when an agreement's clock counts, exact to the second (issue: "clocks each with calendar").

A calendar is data alone: the zone's offsets, the hours of each weekday, the days that are holidays. What it says can so be
written down with the state that depends on it, and is the same after a restart, whatever time-zone data the machine then
has (DESIGN.md, invariant 10). `Zone.of` makes the offsets of a tzinfo that somebody else has loaded.

All instants are UTC seconds, spans are seconds during which the calendar is open.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

DAY = 86_400
#: Ordinal of 1970-01-01, a Thursday.
_EPOCH = date(1970, 1, 1).toordinal()
_THURSDAY = 3

#: Opening and closing of one stretch of a day, seconds after its local midnight; closing is not in it.
Hours = tuple[tuple[int, int], ...]
#: Monday first.
Week = tuple[Hours, Hours, Hours, Hours, Hours, Hours, Hours]

ALL_DAY: Hours = ((0, DAY),)
_ALL_WEEK: Week = (ALL_DAY,) * 7


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone as data: from each UTC second of `changes` on, its offset from UTC in seconds (east is positive).

    The first offset holds for all time before the first change too, the last one for all time after.
    """

    name: str
    changes: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        instants = [at for at, _ in self.changes]
        if not instants or instants != sorted(set(instants)):
            raise ValueError(f"zone {self.name}: its changes are not in order, or there is none")

    @classmethod
    def of(cls, zone: tzinfo, name: str, since: int, until: int) -> "Zone":
        """The offsets of `zone` from UTC second `since` to `until`. Two changes within one day are not told apart."""
        changes = [(since, _offset(zone, since))]
        for end in range(since + DAY, until + DAY, DAY):
            offset = _offset(zone, end)
            if offset == changes[-1][1]:
                continue
            low, high = end - DAY, end  # the change is after low, and at high or before
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if _offset(zone, middle) == offset else (middle, high)
            changes.append((high, offset))
        return cls(name, tuple(changes))

    def at(self, second: int) -> tuple[int, int | None]:
        """The offset at a UTC second, and the second at which it ends (None: it does not)."""
        place = bisect_right(self.changes, second, key=lambda change: change[0])
        end = self.changes[place][0] if place < len(self.changes) else None
        return self.changes[max(place - 1, 0)][1], end


def _offset(zone: tzinfo, second: int) -> int:
    offset = datetime.fromtimestamp(second, zone).utcoffset()
    if offset is None:
        raise ValueError("the time zone tells no offset from UTC")
    return round(offset.total_seconds())


UTC = Zone("UTC", ((0, 0),))


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a clock counts: hours by weekday in a zone, save on holidays. `outside`: when these hours are *not*.

    Raises ValueError for hours that are out of order or never open.
    """

    zone: Zone
    week: Week
    holidays: frozenset[date] = frozenset()
    outside: bool = False

    def __post_init__(self) -> None:
        if len(self.week) != len(_ALL_WEEK):
            raise ValueError("a week has seven days")
        for hours in self.week:
            ends = [end for stretch in hours for end in stretch]
            if ends != sorted(ends) or any(a == b for a, b in hours) or not all(0 <= end <= DAY for end in ends):
                raise ValueError("hours must be in order, each closing after it opens, from 0:00 to 24:00")
        if not any(self._of_weekday(day) for day in range(7)):
            raise ValueError("the calendar is never open")

    @property
    def day(self) -> int:
        """The seconds of an open day: what "one day" means to a clock on this calendar (24 h where it is always open)."""
        return max(sum(b - a for a, b in self._of_weekday(day)) for day in range(7))

    def _of_weekday(self, weekday: int) -> Hours:
        return _outside(self.week[weekday]) if self.outside else self.week[weekday]

    def hours_of(self, day: int) -> Hours:
        """The open stretches of a local day, counted from 1970-01-01."""
        if self.holidays and date.fromordinal(_EPOCH + day) in self.holidays:
            return ALL_DAY if self.outside else ()
        return self._of_weekday((day + _THURSDAY) % 7)

    def to_mapping(self) -> dict[str, Any]:
        """Plain data of which `of_mapping` makes an equal calendar."""
        return {
            "zone": self.zone.name,
            "changes": [list(change) for change in self.zone.changes],
            "week": [[list(stretch) for stretch in hours] for hours in self.week],
            "holidays": sorted(day.isoformat() for day in self.holidays),
            "outside": self.outside,
        }

    @classmethod
    def of_mapping(cls, plain: Mapping[str, Any]) -> "Calendar":
        week = tuple(tuple((int(a), int(b)) for a, b in hours) for hours in plain["week"])
        return cls(
            zone=Zone(plain["zone"], tuple((int(at), int(offset)) for at, offset in plain["changes"])),
            week=week,  # type: ignore[arg-type]  # its length is checked when it is made
            holidays=frozenset(map(date.fromisoformat, plain["holidays"])),
            outside=bool(plain["outside"]),
        )


#: Around the clock: every second counts.
ALWAYS = Calendar(UTC, _ALL_WEEK)


def _outside(hours: Hours) -> Hours:
    ends = (0, *(end for stretch in hours for end in stretch), DAY)
    pairs = zip(ends[::2], ends[1::2], strict=True)
    return tuple((a, b) for a, b in pairs if a < b)


def is_open(calendar: Calendar, second: int) -> bool:
    """Whether the UTC second counts."""
    return next(_stretches(calendar, second))[0] == second


def opens(calendar: Calendar, second: int) -> int:
    """The first UTC second from `second` on that counts."""
    return next(_stretches(calendar, second))[0]


def add(calendar: Calendar, start: int, span: int) -> int:
    """The earliest UTC second at which `span` open seconds have passed since `start` (`start` itself for none).

    Raises ValueError for a negative span.
    """
    if span < 0:
        raise ValueError("a clock does not run backwards")
    if span == 0:
        return start
    stretches = _stretches(calendar, start)
    begin, end = next(stretches)
    while span > end - begin:
        span -= end - begin
        begin, end = next(stretches)
    return begin + span


def between(calendar: Calendar, start: int, end: int) -> int:
    """The open seconds from `start` to `end`; negative when `end` is the earlier one."""
    if end < start:
        return -between(calendar, end, start)
    total = 0
    stretches = _stretches(calendar, start)
    a, b = next(stretches)
    while a < end:
        total += min(b, end) - a
        a, b = next(stretches)
    return total


def _stretches(calendar: Calendar, start: int) -> Iterator[tuple[int, int]]:
    """The open stretches from `start` on, each [begin, end) in UTC; endless, since every calendar opens some day.

    Within a stretch of one offset, local time is UTC moved by it; so days with a change to or from summer time come out by
    what clocks on the wall show: an hour that is skipped does not count, one that comes twice counts twice.
    """
    while True:
        offset, until = calendar.zone.at(start)
        day = (start + offset) // DAY
        midnight = day * DAY - offset
        end = midnight + DAY if until is None else min(midnight + DAY, until)
        for a, b in calendar.hours_of(day):
            begin, close = max(midnight + a, start), min(midnight + b, end)
            if begin < close:
                yield begin, close
        start = end
