"""Maintenance windows: one-off, repeated, from calendar files; over changes to summer time; and what is no window."""

import datetime as dt
import os
from pathlib import Path

import pytest

from prober import patient
from prober.maintenance import MaintenanceError, check, windows
from prober.surroundings import Maintenance
from rules.maintenance import Turn, Window, Windows, turns


def at(text: str) -> int:
    """UTC second."""
    return int(dt.datetime.fromisoformat(text + "+00:00").timestamp())


def entry(**given: object) -> Maintenance:
    return Maintenance.model_validate(given)


def spans(entry: Maintenance, now: str) -> list[tuple[str, str]]:
    found = windows([entry], at(now)).windows
    return [tuple(f"{dt.datetime.fromtimestamp(s, dt.UTC):%m-%dT%H:%M}" for s in (w.start, w.end)) for w in found]  # type: ignore[misc]  # pairs


def test_a_window_that_happens_once_lies_where_it_is_written() -> None:
    once = entry(title="move", start="2026-11-22T02:00", end="2026-11-22T04:30", time_zone="Europe/Berlin")
    found = windows([once], at("2026-11-20T00:00"))
    assert found.windows == (Window(at("2026-11-22T01:00"), at("2026-11-22T03:30"), "move"),)
    assert found.at(at("2026-11-22T01:00")) == found.windows[0]
    assert found.at(at("2026-11-22T00:59")) is None
    assert found.at(at("2026-11-22T03:30")) is None, "the end is outside"


def test_an_offset_in_the_time_goes_before_the_time_zone() -> None:
    once = entry(start="2026-11-22T02:00+05:30", end="2026-11-22T03:00Z", time_zone="Europe/Berlin")
    assert spans(once, "2026-11-20T00:00") == [("11-21T20:30", "11-22T03:00")]


def test_a_weekly_window_keeps_its_local_time_over_the_change_to_winter_time() -> None:
    weekly = entry(
        start="2026-01-04T02:00", end="2026-01-04T03:00", every="FREQ=WEEKLY;BYDAY=SU", time_zone="Europe/Berlin"
    )
    assert spans(weekly, "2026-10-25T00:00")[4:7] == [
        ("10-18T00:00", "10-18T01:00"),
        ("10-25T00:00", "10-25T02:00"),  # 02:00 comes twice that night: from the first to 03:00
        ("11-01T01:00", "11-01T02:00"),
    ]


def test_an_hour_that_the_change_to_summer_time_leaves_out_is_no_window() -> None:
    weekly = entry(
        start="2026-01-04T02:00", end="2026-01-04T03:00", every="FREQ=WEEKLY;BYDAY=SU", time_zone="Europe/Berlin"
    )
    days = [start[:5] for start, _ in spans(weekly, "2026-03-29T00:00")]
    assert "03-22" in days
    assert "03-29" not in days, "after 01:59 it was 03:00"
    assert "04-05" in days
    assert check(weekly) is None


CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//EN
BEGIN:VEVENT
UID:1
SUMMARY:Database move
DTSTART:20261122T020000Z
DTEND:20261122T040000Z
END:VEVENT
BEGIN:VEVENT
UID:2
SUMMARY:Given up
STATUS:CANCELLED
DTSTART:20261123T020000Z
DTEND:20261123T040000Z
END:VEVENT
BEGIN:VEVENT
UID:3
SUMMARY:Whole day
DTSTART;VALUE=DATE:20261201
DTEND;VALUE=DATE:20261202
END:VEVENT
BEGIN:VEVENT
UID:4
DTSTART:20261125T020000
DURATION:PT30M
RRULE:FREQ=DAILY;COUNT=3
EXDATE:20261126T020000
END:VEVENT
END:VCALENDAR
"""


def test_a_calendar_file_gives_its_events(tmp_path: Path) -> None:
    (tmp_path / "vendor.ics").write_text(CALENDAR.replace("\n", "\r\n"))
    calendar = entry(title="vendor", ics=tmp_path / "vendor.ics", time_zone="Europe/Berlin")
    found = windows([calendar], at("2026-11-20T00:00")).windows
    assert found == (
        Window(at("2026-11-22T02:00"), at("2026-11-22T04:00"), "Database move"),
        Window(at("2026-11-25T01:00"), at("2026-11-25T01:30"), "vendor"),
        Window(at("2026-11-27T01:00"), at("2026-11-27T01:30"), "vendor"),
        Window(at("2026-11-30T23:00"), at("2026-12-01T23:00"), "Whole day"),
    )


@pytest.mark.parametrize(
    ("given", "key", "words"),
    [
        ({}, "start", "is missing"),
        ({"start": "2026-11-22T02:00"}, "end", "is missing"),
        ({"start": "tomorrow", "end": "2026-11-22T02:00"}, "start", "is not a time"),
        ({"start": "2026-11-22T02:00", "end": "2026-11-22T02:00"}, "end", "is not after start"),
        (
            {"start": "2026-11-22T02:00", "end": "2026-11-22T03:00", "time_zone": "Mars"},
            "time_zone",
            "no|not a time zone",
        ),
        (
            {"start": "2026-11-22T02:00", "end": "2026-11-22T03:00", "time_zone": "../etc"},
            "time_zone",
            "not a time zone",
        ),
        ({"start": "2026-11-22T02:00", "end": "2026-11-22T03:00", "every": "sundays"}, "every", "RRULE"),
        ({"start": "2026-11-22T02:00", "end": "2026-11-22T03:00", "every": "FREQ=SECONDLY"}, "every", "DAILY"),
        ({"start": "2026-11-22T02:00", "end": "2026-11-22T03:00", "every": "BYDAY=SU"}, "every", "RRULE|FREQ"),
        ({"ics": "/nowhere/x.ics"}, "ics", "cannot be read"),
    ],
)
def test_what_is_no_window_is_refused_with_what_would_be_right(given: dict[str, object], key: str, words: str) -> None:
    wrong = check(entry(**given))
    assert wrong is not None
    assert wrong[0] == key
    assert any(word in wrong[1] for word in words.split("|")), wrong


def test_a_pipe_that_nobody_writes_to_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient, "PATIENCE", 0.05)
    os.mkfifo(tmp_path / "x.ics")
    wrong = check(entry(ics=tmp_path / "x.ics"))
    assert wrong is not None
    assert "it is a pipe, and nobody wrote to it" in wrong[1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff",
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:never\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        b"BEGIN:VEVENT",
    ],
)
def test_a_file_that_is_no_calendar_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.ics").write_bytes(content)
    wrong = check(entry(ics=tmp_path / "x.ics"))
    assert wrong is not None
    assert wrong[0] == "ics"


def test_a_calendar_that_would_keep_the_program_busy_is_refused(tmp_path: Path) -> None:
    event = "BEGIN:VEVENT\r\nUID:{}\r\nDTSTART:20261122T020000Z\r\nDTEND:20261122T040000Z\r\nEND:VEVENT\r\n"
    many = "BEGIN:VCALENDAR\r\n" + "".join(event.format(n) for n in range(1001)) + "END:VCALENDAR\r\n"
    (tmp_path / "many.ics").write_text(many)
    assert "1000 events" in str(check(entry(ics=tmp_path / "many.ics")))
    (tmp_path / "large.ics").write_bytes(b"x" * 1_100_000)
    assert "KiB" in str(check(entry(ics=tmp_path / "large.ics")))


def test_start_beside_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.ics").write_text(CALENDAR)
    assert check(entry(ics=tmp_path / "x.ics", start="2026-11-22T02:00")) == (
        "ics",
        "stands for start, end and every; keep either",
    )


def test_the_error_names_the_key() -> None:
    with pytest.raises(MaintenanceError, match="is missing") as caught:
        windows([entry()], at("2026-11-22T00:00"))
    assert caught.value.key == "start"


# --- the decision


def test_windows_that_overlap_or_touch_are_one() -> None:
    found = Windows([Window(10, 20, "a"), Window(20, 30, "b"), Window(15, 18, "a"), Window(40, 50)])
    assert found.windows == (Window(10, 30, "a; b"), Window(40, 50, ""))
    assert found == Windows(found.windows)
    assert hash(found) == hash(Windows(found.windows))
    assert found != Windows()


def test_a_window_that_ends_before_it_begins_cannot_be_written_down() -> None:
    with pytest.raises(ValueError, match="ends before it begins"):
        Window(10, 10)


def test_what_begins_and_ends_is_told_once() -> None:
    found = Windows([Window(10, 20, "a"), Window(30, 40, "b")])
    assert turns(found, (), 9) == ()
    assert turns(found, (), 10) == (Turn(10, "a", begins=True),)
    assert turns(found, ("a",), 19) == ()
    assert turns(found, ("a",), 20) == (Turn(20, "a", begins=False),)
    assert turns(found, ("a",), 30) == (Turn(30, "b", begins=True), Turn(30, "a", begins=False)), "after a sleep"
    assert turns(Windows(), ("a",), 15) == (Turn(15, "a", begins=False),), "it was taken out of the configuration"
