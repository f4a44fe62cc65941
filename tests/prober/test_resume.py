"""A restart goes on with what the store remembers, also of a service that is no longer configured."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from judged import Judged
from moved import T0, status

from prober import config
from prober.listen import StartError
from prober.measure.clock import NS
from prober.measure.resume import Keeping, take_up
from prober.redact import Redactor
from prober.store import ActStatus, Memory, Reader, SeriesKey


def keeping(world: Judged, folder: Path) -> Keeping:
    """By a configuration that knows another service alone."""
    path = folder / "prober.yaml"
    endpoint = {"name": "a", "url": "http://127.0.0.1:9/"}
    service = {"contract": "bird-email-enterprise", "channels": {"api": [endpoint]}}
    path.write_text(yaml.safe_dump({"services": {"mailer": service}}))
    loaded = config.load(path)
    return Keeping(loaded, Redactor.of(loaded.settings), world.station, world.measure)


def outage(path: Path) -> tuple[Judged, dict[str, str]]:
    """A program that ended before its acts were done; their keys by kind."""
    world = Judged(path)
    world.begin(world.lane(script=lambda _: status(503)))
    world.run_to(T0 + 15)
    world.settle()
    acts = [message["act"] for message in world.messages("act")]
    world.end()
    return world, {
        a["kind"]: f"{a['incident']}/{a['episode']}/{a['kind']}/{a['receivers'][0]}/{a['step']}" for a in acts
    }


def result(act: str) -> dict[str, Any]:
    return {"act": act, "receiver": act.split("/")[3], "outcome": "accepted", "at": (T0 + 60) * NS, "final": True}


def test_acts_of_a_service_that_is_no_longer_configured_are_carried_on_with_and_recorded(tmp_path: Path) -> None:
    path = tmp_path / "prober.db"
    _, keys = outage(path)
    world = Judged(path, utc=(T0 + 60) * NS)
    heads = world.heads()
    pending = world.store.pending()
    world.begin(world.lane("x", service="mailer"))
    left = keeping(world, tmp_path).leave(world.memories["bird"], heads, world.writer)
    take_up(world.station, pending, {head.id: head.service for head in heads})
    assert left.runs == {}
    world.station.resend()
    assert {m["act"]["kind"] for m in world.messages("act")} == {"page", "ticket"}
    world.station.attempted(result(keys["ticket"]))
    assert world.acts()[-1] == ("hotline", "call"), "first the ticket, then the hotline, whoever is configured"
    with Reader(path) as reader:
        stored = {a.act.kind.value: a.status for a in reader.acts(heads[0].id)}
    assert stored["ticket"] is ActStatus.ACCEPTED
    world.end()


def test_the_runs_of_a_service_that_is_no_longer_configured_end(tmp_path: Path) -> None:
    path = tmp_path / "prober.db"
    outage(path)
    world = Judged(path, utc=(T0 + 60) * NS)
    world.begin(world.lane("x", service="mailer"))
    keeping(world, tmp_path).leave(world.memories["bird"], (), world.writer)
    world.run(3)
    world.end()
    (run,) = world.runs(SeriesKey("bird"))
    assert run.end == T0 + 15
    again = Judged(path)
    assert again.memories["bird"].runs == {}
    again.end()


def test_a_service_that_has_measured_nothing_leaves_nothing(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane())
    assert keeping(world, tmp_path).leave(Memory("gone"), (), world.writer) == Memory("gone")
    assert world.station.gone == {}
    world.end()


def test_a_state_that_nobody_asks_for_and_nobody_can_read_keeps_nothing_from_starting(tmp_path: Path) -> None:
    world = Judged(tmp_path / "prober.db")
    world.begin(world.lane())
    memory = Memory("gone", T0, {}, {"incident": '{"version": 99}'})
    assert keeping(world, tmp_path).leave(memory, (), world.writer) == memory
    assert world.station.gone == {}
    world.end()


@pytest.mark.parametrize("conditions", ["{", "[1]", '{"raised": 5}', '{"spells": {"unavailable:": 7}}'])
def test_a_state_that_nobody_can_read_is_told_with_what_to_do(tmp_path: Path, conditions: str) -> None:
    world = Judged(tmp_path / "prober.db")
    plan = world.begin(world.lane(service="mailer"))
    memory = Memory("mailer", T0, {}, {"conditions": conditions})
    with pytest.raises(StartError, match=r"what the store says of mailer cannot be understood.*keep it as evidence"):
        keeping(world, tmp_path).begin(plan.layouts[0], memory, (), None, T0 * NS)
    world.end()
