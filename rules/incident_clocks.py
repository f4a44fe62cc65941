"""The agreement's clocks of an incident: what starts, stops, holds up and changes them. What is done when one is due is in
`rules.incident_due`."""

from typing import Any

from rules import clocks
from rules.clocks import Running, Standing
from rules.contracts.calendar import ALWAYS, Calendar, opens
from rules.contracts.clauses import Clock, Mark, Span
from rules.incident_draft import SECOND, Draft
from rules.incident_events import RecordKind
from rules.incident_names import clock_topic
from rules.incident_oncall import resolve_topic
from rules.incident_state import Plan


def calendar_of(plan: Plan, name: str) -> Calendar:
    """The calendar of that name; one that nobody gave counts around the clock, as `always` does."""
    return plan.calendars.get(name, ALWAYS)


def mark(d: Draft, moment: Mark, at: int | None = None) -> None:
    """Something happened that moves clocks, at UTC second `at` (default: now)."""
    at = d.second if at is None else at
    marks = d.incident.marks
    d.change(marks={**marks, moment: max(at, marks.get(moment, at))})  # the newest, in whichever order they are told
    if moment is Mark.WAITING_FOR_US:
        _hold_up(d, at)
    for clock in d.plan.pack.clocks:
        run = d.incident.clock(clock.name)
        if run and run.live and moment in clock.stops:
            if not (clock.every and at < run.begun):  # told late, after a newer one: a cadence does not go back
                _met(d, clock, run, at)
        elif moment in clock.starts and not (run and run.live):
            _start(d, clock, at)
    if moment is Mark.WAITING_FOR_THEM:
        _go_on(d, at)


def _start(d: Draft, clock: Clock, at: int) -> None:
    span = clock.span(d.incident.severity)
    if span is None:
        return
    calendar = calendar_of(d.plan, clock.calendar)
    run = clocks.start(clock, span, calendar, at)
    if clock.pauses and d.incident.waiting == "us":
        run = clocks.pause(run, calendar, at)
    put(d, run)
    _record(d, RecordKind.CLOCK_STARTED, clock, run)


def _met(d: Draft, clock: Clock, run: Running, at: int) -> None:
    """What it waited for has come; a cadence begins anew."""
    late = clocks.late(run, at)
    put(d, clocks.end(run, Standing.MET, at))
    _record(d, RecordKind.CLOCK_MET, clock, run, at=at, late=late)
    resolve_topic(d, clock_topic(clock.name), text=f"{clock.title}: what was waited for has come.")
    if clock.every:
        _start(d, clock, at)


def _hold_up(d: Draft, at: int) -> None:
    for clock, run in live(d):
        if clock.pauses and run.standing is Standing.RUNNING:
            paused = clocks.pause(run, calendar_of(d.plan, clock.calendar), at)
            put(d, paused)
            _record(d, RecordKind.CLOCK_PAUSED, clock, paused, at=at)


def _go_on(d: Draft, at: int) -> None:
    for clock, run in live(d):
        if run.standing is Standing.PAUSED:
            going = clocks.resume(run, clock, calendar_of(d.plan, clock.calendar), at)
            put(d, going)
            _record(d, RecordKind.CLOCK_RESUMED, clock, going, at=at)


def resettle(d: Draft) -> None:
    """The severity, the agreement, its terms or its hours have changed: the same runs by what holds now."""
    marks = d.incident.marks
    for run in d.incident.clocks:
        if run.live and d.plan.pack.clock(run.name) is None:
            _stop(d, run, "the agreement has no such clock any more")
    for clock in d.plan.pack.clocks:
        known = d.incident.clock(clock.name)
        span = clock.span(d.incident.severity)
        if known is None:
            if span is not None and any(moment in marks for moment in clock.starts):
                _start(d, clock, d.second)
        elif known.live and span is None:
            _stop(d, known, f"there is none at severity {d.incident.severity}")
        elif known.live and span is not None:
            changed = clocks.resettle(known, clock, span, calendar_of(d.plan, clock.calendar), d.second)
            if changed != known:
                put(d, changed)
                _record(d, RecordKind.CLOCK_CHANGED, clock, changed, before=known.due)
        elif known.standing is Standing.STOPPED and known.ended > marks.get(Mark.CLOSED, 0) and span is not None:
            _revive(d, clock, known, span)


def _revive(d: Draft, clock: Clock, run: Running, span: Span) -> None:
    """There is such a clock again, since the severity is what it was: it was not met, so it goes on."""
    answered = max((d.incident.marks.get(moment, 0) for moment in clock.stops), default=0)
    if answered > run.begun:  # while it was stopped
        if clock.every:
            _start(d, clock, answered)
    elif clock.pauses:  # how long it would have stood still meanwhile is not known
        _start(d, clock, d.second)
    else:
        going = clocks.revive(run, clock, span, calendar_of(d.plan, clock.calendar), d.second)
        put(d, going)
        _record(d, RecordKind.CLOCK_CHANGED, clock, going, before=run.due)


def stop_all(d: Draft, why: str) -> None:
    """Stop every clock that runs or is paused; `why` goes into the record."""
    for run in d.incident.clocks:
        if run.live:
            _stop(d, run, why)
    d.change(later=())


def shift_all(d: Draft, delta: int) -> None:
    """The machine's clock was set by `delta` ns: what was stamped by the old one is moved."""
    seconds = delta // SECOND
    for clock, run in live(d):
        put(d, clocks.shift(run, clock, calendar_of(d.plan, clock.calendar), seconds, d.second))
    d.change(
        marks={moment: at + seconds for moment, at in d.incident.marks.items()},
        later=tuple((_reachable(d, at), name) for at, name in d.incident.later),
    )


def _reachable(d: Draft, at: int) -> int:
    """When the point of escalation can be reached by the clock as it is now: its hours are the wall's, and are not moved."""
    escalation = d.plan.pack.escalation
    return at if escalation is None else opens(calendar_of(d.plan, escalation.calendar), d.second)


def live(d: Draft) -> list[tuple[Clock, Running]]:
    """The clocks that run or stand still, each with its clause."""
    runs = ((d.plan.pack.clock(run.name), run) for run in d.incident.clocks if run.live)
    return [(clock, run) for clock, run in runs if clock is not None]


def _stop(d: Draft, run: Running, why: str) -> None:
    put(d, clocks.end(run, Standing.STOPPED, d.second))
    late = clocks.late(run, d.second)
    d.record(RecordKind.CLOCK_STOPPED, clock=run.name, due=run.due, late=late, why=why)
    resolve_topic(d, clock_topic(run.name), text=f"The clock was stopped: {why}.")
    d.change(later=tuple((at, name) for at, name in d.incident.later if name != run.name))


def put(d: Draft, run: Running) -> None:
    """The newest run of its clock."""
    d.change(clocks=(*(c for c in d.incident.clocks if c.name != run.name), run))
    if run.standing is Standing.MET:
        d.change(later=tuple((at, name) for at, name in d.incident.later if name != run.name))


def _record(d: Draft, kind: RecordKind, clock: Clock, run: Running, **more: Any) -> None:
    d.record(kind, clock=clock.name, article=clock.article, since=run.begun, due=run.due, **more)
