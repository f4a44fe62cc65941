"""What is our own fault never becomes the vendor's: a stopped process, too few descriptors, no control that answers, no
network. No second is unavailable, and no ticket is opened; on-call alone hears of what lasts.
"""

import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.outside import Api, Desk, Script, outside, until
from tests.e2e.program import Program, configuration, service, smtp_endpoint
from tests.peers.smtp_peer import smtp_peer

pytestmark = pytest.mark.e2e

Seconds = dict[int, dict[str, Any]]


def told(seconds: Seconds) -> set[tuple[str, str]]:
    return {(s["verdict"], s["reason"]) for s in seconds.values()}


def assert_nothing_against_the_vendor(program: Program, desk: Desk, *names: str) -> None:
    for name in names:
        for channel in ("", "api"):
            assert "unavailable" not in {v for v, _ in program.reasons(name, channel)}
    assert not desk.came("ticket")
    assert not desk.came("hotline")
    assert not [a for a in desk.came("page") if a.body["condition"] == "unavailable"]
    assert "Traceback" not in program.whole_log()


@pytest.mark.timeout(120)
def test_stopped_for_five_seconds_it_accuses_nobody(tmp_path: Path) -> None:
    """Calls of every kind are in flight when the process is stopped: fast ones, slow ones, some that wait for a banner."""
    with outside() as (loop, desk), smtp_peer() as mail:
        api, slow = Api(loop), Api(loop, script=Script("slow"))
        services = {
            "bird": service(desk, "bird", {"api": [{"name": "a", "url": api.url}], "smtp": [smtp_endpoint(mail.port)]}),
            "slow": service(desk, "slow", {"api": [{"name": "a", "url": slow.url}]}),
        }
        with Program(tmp_path, configuration(desk, services, [api])) as program:
            program.start()
            program.wait_closed("slow", int(time.time()) + 1)
            program.signal(signal.SIGSTOP)
            stopped = int(time.time())
            until(lambda: time.time() >= stopped + 5.2, "five seconds have passed")
            program.signal(signal.SIGCONT)
            went_on = int(time.time())
            program.wait_for_log("stood still")
            program.wait_closed("slow", went_on + 2)
            assert_nothing_against_the_vendor(program, desk, "bird", "slow")
            assert program.metric("prober_stalls_total") >= 1
            program.stop()
            for name in ("bird", "slow"):
                seconds = program.seconds(name)
                within = {(seconds[n]["verdict"], seconds[n]["reason"]) for n in range(stopped + 1, went_on - 1)}
                assert within == {("unmeasured", "stalled")}
                assert ("available", "ok") in told({n: s for n, s in seconds.items() if n > went_on})


@pytest.mark.timeout(120)
def test_with_too_few_descriptors_it_accuses_nobody(tmp_path: Path) -> None:
    """Thirty endpoints whose answers take their time, and descriptors for some of them."""
    with outside() as (loop, desk):
        api = Api(loop, script=Script("slow"))
        control = Api(loop)
        channels = {"api": [{"name": f"a{n}", "url": api.url} for n in range(30)]}
        config = configuration(desk, {"bird": service(desk, "bird", channels, timeout="3s")}, [control])
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert min(soft, hard) > 48
        with Program(tmp_path, config) as program:
            program.start("prlimit", "--nofile=48:48")
            program.wait_closed("bird", int(time.time()) + 5)
            assert program.metric("prober_calls_total", fault="own") > 0
            assert program.metric("prober_calls_total", fault="server_timeout") == 0
            assert program.metric("prober_calls_total", fault="server_error") == 0
            program.stop()
            assert_nothing_against_the_vendor(program, desk, "bird")
            reasons = {r for n in range(30) for _, r in program.reasons("bird", "api", f"a{n}")}
            assert reasons & {"own_limit", "no_descriptors"}
            assert ("available", "ok") in program.reasons("bird")


