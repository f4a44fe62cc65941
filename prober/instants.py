"""Instants as people write them, and as we show them: UTC throughout, whole seconds."""

import re
from datetime import UTC, datetime

from prober.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGO = re.compile(r"-((?:\d{1,10}[smhdw])+)", re.ASCII)
# Eight digits are a date; fewer would more likely be a year or a slip than an instant of the seventies.
_UNIX = re.compile(r"0|\d{9,11}(?:\.\d{1,9})?", re.ASCII)
_LAST = 253_402_300_799  # 9999-12-31T23:59:59Z

#: For the help of options that take an instant.
HELP = "ISO 8601 (UTC unless it says otherwise), unix seconds, now, or before now: -1h, -90s, -1d12h"


def parse(text: str, now: float, name: str = "time") -> int:
    """The UTC second that `text` means; `now` is UTC seconds; fractions are cut off.

    Raises UsageError with what would be right; `name` is the option's.
    """
    text = text.strip()
    second: int | None = None
    if text == "now":
        second = int(now)
    elif match := _AGO.fullmatch(text):
        parts = re.findall(r"(\d+)(\w)", match[1])
        second = int(now) - sum(int(n) * _UNITS[unit] for n, unit in parts)
    elif _UNIX.fullmatch(text):
        second = int(text.partition(".")[0])
    else:
        second = _iso(text)
    if second is None or not 0 <= second <= _LAST:
        raise UsageError(f"{name}: {text[:64]!r} is no time; write {HELP}")
    return second


def _iso(text: str) -> int | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return int(instant.timestamp() // 1)


def show(second: int) -> str:
    """`2026-11-22T16:00:00Z`."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def show_ns(nanoseconds: int) -> str:
    """`2026-11-22T16:00:00.123Z` of UTC nanoseconds."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{show(seconds)[:-1]}.{rest // 1_000_000:03d}Z"


def for_people(second: int) -> str:
    """`2026-11-22 16:00:00`, for columns that say UTC in their heading."""
    return show(second)[:-1].replace("T", " ")


def span(seconds: int) -> str:
    """A number of seconds in at most two units: `45s`, `3m 20s`, `2h 5m`, `41d 3h`."""
    parts = []
    for unit in ("d", "h", "m", "s"):
        n, seconds = divmod(seconds, _UNITS[unit])
        if n:
            parts.append(f"{n}{unit}")
    return " ".join(parts[:2]) or "0s"
