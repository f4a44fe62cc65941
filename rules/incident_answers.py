"""What the incident makes of results, operators' entries, reloads, and steps of the machine's clock."""

from dataclasses import replace
from typing import Any

from rules.acts import ActKind
from rules.incident_draft import SECOND, Draft
from rules.incident_effects import (
    await_hotline,
    call_hotline,
    call_hotline_if_due,
    open_ticket,
    page_each,
    resolve_topic,
    send_note,
)
from rules.incident_events import ClockStepped, Entry, RecordKind, Reloaded, Result, Started
from rules.incident_names import incident_of
from rules.incident_state import Mode, Status, Ticket

#: How a result's detail begins when every relay is the service itself (DESIGN.md, "Relays").
NO_RELAY = "no_relay"

# --- attempts


def record_start(d: Draft, e: Started) -> None:
    """The first attempt at an act: the hotline's patience counts from it."""
    made = d.state.incident.act(e.act) if d.state.incident else None
    if made is None:
        d.record(RecordKind.STARTED, incident=incident_of(e.act), act=e.act, receiver=e.receiver, late=True)
    elif not made.started:
        d.mark(e.act, started=e.at)
        d.record(RecordKind.STARTED, act=e.act, receiver=e.receiver)


def record_result(d: Draft, e: Result) -> None:
    _record_result(d, e, "taken")


def record_repeat(d: Draft, e: Result) -> None:
    """The act was settled before: nothing changes."""
    _record_result(d, e, "repeated")


def record_late(d: Draft, e: Result) -> None:
    """The act was withdrawn, or belongs to an incident that is closed: recorded, so that it is not lost."""
    _record_result(d, e, "late")


def _record_result(d: Draft, e: Result, standing: str) -> None:
    r = e.result
    d.record(
        RecordKind.RESULT,
        incident=incident_of(r.act),
        act=r.act,
        receiver=r.receiver,
        outcome=r.outcome.value,
        final=r.final,
        detail=r.detail,
        reference=r.reference,
        at=r.at,
        standing=standing,
    )
    made = d.state.incident.act(r.act) if d.state.incident else None
    if made and not made.started:  # the word that it began was lost; it began no later than this
        d.mark(r.act, started=r.at)


def take_accepted(d: Draft, e: Result) -> None:
    d.mark(e.result.act, status=Status.ACCEPTED)
    ticket = d.incident.ticket
    if ticket and ticket.act == e.result.act:
        ticket = replace(ticket, status=Status.ACCEPTED, receiver=e.result.receiver, reference=e.result.reference)
        d.change(ticket=ticket)
        _send_held_notes(d, ticket)
    call_hotline_if_due(d)


def _send_held_notes(d: Draft, ticket: Ticket) -> None:
    notes = d.incident.notes
    d.change(notes=())
    for held in notes:
        send_note(d, held, ticket)


def take_failed(d: Draft, e: Result) -> None:
    """Every receiver refused for good. On-call must do by hand what the agreement asks for."""
    d.mark(e.result.act, status=Status.FAILED)
    made = d.incident.act(e.result.act)
    ticket = d.incident.ticket
    if ticket and ticket.act == e.result.act:
        d.change(ticket=replace(ticket, status=Status.FAILED))
        d.record(RecordKind.TICKET_FAILED, act=e.result.act, detail=e.result.detail)
        _drop_held_notes(d, "no ticket was opened")
    if made and made.kind in (ActKind.TICKET, ActKind.HOTLINE):
        by_hand = "open the ticket" if made.kind is ActKind.TICKET else "call the hotline"
        text = f"Every receiver refused for good; {by_hand} by hand. {e.result.detail}".strip()
        page_each(d, f"{made.kind}-failed", None, text=text)
    call_hotline_if_due(d)


def _drop_held_notes(d: Draft, why: str) -> None:
    for held in d.incident.notes:
        d.record(RecordKind.NOTE_NOT_SENT, step=held.step, why=why)
    d.change(notes=())


def take_tried(d: Draft, e: Result) -> None:
    """Not taken yet; it will be tried again. On-call is told where no relay is left that could carry it."""
    made = d.incident.act(e.result.act)
    if made and made.kind in (ActKind.TICKET, ActKind.NOTE) and e.result.detail.startswith(NO_RELAY):
        text = f"No relay can carry the {made.kind}: {e.result.detail}. It stays pending; put a relay right or send it by hand."
        page_each(d, "no-relay", None, text=text)
    call_hotline_if_due(d)


# --- operators


def _by(e: Entry) -> dict[str, Any]:
    return {"by": e.by, "text": e.text, "at": e.at}


