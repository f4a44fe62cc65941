"""`mode: ask`: ticket and hotline are put before on-call; without an answer they go ahead (DESIGN.md, "Order of acts").

While consent is asked for, notes are held and nothing goes to the vendor. Consent is for an episode: what follows within it,
chases and further calls, needs no further one.
"""

from rules.contracts.model import Hotline
from rules.incident_draft import SECOND, Draft
from rules.incident_events import ConditionRaised, Entry, RecordKind
from rules.incident_hotline import await_hotline
from rules.incident_state import Ask, Mode, Status
from rules.incident_ticket import drop_held_notes, open_ticket, send_held_notes


def ask(d: Draft, e: ConditionRaised) -> None:
    """Before anything goes to the vendor. One question at a time: what comes while it stands is part of it."""
    severity = d.state.severity_of(e)
    if d.plan.mode is not Mode.ASK or d.incident.ask or severity is None:
        return
    wants_ticket = severity.ticket and d.plan.tickets
    wants_call = severity.hotline is not Hotline.NONE and d.plan.hotline
    if wants_ticket or wants_call:
        until = d.now + d.plan.ask_for * SECOND
        d.change(ask=Ask(d.now, until))
        d.record(RecordKind.ASKED, ticket=bool(wants_ticket), hotline=bool(wants_call), until=until // SECOND)


def consent(d: Draft, e: Entry) -> None:
    """A person agrees (`mode: ask`): ticket and hotline go ahead."""
    if d.incident.ask is None:
        d.refuse("nothing is asked for", entry=e.kind.value, **e.told())
        return
    d.record(RecordKind.CONSENTED, **e.told())
    _go_ahead(d)


def decline(d: Draft, e: Entry) -> None:
    """Nothing goes to the vendor in this episode; a new one, or a higher severity, is asked for anew."""
    if d.incident.ask is None:
        d.refuse("nothing is asked for", entry=e.kind.value, **e.told())
        return
    d.change(ask=None, declined=d.incident.episode)
    d.record(RecordKind.DECLINED, **e.told())
    drop_held_notes(d, "on-call declined")


def go_ahead_if_due(d: Draft, _: object = None) -> None:
    """Nobody has answered in time."""
    asked = d.incident.ask
    if asked and d.now >= asked.until:
        d.record(RecordKind.WENT_AHEAD, after=(asked.until - asked.since) // SECOND)
        _go_ahead(d)


def end_ask(d: Draft, why: str) -> None:
    """Nothing is asked for any more; `why` goes into the record."""
    if d.incident.ask:
        d.change(ask=None)
        d.record(RecordKind.ASK_ENDED, why=why)


def _go_ahead(d: Draft) -> None:
    """What waited: the ticket, or the notes into it, and then the hotline if what it is called for still holds."""
    d.change(ask=None, declined=0)
    cause = d.incident.cause
    open_ticket(d, cause)
    send_held_notes(d)
    ticket = d.incident.ticket
    if ticket is None or ticket.status is Status.FAILED:
        drop_held_notes(d, "no ticket was opened")
    if caller := _caller(d):
        await_hotline(d, caller)


def _caller(d: Draft) -> ConditionRaised | None:
    """What still holds and has the hotline called, if anything does."""
    wanted = ((h, d.state.severity_of(h)) for h in d.state.agreed())
    return next((h for h, severity in wanted if severity and severity.hotline is not Hotline.NONE), None)


def catch_up(d: Draft, _: object = None) -> None:
    """The configuration has changed: what could not be done before is done, or asked for."""
    mode, incident = d.plan.mode, d.incident
    if mode is Mode.OBSERVE:
        end_ask(d, "observing now")
    elif incident.ask and mode is Mode.ACT:
        d.record(RecordKind.ASK_ENDED, why="nobody has to consent any more")
        _go_ahead(d)
    elif d.plan.tickets and incident.ticket is None and incident.declined != incident.episode:
        ask(d, incident.cause)
        open_ticket(d, incident.cause)
        await_hotline(d, incident.cause)
