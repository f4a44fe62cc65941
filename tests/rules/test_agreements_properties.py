"""What must hold under each of the five agreements, whatever happens in whatever order, over days of their own calendars."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import pytest
from agreement_story import plan_for
from hypothesis import HealthCheck, currently_in_test_context, given, note, settings
from hypothesis import strategies as st

from rules.acts import Act, ActKind, ActResult, Outcome
from rules.clocks import Running, Standing
from rules.contracts.calendar import between
from rules.contracts.model import Hotline
from rules.incident import (
    ConditionCleared,
    ConditionRaised,
    Entry,
    EntryKind,
    Event,
    Plan,
    Record,
    RecordKind,
    Result,
    ServiceState,
    Started,
    Tick,
    step,
)
from rules.model import Condition

NS = 10**9
#: Friday 20 November 2026, 15:50 in São Paulo: a weekend lies ahead, and the day is a holiday there.
T0 = 1_795_200_600
MINUTE, HOUR = 60, 3600
PATIENCE = 120  # seconds that the hotline waits for a ticket (DESIGN.md, "Order of acts")

#: The five, each with terms that make all of its clocks run.
FIVE: dict[str, dict[str, str]] = {
    "bird-email-enterprise": {"time_zone": "Europe/Amsterdam", "updates_every": "1h", "response_within": "4h"},
    "bird-email-premium": {
        "time_zone": "Europe/Rome",
        "updates_every": "1d",
        "response_within": "2h",
        "holidays": "IT",
    },
    "360dialog": {"tariff": "premium", "updates_every": "6h"},
    "aivo": {"time_zone": "America/Sao_Paulo", "holidays": "BR-SP", "support_24x7": "yes"},
    "promptlink": {},
}


@cache
def plan_of(name: str) -> Plan:
    return plan_for(name, dict(FIVE[name]), tickets=("mail", "desk"))


@dataclass(frozen=True)
class Move:
    """What happens next: `kind` is passes, raised, cleared, entered, begins, accepted or refused."""

    kind: str
    seconds: int = 0
    condition: Condition = Condition.UNAVAILABLE
    entry: EntryKind = EntryKind.NOTE
    which: int = 0
    restart: bool = False


CONDITIONS = (Condition.UNAVAILABLE, Condition.PARTIAL, Condition.INTERMITTENT, Condition.SLOW, Condition.FAILING)
KINDS = ("passes", "raised", "cleared", "entered", "begins", "accepted", "refused")
moves = st.builds(
    Move,
    kind=st.sampled_from([*KINDS, "passes", "passes", "raised", "begins"]),
    seconds=st.sampled_from([1, 30, 61, 119, 120, 5 * MINUTE, 15 * MINUTE, HOUR, 5 * HOUR, 26 * HOUR]),
    condition=st.sampled_from([*CONDITIONS, Condition.UNAVAILABLE, Condition.UNAVAILABLE]),
    entry=st.sampled_from(EntryKind),
    which=st.integers(0, 3),
    restart=st.booleans(),
)


@dataclass
class Life:
    """An incident's life under one agreement; everything that was promised is checked as it goes."""

    state: ServiceState
    restarts: bool
    now: int = T0
    acts: list[Act] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    begun: dict[str, int] = field(default_factory=dict)  # act -> UTC second of its first attempt
    ended: dict[str, Outcome] = field(default_factory=dict)
    withdrawn: set[str] = field(default_factory=set)
    adopted: set[str] = field(default_factory=set)

    def tell(self, event: Event, restart: bool = False) -> None:
        if restart and self.restarts:
            self.state = ServiceState.from_json(self.state.to_json())
        made = step(self.state, event)
        self.state = made.state
        self.records += made.records
        self.withdrawn |= set(made.withdraw)
        self.adopted |= {r.incident for r in made.records if r.kind is RecordKind.ADOPTED}
        if currently_in_test_context():
            note(f"{self.now - T0:>8} {event} -> {[a.id for a in made.acts]}")
        for act in made.acts:
            self.check(act)
            self.acts.append(act)

    def check(self, act: Act) -> None:
        """What holds of an act as it is made."""
        assert act.id not in {a.id for a in self.acts}, "an act made twice"
        if act.kind is ActKind.TICKET:
            tickets = [a for a in self.acts if a.kind is ActKind.TICKET and a.incident == act.incident]
            assert not tickets, "a second ticket for one incident"
            assert act.incident not in self.adopted, "a ticket beside the one that was adopted"
        if act.kind is ActKind.HOTLINE:
            assert self.state.plan.pack.hotline is not None, "a hotline that the agreement does not have"
            assert any(s.hotline is not Hotline.NONE for s in self.state.plan.pack.severities)
            assert self.may_call(act), "the hotline before the ticket"
        if act.kind is ActKind.ESCALATION:
            calendar = self.state.plan.calendars[self.state.plan.pack.escalation.calendar]  # type: ignore[union-attr]
            assert between(calendar, self.now, self.now + 1) == 1, "the point of escalation outside its hours"

    def may_call(self, act: Act) -> bool:
        before = [a for a in self.acts if a.incident == act.incident and a.kind in (ActKind.TICKET, ActKind.NOTE)]
        if act.incident in self.adopted or any(self.ended.get(a.id) is Outcome.ACCEPTED for a in before):
            return True
        waited = [self.begun[a.id] for a in before if a.id in self.begun]
        if waited:
            return self.now >= min(waited) + PATIENCE
        return all(a.id in self.ended or a.id in self.withdrawn for a in before)

    def make(self, move: Move) -> None:
        match move.kind:
            case "passes":
                self.pass_(move.seconds, move.restart)
            case "raised":
                scope = "api/account" if move.condition is Condition.PARTIAL else ""
                told = ConditionRaised(move.condition, self.now, self.now - 59, scope, 60, 57, {"http_status_503": 57})
                self.tell(told, move.restart)
            case "cleared" if self.state.held:
                held = self.state.held[move.which % len(self.state.held)]
                self.tell(ConditionCleared(held.condition, self.now, held.scope, self.now - 120), move.restart)
            case "entered":
                value = self.state.plan.pack.severities[-1].name if move.entry is EntryKind.SEVERITY else ""
                entered = Entry(
                    move.entry, "ann", "", self.now * NS, ticket="4711" if move.which == 1 else "", value=value
                )
                self.tell(entered, move.restart)
            case "begins" | "accepted" | "refused":
                self.attempt(move)

    def attempt(self, move: Move) -> None:
        waiting = [a for a in self.acts if a.id not in self.ended and a.id not in self.withdrawn]
        if not waiting:
            return
        act = waiting[move.which % len(waiting)]
        if act.id not in self.begun:
            self.begun[act.id] = self.now
            self.tell(Started(act.id, act.receivers[0], self.now * NS))
        if move.kind != "begins":
            outcome = Outcome.ACCEPTED if move.kind == "accepted" else Outcome.PERMANENT
            self.ended[act.id] = outcome
            result = ActResult(act.id, act.receivers[-1], outcome, self.now * NS, "", f"<{len(self.acts)}@x>", True)
            self.tell(Result(result), move.restart)

    def pass_(self, seconds: int, restart: bool) -> None:
        """Time passes, by its edges: whatever is to happen within it happens at its own second."""
        until = self.now + seconds
        while self.now < until:
            before = self.runs()
            self.now = min([until, *(at for at in self.ahead() if at > self.now)])
            self.tell(Tick(self.now), restart)
            for name, run in self.runs().items():
                if name in before and before[name].begun == run.begun:
                    assert run.due == before[name].due, "time alone has moved what a clock is due at"
                    assert run.used >= before[name].used, "a clock runs backwards"
                    assert run.acted >= before[name].acted
                assert run.due >= run.begun, "due before it began"
                assert self.now >= run.due or not run.acted, "late before it is due"

    def ahead(self) -> list[int]:
        incident = self.state.incident
        if incident is None:
            return []
        wait = [incident.wait.since + PATIENCE, self.now + 1] if incident.wait and self.now % HOUR else []
        return [run.lapses for run in incident.clocks if run.lapses] + [at for at, _ in incident.later] + wait[:1]

    def runs(self) -> dict[str, Running]:
        clocks = self.state.incident.clocks if self.state.incident else ()
        return {run.name: run for run in clocks if run.standing is Standing.RUNNING}


