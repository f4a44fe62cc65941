"""Ports for programs that must be told theirs beforehand."""

import fcntl
import os
import secrets
import socket
import tempfile
from functools import cache
from pathlib import Path

_GIVEN: set[int] = set()


@cache
def _locks() -> int:
    """A file whose byte n is locked by the process of tests that has given port n away, until it ends: workers, other suites."""
    path = Path(tempfile.gettempdir()) / f"prober-tests-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _is_ours(port: int) -> bool:
    """Nobody else gives it away from now on, not even while what has it is killed and started again."""
    if port in _GIVEN:
        return False
    try:
        fcntl.lockf(_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _GIVEN.add(port)
    return True


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nobody has now, and that no connection is given by chance while a program restarts.

    It lies below the range from which the system takes the ports of outgoing connections.
    """
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for _ in range(1000):
        port = 10_000 + secrets.randbelow(first - 10_000)
        with socket.socket(socket.AF_INET, kind) as found:
            try:
                found.bind(("127.0.0.1", port))
            except OSError:
                continue
        if _is_ours(port):
            return port
    raise AssertionError("no port is free")
