"""The days as bars: how each is drawn, and its figures in words."""

from collections.abc import Iterable
from dataclasses import dataclass

from prober.status.days import DAY, Day, percent

#: The height of a bar, in the drawing's units, and what keeps a part of it visible.
HEIGHT, LEAST = 40, 8


@dataclass(frozen=True, slots=True)
class Bar:
    """One day. `good` and `bad` are heights; both 0: nothing was measured."""

    date: str
    mark: str  # a class of the style sheet
    good: int
    bad: int
    words: str


def bars(days: Iterable[Day], until: float) -> tuple[Bar, ...]:
    """A bar for each day; `until` is the first UTC second that may still be measured."""
    return tuple(_bar(day, until) for day in days)


def _bar(day: Day, until: float) -> Bar:
    passed = max(1, min(DAY, int(until) - day.start))
    if not day.measured:
        return Bar(day.date, "unmeasured", 0, 0, f"{day.date}: not measured")
    # A day of which little is known is a low bar, a day with any unavailable second has a part that can be seen.
    whole = max(2 * LEAST, min(HEIGHT, round(HEIGHT * day.measured / passed)))
    share = (day.unavailable / day.measured) ** 0.5
    bad = max(LEAST, min(whole, round(whole * share))) if day.unavailable else 0
    return Bar(day.date, "bad" if bad else "good", whole - bad, bad, f"{day.date}: {figures(day, until)}")


def figures(day: Day, until: float) -> str:
    """The day's figures in words."""
    parts = [f"{percent(1 - day.unavailable / day.measured)} available", f"{_for(day.unavailable)} unavailable"]
    if unmeasured := day.unmeasured(until):
        parts.append(f"{_for(unmeasured)} not measured")
    return ", ".join(parts)


def _for(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes} min {left} s"
    return f"{left} s"
