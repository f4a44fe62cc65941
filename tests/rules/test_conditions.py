"""Which conditions hold: the stories of DESIGN.md, and a naive model over whole histories."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

import naive
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.conditions import MOST_PARTIAL, Conditions, Event
from rules.incident_events import ConditionCleared, ConditionRaised
from rules.model import Cell, Condition, Fault, Tally, Verdict
from rules.persistence import Mark, Rule
from rules.seconds import judge, judge_service
from rules.timeline import Run, RunBuilder
from rules.watched import failing_mark, foremost, unavailable_mark

SECOND = 1_795_341_600
RULE = Rule()

FINE = Tally({(Fault.NONE, "ok"): 1})
DOWN = Tally({(Fault.SERVER_ERROR, "http_status_503"): 1})
HANGS = Tally({(Fault.SERVER_TIMEOUT, "timeout"): 1})
REFUSED_KEY = Tally({(Fault.OTHER, "http_status_401"): 1})
NO_NETWORK = Tally({(Fault.OWN, "no_route"): 1})
NO_CALL = Tally()
THROTTLED = Tally(missed={"throttled": 1})
STALLED = Tally(void="stalled")
NOT_RUNNING = Tally(void="not_running")

ACCOUNT, SEND, INJECTION = ("api", "account"), ("api", "send"), ("smtp", "injection")
World = Mapping[tuple[str, str], Tally]


class Service:
    """Judges worlds (a tally for each endpoint), feeds the conditions and keeps the record."""

    def __init__(self, every_ms: Mapping[tuple[str, str], int], rule: Rule = RULE, *, lazy: bool = True) -> None:
        self.every_ms, self.rule, self.lazy = dict(every_ms), rule, lazy
        self.conditions = Conditions(rule, every_ms)
        self.second = SECOND
        self.last: dict[tuple[str, str], Cell] = {}
        self.series: dict[tuple[str, str], list[Cell]] = {}

    def feed(self, world: World) -> tuple[Event, ...]:
        cells = {key: judge(world[key]) for key in self.every_ms}
        tallies: dict[str, Tally] = {}
        for channel, name in self.every_ms:
            tallies[channel] = tallies.get(channel, Tally()) + world[channel, name]
        channels = {channel: judge(tally) for channel, tally in tallies.items()}
        service = judge_service(channels.values())
        for key, cell in {("", ""): service, **{(c, ""): x for c, x in channels.items()}, **cells}.items():
            self.series.setdefault(key, []).append(cell)
        changed = {key: cell for key, cell in cells.items() if not self.lazy or self.last.get(key) != cell}
        self.last = cells
        events = self.conditions.feed(self.second, service, channels, changed)
        self.second += 1
        return events

    def run(self, *stretches: tuple[World, int]) -> list[Event]:
        return [event for world, n in stretches for _ in range(n) for event in self.feed(world)]

    def runs(self) -> Iterator[tuple[tuple[str, str], list[Run]]]:
        """What a store has of every series: closed runs and the open one."""
        for key, cells in self.series.items():
            builder, runs = RunBuilder(2), []
            for second, cell in enumerate(cells, self.second - len(cells)):
                if closed := builder.feed(second, cell):
                    runs.append(closed)
            if builder.open is not None:
                runs.append(builder.open)
            yield key, runs

    def restart(self, *, fully: bool = False) -> None:
        """The conditions made anew from their snapshot (by way of JSON) and the record."""
        snapshot = json.loads(json.dumps(self.conditions.snapshot()))
        self.conditions = Conditions(self.rule, self.every_ms, snapshot=snapshot)
        for (channel, endpoint), runs in self.runs():
            self.conditions.replay(channel, endpoint, runs, self.second - 1)
        self.last = {} if fully else self.last


def at(seconds: int) -> int:
    return SECOND + seconds


def brief(events: list[Event]) -> list[tuple[str, Condition, str, int]]:
    """(raised or cleared, condition, scope, second) of each event, counted from SECOND."""
    kinds = {ConditionRaised: "raised", ConditionCleared: "cleared"}
    return [(kinds[type(e)], e.condition, e.scope, e.second - SECOND) for e in events]


def all_of(tally: Tally, *keys: tuple[str, str]) -> World:
    return dict.fromkeys(keys or (ACCOUNT, SEND, INJECTION), tally)


def every(ms: int, *keys: tuple[str, str]) -> dict[tuple[str, str], int]:
    return dict.fromkeys(keys or (ACCOUNT, SEND, INJECTION), ms)


def test_an_outage_of_one_channel_is_the_services() -> None:
    service = Service(every(1000))
    outage = {**all_of(FINE), ACCOUNT: DOWN, SEND: HANGS}
    events = service.run((all_of(FINE), 100), (outage, 90), (all_of(FINE), 130))
    assert events == [
        ConditionRaised(
            Condition.UNAVAILABLE,
            second=at(153),
            onset=at(100),
            measured=60,
            bad=54,
            reasons={"http_status_503": 54},
            rule={
                "for": 60,
                "share": 0.9,
                "at_least": 3,
                "recovered_after": 120,
                "every": 1.0,
                "channels": {"api": {"measured": 60, "bad": 54}, "smtp": {"measured": 60, "bad": 0}},
            },
        ),
        ConditionCleared(Condition.UNAVAILABLE, second=at(309), last=at(189)),
    ]
    json.dumps([dict(event.rule) for event in events if isinstance(event, ConditionRaised)])


def test_api_down_in_even_seconds_and_smtp_in_odd_ones_makes_every_second_unavailable() -> None:
    """The agreement's and/or: a second in which either limb fails is Unavailable, though neither limb is down for long."""
    service = Service(every(1000))
    even = {**all_of(FINE), ACCOUNT: DOWN, SEND: DOWN}
    odd = {**all_of(FINE), INJECTION: DOWN}
    events = service.run((all_of(FINE), 100), *[(even, 1), (odd, 1)] * 45)
    (raised,) = [event for event in events if isinstance(event, ConditionRaised)]
    assert (raised.condition, raised.scope, raised.onset) == (Condition.UNAVAILABLE, "", at(100))
    assert {cell.verdict.value for cell in service.series["", ""][100:]} == {"unavailable"}
    assert {cell.verdict.value for cell in service.series["smtp", ""][100:]} == {"available", "unavailable"}


