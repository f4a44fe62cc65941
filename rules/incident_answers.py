"""What the incident makes of results, operators' entries, reloads, and steps of the machine's clock."""

from dataclasses import replace
from typing import Any

from rules.acts import ActKind
from rules.contracts.clauses import Mark
from rules.incident_clocks import mark, resettle, shift_all, stop_all
from rules.incident_consent import end_ask
from rules.incident_draft import SECOND, Draft
from rules.incident_events import ClockStepped, Entry, RecordKind, Reloaded, Removed, Result, Started
from rules.incident_hotline import PATIENCE, call_hotline, call_hotline_if_due
from rules.incident_names import incident_of
from rules.incident_oncall import newest_of, page_each, repeat_anew, resolve_topic, stop_paging
from rules.incident_redirect import redirect
from rules.incident_state import Phase, Status, Ticket
from rules.incident_ticket import drop_held_notes, send_held_notes

#: How a result's detail begins when every relay is the service itself (DESIGN.md, "Relays").
NO_RELAY = "no_relay"

#: What on-call is told of when nobody takes it: in words, and what to do by hand.
_AWAITED = {
    ActKind.TICKET: ("the ticket", "open it by hand and enter its number (prober incidents adopt)"),
    ActKind.HOTLINE: ("the call to the hotline", "call by hand"),
}

#: What on-call does by hand once every receiver has refused it for good.
_BY_HAND = {
    ActKind.TICKET: "open the ticket",
    ActKind.HOTLINE: "call the hotline",
    ActKind.NOTE: "look at the ticket, whether it is closed or another one, and write into it",
    ActKind.ESCALATION: "reach the point of escalation",
}

#: So much of the last answer is kept for it, in characters.
_ANSWER = 500

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
    """Write down what became of an act."""
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
    """A receiver took an act: the ticket has its number, what waited for it goes out, and clocks that it starts run."""
    d.mark(e.result.act, status=Status.ACCEPTED)
    ticket = d.incident.ticket
    if ticket and ticket.act == e.result.act:
        ticket = replace(ticket, status=Status.ACCEPTED, receiver=e.result.receiver, reference=e.result.reference)
        d.change(ticket=ticket)
        send_held_notes(d)
        mark(d, Mark.TICKET)
    made = d.incident.act(e.result.act)
    if made and made.kind is ActKind.HOTLINE:
        mark(d, Mark.HOTLINE)
    call_hotline_if_due(d)


def take_failed(d: Draft, e: Result) -> None:
    """Every receiver refused for good. Where no others are configured by now, on-call must do by hand what is asked for."""
    d.mark(e.result.act, status=Status.FAILED)
    made = d.incident.act(e.result.act)
    if made and redirect(d, made):
        return
    ticket = d.incident.ticket
    if ticket and ticket.act == e.result.act:
        d.change(ticket=replace(ticket, status=Status.FAILED))
        d.record(RecordKind.TICKET_FAILED, act=e.result.act, detail=e.result.detail)
        drop_held_notes(d, "no ticket was opened")
    over = d.incident.phase is not Phase.OPEN  # nobody has to get up for a note that says so
    if made and made.kind in _BY_HAND and not (made.kind is ActKind.NOTE and over):
        text = f"Every receiver refused for good; {_BY_HAND[made.kind]} by hand. {e.result.detail}".strip()
        page_each(d, newest_of(d, f"{made.kind}-failed"), None, text=text)
    call_hotline_if_due(d)


def take_tried(d: Draft, e: Result) -> None:
    """Not taken yet; it will be tried again. On-call is told where no relay is left that could carry it, and when the ticket
    or the call is long in coming."""
    made = d.incident.act(e.result.act)
    if made and made.kind in _AWAITED:
        d.mark(made.id, answer=e.result.detail[:_ANSWER])
    if made and made.kind in (ActKind.TICKET, ActKind.NOTE) and e.result.detail.startswith(NO_RELAY):
        text = f"No relay can carry the {made.kind}: {e.result.detail}. It stays pending; put a relay right or send it by hand."
        page_each(d, "no-relay", None, text=text)
    tell_if_late(d)
    call_hotline_if_due(d)


def tell_if_late(d: Draft, _: object = None) -> None:
    """On-call is told of a ticket or a call that nobody has taken for so long, with the last answer: once an episode.

    As time passes, not with the next attempt: that may be minutes away by then.
    """
    for m in d.incident.made:
        if m.status is not Status.PENDING or m.answer is None or m.answer.startswith(NO_RELAY):
            continue
        if not m.started or d.now < m.started + PATIENCE or d.state.maintenance or _paged(d, f"{m.kind}-late"):
            continue
        what, by_hand = _AWAITED[m.kind]
        text = f"No receiver has taken {what} so far; it goes on being tried. If it cannot wait, {by_hand}. {m.answer}"
        page_each(d, f"{m.kind}-late", None, text=text.strip())


def _paged(d: Draft, step: str) -> bool:
    """Whether on-call has had this page in this episode."""
    return any(m.kind is ActKind.PAGE and (m.step, m.episode) == (step, d.incident.episode) for m in d.incident.made)


# --- operators


def acknowledge(d: Draft, e: Entry) -> None:
    """On-call has it: nobody else is paged, and whoever it is becomes the contact in what is written from now on."""
    d.change(acknowledged_by=e.by)
    stop_paging(d)
    d.record(RecordKind.ACK, **e.told())


