"""Maintenance windows from the configuration, as plain intervals of UTC seconds, read ahead of time.

One-off windows, windows repeated by an RRULE, and calendar files (RFC 5545). Local times follow their time zone over changes
to summer time: a window at 02:00 stays at 02:00. Reading takes milliseconds and happens outside the measuring loop.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from prober.errors import ProberError
from prober.patient import read_bytes
from prober.surroundings import Maintenance
from rules.maintenance import Window, Windows

#: How far ahead windows are read, and how far back (one may have begun long ago), seconds.
AHEAD, BACK = 40 * 86_400, 40 * 86_400
#: Bytes of a calendar file, events in it, windows in all.
_FILE, _EVENTS, _WINDOWS = 1_048_576, 1_000, 10_000
_TOO_OFTEN = ("SECONDLY", "MINUTELY", "HOURLY")


class MaintenanceError(ProberError):
    """A window that cannot be read; `key` names the part of the entry that is wrong."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def windows(entries: Iterable[Maintenance], now: int) -> Windows:
    """All windows near UTC second `now`. Raises MaintenanceError."""
    since, until = now - BACK, now + AHEAD
    found: list[Window] = []
    for entry in entries:
        for window in _windows(entry, since, until):
            found.append(window)
            if len(found) > _WINDOWS:
                raise MaintenanceError("every", f"makes more than {_WINDOWS} windows; write fewer and longer ones")
    return Windows(found)


def check(entry: Maintenance) -> tuple[str, str] | None:
    """What is wrong with an entry: the key, and the words; None when nothing is."""
    try:
        for _ in _windows(
            entry, _second(dt.datetime(2026, 1, 1, tzinfo=dt.UTC)), _second(dt.datetime(2027, 1, 1, tzinfo=dt.UTC))
        ):
            pass
    except MaintenanceError as error:
        return error.key, str(error)
    return None


def _windows(entry: Maintenance, since: int, until: int) -> Iterator[Window]:
    zone = _zone(entry.time_zone)
    if entry.ics is not None:
        if entry.start or entry.end or entry.every:
            raise MaintenanceError("ics", "stands for start, end and every; keep either")
        yield from _of_calendar(_read(entry.ics), zone, entry.title, since, until, "ics")
        return
    start, end = _instant(entry.start, zone, "start"), _instant(entry.end, zone, "end")
    if _second(end) <= _second(start):
        raise MaintenanceError("end", "is not after start")
    if entry.every is None:
        if _second(start) < until and _second(end) > since:
            yield Window(_second(start), _second(end), entry.title)
        return
    yield from _of_calendar(_repeated(entry.every, start, end), zone, entry.title, since, until, "every")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise MaintenanceError("time_zone", "is not a time zone; write one such as Europe/Berlin or UTC") from None


def _instant(text: str | None, zone: ZoneInfo, key: str) -> dt.datetime:
    hint = "write an ISO 8601 time such as 2026-11-22T02:00 or 2026-11-22T02:00+01:00"
    if text is None:
        raise MaintenanceError(key, f"is missing; {hint} (or name a calendar file by ics)")
    try:
        found = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        raise MaintenanceError(key, f"is not a time; {hint}") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=zone)


def _repeated(rule: str, start: dt.datetime, end: dt.datetime) -> bytes:
    """A calendar of one event. Built by the library, so that what the rule holds cannot be another line."""
    from icalendar import Calendar, Event, vRecur

    event = Event()
    event.add("dtstart", start)
    event.add("dtend", end)
    try:
        event.add("rrule", vRecur.from_ical(rule.removeprefix("RRULE:")))
    except (ValueError, KeyError, TypeError) as error:
        raise MaintenanceError("every", "is not an RRULE (RFC 5545); write one such as FREQ=WEEKLY;BYDAY=SU") from error
    calendar = Calendar()
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def _read(path: Path) -> bytes:
    try:
        data = read_bytes(path, _FILE + 1)
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or str(error)
        raise MaintenanceError(
            "ics", f"the file cannot be read: {what}; paths are relative to the configuration file"
        ) from error
    if len(data) > _FILE:
        raise MaintenanceError("ics", f"names a file of more than {_FILE // 1024} KiB; keep what lies ahead")
    return data


def _of_calendar(data: bytes, zone: ZoneInfo, title: str, since: int, until: int, key: str) -> Iterator[Window]:
    import recurring_ical_events
    from icalendar import Calendar

    what = (
        "is not a calendar that can be read (RFC 5545)"
        if key == "ics"
        else "is not an RRULE that can be followed (RFC 5545)"
    )
    begin, end = (dt.datetime.fromtimestamp(second, dt.UTC) for second in (since, until))
    try:
        calendar = Calendar.from_ical(data)
        events = calendar.walk("VEVENT")
        _bounded(events, key)
        occurrences = recurring_ical_events.of(calendar, skip_bad_series=False).between(begin, end)
        for event in occurrences:
            if str(event.get("STATUS", "")).upper() == "CANCELLED":
                continue
            # Instants, not local times: an hour that a change to summer time leaves out is no window.
            first, last = _second(_aware(event.start, zone)), _second(_aware(event.end, zone))
            if last > first:
                own = str(event.get("SUMMARY", "")) if key == "ics" else ""
                yield Window(first, last, (own or title)[:200])
    except MaintenanceError:
        raise
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
    ) as error:  # what the libraries make of bad input
        raise MaintenanceError(key, f"{what}: {type(error).__name__}") from error


def _bounded(events: Sequence[Any], key: str) -> None:
    """No calendar may keep the program busy: so many events, and none every minute."""
    if len(events) > _EVENTS:
        raise MaintenanceError(key, f"holds more than {_EVENTS} events; keep those that matter")
    for event in events:
        rules = event.get("RRULE")
        for rule in rules if isinstance(rules, list) else [rules] if rules is not None else []:
            often = [str(f).upper() for f in rule.get("FREQ", ())]
            if not often or any(f in _TOO_OFTEN for f in often):
                raise MaintenanceError(
                    key,
                    "repeats by no FREQ of DAILY, WEEKLY, MONTHLY or YEARLY; write an RRULE such as FREQ=WEEKLY;BYDAY=SU",
                )


def _aware(value: dt.date, zone: ZoneInfo) -> dt.datetime:
    """A moment: a whole day begins at midnight in `zone`, a time without a zone is in it."""
    if not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day, tzinfo=zone)
    return value if value.tzinfo is not None else value.replace(tzinfo=zone)


def _second(moment: dt.datetime) -> int:
    return int(moment.timestamp())