def test_another_channel_that_becomes_unavailable_too_is_told_once_and_is_over_with_the_service() -> None:
    service = Service(every(1000))
    api = {**all_of(FINE), ACCOUNT: DOWN, SEND: DOWN}
    both = all_of(DOWN)
    events = service.run((all_of(FINE), 100), (api, 100), (both, 60), (api, 70), (both, 60))
    assert brief(events) == [
        ("raised", Condition.UNAVAILABLE, "", 153),
        ("raised", Condition.UNAVAILABLE, "smtp", 253),
    ]
    service.restart(fully=True)
    assert brief(service.run((all_of(FINE), 130))) == [
        ("cleared", Condition.UNAVAILABLE, "smtp", 509),
        ("cleared", Condition.UNAVAILABLE, "", 509),
    ]


def test_a_channel_that_went_down_a_moment_later_is_part_of_the_same_matter() -> None:
    service = Service(every(1000))
    api = {**all_of(FINE), ACCOUNT: DOWN, SEND: DOWN}
    events = service.run((all_of(FINE), 100), (api, 2), (all_of(DOWN), 90))
    assert brief(events) == [("raised", Condition.UNAVAILABLE, "", 153)]


def test_channels_down_together_are_one_matter() -> None:
    service = Service(every(1000))
    events = service.run((all_of(FINE), 100), (all_of(DOWN), 90))
    assert brief(events) == [("raised", Condition.UNAVAILABLE, "", 153)]


def test_an_endpoint_that_is_down_while_its_channel_is_not_is_partial() -> None:
    service = Service(every(1000))
    events = service.run((all_of(FINE), 60), ({**all_of(FINE), SEND: DOWN}, 100), (all_of(FINE), 120))
    assert brief(events) == [
        ("raised", Condition.PARTIAL, "api/send", 113),
        ("cleared", Condition.PARTIAL, "api/send", 279),
    ]
    assert isinstance(events[0], ConditionRaised)
    assert (events[0].onset, events[0].measured, events[0].bad) == (at(60), 60, 54)
    assert events[0].reasons == {"http_status_503": 54}


