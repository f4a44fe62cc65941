"""From a failed call of the measuring loop to the example that the metrics show; and names that would break out."""

from array import array
from pathlib import Path

import pytest
from moved import OK, T0, World, broken, status
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from serving import RAW, totals

from prober import config
from prober.board import Board
from prober.config import ConfigError
from prober.deliver.harmless import harmless
from prober.web.exemplars import Example, examples, newest
from prober.web.metrics import text
from prober.web.view import View
from rules.model import Fault, Kind, Trouble

HOSTILE = ['a"b', "a\\b", "a\nb", 'a\\"b\\\\n', "{a='b'}", "<script>alert(1)</script>", "\u202egnp.exe", "a\r\nb", ""]


def shown(world_seconds: float, *scripts: object) -> list[tuple[str, Example]]:
    """The examples after some seconds of a world whose endpoints answer as their scripts say."""
    world = World()
    lanes = [world.lane(f"e{n}", script) for n, script in enumerate(scripts)]  # type: ignore[arg-type]  # as the test has it
    plan = world.adopt(*lanes)
    world.run(world_seconds)
    cells = array("d", plan.board.cells.tolist())
    return [(key[2], example) for key, example in examples(plan.board.keys, cells, ())]


def test_the_newest_failed_call_is_kept_with_its_fault_reason_begin_and_length() -> None:
    found = shown(4, lambda call: status(503) if call.second < T0 + 2 else OK, lambda _: OK)
    [(endpoint, example)] = found
    assert endpoint == "e0", "one that never failed has no example"
    assert example.fault is Fault.SERVER_ERROR
    assert example.labels == {"reason": "http_status_503"}
    assert T0 + 1 <= example.began < T0 + 2, "a success afterwards leaves it"
    assert example.took == pytest.approx(0.005)


def test_a_suspicion_is_shown_as_what_it_was_settled_to() -> None:
    [(_, example)] = shown(3, lambda _: broken(Trouble.RESET))
    assert (example.fault, example.labels) == (Fault.OTHER, {"reason": "uncorroborated"})


def test_of_a_channel_the_newest_of_each_fault_is_kept() -> None:
    def key(name: str) -> tuple[str, str, str, Kind]:
        return ("bird", "api", name, Kind.HTTP)

    old, new = (Example(Fault.OTHER, began, 0.1, {"reason": "ok"}) for began in (1.0, 2.0))
    ours = Example(Fault.OWN, 1.5, 0.1, {"reason": "ok"})
    kept = {("bird", "api", Fault.OTHER): new, ("bird", "api", Fault.OWN): ours}
    assert newest([(key("a"), old), (key("b"), new), (key("c"), ours)]) == kept
    assert newest([(key("b"), new), (key("a"), old), (key("c"), ours)]) == kept


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_no_name_of_the_configuration_can_hold_what_breaks_out_of_a_label(name: str) -> None:
    endpoint = RAW["services"]["bird"]["channels"]["api"][0] | {"name": name}
    with pytest.raises(ConfigError, match=r"is not a name|should have at least"):
        config.from_raw({"services": {"bird": RAW["services"]["bird"] | {"channels": {"api": [endpoint]}}}}, Path())
    with pytest.raises(ConfigError):
        config.from_raw({"services": {name: RAW["services"]["bird"]}}, Path())


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_names_that_come_from_a_pack_or_the_link_stay_in_their_quotes_in_both_formats(name: str) -> None:
    view = View()
    view.configured(
        config.from_raw(RAW, Path()), Board.create([("bird", "api", name, Kind.HTTP)]), 0, {"bird": (name,)}
    )
    view.total(totals(acts=[[name, name, 1]], seconds=[["bird", name, "available", 1]]))
    clocks = [{"name": name, "state": "running", "due": 1}]
    view.opened({"open": [{"id": name, "service": "bird", "severity": name, "clocks": clocks}]})
    for openmetrics in (False, True):
        body = text(view.snapshot(), openmetrics_wanted=openmetrics).decode()
        parse = parse_openmetrics if openmetrics else parse_text
        told = {family.name: family for family in parse(body)}
        for family, label in (
            ("prober_calls", "endpoint"),
            ("prober_clock_due_seconds", "clock"),
            ("prober_incident_open", "severity"),
            ("prober_acts", "kind"),
        ):
            from_link = family in ("prober_clock_due_seconds", "prober_incident_open")  # written harmlessly already
            expected = harmless(name) if from_link else name
            assert expected in {sample.labels[label] for sample in told[family].samples}, (family, openmetrics)
