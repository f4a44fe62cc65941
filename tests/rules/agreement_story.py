"""Tells an incident under an agreement on a moved clock, in the vendor's local time, so that it reads like the agreement.

`a.at("Fri 20 Nov 16:30")` lets time pass minute by minute (and through every second at which a clock has something to do), and
gives back what was done on the way, as `16:45:00 page pager due-call-back`.
"""

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from prober import calendars, packs
from rules.acts import Act, ActKind, ActResult, Outcome
from rules.contracts.model import Pack
from rules.incident import (
    ConditionCleared,
    ConditionRaised,
    Entry,
    EntryKind,
    Event,
    Level,
    Mode,
    Plan,
    Record,
    RecordKind,
    Result,
    ServiceState,
    Step,
    Tick,
    step,
)
from rules.model import Condition

NS = 10**9
#: A reminder's step ends with a count, which says nothing to a reader.
_REMINDER = re.compile(r"^((?:warn|due|chase|again|late|escalate)-.*?)-\d+(?:~\d+)?$")
YEAR = 2026


@cache
def pack_of(name: str) -> Pack:
    """A built-in pack, read once: reading one costs more than most stories."""
    return packs.load(name, Path())


def plan_for(pack_name: str, terms: dict[str, Any], **changes: Any) -> Plan:
    """What a configuration with these terms makes of the pack: two levels of on-call, one receiver of each other kind."""
    pack = pack_of(pack_name)
    assert calendars.check_terms(pack, terms) == ()
    settled = pack.settled(terms)
    now = round(datetime(YEAR, 6, 1, tzinfo=UTC).timestamp())
    plan: dict[str, Any] = {
        "service": "mail",
        "title": "Mail",
        "pack": settled,
        "mode": Mode.ACT,
        "tickets": ("desk",),
        "hotline": ("phone",),
        "on_call": ("pager",),
        "further": (Level(10 * 86_400, ("boss",)),),
        "escalation": ("tam",),
        "calendars": calendars.calendars_of(settled, now),
    }
    return Plan(**(plan | changes))


class Agreement:
    """An incident of a service under an agreement. Whatever goes out is accepted a second later unless `lost` names it."""

    def __init__(self, pack_name: str, zone: str = "UTC", **terms: Any) -> None:
        self.zone = ZoneInfo(zone)
        changes = terms.pop("plan", {})
        if "time_zone" in {term.name for term in pack_of(pack_name).terms}:
            terms = {"time_zone": zone} | terms
        self.state = ServiceState(plan_for(pack_name, terms, **changes))
        self.now = 0
        self.lost: set[str] = set()
        self.said: list[tuple[int, Record | Act]] = []

    # time

    def second(self, local: str) -> int:
        """`Fri 20 Nov 16:30` or `Fri 20 Nov 16:30:05` as UTC seconds; the weekday is checked."""
        form = "%a %d %b %H:%M:%S" if local.count(":") == 2 else "%a %d %b %H:%M"
        told = datetime.strptime(f"{YEAR} {local}", f"%Y {form}").replace(tzinfo=self.zone)
        assert f"{told:%a}" == local[:3], f"{local} is a {told:%a}"
        return round(told.timestamp())

    def clock(self, second: int) -> str:
        return f"{datetime.fromtimestamp(second, self.zone):%a %d %b %H:%M:%S}"

    def at(self, local: str) -> list[str]:
        """Time passes until then."""
        until, seen = self.second(local), len(self.said)
        if self.now:
            while (following := self._next(until)) < until:
                self.tell(following, Tick(following))
        self.tell(until, Tick(until))
        return self.acts_since(seen)

    def _next(self, until: int) -> int:
        """The next full minute, or what comes first of what is known to lie ahead."""
        i = self.state.incident
        ahead = [self.now - self.now % 60 + 60]
        if i is not None:
            ahead += [second for run in i.clocks if (second := run.lapses)] + [second for second, _ in i.later]
        return min([second for second in ahead if second > self.now] + [until])

    # what happens

    def raised(self, local: str, condition: Condition = Condition.UNAVAILABLE, scope: str = "") -> list[str]:
        """It holds from then on; what goes out is accepted within the same second."""
        seen = len(self.said)
        self.at(local)
        self.tell(self.now, ConditionRaised(condition, self.now, self.now - 59, scope, 60, 57, {"http_status_503": 57}))
        return self.acts_since(seen)

    def cleared(self, local: str, condition: Condition = Condition.UNAVAILABLE, scope: str = "") -> list[str]:
        seen = len(self.said)
        self.at(local)
        self.tell(self.now, ConditionCleared(condition, self.now, scope, self.now - 120))
        return self.acts_since(seen)

    def entered(self, local: str, kind: EntryKind, **more: Any) -> list[str]:
        seen = len(self.said)
        self.at(local)
        made = self.tell(self.now, Entry(kind, "ann", "as said on the phone", self.now * NS, **more))
        assert not made.refused, made.refused
        return self.acts_since(seen)

    def tell(self, second: int, event: Event) -> Step:
        """One event, and that what goes out is accepted."""
        self.now = second
        made = step(self.state, event)
        if made.state is not self.state:
            assert ServiceState.from_json(made.state.to_json()) == made.state
        self.state = made.state
        self.said += [(second, record) for record in made.records]
        self.said += [(second, act) for act in made.acts]
        for act in made.acts:
            if act.kind.value not in self.lost:
                result = ActResult(act.id, act.receivers[0], Outcome.ACCEPTED, second * NS, "", f"<{act.step}@x>", True)
                self.tell(second, Result(result))
        return made

    # what came of it

    def acts_since(self, seen: int) -> list[str]:
        return [self.line(second, said) for second, said in self.said[seen:] if isinstance(said, Act)]

    def line(self, second: int, act: Act) -> str:
        """`16:45:00 page pager due-call-back`; what a step counts is left out, since it says nothing to a reader."""
        step = _REMINDER.sub(r"\1", act.step)
        return f"{self.clock(second)[11:]} {act.kind} {act.receivers[0]} {step}"

    @property
    def acts(self) -> list[Act]:
        return [said for _, said in self.said if isinstance(said, Act)]

    def kinds(self) -> list[ActKind]:
        return [act.kind for act in self.acts]

    def due(self, clock: str) -> str:
        """When the clock is due, in local time; "" when it does not run."""
        run = self.state.incident.clock(clock) if self.state.incident else None
        return self.clock(run.due) if run and run.live else ""

    def clocks(self) -> dict[str, str]:
        """The clocks that run, each with when it is due."""
        runs = self.state.incident.clocks if self.state.incident else ()
        return {run.name: self.clock(run.due) for run in runs if run.live}

    def severity(self) -> str:
        assert self.state.incident is not None
        return self.state.incident.severity

    def newest(self, kind: RecordKind) -> dict[str, Any]:
        return next(dict(r.detail) for _, r in reversed(self.said) if isinstance(r, Record) and r.kind is kind)

    def text(self, step: str) -> str:
        """What the newest act of that step says."""
        return str(next(a for a in reversed(self.acts) if a.step.startswith(step)).facts["text"])
