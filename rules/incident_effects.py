"""What the rows of the incident's table do (DESIGN.md, "Incident", "Order of acts"). Each effect has one thing to do.

An effect takes the draft of the step and the event of its row, and finds in the draft all else that it needs.
"""

from dataclasses import replace

from rules.acts import ActKind
from rules.contracts.clauses import Mark
from rules.contracts.model import INTERNAL
from rules.incident_clocks import mark
from rules.incident_draft import Draft
from rules.incident_events import ConditionCleared, ConditionRaised, RecordKind
from rules.incident_facts import recovery
from rules.incident_life import highest
from rules.incident_names import incident_id
from rules.incident_state import CLOCK, Incident, Phase, Status

# --- what holds


def hold(d: Draft, e: ConditionRaised) -> None:
    """It holds from now on; within a maintenance window nothing comes of it before the window ends."""
    silenced = (*d.state.silenced, e.matter) if d.state.maintenance else d.state.silenced
    d.state = replace(d.state, held=(*d.state.held, e), silenced=silenced)
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
    """What was cleared holds no longer."""
    held = tuple(h for h in d.state.held if h.matter != e.matter)
    d.state = replace(d.state, held=held, silenced=tuple(m for m in d.state.silenced if m != e.matter))
    if e.scope == CLOCK:
        d.state = replace(d.state, blind_until=0)
    d.record(RecordKind.CLEARED, condition=e.condition.value, scope=e.scope, second=e.second, last=e.last)


def ignore(d: Draft, e: ConditionRaised | ConditionCleared) -> None:
    """Write down that an event changed nothing."""
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
    mark(d, Mark.OPENED)


def see(d: Draft, e: ConditionRaised) -> None:
    """The condition belongs to this episode, as a matter of the agreement's."""
    d.change(seen=(*d.incident.seen, e.matter))


def rise(d: Draft, e: ConditionRaised) -> None:
    """The same incident, more severe: its id and its thread stay."""
    d.change(cause=e)
    highest(d)


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
    d.change(episode=episode, seen=goes_on, cause=e, wait=None, made=open_ends, paging=None)
    d.record(RecordKind.EPISODE, episode=episode, condition=e.condition.value, onset=e.onset, second=e.second)
    highest(d)
    mark(d, Mark.EPISODE)


def recover(d: Draft, e: ConditionCleared) -> None:
    """The last condition of the agreement has gone; the incident stays open until it is agreed to be resolved."""
    d.record(RecordKind.RECOVERED, episode=d.incident.episode, **recovery(d.incident.cause, e))
    mark(d, Mark.RECOVERED)
