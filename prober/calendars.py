"""Makes the agreement's hours values for the rules: time zones from the system's data, holidays from the library `holidays`.

What is loaded here holds for some years around today; it is loaded anew at each start and reload.
"""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC as UTC_TIME
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from prober.errors import ProberError
from rules.contracts.calendar import UTC, Calendar, Zone
from rules.contracts.clauses import HoursClause, TermKind
from rules.contracts.model import Pack
from rules.contracts.parse_clauses import TERM
from rules.contracts.spans import week_of
from rules.contracts.terms import values

#: Years before and after the present one for which changes of time and holidays are known.
_BEFORE, _AFTER = 2, 6


class CalendarError(ProberError):
    """Hours that cannot be used: an unknown time zone, or unknown holidays. The text says what would be right."""


def calendars_of(pack: Pack, now: int | None = None) -> dict[str, Calendar]:
    """The calendars of a settled pack by name. `now` is UTC seconds; default: the present. Raises CalendarError."""
    at = int(time.time()) if now is None else now
    plain = {clause.name: clause for clause in pack.calendars}
    return {name: _calendar(clause, plain, at) for name, clause in plain.items()}


def _calendar(clause: HoursClause, others: Mapping[str, HoursClause], now: int) -> Calendar:
    hours = others[clause.outside] if clause.outside else clause
    year = datetime.fromtimestamp(now, UTC_TIME).year
    try:
        return Calendar(
            zone=zone(hours.zone, now),
            week=week_of(hours.days, hours.hours),
            holidays=holidays_of(hours.holidays, range(year - _BEFORE, year + _AFTER + 1)),
            outside=bool(clause.outside),
        )
    except ValueError as error:
        raise CalendarError(f"calendar {clause.name}: {error}") from error


def faults(pack: Pack) -> Iterator[str]:
    """What the rules cannot know of a pack, each with its path: zones and holidays that are none, hours that never open.

    What a term fills in is looked at with the term.
    """
    plain = {clause.name: clause for clause in pack.calendars}
    written = [(f"terms.{term.name}.default", term.kind, term.default) for term in pack.terms if term.default]
    for name, clause in plain.items():
        written.append((f"calendars.{name}.zone", TermKind.ZONE, clause.zone))
        written.append((f"calendars.{name}.holidays", TermKind.HOLIDAYS, clause.holidays))
    for path, kind, text in written:
        if not text.startswith(TERM) and (wrong := _looked_up(kind, text)):
            yield f"{path}: {wrong}"
    for name, clause in plain.items():
        hours = plain[clause.outside] if clause.outside else clause
        if not any(text.startswith(TERM) for text in (hours.days, hours.hours)):
            try:
                Calendar(UTC, week_of(hours.days, hours.hours), outside=bool(clause.outside))
            except ValueError as error:
                yield f"calendars.{name}: {error}; write other days or hours"


def zone(name: str, now: int) -> Zone:
    """A time zone of the IANA data by its name. Raises CalendarError.

    It is that of whole years, so that two starts in one year give the same: a restart is no change of the configuration.
    """
    return _zone(name, datetime.fromtimestamp(now, UTC_TIME).year)


@lru_cache(maxsize=64)  # every service of an agreement has the same few
def _zone(name: str, year: int) -> Zone:
    since, until = (int(datetime(y, 1, 1, tzinfo=UTC_TIME).timestamp()) for y in (year - _BEFORE, year + _AFTER + 1))
    try:
        return Zone.of(ZoneInfo(name), name, since, until)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError; a folder's name an OSError
        raise CalendarError(f"{name!r} is not a time zone; write one such as Europe/Amsterdam") from None


def holidays_of(text: str, years: range) -> frozenset[date]:
    """The holidays of a country, or of a country's region (`NL`, `BR-SP`); `none`: none. Raises CalendarError."""
    if text.strip().lower() == "none":
        return frozenset()
    import holidays  # heavy to load, and most agreements need none

    country, _, region = text.strip().upper().partition("-")
    try:
        return frozenset(holidays.country_holidays(country, subdiv=region or None, years=years))
    except (NotImplementedError, AttributeError):  # an unknown country or region
        raise CalendarError(
            f"{text!r} names no holidays; write a country such as NL, a country and its region such as BR-SP, or none"
        ) from None


def check_terms(pack: Pack, given: Mapping[str, object]) -> tuple[str, ...]:
    """What is wrong with a configuration's terms: all that `Pack.check_terms` finds, and unknown zones and holidays."""
    found = list(pack.check_terms(given))
    filled = values(pack, given)
    for term in pack.terms:
        text = filled.get(term.name)
        if text is not None and (wrong := _looked_up(term.kind, text)):
            found.append(f"terms.{term.name}: {wrong}")
    return tuple(found)


def _looked_up(kind: TermKind, text: str) -> str:
    try:
        if kind is TermKind.ZONE:
            zone(text, int(time.time()))
        elif kind is TermKind.HOLIDAYS:
            holidays_of(text, range(2026, 2027))
    except CalendarError as error:
        return str(error)
    return ""
