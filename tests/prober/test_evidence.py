"""Which failed calls are kept, and which a ticket shows."""

from typing import Any

from moved import T0, World, status

from prober.measure.clock import NS
from prober.measure.evidence import AT_MOST, REMEMBERED, SAMPLES, Evidence
from prober.measure.lane import Lane
from prober.probes.call import Call
from prober.store import Failure
from rules.model import Fault, Finding, Kind, Observation, Stage

FINDING = Finding(Fault.SERVER_ERROR, "http_status_503")


class Keeping:
    """Evidence of a failing endpoint after another, on moved time."""

    def __init__(self) -> None:
        self.evidence = Evidence()
        self.world = World()
        self.lanes: dict[str, Lane] = {}

    def fail(self, name: str = "account", after: float = 0.0, kind: Kind = Kind.HTTP) -> None:
        lane = self.lanes.setdefault(name, self.world.lane(name))
        lane.failing += 1
        self.evidence.offer(lane, self.call(lane, after, kind), FINDING)

    def call(self, lane: Lane, after: float, kind: Kind) -> Call:
        call = self.world.probes[lane.key.endpoint].call(lambda _: None)
        call.begun = call.ended = 1000 * NS + round(after * NS)
        call.slot = type("Slot", (), {"second": T0 + int(after)})
        stage = Stage.DONE if kind is Kind.HTTP else Stage.RCPT
        begun = T0 * NS + round(after * NS)
        call.observation = Observation(
            kind, stage, unmet="status", code=503, begun=begun, ended=begun + NS, phases=(1, -1)
        )
        return call

    def kept(self) -> list[int]:
        return [failure.second - T0 for failure in self.evidence.take()]


def test_of_a_spell_the_first_three_are_kept_and_then_one_every_ten_seconds() -> None:
    keeping = Keeping()
    for n in range(40):
        keeping.fail(after=n)
    assert keeping.kept() == [0, 1, 2, 12, 22, 32]


def test_a_new_spell_is_kept_from_its_first_call_on() -> None:
    keeping = Keeping()
    for n in range(5):
        keeping.fail(after=n)
    keeping.lanes["account"].failing = 0
    keeping.fail(after=6)
    assert keeping.kept() == [0, 1, 2, 6]


def test_a_thousand_endpoints_that_fail_at_once_cost_no_more_than_some() -> None:
    keeping = Keeping()
    for n in range(1000):
        keeping.fail(f"e{n}")
    assert len(keeping.kept()) == AT_MOST


def test_what_was_taken_is_not_taken_again() -> None:
    keeping = Keeping()
    keeping.fail()
    assert len(keeping.kept()) == 1
    assert keeping.kept() == []


def test_a_ticket_shows_the_newest_failures_one_of_each_endpoint_first() -> None:
    keeping = Keeping()
    for n in range(3):
        keeping.fail("a", after=n)
        keeping.fail("b", after=n + 0.5)
    shown = keeping.evidence.samples("bird", T0)
    assert [(s["endpoint"], s["second"] - T0) for s in shown] == [("b", 2), ("a", 2), ("b", 1)]
    assert len(shown) == SAMPLES


def test_a_ticket_shows_nothing_from_before_its_onset_or_of_another_service() -> None:
    keeping = Keeping()
    keeping.fail(after=3)
    assert keeping.evidence.samples("bird", T0 + 4) == []
    assert keeping.evidence.samples("mailer", T0) == []


def test_a_sample_says_what_happened_in_json_values() -> None:
    import json

    keeping = Keeping()
    keeping.fail(after=1)
    (sample,) = keeping.evidence.samples("bird", T0)
    assert json.loads(json.dumps(sample)) == sample
    assert sample["reason"] == "http_status_503"
    assert sample["means"]
    assert (sample["seconds"], sample["phases"]) == (1.0, {"resolve": 1e-09})
    assert {"request", "response"} <= sample.keys()


def test_an_smtp_sample_shows_the_dialogue_as_one() -> None:
    keeping = Keeping()
    keeping.fail(kind=Kind.SMTP)
    (sample,) = keeping.evidence.samples("bird", T0)
    assert "transcript" in sample
    assert "request" not in sample


def test_only_endpoints_that_failed_lately_are_remembered() -> None:
    keeping = Keeping()
    for n in range(REMEMBERED + 10):
        keeping.fail(f"e{n}", after=n)
    remembered = keeping.evidence._newest
    assert len(remembered) == REMEMBERED
    assert [key.endpoint for key in remembered][:1] == ["e10"]


def test_failures_reach_the_listener_with_what_the_store_needs() -> None:
    world = World()
    evidence = Evidence()
    world.adopt(world.lane(script=lambda _: status(503)))

    def failed(lane: Lane, call: Call, finding: Finding) -> None:
        evidence.offer(lane, call, finding)

    world.told.failed = failed  # type: ignore[method-assign]  # as the station does
    world.run(2)
    kept: list[Any] = list(evidence.take())
    assert [(f.key.endpoint, f.second - T0, f.fault) for f in kept if isinstance(f, Failure)] == [
        ("account", 0, Fault.SERVER_ERROR),
        ("account", 1, Fault.SERVER_ERROR),
    ]
