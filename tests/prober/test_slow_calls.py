"""From calls that succeed slowly to the condition `slow`: counted in the loop, carried by the slot, judged by the keeper."""

from pathlib import Path

from judged import RULE, Judged, incident_plan, same
from moved import MS, T0, FakeCall, Listening, Reply, World

from prober.measure import lanes as lanes_of
from prober.measure.clock import NS
from prober.measure.ring import Slot
from prober.measure.services import further_of
from prober.settings import Service, Slow
from rules.conditions import Further
from rules.intermittent import Rate
from rules.model import Condition
from rules.slices import whole
from rules.slow import Slowness


def reply(call: FakeCall) -> Reply:
    """Slow in the even seconds."""
    return Reply(300 * MS if call.second % 2 == 0 else 5 * MS)


class Counting(Listening):
    def __init__(self, _: World) -> None:
        super().__init__()
        self.slow: dict[int, dict[str, int]] = {}

    def closed(self, slot: Slot) -> None:
        super().closed(slot)
        self.slow[slot.second - T0] = slot.slow


def test_slow_successes_are_counted_by_channel_where_they_are_asked_for() -> None:
    world = World(listener=Counting)
    one, two = world.lane("one", reply), world.lane("two", reply)
    other = world.lane("other", reply, channel="smtp")
    one.slow = two.slow = 200 * MS
    world.adopt(one, two, other)
    world.run_to(T0 + 4)
    assert isinstance(world.told, Counting)
    assert {s: world.told.slow[s] for s in (1, 2, 3)} == {1: {}, 2: {"api": 2}, 3: {}}


def test_a_channel_that_is_slow_for_its_share_of_the_window_raises_the_condition(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    lane = world.lane(script=lambda _: Reply(300 * MS))
    lane.slow = 200 * MS
    plan = world.begin(lane)
    keeper = world.station.keepers["bird"]
    further = Further(slow=Slowness(200))
    whole(keeper.reloading(plan.layouts[0], incident_plan(), RULE, same, T0 * NS, further))
    world.run_to(T0 + 15)
    assert (Condition.SLOW, "api") in keeper._conditions.raised
    world.end()


def service(**given: object) -> Service:
    endpoint = {"name": "account", "url": "https://api.example.com/"}
    return Service.model_validate({"contract": "x", "channels": {"api": [endpoint]}, **given})


def test_the_configuration_says_what_is_looked_for() -> None:
    assert further_of(service()) == Further(Rate(30, 3600, 900), None)
    assert further_of(service(slow={"over": "1500ms", "share": 0.5})).slow == Slowness.of(over_ms=1500, share=0.5)
    long_window = service(persistence={"for": "30m"})
    assert further_of(long_window).intermittent == Rate(30, 3600, 1800), "no shorter than the window"


def test_a_lane_knows_from_when_on_a_success_is_slow() -> None:
    assert service(slow={}).slow == Slow()
    assert lanes_of._MS * Slow().over == 2 * NS
