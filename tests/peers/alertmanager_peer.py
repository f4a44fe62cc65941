"""A real Alertmanager (Debian's prometheus-alertmanager) on loopback, which tells a webhook of the test's what it does.

with alertmanager_peer(tmp_path, "http://127.0.0.1:1/hook") as alertmanager:
    ... send to alertmanager.url ...
    alertmanager.alerts()  # by its API
"""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import find
from tests.peers.ports import free_port

_CONFIG = """
route: {{receiver: on-call, group_by: [incident], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: on-call
    webhook_configs: [{{url: "{hook}", send_resolved: true}}]
"""


class Alertmanager:
    """The server; it forms no cluster."""

    def __init__(self, folder: Path, hook: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "alertmanager.yml"
        config.write_text(_CONFIG.format(hook=hook))
        self._log = folder / "log"
        program = find("prometheus-alertmanager")
        assert program is not None, "Alertmanager is not installed (Debian: prometheus-alertmanager)"
        self._command = [program, f"--config.file={config}", f"--storage.path={folder / 'data'}"]
        self._command += [f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="]
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/-/ready", trust_env=False).status_code == 200:
                    return
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.05)

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that fire."""
        found: list[dict[str, Any]] = httpx.get(f"{self.url}/api/v2/alerts", trust_env=False).json()
        return found

    def silence(self, **matchers: str) -> None:
        matching = [{"name": n, "value": v, "isRegex": False, "isEqual": True} for n, v in matchers.items()]
        times = {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
        silence = {"matchers": matching, **times, "createdBy": "test", "comment": "test"}
        httpx.post(f"{self.url}/api/v2/silences", json=silence, trust_env=False).raise_for_status()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


@contextlib.contextmanager
def alertmanager_peer(folder: Path, hook: str) -> Iterator[Alertmanager]:
    peer = Alertmanager(folder, hook)
    try:
        yield peer
    finally:
        peer.stop()
