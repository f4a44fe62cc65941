"""What must hold of every incident, whatever happens in whatever order (DESIGN.md, invariants 6 and 10)."""

import json
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from incident_story import AGREEMENT, BIRD, NS, PLAN, T0, pack_with

from rules.acts import REPEAT, Act, ActKind, ActResult, Outcome
from rules.clocks import Running, Standing
from rules.contracts.calendar import UTC, Calendar
from rules.contracts.model import Pack
from rules.contracts.spans import week_of
from rules.incident import (
    ClockStepped,
    ConditionCleared,
    ConditionRaised,
    Entry,
    EntryKind,
    Event,
    Level,
    Maintenance,
    Mode,
    Phase,
    Plan,
    RecordKind,
    Reloaded,
    Removed,
    Result,
    ServiceState,
    Started,
    Tick,
    step,
)
from rules.model import Condition

OFFICE = Calendar(UTC, week_of("mon-sun", "10:02-10:05, 10:10-18:00"))
MAPS_MORE = pack_with(
    conditions={"unavailable": "critical", "partial": "non-critical", "intermittent": "non-critical"},
    on_call_alone=["failing", "blind"],
)
_severities = BIRD.to_mapping()["severities"]
_severities["critical"]["after_ticket"] = False
AT_ONCE = pack_with(severities=_severities)
_back = AGREEMENT.to_mapping()["clocks"]["call-back"]
#: The agreement as it stands, with clocks that run while the machine's few minutes pass.
CHASES = Pack.parse(
    AGREEMENT.to_mapping()
    | {
        "clocks": {
            "call-back": _back
            | {"within": {"severity": {"critical": "1m"}}, "warn": ["30s"], "again": "20s", "at_most": 3},
            "updates": _back
            | {
                "within": "40s",
                "every": True,
                "starts": ["ticket", "reopened"],
                "stops": ["update"],
                "pauses": True,
                "warn": [],
            },
        }
    }
)

SCOPES = ("", "api", "api/a")
plans = st.builds(
    Plan,
    service=st.just("bird"),
    title=st.just("Bird Email"),
    pack=st.sampled_from([BIRD, MAPS_MORE, AT_ONCE, CHASES, AGREEMENT, pack_with(conditions={})]),
    mode=st.sampled_from(Mode),
    tickets=st.sampled_from([(), ("mail",), ("mail", "desk")]),
    hotline=st.sampled_from([(), ("call",)]),
    on_call=st.sampled_from([(), ("pager",), ("pager", "phone")]),
    further=st.sampled_from([(), (Level(60, ("boss",)),), (Level(30, ("phone",)), Level(90, ("boss", "chief")))]),
    page_again=st.sampled_from([0, 45]),
    escalation=st.sampled_from([(), ("tam",)]),
    ask_for=st.sampled_from([10, 300]),
    calendars=st.sampled_from([{}, {"tam": OFFICE, "business": OFFICE}]),
)
seconds = st.integers(T0, T0 + 2_000)
instants = seconds.map(lambda s: s * NS + 500_000_000)
conditions = st.sampled_from(Condition)
scopes = st.sampled_from(SCOPES)
#: Ids that acts of the first incidents may have, and one that is none.
ids = st.builds(
    "bird-20261122T1000{:02}Z/{}/{}".format,
    st.integers(0, 3),
    st.integers(1, 2),
    st.sampled_from(["ticket/mail/open", "hotline/call/call", "page/pager/open", "note/mail/recovered"]),
) | st.just("nonsense")
results = st.builds(
    ActResult,
    act=ids,
    receiver=st.sampled_from(["mail", "desk"]),
    outcome=st.sampled_from(Outcome),
    at=instants,
    detail=st.sampled_from(["", "no_relay: none", "550"]),
    reference=st.sampled_from(["", "<q@example.com>"]),
    final=st.booleans(),
)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        ConditionRaised,
        condition=conditions,
        second=seconds,
        onset=seconds,
        scope=scopes,
        measured=st.just(60),
        bad=st.just(60),
        reasons=st.just({"http_status_503": 60}),
        rule=st.sampled_from([{}, {"for": 60, "share": 0.9}]),
    ),
    st.builds(ConditionCleared, condition=conditions, second=seconds, scope=scopes, last=st.just(0) | seconds),
    st.builds(Started, act=ids, receiver=st.just("mail"), at=instants),
    st.builds(Result, results),
    st.builds(Tick, seconds),
    st.builds(
        Entry,
        kind=st.sampled_from(EntryKind),
        by=st.just("ann"),
        text=st.text(max_size=5),
        at=instants,
        ticket=st.sampled_from(["", "4711"]),
        incident=st.sampled_from(["", "", "bird-20261122T100000Z"]),
        value=st.sampled_from(["", "critical", "non-critical"]),
        when=st.just(0) | seconds,
    ),
    st.builds(Reloaded, plan=plans, at=instants),
    st.builds(Removed, at=instants),
    st.builds(Maintenance, second=seconds, title=st.sampled_from(["disks", "network"]), begins=st.booleans()),
    st.builds(ClockStepped, delta=st.integers(-100 * NS, 100 * NS), second=seconds),
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
@given(plans, st.lists(events, max_size=30))
def test_any_event_in_any_phase_is_handled_the_same_each_time_and_after_any_restart(
    plan: Plan, told: list[Event]
) -> None:
    straight = restarted = ServiceState(plan)
    for event in told:
        first = step(straight, event)
        again = step(ServiceState.from_json(restarted.to_json()), event)
        assert again == first
        assert json.loads(first.state.to_json()) == json.loads(again.state.to_json())
        for act in first.acts:
            assert json.loads(json.dumps(dict(act.facts))) == act.facts
        for record in first.records:
            assert json.loads(json.dumps(dict(record.detail))) == record.detail
        straight, restarted = first.state, again.state


