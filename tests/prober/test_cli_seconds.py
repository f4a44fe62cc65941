"""`prober seconds`, as a person and as a program use it."""

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_store import CONFIG, FROM, TO, configured, measured
from recording import OK, T0, Recorder, write

from prober.cli import main
from prober.cli import seconds as command
from prober.store import MaintenanceTurn, Transaction


def seconds(config: Path, *words: str) -> int:
    return main(["seconds", *words, "--config", str(config)])


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    out = capsys.readouterr()
    assert out.err == ""
    return out.out.splitlines()


def test_a_line_of_jsonl_is_as_the_design_has_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert seconds(measured(tmp_path), "bird", "--channel", "api", FROM, TO, "--format", "jsonl") == 0
    found = lines(capsys)
    assert len(found) == 30
    assert found[10] == (
        '{"second": 1795341610, "service": "bird", "channel": "api", "verdict": "unavailable", '
        '"reason": "http_status_503", "calls": 2, "faults": {"server_error": 2}}'
    )
    assert found[20].endswith('"calls": 3, "faults": {"none": 2, "other": 1}}')
    assert [json.loads(line)["second"] for line in found] == [T0 + n for n in range(30)]


def test_the_services_own_line_has_no_channel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert seconds(measured(tmp_path), "bird", FROM, f"--to={T0 + 1}", "--format", "jsonl") == 0
    assert lines(capsys) == [
        (
            '{"second": 1795341600, "service": "bird", "channel": null, "verdict": "available", "reason": "ok", "calls": 1, '
            '"faults": {"none": 1}}'
        )
    ]


def test_an_endpoint_is_named_after_its_channel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = measured(tmp_path)
    assert seconds(config, "bird", "--endpoint", "removed", FROM, f"--to={T0 + 2}", "--format", "jsonl") == 0
    assert lines(capsys) == [
        (
            '{"second": 1795341600, "service": "bird", "channel": "api", "endpoint": "removed", "verdict": "available", '
            '"reason": "ok", "calls": 1, "faults": {"none": 1}}'
        ),
        (
            '{"second": 1795341601, "service": "bird", "channel": "api", "endpoint": "removed", "verdict": "unmeasured", '
            '"reason": "no_call", "calls": 0, "faults": {}}'
        ),
    ]


def test_csv_has_a_column_for_each_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert seconds(measured(tmp_path), "bird", "--channel", "api", FROM, TO, "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 30
    assert rows[12] == {
        "second": "1795341612",
        "service": "bird",
        "channel": "api",
        "endpoint": "",
        "verdict": "unavailable",
        "reason": "http_status_503",
        "calls": "2",
        "none": "0",
        "server_timeout": "0",
        "server_error": "2",
        "other": "0",
        "own": "0",
        "maintenance": "",
    }


def maintained(folder: Path) -> Path:
    """The same, with seconds 12 to 22 within announced maintenance; another window goes on from second 28."""
    path = measured(folder)
    turns = [
        MaintenanceTurn("bird", "new disks", T0 + 12, begins=True),
        MaintenanceTurn("bird", "new disks", T0 + 23, begins=False),
        MaintenanceTurn("bird", "move", T0 + 28, begins=True),
        MaintenanceTurn("other", "theirs", T0, begins=True),
    ]
    write(folder / "kept" / "prober.db", *(Transaction(maintenance=(turn,)) for turn in turns))
    return path


def test_a_second_within_announced_maintenance_is_marked_and_its_verdict_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = maintained(tmp_path)
    for more in ([], ["--channel", "api"], ["--channel", "api", "--endpoint", "account"]):
        assert seconds(path, "bird", *more, FROM, TO, "--format", "jsonl") == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        marked = {line["second"] - T0: line["maintenance"] for line in lines if "maintenance" in line}
        assert marked == {**dict.fromkeys(range(12, 23), "new disks"), 28: "move", 29: "move"}
        assert len(lines) == 30
        assert lines[13]["verdict"] == "unavailable"
        assert list(lines[13])[-1] == "maintenance", "what was there before keeps its place"


def test_tables_and_csv_mark_maintenance_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = maintained(tmp_path)
    assert seconds(path, "bird", FROM, TO) == 0
    plain = capsys.readouterr().out.splitlines()
    assert sum(line.endswith("maintenance: new disks") for line in plain) == 4, plain
    assert seconds(path, "bird", FROM, TO, "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["maintenance"] for row in rows[11:13]] == ["", "new disks"]


def test_a_pipe_gets_plain_text_with_equal_seconds_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert seconds(measured(tmp_path), "bird", FROM, TO) == 0
    assert lines(capsys) == [
        "from                   seconds  verdict       reason                    calls",
        "2026-11-22T10:00:00Z        10  available     ok                        1 none",
        "2026-11-22T10:00:10Z         5  unavailable   http_status_503           2 server_error",
        "2026-11-22T10:00:15Z         5  available     ok                        1 none",
        "2026-11-22T10:00:20Z         1  available     ok                        2 none, 1 other",
        "2026-11-22T10:00:21Z         9  available     ok                        1 none",
    ]


def test_to_is_not_included_and_only_closed_seconds_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = measured(tmp_path)
    seconds(config, "bird", f"--from={T0 + 28}", f"--to={T0 + 29}", "--format", "jsonl")
    seconds(config, "bird", f"--from={T0 + 29}", f"--to={T0 + 9999}", "--format", "jsonl")
    assert [json.loads(line)["second"] for line in lines(capsys)] == [T0 + 28, T0 + 29]


def test_the_last_hour_is_meant_when_nothing_else_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, recent = configured(tmp_path), int(time.time()) - 7000
    write(tmp_path / "kept" / "prober.db", Recorder(recent).all(OK, 7000))
    assert seconds(config, "bird", "--format", "jsonl") == 0
    hour = len(lines(capsys))
    assert seconds(config, "bird", "--from", "-30m", "--to", "-20m", "--format", "jsonl") == 0
    assert len(lines(capsys)) == 600
    assert 3500 < hour <= 3600


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("robin",), "no service is called 'robin'; known: bird"),
        (("bird", "--channel", "fax"), "no channel of bird is called 'fax'; known: api, smtp"),
        (("bird", "--endpoint", "x"), "no endpoint of bird is called 'x'; known: account, injection, removed"),
        (
            ("bird", "--channel", "smtp", "--endpoint", "removed"),
            "no endpoint of bird smtp is called 'removed'; known: account, injection",
        ),
        (("bird", "--endpoint", "account"), "bird has an endpoint account in api and smtp; say which with --channel"),
        (("bird", "--from", "noon"), "--from: 'noon' is no time; write ISO 8601"),
        (("bird", "--from", "now", "--to", "-1h"), "is before --from"),
    ],
)
def test_what_makes_no_sense_is_told_with_what_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    assert seconds(measured(tmp_path), *words) == 2
    out = capsys.readouterr()
    assert says in out.err
    assert out.out == ""


