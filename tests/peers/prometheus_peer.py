"""A real Prometheus (Debian's package) on loopback, which scrapes what it is told to every second.

with prometheus_peer(tmp_path, "127.0.0.1:9580", rules=[path], alertmanager="127.0.0.1:9093") as prometheus:
    prometheus.ask("up")
"""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.conftest import find


class Prometheus:
    """The server, with its data in `folder`."""

    def __init__(
        self, folder: Path, target: str, rules: Sequence[Path], alertmanager: str, labels: dict[str, str]
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "prometheus.yml"
        alerting = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]} if alertmanager else {}
        said = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "external_labels": labels},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [{"job_name": "prober", "static_configs": [{"targets": [target]}]}],
            "alerting": alerting,
        }
        config.write_text(yaml.safe_dump(said))
        self._log = folder / "log"
        program = find("prometheus")
        assert program is not None, "Prometheus is not installed (Debian: prometheus)"
        self._command = [program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
        self._command += [f"--web.listen-address=127.0.0.1:{self.port}", "--enable-feature=exemplar-storage"]
        self._command += ["--rules.alert.resend-delay=1s"]  # what fired before Alertmanager was known comes again soon
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}/api/v1", trust_env=False, timeout=30)
        self._start()

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 40
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{self.port}/-/ready", trust_env=False).status_code == 200:
                    return
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.05)  # between looks at a condition

    def _get(self, path: str, **query: str) -> Any:
        answer = self._client.get(path, params=query).json()
        assert answer["status"] == "success", f"{query}: {answer}"
        return answer["data"]

    def ask(self, expr: str) -> list[dict[str, Any]]:
        """The newest samples of a query: `metric` (labels) and `value` (instant, text)."""
        found: list[dict[str, Any]] = self._get("/query", query=expr)["result"]
        return found

    def over(self, expr: str, start: float, end: float, step: float = 1.0) -> list[dict[str, Any]]:
        """The samples of a query over a span of UTC seconds: `metric` and `values`."""
        found: list[dict[str, Any]] = self._get(
            "/query_range", query=expr, start=str(start), end=str(end), step=str(step)
        )["result"]
        return found

    def exemplars(self, expr: str, start: float, end: float) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get("/query_exemplars", query=expr, start=str(start), end=str(end))
        return found

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that are pending or fire."""
        found: list[dict[str, Any]] = self._get("/alerts")["alerts"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        return [rule for group in self._get("/rules")["groups"] for rule in group["rules"]]

    def targets(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get("/targets")["activeTargets"]
        return found

    def stop(self) -> None:
        self._client.close()
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)


@contextlib.contextmanager
def prometheus_peer(
    folder: Path,
    target: str,
    rules: Sequence[Path] = (),
    alertmanager: str = "",
    labels: dict[str, str] | None = None,
) -> Iterator[Prometheus]:
    peer = Prometheus(folder, target, rules, alertmanager, labels or {})
    try:
        yield peer
    finally:
        peer.stop()
