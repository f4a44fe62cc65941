"""Servers and peers in processes of their own: nginx, smtp-sink, blackbox_exporter where installed, else ours."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

from bench.meters import end

#: How long a server may take to listen, seconds.
_UP = 15.0
_BACKLOG = 4096

_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit; worker_rlimit_nofile 20000;
events {{ worker_connections 19000; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; default_type application/json;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{
        listen 127.0.0.1:{plain} backlog=4096;
        listen 127.0.0.1:{tls} ssl backlog=4096;
        ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key; ssl_session_tickets off;
        location / {{ return 200 '{{"results": {{"company_name": "Example", "status": "active", "plan": "free"}}}}'; }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Web:
    """A web server: its ports, the CA that signed its (EC) certificate, and what it is."""

    plain: int
    tls: int | None
    ca: Path
    program: str


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Until `process` listens on `port`. Raises RuntimeError when it does not."""
    until = time.monotonic() + _UP
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} does not listen on port {port}")


def certificates(folder: Path) -> Path:
    """An EC certificate for localhost in `folder`; the file of its CA."""
    ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
    leaf = ca.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
    leaf.private_key_pem.write_to_path(folder / "server.key")
    for number, pem in enumerate(leaf.cert_chain_pems):
        pem.write_to_path(folder / "server.pem", append=number > 0)
    ca.cert_pem.write_to_path(folder / "ca.pem")
    return folder / "ca.pem"


@contextlib.contextmanager
def web(folder: Path) -> Iterator[Web]:
    """nginx, or a server of ours (without TLS)."""
    ca = certificates(folder)
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        with ours("http") as port:
            yield Web(port, None, ca, "a loop of ours")
        return
    plain, tls = free_port(), free_port()
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, plain=plain, tls=tls))
    process = subprocess.Popen([program, "-p", str(folder), "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"])
    try:
        wait_for(plain, process)
        yield Web(plain, tls, ca, "nginx")
    finally:
        end(process)


@contextlib.contextmanager
def ours(kind: str) -> Iterator[int]:
    """The port of a server of bench.loopback."""
    with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as listener:
        port: int = listener.getsockname()[1]
        fd = listener.fileno()
        process = subprocess.Popen([sys.executable, "-m", "bench.loopback", kind, str(fd)], pass_fds=(fd,))
    try:
        yield port
    finally:
        end(process)


@contextlib.contextmanager
def mail() -> Iterator[tuple[int, str]]:
    """A server that takes mail: its port, and what it is."""
    program = shutil.which("smtp-sink", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        with ours("smtp") as port:
            yield port, "a loop of ours"
        return
    port = free_port()
    process = subprocess.Popen([program, "-u", "nobody", f"127.0.0.1:{port}", str(_BACKLOG)])
    try:
        wait_for(port, process)
        yield port, "smtp-sink"
    finally:
        end(process)


@contextlib.contextmanager
def blackbox(folder: Path, ca: Path) -> Iterator[tuple[int, int] | None]:
    """(pid, port) of a blackbox_exporter with the module `http`; None where it is not installed."""
    program = shutil.which("prometheus-blackbox-exporter") or shutil.which("blackbox_exporter")
    if program is None:
        yield None
        return
    config = folder / "blackbox.yml"
    config.write_text(
        "modules:\n  http:\n    prober: http\n    timeout: 10s\n    http:\n      preferred_ip_protocol: ip4\n"
        f"      tls_config: {{ca_file: {ca}}}\n"
    )
    port = free_port()
    process = subprocess.Popen(
        [program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port, process)
        yield process.pid, port
    finally:
        end(process)
