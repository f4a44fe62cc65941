"""What a call costs: CPU of the client's process, the program's whole path beside the peers' calls.

The program makes its calls on its grid, so many a second, and the CPU of its whole measuring process is divided by them: pace,
wire, judging, figures, seconds and their way to the store are all in it. The peers make theirs one after another, which spares
them every wake-up; the bare protocol is also measured at the program's rate ("bare, paced").
"""

import http.client
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench import program, servers
from bench.meters import Cost, Take, cpu_ns, rounds
from bench.program import ROOT
from bench.settings import Settings
from bench.table import Row

MICRO = 1e6
#: What DESIGN.md's machine took for the same peers, µs: the absolute bars were set there, and say by these how fast this one is.
_THERE = {"fresh": ("bare", 87.0), "kept": ("bare", 15.0), "smtp": ("aiosmtplib", 742.0)}


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a row is measured: a folder and the servers in it."""

    folder: Path
    web: servers.Web
    settings: Settings


@contextmanager
def ground(settings: Settings) -> Iterator[Ground]:
    """A folder that nginx's worker may read, and a web server."""
    with tempfile.TemporaryDirectory(prefix="prober-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with servers.web(folder) as web:
            yield Ground(folder, web, settings)


def caller(name: str, calls: int, port: int, ca: Path | None = None, rate: int = 0) -> float:
    """CPU of a call of one of bench.callers, µs."""
    command = [sys.executable, "-m", "bench.callers", name, str(calls), str(rate), "127.0.0.1", str(port)]
    command += [str(ca)] if ca else []
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    found = json.loads(done.stdout)
    return float((found["user"] + found["system"]) / found["calls"] * MICRO)


def blackbox(pid: int, port: int, url: str, calls: int) -> float:
    """CPU of the exporter for a probe of `url`, µs. Raises RuntimeError when a probe fails."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    before = 0
    for number in range(-20, calls):
        if not number:
            before = cpu_ns(pid)
        client.request("GET", f"/probe?module=http&target={url}")
        if b"\nprobe_success 1\n" not in client.getresponse().read():
            raise RuntimeError(f"blackbox_exporter cannot call {url}")
    spent = cpu_ns(pid) - before
    client.close()
    return spent / calls / 1000


def smtp_source(program_path: str, port: int, calls: int) -> float:
    """CPU of postfix's smtp-source for a message on a connection of its own, µs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [program_path, "-m", str(calls), "-s", "1", "-l", "600", f"127.0.0.1:{port}"]
    subprocess.run(command, check=True, timeout=300)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / calls * MICRO


class Ours:
    """The program's own figure, and the kernel's part of it in the newest rounds."""

    def __init__(self, ground: Ground, channels: dict[str, list[dict[str, Any]]], rate: int) -> None:
        self._ground = ground
        self._channels = channels
        self._rate = rate
        self.costs: list[Cost] = []

    def __call__(self) -> float:
        with program.running(self._ground.folder, program.configuration(self._channels)) as running:
            self.costs.append(program.cost(running, self._rate, self._ground.settings.seconds))
        return self.costs[-1].total

    @property
    def note(self) -> str:
        """What of it was the kernel's."""
        kernel = sum(cost.system for cost in self.costs) / len(self.costs)
        return f"of it kernel {kernel:.0f} µs; {self._rate} calls a second"


def pace_of_machine(row: str, found: dict[str, float], figure: float) -> str:
    """How much slower this machine is than that on which the bar was set, and what our figure would be there."""
    peer, there = _THERE[row]
    factor = found[peer] / there
    return f"; {peer} takes {factor:.1f} times as long as where the bar was set: {figure / factor:.0f} µs there"


def fresh(settings: Settings) -> Iterator[Row]:
    """HTTP, a plain connection a call."""
    with ground(settings) as here, servers.blackbox(here.folder, here.web.ca) as exporter:
        port, calls = here.web.plain, settings.calls
        ours = Ours(here, {"api": program.endpoints(settings.rate, port)}, settings.rate)
        takes: dict[str, Take] = {
            "ours": ours,
            "bare": partial(caller, "bare_fresh", calls, port),
            "bare, paced": partial(caller, "bare_fresh", calls, port, rate=settings.rate),
            "httpx": partial(caller, "httpx_fresh", calls // 4, port),
        }
        if exporter is not None:
            takes["blackbox"] = partial(blackbox, *exporter, f"http://127.0.0.1:{port}/", calls // 4)
        found = rounds(takes, settings.rounds, settings.say)
        figure = found.pop("ours")
        quarter = "blackbox" not in found or figure <= found["blackbox"] / 4
        note = f"{ours.note}; {here.web.program}{pace_of_machine('fresh', found, figure)}"
        if exporter is None:
            note += "; blackbox_exporter is not installed"
        yield Row("HTTP call, fresh", "µs", figure, found, "120, 1/4 of blackbox", figure <= 120 and quarter, note)


def kept(settings: Settings) -> Iterator[Row]:
    """HTTP, kept connections."""
    with ground(settings) as here:
        port, calls = here.web.plain, settings.calls
        channels = {"api": program.endpoints(settings.rate, port, connection="reuse")}
        ours = Ours(here, channels, settings.rate)
        takes: dict[str, Take] = {
            "ours": ours,
            "bare": partial(caller, "bare_kept", calls, port),
            "bare, paced": partial(caller, "bare_kept", calls, port, rate=settings.rate),
            "httpx": partial(caller, "httpx_kept", calls // 4, port),
        }
        found = rounds(takes, settings.rounds, settings.say)
        figure = found.pop("ours")
        note = f"{ours.note}; {here.web.program}{pace_of_machine('kept', found, figure)}"
        yield Row("HTTP call, kept", "µs", figure, found, "40", figure <= 40, note)


def tls(settings: Settings) -> Iterator[Row]:
    """HTTPS, an EC certificate, a handshake a call."""
    with ground(settings) as here, servers.blackbox(here.folder, here.web.ca) as exporter:
        port, ca, calls, rate = here.web.tls, here.web.ca, settings.calls // 4, settings.rate // 8
        if port is None:
            settings.say("  nginx is not installed: no TLS server")
            return
        ours = Ours(here, {"api": program.endpoints(rate, port, tls=True, ca=ca)}, rate)
        takes: dict[str, Take] = {
            "ours": ours,
            "bare": partial(caller, "bare_fresh", calls, port, ca),
            "bare, paced": partial(caller, "bare_fresh", calls, port, ca, rate=rate),
            "httpx": partial(caller, "httpx_fresh", calls, port, ca),
        }
        if exporter is not None:
            takes["blackbox"] = partial(blackbox, *exporter, f"https://localhost:{port}/", calls)
        found = rounds(takes, settings.rounds, settings.say)
        figure = found.pop("ours")
        met = figure <= 1.15 * found["bare, paced"] and ("blackbox" not in found or figure <= 0.9 * found["blackbox"])
        note = f"{ours.note}; against the bare one at the same rate"
        yield Row("HTTPS call, fresh", "µs", figure, found, "0.9 of blackbox, 1.15 of bare", met, note)


def injection(settings: Settings) -> Iterator[Row]:
    """SMTP, a connection and a message a call."""
    with ground(settings) as here, servers.mail() as (port, name):
        calls, rate = settings.calls // 2, settings.rate * 5 // 8
        ours = Ours(here, {"smtp": program.injections(rate, port)}, rate)
        takes: dict[str, Take] = {"ours": ours, "aiosmtplib": partial(caller, "aiosmtplib_fresh", calls // 2, port)}
        source = shutil.which("smtp-source", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if source is not None:
            takes["smtp-source"] = partial(smtp_source, source, port, calls)
        found = rounds(takes, settings.rounds, settings.say)
        figure = found.pop("ours")
        met = figure <= 200 and figure <= found["aiosmtplib"] / 3
        note = f"{ours.note}; {name}{pace_of_machine('smtp', found, figure)}"
        yield Row("SMTP injection, fresh", "µs", figure, found, "200, 1/3 of aiosmtplib", met, note)