def lived(name: str, story: Sequence[Move], *, restarts: bool) -> Life:
    life = Life(ServiceState(plan_of(name)), restarts)
    for move in (Move("raised"), *story):
        life.make(move)
    return life


@pytest.mark.parametrize("name", FIVE)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(story=st.lists(moves, max_size=20))
def test_whatever_happens_the_agreement_is_kept_and_a_restart_changes_nothing(name: str, story: list[Move]) -> None:
    straight = lived(name, story, restarts=False)
    restarted = lived(name, story, restarts=True)
    assert restarted.acts == straight.acts
    assert restarted.records == straight.records
    assert restarted.state.to_json() == straight.state.to_json()


@pytest.mark.parametrize("name", FIVE)
def test_the_stories_reach_tickets_clocks_and_where_there_is_one_the_hotline(name: str) -> None:
    """The properties above are about something: an ordinary story makes every kind of act that the agreement has."""
    story = [
        *[Move("accepted")] * 3,
        Move("entered", entry=EntryKind.INTAKE),
        Move("passes", 26 * HOUR),
    ]
    life = lived(name, [*story, Move("passes", 70 * HOUR)], restarts=True)
    kinds = {act.kind for act in life.acts}
    assert {ActKind.PAGE, ActKind.TICKET, ActKind.NOTE} <= kinds
    assert (ActKind.HOTLINE in kinds) == (life.state.plan.pack.hotline is not None)
    assert (ActKind.ESCALATION in kinds) == (life.state.plan.pack.escalation is not None)
