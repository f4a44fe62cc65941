"""What the rows of the incident's table do (DESIGN.md, "Incident", "Order of acts"). Each effect has one thing to do.

An effect takes the draft of the step and the event of its row, and finds in the draft all else that it needs.
"""

from dataclasses import replace
from typing import Any

from rules.acts import ActKind
from rules.contracts.model import INTERNAL, Hotline
from rules.incident_draft import SECOND, Draft
from rules.incident_events import ConditionCleared, ConditionRaised, RecordKind
from rules.incident_facts import recovery, ticket_facts, what_follows
from rules.incident_names import incident_id, topic_of
from rules.incident_state import CLOCK, HeldNote, Incident, Mode, Phase, Status, Ticket, Wait

#: The hotline does not wait for the ticket longer than this after the ticket's first attempt (ns; DESIGN.md).
PATIENCE = 120 * SECOND


# --- what holds


def hold(d: Draft, e: ConditionRaised) -> None:
    d.state = replace(d.state, held=(*d.state.held, e))
    d.record(
        RecordKind.RAISED,
        condition=e.condition.value,
        scope=e.scope,
        second=e.second,
        onset=e.onset,
        measured=e.measured,
        bad=e.bad,
        reasons=dict(e.reasons),
        rule=dict(e.rule),
    )


def let_go(d: Draft, e: ConditionCleared) -> None:
    d.state = replace(d.state, held=tuple(h for h in d.state.held if h.matter != e.matter))
    if e.scope == CLOCK:
        d.state = replace(d.state, blind_until=0)
    d.record(RecordKind.CLEARED, condition=e.condition.value, scope=e.scope, second=e.second, last=e.last)


def ignore(d: Draft, e: ConditionRaised | ConditionCleared) -> None:
    why = "holds already" if isinstance(e, ConditionRaised) else "does not hold"
    d.record(RecordKind.IGNORED, condition=e.condition.value, scope=e.scope, second=e.second, why=why)


# --- the incident's life


def begin(d: Draft, e: ConditionRaised) -> None:
    """A new incident, named after the second of its opening; never after one that an earlier incident has."""
    number = max(d.second, d.state.last + 1)
    severity = d.plan.severity_of(e)
    name = severity.name if severity else INTERNAL
    # The row of the table sets the phase when its effects are done.
    incident = Incident(incident_id(d.plan.service, number), d.second, Phase.NONE, name, e.onset, e)
    d.state = replace(d.state, incident=incident, last=number)
    d.record(RecordKind.OPENED, severity=name, condition=e.condition.value, onset=e.onset, second=e.second)


def see(d: Draft, e: ConditionRaised) -> None:
    """The condition belongs to this episode, as a matter of the agreement's."""
    d.change(seen=(*d.incident.seen, e.matter))


def rise(d: Draft, e: ConditionRaised) -> None:
    """The same incident, more severe: its id and its thread stay."""
    _highest(d, e)
    d.change(cause=e)


def next_episode(d: Draft, e: ConditionRaised) -> None:
    """It is back before it was agreed to be resolved. Acts that are settled for good are left to the records."""
    episode = d.incident.episode + 1
    open_ends = tuple(
        m
        for m in d.incident.made
        if m.status is Status.PENDING
        or m.episode == d.incident.episode
        or (m.kind is ActKind.PAGE and not m.resolved)
        or m.kind is ActKind.TICKET
    )
    goes_on = tuple(h.matter for h in d.state.agreed() if h.matter != e.matter)
    d.change(episode=episode, seen=goes_on, cause=e, wait=None, made=open_ends)
    d.record(RecordKind.EPISODE, episode=episode, condition=e.condition.value, onset=e.onset, second=e.second)
    _highest(d, e)


def _highest(d: Draft, e: ConditionRaised) -> None:
    severity = d.plan.severity_of(e)
    if severity and d.plan.pack.rank(severity.name) > d.plan.pack.rank(d.incident.severity):
        d.record(RecordKind.SEVERITY, before=d.incident.severity, now=severity.name)
        d.change(severity=severity.name)


def recover(d: Draft, e: ConditionCleared) -> None:
    d.record(RecordKind.RECOVERED, episode=d.incident.episode, **recovery(d.incident.cause, e))


