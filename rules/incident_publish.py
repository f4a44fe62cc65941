"""Public status pages are told: of what holds, of recovery and the end, and of a person's words for everybody.

Each page gets an act of its own, which waits for nothing and which nothing waits for. Its facts are public, all of them: no
ticket, no name, no receiver. Nothing is told of what concerns on-call alone.
"""

from typing import Any

from rules.acts import ActKind
from rules.incident_draft import Draft
from rules.incident_events import ConditionCleared, ConditionRaised, Entry, RecordKind
from rules.incident_facts import recovery
from rules.incident_state import Mode

#: What a person may say of the progress: Statuspage's words. That it is resolved is said by closing the incident.
PROGRESS = ("investigating", "identified", "monitoring")


def raised(d: Draft, e: ConditionRaised) -> None:
    """A condition of the agreement holds."""
    told = {"condition": e.condition.value, "scope": e.scope, "onset": e.onset}
    _tell(d, "raised", f"raised-{_matter(e)}", "investigating", **told)


def cleared(d: Draft, e: ConditionCleared) -> None:
    """One of several conditions holds no longer."""
    told = {"condition": e.condition.value, "scope": e.scope}
    _tell(d, "cleared", f"cleared-{_matter(e)}", "investigating", **told)


def recovered(d: Draft, e: ConditionCleared) -> None:
    """Tell the public status pages that it has recovered and is watched."""
    told = recovery(d.incident.cause, e)
    _tell(d, "recovered", "recovered", "monitoring", last_bad=told["last_bad"], recovered=told["recovered"])


def closed(d: Draft, e: Entry) -> None:
    """Before the incident is let go."""
    _tell(d, "closed", f"closed-{e.at}", "resolved", held=[])


def reopened(d: Draft, e: Entry) -> None:
    """Tell the public status pages that the incident is open again."""
    if not d.refused:
        _tell(d, "reopened", f"reopened-{e.at}", "monitoring")


def say(d: Draft, e: Entry) -> None:
    """A person's words for everybody; without any there is nothing to say."""
    if not e.text.strip():
        d.refuse("publish needs a text: what everybody is to read", **e.told())
        return
    if e.value not in ("", *PROGRESS):
        d.refuse(f"{e.value!r} is no progress; one of {', '.join(PROGRESS)}, or none", entry=e.kind.value, **e.told())
        return
    d.record(RecordKind.PUBLISHED, **e.told())
    _tell(d, "published", f"published-{e.at}", e.value, text=e.text)


def _tell(d: Draft, what: str, step: str, progress: str, **told: Any) -> None:
    plan = d.plan
    if not plan.status_pages:
        return
    if plan.mode is Mode.OBSERVE:
        d.record(RecordKind.WOULD_PUBLISH, step=step, receivers=list(plan.status_pages))
        return
    facts = {
        "service": plan.service,
        "title": plan.title,
        "what": what,
        "progress": progress,
        "began": d.incident.onset,
        "opened": d.incident.opened,
        "seen": sorted({condition.value for condition, _ in d.incident.seen}),
        "held": [_held(h) for h in d.state.agreed()],
        **told,
    }
    for receiver in plan.status_pages:
        d.make(ActKind.STATUS, step, (receiver,), facts, passing=True)


def _held(h: ConditionRaised) -> dict[str, Any]:
    """What holds, and which channels were mostly bad when it was judged."""
    channels = h.rule.get("channels") or {}
    bad = sorted(name for name, n in channels.items() if 2 * n["bad"] >= max(1, n["measured"]))
    return {"condition": h.condition.value, "scope": h.scope, "onset": h.onset, "channels": bad}


def _matter(e: ConditionRaised | ConditionCleared) -> str:
    return f"{e.condition.value}-{(e.scope or 'service').replace('/', '.')}-{e.second}"
