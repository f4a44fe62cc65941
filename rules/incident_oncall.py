"""Paging on-call: at once, its next levels, again until somebody acknowledges, and resolved when it is over."""

from dataclasses import replace
from typing import Any

from rules.acts import REPEAT, ActKind
from rules.incident_draft import SECOND, Draft
from rules.incident_events import ConditionCleared, ConditionRaised, RecordKind
from rules.incident_facts import recovery, what_follows
from rules.incident_names import topic_of
from rules.incident_state import Made, Paging, Status


def page(d: Draft, e: ConditionRaised) -> None:
    """On-call is paged at once, one act a receiver, so that none waits for another."""
    _page(d, e, "open")


def page_risen(d: Draft, e: ConditionRaised) -> None:
    """Page again, because the severity is higher."""
    _page(d, e, f"severity-{d.incident.severity}")


def _page(d: Draft, e: ConditionRaised, step: str) -> None:
    severity = d.state.severity_of(e)
    if severity and severity.page:
        ask = d.incident.ask
        follows = what_follows(d.plan, severity, d.incident.ticket, ask.until // SECOND if ask else 0)
        waiting = d.incident.paging
        told = _levels(d, waiting.level if waiting else 0)  # whoever has been told of less is told of this at once
        page_these(d, (*d.plan.on_call, *told), step, e, **follows)
        if waiting and not d.state.maintenance:
            d.change(paging=replace(waiting, step=step))  # nobody has answered: from now on this is what they hear of
        _await_answer(d, step)


def page_own(d: Draft, e: ConditionRaised) -> None:
    """A page of its own for what concerns on-call alone: told from others of the incident by its number."""
    d.change(alarms=d.incident.alarms + 1, own=(*d.incident.own, e.matter))
    step = f"{e.condition}-{d.incident.alarms}"
    page_these(d, d.plan.on_call, step, e, topic_of(e), passing=True)
    _await_answer(d, step)


def page_each(d: Draft, step: str, cause: ConditionRaised | None, topic: str = "", **more: Any) -> None:
    """Pages the first level."""
    page_these(d, d.plan.on_call, step, cause, topic, **more)


def page_these(
    d: Draft,
    receivers: tuple[str, ...],
    step: str,
    cause: ConditionRaised | None,
    topic: str = "",
    *,
    passing: bool = False,
    repeat: int = 0,
    **more: Any,
) -> None:
    """Pages each of `receivers`; within a maintenance window nobody is paged.

    Whoever has had this page gets its repeat of that number, which shares its alert and is resolved with it.
    """
    if d.state.maintenance:
        d.record(RecordKind.NOT_PAGED, step=step, why=f"maintenance: {', '.join(d.state.maintenance)}")
        return
    facts = d.facts(cause, **more)
    had = {r for m in d.incident.made if m.kind is ActKind.PAGE and m.step == step for r in m.receivers}
    for receiver in receivers:
        again = bool(repeat) and receiver in had
        named = f"{step}{REPEAT}{repeat}" if again else step
        d.make(ActKind.PAGE, named, (receiver,), facts, topic=topic, passing=passing or again, resolved=again)


def newest_of(d: Draft, step: str) -> str:
    """The step of the page of that kind that is open in this episode, else of the next one.

    One that was resolved has used up its key: without a number the next would not be made.
    """
    pages = [m for m in d.incident.made if m.kind is ActKind.PAGE and m.episode == d.incident.episode]
    had = {m.step: m.resolved for m in pages if m.step == step or m.step.startswith(f"{step}-")}
    left = [name for name, resolved in had.items() if not resolved]
    return left[-1] if left else f"{step}-{len(had) + 1}" if had else step


def page_anew(d: Draft, refused: Made) -> bool:
    """Page whom the configuration has now, if it has no longer whom this page was for and nobody has acknowledged."""
    if refused.resolved or d.incident.acknowledged_by or not d.plan.on_call:
        return False
    if not {*d.plan.on_call, *_levels(d, len(d.plan.further))}.isdisjoint(refused.receivers):
        return False
    d.mark(refused.id, resolved=True)  # there is nobody to tell that it is over
    cause, follows = _held(d, refused.topic), {}
    if not refused.topic and (severity := d.state.severity_of(d.incident.cause)):
        follows = what_follows(d.plan, severity, d.incident.ticket)
    page_these(d, d.plan.on_call, refused.step, cause, refused.topic, passing=refused.passing, **follows)
    return True


# --- until somebody acknowledges


def _await_answer(d: Draft, step: str) -> None:
    """From now on the next levels are paged, and this page is repeated, until somebody acknowledges.

    It is remembered where there is neither, since a reload may bring both.
    """
    if d.incident.paging is None and not d.state.maintenance:
        d.change(paging=Paging(step, d.now, again=_again(d)))


def _again(d: Draft) -> int:
    """When the page is repeated next (UTC ns), 0: never."""
    return d.now + d.plan.page_again * SECOND if d.plan.page_again else 0


def repeat_anew(d: Draft) -> None:
    """The plan repeats pages at other times, or has begun or ceased to: from now on by that."""
    if d.incident.paging:
        d.change(paging=replace(d.incident.paging, again=_again(d)))


def page_on(d: Draft, _: object = None) -> None:
    """Time has passed: the next level, or the page again."""
    paging = d.incident.paging
    if paging is None or d.state.maintenance:
        return
    levels = d.plan.further[paging.level :]
    if levels and d.now >= paging.since + levels[0].after * SECOND:
        _next_level(d, paging, _unanswered(paging))
    elif paging.again and d.now >= paging.again:
        _repeat(d, paging)


def page_on_now(d: Draft, text: str) -> bool:
    """Page the next level before its time, because a page reached nobody; False: there is none, or somebody has it."""
    paging = d.incident.paging
    if paging is None or d.state.maintenance or not d.plan.further[paging.level :]:
        return False
    _next_level(d, paging, text)
    return True


def _next_level(d: Draft, paging: Paging, text: str) -> None:
    d.change(paging=replace(paging, level=paging.level + 1))
    page_these(d, d.plan.further[paging.level].receivers, paging.step, _cause(d, paging), _topic(d, paging), text=text)


def _repeat(d: Draft, paging: Paging) -> None:
    n = paging.repeats + 1
    d.change(paging=replace(paging, repeats=n, again=_again(d)))
    reached = (*d.plan.on_call, *_levels(d, paging.level))
    page_these(d, reached, paging.step, _cause(d, paging), _topic(d, paging), repeat=n, text=_unanswered(paging))


def _levels(d: Draft, reached: int) -> tuple[str, ...]:
    """The receivers of the first `reached` further levels."""
    return tuple(r for level in d.plan.further[:reached] for r in level.receivers)


def _topic(d: Draft, paging: Paging) -> str:
    return next((m.topic for m in d.incident.made if m.kind is ActKind.PAGE and m.step == paging.step), "")


def _cause(d: Draft, paging: Paging) -> ConditionRaised | None:
    """What the page is about that waits for an answer; None: the agreement's matter."""
    return _held(d, _topic(d, paging))


def _held(d: Draft, topic: str) -> ConditionRaised | None:
    return next((h for h in d.state.held if topic_of(h) == topic), None)


def _unanswered(paging: Paging) -> str:
    return f"Nobody has acknowledged the page ({paging.step}) so far. Acknowledge it, and it is not repeated."


def stop_paging(d: Draft, _: object = None) -> None:
    """Page no further levels and repeat nothing."""
    d.change(paging=None)


# --- resolved


def resolve_pages(d: Draft, e: ConditionCleared) -> None:
    """The pages about the agreement's matter, of every episode that is not resolved yet."""
    resolve_topic(d, "", **recovery(d.incident.cause, e))
    if d.incident.own:
        _page_on_what_is_left(d)
    else:
        stop_paging(d)


def resolve_own_page(d: Draft, e: ConditionCleared) -> None:
    """Before the condition is let go, so that the text knows it."""
    held = d.state.holds(e.condition, e.scope)
    resolve_topic(d, topic_of(e), **(recovery(held, e) if held else {}))
    d.change(own=tuple(m for m in d.incident.own if m != e.matter))
    if d.incident.own or d.state.agreed():
        _page_on_what_is_left(d)
    else:
        stop_paging(d)


def _page_on_what_is_left(d: Draft) -> None:
    """Nobody has answered, and what was waited for is over: the levels hear of what goes on, not of what is over."""
    paging = d.incident.paging
    pages = [m for m in d.incident.made if m.kind is ActKind.PAGE and not m.resolved]
    if paging is None or any(m.step == paging.step and m.episode == d.incident.episode for m in pages):
        return
    own = {topic_of(held) for held in d.state.held if held.matter in d.incident.own}
    left = [m.step for m in pages if m.topic in own]
    d.change(paging=replace(paging, step=left[-1], level=0) if left else paging)


def resolve_topic(d: Draft, topic: str | None, **more: Any) -> None:
    """Resolves the pages about `topic`; None: all of them."""
    for m in d.incident.made:
        if m.kind is ActKind.PAGE and not m.resolved and topic in (None, m.topic):
            _resolve(d, m, d.facts(_held(d, m.topic), **more))


def resolve_step(d: Draft, step: str, text: str) -> None:
    """Resolves this episode's pages of that step alone: what it asked for is done otherwise, as `text` says."""
    for m in d.incident.made:
        if m.kind is ActKind.PAGE and not m.resolved and (m.step, m.episode) == (step, d.incident.episode):
            if m.status is Status.FAILED:  # nobody has it
                d.mark(m.id, resolved=True)
            else:
                _resolve(d, m, d.facts(text=text))


def _resolve(d: Draft, m: Made, facts: dict[str, Any]) -> None:
    d.mark(m.id, resolved=True)
    d.make(
        ActKind.PAGE_RESOLVE,
        m.step,
        m.receivers,
        facts,
        after=m.id,
        topic=m.topic,
        episode=m.episode,
        passing=m.passing,
    )