# --- on-call


def page(d: Draft, e: ConditionRaised) -> None:
    """On-call is paged at once, one act a receiver, so that none waits for another."""
    _page(d, e, "open")


def page_risen(d: Draft, e: ConditionRaised) -> None:
    _page(d, e, f"severity-{d.incident.severity}")


def _page(d: Draft, e: ConditionRaised, step: str) -> None:
    severity = d.plan.severity_of(e)
    if severity and severity.page:
        page_each(d, step, e, **what_follows(d.plan, severity, d.incident.ticket))


def page_own(d: Draft, e: ConditionRaised) -> None:
    """A page of its own for what concerns on-call alone: told from others of the incident by its number."""
    d.change(alarms=d.incident.alarms + 1, own=(*d.incident.own, e.matter))
    page_each(d, f"{e.condition}-{d.incident.alarms}", e, topic_of(e))


def page_each(d: Draft, step: str, cause: ConditionRaised | None, topic: str = "", **more: Any) -> None:
    for receiver in d.plan.on_call:
        d.make(ActKind.PAGE, step, (receiver,), d.facts(cause, **more), topic=topic)


def resolve_pages(d: Draft, e: ConditionCleared) -> None:
    """The pages about the agreement's matter, of every episode that is not resolved yet."""
    resolve_topic(d, "", **recovery(d.incident.cause, e))


def resolve_own_page(d: Draft, e: ConditionCleared) -> None:
    """Before the condition is let go, so that the text knows it."""
    held = d.state.holds(e.condition, e.scope)
    resolve_topic(d, topic_of(e), **(recovery(held, e) if held else {}))
    d.change(own=tuple(m for m in d.incident.own if m != e.matter))


def resolve_topic(d: Draft, topic: str | None, **more: Any) -> None:
    """Resolves the pages about `topic`; None: all of them."""
    for m in d.incident.made:
        if m.kind is ActKind.PAGE and not m.resolved and topic in (None, m.topic):
            d.mark(m.id, resolved=True)
            own = next((h for h in d.state.held if topic_of(h) == m.topic), None)
            facts = d.facts(own, **more)
            d.make(ActKind.PAGE_RESOLVE, m.step, m.receivers, facts, after=m.id, topic=m.topic, episode=m.episode)


# --- the ticket


def open_ticket(d: Draft, e: ConditionRaised) -> None:
    """The incident's one ticket, where the severity asks for one and there is none yet."""
    severity = d.plan.severity_of(e)
    if severity is None or not severity.ticket or d.incident.ticket is not None:
        return
    if d.plan.mode is Mode.OBSERVE:
        d.record(RecordKind.WOULD_OPEN_TICKET, severity=severity.name, receivers=list(d.plan.tickets))
    elif not d.plan.tickets:
        d.record(RecordKind.NO_TICKET, why="no receiver is configured")
    else:
        act = d.make(ActKind.TICKET, "open", d.plan.tickets, d.facts(e))
        d.change(ticket=Ticket(act.id, Status.PENDING))


def note_again(d: Draft, e: ConditionRaised) -> None:
    note(d, "unavailable-again", d.facts(e))


def note_risen(d: Draft, e: ConditionRaised) -> None:
    """The ticket is told of the higher severity; where there is none yet, `open_ticket` says it all."""
    if d.incident.ticket is not None:
        note(d, f"severity-{d.incident.severity}", d.facts(e))


def note_further(d: Draft, e: ConditionRaised) -> None:
    note(d, f"{e.condition}-{len(d.incident.seen)}", d.facts(e))


def note_recovered(d: Draft, e: ConditionCleared) -> None:
    note(d, "recovered", d.facts(**recovery(d.incident.cause, e)))


def note(d: Draft, step: str, facts: dict[str, Any]) -> None:
    """Adds to the ticket, by the receiver that took it. While none has, the note is held: it follows the ticket."""
    ticket = d.incident.ticket
    if d.plan.mode is Mode.OBSERVE:
        d.record(RecordKind.WOULD_ADD_NOTE, step=step)
    elif ticket is None or ticket.status is Status.FAILED:
        d.record(RecordKind.NOTE_NOT_SENT, step=step, why="no ticket was opened")
    elif ticket.status is Status.PENDING:
        d.change(notes=(*d.incident.notes, HeldNote(d.incident.episode, step, d.second, facts)))
        d.record(RecordKind.NOTE_HELD, step=step, ticket=ticket.act)
    else:
        send_note(d, HeldNote(d.incident.episode, step, d.second, facts), ticket)


