"""One step of an incident while it is being made: the state so far, and the records and acts that it causes."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from rules.acts import Act, ActKind
from rules.contracts.model import INTERNAL
from rules.incident_events import ConditionRaised, Record, RecordKind, Step
from rules.incident_facts import facts_of
from rules.incident_state import Incident, Made, Plan, ServiceState, Status

#: Nanoseconds in a second.
SECOND = 10**9


#: So many notes are kept although they are settled: later ones name them.
_NOTES = 10


class Draft:
    """`now` is the UTC ns of the event. Effects (`rules.incident_effects`) change it; `done` makes a value of it."""

    def __init__(self, state: ServiceState, now: int) -> None:
        self.state = state
        self.now = now
        self.records: list[Record] = []
        self.acts: list[Act] = []
        self.withdrawn: list[str] = []
        self.refused = ""

    @property
    def plan(self) -> Plan:
        return self.state.plan

    @property
    def second(self) -> int:
        return self.now // SECOND

    @property
    def incident(self) -> Incident:
        """The open incident. Raises RuntimeError when there is none: a row of the table makes no sense."""
        if self.state.incident is None:
            raise RuntimeError("no incident is open; the table of rules.incident has a wrong row")
        return self.state.incident

    def change(self, **fields: Any) -> None:
        """The incident with other fields."""
        self.state = replace(self.state, incident=replace(self.incident, **fields))

    def record(self, kind: RecordKind, /, *, incident: str | None = None, **detail: Any) -> None:
        if incident is None:
            incident = self.state.incident.id if self.state.incident else ""
        self.records.append(Record(incident, self.second, kind, detail))

    def refuse(self, why: str, **detail: Any) -> None:
        self.refused = why
        self.record(RecordKind.REFUSED, why=why, **detail)

    def facts(self, cause: ConditionRaised | None = None, **more: Any) -> dict[str, Any]:
        """What every act of the incident says, about `cause` (default: the incident's), and `more`."""
        cause = cause or self.incident.cause
        severity = INTERNAL if cause.matter in self.incident.own else self.incident.severity
        return facts_of(self.plan, self.incident, cause, severity) | more

    def make(
        self,
        kind: ActKind,
        step: str,
        receivers: tuple[str, ...],
        facts: Mapping[str, Any],
        *,
        after: str = "",
        topic: str = "",
        episode: int = 0,
        created: int = 0,
        passing: bool = False,
        resolved: bool = False,
    ) -> Act:
        """Has an act carried out. One that was made before is not made again: its key would be the same.

        `passing`, `resolved`: of `rules.incident_state.Made`.
        """
        incident = self.incident
        act = Act(
            incident=incident.id,
            episode=episode or incident.episode,
            kind=kind,
            step=step,
            receivers=receivers,
            created=created or self.second,
            after=after,
            facts=facts,
        )
        if incident.act(act.id) is None:
            made = Made(act.id, kind, act.episode, step, receivers, topic, passing=passing, resolved=resolved)
            self.change(made=(*(_without_passed(incident.made) if passing else incident.made), made))
            self.acts.append(act)
            self.record(RecordKind.ACT, act=act.id, kind=kind.value, step=step, receivers=list(receivers))
        return act

    def mark(self, id_: str, **fields: Any) -> None:
        """An act's standing, changed."""
        self.change(made=tuple(replace(m, **fields) if m.id == id_ else m for m in self.incident.made))

    def withdraw(self, id_: str, why: str) -> None:
        self.mark(id_, status=Status.WITHDRAWN)
        self.withdrawn.append(id_)
        self.record(RecordKind.WITHDRAWN, act=id_, why=why)

    def done(self) -> Step:
        return Step(self.state, tuple(self.records), tuple(self.acts), tuple(self.withdrawn), self.refused)


def _without_passed(made: tuple[Made, ...]) -> Iterator[Made]:
    """Of what comes again and again for days, the records keep everything; the state only what can still matter."""
    notes = [m.id for m in made if m.kind is ActKind.NOTE][-_NOTES:]
    return (m for m in made if not m.forgettable or m.id in notes)
