"""Business hours: what counts, to the second, over weekends, holidays and changes of time."""

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.contracts.calendar import ALL_DAY, ALWAYS, DAY, Calendar, Zone, add, between, is_open, opens
from rules.contracts.calendar import UTC as UTC_ZONE
from rules.contracts.spans import week_of


def instant(local: str, zone: tzinfo = UTC) -> int:
    return round(datetime.fromisoformat(local).replace(tzinfo=zone).timestamp())


SINCE, UNTIL = instant("2024-01-01"), instant("2032-01-01")
NAMES = ("Europe/Amsterdam", "America/Sao_Paulo", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
ZONES = {name: Zone.of(ZoneInfo(name), name, SINCE, UNTIL) for name in NAMES}
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
OFFICE = Calendar(ZONES["Europe/Amsterdam"], week_of("mon-fri", "09:00-17:00"), frozenset({date(2026, 12, 25)}))
OUTSIDE = Calendar(OFFICE.zone, OFFICE.week, OFFICE.holidays, outside=True)


class TestZones:
    @pytest.mark.parametrize("name", NAMES)
    def test_the_offsets_are_the_zones_own_at_every_hour(self, name: str) -> None:
        zone = ZoneInfo(name)
        for second in range(instant("2026-01-01"), instant("2027-01-01"), 3600):
            offset = datetime.fromtimestamp(second, zone).utcoffset()
            assert timedelta(seconds=ZONES[name].at(second)[0]) == offset

    def test_a_change_is_found_to_the_second(self) -> None:
        summer = instant("2026-03-29T01:00:00")  # 02:00 becomes 03:00
        assert ZONES["Europe/Amsterdam"].at(summer - 1) == (3600, summer)
        assert ZONES["Europe/Amsterdam"].at(summer)[0] == 7200

    def test_the_first_and_the_last_offset_hold_beyond_what_is_known(self) -> None:
        zone = Zone("x", ((100, 3600), (200, 7200)))
        assert zone.at(0) == (3600, 100)
        assert zone.at(150) == (3600, 200)
        assert zone.at(10**9) == (7200, None)

    @pytest.mark.parametrize("changes", [(), ((5, 0), (5, 1)), ((5, 0), (4, 1))])
    def test_changes_out_of_order_are_refused(self, changes: tuple[tuple[int, int], ...]) -> None:
        with pytest.raises(ValueError, match="zone x: its changes are not in order, or there is none"):
            Zone("x", changes)

    def test_a_time_zone_without_an_offset_is_refused(self) -> None:
        class Nowhere(tzinfo):
            def utcoffset(self, _: datetime | None) -> timedelta | None:
                return None

            def fromutc(self, dt: datetime) -> datetime:
                return dt

        with pytest.raises(ValueError, match="the time zone tells no offset from UTC"):
            Zone.of(Nowhere(), "nowhere", 0, 1)

    def test_a_fixed_offset_has_no_change(self) -> None:
        assert Zone.of(timezone(timedelta(hours=-3)), "x", 0, 10 * DAY).changes == ((0, -3 * 3600),)


class TestHours:
    @pytest.mark.parametrize(
        ("week", "said"),
        [
            ((ALL_DAY,) * 6, "a week has seven days"),
            (((),) * 7, "the calendar is never open"),
            ((((9, 8),),) * 7, "hours must be in order"),
            ((((9, 9),),) * 7, "hours must be in order"),
            ((((0, DAY + 1),),) * 7, "hours must be in order"),
            ((((5, 9), (8, 12)),) * 7, "hours must be in order"),
        ],
    )
    def test_what_is_no_week_is_refused(self, week: object, said: str) -> None:
        with pytest.raises(ValueError, match=said):
            Calendar(UTC_ZONE, week)  # type: ignore[arg-type]  # that is the point

    def test_the_outside_of_all_hours_is_never_open(self) -> None:
        with pytest.raises(ValueError, match="never open"):
            Calendar(UTC_ZONE, ALWAYS.week, outside=True)

    def test_a_day_is_what_the_calendar_calls_a_day(self) -> None:
        assert ALWAYS.day == 24 * 3600
        assert OFFICE.day == 8 * 3600
        assert Calendar(UTC_ZONE, week_of("mon-fri", "08:00-12:00, 13:00-17:30")).day == 8 * 3600 + 1800
        assert OUTSIDE.day == 24 * 3600

    @pytest.mark.parametrize(
        ("local", "counts"),
        [
            ("2026-11-20T08:59:59", False),
            ("2026-11-20T09:00:00", True),
            ("2026-11-20T16:59:59", True),
            ("2026-11-20T17:00:00", False),
            ("2026-11-21T12:00:00", False),  # a Saturday
            ("2026-12-25T12:00:00", False),  # a holiday
        ],
    )
    def test_office_hours_and_their_outside_are_opposites(self, local: str, counts: bool) -> None:
        assert is_open(OFFICE, instant(local, AMSTERDAM)) is counts
        assert is_open(OUTSIDE, instant(local, AMSTERDAM)) is not counts

    def test_it_opens_when_it_is_open_or_at_the_next_opening(self) -> None:
        assert opens(OFFICE, instant("2026-11-20T12:00", AMSTERDAM)) == instant("2026-11-20T12:00", AMSTERDAM)
        assert opens(OFFICE, instant("2026-12-24T17:00", AMSTERDAM)) == instant("2026-12-28T09:00", AMSTERDAM)


class TestReckoning:
    @pytest.mark.parametrize(
        ("start", "hours", "end"),
        [
            ("2026-11-20T09:00", 8, "2026-11-20T17:00"),  # exactly a day ends at its closing, not at the next opening
            ("2026-11-20T16:30", 1, "2026-11-23T09:30"),
            ("2026-11-21T03:00", 1, "2026-11-23T10:00"),
            ("2026-12-24T16:00", 2, "2026-12-28T10:00"),
            ("2026-03-27T16:00", 2, "2026-03-30T10:00"),  # to summer time
            ("2026-10-23T16:00", 2, "2026-10-26T10:00"),  # and back
        ],
    )
    def test_business_hours(self, start: str, hours: int, end: str) -> None:
        assert add(OFFICE, instant(start, AMSTERDAM), hours * 3600) == instant(end, AMSTERDAM)

    def test_none_is_no_time(self) -> None:
        closed = instant("2026-11-21T03:00", AMSTERDAM)
        assert add(OFFICE, closed, 0) == closed

    def test_a_clock_does_not_run_backwards(self) -> None:
        with pytest.raises(ValueError, match="backwards"):
            add(ALWAYS, 0, -1)

    def test_an_hour_that_is_skipped_does_not_count_and_one_that_comes_twice_counts_twice(self) -> None:
        nights = Calendar(OFFICE.zone, week_of("mon-sun", "02:00-03:00"))
        for day, hours in (("2026-03-28", 1), ("2026-03-29", 0), ("2026-10-25", 2)):
            start = instant(day, AMSTERDAM)
            end = round((datetime.fromtimestamp(start, AMSTERDAM) + timedelta(days=1)).timestamp())
            assert between(nights, start, end) == hours * 3600

    def test_half_an_hour_of_summer_time_too(self) -> None:
        lord_howe = Calendar(ZONES["Australia/Lord_Howe"], week_of("mon-sun", "00:00-24:00"))
        zone = ZoneInfo("Australia/Lord_Howe")
        start, end = instant("2026-10-04", zone), instant("2026-10-05", zone)
        assert between(lord_howe, start, end) == end - start == 23 * 3600 + 1800


weeks = st.lists(
    st.lists(st.integers(0, 24 * 60), max_size=4, unique=True)
    .map(sorted)
    .map(lambda m: tuple((a * 60, b * 60) for a, b in zip(m[::2], m[1::2], strict=False))),
    min_size=7,
    max_size=7,
).map(tuple)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    holidays = draw(st.frozensets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=20))
    zone, outside = ZONES[draw(st.sampled_from(NAMES))], draw(st.booleans())
    week = draw(weeks.filter(lambda week: any(week) and any(hours != ALL_DAY for hours in week)))
    try:
        return Calendar(zone, week, holidays, outside)
    except ValueError:  # the outside of days that are all open
        return Calendar(zone, week, holidays)


