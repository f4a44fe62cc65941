"""`prober run` as a whole: what keeps it from starting is said, and its life from start to stop, with a reload on the way."""

import errno
import json
import os
import resource
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from loopback_http import LoopbackHTTP
from recording import until

from prober import config
from prober.cli import main
from prober.errors import Exit
from prober.listen import StartError
from prober.process import descriptors
from prober.run import run
from prober.store import NotOursError, Reader, SeriesKey, Store, StoreLockedError
from rules.model import Verdict


def configuration(*endpoints: dict[str, Any], **more: Any) -> dict[str, Any]:
    service = {"contract": "bird-email-enterprise", "timeout": "2s", "channels": {"api": list(endpoints)}}
    return {"listen": "127.0.0.1:0", "services": {"bird": service}} | more


def loaded(folder: Path, **more: Any) -> config.Loaded:
    path = folder / "prober.yaml"
    path.write_text(yaml.safe_dump(configuration({"name": "a", "url": "http://127.0.0.1:9/"}, **more)))
    return config.load(path)


# what keeps it from starting


def test_a_port_in_use_is_said_and_the_store_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.run._PREDECESSOR", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(StartError, match=f"cannot listen on {address}: .*set `listen` to a free address"):
            run(loaded(tmp_path, listen=address))
    Store.open(tmp_path / "prober.db").close()


def test_a_store_that_another_measures_into_is_said(tmp_path: Path) -> None:
    with closing(Store.open(tmp_path / "prober.db")), pytest.raises(StoreLockedError, match="another `prober run`"):
        run(loaded(tmp_path))


def test_a_store_that_is_not_ours_is_said(tmp_path: Path) -> None:
    (tmp_path / "prober.db").write_text("notes of somebody's, longer than a header would be")
    with pytest.raises(NotOursError, match="not an SQLite database"):
        run(loaded(tmp_path))


def test_a_record_that_cannot_be_understood_is_said_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "prober.db"
    Store.open(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("INSERT INTO states VALUES ('bird', 'incident', '{\"version\": 99}')")
    with pytest.raises(StartError, match=r"what the store says of bird cannot be understood: .*version is 99"):
        run(loaded(tmp_path))
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT body FROM states").fetchall() == [('{"version": 99}',)]
    Store.open(path).close()


def test_an_endpoint_that_cannot_be_called_is_said(tmp_path: Path) -> None:
    """The configuration was good when it was read, and its file has gone since."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    path = tmp_path / "prober.yaml"
    endpoint = {"name": "a", "url": "https://127.0.0.1:9/", "ca": "ca.pem"}
    path.write_text(yaml.safe_dump(configuration(endpoint)))
    good = config.load(path)
    (tmp_path / "ca.pem").unlink()
    with pytest.raises(StartError, match=r"an endpoint cannot be called as configured: .*No such file"):
        run(good)


def test_a_crash_leaves_no_core_in_which_the_secrets_would_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (5000, resource.RLIM_INFINITY))
    asked: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda what, limits: asked.append((what, limits)))
    assert main(["run", "nothing.yaml"]) == Exit.USAGE
    assert asked == [(resource.RLIMIT_CORE, (0, resource.RLIM_INFINITY))]


def test_as_many_descriptors_as_may_be_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 5000))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    assert descriptors() == 4000
    assert asked == [(5000, 5000)]


def test_where_no_more_descriptors_are_given_those_there_are_must_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_what: int, _limits: tuple[int, int]) -> None:
        raise ValueError("not permitted")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refused)
    assert descriptors() == 80


def test_with_too_few_descriptors_to_start_it_says_how_many_are_needed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "prober", "run", str(loaded(tmp_path).path)]
    few = "ulimit -n 16; exec " + shlex.join(command)
    ended = subprocess.run(["bash", "-c", few], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "prober: only 16 files and connections may be open at once, and 32 are the fewest to start with: raise the limit"
        " (ulimit -n, LimitNOFILE= of the unit)\n"
    )
    assert not (tmp_path / "prober.db").exists()


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("prober.child.Child.spawn", BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")),
        ("prober.store.writer.Writer.start", RuntimeError("can't start new thread")),
    ],
)
def test_too_few_processes_or_threads_to_start_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, error: Exception
) -> None:
    """RLIMIT_NPROC counts all of the user's, and binds nobody who is root."""

    def refused(_: object) -> None:
        raise error

    monkeypatch.setattr(what, refused)
    with pytest.raises(StartError, match=r"cannot be started \(.*TasksMax="):
        run(loaded(tmp_path))
    monkeypatch.undo()
    Store.open(tmp_path / "prober.db").close()


# its life


class Vendor(LoopbackHTTP):
    """Answers with the status that is the path."""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(int(request.path.strip("/")))
        request.send_header("Content-Length", "0")
        request.end_headers()


class Life:
    """The real program in `folder`."""

    def __init__(
        self,
        folder: Path,
        written: dict[str, Any],
        stderr: int | None = None,
        python: tuple[str, ...] = ("-m", "prober"),
    ) -> None:
        """`stderr`: a descriptor that takes the place of the file of that name. `python`: what Python is to run."""
        self.store = folder / "prober.db"
        self.config = folder / "prober.yaml"
        self.stderr = folder / "stderr"
        self.write(written)
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(str(folder / "notify"))
        self.notified.settimeout(60)
        buffered = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}  # as units have it
        with self.stderr.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *python, "run", str(self.config)],
                stderr=log if stderr is None else stderr,
                stdin=subprocess.DEVNULL,
                env=buffered | {"NOTIFY_SOCKET": str(folder / "notify")},
            )

    def write(self, written: dict[str, Any]) -> None:
        self.config.write_text(yaml.safe_dump(written))

    def state(self, word: str) -> str:
        """Wait until systemd would have been told `word`."""
        while word not in (said := self.notified.recv(4096).decode()):
            continue
        return said

    def log(self) -> list[dict[str, Any]]:
        lines = self.stderr.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def wait_logged(self, words: str, times: int = 1) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            assert self.process.poll() is None, self.stderr.read_text()
            return [line for line in self.log() if words in line["message"]]

        until(lambda: len(found()) >= times)
        return found()[-1]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            self.notified.close()

    def seconds(self, service: str, endpoint: str = "") -> list[tuple[int, Verdict, str]]:
        key = SeriesKey(service, "api" if endpoint else "", endpoint)
        with Reader(self.store) as reader:
            return [(second, cell.verdict, cell.reason) for second, cell in reader.seconds(key, 0, 1 << 40)]


