"""The vendor's hotline: called after the ticket where the agreement says so, and not for what is over.

The order is DESIGN.md's, "Order of acts".
"""

from rules.acts import ActKind
from rules.contracts.model import Hotline
from rules.incident_draft import SECOND, Draft
from rules.incident_events import ConditionRaised, RecordKind
from rules.incident_state import Made, Mode, Status, Wait

#: The hotline does not wait for the ticket longer than this after the ticket's first attempt (ns; DESIGN.md).
PATIENCE = 120 * SECOND

_CALL = "call"


def await_hotline(d: Draft, e: ConditionRaised) -> None:
    """The hotline is called once the ticket (or the note of this episode) was accepted, or when patience ends."""
    severity = d.state.severity_of(e)
    if severity is None or severity.hotline is Hotline.NONE or _called(d) or d.incident.ask:
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
    return any(m.status is not Status.WITHDRAWN for m in calls(d))


def _waits_for(d: Draft) -> str:
    """The act that goes before the call: the newest note of this episode, else the ticket; "": there is neither."""
    notes = [m.id for m in d.incident.made if m.kind is ActKind.NOTE and m.episode == d.incident.episode]
    ticket = d.incident.ticket
    if notes:
        return notes[-1]
    return ticket.act if ticket and ticket.status is not Status.FAILED else ""


def call_hotline_if_due(d: Draft, _: object = None) -> None:
    """Call if what comes first was accepted, or PATIENCE is over since its first attempt (DESIGN.md, "Order of acts")."""
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


def call_hotline(d: Draft, because: str, step: str = "", text: str = "", *, passing: bool = False) -> None:
    """Call now, or write down why not. `because` is the reason, `step` ("": the episode's call) and `text` what a chase is."""
    wait = d.incident.wait
    d.change(wait=None)
    if d.plan.mode is Mode.OBSERVE:
        d.record(RecordKind.WOULD_CALL_HOTLINE, receivers=list(d.plan.hotline), because=because)
    elif not d.plan.hotline:
        d.record(RecordKind.HOTLINE_NOT_CALLED, why="no receiver is configured")
    else:
        before = d.incident.act(wait.act) if wait else None
        pending = bool(before and before.kind is ActKind.NOTE and before.status is Status.PENDING)
        facts = d.facts(because=because, note_pending=pending) | ({"text": text} if text else {})
        d.make(ActKind.HOTLINE, step or _step(d), d.plan.hotline, facts, passing=passing)


def calls(d: Draft) -> list[Made]:
    """This episode's calls."""
    return [m for m in d.incident.made if m.kind is ActKind.HOTLINE and m.episode == d.incident.episode]


def _step(d: Draft) -> str:
    """The step of an episode's call. One that was withdrawn has used up its key: the same again would not be made."""
    withdrawn = sum(m.status is Status.WITHDRAWN for m in calls(d))
    return f"{_CALL}-{withdrawn + 1}" if withdrawn else _CALL


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
