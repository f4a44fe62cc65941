"""Bad input through the real command line: a clear word on standard error, no traceback, the settled status, nothing lost."""

import contextlib
import hashlib
import os
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.outside import Api, Script, outside, until
from tests.e2e.program import Program, ask_anything, configuration, service, verdicts
from tests.peers.ports import free_port

pytestmark = pytest.mark.e2e

GOOD: dict[str, Any] = {
    "listen": "127.0.0.1:0",
    "services": {
        "bird": {
            "contract": "bird-email-enterprise",
            "channels": {"api": [{"name": "account", "url": "http://127.0.0.1:9/"}]},
        }
    },
}
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


def refused(config: Path, status: int) -> str:
    """`prober run` ends by itself with `status`; what it says, which is no traceback."""
    done = ask_anything("run", str(config))
    assert done.returncode == status, done.stderr
    assert "prober: " in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr


def write(folder: Path, config: dict[str, Any]) -> Path:
    path = folder / "prober.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


#: What a file may be -> a word that the error must say.
BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "junk": (bytes(range(256)), "UTF-8"),
    "huge": (b"services: {}\n" + b"# and so on, and so on, and so on, and so on, and so on\n" * 400_000, "large"),
    "wrong type": (b"services: 5\n", "services"),
    "unknown key": (b"services: {}\nservcies: {}\n", "servcies"),
    "cyclic": (b"services: &a\n  bird: *a\n", "itself"),
    "duplicate key": (b"location: a\nlocation: b\n", "twice"),
    "unknown pack": (yaml.safe_dump(GOOD).replace("bird-email-enterprise", "no-such-pack").encode(), "no-such-pack"),
}


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_configuration_that_is_none_is_named_with_its_line(tmp_path: Path, what: str) -> None:
    content, word = BAD_FILES[what]
    path = tmp_path / "prober.yaml"
    path.write_bytes(content)
    said = refused(path, 2)
    assert word in said
    assert str(path) in said
    assert len(said) < 2000
    assert list(tmp_path.iterdir()) == [path], "and nothing was made"


def test_a_configuration_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    assert "there is no such file" in refused(tmp_path / "none.yaml", 2)
    assert "directory" in refused(tmp_path, 2).lower()


def test_a_port_in_use_is_said_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        said = refused(write(tmp_path, GOOD | {"listen": address}), 1)
        assert f"cannot listen on {address}: Address already in use" in said


def not_sqlite(path: Path) -> str:
    path.write_text("somebody's diary\n" * 100)
    return "not an SQLite database"


def of_another(path: Path) -> str:
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE diary (entry TEXT)")
    return "belongs to another program"


def newer(path: Path) -> str:
    with Program(path.parent / "made", GOOD | {"store": f"sqlite:///{path}"}) as program:
        program.start()
        program.stop()
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA user_version = 99")
    return "a newer prober wrote it"


@pytest.mark.parametrize("make", [not_sqlite, of_another, newer], ids=lambda make: str(make.__name__))
def test_a_store_that_is_not_ours_stays_as_it_is(tmp_path: Path, make: Any) -> None:
    store = tmp_path / "other.db"
    word = make(store)
    before = hashlib.sha256(store.read_bytes()).hexdigest()
    said = refused(write(tmp_path, GOOD | {"store": f"sqlite:///{store}"}), 1)
    assert word in said
    assert str(store) in said
    assert hashlib.sha256(store.read_bytes()).hexdigest() == before, "byte for byte"
    assert not store.with_name("other.db-wal").exists(), "and nothing is left beside it"


def test_a_store_that_another_measures_into_is_left_to_it(tmp_path: Path) -> None:
    with Program(tmp_path, GOOD) as program:
        program.start()
        said = refused(program.config, 1)
        assert f"process {program.pid}" in said
        assert program.status is None
        program.stop()


@contextlib.contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """A small disk of its own."""
    place = folder / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path) -> Path:
    """Take all the space that is left."""
    filler = place / "filler"
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    return filler


@ROOT
def test_a_store_on_a_read_only_or_full_disk_is_said_so(tmp_path: Path) -> None:
    with disk(tmp_path, "4m") as place:
        config = write(tmp_path, GOOD | {"store": f"sqlite:///{place}/prober.db"})
        filler = fill(place)
        assert "full" in refused(config, 1).lower() or "space" in refused(config, 1).lower()
        filler.unlink()
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        said = refused(config, 1)
        assert "cannot be" in said
        assert "Read-only" in said


@ROOT
@pytest.mark.timeout(240)
def test_a_disk_that_fills_up_while_it_runs_holds_up_no_act_and_loses_no_second(tmp_path: Path) -> None:
    script = Script()
    with disk(tmp_path, "4m") as place, outside() as (loop, desk):
        api = Api(loop, script=script)
        services = {"bird": service(desk, "bird", {"api": [{"name": "account", "url": api.url}]})}
        config = configuration(desk, services, store=f"sqlite:///{place}/prober.db", listen=f"127.0.0.1:{free_port()}")
        with Program(tmp_path / "program", config) as program:
            program.store = place / "prober.db"
            program.start()
            program.wait_ready()
            program.wait_closed("bird", int(time.time()))
            filler = fill(place)
            script.always = "503"
            full = int(time.time())
            assert "store" in program.wait_ready(503)
            for kind in ("page", "ticket", "hotline"):
                desk.wait_for(kind)
            assert max(program.seconds("bird")) <= full + 2, "nothing is on disk yet"
            filler.unlink()
            program.wait_ready(200)
            well = int(time.time())
            script.always = "ok"
            desk.wait_for("note")
            desk.wait_for("page_resolve")
            until(lambda: program.metric("prober_outbox_pending") == 0, "all acts are done")
            program.stop()
            for kind in ("page", "ticket", "hotline", "note", "page_resolve"):
                assert len(desk.came(kind)) == 1, desk.everything()
            seconds = program.seconds("bird")  # each once, in order, none left out
            assert verdicts(seconds, full + 1, well - 1) == {("unavailable", "http_status_503")}
            incident = program.incident()
            acts = [line for line in program.trail(incident["id"]) if line["type"] == "act"]
            assert sorted(act["kind"] for act in acts) == ["hotline", "note", "page", "page_resolve", "ticket"]
            assert {act["status"] for act in acts} == {"accepted"}
