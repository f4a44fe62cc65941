"""What was meant for receivers that the configuration has no longer goes to those that it has now.

A reload in the midst of an incident is how people mend a receiver that does not work. A receiver's name counts its place
("email-1"): another one of that name takes what waits. An act whose receivers are all gone is refused by the outbox; here it
is made anew, so that a page, the ticket or the call to the hotline is not lost. Not before it is refused: an attempt that is
under way may still succeed, and two tickets are one too many.
"""

from dataclasses import replace

from rules.acts import ActKind
from rules.incident_draft import Draft
from rules.incident_hotline import call_hotline, calls
from rules.incident_oncall import newest_of, page_anew, resolve_step
from rules.incident_state import Made, Mode, Phase, Status
from rules.incident_ticket import open_ticket


def redirect_all(d: Draft, _: object = None) -> None:
    """The configuration has changed: what was refused because it came too late for its receivers."""
    for kind in (ActKind.TICKET, ActKind.HOTLINE, ActKind.PAGE):  # so that pages tell how the others stand
        for made in [m for m in d.incident.made if m.kind is kind and m.status is Status.FAILED]:
            redirect(d, made)


def redirect(d: Draft, made: Made) -> bool:
    """An act was refused for good. Whether others get it, because its receivers are configured no longer."""
    if made.kind is ActKind.PAGE:
        return page_anew(d, made)
    anew = {ActKind.TICKET: _open_anew, ActKind.HOTLINE: _call_anew}.get(made.kind)
    if anew is None or not anew(d, made):
        return False
    asked = newest_of(d, f"{made.kind}-failed")
    resolve_step(d, asked, "By hand no longer: the receivers that are configured now get it.")
    return True


def _open_anew(d: Draft, made: Made) -> bool:
    incident = d.incident
    if not (_goes_on(d, made, d.plan.tickets) and incident.ticket and incident.ticket.act == made.id):
        return False
    d.change(ticket=None)
    open_ticket(d, incident.cause)
    if d.incident.ticket and incident.wait and incident.wait.act == made.id:
        d.change(wait=replace(incident.wait, act=d.incident.ticket.act))
    return True


def _call_anew(d: Draft, made: Made) -> bool:
    if not _goes_on(d, made, d.plan.hotline) or made != calls(d)[-1] or not d.state.wants_hotline():
        return False
    call_hotline(d, "receivers_changed", made.step, passing=made.passing)
    return True


def _goes_on(d: Draft, made: Made, receivers: tuple[str, ...]) -> bool:
    """Whether it is still wanted in this episode, and by other receivers than those that it was meant for."""
    wanted = d.incident.phase is Phase.OPEN and d.plan.mode is not Mode.OBSERVE and made.episode == d.incident.episode
    return wanted and bool(receivers) and set(made.receivers).isdisjoint(receivers)
