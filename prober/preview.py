"""Every text of an incident beforehand: a made-up one is played through its whole life, and each kind of text kept once.

Outage, answers that do not come, a second outage, recovery, the end; nobody acknowledges and everything is accepted at once, so
that also the reminders, the next level and the escalation show. Nothing is sent or written down.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from prober.rehearsal import Rehearsal
from rules.acts import REPEAT, Act, ActKind, ActResult, Outcome
from rules.incident import Entry, EntryKind, Event, Result, Tick

NS = 10**9
#: Seconds for which the vendor keeps silent in the story: past a weekend, so that business hours come, and until each clock
#: that runs was due, though not for ever.
SILENCE = 5 * 86_400
LONGEST = 60 * 86_400
#: What the vendor calls the made-up ticket.
TICKET = "EXAMPLE-1"
_WHO = "the preview"
#: Moments looked at, at most: a clock with a short cadence must not keep the command busy.
_MOMENTS = 3_000
#: A reminder's step ends with a count, and a repeat's with its number.
_COUNTED = re.compile(rf"^((?:warn|due|chase|again|late|escalate)-.*?)-\d+(?:{REPEAT}\d+)?$")


@dataclass(frozen=True, slots=True)
class Shown:
    """An act of the story, `after` seconds from its beginning."""

    act: Act
    after: int


class Preview:
    """The story of one made-up incident. `began` is UTC seconds."""

    def __init__(self, rehearsal: Rehearsal, began: int) -> None:
        self._rehearsal = rehearsal
        self._began = self._now = began
        self._seen: set[tuple[ActKind, str, tuple[str, ...]]] = set()
        self._shown: list[Shown] = []

    def play(self) -> list[Shown]:
        """The acts in their order, the first of each kind and step."""
        r = self._rehearsal
        self._event(r.raised(self._now))
        self._pass(60)
        if r.plan.pack.hotline:
            self._enter(EntryKind.INTAKE, "the hotline has taken the vital information")
        self._keep_silent()
        self._event(r.cleared(self._now))
        self._pass(3600)
        self._event(r.raised(self._now))
        self._pass(600)
        self._event(r.cleared(self._now))
        self._enter(EntryKind.RESOLVE, "agreed with the vendor")
        return self._shown

    def _enter(self, kind: EntryKind, text: str) -> None:
        if self._rehearsal.state.incident is not None:
            self._event(Entry(kind, _WHO, text, self._now * NS))

    def _keep_silent(self) -> None:
        """The vendor says nothing for days; where hours are few, for as long as it takes until all was done once."""
        end = self._now + LONGEST
        incident = self._rehearsal.state.incident
        due = [run.due for run in incident.clocks if run.live] if incident is not None else []
        self._pass(SILENCE)
        self._until(max(due, default=0), end)
        incident = self._rehearsal.state.incident
        self._until(max((at for at, _ in incident.later), default=0) if incident is not None else 0, end)

    def _until(self, moment: int, end: int) -> None:
        if self._now <= moment:
            self._pass(min(moment, end) + 1 - self._now)

    def _pass(self, seconds: int) -> None:
        """Time passes, through every moment at which the rules have something to do."""
        until = self._now + seconds
        for _ in range(_MOMENTS):
            following = min((at for at in self._ahead() if self._now < at < until), default=until)
            self._now = following
            self._event(Tick(following))
            if following == until:
                return
        self._now = until

    def _ahead(self) -> Iterator[int]:
        incident, plan = self._rehearsal.state.incident, self._rehearsal.plan
        if incident is None:
            return
        yield from (run.lapses for run in incident.clocks if run.lapses)
        yield from (at for at, _ in incident.later)
        if incident.ask:
            yield incident.ask.until // NS
        if incident.paging:
            levels = plan.further[incident.paging.level :]
            yield from (incident.paging.since // NS + level.after for level in levels[:1])

    def _event(self, event: Event) -> None:
        for act in self._rehearsal.take(event):
            self._keep(act)
            name = act.receivers[0] if act.receivers else "-"
            number = TICKET if act.kind is ActKind.TICKET else ""
            result = ActResult(act.id, name, Outcome.ACCEPTED, self._now * NS, "", number, final=True)
            self._event(Result(result))

    def _keep(self, act: Act) -> None:
        key = (act.kind, _COUNTED.sub(r"\1", act.step), act.receivers)
        if key not in self._seen:
            self._seen.add(key)
            self._shown.append(Shown(act, self._now - self._began))