@dataclass
class Outside:
    """What the vendor and on-call saw of one act."""

    act: Act
    started: int | None = None
    accepted: bool = False
    settled: bool = False
    withdrawn: bool = False


class Incidents(RuleBasedStateMachine):
    """A service whose acts are carried out by an outbox that behaves as ours does, under a clock that goes forward."""

    def __init__(self) -> None:
        super().__init__()
        self.now = T0
        self.seen: dict[str, Outside] = {}
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.adopted: set[str] = set()
        self.pages_resolved: set[str] = set()
        self.asked = T0

    @initialize(
        plan=plans | plans.map(lambda p: replace(p, mode=Mode.ACT, tickets=("mail", "desk"), hotline=("call",)))
    )
    def begin(self, plan: Plan) -> None:
        self.state = ServiceState(replace(plan, pack=MAPS_MORE if plan.pack is AT_ONCE else plan.pack))

    def tell(self, event: Event) -> None:
        made = step(self.state, event)
        self.state = made.state
        note(f"{event}\n  -> {self.state.phase} {[a.id for a in made.acts]} {made.withdraw} {made.refused}")
        for record in made.records:
            if record.kind is RecordKind.OPENED:
                assert record.incident not in self.opened
                assert set(self.opened) == set(self.closed), "an incident opened while another was open"
                self.opened.append(record.incident)
            elif record.kind is RecordKind.CLOSED:
                self.closed.append(record.incident)
            elif record.kind in (RecordKind.ASKED, RecordKind.DECLINED):
                self.asked = self.now
            elif record.kind is RecordKind.REOPENED:
                self.closed.remove(record.incident)
            elif record.kind is RecordKind.ADOPTED:
                self.adopted.add(record.incident)
        for act in made.acts:
            assert act.id not in self.seen, "an act made twice"
            self.check_order(act)
            self.seen[act.id] = Outside(act)
        for id_ in made.withdraw:
            assert not self.seen[id_].settled, "withdrawn after it was done"
            self.seen[id_].withdrawn = True

    def check_order(self, act: Act) -> None:
        # An entry can close one incident, which resolves its pages, and open the next.
        assert act.incident not in self.closed or act.kind is ActKind.PAGE_RESOLVE
        if act.after:
            assert act.after in self.seen
        if act.kind is ActKind.PAGE_RESOLVE:
            assert self.seen[act.after].act.kind is ActKind.PAGE
            assert act.after not in self.pages_resolved, "a page resolved twice"
            assert act.alert(act.receivers[0]) == self.seen[act.after].act.alert(act.receivers[0])
            self.pages_resolved.add(act.after)
        if act.kind is ActKind.NOTE:
            assert act.incident in self.adopted or self.ticket(act.incident).accepted, "a note before its ticket"
        if act.kind is ActKind.HOTLINE:
            assert self.may_call(act), "the hotline before the ticket"
            assert any(h.condition is Condition.UNAVAILABLE for h in self.state.held)

    def ticket(self, incident: str) -> Outside:
        return next(o for o in self.seen.values() if o.act.incident == incident and o.act.kind is ActKind.TICKET)

    def may_call(self, act: Act) -> bool:
        """The ticket (or the episode's note) was taken, or waiting has been long enough, or there is no ticket to wait for."""
        before = [
            o
            for o in self.seen.values()
            if o.act.incident == act.incident and o.act.kind in (ActKind.TICKET, ActKind.NOTE)
        ]
        if act.incident in self.adopted or any(o.accepted for o in before):
            return True
        if any(o.started is not None and self.now * NS >= o.started + 120 * NS for o in before):
            return True
        pending = [o for o in before if not o.settled]
        return not pending and self.now >= self.state.held[0].second + 120

    @rule(condition=conditions, scope=scopes)
    def raised(self, condition: Condition, scope: str) -> None:
        self.raised_once(condition, "" if condition is Condition.UNAVAILABLE else scope)

    def raised_once(self, condition: Condition, scope: str = "") -> None:
        self.tell(ConditionRaised(condition, self.now, self.now - 60, scope, 60, 60, {"http_status_503": 60}))

    @rule()
    def goes_down(self) -> None:
        self.raised_once(Condition.UNAVAILABLE)

    @rule()
    @precondition(lambda self: self.state.holds(Condition.UNAVAILABLE, ""))
    def comes_back(self) -> None:
        self.now += 120
        self.tell(ConditionCleared(Condition.UNAVAILABLE, self.now))

    @rule(data=st.data())
    @precondition(lambda self: self.state.held)
    def cleared(self, data: st.DataObject) -> None:
        held = data.draw(st.sampled_from(self.state.held))
        self.tell(ConditionCleared(held.condition, self.now, held.scope))

    @rule(seconds=st.integers(1, 130))
    def time_passes(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            before = self.runs()
            self.tell(Tick(self.now))
            for name, run in self.runs().items():
                assert run.due == before[name].due, "time alone has moved what a clock is due at"
                assert run.acted >= before[name].acted

    def runs(self) -> dict[str, Running]:
        clocks = self.state.incident.clocks if self.state.incident else ()
        return {run.name: run for run in clocks if run.standing is Standing.RUNNING}

    @rule(title=st.sampled_from(["disks", "network"]), begins=st.booleans())
    def maintenance(self, title: str, begins: bool) -> None:
        self.tell(Maintenance(self.now, title, begins))

    def open_acts(self) -> list[Outside]:
        return [o for o in self.seen.values() if not o.settled and not o.withdrawn]

    @rule(data=st.data())
    @precondition(lambda self: self.open_acts())
    def attempt_begins(self, data: st.DataObject) -> None:
        o = data.draw(st.sampled_from(self.open_acts()))
        at = self.now * NS
        o.started = at if o.started is None else o.started
        self.tell(Started(o.act.id, o.act.receivers[0], at))

    @rule(data=st.data(), outcome=st.sampled_from(Outcome), final=st.booleans())
    @precondition(lambda self: any(o.started is not None for o in self.open_acts()))
    def attempt_ends(self, data: st.DataObject, outcome: Outcome, final: bool) -> None:
        o = data.draw(st.sampled_from([o for o in self.open_acts() if o.started is not None]))
        final = outcome is Outcome.ACCEPTED or (final and outcome is Outcome.PERMANENT)
        o.settled = final
        o.accepted = outcome is Outcome.ACCEPTED
        self.tell(Result(ActResult(o.act.id, o.act.receivers[-1], outcome, self.now * NS, "", "", final)))

    @rule(kind=st.sampled_from(EntryKind), ticket=st.sampled_from(["", "4711"]))
    def entered(self, kind: EntryKind, ticket: str) -> None:
        self.tell(Entry(kind, "ann", "", self.now * NS, ticket, value="non-critical"))

    @rule()
    def removed(self) -> None:
        self.tell(Removed(self.now * NS))

    @rule()
    @precondition(lambda self: not self.state.measured)
    def put_back(self) -> None:
        self.tell(Reloaded(self.state.plan, self.now * NS))

    @rule()
    def restarted(self) -> None:
        self.state = ServiceState.from_json(self.state.to_json())

    @invariant()
    def one_ticket_an_incident(self) -> None:
        tickets = [o.act.incident for o in self.seen.values() if o.act.kind is ActKind.TICKET]
        assert len(tickets) == len(set(tickets))

    @invariant()
    def the_phase_agrees_with_what_holds(self) -> None:
        if not hasattr(self, "state"):
            return
        assert (self.state.phase is Phase.NONE) == (set(self.opened) == set(self.closed))
        if not self.state.measured and self.state.phase is Phase.NONE and not self.state.maintenance:
            assert self.state.judged() == ()
        if self.state.maintenance or not self.state.measured:
            return
        assert self.state.silenced == ()
        mapped = [h for h in self.state.held if self.state.plan.severity_of(h)]
        own = [h for h in self.state.held if not self.state.plan.severity_of(h) and self.state.plan.on_call_alone(h)]
        assert (self.state.phase is Phase.OPEN) == bool(mapped)
        if self.state.phase in (Phase.NONE, Phase.INTERNAL):
            assert (self.state.phase is Phase.INTERNAL) == bool(own)

    @invariant()
    def observing_asks_the_vendor_for_nothing(self) -> None:
        if hasattr(self, "state") and self.state.plan.mode is Mode.OBSERVE:
            assert {o.act.kind for o in self.seen.values()} <= {ActKind.PAGE, ActKind.PAGE_RESOLVE}

    @invariant()
    def what_is_asked_for_or_declined_does_not_go_out(self) -> None:
        incident = self.state.incident if hasattr(self, "state") else None
        if incident is None or (incident.ask is None and incident.declined != incident.episode):
            return
        calls = [o for o in self.seen.values() if o.act.kind is ActKind.HOTLINE and o.act.incident == incident.id]
        assert all(o.act.episode < incident.episode or o.act.created <= self.asked for o in calls)

    @invariant()
    def closed_incidents_leave_no_page_unresolved(self) -> None:
        for o in self.seen.values():
            if o.act.kind is ActKind.PAGE and o.act.incident in self.closed and REPEAT not in o.act.step:
                assert o.act.id in self.pages_resolved


Incidents.TestCase.settings = settings(
    deadline=None, max_examples=60, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow]
)
TestIncidents = Incidents.TestCase


def test_the_plan_of_the_stories_is_the_builtin_agreement() -> None:
    assert PLAN.pack.name == "bird-email-enterprise"
