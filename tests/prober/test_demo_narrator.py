"""The demo tells what happened in the order in which it did, and says of each thing what it is."""

import io
from email.message import EmailMessage
from typing import Any

from prober.demo.modes import Channel, Mode
from prober.demo.narrator import NOTE_LINES, Narrator
from prober.demo.receivers import HOTLINE, ON_CALL, Call, Mail
from prober.demo.screen import Screen
from prober.demo.watch import News, Second
from prober.store.reader import StoredRecord
from rules.acts import ActKind
from rules.incident_events import RecordKind
from rules.model import Cell, Fault, Verdict

NOON = 1_795_348_800
UP = Cell(Verdict.AVAILABLE, "ok", 1, ((Fault.NONE, 1),))
DOWN = Cell(Verdict.UNAVAILABLE, "http_status_503", 1, ((Fault.SERVER_ERROR, 1),))
NOT_SEEN = Cell(Verdict.UNMEASURED, "no_call", 0)
LONG = Cell(Verdict.UNAVAILABLE, "a_reason_that_is_far_too_long_for_a_column", 2, ((Fault.SERVER_ERROR, 2),))


def second(at: int, api: Cell, smtp: Cell | None = None) -> Second:
    return Second(NOON + at, api, {Channel.API: api, Channel.SMTP: smtp or api})


def record(at: int, kind: str, **detail: Any) -> StoredRecord:
    return StoredRecord("bird-1", NOON + at, kind, detail)


def mail(*, reply: bool = False, lines: int = 3) -> Mail:
    message = EmailMessage()
    message["From"], message["Message-ID"] = "oncall@example.com", "<2@x>" if reply else "<1@x>"
    if reply:
        message["In-Reply-To"] = "<1@x>"
    message.set_content("\n".join(f"line {n}" for n in range(lines)))
    return Mail(NOON, message, "arrived/1-mail.eml")


class Told:
    """A narrator, and what it has written."""

    def __init__(self) -> None:
        self._out = io.StringIO()
        self.by = Narrator(Screen(self._out, colours=False))

    @property
    def lines(self) -> list[str]:
        return self._out.getvalue().splitlines()

    def has(self, *expected: str) -> bool:
        """The expected parts of lines are there, in this order."""
        lines = iter(self.lines)
        return all(any(part in line for line in lines) for part in expected)


def test_a_second_is_a_line_of_verdicts_calls_and_reasons() -> None:
    told = Told()
    told.by.news(News((second(0, UP), second(1, DOWN, LONG), second(2, NOT_SEEN))))
    assert told.lines[0].split() == ["UTC", "API", "SMTP"]
    assert told.lines[2] == "12:00:00  available 1/1                      available 1/1"
    assert told.lines[3].startswith("12:00:01  unavailable 0/1 http_status_503    unavailable 0/2 a_reason_")
    assert told.lines[4] == "          ^ the first unavailable second"
    assert told.lines[5] == "12:00:02  unmeasured 0/0 no_call             unmeasured 0/0 no_call"
    assert all(len(line) <= 80 for line in told.lines)


def test_each_outage_has_one_first_second_and_a_gap_begins_none() -> None:
    told = Told()
    cells = [DOWN, NOT_SEEN, DOWN, UP, DOWN]
    told.by.news(News(tuple(second(at, cell) for at, cell in enumerate(cells))))
    marked = [told.lines[n - 1][:8] for n, line in enumerate(told.lines) if "first unavailable" in line]
    assert marked == ["12:00:00", "12:00:04"]


def test_a_record_follows_the_second_that_led_to_it() -> None:
    told = Told()
    opened = record(1, RecordKind.OPENED, condition="unavailable", severity="critical", onset=NOON)
    told.by.news(News((second(0, DOWN), second(1, DOWN), second(2, DOWN)), (opened,)))
    assert told.has("12:00:01  unavailable", "PERSISTENT (unavailable, critical), onset 12:00:00.", "12:00:02  unavail")


def test_what_becomes_of_an_incident_is_told() -> None:
    told = Told()
    told.by.news(
        News(
            (),
            (
                record(5, RecordKind.EPISODE, episode=2),
                record(6, RecordKind.RECOVERED, duration=13),
                record(7, RecordKind.CLOSED),
                record(8, "a kind of a later version"),
            ),
        )
    )
    assert told.has("12:00:05  PERSISTENT AGAIN: episode 2.", "12:00:06  RECOVERED; it had lasted 13 s.", "is closed.")
    assert len(told.lines) == 3


def test_with_only_changes_a_second_as_the_one_before_has_no_line() -> None:
    told = Told()
    told.by.only_changes = True
    told.by.news(News(tuple(second(at, cell) for at, cell in enumerate([UP, UP, DOWN, DOWN, UP]))))
    assert [line[:8] for line in told.lines if line[0] != " "] == ["12:00:00", "12:00:02", "12:00:04"]


def test_the_platform_s_changes_are_told_by_channel() -> None:
    told = Told()
    told.by.platform(NOON, {Channel.API: Mode.ERROR, Channel.SMTP: Mode.HANG})
    told.by.platform(NOON + 1, {Channel.API: Mode.OK, Channel.SMTP: Mode.HANG})
    told.by.platform(NOON + 2, {Channel.API: Mode.OK, Channel.SMTP: Mode.OK})
    assert told.has(
        "THE PLATFORM BEGINS TO FAIL:", "the API answers 503", "SMTP: connections are taken", "THE PLATFORM CH"
    )
    assert told.lines[-1] == "12:00:02  THE PLATFORM IS WELL AGAIN."


def test_a_ticket_shows_its_headers_and_its_first_lines() -> None:
    told = Told()
    told.by.arrived(mail(lines=40))
    assert told.has("THE TICKET", "| From: oncall@example.com", "| Message-ID: <1@x>", "| line 0", "arrived/1-mail.eml")
    assert not told.has("In-Reply-To")


def test_a_note_shows_which_ticket_it_belongs_to() -> None:
    told = Told()
    told.by.arrived(mail(reply=True, lines=20))
    assert told.has("a note into the same ticket", "| In-Reply-To: <1@x>", f"| line {NOTE_LINES - 1}", "12 lines more")


def test_calls_are_told_by_whom_they_reach() -> None:
    told = Told()
    for path, kind in ((ON_CALL, ActKind.PAGE), (HOTLINE, ActKind.HOTLINE), (ON_CALL, ActKind.PAGE_RESOLVE)):
        told.by.arrived(Call(NOON, path, {"kind": kind.value, "summary": f"a summary of {kind.value}"}))
    assert told.has(
        "ON-CALL is paged",
        "| a summary of page",
        "THE VENDOR'S HOTLINE is called",
        "| a summary of hotline",
        "ON-CALL: the page is resolved",
    )


def test_what_has_happened_can_be_asked_for() -> None:
    told = Told()
    seen = told.by.seen
    assert (seen.record(RecordKind.OPENED), seen.call(ActKind.PAGE), seen.mail(reply=True)) == (None, None, None)
    first, note = mail(), mail(reply=True)
    for arrival in (first, note):
        told.by.arrived(arrival)
    assert (seen.mail(reply=False), seen.mail(reply=True)) == (first, note)
