"""The incident's one ticket, and the notes that are added to it."""

from typing import Any

from rules.acts import ActKind
from rules.incident_draft import Draft
from rules.incident_events import ConditionCleared, ConditionRaised, RecordKind
from rules.incident_facts import recovery, ticket_facts
from rules.incident_state import HeldNote, Mode, Status, Ticket


def open_ticket(d: Draft, e: ConditionRaised) -> None:
    """The incident's one ticket, where the severity asks for one and there is none yet."""
    severity = d.state.severity_of(e)
    if severity is None or not severity.ticket or d.incident.ticket is not None or d.incident.ask:
        return
    if d.plan.mode is Mode.OBSERVE:
        d.record(RecordKind.WOULD_OPEN_TICKET, severity=severity.name, receivers=list(d.plan.tickets))
    elif not d.plan.tickets:
        d.record(RecordKind.NO_TICKET, why="no receiver is configured")
    else:
        act = d.make(ActKind.TICKET, "open", d.plan.tickets, d.facts(e))
        d.change(ticket=Ticket(act.id, Status.PENDING))


def note_again(d: Draft, e: ConditionRaised) -> None:
    """Add to the ticket that it is unavailable again."""
    note(d, "unavailable-again", d.facts(e))


def note_risen(d: Draft, e: ConditionRaised) -> None:
    """The ticket is told of the higher severity; where there is none yet, `open_ticket` says it all."""
    if d.incident.ticket is not None:
        note(d, f"severity-{d.incident.severity}", d.facts(e))


def note_further(d: Draft, e: ConditionRaised) -> None:
    """Add to the ticket that another condition holds too."""
    note(d, f"{e.condition}-{len(d.incident.seen)}", d.facts(e))


def note_recovered(d: Draft, e: ConditionCleared) -> None:
    """Add to the ticket that it has recovered, and from when to when it was not well."""
    note(d, "recovered", d.facts(**recovery(d.incident.cause, e)))


def note(d: Draft, step: str, facts: dict[str, Any], *, passing: bool = False) -> None:
    """Adds to the ticket, by the receiver that took it. While none has, the note is held: it follows the ticket.

    It is held too while consent is asked for, and is not sent in an episode for which consent was declined.
    """
    incident = d.incident
    ticket = incident.ticket
    if d.plan.mode is Mode.OBSERVE:
        d.record(RecordKind.WOULD_ADD_NOTE, step=step)
    elif incident.declined == incident.episode:
        d.record(RecordKind.NOTE_NOT_SENT, step=step, why="on-call declined")
    elif incident.ask or (ticket and ticket.status is Status.PENDING):
        d.change(notes=(*incident.notes, HeldNote(incident.episode, step, d.second, facts, passing)))
        d.record(RecordKind.NOTE_HELD, step=step, ticket=ticket.act if ticket else "")
    elif ticket is None or ticket.status is Status.FAILED:
        d.record(RecordKind.NOTE_NOT_SENT, step=step, why="no ticket was opened")
    else:
        send_note(d, HeldNote(incident.episode, step, d.second, facts, passing), ticket)


def send_note(d: Draft, held: HeldNote, ticket: Ticket) -> None:
    """Send a note to the receiver that took the ticket, or to the first one if that one is configured no longer."""
    # A reload may have taken away the receiver that took the ticket.
    receiver = ticket.receiver if ticket.receiver in d.plan.tickets else next(iter(d.plan.tickets), "")
    if not receiver:
        d.record(RecordKind.NOTE_NOT_SENT, step=held.step, why="no receiver is configured")
        return
    # How the ticket stands is told as it is now; all else as it was when the note was due.
    facts = {**held.facts, **ticket_facts(d.incident), "ticket_pending": False}
    d.make(
        ActKind.NOTE,
        held.step,
        (receiver,),
        facts,
        after=ticket.act,
        episode=held.episode,
        created=held.created,
        passing=held.passing,
    )


def send_held_notes(d: Draft) -> None:
    """The ticket is in, and nobody has to consent any more."""
    incident = d.incident
    if incident.ask or incident.ticket is None or incident.ticket.status is not Status.ACCEPTED:
        return
    d.change(notes=())
    for held in incident.notes:
        send_note(d, held, incident.ticket)


def drop_held_notes(d: Draft, why: str) -> None:
    """Notes that waited for the ticket are not sent; `why` goes into the record."""
    for held in d.incident.notes:
        d.record(RecordKind.NOTE_NOT_SENT, step=held.step, why=why)
    d.change(notes=())