def test_an_endpoint_that_fails_in_another_way_meanwhile_has_both_reasons() -> None:
    service = Service(every(1000))
    down, hanging = {**all_of(FINE), SEND: DOWN}, {**all_of(FINE), SEND: HANGS}
    events = service.run((all_of(FINE), 60), (down, 20), (hanging, 40))
    assert isinstance(events[0], ConditionRaised)
    assert events[0].reasons == {"timeout": 34, "http_status_503": 20}


def test_the_most_frequent_reasons_are_told_first_and_only_ten_of_them() -> None:
    counts = {f"http_status_{500 + n}": n // 2 for n in range(2, 14)}
    told = [(int(reason[-3:]), n) for reason, n in foremost(counts).items()]
    assert told == [(512, 6), (513, 6), (510, 5), (511, 5), (508, 4), (509, 4), (506, 3), (507, 3), (504, 2), (505, 2)]


def test_a_series_without_a_record_is_passed_over() -> None:
    service = Service(every(1000))
    service.conditions.replay("api", "", ())
    service.conditions.replay("api", "send", (), SECOND - 1)
    assert brief(service.run((all_of(DOWN), 60))) == [("raised", Condition.UNAVAILABLE, "", 59)]


def test_partial_is_cleared_when_the_whole_channel_goes_down() -> None:
    service = Service(every(1000, ACCOUNT, SEND))
    half, down = {ACCOUNT: FINE, SEND: DOWN}, {ACCOUNT: DOWN, SEND: DOWN}
    events = service.run((half, 100), (down, 60), ({ACCOUNT: FINE, SEND: FINE}, 200))
    assert brief(events) == [
        ("raised", Condition.PARTIAL, "api/send", 59),
        ("raised", Condition.UNAVAILABLE, "", 153),
        ("cleared", Condition.PARTIAL, "api/send", 153),
        ("cleared", Condition.UNAVAILABLE, "", 279),
    ]


def test_of_thousands_of_endpoints_that_are_down_some_are_told_of_and_the_next_take_their_place() -> None:
    keys = [("api", f"e{n:03}") for n in range(MOST_PARTIAL + 5)]
    service = Service(dict.fromkeys([*keys, ACCOUNT], 1000))
    down = {ACCOUNT: FINE, **dict.fromkeys(keys, DOWN)}
    raised = brief(service.run((down, 100)))
    assert raised == [("raised", Condition.PARTIAL, f"api/{name}", 59) for _, name in keys[:MOST_PARTIAL]]

    better = brief(service.run(({**down, **dict.fromkeys(keys[:3], FINE)}, 120)))
    assert better == [
        *(("cleared", Condition.PARTIAL, f"api/{name}", 219) for _, name in keys[:3]),
        *(("raised", Condition.PARTIAL, f"api/{name}", 219) for _, name in keys[MOST_PARTIAL : MOST_PARTIAL + 3]),
    ]

    over = service.run(({ACCOUNT: FINE, **dict.fromkeys(keys, FINE)}, 120))
    assert [kind for kind, *_ in brief(over)] == ["cleared"] * MOST_PARTIAL
    assert service.conditions.raised == frozenset()


def test_an_endpoint_slower_to_recover_than_its_channel_is_no_news_until_it_fails_again() -> None:
    keys = {ACCOUNT: 1000, SEND: 60_000}
    service = Service(keys, replace(RULE, for_=180))
    outage = ({ACCOUNT: DOWN, SEND: DOWN}, 1), ({ACCOUNT: DOWN, SEND: NO_CALL}, 59)
    fine = ({ACCOUNT: FINE, SEND: FINE}, 1), ({ACCOUNT: FINE, SEND: NO_CALL}, 59)
    events = service.run(*outage * 3, *fine * 2)
    assert brief(events) == [
        ("raised", Condition.UNAVAILABLE, "", 179),
        ("cleared", Condition.UNAVAILABLE, "", 299),
    ]
    again = service.run(({ACCOUNT: FINE, SEND: DOWN}, 1))
    assert brief(again) == [("raised", Condition.PARTIAL, "api/send", 300)]


def test_a_revoked_key_is_failing_and_not_unavailable() -> None:
    service = Service(every(1000))
    revoked = {**all_of(FINE), ACCOUNT: REFUSED_KEY, SEND: REFUSED_KEY}
    events = service.run((all_of(FINE), 60), (revoked, 60), (all_of(FINE), 120))
    assert brief(events) == [("raised", Condition.FAILING, "api", 113), ("cleared", Condition.FAILING, "api", 239)]
    assert isinstance(events[0], ConditionRaised)
    assert events[0].reasons == {"http_status_401": 54}


def test_a_channel_is_judged_by_the_interval_of_its_own_calls() -> None:
    service = Service({ACCOUNT: 1000, INJECTION: 30_000}, Rule(for_=120))
    called = {ACCOUNT: FINE, INJECTION: REFUSED_KEY}
    between = {ACCOUNT: FINE, INJECTION: NO_CALL}
    events = service.run(*[(called, 1), (between, 29)] * 5)
    assert brief(events) == [("raised", Condition.FAILING, "smtp", 119)]


def test_failing_is_not_raised_beside_unavailable() -> None:
    service = Service(every(1000))
    assert brief(service.run((all_of(DOWN), 100))) == [("raised", Condition.UNAVAILABLE, "", 59)]


def test_failing_that_outlasts_unavailable_is_told_then() -> None:
    service = Service(every(1000, ACCOUNT, INJECTION))
    down, revoked = {ACCOUNT: DOWN, INJECTION: FINE}, {ACCOUNT: REFUSED_KEY, INJECTION: FINE}
    assert brief(service.run((down, 60), (revoked, 200))) == [
        ("raised", Condition.UNAVAILABLE, "", 59),
        ("cleared", Condition.UNAVAILABLE, "", 179),
        ("raised", Condition.FAILING, "api", 180),
    ]


def test_a_used_up_quota_whose_calls_are_told_to_wait_is_failing() -> None:
    service = Service(every(1000, ACCOUNT))
    waits = [({ACCOUNT: REFUSED_KEY}, 1), ({ACCOUNT: THROTTLED}, 14)]
    assert brief(service.run(*waits * 4)) == [("raised", Condition.FAILING, "api", 59)]


def test_without_a_measured_second_we_are_blind_and_say_why() -> None:
    service = Service(every(1000))
    events = service.run((all_of(FINE), 10), (all_of(NO_NETWORK), 50), (all_of(STALLED), 10))
    assert events == [
        ConditionRaised(
            Condition.BLIND,
            at(69),
            onset=at(10),
            reasons={"no_route": 50, "stalled": 10},
            rule={"for": 60},
        )
    ]
    assert brief(service.run((all_of(NO_NETWORK), 500), (all_of(FINE), 2))) == []
    assert brief(service.run((all_of(FINE), 1))) == [("cleared", Condition.BLIND, "", 572)]


def test_a_single_measured_second_now_and_then_does_not_end_blindness() -> None:
    service = Service(every(1000, ACCOUNT))
    now_and_then = ({ACCOUNT: NO_NETWORK}, 60), ({ACCOUNT: FINE}, 1)
    assert brief(service.run(*now_and_then * 5)) == [("raised", Condition.BLIND, "", 59)]


def test_nobody_was_blind_while_the_program_did_not_run() -> None:
    service = Service(every(1000))
    assert service.run((all_of(FINE), 5), (all_of(NO_NETWORK), 59), (all_of(NOT_RUNNING), 500)) == []
    assert brief(service.run((all_of(NO_NETWORK), 1))) == [("raised", Condition.BLIND, "", 564)]


def test_a_long_gap_costs_nothing_and_hides_nothing() -> None:
    one, other = Service(every(1000)), Service(every(1000))
    for service in (one, other):
        service.run((all_of(DOWN), 58))
    cell = judge(NOT_RUNNING)
    events = one.conditions.feed_gap(one.second, 3_000_000, cell)
    assert brief(list(events)) == [("raised", Condition.UNAVAILABLE, "", 59)]
    assert other.run((all_of(NOT_RUNNING), 3_000)) == list(events)
    one.second += 3_000_000
    assert brief(one.run((all_of(FINE), 120))) == [("cleared", Condition.UNAVAILABLE, "", 58 + 3_000_000 + 119)]


def test_a_clock_stepped_far_ahead_is_blindness_that_began_within_the_gap() -> None:
    service = Service(every(1000))
    service.run((all_of(FINE), 10))
    events = service.conditions.feed_gap(service.second, 1000, judge(Tally(void="clock_stepped")))
    assert brief(list(events)) == [("raised", Condition.BLIND, "", 69)]


def test_healthy_endpoints_keep_no_tracker_and_are_not_looked_at() -> None:
    keys = [("api", f"e{i}") for i in range(50)]
    service = Service(every(1000, *keys))
    service.run((all_of(FINE, *keys), 100))
    assert service.conditions._active == set()
    assert all(watched.tracker is None for watched in service.conditions._endpoints.values())
    service.run(({**all_of(FINE, *keys), keys[7]: DOWN}, 1), (all_of(FINE, *keys), 59))
    assert service.conditions._active == {keys[7]}
    service.run((all_of(FINE, *keys), 1))
    assert service.conditions._active == set()


def test_endpoints_in_a_long_outage_are_not_looked_at_until_something_can_happen() -> None:
    service = Service(every(1000))
    service.run((all_of(DOWN), 60))
    assert service.conditions._active == set()
    service.run((all_of(DOWN), 40), (all_of(NO_CALL), 3))
    assert service.conditions._active == set()
    service.run((all_of(FINE), 1))
    assert service.conditions._active == {ACCOUNT, SEND, INJECTION}
    service.run((all_of(FINE), 119))
    assert service.conditions._active == set()
    assert service.conditions.snapshot()["spells"]["unavailable:api/send"] == [None, at(219)]


def test_an_endpoint_that_stays_down_when_its_channel_recovers_is_partial_from_then_on() -> None:
    service = Service(every(1000, ACCOUNT, SEND))
    events = service.run(({ACCOUNT: DOWN, SEND: DOWN}, 100), ({ACCOUNT: FINE, SEND: DOWN}, 300))
    assert brief(events) == [
        ("raised", Condition.UNAVAILABLE, "", 59),
        ("cleared", Condition.UNAVAILABLE, "", 219),
        ("raised", Condition.PARTIAL, "api/send", 220),
    ]
    assert isinstance(events[-1], ConditionRaised)
    assert (events[-1].onset, events[-1].reasons) == (SECOND, {"http_status_503": 221})


def test_an_endpoint_recovers_in_time_although_its_last_seconds_were_not_good() -> None:
    service = Service(every(1000))
    denied = {**all_of(FINE), SEND: REFUSED_KEY}
    events = service.run(({**all_of(FINE), SEND: DOWN}, 60), (all_of(FINE), 1), (denied, 200))
    assert brief(events)[1:] == [("cleared", Condition.PARTIAL, "api/send", 179)]


def test_what_is_no_longer_watched_is_cleared_after_a_reload() -> None:
    service = Service(every(1000))
    service.run(({**all_of(FINE), SEND: DOWN, INJECTION: REFUSED_KEY}, 60))
    raised = {(Condition.PARTIAL, "api/send"), (Condition.FAILING, "smtp")}
    assert service.conditions.raised == raised
    del service.every_ms[SEND], service.every_ms[INJECTION]
    service.restart()
    assert service.conditions.raised == raised
    assert brief(service.run((all_of(FINE), 1))) == [
        ("cleared", Condition.FAILING, "smtp", 60),
        ("cleared", Condition.PARTIAL, "api/send", 60),
    ]
    assert service.conditions.raised == frozenset()


def test_a_record_that_ends_too_early_or_has_a_hole_is_not_stretched_over_it() -> None:
    service = Service(every(1000))
    service.run((all_of(DOWN), 50))
    runs = dict(service.runs())
    fresh = Conditions(RULE, service.every_ms)
    closed = [Run(run.start, at(40), run.cycle) for run in runs[ACCOUNT]]
    fresh.replay(*ACCOUNT, closed, at(49))
    assert fresh._endpoints[ACCOUNT].since is None
    holed = [*closed, Run(at(45), None, runs[ACCOUNT][0].cycle)]
    fresh.replay(*ACCOUNT, holed, at(49))
    assert fresh._endpoints[ACCOUNT].catch_up(at(50)).bad == 5
    fresh.replay(*INJECTION, [], at(49))
    assert fresh._endpoints[INJECTION].since is None
    fresh.replay(*INJECTION, closed)  # all there is, by the word of who calls
    assert fresh._endpoints[INJECTION].since == at(40)
    with pytest.raises(ValueError, match="is open: say through which second"):
        fresh.replay(*SEND, runs[SEND])
    fresh.replay("api", "unknown", closed, at(49))
    fresh.replay("fax", "", closed, at(49))


def test_an_endpoint_persistent_before_a_restart_without_a_record_waits_for_its_next_second() -> None:
    service = Service(every(1000))
    partial = {**all_of(FINE), SEND: DOWN}
    service.run((partial, 60))
    service.conditions = Conditions(RULE, service.every_ms, snapshot=service.conditions.snapshot())
    cells = {channel: judge(FINE) for channel in ("api", "smtp")}
    assert service.conditions.feed(service.second, judge(FINE), cells, {}) == ()
    assert service.conditions.raised == {(Condition.PARTIAL, "api/send")}


def test_an_endpoint_waiting_for_its_next_bad_second_waits_for_it_after_a_restart() -> None:
    service = Service({ACCOUNT: 1000, SEND: 60_000}, replace(RULE, for_=180))
    down, calm = {ACCOUNT: DOWN, SEND: NO_CALL}, {ACCOUNT: FINE, SEND: NO_CALL}
    service.run(*[({ACCOUNT: DOWN, SEND: DOWN}, 1), (down, 59)] * 3, ({ACCOUNT: FINE, SEND: DOWN}, 1))
    service.run((calm, 119))
    assert service.conditions.raised == frozenset()
    service.restart()
    assert brief(service.run(({ACCOUNT: FINE, SEND: DOWN}, 1))) == [("raised", Condition.PARTIAL, "api/send", 300)]


def test_endpoints_and_channels_that_are_not_watched_are_a_defect() -> None:
    conditions = Conditions(RULE, every(1000, ACCOUNT))
    with pytest.raises(KeyError):
        conditions.feed(SECOND, judge(FINE), {}, {})
    with pytest.raises(KeyError):
        conditions.feed(SECOND + 1, judge(FINE), {"api": judge(FINE)}, {SEND: judge(FINE)})


def test_the_snapshot_changes_only_with_what_it_tells_and_the_reach_is_the_longest() -> None:
    service = Service(every(1000))
    service.run((all_of(FINE), 10))
    before = service.conditions.snapshot()
    assert before == {
        "spells": {},
        "raised": [],
        "blind": {"idle": 0, "seen": 0, "onset": None, "reasons": {}},
        "limbs": [],
    }
    service.run((all_of(DOWN), 30), (all_of(FINE), 10))
    assert service.conditions.snapshot() == before
    service.run((all_of(DOWN), 60))
    assert service.conditions.snapshot()["raised"] == [["unavailable", ""]]
    assert service.conditions.reach == RULE.reach
    assert Conditions(RULE, {}).reach == RULE.reach


small = st.builds(
    Rule,
    for_=st.integers(3, 8),
    share=st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(9, 10)]),
    at_least=st.integers(1, 3),
    recovered_after=st.integers(2, 9),
)
tallies = st.sampled_from([FINE, FINE, DOWN, DOWN, HANGS, REFUSED_KEY, NO_NETWORK, NO_CALL, THROTTLED])
worlds = st.one_of(
    st.fixed_dictionaries(dict.fromkeys((ACCOUNT, SEND, INJECTION), tallies)),
    st.sampled_from([all_of(FINE), all_of(DOWN), all_of(NOT_RUNNING), all_of(NO_NETWORK)]),
)
histories = st.lists(st.tuples(worlds, st.integers(1, 14)), max_size=12)
MIXED = {ACCOUNT: 1000, SEND: 3000, INJECTION: 2000}


