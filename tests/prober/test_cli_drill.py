"""`prober drill` as a person calls it: dry, and with what keeps it from telling real people by mistake."""

import io
from pathlib import Path

import pytest
import yaml
from test_drill import CONFIG, write

from prober.cli import main


def test_dry_it_tells_stand_ins_in_the_order_of_an_incident_and_ends_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["drill", str(write(tmp_path)), "--dry"]) == 0
    out = capsys.readouterr().out
    places = [
        out.index(words)
        for words in ("made up: the condition", "hotline to bird.hotline.phone: accepted", "made up: recovered")
    ]
    assert places == sorted(places)
    arrived = out.split("What the stand-ins got")[1]
    assert "mail to support@vendor.example: EXERCISE: " in arrived
    assert "hotline to bird.hotline.phone: EXERCISE: " in arrived
    assert "All 6 were reached." in out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert list(tmp_path.iterdir()) == [tmp_path / "prober.yaml"], "no store is made"


def test_dry_it_needs_no_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path)
    config = yaml.safe_load(path.read_text())
    config["relays"] = [{"host": "mx.example.com", "username": "u", "password": "${DRILL_UNSET}"}]
    path.write_text(yaml.safe_dump(config))
    assert main(["drill", str(path), "--dry"]) == 0, capsys.readouterr().err
    assert main(["drill", str(path), "--yes"]) == 2
    assert "DRILL_UNSET" in capsys.readouterr().err


def test_without_a_terminal_and_without_yes_nobody_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drill", str(write(tmp_path))]) == 2
    assert "say --yes, or --dry for stand-ins" in capsys.readouterr().err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_it_asks_and_takes_a_no(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("no\n"))
    assert main(["drill", str(write(tmp_path))]) == 1
    said = capsys.readouterr()
    assert "on_call.pager, on_call.boss, bird.tickets.email-1" in said.out
    assert said.err == "prober: nothing was sent\n"


def test_receivers_that_cannot_be_reached_are_named_and_it_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("yes\n"))
    assert main(["drill", str(write(tmp_path)), "--within", "300ms", "--service", "bird"]) == 1
    out = capsys.readouterr().out
    assert "not reached on_call.pager" in " ".join(out.split())
    assert "Not reached: on_call.pager" in out


def test_mode_observe_says_how_to_tell_the_vendor_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write(tmp_path, mode="observe"))
    assert main(["drill", path, "--dry"]) == 0
    assert "with --act the vendor is told too" in capsys.readouterr().out
    assert main(["drill", path, "--dry", "--act"]) == 0
    assert "ticket to bird.tickets.email-1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--within", "soon"], "--within: 'soon' is not a duration"),
        (["--service", "brid"], "no service is called 'brid'; known: bird"),
    ],
)
def test_bad_usage_gets_a_clear_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["drill", str(write(tmp_path)), "--dry", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_service_of_which_nobody_is_told_cannot_be_drilled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = {**CONFIG["services"]["bird"], "tickets": [], "hotline": [], "escalation": []}
    path = tmp_path / "prober.yaml"
    path.write_text(yaml.safe_dump({"services": {"bird": service}}))
    assert main(["drill", str(path), "--dry"]) == 2
    assert "nobody is told of an incident of bird" in capsys.readouterr().err