instants = st.integers(instant("2026-01-01"), instant("2026-12-31"))
spans = st.integers(0, 40 * 3600)


@settings(deadline=None, max_examples=200)
@given(calendars(), instants, spans)
def test_adding_and_measuring_are_inverse(calendar: Calendar, start: int, span: int) -> None:
    end = add(calendar, start, span)
    assert between(calendar, start, end) == span
    assert between(calendar, end, start) == -span
    if span:
        assert between(calendar, start, end - 1) == span - 1  # no earlier second will do


@settings(deadline=None, max_examples=200)
@given(calendars(), instants, spans, spans)
def test_no_clock_runs_backwards(calendar: Calendar, start: int, a: int, b: int) -> None:
    first, second = sorted((a, b))
    assert start <= add(calendar, start, first) <= add(calendar, start, second)
    assert add(calendar, add(calendar, start, first), second - first) == add(calendar, start, second)


@settings(deadline=None, max_examples=100)
@given(calendars(), instants, st.integers(0, 5 * 3600))
def test_what_is_measured_is_what_is_open_second_by_second(calendar: Calendar, start: int, length: int) -> None:
    """A sample of every minute's first second: hours open and close at full minutes, and offsets change at them."""
    start -= start % 60
    minutes = range(start, start + length - length % 60, 60)
    assert between(calendar, start, start + length - length % 60) == 60 * sum(is_open(calendar, s) for s in minutes)


@settings(deadline=None, max_examples=200)
@given(calendars(), instants)
def test_what_is_open_is_what_clocks_on_the_wall_show(calendar: Calendar, second: int) -> None:
    local = datetime.fromtimestamp(second, ZoneInfo(calendar.zone.name))
    of_day = local.hour * 3600 + local.minute * 60 + local.second
    listed = any(a <= of_day < b for a, b in calendar.week[local.weekday()]) and local.date() not in calendar.holidays
    assert is_open(calendar, second) is (listed != calendar.outside)


@given(calendars())
@settings(deadline=None, max_examples=50)
def test_a_calendar_goes_to_plain_data_and_back(calendar: Calendar) -> None:
    assert Calendar.of_mapping(calendar.to_mapping()) == calendar
