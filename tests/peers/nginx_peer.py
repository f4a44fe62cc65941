"""A real nginx (Debian's package) on loopback, with a configuration of its own in a folder of the test.

with nginx_peer(tmp_path) as nginx:
    nginx.answer(503)
    nginx.freeze()  # SIGSTOP: the kernel still takes connections, nobody answers
    nginx.thaw()
    nginx.stop()  # refused from now on
    nginx.start()
"""

import contextlib
import os
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.conftest import find
from tests.peers.ports import free_port

_CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        {server}
    }}
}}
"""
_PLAIN = """
        listen 127.0.0.1:{port};
        location / {{ return {status} "nginx says {status}\\n"; }}
"""


class NginxPeer:
    """The server. It runs in a session of its own, so that all of its processes can be stopped at once.

    `server`: what stands in nginx's `server` block, with {folder}, {port} and {status}. `ca`: it speaks TLS, with a
    certificate of this authority for localhost.
    """

    def __init__(self, folder: Path, server: str = _PLAIN, ca: Path | None = None) -> None:
        self._folder = folder
        self._server = server
        self.ca = ca
        self._config = folder / "nginx.conf"
        self._process: subprocess.Popen[bytes] | None = None
        self._status = 200
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self._write()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/" if self.ca is None else f"https://localhost:{self.port}/"

    def start(self) -> None:
        """Returns when it answers."""
        program = find("nginx")
        assert program is not None, "nginx is not installed (Debian: nginx-light)"
        with (self._folder / "stderr.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-c", str(self._config), "-p", str(self._folder)], stderr=log, start_new_session=True
            )
        self._wait_for(200 if self._status == 200 else self._status)

    def stop(self) -> None:
        """Away at once; the port is closed when this returns."""
        assert self._process is not None
        self.thaw()
        self._process.terminate()
        self._process.wait(30)
        self._process = None

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def answer(self, status: int) -> None:
        """Answer with `status` from now on; returns when it does."""
        self._status = status
        self._write()
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)
        self._wait_for(status)

    def close(self) -> None:
        if self._process is not None:
            self.stop()

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def _write(self) -> None:
        server = self._server.format(folder=self._folder, port=self.port, status=self._status)
        self._config.write_text(_CONFIG.format(folder=self._folder, server=server))

    def _wait_for(self, status: int) -> None:
        """Several answers in a row, for an old worker may still take a connection after a reload."""
        verify = self.ca is None or ssl.create_default_context(cafile=self.ca)
        end = time.monotonic() + 30
        good = 0
        while good < 3:
            assert time.monotonic() < end, (self._folder / "stderr.log").read_text()
            with (
                contextlib.suppress(httpx.TransportError),
                httpx.Client(trust_env=False, timeout=2, verify=verify) as client,
            ):
                good = good + 1 if client.get(self.url).status_code == status else 0
            time.sleep(0.01)  # between looks at a condition


@contextlib.contextmanager
def nginx_peer(folder: Path, server: str = _PLAIN, ca: Path | None = None) -> Iterator[NginxPeer]:
    """A running nginx that answers 200."""
    nginx = NginxPeer(folder, server, ca)
    try:
        nginx.start()
        yield nginx
    finally:
        nginx.close()
