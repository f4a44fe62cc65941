"""The demo's opening and closing words: where everything is, what came when, and how to look at it."""

import asyncio
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from prober.demo.folder import SERVICE
from prober.demo.modes import MEANINGS
from prober.demo.receivers import Arrival
from prober.demo.screen import Style, clock
from prober.demo.stage import MissingError, Stage
from prober.instants import show
from prober.settings import Persistence, Service
from rules.acts import ActKind
from rules.incident_events import RecordKind
from rules.model import Verdict


@dataclass(frozen=True, slots=True)
class Outage:
    """When the platform was told to fail, and to heal; UTC seconds."""

    failed: float
    healed: float

    @property
    def seconds(self) -> int:
        """Whole seconds whose calls all met the failing platform: it changes after a second's last call."""
        return int(self.healed) - int(self.failed)


def opening(stage: Stage) -> None:
    """Say what runs, where its files and pages are, and what is shorter than by default."""
    screen, pace = stage.screen, stage.pace
    usual = Persistence()
    timeout = Service.model_fields["timeout"].default
    screen.line("prober demo: a mail platform that fails, and prober against it", Style.BOLD)
    screen.pair("configuration", str(stage.folder.config))
    screen.pair("beside it", "prober.db (store), prober.log, arrived/ (mails and webhooks)")
    screen.pair("status page", f"http://127.0.0.1:{stage.port}/")
    screen.pair("metrics", f"http://127.0.0.1:{stage.port}/metrics")
    screen.pair("shortened", f"persistent after {pace.window} s (by default {usual.for_ // 1000} s),")
    screen.pair("", f"recovered after {pace.recovered_after} s (by default {usual.recovered_after // 1000} s),")
    screen.pair("", f"calls time out after {pace.timeout} s (by default {timeout // 1000} s): a second")
    screen.pair("", "whose calls hang closes that much later")
    screen.pair("ending it", "Control-C")
    screen.line()


async def closing(stage: Stage, outage: Outage) -> None:
    """Raises MissingError when `prober seconds` does not answer."""
    screen, seen = stage.screen, stage.seen
    opened, recovered = seen.record(RecordKind.OPENED), seen.record(RecordKind.RECOVERED)
    assert opened is not None  # the story waited for them
    assert recovered is not None
    decisive = int(opened.detail["second"])
    unavailable = await _unavailable(stage, int(outage.failed))
    screen.line()
    screen.line("Summary (UTC)", Style.BOLD)
    screen.pair("the platform", f"failed from {clock(outage.failed + 1)} on, {outage.seconds} seconds long")
    screen.pair("prober seconds", f"{unavailable} unavailable")
    screen.pair("onset", clock(opened.detail["onset"]))
    screen.pair("persistent", f"{clock(decisive)} is the decisive second; its hung calls end")
    screen.pair("", f"{stage.pace.timeout} s after their begin; then came:")
    _came(stage, "  page", seen.call(ActKind.PAGE), decisive)
    _came(stage, "  ticket", seen.mail(reply=False), decisive)
    _came(stage, "  hotline", seen.call(ActKind.HOTLINE), decisive)
    screen.pair(
        "recovered", f"{clock(recovered.at)}; the last unavailable second: {clock(recovered.detail['last_bad'])}"
    )
    screen.pair("configuration", str(stage.folder.config))
    screen.pair("store", str(stage.folder.store))
    screen.pair("log", str(stage.folder.log))
    screen.pair("status page", f"http://127.0.0.1:{stage.port}/ and /metrics, while it runs")
    screen.line("Look at it again:", Style.BOLD)
    for command in (f"seconds {SERVICE}", f"seconds {SERVICE} --channel api", f"incidents show {opened.incident}"):
        screen.command(f"{_program()} {command}", f"--config {stage.folder.config}")


def _came(stage: Stage, name: str, arrival: Arrival | None, decisive: int) -> None:
    if arrival is not None:
        stage.screen.pair(name, f"{clock(arrival.at)}, {arrival.at - decisive - 1:.2f} s after its end")


def commands(stage: Stage) -> None:
    """How a visitor makes the platform fail."""
    screen, control = stage.screen, f"http://{stage.vendor.control.address}"
    screen.line()
    screen.line("It stays up. Make the platform fail, and watch; Control-C ends it.", Style.BOLD)
    for command in (
        f"curl -d mode=503 {control}/fail",
        f"curl -d 'mode=hang&channel=smtp' {control}/fail",
        f"curl -X POST {control}/heal",
        f"curl {control}/",
        f"curl -s http://127.0.0.1:{stage.port}/metrics | grep ^prober_",
    ):
        screen.line(f"  {command}")
    screen.line("Modes:", Style.BOLD)
    for mode, meaning in MEANINGS.items():
        screen.pair(mode.value, meaning.text)
    screen.line("From now on a line is shown when something changes.", Style.DIM)


async def _unavailable(stage: Stage, since: int) -> int:
    """How many seconds were unavailable since then, as `prober seconds` says. Raises MissingError when it fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "prober",
        *("seconds", SERVICE, "--from", show(since), "--format", "jsonl", "--config", str(stage.folder.config)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise MissingError(f"prober seconds failed:\n{err.decode(errors='replace').strip()}")
    return sum(json.loads(line)["verdict"] == Verdict.UNAVAILABLE for line in out.splitlines())


def _program() -> str:
    """How this program can be called from here."""
    called = Path(sys.argv[0])
    if called.name != "prober":
        return "python -m prober"
    found = shutil.which("prober")
    return "prober" if found and Path(found).resolve() == called.resolve() else str(called)
