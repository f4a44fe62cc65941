"""`prober incidents preview`: each kind of text once, from the configuration, on eighty columns, and nothing sent."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_drill import CONFIG, write

from prober.cli import main
from prober.config import load
from prober.preview import Preview
from prober.rehearsal import Rehearsal
from rules.acts import ActKind
from rules.model import Condition

FRIDAY = 1_795_168_800  # 2026-11-20T10:00:00Z
CALL = {
    "account_sid": "AC" + "0" * 32,
    "auth_token": "a-token-that-nobody-sees",
    "from": "+15550100",
    "to": "+493012345678",
}


def shown(folder: Path, condition: Condition = Condition.UNAVAILABLE, **changes: Any) -> list[str]:
    loaded = load(write(folder, **changes))
    played = Rehearsal(loaded.settings, loaded.base, "bird", condition, prefix="example")
    return [f"{each.act.kind} {each.act.step}" for each in Preview(played, FRIDAY).play()]


def test_the_whole_life_is_shown(tmp_path: Path) -> None:
    texts = [line.rstrip("0123456789") for line in shown(tmp_path)]
    for wanted in (
        "page open",
        "ticket open",
        "hotline call",
        "page warn-call-back-",
        "note chase-call-back-",
        "hotline again-call-back-",
        "escalation late-call-back-",
        "note recovered",
        "page_resolve open",
        "note unavailable-again",
    ):
        assert wanted in texts, texts
    assert texts.index("page open") < texts.index("ticket open") < texts.index("hotline call")


@pytest.mark.parametrize("pack", ["bird-email-premium", "360dialog", "aivo", "promptlink"])
def test_every_agreement_can_be_previewed(tmp_path: Path, pack: str) -> None:
    assert "ticket open" in shown(tmp_path, contract=pack, hotline=[])


def test_a_clock_whose_days_go_over_a_weekend_and_more_is_shown_when_it_is_due(tmp_path: Path) -> None:
    texts = shown(tmp_path, Condition.PARTIAL, contract="aivo", hotline=[])  # five business days, begun on a Friday
    assert any(line.startswith("page due-resolution-") for line in texts), texts
    assert any(line.startswith("note chase-resolution-") for line in texts), texts


SATURDAYS = """\
name: saturdays
title: Saturdays
vendor: Sat
document: {title: SLA, date: silent, language: en}
unavailability: {meaning: All calls fail., article: "1", persistent: One minute., persistent_article: "1"}
resolution: {by: agreement, means: Both agree., article: "9"}
severities:
  only: {title: Issue, article: "2", means: Anything., ticket: true, hotline: none, page: true}
conditions: {unavailable: only}
on_call_alone: []
calendars:
  saturdays: {means: Saturdays., article: "5", zone: UTC, days: sat, hours: "10:00-14:00", holidays: none}
  sundays: {means: Sundays., article: "5", zone: UTC, days: sun, hours: "10:00-14:00", holidays: none}
escalation: {title: Head, calendar: sundays, means: Head of support., article: "7"}
clocks:
  response:
    {title: Response, article: "6", within: WITHIN, calendar: saturdays, starts: [ticket], stops: [update], due: [escalate]}
terms: {}
"""


@pytest.mark.parametrize(("within", "escalated"), [("6h", True), ("100d", False)])
def test_hours_that_are_few_are_waited_for_but_not_for_ever(tmp_path: Path, within: str, escalated: bool) -> None:
    (tmp_path / "saturdays.yaml").write_text(SATURDAYS.replace("WITHIN", within))
    texts = shown(tmp_path, contract="saturdays.yaml", hotline=[], terms={})
    assert any("late-response-" in line for line in texts) is escalated, texts
    assert "note recovered" in texts


def test_in_mode_observe_nothing_for_the_vendor_is_shown(tmp_path: Path) -> None:
    kinds = {line.partition(" ")[0] for line in shown(tmp_path, mode="observe")}
    assert kinds == {ActKind.PAGE, ActKind.PAGE_RESOLVE}


@pytest.mark.parametrize("condition", Condition)
def test_it_fits_eighty_columns_and_says_that_it_is_made_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], condition: Condition
) -> None:
    assert main(["incidents", "preview", str(write(tmp_path)), "--condition", condition.value]) == 0
    out = capsys.readouterr().out
    assert out.startswith("EXAMPLE: what an incident would say\n")
    assert "nothing is sent" in out
    assert "[example-bird-" in out
    assert [line for line in out.splitlines() if len(line) > 80] == []


def test_each_receiver_s_own_form_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, hotline=[{"twilio": CALL}])
    assert main(["incidents", "preview", "--config", str(path), "--service", "bird"]) == 0
    out = capsys.readouterr().out
    assert "a telephone call to +493012345678" in out
    assert "-- read out by telephone:\n  | This is an automatic call from the operations of Customer GmbH." in out
    assert "mail to support@vendor.example from oncall@example.com" in " ".join(out.split())
    assert "a-token-that-nobody-sees" not in out


def test_what_is_read_out_is_shown_as_it_is_heard_on_eighty_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path)
    path.write_text(yaml.safe_dump({**CONFIG, "on_call": [{"twilio": CALL}]}))
    assert main(["incidents", "preview", str(path)]) == 0
    out = capsys.readouterr().out
    heard = out[out.index("-- read out by telephone:") : out.index("== 2.")]
    assert "The vendor's hotline" not in heard, "none is configured"
    assert "Whose fault it is: the vendor's" in " ".join(heard.replace("|", " ").split())
    assert "[example-bird-" not in heard
    assert "-- by telephone: nobody is called about it" in out
    assert [line for line in out.splitlines() if len(line) > 80] == []


def test_a_condition_that_nobody_is_told_of_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, tickets=[], hotline=[], escalation=[])
    config = yaml.safe_load(path.read_text())
    config["on_call"] = []
    path.write_text(yaml.safe_dump(config))
    assert main(["incidents", "preview", str(path)]) == 0
    assert "Nobody is told" in capsys.readouterr().out


def test_as_html_it_is_one_page_whose_frames_hold_the_mails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["incidents", "preview", str(write(tmp_path)), "--format", "html"]) == 0
    frames: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag != "script"
            if tag == "iframe":
                frames.append(dict(attrs)["srcdoc"] or "")

    Parser().feed(capsys.readouterr().out)
    assert len(frames) > 8
    assert all(frame.startswith("<!DOCTYPE html>") for frame in frames)
    assert any("We allege no cause" in frame for frame in frames)


def test_bad_usage_gets_a_clear_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["incidents", "preview", str(write(tmp_path)), "--service", "brid"]) == 2
    assert "no service is called 'brid'; known: bird" in capsys.readouterr().err
    assert main(["incidents", "preview", str(tmp_path / "none.yaml")]) == 2


def test_no_secret_of_the_configuration_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    api = [
        {
            "name": "a",
            "url": "https://api.example.com/?key=planted-in-the-url-9",
            "headers": {"Authorization": "planted-key-8"},
        }
    ]
    config = {**CONFIG, "services": {"bird": {**CONFIG["services"]["bird"], "channels": {"api": api}}}}
    path = tmp_path / "prober.yaml"
    path.write_text(yaml.safe_dump(config))
    assert main(["incidents", "preview", str(path)]) == 0
    assert "planted" not in capsys.readouterr().out