def test_without_a_store_it_says_what_makes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configured(tmp_path)
    assert seconds(config, "bird") == 1
    assert "there is none yet; `prober run` makes it" in capsys.readouterr().err
    assert seconds(config, "robin") == 2
    assert "no service is called 'robin'" in capsys.readouterr().err


def test_an_endpoint_that_is_configured_and_was_never_measured_has_no_seconds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seconds(measured(tmp_path), "bird", "--endpoint", "injection", FROM, TO, "--format", "jsonl") == 0
    assert lines(capsys) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("sqlite:///kept/prober.db", "sqlite:///${NOT_SET_HERE}.db"), "NOT_SET_HERE"),
        (("contract: bird-email-enterprise", "contrakt: x"), "contrakt"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], says: str
) -> None:
    config = tmp_path / "prober.yaml"
    config.write_text(CONFIG.replace(*change))
    assert seconds(config, "bird") == 2
    assert says in capsys.readouterr().err


def on_a_terminal(config: Path, *words: str) -> str:
    """What `prober` shows on a terminal of 80 columns."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "80", "TERM": "xterm"}
    code = "import sys; from prober.cli import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", code, *words, "--config", config], stdout=follower, env=environment
    ) as child:
        os.close(follower)
        shown = b""
        while True:
            try:
                chunk = os.read(leader, 65536)
            except OSError:  # EIO: the other side has gone
                break
            if not chunk:
                break
            shown += chunk
        assert child.wait(30) == 0
    os.close(leader)
    return shown.decode().replace("\r\n", "\n")


def test_a_terminal_gets_a_table_that_fits(tmp_path: Path) -> None:
    shown = on_a_terminal(measured(tmp_path), "seconds", "bird", FROM, TO)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert "\x1b[" in shown  # colours
    assert max(len(line) for line in plain.splitlines()) <= 80
    assert "2026-11-22 10:00:10" in plain
    assert "30 closed seconds: 25 available, 5 unavailable" in plain


def test_a_terminal_gets_a_column_for_maintenance_where_there_was_any(tmp_path: Path) -> None:
    shown = on_a_terminal(maintained(tmp_path), "seconds", "bird", FROM, TO)
    assert "Maintenance" in shown
    assert "new disks" in shown


def test_a_terminal_is_told_when_there_is_nothing(tmp_path: Path) -> None:
    shown = on_a_terminal(measured(tmp_path), "seconds", "bird", "--from=0", "--to=2000-01-01")
    assert "no closed second from 1970-01-01T00:00:00Z to 2000-01-01T00:00:00Z" in shown


def test_a_table_is_no_flood(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "MOST_LINES", 2)
    monkeypatch.setattr("prober.cli.stored.terminal", lambda: True)
    assert seconds(measured(tmp_path), "bird", FROM, TO) == 0
    shown = capsys.readouterr().out
    assert "... and more: narrow --from and --to, or use --format jsonl" in shown
    assert "30 closed seconds" in shown


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    config = configured(tmp_path)
    write(tmp_path / "kept" / "prober.db", Recorder().all(OK, 20_000))
    code = "import sys; from prober.cli import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", code, "seconds", "bird", FROM, "--format", "jsonl", "--config", config],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
