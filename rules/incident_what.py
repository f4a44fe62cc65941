"""What an event amounts to, given what is known: the columns of the incident's table."""

from enum import Enum, auto

from rules.acts import ActResult, Outcome
from rules.contracts.model import Pack
from rules.incident_events import (
    ConditionCleared,
    ConditionRaised,
    Entry,
    EntryKind,
    Event,
    Maintenance,
    Reloaded,
    Removed,
    Result,
    Started,
    Tick,
)
from rules.incident_state import Incident, Phase, ServiceState, Status
from rules.model import Condition


class What(Enum):
    """What an event amounts to, given what is known. "Agreed" means that the pack gives the condition a severity."""

    RAISED = auto()  # an agreed condition, new to its phase or episode
    RAISED_HIGHER = auto()  # agreed, more severe than all of this episode
    RAISED_FURTHER = auto()  # agreed, no more severe: another channel, endpoint or condition
    RAISED_AGAIN = auto()  # unavailable once more while something else still holds
    RAISED_SEEN = auto()  # agreed, told of before in this episode
    RAISED_OWN = auto()  # on-call's own matter
    RAISED_OTHER = auto()  # nobody's matter yet: recorded
    CLEARED = auto()  # agreed; others hold
    CLEARED_LAST = auto()
    CLEARED_OWN = auto()
    CLEARED_OWN_LAST = auto()
    CLEARED_OTHER = auto()
    REPEATED = auto()  # holds already, or does not hold
    STARTED = auto()
    ACCEPTED = auto()
    FAILED = auto()  # for good, by every receiver
    TRIED = auto()  # not taken yet
    RESULT_REPEATED = auto()
    RESULT_LATE = auto()
    TICK = auto()
    ACK = auto()
    NOTE = auto()
    PUBLISH = auto()
    RESOLVE = auto()
    RESOLVE_REMOVED = auto()  # of a service that is no longer configured
    ADOPT = auto()
    CLOSED_BY_VENDOR = auto()
    REOPEN = auto()
    CONSENT = auto()
    DECLINE = auto()
    SEVERITY_SET = auto()  # by the vendor
    CONFIRM = auto()
    TELL = auto()
    UNREACHED = auto()
    LIFE = auto()  # a step in the life of the ticket
    MAINTENANCE = auto()
    MISADDRESSED = auto()  # an entry for an incident that is not the open one
    RELOADED = auto()
    REMOVED = auto()
    CLOCK_STEPPED = auto()


_ENTRIES = {
    EntryKind.ACK: What.ACK,
    EntryKind.NOTE: What.NOTE,
    EntryKind.PUBLISH: What.PUBLISH,
    EntryKind.RESOLVE: What.RESOLVE,
    EntryKind.ADOPT: What.ADOPT,
    EntryKind.CLOSED_BY_VENDOR: What.CLOSED_BY_VENDOR,
    EntryKind.REOPEN: What.REOPEN,
    EntryKind.CONSENT: What.CONSENT,
    EntryKind.DECLINE: What.DECLINE,
    EntryKind.SEVERITY: What.SEVERITY_SET,
    EntryKind.CONFIRM: What.CONFIRM,
    EntryKind.TELL: What.TELL,
    EntryKind.UNREACHED: What.UNREACHED,
    EntryKind.INTAKE: What.LIFE,
    EntryKind.FIRST_RESPONSE: What.LIFE,
    EntryKind.CALL_BACK: What.LIFE,
    EntryKind.UPDATE: What.LIFE,
    EntryKind.WORKAROUND: What.LIFE,
    EntryKind.WAITING_FOR_US: What.LIFE,
    EntryKind.WAITING_FOR_THEM: What.LIFE,
}


def what(state: ServiceState, event: Event) -> What:
    """The row's key for `event` in `state`."""
    match event:
        case ConditionRaised():
            return _raised(state, event)
        case ConditionCleared():
            return _cleared(state, event)
        case Result():
            return _result(state, event.result)
        case Started():
            return What.STARTED
        case Tick():
            return What.TICK
        case Entry():
            if state.incident is not None and event.incident not in ("", state.incident.id):
                return What.MISADDRESSED
            if event.kind is EntryKind.RESOLVE and not state.measured:
                return What.RESOLVE_REMOVED
            return _ENTRIES[event.kind]
        case Reloaded():
            return What.RELOADED
        case Removed():
            return What.REMOVED
        case Maintenance():
            return What.MAINTENANCE
    return What.CLOCK_STEPPED


def _raised(state: ServiceState, e: ConditionRaised) -> What:
    if state.holds(e.condition, e.scope):
        return What.REPEATED
    severity = state.severity_of(e)
    if state.maintenance:
        return What.RAISED_OTHER
    if severity is None:
        return What.RAISED_OWN if state.plan.on_call_alone(e) else What.RAISED_OTHER
    if state.incident is None or state.phase is not Phase.OPEN:
        return What.RAISED
    incident, pack = state.incident, state.plan.pack
    seen = incident.seen
    if e.condition is Condition.UNAVAILABLE and e.matter in seen and not _unavailable(state):
        return What.RAISED_AGAIN
    if pack.rank(severity.name) > _highest(pack, incident):
        return What.RAISED_HIGHER
    return What.RAISED_SEEN if e.matter in seen else What.RAISED_FURTHER


def _highest(pack: Pack, incident: Incident) -> int:
    """The rank of the most severe of what this episode has had."""
    found = (pack.severity_of(condition, scope, confirmed=incident.confirmed) for condition, scope in incident.seen)
    return max((pack.rank(severity.name) for severity in found if severity), default=0)


def _unavailable(state: ServiceState) -> bool:
    return any(held.condition is Condition.UNAVAILABLE for held in state.held)


def _cleared(state: ServiceState, e: ConditionCleared) -> What:
    if state.holds(e.condition, e.scope) is None:
        return What.REPEATED
    incident = state.incident
    if incident and e.matter in incident.own:
        alone = incident.phase is Phase.INTERNAL and len(incident.own) == 1
        return What.CLEARED_OWN_LAST if alone else What.CLEARED_OWN
    agreed = {h.matter for h in state.agreed()}
    if e.matter in agreed:
        return What.CLEARED if len(agreed) > 1 else What.CLEARED_LAST
    return What.CLEARED_OTHER


def _result(state: ServiceState, r: ActResult) -> What:
    made = state.incident.act(r.act) if state.incident else None
    if made is None or made.status is Status.WITHDRAWN:
        return What.RESULT_LATE
    if made.status is Status.ACCEPTED or (made.status is Status.FAILED and r.outcome is not Outcome.ACCEPTED):
        return What.RESULT_REPEATED
    if r.outcome is Outcome.ACCEPTED:
        return What.ACCEPTED
    return What.FAILED if r.final else What.TRIED
