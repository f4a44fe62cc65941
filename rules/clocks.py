"""A clock of the agreement while it runs: pure functions over calendars (issue: "Clocks that run").

Instants are UTC seconds; spans are seconds that the clock's calendar counts. A clock has used some of its span before it
last began to run (`used`, by `since`), so that it can stand still and go on, and be reckoned anew when the calendar, the
severity or the customer's terms change.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from rules.contracts.calendar import Calendar, add, between
from rules.contracts.clauses import Clock, Span


class Standing(StrEnum):
    """How a clock stands."""

    RUNNING = "running"
    PAUSED = "paused"  # the vendor waits for us
    MET = "met"  # what it waited for has come
    STOPPED = "stopped"  # the incident was closed, or there is no such clock any more


@dataclass(frozen=True, slots=True)
class Running:
    """One run of a clock. `due` is where it stood last, while it is paused. `warn`: when on-call is still to be warned.

    `next`: when something is to be done because it is due; 0: nothing any more. `acted`: how often that was done; `page`: the
    step of the page that told of it first.
    """

    name: str
    begun: int
    since: int
    span: int
    used: int = 0
    due: int = 0
    standing: Standing = Standing.RUNNING
    warn: tuple[int, ...] = ()
    next: int = 0
    acted: int = 0
    page: str = ""
    ended: int = 0

    @property
    def live(self) -> bool:
        return self.standing in (Standing.RUNNING, Standing.PAUSED)

    @property
    def lapses(self) -> int:
        """The next second at which something happens by time alone; 0: none."""
        waits = [at for at in (*self.warn[:1], self.next) if at] if self.standing is Standing.RUNNING else []
        return min(waits, default=0)


def start(clock: Clock, span: Span, calendar: Calendar, at: int) -> Running:
    """The clock begins at `at`."""
    seconds = span.on(calendar.day)
    return _reckon(Running(clock.name, at, at, seconds), clock, calendar, at)


def pause(run: Running, calendar: Calendar, at: int) -> Running:
    """It stands still from `at` on, though not from before it began or went on."""
    at = max(at, run.since)
    used = run.used + between(calendar, run.since, at)
    return replace(run, standing=Standing.PAUSED, since=at, used=used)


def resume(run: Running, clock: Clock, calendar: Calendar, at: int) -> Running:
    """It goes on at `at`, though not before it stood still, with what is left; one that was late then stays due when it was."""
    at = max(at, run.since)
    going = replace(run, standing=Standing.RUNNING, since=at)
    if run.used < run.span:
        return _reckon(going, clock, calendar, at)
    return replace(going, next=_later(clock, calendar, at, run.span, run.acted) if run.acted else at, warn=())


def revive(run: Running, clock: Clock, span: Span, calendar: Calendar, at: int) -> Running:
    """A run that was stopped goes on at `at`, as if it had not been; what was done because it was due is done anew."""
    going = replace(run, standing=Standing.RUNNING, span=span.on(calendar.day), acted=0, page="", ended=0)
    return _reckon(going, clock, calendar, at)


def resettle(run: Running, clock: Clock, span: Span, calendar: Calendar, at: int) -> Running:
    """The same run by another span or calendar, as of `at`: what it has used so far stays used."""
    again = replace(run, span=span.on(calendar.day))
    if run.standing is Standing.PAUSED:
        return again
    reckoned = _reckon(again, clock, calendar, at)
    if run.acted and run.due == reckoned.due:
        return replace(reckoned, next=run.next)
    return reckoned


def shift(run: Running, clock: Clock, calendar: Calendar, delta: int, at: int) -> Running:
    """The machine's clock was set by `delta` seconds, and it is now `at`: what was stamped by the old one is moved.

    The begin is moved; how much has been used is kept, and the end reckoned anew.
    """
    moved = replace(run, begun=run.begun + delta, since=run.since + delta)
    if run.standing is Standing.PAUSED:
        return replace(moved, due=run.due + delta)
    next_ = run.next + delta if run.acted and run.next else 0
    reckoned = _reckon(moved, clock, calendar, at)
    return replace(reckoned, next=next_) if run.acted else reckoned


def acted(run: Running, clock: Clock, calendar: Calendar, at: int) -> Running:
    """What is done when it is due was done at `at`; when it is done again, as long as the clock is late."""
    times = run.acted + 1
    return replace(run, acted=times, next=_later(clock, calendar, at, run.span, times))


def end(run: Running, standing: Standing, at: int) -> Running:
    """`run` as it ended at `at` (UTC seconds): nothing is due of it any more."""
    return replace(run, standing=standing, ended=at, warn=(), next=0)


def late(run: Running, at: int) -> int:
    """Seconds on the wall by which it was late at `at`; 0: it was not. What passed while it stood still does not count."""
    return max(0, (run.since if run.standing is Standing.PAUSED else at) - run.due)


def _reckon(run: Running, clock: Clock, calendar: Calendar, at: int) -> Running:
    """Due, warnings that lie ahead of `at`, and the next act, from `since` and what is left."""
    left = max(0, run.span - run.used)
    due = add(calendar, run.since, left)
    before = (left - span.on(calendar.day) for span in clock.warn)
    warn = sorted(w for w in (add(calendar, run.since, b) for b in before if b > 0) if w > at)
    return replace(run, due=due, warn=tuple(warn), next=due)


def _later(clock: Clock, calendar: Calendar, at: int, span: int, times: int) -> int:
    """When it is done again, after it was done `times` times; 0: not again."""
    if clock.at_most and times >= clock.at_most:
        return 0
    if clock.again is not None:
        return add(calendar, at, clock.again.on(calendar.day))
    return add(calendar, at, span) if clock.every else 0