def adopt(d: Draft, e: Entry) -> None:
    """A person's ticket becomes the incident's; one of ours that is not accepted yet is withdrawn."""
    if not e.ticket.strip():
        d.refuse("adopt needs the ticket's number", **e.told())
        return
    ticket = d.incident.ticket
    d.record(RecordKind.ADOPTED, **e.told() | {"ticket": e.ticket})
    if ticket and ticket.status is Status.ACCEPTED:
        d.change(ticket=replace(ticket, number=e.ticket))
        return
    if ticket and ticket.status is Status.PENDING:
        d.withdraw(ticket.act, f"ticket {e.ticket} was adopted")
    adopted = Ticket("", Status.ACCEPTED, next(iter(d.plan.tickets), ""), number=e.ticket)
    end_ask(d, f"ticket {e.ticket} was adopted")
    d.change(ticket=adopted, declined=0)
    send_held_notes(d)
    mark(d, Mark.TICKET, e.second)
    if d.incident.wait:
        call_hotline(d, "ticket_adopted")


def close(d: Draft, e: Entry) -> None:
    """The incident ends, as the entry says."""
    _close(d, how=e.kind.value, **e.told())


def close_by_itself(d: Draft, _: object) -> None:
    """On-call's own matter is over; nobody has to agree."""
    _close(d, how="by_itself", by="", text="", at=d.now)


def _close(d: Draft, **how: Any) -> None:
    end_ask(d, "the incident was closed")
    drop_held_notes(d, "the incident was closed")
    for m in d.incident.made:
        if m.kind in (ActKind.TICKET, ActKind.HOTLINE) and m.status is Status.PENDING:
            d.withdraw(m.id, "the incident was closed")
    if d.incident.wait:
        d.record(RecordKind.HOTLINE_NOT_CALLED, why="the incident was closed")
    resolve_topic(d, None)
    stop_paging(d)
    mark(d, Mark.CLOSED)
    stop_all(d, "the incident was closed")
    d.record(RecordKind.CLOSED, **how)
    closed = d.incident if d.incident.seen else d.state.closed  # on-call's own matter is not reopened
    d.state = replace(d.state, incident=None, closed=closed)


def refuse_none_open(d: Draft, e: Entry) -> None:
    """On the record of the incident that was meant, so that a late word of the vendor's is found there."""
    d.refuse(f"no incident of {d.plan.service} is open", incident=e.incident or None, entry=e.kind.value, **e.told())


def refuse_other(d: Draft, e: Entry) -> None:
    """An entry for another incident than the open one changes nothing."""
    why = f"incident {e.incident} is not open; {d.incident.id} is"
    d.refuse(why, incident=e.incident, entry=e.kind.value, **e.told())


def refuse_still_holds(d: Draft, e: Entry) -> None:
    """What still holds cannot be agreed to be resolved."""
    what = ", ".join(sorted({h.condition.value for h in d.state.agreed()}))
    d.refuse(
        f"{d.plan.service} is still {what}; it can be resolved once it has recovered", entry=e.kind.value, **e.told()
    )


def refuse_internal(d: Draft, e: Entry) -> None:
    """What concerns on-call alone has no ticket that a step could be about."""
    d.refuse(
        "this concerns on-call alone: there is no ticket, and it closes by itself when it is over",
        entry=e.kind.value,
        **e.told(),
    )


# --- the configuration and the clock


#: What a plan's parts are called in the record.
_PARTS = (
    "title",
    "pack",
    "mode",
    "tickets",
    "hotline",
    "on_call",
    "further",
    "page_again",
    "escalation",
    "ask_for",
    "status_pages",
    "calendars",
)


def take_plan(d: Draft, e: Reloaded) -> None:
    """Go on by the new configuration, and write down which parts of the plan it changed."""
    if not d.state.measured:
        d.state = replace(d.state, measured=True)
        d.record(RecordKind.PUT_BACK)
    if e.plan == d.plan:
        return
    changed = [name for name in _PARTS if getattr(e.plan, name) != getattr(d.plan, name)]
    d.state = replace(d.state, plan=e.plan)
    d.record(RecordKind.PLAN, changed=changed)
    if d.state.incident:
        resettle(d)
        if "page_again" in changed:
            repeat_anew(d)


def take_removal(d: Draft, _: Removed) -> None:
    """Nobody measures the service any more. What holds is known no better; an incident that is open goes on."""
    if d.state.measured:
        d.state = replace(d.state, measured=False)
        d.record(RecordKind.REMOVED)


def shift_clock(d: Draft, e: ClockStepped) -> None:
    """What was stamped by the old clock is moved to the new one, so that waiting takes as long as it should."""
    d.record(RecordKind.CLOCK, delta=e.delta, second=e.second)
    if d.state.incident is None:
        return
    shift_all(d, e.delta)
    incident = d.incident
    if incident.ask:
        asked = incident.ask
        incident = replace(incident, ask=replace(asked, since=asked.since + e.delta, until=asked.until + e.delta))
    if incident.paging:
        paging = incident.paging
        again = paging.again + e.delta if paging.again else 0
        incident = replace(incident, paging=replace(paging, since=paging.since + e.delta, again=again))
    if incident.wait:
        incident = replace(incident, wait=replace(incident.wait, since=incident.wait.since + e.delta))
    moved = tuple(replace(m, started=m.started + e.delta) if m.started else m for m in incident.made)
    d.state = replace(d.state, incident=replace(incident, made=moved))


def stay_blind(d: Draft, e: ClockStepped) -> None:
    """A clock set back: nothing is judged until time passes the last closed second."""
    if e.delta < 0:
        until = e.second + -(e.delta // SECOND)
        d.state = replace(d.state, blind_until=max(d.state.blind_until, until))
