"""`prober demo` as a person starts it: what it shows, in which order, how it ends, and that nothing of it is left."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.outside import until

pytestmark = pytest.mark.e2e

#: What a viewer must have seen, in this order: parts of lines, as regular expressions.
STORY = (
    r"configuration +/.*/demo\.yaml$",
    r"persistent after 10 s \(by default 60 s\)",
    r"^\d\d:\d\d:\d\d  available 1/1 +available 1/1$",
    r"THE PLATFORM BEGINS TO FAIL",
    r"unavailable 0/1 http_status_503 +unavailable 0/1 banner_timeout$",
    r"\^ the first unavailable second",
    r"PERSISTENT \(unavailable, critical\), onset",
    r"THE TICKET",
    r"\| From: oncall@example\.com",
    r"\| To: support@vendor\.example",
    r"\| Subject: Critical Issue: Bird Email \[",
    r"\| Message-ID:",
    r"\| Company: +Example GmbH",
    r"THE VENDOR'S HOTLINE is called",
    r"THE PLATFORM IS WELL AGAIN",
    r"^\d\d:\d\d:\d\d  available 1/1 +available 1/1$",
    r"RECOVERED; it had lasted",
    r"\| In-Reply-To:",
    r"^Summary",
    r"prober seconds +\d+ unavailable",
    r"  page +\d\d:\d\d:\d\d, \d+\.\d\d s after its end",
    r"  ticket +\d\d:\d\d:\d\d, \d+\.\d\d s after its end",
    r"  hotline +\d\d:\d\d:\d\d, \d+\.\d\d s after its end",
    r"incidents show bird-",
    r"The demo has ended",
    r"its files stay  /",
)


class Demo:
    """`prober demo`, its output in a file."""

    def __init__(self, folder: Path, *arguments: str, environment: Mapping[str, str]) -> None:
        self.folder = folder / "demo"
        self._out = folder / "out"
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "prober", "demo", "--dir", str(self.folder), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **environment},
            )

    @property
    def shown(self) -> str:
        return self._out.read_text()

    def shows(self, pattern: str) -> re.Match[str]:
        """Wait until a line of this kind is shown."""

        def found() -> re.Match[str] | None:
            match = re.search(pattern, self.shown, re.MULTILINE)
            assert match or self.process.poll() is None, f"it ended before it showed {pattern!r}:\n{self.shown}"
            return match

        match = until(found, f"the demo shows {pattern!r}")
        assert match is not None
        return match

    def ends(self, within: float = 90.0) -> int:
        """Its exit status, once it has ended; by then nothing that it started runs any more."""
        status = self.process.wait(within)
        assert not self.running(), self.shown
        return status

    def running(self) -> list[str]:
        """Processes of the prober on this demo's configuration, and those that these started."""
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit():
                    command = (entry / "cmdline").read_bytes().decode(errors="replace")
                    parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                    found[entry.name] = (parent, command.replace("\0", " "))
            except OSError:  # it has ended meanwhile
                continue
        ours = {pid for pid, (_, command) in found.items() if str(self.folder / "demo.yaml") in command}
        children = {pid for pid, (parent, _) in found.items() if parent in ours}
        return [found[pid][1] for pid in sorted(ours | children)]

    def kill(self) -> None:
        """At the end of a test that failed: the demo and, by the lock that names it, its prober."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        lock = self.folder / "prober.db.lock"
        if self.running() and lock.exists():
            os.killpg(int(lock.read_text()), signal.SIGKILL)


@contextmanager
def demo(folder: Path, *arguments: str, **environment: str) -> Iterator[Demo]:
    started = Demo(folder, *arguments, environment=environment)
    try:
        yield started
    finally:
        started.kill()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, Demo]]:
    """A demo that ends by itself and one that stays; they take half a minute each, so they play at once."""
    with demo(tmp_path_factory.mktemp("ends")) as ends, demo(tmp_path_factory.mktemp("stays"), "--stay") as stays:
        yield ends, stays


def test_a_viewer_sees_an_outage_from_its_first_second_to_its_end(both: tuple[Demo, Demo]) -> None:
    shown, _ = both
    assert shown.ends() == 0, shown.shown
    lines = shown.shown.splitlines()
    rest = iter(lines)
    for part in STORY:
        assert any(re.search(part, line) for line in rest), f"not shown, or out of order: {part}\n{shown.shown}"
    outage, _, _ = shown.shown.partition("THE PLATFORM IS WELL AGAIN")
    assert "ON-CALL is paged" in outage, "with the ticket, or a moment before or after"
    assert all(len(line) <= 80 for line in lines if str(shown.folder) not in line), "it fits 80 columns"
    assert "\x1b" not in shown.shown, "no colours in a pipe"


def test_what_a_viewer_was_shown_is_kept(both: tuple[Demo, Demo]) -> None:
    shown, _ = both
    assert shown.ends() == 0, shown.shown
    arrived = sorted(path.name for path in (shown.folder / "arrived").iterdir())
    assert set(arrived[:2]) == {"1-page.json", "2-mail.eml"} or set(arrived[:2]) == {"1-mail.eml", "2-page.json"}
    assert arrived[2] == "3-hotline.json", "the hotline is called when the ticket is in"
    assert sorted(name.split("-")[1] for name in arrived[3:]) == ["mail.eml", "page.json"]
    ticket, _, answered = re.findall(r"\| +(<\S+>)$", shown.shown, re.MULTILINE)
    assert ticket == answered, "the note answers into the ticket"
    assert '"level":"error"' not in (shown.folder / "prober.log").read_text()


def test_the_prober_counts_as_many_seconds_as_the_platform_failed(both: tuple[Demo, Demo]) -> None:
    """A busy machine may leave seconds unmeasured, or let the change fall into a second; none is made up."""
    shown, _ = both
    assert shown.ends() == 0, shown.shown
    failed = int(shown.shows(r"failed from \S+ on, (\d+) seconds")[1])
    counted = int(shown.shows(r"prober seconds +(\d+) unavailable")[1])
    unmeasured = len(re.findall(r"^\S+  unmeasured .* unmeasured", shown.shown, re.MULTILINE))
    assert failed - unmeasured - 1 <= counted <= failed + 1
    assert counted + unmeasured >= 9, "what is persistent"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_ends_it_in_order(number: signal.Signals, tmp_path: Path) -> None:
    with demo(tmp_path) as shown:
        shown.shows("available 1/1")
        assert shown.running()
        shown.process.send_signal(number)
        assert shown.ends() == 128 + number, shown.shown
        assert "Traceback" not in shown.shown
        assert shown.shown.splitlines()[-1] == f"  its files stay  {shown.folder}"
        assert "stopped" in (shown.folder / "prober.log").read_text(), "the prober was stopped in order"


def test_a_signal_before_anything_has_begun_ends_it_too(tmp_path: Path) -> None:
    with demo(tmp_path) as shown:
        shown.shows("prober demo")
        shown.process.send_signal(signal.SIGINT)
        assert shown.ends() == 130, shown.shown
        assert "Traceback" not in shown.shown


def test_a_prober_that_ends_unasked_is_told_of_with_its_log(tmp_path: Path) -> None:
    with demo(tmp_path) as shown:
        shown.shows("available 1/1")
        os.kill(int((shown.folder / "prober.db.lock").read_text()), signal.SIGTERM)
        assert shown.ends() == 1, shown.shown
        shown.shows("THE DEMO DID NOT GO AS IT SHOULD")
        shown.shows("the prober has ended by itself, with status 0")
        shown.shows(r"\| .* info stopped")
        shown.shows("prober.log$")


def test_with_stay_a_visitor_makes_it_fail_and_ends_it_when_done(both: tuple[Demo, Demo]) -> None:
    _, shown = both
    control = shown.shows(r"curl -d mode=503 (http://\S+)/fail")[1]
    status_page = shown.shows(r"status page +(http://\S+)")[1]
    assert httpx.get(status_page, trust_env=False).status_code == 200
    httpx.post(f"{control}/fail", data={"mode": "401"}, trust_env=False).raise_for_status()
    shown.shows("the API refuses our key")
    shown.shows("inconclusive 0/1 http_status_401")
    shown.process.send_signal(signal.SIGINT)
    assert shown.ends() == 0, shown.shown
    assert "Traceback" not in shown.shown


def test_a_directory_that_holds_a_demo_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "demo.yaml").touch()
    with demo(tmp_path) as shown:
        assert shown.ends() == 2
        assert "demo.yaml is there already" in shown.shown
