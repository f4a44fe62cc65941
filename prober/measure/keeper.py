"""One service's keeper: what its closed seconds amount to, what comes of it, and what is to be written down together."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from prober.measure.clock import NS
from prober.measure.ring import Layout, Slot
from prober.measure.series import Closed, Series
from prober.store import ActStatus, IncidentHead, Memory, SeriesKey, Transaction
from rules.acts import Act, ActResult
from rules.conditions import NOTHING_FURTHER, Conditions, Further
from rules.contracts.clauses import Mark
from rules.incident import (
    ClockStepped,
    Event,
    Plan,
    Record,
    RecordKind,
    Reloaded,
    Removed,
    Result,
    ServiceState,
    Started,
    Tick,
    step,
)
from rules.model import Cell
from rules.persistence import Rule
from rules.slices import Work, by_slices, whole
from rules.timeline import Run

#: With so many endpoints the conditions' snapshot is looked at every second, with more of them once a minute.
_FEW = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an event led to: what must be written, and what is to be done once it is. `refused`: why an entry was not taken."""

    work: Transaction
    acts: tuple[Act, ...] = ()
    withdraw: tuple[str, ...] = ()
    records: tuple[Record, ...] = ()
    stepped: bool = False
    refused: str = ""


class Keeper:
    """Keeps one service. `enrich(act)` adds to an act what its text needs beside the rules' facts."""

    def __init__(
        self,
        layout: Layout,
        plan: Plan,
        rule: Rule,
        enrich: Callable[[Act], Act],
        memory: Memory,
        history: Callable[[SeriesKey, int], Iterable[Run]],
        heads: Iterable[IncidentHead] = (),
        further: Further = NOTHING_FURTHER,
    ) -> None:
        """`memory` is what the store knows, `history(series, since)` its runs, `heads` its incidents that are not closed.

        Raises ValueError for a state that cannot be read.
        """
        self.layout = layout
        self._enrich = enrich
        states = memory.states
        saved, spells = states.get("incident"), states.get("conditions")
        self.state = ServiceState(plan) if saved is None else ServiceState.from_json(saved)
        self._conditions = _conditions(rule, further, layout, None if spells is None else json.loads(spells))
        self._series = Series(layout, memory.runs, memory.closed, self._conditions.reach)
        self._snapshot = self._conditions.snapshot()
        if not layout.lanes and spells is not None:  # no longer configured: what is known is kept, should it come back
            self._snapshot = json.loads(spells)
        self.closed = memory.closed
        self._heads = {head.id: head for head in heads}
        self.cell: Cell | None = None
        self.channels: Mapping[str, Cell] = {}
        if memory.closed is not None:
            self._replay(memory.closed, history)

    def _replay(self, closed: int, history: Callable[[SeriesKey, int], Iterable[Run]]) -> None:
        since = closed - self._conditions.reach
        for key, run in self._series.open_runs().items():
            if run.start <= since:
                runs = self._series.recent(key, closed)
            else:
                runs = list(history(key, since))
                self._series.remember(key, [r for r in runs if r.end is not None and r.end <= run.start])
            self._conditions.replay(key.channel, key.endpoint, runs)

    def resume(self, plan: Plan, at: int) -> Outcome:
        """After a restart the incident goes on by the plan as it is now; `at` is UTC ns.

        A last closed second that lies ahead says that the clock was set back meanwhile. Nothing is judged until time has
        passed it, which on-call is told, unless that was done before the restart.
        """
        events: list[Event] = [Reloaded(plan, at)]
        second = at // NS
        if self.closed is not None and self.closed >= second and self.state.blind_until <= second:
            events.append(ClockStepped((second - self.closed - 1) * NS, second))
        return self.take(*events)

    def reloading(
        self,
        layout: Layout,
        plan: Plan,
        rule: Rule,
        enrich: Callable[[Act], Act],
        at: int,
        further: Further = NOTHING_FURTHER,
    ) -> Work[Outcome]:
        """The service is configured differently from the next second on; its history and its incident stay.

        `at` is UTC ns. While this pauses the incident may take other events, by the plan before, but no second and no end.
        """
        old = self._series
        closed = self.closed
        conditions = _conditions(rule, further, layout, self._conditions.snapshot())
        series = Series(layout, old.open_runs() if closed is not None else {}, closed, conditions.reach)
        series.inherit(old)
        if closed is not None:
            for key, pause in by_slices(series.open_runs()):
                if pause:
                    yield
                runs = old.recent(key, closed)
                series.remember(key, runs[:-1])
                conditions.replay(key.channel, key.endpoint, runs)
        self.layout, self._conditions, self._series, self._enrich = layout, conditions, series, enrich
        return self.take(Reloaded(plan, at))

    def retire(self, at: int) -> Outcome:
        """The service is no longer in the configuration (since `at`, UTC ns): its runs end; its incident stays open."""
        if self.layout.lanes:
            self._snapshot = self._conditions.snapshot()
        outcome = self.take(Removed(at))
        runs = self._series.end(self.closed) if self.closed is not None else ()
        return replace(outcome, work=replace(outcome.work, runs=runs))

    def memory(self) -> Memory:
        """What a later keeper of the service needs, once this one is retired."""
        states = {"incident": self.state.to_json(), "conditions": json.dumps(self._snapshot)}
        return Memory(self.layout.service, self.closed, {}, states)

    @property
    def heads(self) -> tuple[IncidentHead, ...]:
        """The incidents that are not closed, as lists show them."""
        return tuple(self._heads.values())

    def close(self, slot: Slot) -> tuple[Closed, Outcome]:
        """`closing` at once."""
        return whole(self.closing(slot))

    def closing(self, slot: Slot) -> Work[tuple[Closed, Outcome]]:
        """A second has closed: what it was, and what comes of it (T1 of DESIGN.md).

        While this pauses the incident may take other events, but no other second, no reload and no end.
        """
        seen = yield from self._series.closing(slot)
        if seen.span > 1:
            events = yield from self._conditions.feeding_gap(seen.second, seen.span, seen.service)
        else:
            feeding = self._conditions.feeding(seen.second, seen.service, seen.channels, seen.changed, slot.slow)
            events = yield from feeding
        last = seen.second + seen.span - 1
        self.closed, self.cell, self.channels = last, seen.service, seen.channels
        outcome = self.take(*events)
        work = replace(outcome.work, closed={self.layout.service: last}, runs=seen.runs)
        look = events or len(self.layout.lanes) <= _FEW or last % 60 == 0
        snapshot = self._conditions.snapshot() if look else self._snapshot
        if snapshot != self._snapshot:
            self._snapshot = snapshot
            work = replace(work, states={**work.states, (self.layout.service, "conditions"): json.dumps(snapshot)})
        return seen, replace(outcome, work=work)

    def take(self, *events: Event) -> Outcome:
        """Events of the incident: conditions, results, entries, ticks (T2 of DESIGN.md)."""
        before = self.state
        records: list[Record] = []
        acts: list[Act] = []
        withdraw: list[str] = []
        refused = ""
        for event in events:
            taken = step(self.state, event)
            self.state = taken.state
            records += taken.records
            acts += [self._enrich(act) for act in taken.acts]
            withdraw += taken.withdraw
            refused = taken.refused or refused
        attempts = tuple(event.result for event in events if isinstance(event, Result))
        if self.state is before and not records and not attempts:
            return Outcome(Transaction(), refused=refused)
        name = self.layout.service
        states = {(name, "incident"): self.state.to_json()} if self.state is not before else {}
        if not self.state.measured and before.judged() and not self.state.judged():  # forgotten: it is judged anew
            self._snapshot = {}
            states[name, "conditions"] = json.dumps(self._snapshot)
        work = Transaction(
            states=states,
            incidents=tuple(self._head(records)),
            records=tuple(records),
            acts=tuple(acts),
            statuses=tuple((id_, ActStatus.WITHDRAWN) for id_ in withdraw),
            attempts=attempts,
        )
        return Outcome(work, tuple(acts), tuple(withdraw), tuple(records), True, refused)

    def tick(self, second: int) -> Outcome:
        """Time has passed, whether or not a second closed."""
        return self.take(Tick(second))

    def result(self, result: ActResult) -> Outcome:
        """An attempt at an act has ended."""
        return self.take(Result(result))

    def started(self, act: str, receiver: str, at: int) -> Outcome:
        """An attempt at an act begins (UTC ns)."""
        return self.take(Started(act, receiver, at))

    def view(self) -> dict[str, Any] | None:
        """The open incident for pages and metrics; None when there is none."""
        return self.state.view()

    def _head(self, records: Iterable[Record]) -> Iterable[IncidentHead]:
        """The incidents that records touched, as lists show them."""
        view = self.state.view()
        if view is not None:
            ticket = view["ticket"] or {}
            head = self._heads.get(view["id"])
            self._heads[view["id"]] = IncidentHead(
                id=view["id"],
                service=view["service"],
                severity=view["severity"],
                phase=view["phase"],
                onset=view["onset"],
                raised=view["opened"],
                recovered=head.recovered if head else None,
                episodes=view["episode"],
                ticket=ticket.get("number") or ticket.get("reference") or "",
                conditions=tuple(dict.fromkeys(c["condition"] for c in view["conditions"])),  # of several scopes: once
            )
        touched = set()
        for record in records:
            head = self._heads.get(record.incident)
            if head is None:
                continue
            touched.add(record.incident)
            if record.kind is RecordKind.RECOVERED:
                self._heads[head.id] = replace(head, recovered=record.at)
            elif record.kind in (RecordKind.EPISODE, RecordKind.OPENED):
                self._heads[head.id] = replace(head, recovered=None)
            elif record.kind is RecordKind.REOPENED:  # its head was let go when it was closed
                self._heads[head.id] = replace(head, recovered=self._recovered(head.id))
            elif record.kind is RecordKind.CLOSED:
                self._heads[head.id] = replace(head, phase="closed", closed=record.at)
        heads = [self._heads[id_] for id_ in touched]
        for head in heads:
            if head.closed is not None:
                del self._heads[head.id]
        return heads

    def _recovered(self, incident: str) -> int | None:
        """When the incident's newest episode recovered, UTC seconds; None: it has not."""
        known = next((i for i in (self.state.incident, self.state.closed) if i is not None and i.id == incident), None)
        marks = known.marks if known is not None else {}
        recovered = marks.get(Mark.RECOVERED)
        return None if recovered is None or recovered < marks.get(Mark.EPISODE, 0) else recovered


def _conditions(rule: Rule, further: Further, layout: Layout, snapshot: Mapping[str, Any] | None) -> Conditions:
    return Conditions(rule, _every(layout), snapshot=snapshot, intermittent=further.intermittent, slow=further.slow)


def _every(layout: Layout) -> dict[tuple[str, str], int]:
    return {(lane.key.channel, lane.key.endpoint): lane.every // 1_000_000 for lane in layout.lanes}
