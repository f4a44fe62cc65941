"""The life of a ticket in the running program: steps that are entered, clocks that go on after a restart, reopening."""

from pathlib import Path
from typing import Any

import pytest
from judged import Judged
from moved import OK, T0, status

from prober.measure.clock import NS
from prober.store import Reader
from rules.acts import ActKind


def outage(path: Path, utc: int = T0 * NS) -> Judged:
    world = Judged(path, utc=utc)
    world.begin(world.lane(script=lambda _: status(503)))
    return world


def incident_of(world: Judged) -> str:
    return world.heads()[0].id


def entered(world: Judged, kind: str, **more: Any) -> dict[str, Any]:
    """The answer to an entry, once it is on disk."""
    world.station.entered({"id": 1, "incident": incident_of(world), "kind": kind, "by": "ann", "text": "", **more})
    world.settle()
    return next(m for m in reversed(world.sent) if m["type"] == "entered")


def records(world: Judged, kind: str) -> list[dict[str, Any]]:
    with Reader(world.path) as reader:
        return [dict(r.detail) for r in reader.records(incident_of(world)) if str(r.kind) == kind]


def test_the_intake_starts_the_fifteen_minutes_and_they_are_told(tmp_path: Path) -> None:
    world = outage(tmp_path / "prober.db")
    world.run_to(T0 + 30)
    assert entered(world, "intake", when=T0 + 20, via="cli")["ok"] is True
    assert records(world, "life")[0]["via"] == "cli"
    (clock,) = next(m for m in reversed(world.sent) if m["type"] == "incidents")["open"][0]["clocks"]
    assert (clock["name"], clock["due"], clock["state"]) == ("call-back", T0 + 20 + 900, "running")
    world.end()


def test_a_clock_that_was_due_while_the_program_was_down_is_acted_on_after_its_start(tmp_path: Path) -> None:
    path = tmp_path / "prober.db"
    world = outage(path)
    world.run_to(T0 + 30)
    entered(world, "intake")
    world.end()
    again = outage(path, (T0 + 3600) * NS)
    again.run_to(T0 + 3602)
    assert ("page", "due-call-back-1") in again.acts()
    assert [r["times"] for r in records(again, "clock_due")] == [1]
    again.end()


def test_what_the_vendor_closed_is_reopened_with_its_ticket_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "prober.db"
    healthy = {"now": False}
    world = Judged(path)
    world.begin(world.lane(script=lambda _: OK if healthy["now"] else status(503)))
    world.run_to(T0 + 20)
    healthy["now"] = True
    world.run_to(T0 + 60)
    assert entered(world, "closed_by_vendor")["ok"] is True
    incident = incident_of(world)
    assert world.heads()[0].closed is not None
    world.end()

    again = Judged(path, utc=(T0 + 70) * NS)
    again.begin(again.lane(script=lambda _: OK))
    again.run_to(T0 + 75)
    answer = entered(again, "reopen")
    assert answer["ok"] is True, answer
    (head,) = again.heads()
    assert (head.id, head.closed, head.phase) == (incident, None, "recovered")
    with Reader(path) as reader:
        kinds = [stored.act.kind for stored in reader.acts(incident)]
    assert kinds.count(ActKind.TICKET) == 1
    again.end()


def test_the_vendors_severity_is_entered_by_its_name(tmp_path: Path) -> None:
    world = outage(tmp_path / "prober.db")
    world.run_to(T0 + 30)
    assert entered(world, "severity", value="non-critical")["ok"] is True
    assert world.heads()[0].severity == "non-critical"
    assert "one of critical, non-critical" in entered(world, "severity", value="huge")["error"]
    world.end()


@pytest.mark.parametrize("when", ["now", [1], {}])
def test_a_time_that_is_none_is_told(tmp_path: Path, when: object) -> None:
    world = outage(tmp_path / "prober.db")
    world.run_to(T0 + 30)
    answer = entered(world, "intake", when=when)
    if when:
        assert answer["error"].startswith("no such time:")
    else:
        assert answer["ok"] is True
    world.end()
