"""The incident of a service as a table of transitions, and the short interpreter under it (DESIGN.md, "Incident").

`step(state, event)` is a pure function: the same events give the same records and acts (invariant 10). A reader holds
the table against the agreement: its rows say which effects an event has in which phase, in their order, and which phase
follows.

NONE follows when the incident is closed; what it was is in its records. Conditions that still hold when an incident
closes (the vendor closed its ticket, on-call's own matter goes on) open the next one at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from rules import incident_answers as answer
from rules import incident_consent as consent
from rules import incident_due as due
from rules import incident_effects as do
from rules import incident_hotline as hotline
from rules import incident_life as life
from rules import incident_oncall as oncall
from rules import incident_publish as publish
from rules import incident_ticket as ticket
from rules import incident_unreached as unreached
from rules.contracts.model import INTERNAL
from rules.incident_draft import SECOND, Draft
from rules.incident_events import (
    ClockStepped,
    ConditionCleared,
    ConditionRaised,
    Entry,
    EntryKind,
    Event,
    Maintenance,
    Record,
    RecordKind,
    Reloaded,
    Removed,
    Result,
    Started,
    Step,
    Tick,
)
from rules.incident_redirect import redirect_all
from rules.incident_state import CLOCK, Incident, Level, Mode, Phase, Plan, ServiceState, Status, Ticket
from rules.incident_what import What, what
from rules.model import Condition

__all__ = [
    "CLOCK",
    "INTERNAL",
    "TABLE",
    "ClockStepped",
    "ConditionCleared",
    "ConditionRaised",
    "Entry",
    "EntryKind",
    "Event",
    "Incident",
    "Level",
    "Maintenance",
    "Mode",
    "Phase",
    "Plan",
    "Record",
    "RecordKind",
    "Reloaded",
    "Removed",
    "Result",
    "ServiceState",
    "Started",
    "Status",
    "Step",
    "Tick",
    "Ticket",
    "What",
    "step",
]


#: Takes the draft of the step and the row's event (of the class that the row's What stands for).
Effect: TypeAlias = Callable[[Draft, Any], None]


@dataclass(frozen=True, slots=True)
class Row:
    """The phase that follows, and what is done on the way, in order."""

    then: Phase
    effects: tuple[Effect, ...]


def _row(then: Phase, *effects: Effect) -> Row:
    return Row(then, effects)


_NONE, _INTERNAL, _OPEN, _RECOVERED = Phase.NONE, Phase.INTERNAL, Phase.OPEN, Phase.RECOVERED
W = What

#: Wherever an incident is open.
_OPENED: dict[What, tuple[Effect, ...]] = {
    W.ACCEPTED: (answer.record_result, answer.take_accepted),
    W.FAILED: (answer.record_result, answer.take_failed),
    W.TRIED: (answer.record_result, answer.take_tried),
    W.ACK: (answer.acknowledge,),
    W.NOTE: (life.take_note,),
    W.TELL: (life.tell,),
    W.UNREACHED: (unreached.take_unreached,),
    W.MISADDRESSED: (answer.refuse_other,),
    W.TICK: (
        consent.go_ahead_if_due,
        answer.tell_if_late,
        hotline.call_hotline_if_due,
        due.look_at_clocks,
        oncall.page_on,
    ),
}
#: In every phase.
_ALWAYS: dict[What, tuple[Effect, ...]] = {
    W.RAISED_OTHER: (do.hold,),
    W.CLEARED_OTHER: (do.let_go,),
    W.REPEATED: (do.ignore,),
    W.STARTED: (answer.record_start,),
    W.RESULT_REPEATED: (answer.record_repeat,),
    W.RESULT_LATE: (answer.record_late,),
    W.REMOVED: (answer.take_removal,),
    W.CLOCK_STEPPED: (answer.shift_clock, answer.stay_blind),
    W.MAINTENANCE: (life.take_maintenance,),
}

TABLE: dict[tuple[Phase, What], Row] = {
    # Persistent: on-call at once, first the ticket, then the hotline.
    (_NONE, W.RAISED): _row(
        _OPEN,
        do.hold,
        do.begin,
        do.see,
        consent.ask,
        oncall.page,
        ticket.open_ticket,
        hotline.await_hotline,
        publish.raised,
    ),
    (_INTERNAL, W.RAISED): _row(
        _OPEN,
        do.hold,
        do.rise,
        do.see,
        consent.ask,
        oncall.page_risen,
        ticket.open_ticket,
        hotline.await_hotline,
        publish.raised,
    ),
    (_OPEN, W.RAISED_HIGHER): _row(
        _OPEN,
        do.hold,
        do.rise,
        do.see,
        consent.ask,
        oncall.page_risen,
        ticket.note_risen,
        ticket.open_ticket,
        hotline.await_hotline,
        publish.raised,
    ),
    (_OPEN, W.RAISED_FURTHER): _row(_OPEN, do.hold, do.see, ticket.note_further, publish.raised),
    (_OPEN, W.RAISED_SEEN): _row(_OPEN, do.hold, publish.raised),
    # Again before it was agreed to be resolved: the same ticket, a new page and a new call.
    (_OPEN, W.RAISED_AGAIN): _row(
        _OPEN,
        do.hold,
        do.next_episode,
        do.see,
        consent.ask,
        oncall.page,
        ticket.note_again,
        ticket.open_ticket,
        hotline.await_hotline,
        publish.raised,
    ),
    (_RECOVERED, W.RAISED): _row(
        _OPEN,
        do.hold,
        do.next_episode,
        do.see,
        consent.ask,
        oncall.page,
        ticket.note_again,
        ticket.open_ticket,
        hotline.await_hotline,
        publish.raised,
    ),
    # Recovered: told in the ticket, the page resolved; not closed.
    (_OPEN, W.CLEARED): _row(_OPEN, do.let_go, hotline.stand_down, publish.cleared),
    (_OPEN, W.CLEARED_LAST): _row(
        _RECOVERED,
        do.let_go,
        do.recover,
        hotline.stand_down,
        ticket.note_recovered,
        oncall.resolve_pages,
        publish.recovered,
    ),
    # On-call's own matters: pages of their own; alone, an incident that closes by itself.
    (_NONE, W.RAISED_OWN): _row(_INTERNAL, do.hold, do.begin, oncall.page_own),
    (_INTERNAL, W.RAISED_OWN): _row(_INTERNAL, do.hold, oncall.page_own),
    (_OPEN, W.RAISED_OWN): _row(_OPEN, do.hold, oncall.page_own),
    (_RECOVERED, W.RAISED_OWN): _row(_RECOVERED, do.hold, oncall.page_own),
    (_INTERNAL, W.CLEARED_OWN): _row(_INTERNAL, oncall.resolve_own_page, do.let_go),
    (_INTERNAL, W.CLEARED_OWN_LAST): _row(_NONE, oncall.resolve_own_page, do.let_go, answer.close_by_itself),
    (_OPEN, W.CLEARED_OWN): _row(_OPEN, oncall.resolve_own_page, do.let_go),
    (_RECOVERED, W.CLEARED_OWN): _row(_RECOVERED, oncall.resolve_own_page, do.let_go),
    # Operators.
    (_RECOVERED, W.RESOLVE): _row(_NONE, publish.closed, answer.close),
    (_OPEN, W.RESOLVE): _row(_OPEN, answer.refuse_still_holds),
    (_INTERNAL, W.RESOLVE): _row(_INTERNAL, answer.refuse_internal),
    # Whether it still holds nobody can say: the person's word ends it.
    (_RECOVERED, W.RESOLVE_REMOVED): _row(_NONE, publish.closed, answer.close),
    (_OPEN, W.RESOLVE_REMOVED): _row(_NONE, publish.closed, answer.close),
    (_INTERNAL, W.RESOLVE_REMOVED): _row(_NONE, answer.close),
    (_RECOVERED, W.CLOSED_BY_VENDOR): _row(_NONE, publish.closed, answer.close),
    (_OPEN, W.CLOSED_BY_VENDOR): _row(_NONE, publish.closed, answer.close),
    (_INTERNAL, W.CLOSED_BY_VENDOR): _row(_INTERNAL, answer.refuse_internal),
    (_RECOVERED, W.ADOPT): _row(_RECOVERED, answer.adopt),
    (_OPEN, W.ADOPT): _row(_OPEN, answer.adopt),
    (_INTERNAL, W.ADOPT): _row(_INTERNAL, answer.refuse_internal),
    # The life of the ticket, and what people decide.
    **{
        (phase, w): Row(phase, (effect,))
        for phase in (_OPEN, _RECOVERED)
        for w, effect in (
            (W.LIFE, life.take_step),
            (W.SEVERITY_SET, life.set_severity),
            (W.CONFIRM, life.confirm),
            (W.CONSENT, consent.consent),
            (W.DECLINE, consent.decline),
            (W.PUBLISH, publish.say),
        )
    },
    **{
        (_INTERNAL, w): _row(_INTERNAL, answer.refuse_internal)
        for w in (W.LIFE, W.SEVERITY_SET, W.CONFIRM, W.CONSENT, W.DECLINE, W.PUBLISH)
    },
    (_NONE, W.REOPEN): _row(_RECOVERED, life.reopen, publish.reopened),
    **{(phase, W.REOPEN): _row(phase, life.refuse_open_already) for phase in (_INTERNAL, _OPEN, _RECOVERED)},
    # The configuration changed: what could not be done before is done.
    (_NONE, W.RELOADED): _row(_NONE, answer.take_plan),
    (_OPEN, W.RELOADED): _row(_OPEN, answer.take_plan, redirect_all, consent.catch_up),
    **{(phase, W.RELOADED): _row(phase, answer.take_plan, redirect_all) for phase in (_INTERNAL, _RECOVERED)},
    **{(phase, w): Row(phase, fx) for phase in (_INTERNAL, _OPEN, _RECOVERED) for w, fx in _OPENED.items()},
    **{(phase, w): Row(phase, fx) for phase in Phase for w, fx in _ALWAYS.items()},
    # No incident is open.
    **{
        (_NONE, w): _row(_NONE, answer.refuse_none_open)
        for w in (
            *(W.ACK, W.NOTE, W.RESOLVE, W.RESOLVE_REMOVED, W.ADOPT, W.CLOSED_BY_VENDOR, W.MISADDRESSED),
            *(W.LIFE, W.SEVERITY_SET, W.CONFIRM, W.CONSENT, W.DECLINE, W.TELL, W.UNREACHED, W.PUBLISH),
        )
    },
    (_NONE, W.TICK): _row(_NONE),
}


def step(state: ServiceState, event: Event) -> Step:
    """What comes of `event`. Every event is handled in every state; nothing raises.

    When nothing comes of it, the step's state is `state` itself, so that the caller has nothing to write down.
    """
    draft = Draft(state, _now(event))
    for e in _unfold(state, event):
        _apply(draft, e)
        if draft.state.maintenance:
            if draft.state.incident is None:
                _silence(draft)
            continue
        if draft.state.incident is None and not draft.state.measured:
            _forget(draft)
        _take_up(draft)
    return draft.done()


def _apply(draft: Draft, event: Event) -> None:
    row = TABLE[draft.state.phase, what(draft.state, event)]
    for effect in row.effects:
        effect(draft, event)
    if draft.state.incident is not None and draft.state.phase is not row.then:
        draft.change(phase=row.then)


def _silence(draft: Draft) -> None:
    """Within a maintenance window nothing opens an incident: what holds acts when the window ends."""
    silenced = tuple(h.matter for h in draft.state.held)
    if silenced != draft.state.silenced:
        draft.state = replace(draft.state, silenced=silenced)


def _forget(draft: Draft) -> None:
    """The service is no longer configured, and no incident needs to know: whether what held still does nobody can say."""
    gone = {h.matter for h in draft.state.judged()}
    if gone:
        held = tuple(h for h in draft.state.held if h.matter not in gone)
        silenced = tuple(matter for matter in draft.state.silenced if matter not in gone)
        draft.state = replace(draft.state, held=held, silenced=silenced)


def _take_up(draft: Draft) -> None:
    """What still holds acts now: after an incident was closed, or when a maintenance window has ended.

    The agreement's matters come first. What was judged of a service that is no longer configured waits until it is again.
    """
    state, plan = draft.state, draft.plan
    held = [h for h in state.held if state.incident is None or h.matter in state.silenced]
    if not state.measured:
        held = [h for h in held if h not in state.judged()]
    matters = [h for h in held if plan.severity_of(h)] + [
        h for h in held if plan.severity_of(h) is None and plan.on_call_alone(h)
    ]
    taken = {h.matter for h in held}
    silenced = tuple(matter for matter in state.silenced if matter not in taken)
    if matters or silenced != state.silenced:
        left = tuple(h for h in state.held if h not in matters)
        draft.state = replace(state, held=left, silenced=silenced)
    for one in matters:
        _apply(draft, one)


def _now(event: Event) -> int:
    """The event's instant, UTC ns."""
    match event:
        case Result():
            return event.result.at
        case Started() | Entry() | Reloaded() | Removed():
            return event.at
        case _:
            return event.second * SECOND


def _unfold(state: ServiceState, event: Event) -> Iterator[Event]:
    """The event, and what follows from it at once: a clock set back blinds us until time has caught up."""
    match event:
        case ClockStepped() if event.delta < 0:
            yield event
            if state.holds(Condition.BLIND, CLOCK) is None:
                yield ConditionRaised(Condition.BLIND, event.second, event.second, CLOCK)
        case Tick() if state.blind_until and event.second >= state.blind_until:
            yield ConditionCleared(Condition.BLIND, event.second, CLOCK)
            yield event
        case _:
            yield event
