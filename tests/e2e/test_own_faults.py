"""What is our own fault never becomes the vendor's: a stopped process, too few descriptors, no control that answers, no
network. No second is unavailable, and no ticket is opened; on-call alone hears of what lasts.
"""

import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.outside import Api, Desk, Script, outside, side_by_side, until
from tests.e2e.program import OURS, Program, configuration, service, smtp_endpoint
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


@pytest.mark.timeout(240)
def test_our_own_faults_accuse_nobody(tmp_path: Path) -> None:
    side_by_side(
        lambda: stopped_for_five_seconds_it_accuses_nobody(tmp_path / "stopped"),
        lambda: with_too_few_descriptors_it_accuses_nobody(tmp_path / "descriptors"),
        lambda: when_no_control_answers_a_silent_vendor_is_not_accused(tmp_path / "controls"),
    )


def stopped_for_five_seconds_it_accuses_nobody(tmp_path: Path) -> None:
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


def with_too_few_descriptors_it_accuses_nobody(tmp_path: Path) -> None:
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


def when_no_control_answers_a_silent_vendor_is_not_accused(tmp_path: Path) -> None:
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


@dataclass(frozen=True)
class Net:
    """A network namespace with two links to here: one to the internet, one to on-call. Addresses of RFC 2544."""

    name: str
    number: int

    @property
    def internet(self) -> str:
        return f"198.18.{self.number}.1"

    @property
    def on_call(self) -> str:
        return f"198.19.{self.number}.1"

    @property
    def link(self) -> str:
        """The inner end of the link to the internet."""
        return f"{self.name}net1"

    def ip(self, *arguments: str) -> None:
        """`ip` within."""
        ip("-n", self.name, *arguments)


@contextlib.contextmanager
def network(number: int) -> Iterator[Net]:
    net = Net(f"pr{os.getpid() % 10_000}x{number}", number)
    ip("netns", "add", net.name)
    try:
        for link, here in (("net", net.internet), ("own", net.on_call)):
            outer, inner = f"{net.name}{link}0", f"{net.name}{link}1"
            ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", net.name)
            ip("addr", "add", f"{here}/30", "dev", outer)
            ip("link", "set", outer, "up")
            net.ip("addr", "add", f"{here[:-1]}2/30", "dev", inner)
            net.ip("link", "set", inner, "up")
        net.ip("link", "set", "lo", "up")
        yield net
    finally:
        for link in ("net", "own"):
            subprocess.run(["ip", "link", "del", f"{net.name}{link}0"], check=False, capture_output=True)
        ip("netns", "del", net.name)


@pytest.mark.timeout(240)
@pytest.mark.peer("netns")
@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
def test_without_network_it_accuses_nobody(tmp_path: Path) -> None:
    """The link down on our side (no route), and packets that vanish: no second and no ticket, on-call alone.

    The time-out is longer than the 2 s for which a control's success still speaks: at the deadline it speaks no more.
    """
    with network(1) as down, network(2) as dead:
        # Where packets vanish there is no refusal and no error, only silence: nobody has this hardware address.
        nobody = ("neigh", "replace", dead.internet, "lladdr", "02:00:00:00:00:01", "dev", dead.link)
        side_by_side(
            lambda: cut_off(
                tmp_path / "down", down, ("link", "set", down.link, "down"), ("link", "set", down.link, "up")
            ),
            lambda: cut_off(tmp_path / "dead", dead, nobody, ("neigh", "del", dead.internet, "dev", dead.link)),
        )


def cut_off(folder: Path, net: Net, cut: Sequence[str], mend: Sequence[str]) -> None:
    with outside(net.on_call) as (loop, desk):
        api, control = Api(loop, net.internet), Api(loop, net.internet)
        services = {"bird": service(desk, "bird", {"api": [{"name": "a", "url": api.url}]}, timeout="3s")}
        with Program(folder, configuration(desk, services, [control])) as program:
            program.start("ip", "netns", "exec", net.name)
            program.wait_closed("bird", int(time.time()) + 2)
            net.ip(*cut)
            lost = int(time.time())
            page = desk.wait_for("page")[0]
            assert page.body["condition"] == "blind"
            net.ip(*mend)
            desk.wait_for("page_resolve")
            program.stop()
            assert_nothing_against_the_vendor(program, desk, "bird")
            seconds = program.seconds("bird")
            during = [seconds[n] for n in range(lost + 2, lost + 4) if seconds[n]["reason"] not in OURS]
            assert {cell["verdict"] for cell in during} <= {"unmeasured"}
            assert {cell["reason"] for cell in during} <= {"no_route", "controls_failed"}
            assert {incident["severity"] for incident in program.incidents()} == {"internal"}