@pytest.mark.timeout(120)
def test_when_no_control_answers_a_silent_vendor_is_not_accused(tmp_path: Path) -> None:
    """All at once unreachable, the controls too: that is our network. On-call hears that we are blind, nobody else."""
    with outside() as (loop, desk):
        silent, refusing, control = Api(loop, script=Script("ok")), Api(loop), Api(loop)
        services = {
            "silent": service(desk, "silent", {"api": [{"name": "a", "url": silent.url}]}, timeout="1s"),
            "refuses": service(desk, "refuses", {"api": [{"name": "a", "url": refusing.url}]}, timeout="1s"),
        }
        with Program(tmp_path, configuration(desk, services, [control])) as program:
            program.start()
            program.wait_closed("silent", int(time.time()) + 1)
            # The control first and for longer: it corroborates what failed up to 2 s after it answered last.
            control.refuse()
            gone = time.time()
            until(lambda: time.time() > gone + 3, "the last answer of the control has lost its meaning")
            silent.script.always = "hang"
            refusing.refuse()
            for name in services:
                page = desk.wait_for("page", name)[0]
                assert page.body["condition"] == "blind"
            silent.script.always = "ok"
            refusing.listen()
            for name in services:
                desk.wait_for("page_resolve", name)
            program.stop()
            assert_nothing_against_the_vendor(program, desk, *services)
            for name in services:
                assert ("unmeasured", "controls_failed") in program.reasons(name)
            assert {incident["severity"] for incident in program.incidents()} == {"internal"}


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@contextlib.contextmanager
def namespace(name: str) -> Iterator[None]:
    """A network of its own with two links to here: 198.18.0.1 stands for the internet, 198.19.0.1 for on-call."""
    ip("netns", "add", name)
    try:
        for number, link in ((18, "net"), (19, "own")):
            here, there = f"{name}{link}0", f"{name}{link}1"
            ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
            ip("addr", "add", f"198.{number}.0.1/30", "dev", here)
            ip("link", "set", here, "up")
            ip("-n", name, "addr", "add", f"198.{number}.0.2/30", "dev", there)
            ip("-n", name, "link", "set", there, "up")
        ip("-n", name, "link", "set", "lo", "up")
        yield
    finally:
        for link in ("net", "own"):
            subprocess.run(["ip", "link", "del", f"{name}{link}0"], check=False, capture_output=True)
        ip("netns", "del", name)


@pytest.mark.timeout(150)
@pytest.mark.peer("netns")
@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
@pytest.mark.parametrize("how", ["our link is down", "the line is dead"])
def test_without_network_it_accuses_nobody(tmp_path: Path, how: str) -> None:
    """The link down on our side (no route), and packets that vanish: no second and no ticket, on-call alone.

    The time-out is longer than the 2 s for which a control's success still speaks: at the deadline it speaks no more.
    """
    name = f"pr{os.getpid() % 10_000}"
    with namespace(name), outside("198.19.0.1") as (loop, desk):
        api, control = Api(loop, "198.18.0.1"), Api(loop, "198.18.0.1")
        services = {"bird": service(desk, "bird", {"api": [{"name": "a", "url": api.url}]}, timeout="3s")}
        with Program(tmp_path, configuration(desk, services, [control])) as program:
            program.start("ip", "netns", "exec", name)
            program.wait_closed("bird", int(time.time()) + 2)
            if how == "our link is down":
                ip("-n", name, "link", "set", f"{name}net1", "down")
            else:  # the far end drops everything: no refusal, no error, silence
                ip("-n", name, "neigh", "replace", "198.18.0.1", "lladdr", "02:00:00:00:00:01", "dev", f"{name}net1")
            lost = int(time.time())
            page = desk.wait_for("page")[0]
            assert page.body["condition"] == "blind"
            if how == "our link is down":
                ip("-n", name, "link", "set", f"{name}net1", "up")
            else:
                ip("-n", name, "neigh", "del", "198.18.0.1", "dev", f"{name}net1")
            desk.wait_for("page_resolve")
            program.stop()
            assert_nothing_against_the_vendor(program, desk, "bird")
            seconds = program.seconds("bird")
            during = told({n: seconds[n] for n in range(lost + 2, lost + 4)})
            assert during <= {("unmeasured", "no_route"), ("unmeasured", "controls_failed")}
            assert {incident["severity"] for incident in program.incidents()} == {"internal"}
