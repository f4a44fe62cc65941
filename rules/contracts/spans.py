"""How packs and terms write durations and hours: `15m`, `2h`, `5d`; `mon-fri`; `09:00-18:00`."""

import re

from rules.contracts.calendar import DAY, Hours, Week
from rules.contracts.clauses import Span

_UNITS = {"s": 1, "m": 60, "h": 3600}
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SPAN_RIGHT = "write a number and its unit: 30s, 15m, 2h, or 5d for days of the calendar"
DAYS_RIGHT = "write days as mon-fri, or mon, wed, fri"
HOURS_RIGHT = "write hours as 09:00-18:00, or 09:00-12:00, 13:00-17:30"


def read_span(text: str) -> Span:
    """A duration of one second or more. Raises ValueError with what would be right."""
    found = re.fullmatch(r"\s*([1-9][0-9]{0,5})\s*([smhd])\s*", text)
    if found is None:
        raise ValueError(f"{text!r} is no duration; {SPAN_RIGHT}")
    n, unit = int(found[1]), found[2]
    return Span(days=n) if unit == "d" else Span(seconds=n * _UNITS[unit])


def write_span(span: Span) -> str:
    """The shortest text that `read_span` makes an equal span of."""
    if span.days:
        return f"{span.days}d"
    unit = next(unit for unit in ("h", "m", "s") if span.seconds % _UNITS[unit] == 0)
    return f"{span.seconds // _UNITS[unit]}{unit}"


def read_days(text: str) -> frozenset[int]:
    """The weekdays, Monday is 0. Raises ValueError with what would be right."""
    found: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = (word.strip()[:3] if word.strip() else "" for word in part.partition("-"))
        last = last if dash else first
        if first not in DAYS or last not in DAYS:
            raise ValueError(f"{text!r} names no days of the week; {DAYS_RIGHT}")
        a, b = DAYS.index(first), DAYS.index(last)
        found.update(range(a, b + 1) if a <= b else (*range(a, 7), *range(b + 1)))
    return frozenset(found)


def read_hours(text: str) -> Hours:
    """The stretches of a day, in seconds after midnight. Raises ValueError with what would be right."""
    stretches: list[tuple[int, int]] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*([0-9]{1,2}):([0-5][0-9])\s*-\s*([0-9]{1,2}):([0-5][0-9])\s*", part)
        if found is None:
            raise ValueError(f"{text!r} are no hours; {HOURS_RIGHT}")
        begin, end = (int(found[i]) * 3600 + int(found[i + 1]) * 60 for i in (1, 3))
        if not begin < end <= DAY or (stretches and begin <= stretches[-1][1]):
            raise ValueError(f"{text!r} are no hours of one day in their order; {HOURS_RIGHT}")
        stretches.append((begin, end))
    return tuple(stretches)


def week_of(days: str, hours: str) -> Week:
    """The same hours on each of the days. Raises ValueError with what would be right."""
    open_days, stretches = read_days(days), read_hours(hours)
    return tuple(stretches if day in open_days else () for day in range(7))  # type: ignore[return-value]  # seven
