"""The real program for tests: `prober run CONFIG` as a person starts it, in two processes, on real seconds."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import httpx
import yaml
from prometheus_client.parser import text_string_to_metric_families

from prober.store import Reader, SeriesKey
from tests.e2e.nursery import Forked
from tests.e2e.outside import Api, Desk, until

PROBER = (sys.executable, "-m", "prober")
#: Reasons of seconds that a loaded test machine may leave unmeasured; the truth of others must not depend on it.
OURS = frozenset({"stalled", "late_start", "no_call"})


def service(desk: Desk, name: str, channels: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A service whose ticket goes to `name@vendor.test`, judged in few seconds."""
    return {
        "title": f"The service {name}",
        "contract": "bird-email-enterprise",
        "every": "1s",
        "timeout": "2s",
        "persistence": {"for": "4s", "recovered_after": "3s"},
        "channels": channels,
        "tickets": [{"email": {"to": f"{name}@vendor.test", "from": "oncall@customer.test"}}],
        "hotline": [{"webhook": {"url": desk.url("hotline")}}],
    } | more


def configuration(desk: Desk, services: dict[str, Any], controls: Iterable[Api] = (), **more: Any) -> dict[str, Any]:
    """A whole configuration: tickets, hotline and pages go to `desk`."""
    return {
        "customer": {"company": "Customer GmbH", "contact": {"name": "Operations", "phone": "+49 30 1234567"}},
        "location": "test",
        "listen": "127.0.0.1:0",
        "store": "sqlite:///prober.db",
        "controls": [{"name": f"control-{n}", "url": control.url} for n, control in enumerate(controls)],
        "relays": [{"host": desk.host, "port": desk.mail_port, "tls": "none"}],
        "services": services,
        "on_call": [{"webhook": {"url": desk.url("page")}}],
    } | more


def smtp_endpoint(port: int, **more: Any) -> dict[str, Any]:
    mail = {"from": "probe@customer.test", "to": "sink@vendor.test"}
    return {"name": "injection", "host": "127.0.0.1", "port": port, "tls": "none", "mail": mail} | more