def acknowledge(d: Draft, e: Entry) -> None:
    d.change(acknowledged_by=e.by)
    d.record(RecordKind.ACK, **_by(e))


def take_note(d: Draft, e: Entry) -> None:
    d.record(RecordKind.NOTE, **_by(e))


def adopt(d: Draft, e: Entry) -> None:
    """A person's ticket becomes the incident's; one of ours that is not accepted yet is withdrawn."""
    if not e.ticket.strip():
        d.refuse("adopt needs the ticket's number", **_by(e))
        return
    ticket = d.incident.ticket
    d.record(RecordKind.ADOPTED, ticket=e.ticket, **_by(e))
    if ticket and ticket.status is Status.ACCEPTED:
        d.change(ticket=replace(ticket, number=e.ticket))
        return
    if ticket and ticket.status is Status.PENDING:
        d.withdraw(ticket.act, f"ticket {e.ticket} was adopted")
    adopted = Ticket("", Status.ACCEPTED, next(iter(d.plan.tickets), ""), number=e.ticket)
    d.change(ticket=adopted)
    _send_held_notes(d, adopted)
    if d.incident.wait:
        call_hotline(d, "ticket_adopted")


def close(d: Draft, e: Entry) -> None:
    _close(d, how=e.kind.value, **_by(e))


def close_by_itself(d: Draft, _: object) -> None:
    """On-call's own matter is over; nobody has to agree."""
    _close(d, how="by_itself", by="", text="", at=d.now)


def _close(d: Draft, **how: Any) -> None:
    _drop_held_notes(d, "the incident was closed")
    for m in d.incident.made:
        if m.kind in (ActKind.TICKET, ActKind.HOTLINE) and m.status is Status.PENDING:
            d.withdraw(m.id, "the incident was closed")
    if d.incident.wait:
        d.record(RecordKind.HOTLINE_NOT_CALLED, why="the incident was closed")
    resolve_topic(d, None)
    d.record(RecordKind.CLOSED, **how)
    d.state = replace(d.state, incident=None)


def refuse_none_open(d: Draft, e: Entry) -> None:
    d.refuse(f"no incident of {d.plan.service} is open", entry=e.kind.value, **_by(e))


def refuse_other(d: Draft, e: Entry) -> None:
    d.refuse(f"incident {e.incident} is not open; {d.incident.id} is", entry=e.kind.value, **_by(e))


def refuse_still_holds(d: Draft, e: Entry) -> None:
    what = ", ".join(sorted({h.condition.value for h in d.state.agreed()}))
    d.refuse(
        f"{d.plan.service} is still {what}; it can be resolved once it has recovered", entry=e.kind.value, **_by(e)
    )


def refuse_internal(d: Draft, e: Entry) -> None:
    d.refuse(
        "this concerns on-call alone: there is no ticket, and it closes by itself when it is over",
        entry=e.kind.value,
        **_by(e),
    )


# --- the configuration and the clock


def take_plan(d: Draft, e: Reloaded) -> None:
    if e.plan != d.plan:
        changed = [n for n in ("title", "pack", "mode", "tickets", "hotline", "on_call") if _differs(d, e, n)]
        d.state = replace(d.state, plan=e.plan)
        d.record(RecordKind.PLAN, changed=changed)


def _differs(d: Draft, e: Reloaded, name: str) -> bool:
    return bool(getattr(e.plan, name) != getattr(d.plan, name))


def catch_up(d: Draft, _: Reloaded) -> None:
    """The ticket that could not be opened before (no receiver, or only observing), and then the hotline."""
    if d.plan.mode is Mode.ACT and d.plan.tickets and d.incident.ticket is None:
        open_ticket(d, d.incident.cause)
        await_hotline(d, d.incident.cause)


def shift_clock(d: Draft, e: ClockStepped) -> None:
    """What was stamped by the old clock is moved to the new one, so that waiting takes as long as it should."""
    d.record(RecordKind.CLOCK, delta=e.delta, second=e.second)
    if d.state.incident is None:
        return
    incident = d.incident
    if incident.wait:
        incident = replace(incident, wait=replace(incident.wait, since=incident.wait.since + e.delta))
    moved = tuple(replace(m, started=m.started + e.delta) if m.started else m for m in incident.made)
    d.state = replace(d.state, incident=replace(incident, made=moved))


def stay_blind(d: Draft, e: ClockStepped) -> None:
    """A clock set back: nothing is judged until time passes the last closed second."""
    if e.delta < 0:
        until = e.second + -(e.delta // SECOND)
        d.state = replace(d.state, blind_until=max(d.state.blind_until, until))
