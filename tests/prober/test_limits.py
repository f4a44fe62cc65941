"""What the vendor documents about how it may be called, held against a configuration."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from prober import limits, packs
from prober.cli import main
from prober.config import from_raw
from prober.errors import Exit
from rules.contracts.model import Pack

SERVICE: dict[str, Any] = {
    "contract": "bird-email-enterprise",
    "channels": {
        "api": [
            {"name": "account", "url": "http://127.0.0.1/"},
            {"name": "send", "url": "http://127.0.0.1/", "every": "2s"},
        ],
        "smtp": [{"name": "injection", "host": "127.0.0.1", "depth": "banner"}],
    },
}


def notes_of(tmp_path: Path, pack_limits: list[dict[str, Any]] | None = None, **changes: Any) -> list[str]:
    service = SERVICE | changes
    if pack_limits is not None:
        plain = packs.load("bird-email-enterprise", tmp_path).to_mapping() | {"limits": pack_limits}
        Pack.parse(plain)
        (tmp_path / "ours.yaml").write_text(yaml.safe_dump(plain))
        service["contract"] = "ours.yaml"
    return list(limits.notes(from_raw({"services": {"bird": service}}, tmp_path), tmp_path))


def limit(kind: str, value: int, channel: str = "") -> dict[str, Any]:
    said: dict[str, Any] = {"kind": kind, "value": value, "means": "So it is written.", "source": "page 3"}
    return said | ({"channel": channel} if channel else {})


def test_a_call_that_gives_up_before_the_documented_time_is_told_of(tmp_path: Path) -> None:
    (note,) = notes_of(tmp_path)
    assert note == (
        "services.bird.channels.smtp injection: gives up after 10s. A client gives each SMTP command at least 60 seconds; "
        "a time-out before that can be contested. (Bird's and SparkPost's documentation of SMTP injection)"
    )


def test_one_that_waits_as_long_is_not(tmp_path: Path) -> None:
    assert notes_of(tmp_path, timeout="60s") == []


@pytest.mark.parametrize(
    ("said", "note"),
    [
        (limit("calls_per_second", 2), "services.bird.channels make 2.5 calls a second, and 2 are allowed."),
        (limit("calls_per_second", 1, "api"), "services.bird.channels make 1.5 calls a second, and 1 are allowed."),
        (limit("connections", 27), "services.bird.channels hold up to 28 connections, and 27 are allowed."),
        (limit("connections", 10, "smtp"), "services.bird.channels hold up to 11 connections, and 10 are allowed."),
        (limit("deadline", 11, "api"), "services.bird.channels.api account: gives up after 10s."),
    ],
)
def test_what_goes_past_a_limit_is_told_with_its_source(tmp_path: Path, said: dict[str, Any], note: str) -> None:
    assert notes_of(tmp_path, [said])[0] == f"{note} So it is written. (page 3)"


@pytest.mark.parametrize(
    "said", [limit("calls_per_second", 3), limit("connections", 28), limit("calls_per_second", 1, "smtp")]
)
def test_what_keeps_to_it_is_not(tmp_path: Path, said: dict[str, Any]) -> None:
    assert notes_of(tmp_path, [said]) == []


def test_a_bound_on_calls_in_flight_bounds_the_connections(tmp_path: Path) -> None:
    channels = {"api": [{"name": "account", "url": "http://127.0.0.1/", "hold": 3}]}
    assert notes_of(tmp_path, [limit("connections", 3)], channels=channels) == []


def test_prober_check_tells_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "prober.yaml").write_text(yaml.safe_dump({"services": {"bird": SERVICE}}))
    assert main(["check", str(tmp_path / "prober.yaml")]) == Exit.OK
    assert "note: services.bird.channels.smtp injection: gives up after 10s." in capsys.readouterr().out