class Program:
    """One store and configuration in `folder`, and the program that may run on them; killed at the end of a `with`."""

    def __init__(self, folder: Path, config: dict[str, Any], *, forked: bool = False) -> None:
        """`forked`: from a process that has imported it already, for tests that start it many times."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.config = folder / "prober.yaml"
        self.store = folder / "prober.db"
        self._stderr = folder / "stderr.log"
        self._stderr.touch()
        self._from = 0  # where the log of the newest start begins
        self._forked = forked
        self._process: subprocess.Popen[bytes] | Forked | None = None
        self.configure(config)

    def configure(self, config: dict[str, Any]) -> None:
        self.config.write_text(yaml.safe_dump(config))

    # life

    def start(self, *wrap: str) -> "Program":
        """Start it (under the command `wrap`, such as prlimit) and wait until it measures."""
        self.spawn(*wrap)
        self.wait_for_log("measuring")
        return self

    def spawn(self, *wrap: str) -> None:
        assert self._process is None or self.status is not None, "it runs already, and would be left behind"
        self._from = self._stderr.stat().st_size
        if self._forked:
            self._process = Forked(str(self.config), str(self._stderr))
            return
        with self._stderr.open("ab") as log:
            self._process = subprocess.Popen(
                [*wrap, *PROBER, "run", str(self.config)], stderr=log, stdin=subprocess.DEVNULL
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def status(self) -> int | None:
        assert self._process is not None
        return self._process.poll()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def stop(self) -> None:
        """SIGTERM, and exit status 0."""
        assert self._process is not None
        self._process.terminate()
        status = self._process.wait(30)
        assert status == 0, self.log_text()

    def kill(self) -> None:
        """SIGKILL of the measuring process alone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)

    def kill_serving(self) -> int:
        """SIGKILL of the serving process alone; gives its process id."""
        serving = int(self.wait_for_log("serving")["pid"])
        os.kill(serving, signal.SIGKILL)
        return serving

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGCONT)
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired, AssertionError):
                self._process.wait(15)
            self._process.kill()
            self._process.wait(30)

    # what it says

    def log_text(self) -> str:
        with self._stderr.open("rb") as log:
            log.seek(self._from)
            return log.read().decode()

    def whole_log(self) -> str:
        """Of all starts."""
        return self._stderr.read_text()

    def log(self) -> list[dict[str, Any]]:
        """What it has logged since its newest start."""
        *lines, _ = self.log_text().split("\n")
        return [json.loads(line) for line in lines if line.startswith("{")]

    def logged(self, words: str) -> dict[str, Any] | None:
        return next((line for line in self.log() if words in line["message"]), None)

    def wait_for_log(self, words: str, within: float = 100.0) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            line = self.logged(words)
            assert line is not None or self.status is None, f"it ended with {self.status}: {self.log_text()}"
            return line

        return until(found, f"it logged {words!r}: {self.log_text()}", within) or {}

    @property
    def address(self) -> str:
        return str(self.wait_for_log("measuring")["listen"])

    def get(self, path: str) -> httpx.Response:
        """Ask the serving process, as soon as it serves."""
        self.wait_for_log("serving")
        with httpx.Client(trust_env=False, timeout=20) as client:
            return client.get(f"http://{self.address}{path}")

    def wait_ready(self, status: int = 200) -> str:
        return until(lambda: r.text if (r := self.get("/-/ready")).status_code == status else "", f"ready is {status}")

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        text = self.get("/metrics").text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    # what it has written down

    def ask(self, *arguments: str) -> str:
        """The output of another command on the same configuration, which must succeed."""
        done = subprocess.run(
            [*PROBER, *arguments, "--config", str(self.config)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def seconds(self, name: str, channel: str = "", endpoint: str = "") -> dict[int, dict[str, Any]]:
        """The closed seconds of a series by `prober seconds`: each once, in order, none left out."""
        options = [*(("--channel", channel) if channel else ()), *(("--endpoint", endpoint) if endpoint else ())]
        text = self.ask("seconds", name, *options, "--from", "-1h", "--format", "jsonl")
        lines = [json.loads(line) for line in text.splitlines()]
        numbers = [line["second"] for line in lines]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
        return dict(zip(numbers, lines, strict=True))

    def wait_closed(self, name: str, second: int, within: float = 100.0) -> None:
        """Wait until `second` of service `name` has closed and is on disk."""

        def found() -> bool:
            with contextlib.closing(Reader(self.store)) as reader:
                return any(reader.seconds(SeriesKey(name), second, second + 1))

        until(found, f"second {second} of {name} is closed", within)

    def reasons(self, name: str, channel: str = "", endpoint: str = "") -> set[tuple[str, str]]:
        """The verdicts and reasons that a series has at all, read without another process."""
        with contextlib.closing(Reader(self.store)) as reader:
            found = reader.seconds(SeriesKey(name, channel, endpoint), int(time.time()) - 3600, int(time.time()) + 1)
            return {(cell.verdict.value, cell.reason) for _, cell in found}

    def incidents(self) -> list[dict[str, Any]]:
        """All of them; the test machine's own stalls may have opened some that concern on-call alone."""
        return [json.loads(line) for line in self.ask("incidents", "list", "--format", "jsonl").splitlines()]

    def incident(self) -> dict[str, Any]:
        """The one that concerns the vendor."""
        (found,) = (incident for incident in self.incidents() if incident["severity"] != "internal")
        return found

    def trail(self, incident: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.ask("incidents", "show", incident, "--format", "jsonl").splitlines()]


def ask_anything(*arguments: str, wrap: Sequence[str] = (), within: float = 60) -> subprocess.CompletedProcess[str]:
    """`prober ARGUMENTS`, whatever comes of it."""
    return subprocess.run([*wrap, *PROBER, *arguments], capture_output=True, text=True, timeout=within)


def measured(seconds: dict[int, dict[str, Any]], first: int, last: int) -> list[int]:
    """The seconds from `first` to `last`, but those that the test machine itself left unmeasured. Few may be."""
    chosen = range(first, last + 1)
    found = [n for n in chosen if seconds[n]["verdict"] != "unmeasured" or seconds[n]["reason"] not in OURS]
    assert len(found) >= 0.6 * len(chosen), f"the test machine is too busy: {[seconds[n] for n in chosen]}"
    return found


def told(seconds: dict[int, dict[str, Any]], chosen: Iterable[int]) -> set[tuple[str, str]]:
    """The verdicts and reasons that the chosen seconds have."""
    return {(seconds[n]["verdict"], seconds[n]["reason"]) for n in chosen}


def verdicts(seconds: dict[int, dict[str, Any]], first: int, last: int) -> set[tuple[str, str]]:
    """The verdicts and reasons that there are from second `first` to `last`."""
    return told(seconds, measured(seconds, first, last))
