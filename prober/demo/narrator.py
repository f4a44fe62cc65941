"""Tells on the screen what happens, as it happens, and keeps what the summary needs.

It decides nothing: seconds and records are the prober's, arrivals the receivers', modes the platform's.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from prober.demo.modes import MEANINGS, Channel, Mode
from prober.demo.receivers import ON_CALL, Arrival, Call, Mail
from prober.demo.screen import Screen, Style, clock
from prober.demo.watch import News, Second
from prober.store.reader import StoredRecord
from rules.acts import ActKind
from rules.incident_events import RecordKind
from rules.model import Cell, Fault, Verdict

#: Lines of a ticket, and of a note, that are shown.
TICKET_LINES, NOTE_LINES = 24, 8
_COLUMN = 35  # where the second channel's column begins, counted from the first
_STYLES = {
    Verdict.AVAILABLE: Style.GOOD,
    Verdict.UNAVAILABLE: Style.BAD,
    Verdict.INCONCLUSIVE: Style.DOUBTFUL,
    Verdict.UNMEASURED: Style.DIM,
}


@dataclass
class Seen:
    """What has happened so far."""

    seconds: list[Second] = field(default_factory=list)
    records: list[StoredRecord] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)

    def record(self, kind: RecordKind) -> StoredRecord | None:
        """The first of its kind."""
        return next((record for record in self.records if record.kind == kind), None)

    def call(self, kind: ActKind) -> Call | None:
        """The first webhook of that kind."""
        return next((a for a in self.arrivals if isinstance(a, Call) and a.facts.get("kind") == kind), None)

    def mail(self, *, reply: bool) -> Mail | None:
        """The first mail that opens a ticket, or the first that answers into one."""
        return next((a for a in self.arrivals if isinstance(a, Mail) and bool(a.header("In-Reply-To")) == reply), None)


class Narrator:
    """Writes to `screen`. `only_changes`: no line for a second that is as the one before it."""

    def __init__(self, screen: Screen) -> None:
        self.seen = Seen()
        self.only_changes = False
        self._screen = screen
        self._last: Mapping[Channel, Cell] = {}
        self._headed = self._was_down = self._failing = False

    # what the platform does

    def platform(self, at: float, modes: Mapping[Channel, Mode]) -> None:
        failing = {channel: mode for channel, mode in modes.items() if mode is not Mode.OK}
        before, self._failing = self._failing, bool(failing)
        if not failing:
            self._screen.news(at, "THE PLATFORM IS WELL AGAIN.", Style.GOOD)
            return
        self._screen.news(at, f"THE PLATFORM {'CHANGES' if before else 'BEGINS TO FAIL'}:", Style.BAD)
        for channel, mode in failing.items():
            meaning = MEANINGS[mode]
            whose = f"{channel.upper()}: " if len(meaning.channels) > 1 else ""
            self._screen.below(f"{whose}{meaning.text}.")

    # what the prober sees

    def news(self, news: News) -> None:
        self.seen.records += news.records
        records = deque(news.records)
        for second in news.seconds:
            self._second(second)
            while records and records[0].at <= second.second:  # what this second led to
                self._record(records.popleft())
        for record in records:
            self._record(record)

    def _second(self, second: Second) -> None:
        self.seen.seconds.append(second)
        if not self.only_changes or second.channels != self._last:
            self._line(second)
        self._last = second.channels
        down = second.service.verdict is Verdict.UNAVAILABLE
        if down and not self._was_down:
            self._screen.below("^ the first unavailable second", Style.BOLD)
        self._was_down = down if second.service.verdict is not Verdict.UNMEASURED else self._was_down

    def _line(self, second: Second) -> None:
        if not self._headed:
            self._headed = True
            head = "".join(f"{channel.upper():<{_COLUMN}}" for channel in second.channels)
            self._screen.line(f"  UTC     {head}".rstrip(), Style.BOLD)
            self._screen.line("          (a second's verdict, calls that succeeded of all, the reason)", Style.DIM)
        parts: list[tuple[str, Style]] = [(f"{clock(second.second)}  ", Style.PLAIN)]
        for cell in second.channels.values():
            parts += _cell(cell)
        self._screen.painted(parts)

    def _record(self, record: StoredRecord) -> None:
        detail = record.detail
        match record.kind:
            case RecordKind.OPENED:
                since = f"onset {clock(detail['onset'])}"
                what = f"PERSISTENT ({detail['condition']}, {detail['severity']}), {since}."
                self._screen.news(record.at, what, Style.BAD)
                self._screen.below(f"Incident {record.incident} is opened.")
            case RecordKind.EPISODE:
                self._screen.news(record.at, f"PERSISTENT AGAIN: episode {detail['episode']}.", Style.BAD)
            case RecordKind.RECOVERED:
                lasted = detail["duration"]
                self._screen.news(record.at, f"RECOVERED; it had lasted {lasted} s. The ticket stays open.", Style.GOOD)
            case RecordKind.CLOSED:
                self._screen.news(record.at, f"Incident {record.incident} is closed.")

    # what reaches people

    def arrived(self, arrival: Arrival) -> None:
        self.seen.arrivals.append(arrival)
        if isinstance(arrival, Mail):
            self._mail(arrival)
        else:
            self._call(arrival)

    def _mail(self, mail: Mail) -> None:
        reply = mail.header("In-Reply-To")
        what = "a note into the same ticket" if reply else "THE TICKET"
        self._screen.news(mail.at, f"MAIL to the vendor's support: {what}")
        names = ("From", "To", "Subject", "Message-ID", *(("In-Reply-To",) if reply else ()))
        text = mail.text().splitlines()
        self._screen.quote([*(f"{name}: {mail.header(name)}" for name in names), ""])
        self._screen.quote(text, NOTE_LINES if reply else TICKET_LINES, mail.kept)

    def _call(self, call: Call) -> None:
        who = "ON-CALL" if call.path == ON_CALL else "THE VENDOR'S HOTLINE"
        kind = call.facts.get("kind")
        resolved = kind == ActKind.PAGE_RESOLVE
        verb = "the page is resolved" if resolved else "is called" if kind == ActKind.HOTLINE else "is paged"
        self._screen.news(call.at, f"{who}{':' if resolved else ''} {verb}")
        self._screen.quote([call.fact("summary")])


def _cell(cell: Cell) -> list[tuple[str, Style]]:
    """`unavailable 0/1 http_status_503`, as wide as a column."""
    succeeded = dict(cell.faults).get(Fault.NONE, 0)
    reason = "" if cell.verdict is Verdict.AVAILABLE else f" {cell.reason}"
    rest = f" {succeeded}/{cell.calls}{reason}"
    room = _COLUMN - len(cell.verdict)
    return [(cell.verdict.value, _STYLES[cell.verdict]), (f"{rest[: room - 1]:<{room}}", Style.PLAIN)]