@settings(max_examples=120, deadline=None)
@given(small, histories)
def test_endpoints_told_only_when_they_change_give_the_same_events(
    rule: Rule, history: list[tuple[World, int]]
) -> None:
    assert Service(MIXED, rule).run(*history) == Service(MIXED, rule, lazy=False).run(*history)


@settings(max_examples=100, deadline=None)
@given(small, histories, histories, st.booleans())
def test_a_restart_changes_nothing(
    rule: Rule, before: list[tuple[World, int]], after: list[tuple[World, int]], fully: bool
) -> None:
    stopped, steady = Service(MIXED, rule), Service(MIXED, rule)
    assert stopped.run(*before) == steady.run(*before)
    stopped.restart(fully=fully)
    assert stopped.conditions.snapshot() == steady.conditions.snapshot()
    assert stopped.run(*after) == steady.run(*after)
    assert stopped.conditions.snapshot() == steady.conditions.snapshot()


def expected(service: Service) -> list[tuple[str, Condition, str, int]]:  # noqa: C901 - DESIGN.md, sentence by sentence
    """The events of a history from the naive model, from the recorded cells alone."""
    fed: dict[str, tuple[list[int | None], list[int], list[Mark]]] = {}
    for (channel, endpoint), cells in service.series.items():
        slowest = min(ms for (c, e), ms in service.every_ms.items() if channel in ("", c) and endpoint in ("", e))
        rule = replace(service.rule, every=Fraction(slowest, 1000))
        scope = f"{channel}/{endpoint}".strip("/")
        marks = [unavailable_mark(cell) for cell in cells]
        fed[scope] = (*naive.held(rule, marks), marks)
        if channel and not endpoint:
            marks = [failing_mark(cell) for cell in cells]
            fed[f"failing {channel}"] = (*naive.held(rule, marks), marks)
    cells = service.series.get(("", ""), [])
    ran = [None if cell.reason == "not_running" else cell.verdict is not Verdict.UNMEASURED for cell in cells]
    blind = naive.blind(service.rule.for_, ran)
    events, raised = [], set()

    def settle(s: int, condition: Condition, scope: str, *, holds: bool, may: bool = True) -> None:
        if (condition, scope) in raised and not holds:
            raised.discard((condition, scope))
            events.append(("cleared", condition, scope, s))
        elif (condition, scope) not in raised and holds and may:
            raised.add((condition, scope))
            events.append(("raised", condition, scope, s))

    limbs: set[str] = set()
    for s in range(len(cells)):
        onsets, recovered, _ = fed[""]
        begun = (Condition.UNAVAILABLE, "") not in raised
        if onsets[s] is None:
            limbs.clear()
            for channel in ("api", "smtp"):
                settle(s, Condition.UNAVAILABLE, channel, holds=False)
        settle(s, Condition.UNAVAILABLE, "", holds=onsets[s] is not None)
        for channel in ("api", "smtp"):
            window = fed[channel][2][max(0, s - service.rule.for_ + 1) : s + 1]
            bad, measured = window.count(Mark.BAD), sum(m < Mark.UNMEASURED for m in window)
            part = fed[channel][0][s] is not None or (begun and 2 * bad >= max(1, measured))
            if onsets[s] is not None and part and channel not in limbs:
                limbs.add(channel)
                settle(s, Condition.UNAVAILABLE, channel, holds=True, may=not begun)
        for channel in ("api", "smtp"):
            own, _, marks = fed[f"failing {channel}"]
            news = onsets[s] is None and naive.last_bad(marks, s) > recovered[s]
            settle(s, Condition.FAILING, channel, holds=own[s] is not None, may=news)
        for channel, endpoint in sorted(service.every_ms):
            own, _, marks = fed[f"{channel}/{endpoint}"]
            hidden, ended, _ = fed[channel]
            holds = own[s] is not None and hidden[s] is None
            news = naive.last_bad(marks, s) > ended[s]
            settle(s, Condition.PARTIAL, f"{channel}/{endpoint}", holds=holds, may=news)
        settle(s, Condition.BLIND, "", holds=blind[s])
    return events


@settings(max_examples=90, deadline=None)
@given(small, histories)
def test_the_naive_model_agrees(rule: Rule, history: list[tuple[World, int]]) -> None:
    service = Service(MIXED, rule)
    assert brief(service.run(*history)) == expected(service)


@settings(max_examples=100, deadline=None)
@given(small, histories, st.integers(0, 60), st.sampled_from([NOT_RUNNING, STALLED, NO_NETWORK]), histories)
def test_a_gap_fed_at_once_is_the_same_seconds_one_by_one(
    rule: Rule, before: list[tuple[World, int]], n: int, tally: Tally, after: list[tuple[World, int]]
) -> None:
    one, many = Service(MIXED, rule), Service(MIXED, rule)
    one.run(*before), many.run(*before)
    by_second = one.run((all_of(tally), n))
    assert list(many.conditions.feed_gap(many.second, n, judge(tally))) == by_second
    many.second += n
    many.last = one.last
    assert many.run(*after) == one.run(*after)