@pytest.mark.e2e
def test_a_life_with_reloads_good_and_bad(tmp_path: Path) -> None:
    """A service goes and comes back, an endpoint is added; systemd is told of it all; every second has one verdict."""
    with Vendor() as vendor:
        well, ill = {"name": "well", "url": f"{vendor.origin}/200"}, {"name": "ill", "url": f"{vendor.origin}/503"}
        other = {"contract": "bird-email-enterprise", "channels": {"api": [well]}}
        both = configuration(well)
        both["services"]["mailer"] = other
        life = Life(tmp_path, both)
        try:
            assert "STATUS=measuring 2 endpoints" in life.state("READY=1")
            life.state("WATCHDOG=1")
            life.write({"services": 7})
            life.process.send_signal(signal.SIGHUP)
            life.wait_logged("the configuration was not reloaded")
            life.state("RELOADING=1")
            life.state("READY=1")
            life.write(configuration(well, listen="127.0.0.1:1"))
            life.process.send_signal(signal.SIGHUP)
            refused = life.wait_logged("the configuration was not reloaded", 2)
            assert f"{life.config}: listen: cannot change while the program runs (it is 127.0.0.1:0)" in str(refused)
            life.write(configuration(well, ill, nameservers=["127.0.0.1"]))
            life.process.send_signal(signal.SIGHUP)
            life.wait_logged("the configuration was reloaded")
            while "STATUS=measuring 2 endpoints" not in life.state("READY=1"):
                continue
            until(lambda: len(life.seconds("bird", "ill")) >= 2)
            back = configuration(well, ill)
            back["services"]["mailer"] = other
            life.write(back)
            life.process.send_signal(signal.SIGHUP)
            life.wait_logged("the configuration was reloaded", 2)
            since = life.seconds("bird")[-1][0]
            until(lambda: life.seconds("mailer")[-1][0] > since + 1)
        finally:
            status = life.end()
        assert status == 0, life.stderr.read_text()
        assert life.log()[-1]["message"] == "stopped"
        for service in ("bird", "mailer"):
            seconds = [second for second, _, _ in life.seconds(service)]
            assert seconds == list(range(seconds[0], seconds[0] + len(seconds)))
        assert {reason for _, _, reason in life.seconds("bird", "ill")} <= {"http_status_503", "stalled", "late_start"}
        assert {verdict for _, verdict, _ in life.seconds("bird")} <= {Verdict.AVAILABLE, Verdict.UNMEASURED}
        assert "not_running" in {reason for _, _, reason in life.seconds("mailer")}
        assert "Traceback" not in life.stderr.read_text()


def _full_disk() -> tuple[int, ...]:
    return (os.open("/dev/full", os.O_WRONLY),)


def _gone() -> tuple[int, ...]:
    reading, writing = os.pipe()
    os.close(reading)
    return (writing,)


