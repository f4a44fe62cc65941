"""What time alone brings about: on-call is warned before a clock of the agreement is due, and the pack's acts are done after.

The order of acts is the pack's: chase in the ticket, the hotline again, the point of escalation in its hours, on-call's next
level. Nothing is done twice for one lapse, and after a stop of the program what is overdue is done once.
"""

from dataclasses import replace
from typing import Any

from rules import clocks
from rules.acts import ActKind
from rules.clocks import Running
from rules.contracts.calendar import opens
from rules.contracts.clauses import Action, Clock, Party
from rules.incident_clocks import calendar_of, live, put
from rules.incident_draft import Draft
from rules.incident_events import RecordKind
from rules.incident_hotline import call_hotline
from rules.incident_names import clock_topic, stamp
from rules.incident_oncall import page_these
from rules.incident_state import Mode, Status
from rules.incident_ticket import note


def look_at_clocks(d: Draft, _: object = None) -> None:
    """Time has passed."""
    now = d.second
    for clock, run in live(d):
        if run.lapses and run.lapses <= now:
            _lapse(d, clock, run)
    for at, name in d.incident.later:
        if at <= now:
            _escalate_now(d, name)


def _lapse(d: Draft, clock: Clock, run: Running) -> None:
    """Of several warnings that were missed, the newest one is told; none of a clock that is due already."""
    passed = [at for at in run.warn if at <= d.second]
    left = replace(run, warn=run.warn[len(passed) :])
    if run.next and run.next <= d.second:
        acted = clocks.acted(left, clock, calendar_of(d.plan, clock.calendar), d.second)
        put(d, acted)
        d.record(RecordKind.CLOCK_DUE, clock=clock.name, article=clock.article, due=run.due, times=acted.acted)
        for action in clock.due:
            _ACTIONS[action](d, clock, acted)
        return
    put(d, left)
    d.record(RecordKind.CLOCK_WARNED, clock=clock.name, article=clock.article, due=run.due)
    text = f"{clock.title}: due at {stamp(run.due)} by the agreement ({clock.article}). {_ours(clock)}".strip()
    _page(d, d.plan.on_call, _step(d, "warn", clock), clock, run, text)


def _page(
    d: Draft, receivers: tuple[str, ...], step: str, clock: Clock, run: Running, text: str, repeat: int = 0
) -> None:
    """Pages about a clock are resolved when it is met or stopped."""
    topic, facts = clock_topic(clock.name), _facts(clock, run)
    page_these(d, receivers, step, None, topic, passing=True, repeat=repeat, text=text, **facts)


def _ours(clock: Clock) -> str:
    return clock.asks if clock.of is Party.US else "Nothing has been recorded that stops it."


def _step(d: Draft, what: str, clock: Clock) -> str:
    """Never the same twice in an incident, since a clock can run many times."""
    d.change(reminders=d.incident.reminders + 1)
    return f"{what}-{clock.name}-{d.incident.reminders}"


def _facts(clock: Clock, run: Running) -> dict[str, Any]:
    return {
        "clock": {
            "name": clock.name,
            "title": clock.title,
            "article": clock.article,
            "of": clock.of.value,
            "since": run.begun,
            "due": run.due,
            "times": run.acted,
        }
    }


def _overdue(clock: Clock, run: Running) -> str:
    return f"{clock.title}: was due at {stamp(run.due)} by the agreement ({clock.article})."


def _chase(d: Draft, clock: Clock, run: Running) -> None:
    """Not while the vendor waits for us: the clock goes on where the agreement says so, but asking would be out of place."""
    if d.incident.waiting == "us":
        d.record(RecordKind.NOTE_NOT_SENT, step=f"chase-{clock.name}", why="the vendor waits for us")
        return
    text = f"{_overdue(clock, run)} {clock.asks}".strip()
    note(d, _step(d, "chase", clock), d.facts(text=text, **_facts(clock, run)), passing=True)


def _call_again(d: Draft, clock: Clock, run: Running) -> None:
    """Only for what still holds, and only where the hotline may be called without asking first."""
    i = d.incident
    pending = any(m.kind is ActKind.HOTLINE and m.status is Status.PENDING for m in i.made)
    if not d.state.wants_hotline():
        d.record(RecordKind.HOTLINE_NOT_CALLED, why="nothing holds for which it is called", clock=clock.name)
    elif i.ask or i.declined == i.episode:
        d.record(RecordKind.HOTLINE_NOT_CALLED, why="on-call has not consented", clock=clock.name)
    elif i.wait or pending:
        d.record(RecordKind.HOTLINE_NOT_CALLED, why="a call is on its way", clock=clock.name)
    else:
        call_hotline(d, f"late: {clock.name}", _step(d, "again", clock), _overdue(clock, run), passing=True)


def _page_next(d: Draft, clock: Clock, run: Running) -> None:
    """The first level, and with each time that it is due one level further, as long as there is one."""
    if run.acted > max(1, len(d.plan.further)):
        return
    further = d.plan.further[run.acted - 1].receivers if d.plan.further else ()
    text = f"{_overdue(clock, run)} {_ours(clock)}".strip()
    step = run.page or _step(d, "due", clock)
    put(d, replace(run, page=step))
    _page(d, (*d.plan.on_call, *further), step, clock, run, text, repeat=run.acted)


def _escalate(d: Draft, clock: Clock, run: Running) -> None:
    """Once a run of the clock, as soon as the point of escalation can be reached."""
    escalation = d.plan.pack.escalation
    if escalation is None or run.acted > 1:
        return
    at = opens(calendar_of(d.plan, escalation.calendar), d.second)
    if at > d.second:
        d.change(later=(*d.incident.later, (at, clock.name)))
        d.record(RecordKind.WILL_ESCALATE, clock=clock.name, to=escalation.title, at=at)
    else:
        _escalate_now(d, clock.name)


def _escalate_now(d: Draft, name: str) -> None:
    d.change(later=tuple(entry for entry in d.incident.later if entry[1] != name))
    clock, run, escalation = d.plan.pack.clock(name), d.incident.clock(name), d.plan.pack.escalation
    if clock is None or run is None or escalation is None:
        return
    text = f"{_overdue(clock, run)} {clock.asks}".strip()
    facts = d.facts(text=text, to=escalation.title, **_facts(clock, run))
    i = d.incident
    if d.plan.mode is Mode.OBSERVE or i.ask or i.declined == i.episode:
        why = "on-call declined" if i.declined == i.episode else f"mode {d.plan.mode}"
        d.record(RecordKind.NOT_ESCALATED, clock=name, why=why)
    elif d.plan.escalation:
        ticket = i.ticket
        d.make(
            ActKind.ESCALATION, _step(d, "late", clock), d.plan.escalation, facts, after=ticket.act if ticket else ""
        )
    else:
        d.record(RecordKind.NOT_ESCALATED, clock=name, why="no receiver is configured")
        by_hand = f"{text} Reach the {escalation.title} by hand: no receiver is configured."
        _page(d, d.plan.on_call, _step(d, "escalate", clock), clock, run, by_hand)


_ACTIONS = {
    Action.PAGE: _page_next,
    Action.CHASE: _chase,
    Action.HOTLINE: _call_again,
    Action.ESCALATE: _escalate,
}
