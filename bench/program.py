"""The program itself as it is measured: a real `prober run` on a generated configuration, watched from outside."""

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from bench.meters import Cost, end, system_share
from bench.servers import free_port

ROOT = Path(__file__).resolve().parent.parent
#: No call is under way there: places end at 0.90 of the second, and these calls take milliseconds.
QUIET = 0.96
_TIMEOUT = 60.0  # seconds in which the program must be up


def endpoints(count: int, port: int, *, tls: bool = False, ca: Path | None = None, **more: Any) -> list[dict[str, Any]]:
    """`count` API endpoints on one server of loopback; `more` are keys of each."""
    scheme, host = ("https", "localhost") if tls else ("http", "127.0.0.1")
    given = {"resolve": ["127.0.0.1"], "ca": str(ca)} if tls else {}
    return [{"name": f"e{n}", "url": f"{scheme}://{host}:{port}/", **given, **more} for n in range(count)]


def injections(count: int, port: int, **more: Any) -> list[dict[str, Any]]:
    """`count` SMTP endpoints on one server of loopback."""
    mail = {"from": "probe@example.com", "to": "sink@example.com"}
    return [
        {"name": f"s{n}", "host": "127.0.0.1", "port": port, "tls": "none", "mail": mail, **more} for n in range(count)
    ]


def configuration(channels: dict[str, list[dict[str, Any]]], **more: Any) -> dict[str, Any]:
    """A configuration of one service `vendor` that only watches; `more` are keys of the whole."""
    return {
        "listen": f"127.0.0.1:{free_port()}",
        "services": {"vendor": service(channels)},
        "on_call": [{"webhook": {"url": "http://127.0.0.1:9/page"}}],
        **more,
    }


def service(channels: dict[str, list[dict[str, Any]]], **more: Any) -> dict[str, Any]:
    """A service that only watches, unless `more` says otherwise."""
    return {"contract": "bird-email-enterprise", "mode": "observe", "channels": channels, **more}


class Program:
    """A running one. `pid` is the measuring process."""

    def __init__(self, process: "subprocess.Popen[bytes]", listen: str, store: Path, log: Path) -> None:
        self.process = process
        self.pid = process.pid
        self.store = store
        self.log = log
        self._client = httpx.Client(base_url=f"http://{listen}", trust_env=False, timeout=30)

    def metrics(self) -> str:
        """What /metrics says."""
        return self._client.get("/metrics").raise_for_status().text

    def figure(self, pattern: str, text: str | None = None) -> float:
        """The sum of the samples whose name and labels match `pattern` (a regular expression)."""
        found = re.findall(rf"^{pattern} (\S+)$", self.metrics() if text is None else text, re.MULTILINE)
        return sum(float(value) for value in found)

    def wait_until(self, pattern: str, least: float, within: float = _TIMEOUT) -> None:
        """Until a figure is reached. Raises RuntimeError with the program's log when it is not."""
        until = time.monotonic() + within
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if self.figure(pattern) >= least:
                    return
            time.sleep(0.2)
        raise RuntimeError(f"the program does not reach {pattern} >= {least}:\n{self.log.read_text()[-3000:]}")

    def close(self) -> None:
        """Stop it in order."""
        self._client.close()
        end(self.process, 30)


@contextlib.contextmanager
def running(
    folder: Path, given: dict[str, Any], *, stats: Path | None = None, store: Path | None = None
) -> Iterator[Program]:
    """The program on configuration `given`, with `store` or one of its own in `folder`.

    With `stats` it runs under bench.lags, which keeps every call's start lag and writes them there at the end.
    """
    name = f"{time.monotonic_ns()}"
    config, log, own = (folder / f"{name}.{kind}" for kind in ("yaml", "log", "db"))
    store = store or own
    config.write_text(json.dumps({**given, "store": f"sqlite:///{store}"}))
    command = [sys.executable, "-m", "prober", "run", str(config)]
    if stats is not None:
        command = [sys.executable, "-m", "bench.lags", "program", str(config), str(stats)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stderr=out, stdout=out)
    program = Program(process, given["listen"], store, log)
    try:
        yield program
    finally:
        program.close()


def until_quiet() -> None:
    """Sleep to the quiet end of the running second."""
    now = time.time()
    time.sleep((QUIET - now) % 1.0)


def cost(program: Program, rate: int, seconds: int) -> Cost:
    """CPU of the measuring process for a call, over about `seconds` seconds of `rate` calls each.

    Calls and CPU come out of the same scrape, so that it does not matter when a busy machine lets it happen. Raises
    RuntimeError when calls failed, or fewer than half of them could be made.
    """
    program.wait_until("prober_seconds_total{.*available.*}", 4)  # the start and the first connections are over
    until_quiet()
    ticks, first = system_share(program.pid), program.metrics()
    time.sleep(seconds)
    until_quiet()
    (user, system), last = system_share(program.pid, ticks), program.metrics()

    def grown(pattern: str) -> float:
        return program.figure(pattern, last) - program.figure(pattern, first)

    made, failed = grown('prober_calls_total{.*fault="none".*}'), grown('prober_calls_total{.*fault="[^n].*}')
    if failed or made < rate * seconds / 2:
        log = program.log.read_text()[-3000:]
        raise RuntimeError(
            f"{made:.0f} calls succeeded and {failed:.0f} failed where {rate * seconds} were due:\n{log}"
        )
    total = grown('prober_process_cpu_seconds_total{process="measure"}') / made * 1e6
    return Cost(total, total * system / max(1, user + system))