def send_note(d: Draft, held: HeldNote, ticket: Ticket) -> None:
    # A reload may have taken away the receiver that took the ticket.
    receiver = ticket.receiver if ticket.receiver in d.plan.tickets else next(iter(d.plan.tickets), "")
    if not receiver:
        d.record(RecordKind.NOTE_NOT_SENT, step=held.step, why="no receiver is configured")
        return
    # How the ticket stands is told as it is now; all else as it was when the note was due.
    facts = {**held.facts, **ticket_facts(d.incident), "ticket_pending": False}
    d.make(ActKind.NOTE, held.step, (receiver,), facts, after=ticket.act, episode=held.episode, created=held.created)


# --- the hotline


def await_hotline(d: Draft, e: ConditionRaised) -> None:
    """The hotline is called once the ticket (or the note of this episode) was accepted, or when patience ends."""
    severity = d.plan.severity_of(e)
    if severity is None or severity.hotline is Hotline.NONE or _called(d):
        return
    if d.plan.mode is Mode.OBSERVE:
        d.record(RecordKind.WOULD_CALL_HOTLINE, receivers=list(d.plan.hotline))
    elif not d.plan.hotline:
        d.record(RecordKind.HOTLINE_NOT_CALLED, why="no receiver is configured")
    elif not severity.after_ticket:
        call_hotline(d, "at_once")
    else:
        d.change(wait=Wait(_waits_for(d), d.now))
        call_hotline_if_due(d, e)


def _called(d: Draft) -> bool:
    return any(
        m.kind is ActKind.HOTLINE and m.episode == d.incident.episode and m.status is not Status.WITHDRAWN
        for m in d.incident.made
    )


def _waits_for(d: Draft) -> str:
    """The act that goes before the call: the newest note of this episode, else the ticket; "": there is neither."""
    notes = [m.id for m in d.incident.made if m.kind is ActKind.NOTE and m.episode == d.incident.episode]
    ticket = d.incident.ticket
    if notes:
        return notes[-1]
    return ticket.act if ticket and ticket.status is not Status.FAILED else ""


def call_hotline_if_due(d: Draft, _: object = None) -> None:
    wait = d.incident.wait
    if wait is None:
        return
    act = d.incident.act(wait.act)
    if act and act.status is Status.ACCEPTED:
        call_hotline(d, "ticket_accepted" if act.kind is ActKind.TICKET else "note_accepted")
        return
    start = act.started if act else wait.since
    if start and d.now >= start + PATIENCE:
        call_hotline(d, "waited")


def call_hotline(d: Draft, because: str) -> None:
    wait = d.incident.wait
    d.change(wait=None)
    if d.plan.mode is Mode.OBSERVE:
        d.record(RecordKind.WOULD_CALL_HOTLINE, receivers=list(d.plan.hotline), because=because)
    elif not d.plan.hotline:
        d.record(RecordKind.HOTLINE_NOT_CALLED, why="no receiver is configured")
    else:
        before = d.incident.act(wait.act) if wait else None
        pending = bool(before and before.kind is ActKind.NOTE and before.status is Status.PENDING)
        d.make(ActKind.HOTLINE, "call", d.plan.hotline, d.facts(because=because, note_pending=pending))


def stand_down(d: Draft, _: object = None) -> None:
    """Nothing holds any more for which the hotline is called: a call that has not been made is not made."""
    if d.state.wants_hotline():
        return
    if d.incident.wait:
        d.change(wait=None)
        d.record(RecordKind.HOTLINE_NOT_CALLED, why="recovered before the call was due")
    for m in d.incident.made:
        if m.kind is ActKind.HOTLINE and m.status is Status.PENDING:
            d.withdraw(m.id, "recovered before the call was made")
            d.record(RecordKind.HOTLINE_NOT_CALLED, why="recovered before the call was made", act=m.id)
