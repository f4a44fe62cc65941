"""`prober incidents`: the list, and one incident's whole trail."""

import json
import re
from pathlib import Path

import pytest
from cli_store import configured, measured, troubled
from recording import T0, write
from test_cli_seconds import on_a_terminal

from prober.cli import main
from prober.store import IncidentHead, Reader, Transaction
from rules.incident_events import Record, RecordKind


def incidents(config: Path, *words: str) -> int:
    return main(["incidents", *words, "--config", str(config)])


@pytest.mark.parametrize("words", [(), ("list",), ("list", "--service", "bird")])
def test_incidents_are_listed_oldest_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert incidents(troubled(tmp_path), *words) == 0
    head, old, new = (line.split() for line in capsys.readouterr().out.splitlines())
    assert head == ["id", "service", "severity", "phase", "onset", "raised", "recovered", "episodes", "ticket"]
    assert old[0] == "bird-0"
    assert new == [
        *("bird-1", "bird", "critical", "recovered", "2026-11-22T10:00:10Z", "2026-11-22T10:00:12Z"),
        *("2026-11-22T10:00:15Z", "2", "4711"),
    ]


@pytest.mark.parametrize("words", [("--format", "jsonl"), ("--format", "jsonl", "list"), ("list", "--format", "jsonl")])
def test_a_line_of_jsonl_keeps_its_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert incidents(troubled(tmp_path), *words) == 0
    old, new = map(json.loads, capsys.readouterr().out.splitlines())
    assert old["ticket"] is None
    assert new == {
        "id": "bird-1",
        "service": "bird",
        "severity": "critical",
        "phase": "recovered",
        "onset": T0 + 10,
        "raised": T0 + 12,
        "recovered": T0 + 15,
        "closed": None,
        "episodes": 2,
        "ticket": "4711",
        "conditions": ["unavailable"],
    }


def test_config_may_stand_before_the_action(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["incidents", "--config", str(troubled(tmp_path)), "show", "bird-0"]) == 0
    assert "incident   bird-0" in capsys.readouterr().out


def test_the_trail_tells_what_happened_what_was_done_and_what_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert incidents(troubled(tmp_path), "show", "bird-1") == 0
    shown = capsys.readouterr().out.splitlines()
    assert "recovered  2026-11-22T10:00:15Z (5s after the onset)" in shown
    assert "conditions unavailable" in shown
    assert "  2026-11-22T10:00:12Z  opened  severity=critical  bad=5" in shown
    assert "  2026-11-22T10:00:00Z  ticket (open) to on_call.webhook-1: accepted" in shown
    accepted = "bird.tickets.email-1: accepted, 250 ok, reference queue-7, key 1/ticket/bird.tickets.email-1/open"
    assert f"    2026-11-22T10:00:13.000Z  {accepted}" in shown
    assert "  2026-11-22T10:00:00Z  page (open) to on_call.webhook-1: pending" in shown
    assert "failed calls kept: 12" in shown
    assert "  2026-11-22T10:00:10.000Z  api/account  server_error http_status_503 503" in shown
    assert shown[-1] == "  ... all of them, with transcripts: --format jsonl"


def test_who_only_reads_needs_no_file_of_a_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = troubled(tmp_path)
    kept = config.read_text().replace(
        'headers: {Authorization: "${NOT_SET_HERE}"}', 'headers: {Authorization_file: "${NOT_SET_HERE}/key"}'
    )
    config.write_text(
        f"web: {{token_file: nowhere}}\nrelays: [{{host: mx.example.com, username: u, password_file: nowhere}}]\n{kept}"
    )
    assert incidents(config, "show", "bird-1") == 0
    assert "incident   bird-1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ({"clock": "call-back", "since": T0, "due": T0 + 900}, "since=2026-11-22T10:00:00Z  due=2026-11-22T10:15:00Z"),
        ({"by": "ann", "at": T0 * 10**9 + 250_000_000}, "by=ann  at=2026-11-22T10:00:00.250Z"),
        ({"by": 5 * 10**9, "late": 0, "at": 0, "last": "4711"}, "by=5000000000  late=0  at=0  last=4711"),
        ({"due": 10**14}, "due=100000000000000"),
        ({"changed": ["mode", "page_again"], "receivers": [], "rows": [{}]}, "changed=mode, page_again"),
    ],
)
def test_instants_in_the_trail_are_times_that_people_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], detail: dict[str, object], said: str
) -> None:
    config = troubled(tmp_path)
    record = Record("bird-1", T0 + 20, RecordKind.CLOCK_STARTED, detail)
    write(tmp_path / "kept" / "prober.db", Transaction(records=(record,)))
    assert incidents(config, "show", "bird-1") == 0
    assert f"clock_started  {said}\n" in capsys.readouterr().out.replace("  clock=call-back", "")


def test_what_a_server_said_cannot_move_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert incidents(troubled(tmp_path), "show", "bird-1") == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert r"451 \x1b[31mlater" in shown


def test_the_trail_as_json_has_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert incidents(troubled(tmp_path), "show", "bird-1", "--format", "jsonl") == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    kinds = [line["type"] for line in found]
    assert kinds == ["incident", "record", "record", "act", "act", *["failure"] * 12]
    assert found[1]["detail"]["reasons"] == {"x": 1}
    assert [attempt["outcome"] for attempt in found[3]["attempts"]] == ["transient", "accepted"]
    assert found[5]["observation"]["code"] == 503


def test_a_closed_incident_says_when(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert incidents(troubled(tmp_path), "show", "bird-0") == 0
    shown = capsys.readouterr().out.splitlines()
    assert "closed     2026-11-22T09:56:40Z" in shown
    assert shown[-1] == "failed calls kept: 0"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("show", "bird-9"), "no incident is called 'bird-9'; the newest: bird-0, bird-1"),
        (("list", "--service", "robin"), "no service is called 'robin'; known: bird"),
        (("show",), "required: ID"),
        (("burn",), "invalid choice: 'burn'"),
    ],
)
def test_what_makes_no_sense_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    assert incidents(troubled(tmp_path), *words) == 2
    assert says in capsys.readouterr().err


def test_no_incidents_is_a_word_for_people_and_nothing_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = measured(tmp_path)
    assert incidents(config) == 0
    assert capsys.readouterr().out == "no incidents\n"
    assert incidents(config, "--format", "jsonl") == 0
    assert capsys.readouterr().out == ""


def test_without_a_store_it_says_what_makes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert incidents(configured(tmp_path)) == 1
    assert "`prober run` makes it" in capsys.readouterr().err


def test_a_terminal_gets_a_table_that_fits(tmp_path: Path) -> None:
    shown = on_a_terminal(troubled(tmp_path), "incidents")
    assert max(len(line) for line in re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()) <= 80
    assert "2026-11-22 10:00:10" in shown
    assert "5s, 2" in shown


def test_an_open_incident_reaches_to_the_last_closed_second(tmp_path: Path) -> None:
    from dataclasses import replace

    from prober.cli.incidents import window

    troubled(tmp_path)
    with Reader(tmp_path / "kept" / "prober.db") as reader:
        head = reader.incident("bird-1")
        assert head is not None
        assert window(reader, head) == (T0 + 10, T0 + 16)
        assert window(reader, replace(head, recovered=None)) == (T0 + 10, T0 + 30)


def test_the_table_says_how_long_and_how_often(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prober.cli.stored.terminal", lambda: True)
    config = troubled(tmp_path)
    going_on = IncidentHead("bird-2", "bird", "critical", "open", T0 + 20, T0 + 25)
    write(tmp_path / "kept" / "prober.db", Transaction(incidents=(going_on,)))
    assert incidents(config) == 0
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert shown[1][-3:] == ["3m", "20s", "-"]
    assert shown[2][-4:] == ["5s,", "2", "episodes", "4711"]
    assert shown[3][-3:] == ["goes", "on", "-"]