def _asleep() -> tuple[int, ...]:
    """A pipe that is full already and that nobody reads, and its other end."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    return writing, reading


@pytest.mark.e2e
@pytest.mark.parametrize("log", [_full_disk, _gone, _asleep])
def test_a_log_that_nobody_takes_changes_neither_its_life_nor_its_end(
    tmp_path: Path, log: Callable[[], tuple[int, ...]]
) -> None:
    """At its end Python waited for ever for a reader that does not read, and gave 120 where there was no room."""
    opened = log()
    life = Life(tmp_path, configuration({"name": "a", "url": "http://127.0.0.1:9/"}), opened[0])
    try:
        life.state("READY=1")
        life.process.send_signal(signal.SIGHUP)
        life.state("RELOADING=1")
        life.state("READY=1")
        assert life.end() == 0
    finally:
        life.process.kill()
        life.process.wait(60)
        for each in opened:
            os.close(each)


@pytest.mark.e2e
def test_a_reload_reads_the_file_of_its_whole_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started with a path relative to a folder that a deployment replaced."""
    folder = tmp_path / "current"
    folder.mkdir()
    monkeypatch.chdir(folder)
    life = Life(
        Path(), configuration({"name": "a", "url": "http://127.0.0.1:9/"}, store=f"sqlite:///{tmp_path}/prober.db")
    )
    try:
        life.wait_logged("measuring")
        folder.rename(tmp_path / "before")
        folder.mkdir()
        (folder / "prober.yaml").write_text((tmp_path / "before" / "prober.yaml").read_text())
        (tmp_path / "before" / "prober.yaml").write_text("nothing of use")
        life.process.send_signal(signal.SIGHUP)
        life.wait_logged("the configuration was reloaded")
    finally:
        assert life.end() == 0


#: Root, too, as somebody who may not look into every process; then the program in one that may not be looked into.
_SHUT = """
import ctypes, os, sys
system = ctypes.CDLL(None)
if len(sys.argv) == 3:
    for capability in range(64):
        system.prctl(24, capability)  # PR_CAPBSET_DROP, prctl(2)
    os.execv(sys.executable, [sys.executable, "-c", os.environ["SHUT"], *sys.argv[1:], "shut"])
system.prctl(4, 0)  # PR_SET_DUMPABLE
from prober.cli import main
sys.exit(main(sys.argv[1:3]))
"""


@pytest.mark.e2e
def test_a_python_with_a_capability_of_its_own_serves_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one has it after setcap, for a port below 1024: it measured, and no page or ticket could go out."""
    monkeypatch.setenv("SHUT", _SHUT)
    life = Life(tmp_path, configuration({"name": "a", "url": "http://127.0.0.1:9/"}), python=("-c", _SHUT))
    try:
        life.wait_logged("serving")
    finally:
        assert life.end() == 0
    assert not [line for line in life.log() if line["level"] == "error"]


@pytest.mark.e2e
def test_told_to_end_while_it_starts_it_ends_in_order(tmp_path: Path) -> None:
    life = Life(tmp_path, configuration({"name": "a", "url": "http://127.0.0.1:9/"}))
    until(lambda: (tmp_path / "prober.db.lock").exists() or life.process.poll() is not None)
    status = life.end()
    assert status == 0, life.stderr.read_text()
    Store.open(life.store).close()


@pytest.mark.e2e
def test_told_to_reload_while_it_starts_it_starts_and_reloads(tmp_path: Path) -> None:
    life = Life(tmp_path, configuration({"name": "a", "url": "http://127.0.0.1:9/"}))
    try:
        until(lambda: (tmp_path / "prober.db.lock").exists() or life.process.poll() is not None)
        life.process.send_signal(signal.SIGHUP)
        life.wait_logged("the configuration was reloaded")
    finally:
        status = life.end()
    assert status == 0, life.stderr.read_text()


@pytest.mark.e2e
def test_a_service_that_is_no_longer_configured_at_the_start_keeps_what_it_had(tmp_path: Path) -> None:
    with Vendor() as vendor:
        well = {"name": "well", "url": f"{vendor.origin}/200"}
        both = configuration(well)
        both["services"]["mailer"] = {"contract": "bird-email-enterprise", "channels": {"api": [well]}}
        life = Life(tmp_path, both)
        try:
            life.state("READY=1")
            until(lambda: len(life.seconds("mailer")) >= 1)
        finally:
            assert life.end() == 0
        kept = life.seconds("mailer")
        (tmp_path / "notify").unlink()
        life = Life(tmp_path, configuration(well))
        try:
            life.state("READY=1")
            since = kept[-1][0]
            until(lambda: life.seconds("bird")[-1][0] > since + 2)
            life.write(both)
            life.process.send_signal(signal.SIGHUP)
            life.wait_logged("the configuration was reloaded")
            until(lambda: life.seconds("mailer")[-1][0] > since + 3)
        finally:
            assert life.end() == 0
        after = life.seconds("mailer")
        assert after[: len(kept)] == kept, "a closed second never changes (invariant 1)"
        seconds = [second for second, _, _ in after]
        assert seconds == list(range(seconds[0], seconds[0] + len(seconds)))
        assert after[len(kept)][1:] == (Verdict.UNMEASURED, "not_running")
