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
from rules import incident_effects as do
from rules.contracts.model import INTERNAL
from rules.incident_draft import SECOND, Draft
from rules.incident_events import (
    ClockStepped,
    ConditionCleared,
    ConditionRaised,
    Entry,
    EntryKind,
    Event,
    Record,
    RecordKind,
    Reloaded,
    Result,
    Started,
    Step,
    Tick,
)
from rules.incident_state import CLOCK, Incident, Mode, Phase, Plan, ServiceState, Status, Ticket
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
    "Mode",
    "Phase",
    "Plan",
    "Record",
    "RecordKind",
    "Reloaded",
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
    W.NOTE: (answer.take_note,),
    W.MISADDRESSED: (answer.refuse_other,),
    W.TICK: (do.call_hotline_if_due,),
}
#: In every phase.
_ALWAYS: dict[What, tuple[Effect, ...]] = {
    W.RAISED_OTHER: (do.hold,),
    W.CLEARED_OTHER: (do.let_go,),
    W.REPEATED: (do.ignore,),
    W.STARTED: (answer.record_start,),
    W.RESULT_REPEATED: (answer.record_repeat,),
    W.RESULT_LATE: (answer.record_late,),
    W.CLOCK_STEPPED: (answer.shift_clock, answer.stay_blind),
}

TABLE: dict[tuple[Phase, What], Row] = {
    # Persistent: on-call at once, first the ticket, then the hotline.
    (_NONE, W.RAISED): _row(_OPEN, do.hold, do.begin, do.see, do.page, do.open_ticket, do.await_hotline),
    (_INTERNAL, W.RAISED): _row(_OPEN, do.hold, do.rise, do.see, do.page_risen, do.open_ticket, do.await_hotline),
    (_OPEN, W.RAISED_HIGHER): _row(
        _OPEN, do.hold, do.rise, do.see, do.page_risen, do.note_risen, do.open_ticket, do.await_hotline
    ),
    (_OPEN, W.RAISED_FURTHER): _row(_OPEN, do.hold, do.see, do.note_further),
    (_OPEN, W.RAISED_SEEN): _row(_OPEN, do.hold),
    # Again before it was agreed to be resolved: the same ticket, a new page and a new call.
    (_OPEN, W.RAISED_AGAIN): _row(
        _OPEN, do.hold, do.next_episode, do.see, do.page, do.note_again, do.open_ticket, do.await_hotline
    ),
    (_RECOVERED, W.RAISED): _row(
        _OPEN, do.hold, do.next_episode, do.see, do.page, do.note_again, do.open_ticket, do.await_hotline
    ),
    # Recovered: told in the ticket, the page resolved; not closed.
    (_OPEN, W.CLEARED): _row(_OPEN, do.let_go, do.stand_down),
    (_OPEN, W.CLEARED_LAST): _row(
        _RECOVERED, do.let_go, do.recover, do.stand_down, do.note_recovered, do.resolve_pages
    ),
    # On-call's own matters: pages of their own; alone, an incident that closes by itself.
    (_NONE, W.RAISED_OWN): _row(_INTERNAL, do.hold, do.begin, do.page_own),
    (_INTERNAL, W.RAISED_OWN): _row(_INTERNAL, do.hold, do.page_own),
    (_OPEN, W.RAISED_OWN): _row(_OPEN, do.hold, do.page_own),
    (_RECOVERED, W.RAISED_OWN): _row(_RECOVERED, do.hold, do.page_own),
    (_INTERNAL, W.CLEARED_OWN): _row(_INTERNAL, do.resolve_own_page, do.let_go),
    (_INTERNAL, W.CLEARED_OWN_LAST): _row(_NONE, do.resolve_own_page, do.let_go, answer.close_by_itself),
    (_OPEN, W.CLEARED_OWN): _row(_OPEN, do.resolve_own_page, do.let_go),
    (_RECOVERED, W.CLEARED_OWN): _row(_RECOVERED, do.resolve_own_page, do.let_go),
    # Operators.
    (_RECOVERED, W.RESOLVE): _row(_NONE, answer.close),
    (_OPEN, W.RESOLVE): _row(_OPEN, answer.refuse_still_holds),
    (_INTERNAL, W.RESOLVE): _row(_INTERNAL, answer.refuse_internal),
    (_RECOVERED, W.CLOSED_BY_VENDOR): _row(_NONE, answer.close),
    (_OPEN, W.CLOSED_BY_VENDOR): _row(_NONE, answer.close),
    (_INTERNAL, W.CLOSED_BY_VENDOR): _row(_INTERNAL, answer.refuse_internal),
    (_RECOVERED, W.ADOPT): _row(_RECOVERED, answer.adopt),
    (_OPEN, W.ADOPT): _row(_OPEN, answer.adopt),
    (_INTERNAL, W.ADOPT): _row(_INTERNAL, answer.refuse_internal),
    # The configuration changed: what could not be done before is done.
    (_OPEN, W.RELOADED): _row(_OPEN, answer.take_plan, answer.catch_up),
    **{(phase, W.RELOADED): _row(phase, answer.take_plan) for phase in (_NONE, _INTERNAL, _RECOVERED)},
    **{(phase, w): Row(phase, fx) for phase in (_INTERNAL, _OPEN, _RECOVERED) for w, fx in _OPENED.items()},
    **{(phase, w): Row(phase, fx) for phase in Phase for w, fx in _ALWAYS.items()},
    # No incident is open.
    **{
        (_NONE, w): _row(_NONE, answer.refuse_none_open)
        for w in (W.ACK, W.NOTE, W.RESOLVE, W.ADOPT, W.CLOSED_BY_VENDOR, W.MISADDRESSED)
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
        if draft.state.incident is None and draft.state.held:
            _go_on(draft)
    return draft.done()


def _apply(draft: Draft, event: Event) -> None:
    row = TABLE[draft.state.phase, what(draft.state, event)]
    for effect in row.effects:
        effect(draft, event)
    if draft.state.incident is not None and draft.state.phase is not row.then:
        draft.change(phase=row.then)


def _go_on(draft: Draft) -> None:
    """What still holds after an incident was closed opens the next one; the agreement's matters first."""
    plan = draft.plan
    matters = [h for h in draft.state.held if plan.severity_of(h)] + [
        h for h in draft.state.held if plan.severity_of(h) is None and plan.on_call_alone(h)
    ]
    if matters:
        draft.state = replace(draft.state, held=tuple(h for h in draft.state.held if h not in matters))
    for held in matters:
        _apply(draft, held)


def _now(event: Event) -> int:
    """The event's instant, UTC ns."""
    match event:
        case Result():
            return event.result.at
        case Started() | Entry() | Reloaded():
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
