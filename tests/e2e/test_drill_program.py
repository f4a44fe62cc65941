"""`prober drill` as a program against real receivers on loopback: a mailbox, a hotline, a pager, and one that is down."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.outside import Desk, outside
from tests.e2e.program import Program, configuration, service
from tests.peers.ports import free_port

pytestmark = pytest.mark.e2e


def config(desk: Desk, **more: Any) -> dict[str, Any]:
    api = [{"name": "account", "url": f"http://127.0.0.1:{free_port()}/"}]
    return configuration(desk, {"bird": service(desk, "bird", {"api": api})}, **more)


def drill(path: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "prober", "drill", str(path), "--yes", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, stdin=subprocess.DEVNULL)


def test_every_receiver_gets_what_an_incident_brings_marked_as_an_exercise(tmp_path: Path) -> None:
    with outside() as (_, desk):
        path = tmp_path / "prober.yaml"
        path.write_text(yaml.safe_dump(config(desk)))
        done = drill(path)
        assert done.returncode == 0, done.stdout + done.stderr
        kinds = [arrival.kind for arrival in desk.journal]
        assert sorted(kinds) == ["hotline", "note", "page", "page_resolve", "ticket"]
        assert kinds.index("hotline") > kinds.index("ticket")
        (ticket,), (note,) = desk.came("ticket"), desk.came("note")
        assert ticket.mail is not None
        assert note.mail is not None
        assert ticket.mail["Subject"].startswith("EXERCISE: ")
        assert note.mail["In-Reply-To"] == ticket.mail["Message-ID"]
        body = ticket.mail.get_body(("plain",))
        assert body is not None
        assert body.get_content().startswith("EXERCISE: this is a drill.")
        assert not (tmp_path / "prober.db").exists(), "no store is touched"


def test_a_receiver_that_is_down_is_named_and_the_exit_status_says_so(tmp_path: Path) -> None:
    with outside() as (_, desk):
        desk.down.add("hotline")
        path = tmp_path / "prober.yaml"
        path.write_text(yaml.safe_dump(config(desk)))
        done = drill(path, "--within", "2s")
        assert done.returncode == 1, done.stdout
        assert "Not reached: bird.hotline.webhook-1." in done.stdout


def test_it_works_while_the_program_runs_and_makes_no_incident_there(tmp_path: Path) -> None:
    with outside() as (_, desk), Program(tmp_path, config(desk)) as program:
        program.start()
        done = drill(program.config)
        assert done.returncode == 0, done.stdout + done.stderr
        incidents = subprocess.run(
            [sys.executable, "-m", "prober", "incidents", "--config", str(program.config), "--format", "jsonl"],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "drill-" not in incidents.stdout
        program.stop()
