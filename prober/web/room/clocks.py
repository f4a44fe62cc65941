"""The agreement's clocks of an incident: every run of each, kept, due or late, from the trail and the state as it is now."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from prober.deliver.view import line
from prober.store import StoredRecord
from rules.clocks import Running, Standing, late
from rules.contracts.clauses import Party
from rules.incident_events import RecordKind
from rules.incident_state import Incident, Plan


@dataclass(frozen=True, slots=True)
class ClockRun:
    """One run of a clock. Instants are UTC seconds; `ended` and `late` (seconds) are 0 while it goes on."""

    name: str
    title: str
    article: str
    whose: str  # "the vendor's", "ours", ""
    standing: Standing
    since: int
    due: int
    ended: int = 0
    late: int = 0
    why: str = ""

    @property
    def live(self) -> bool:
        return self.standing in (Standing.RUNNING, Standing.PAUSED)

    @property
    def mark(self) -> str:
        """Kept, late or stopped, as far as that does not depend on what time it is; "" while it runs."""
        if self.standing is Standing.PAUSED:
            return "paused"
        if self.live:
            return ""
        return "late" if self.late else "kept" if self.standing is Standing.MET else "stopped"


def runs_of(
    records: Iterable[StoredRecord], plan: Plan | None, incident: Incident | None, now: int
) -> tuple[ClockRun, ...]:
    """Those that go on first, by when they are due; then those that have ended, the newest first.

    `incident` is the state of the open one, whose runs are the truth: a step of the machine's clock moves them silently.
    """
    told = list(_told(records))
    if incident is not None:
        live = {run.name: run for run in incident.clocks if run.live}
        told = [_as_it_is(each, live.get(each.name), now) if each.live else each for each in told]
    named = [_named(each, plan) for each in told]
    going = sorted((each for each in named if each.live), key=lambda each: each.due)
    over = sorted((each for each in named if not each.live), key=lambda each: -each.ended)
    return (*going, *over)


_LIVE = {
    RecordKind.CLOCK_STARTED: Standing.RUNNING,
    RecordKind.CLOCK_PAUSED: Standing.PAUSED,
    RecordKind.CLOCK_RESUMED: Standing.RUNNING,
}
_OVER = {RecordKind.CLOCK_MET: Standing.MET, RecordKind.CLOCK_STOPPED: Standing.STOPPED}


def _told(records: Iterable[StoredRecord]) -> Iterator[ClockRun]:
    """The runs as the trail tells of them, each once."""
    going: dict[str, ClockRun] = {}
    for record in records:
        name, d = line(record.detail.get("clock")), record.detail
        if not name:
            continue
        if record.kind == RecordKind.CLOCK_STARTED:
            if name in going:
                yield going.pop(name)
            going[name] = ClockRun(
                name, name, line(d.get("article")), "", Standing.RUNNING, _int(d, "since", record.at), _int(d, "due")
            )
        elif (run := going.get(name)) is None:
            continue
        elif record.kind in _OVER:
            del going[name]
            standing, ended = _OVER[RecordKind(record.kind)], _int(d, "at", record.at)
            due, why = _int(d, "due", run.due), line(d.get("why"))
            yield replace(run, standing=standing, ended=ended, due=due, late=_int(d, "late"), why=why)
        elif record.kind in _LIVE:
            going[name] = replace(run, standing=_LIVE[RecordKind(record.kind)], due=_int(d, "due", run.due))
        elif record.kind == RecordKind.CLOCK_CHANGED:
            going[name] = replace(run, due=_int(d, "due", run.due))
    yield from going.values()


def _as_it_is(told: ClockRun, run: Running | None, now: int) -> ClockRun:
    if run is None:
        return told
    behind = late(run, now) if run.standing is Standing.PAUSED else 0
    return replace(told, standing=run.standing, since=run.begun, due=run.due, late=behind)


def _named(run: ClockRun, plan: Plan | None) -> ClockRun:
    clause = plan.pack.clock(run.name) if plan is not None else None
    if clause is None:
        return run
    whose = "ours" if clause.of is Party.US else "the vendor's"
    return replace(run, title=line(clause.title), article=line(clause.article), whose=whose)


def _int(d: Mapping[str, Any], key: str, otherwise: int = 0) -> int:
    value = d.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise
