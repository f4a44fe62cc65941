"""systemd hears how the service fares, over a real datagram socket."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prober.sdnotify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        yield listening


def notifier_for(manager: socket.socket) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": manager.getsockname()})


def test_ready_comes_with_a_status_in_one_line(manager: socket.socket) -> None:
    notifier = notifier_for(manager)
    notifier.ready("probing 2 endpoints\nof 1 service")
    assert manager.recv(4096) == b"READY=1\nSTATUS=probing 2 endpoints of 1 service"
    notifier.ready()
    assert manager.recv(4096) == b"READY=1"
    notifier.close()


def test_each_state_is_said_as_systemd_reads_it(manager: socket.socket) -> None:
    notifier = notifier_for(manager)
    notifier.status("fine")
    notifier.watchdog()
    notifier.stopping()
    assert [manager.recv(4096) for _ in range(3)] == [b"STATUS=fine", b"WATCHDOG=1", b"STOPPING=1"]
    notifier.close()


def test_a_status_of_nothing_is_not_sent(manager: socket.socket) -> None:
    notifier = notifier_for(manager)
    notifier.status("")
    notifier.watchdog()
    assert manager.recv(4096) == b"WATCHDOG=1"
    notifier.close()


def test_a_reload_names_its_instant_on_the_monotonic_clock(manager: socket.socket) -> None:
    notifier = notifier_for(manager)
    before = time.monotonic_ns() // 1000
    notifier.reloading()
    state, instant = manager.recv(4096).decode().split("\n")
    assert state == "RELOADING=1"
    assert before <= int(instant.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    notifier.close()


def test_the_abstract_namespace_is_reached(tmp_path: Path) -> None:
    name = f"prober-test-{os.getpid()}-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name)
        listening.settimeout(5)
        notifier = Notifier({"NOTIFY_SOCKET": "@" + name})
        notifier.watchdog()
        assert listening.recv(4096) == b"WATCHDOG=1"
        notifier.close()


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}])
def test_without_a_manager_nothing_happens(environ: dict[str, str]) -> None:
    notifier = Notifier(environ)
    notifier.ready("up")
    notifier.close()
    notifier.watchdog()


def test_a_manager_that_has_gone_does_not_matter(tmp_path: Path) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    notifier.ready()
    notifier.close()


def test_a_manager_that_does_not_read_does_not_hold_us_up(manager: socket.socket) -> None:
    notifier = notifier_for(manager)
    for _ in range(2000):
        notifier.watchdog()
    assert manager.recv(4096) == b"WATCHDOG=1"
    notifier.close()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_s_interval_is_the_manager_s(environ: dict[str, str], seconds: float | None) -> None:
    assert Notifier(environ).watchdog_interval() == seconds


def test_the_process_s_own_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert Notifier().watchdog_interval() == 2.0
