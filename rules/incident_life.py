"""The life of a ticket after the page, as people and the vendor's replies tell it: intake, response, updates, severity, closing.

Every step is recorded with who, when and how, and moves the agreement's clocks; nothing is overwritten.
"""

from dataclasses import replace

from rules.contracts.clauses import Mark
from rules.incident_clocks import mark, resettle
from rules.incident_consent import ask
from rules.incident_draft import Draft
from rules.incident_events import Entry, EntryKind, Maintenance, RecordKind
from rules.incident_hotline import await_hotline
from rules.incident_oncall import page_each, page_risen
from rules.incident_state import Phase
from rules.incident_ticket import note, note_risen, open_ticket

_MARKS = {
    EntryKind.INTAKE: Mark.INTAKE,
    EntryKind.FIRST_RESPONSE: Mark.FIRST_RESPONSE,
    EntryKind.CALL_BACK: Mark.CALL_BACK,
    EntryKind.UPDATE: Mark.UPDATE,
    EntryKind.WORKAROUND: Mark.WORKAROUND,
    EntryKind.WAITING_FOR_US: Mark.WAITING_FOR_US,
    EntryKind.WAITING_FOR_THEM: Mark.WAITING_FOR_THEM,
}
#: What happens by telephone.
_SPOKEN = (EntryKind.INTAKE, EntryKind.CALL_BACK)
_WAITS = {EntryKind.WAITING_FOR_US: "us", EntryKind.WAITING_FOR_THEM: "them"}


def take_note(d: Draft, e: Entry) -> None:
    """Write down what a person says, and the ticket's number if they give it; without either it is refused."""
    if not (e.text.strip() or e.ticket.strip()):
        d.refuse("a note needs a text", **e.told())
        return
    d.record(RecordKind.NOTE, **e.told())
    _take_number(d, e)


def tell(d: Draft, e: Entry) -> None:
    """On-call is paged with it, once an episode for each matter: a flood of mails is no flood of pages."""
    d.record(RecordKind.TOLD, **e.told())
    page_each(d, e.value or "tell", None, text=e.text)


def _take_number(d: Draft, e: Entry) -> None:
    """The vendor's number of the ticket, where none is known yet."""
    ticket = d.incident.ticket
    if ticket and e.ticket.strip() and not ticket.number:
        d.change(ticket=replace(ticket, number=e.ticket.strip()))


def take_step(d: Draft, e: Entry) -> None:
    """A step of the vendor's or of ours in the ticket."""
    d.record(RecordKind.LIFE, step=e.kind.value, **e.told())
    if e.kind in _WAITS:
        d.change(waiting=_WAITS[e.kind])
    _take_number(d, e)
    mark(d, _MARKS[e.kind], e.second)
    _put_in_writing(d, e)


def _put_in_writing(d: Draft, e: Entry) -> None:
    """What was said by telephone goes into the ticket, where the agreement wants it in writing."""
    tickets = d.plan.pack.tickets
    if tickets and tickets.in_writing and e.kind in _SPOKEN and e.text.strip():
        words = f"For the record, as said by telephone ({e.by}): {e.text.strip()}"
        d.change(reminders=d.incident.reminders + 1)  # never the same step twice in an incident
        note(d, f"in-writing-{d.incident.reminders}", d.facts(text=words), passing=True)


def set_severity(d: Draft, e: Entry) -> None:
    """The vendor has set it. Ours was a proposal, or is no longer the ticket's."""
    pack = d.plan.pack
    if pack.severity(e.value) is None:
        known = ", ".join(s.name for s in pack.severities)
        d.refuse(f"{e.value!r} is not a severity of {pack.title}; one of {known}", entry=e.kind.value, **e.told())
        return
    d.record(RecordKind.SEVERITY, before=d.incident.severity, now=e.value, **e.told())
    d.change(severity=e.value, severity_by=e.by)
    resettle(d)


def confirm(d: Draft, e: Entry) -> None:
    """Others see it too. Where the agreement then has a higher severity for what holds, the incident rises."""
    d.record(RecordKind.CONFIRMED, **e.told())
    before = d.incident.severity
    d.change(confirmed=True)
    cause = d.incident.cause
    highest(d)
    if d.incident.severity != before and d.incident.phase is Phase.OPEN:
        ask(d, cause)
        page_risen(d, cause)
        note_risen(d, cause)
        open_ticket(d, cause)
        await_hotline(d, cause)


def highest(d: Draft) -> None:
    """The incident rises to the severity of its cause, if that is higher; clocks are reckoned by it."""
    severity = d.state.severity_of(d.incident.cause)
    if severity and d.plan.pack.rank(severity.name) > d.plan.pack.rank(d.incident.severity):
        d.record(RecordKind.SEVERITY, before=d.incident.severity, now=severity.name)
        d.change(severity=severity.name, severity_by="")
        resettle(d)


def reopen(d: Draft, e: Entry) -> None:
    """What was closed is not resolved: the same incident goes on with its ticket, as recovered."""
    closed = d.state.closed
    if closed is None:
        why = f"no incident of {d.plan.service} is open"
        d.refuse(why, incident=e.incident or None, entry=e.kind.value, **e.told())
    elif e.incident not in ("", closed.id):
        d.refuse(
            f"incident {e.incident} is not the newest that was closed; {closed.id} is", entry=e.kind.value, **e.told()
        )
    else:
        d.state = replace(d.state, incident=closed, closed=None)
        d.record(RecordKind.REOPENED, **e.told())
        mark(d, Mark.REOPENED, e.second)


def refuse_open_already(d: Draft, e: Entry) -> None:
    """An open incident cannot be reopened."""
    d.refuse(f"incident {d.incident.id} is open", entry=e.kind.value, **e.told())


def take_maintenance(d: Draft, e: Maintenance) -> None:
    """A window begins or ends; what was raised within acts when the last one ends (see `rules.incident`)."""
    windows = d.state.maintenance
    if e.begins == (e.title in windows):  # told twice, after a restart
        return
    d.record(RecordKind.MAINTENANCE, title=e.title, begins=e.begins, second=e.second)
    left = (*windows, e.title) if e.begins else tuple(title for title in windows if title != e.title)
    d.state = replace(d.state, maintenance=left)
