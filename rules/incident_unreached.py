"""An act that its receiver had accepted reached nobody: the next number of the hotline, the next level of on-call.

Nobody waits for the patience of a page that no one has seen. When there is no next one, on-call is told.
"""

from rules.acts import ActKind
from rules.incident_draft import Draft
from rules.incident_events import Entry, RecordKind
from rules.incident_oncall import page_each, page_on_now
from rules.incident_state import Made, Mode

#: What the step of a call to the next number ends with.
NEXT = "-next"
_KINDS = frozenset(kind.value for kind in ActKind)


def take_unreached(d: Draft, e: Entry) -> None:
    """`value` is the key under which a receiver had the act: incident/episode/kind/receiver/step."""
    incident, *parts = e.value.split("/", 4)
    if incident != d.incident.id or len(parts) != 4 or parts[1] not in _KINDS:
        d.refuse(f"{e.value!r} is no act of this incident; give the act's key", entry=e.kind.value, **e.told())
        return
    d.record(RecordKind.TOLD, **e.told())
    episode, kind, receiver, step = parts
    # A reminder may be forgotten by now; on-call is told of it all the same.
    had = (m for m in d.incident.made if (str(m.episode), m.kind, m.step) == (episode, kind, step))
    made = next((m for m in had if receiver in m.receivers), None)
    if made and kind == ActKind.HOTLINE and _call_next(d, made, receiver):
        return
    if made and kind == ActKind.PAGE and not made.topic and page_on_now(d, e.text):
        return
    page_each(d, f"{kind}-unreached", None, text=e.text)


def _call_next(d: Draft, made: Made, receiver: str) -> bool:
    """Call the hotline's next number, if there is one and the call is still wanted."""
    left = made.receivers[made.receivers.index(receiver) + 1 :]
    left = tuple(name for name in left if name in d.plan.hotline)
    if not left or d.plan.mode is Mode.OBSERVE or made.episode != d.incident.episode or not d.state.wants_hotline():
        return False
    step = made.step if made.step.endswith(NEXT) else f"{made.step}{NEXT}"
    d.make(ActKind.HOTLINE, step, left, d.facts(because="unreached", note_pending=False), passing=made.passing)
    return True
