"""Calls that succeed, but slowly."""

import json
from fractions import Fraction

import pytest

from rules.conditions import Conditions, Event
from rules.incident_events import ConditionCleared, ConditionRaised
from rules.model import Cell, Condition, Fault, Tally
from rules.persistence import Mark, Rule
from rules.seconds import judge, judge_service
from rules.slow import Slowness, slow_mark

SECOND = 1_795_341_600
EVERY = {("api", "account"): 1000, ("smtp", "injection"): 1000}
FINE = judge(Tally({(Fault.NONE, "ok"): 2}))
DOWN = judge(Tally({(Fault.SERVER_ERROR, "http_status_503"): 1}))
NO_CALL = judge(Tally())
SLOW = Slowness(2000, Fraction(1, 2))


class Service:
    def __init__(self, slow: Slowness | None = SLOW, rule: Rule | None = None) -> None:
        self.rule = rule or Rule(recovered_after=30)
        self.conditions = Conditions(self.rule, EVERY, slow=slow)
        self.second = SECOND

    def run(self, n: int, api: Cell = FINE, smtp: Cell = FINE, slow: int = 0) -> list[Event]:
        """`slow`: of the successes of the channel api."""
        events: list[Event] = []
        for _ in range(n):
            cells = {"api": api, "smtp": smtp}
            events += self.conditions.feed(
                self.second,
                judge_service(cells.values()),
                cells,
                {("api", "account"): api, ("smtp", "injection"): smtp},
                {"api": slow} if slow else {},
            )
            self.second += 1
        return events

    def restart(self, slow: Slowness | None) -> None:
        snapshot = json.loads(json.dumps(self.conditions.snapshot()))
        self.conditions = Conditions(self.rule, EVERY, snapshot=snapshot, slow=slow)


def test_a_channel_whose_successes_are_slow_for_its_share_of_the_window_is_slow() -> None:
    service = Service()
    events = service.run(100) + service.run(50, slow=2)
    assert events == [
        ConditionRaised(
            Condition.SLOW,
            second=SECOND + 129,
            onset=SECOND + 100,
            scope="api",
            measured=60,
            bad=30,
            reasons={"": 30},
            rule={
                "for": 60,
                "share": 0.5,
                "at_least": 3,
                "recovered_after": 30,
                "every": 1.0,
                "over": 2.0,
                "channels": {"api": {"measured": 60, "bad": 0}, "smtp": {"measured": 60, "bad": 0}},
            },
        )
    ]
    assert service.run(30) == [ConditionCleared(Condition.SLOW, SECOND + 179, "api", SECOND + 149)]


def test_one_fast_success_makes_a_second_fast() -> None:
    assert Service().run(200, slow=1) == []


def test_a_second_without_a_success_counts_neither_way() -> None:
    assert slow_mark(DOWN, 0) is Mark.NEUTRAL
    assert slow_mark(NO_CALL, 0) is Mark.UNMEASURED
    assert slow_mark(FINE, 2) is Mark.BAD
    assert slow_mark(FINE, 1) is Mark.GOOD


def test_it_is_cleared_by_the_services_unavailability_and_comes_back_only_with_new_slow_seconds() -> None:
    service = Service()
    service.run(100, slow=2)
    outage = [(type(e), e.condition, e.scope) for e in service.run(60, api=DOWN)]
    assert outage == [(ConditionRaised, Condition.UNAVAILABLE, ""), (ConditionCleared, Condition.SLOW, "api")]
    assert [e.condition for e in service.run(40)] == [Condition.UNAVAILABLE]
    assert [(e.condition, e.scope) for e in service.run(100, slow=2)] == [(Condition.SLOW, "api")]


def test_what_was_slow_stays_so_over_a_restart_until_it_is_over() -> None:
    service = Service()
    service.run(100, slow=2)
    service.restart(SLOW)
    assert service.run(29) == []
    assert [(type(e), e.condition) for e in service.run(2)] == [(ConditionCleared, Condition.SLOW)]


def test_slowness_that_is_no_longer_configured_takes_with_it_what_it_raised() -> None:
    service = Service()
    service.run(100, slow=2)
    service.restart(None)
    assert [(type(e), e.condition) for e in service.run(1)] == [(ConditionCleared, Condition.SLOW)]


def test_a_gap_neither_raises_nor_clears_it() -> None:
    service = Service()
    service.run(100, slow=2)
    events = service.conditions.feed_gap(service.second, 5000, NO_CALL)
    assert [e.condition for e in events] == [Condition.BLIND]
    assert (Condition.SLOW, "api") in service.conditions.raised
    service.second += 5000
    assert Condition.SLOW not in [e.condition for e in service.run(29)]
    assert [e.condition for e in service.run(1)] == [Condition.SLOW]


@pytest.mark.parametrize(("over", "share"), [(0, 0.5), (1, 0.0), (1, 1.1)])
def test_figures_that_cannot_be_are_refused(over: int, share: float) -> None:
    with pytest.raises(ValueError, match="not figures of slowness"):
        Slowness.of(over_ms=over, share=share)


def test_every_success_may_have_to_be_slow_and_a_millisecond_may_be_too_long() -> None:
    assert Slowness.of(over_ms=1, share=1.0) == Slowness(1, Fraction(1))


def test_a_share_is_exact() -> None:
    assert Slowness.of(over_ms=2000, share=0.9) == Slowness(2000, Fraction(9, 10))
