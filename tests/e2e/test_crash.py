"""Killed at any moment: every act arrives, repeats have the same key, one incident, one thread, every second one verdict."""

import os
import random
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.outside import Api, Arrival, Desk, Script, outside, side_by_side, until
from tests.e2e.program import Program, configuration, service
from tests.peers.ports import free_port

pytestmark = pytest.mark.e2e

Seconds = dict[int, dict[str, Any]]
#: Kills in all, by two programs side by side.
KILLS = 50


def one_api(desk: Desk, api: Api, **more: Any) -> dict[str, Any]:
    channels = {"api": [{"name": "account", "url": api.url}]}
    return configuration(desk, {"bird": service(desk, "bird", channels, **more)}, listen=f"127.0.0.1:{free_port()}")


def assert_nothing_lost_or_doubled(program: Program, desk: Desk) -> None:
    """Of an outage that is over: one incident, and every act of it under one key.

    Restarts that leave long gaps may make us blind meanwhile, which is on-call's own matter, under keys of its own.
    """
    assert program.incident()["severity"] == "critical", "one incident"
    came = [a for a in desk.journal if not str(a.body.get("step", "")).startswith("blind")]
    for kind in ("page", "ticket", "hotline", "note", "page_resolve"):
        some = [a for a in came if a.kind == kind]
        assert len({a.key for a in some}) == 1, f"{kind}: {desk.everything()}"
        assert len({a.text if a.place == "mail" else str(a.body) for a in some}) == 1, "repeats say the same"
    order = [a.kind for a in came]
    assert order.index("ticket") < order.index("hotline")
    ticket = desk.came("ticket")[0]
    assert {str(note.mail["In-Reply-To"]) for note in desk.came("note")} == {ticket.key}, "one thread"
    acts = [line for line in program.trail(program.incident()["id"]) if line["type"] == "act"]
    assert {act["status"] for act in acts} == {"accepted"}


def assert_kept(before: Seconds, after: Seconds) -> None:
    """What was once said of a second stays."""
    assert {n: after[n] for n in before} == before


@pytest.mark.timeout(400)
def test_killed_at_fifty_random_moments_of_an_outage(tmp_path: Path) -> None:
    def outage(seed: int) -> None:
        dice = random.Random(seed)
        script = Script("503")
        with outside() as (loop, desk):
            api = Api(loop, script=script)
            config = one_api(desk, api, persistence={"for": "8s", "recovered_after": "3s"})
            with Program(tmp_path / str(seed), config, forked=True) as program:
                said: Seconds = {}
                for number in range(KILLS // 2):
                    program.spawn()
                    if number % 5:  # every fifth is killed while it starts
                        program.wait_for_log("measuring")
                    time.sleep(dice.uniform(0, 1.6))  # not a wait for anything: the moment is the dice's
                    program.kill()
                    if number % 12 == 11:
                        now = program.seconds("bird")
                        assert_kept(said, now)
                        said = now
                program.start()
                desk.wait_for("hotline")
                script.always = "ok"
                desk.wait_for("note")
                desk.wait_for("page_resolve")
                until(lambda: program.metric("prober_outbox_pending") == 0, "all acts are done")
                program.stop()
                assert_nothing_lost_or_doubled(program, desk)
                for channel, endpoint in (("", ""), ("api", ""), ("api", "account")):
                    seconds = program.seconds("bird", channel, endpoint)  # each once, in order, none left out
                    found = {(s["verdict"], s["reason"]) for s in seconds.values()}
                    assert ("unavailable", "http_status_503") in found
                    assert ("unmeasured", "not_running") in found
                    assert ("available", "ok") in found
                    assert {v for v, _ in found} == {"available", "unavailable", "unmeasured"}
                assert_kept(said, program.seconds("bird"))

    side_by_side(lambda: outage(1), lambda: outage(2))


@pytest.mark.timeout(400)
def test_whichever_process_is_killed_around_a_delivery_no_act_is_lost_or_doubled(tmp_path: Path) -> None:
    side_by_side(
        lambda: killed_at_each_arrival_of_an_act_before_it_is_answered(tmp_path / "measure"),
        lambda: the_serving_process_killed_comes_back_and_no_act_is_lost(tmp_path / "serve"),
    )


def killed_at_each_arrival_of_an_act_before_it_is_answered(tmp_path: Path) -> None:
    """The receiver has it, and nobody knows: it comes again under the same key, and nothing is lost."""
    script = Script("503")
    killed: set[str] = set()
    with outside() as (loop, desk):
        api = Api(loop, script=script)
        with Program(tmp_path, one_api(desk, api, persistence={"for": "3s", "recovered_after": "3s"})) as program:

            def kill(arrival: Arrival) -> None:
                if arrival.kind not in killed:
                    killed.add(arrival.kind)
                    with suppress(ProcessLookupError):
                        program.signal(signal.SIGKILL)
                elif (
                    arrival.kind == "hotline"
                ):  # now it will be known that it was called; else recovery would withdraw it
                    script.always = "ok"

            desk.on_arrival = kill
            deadline = time.monotonic() + 200
            while len(killed) < 5 and time.monotonic() < deadline:
                program.spawn()  # what is pending may arrive, and kill it, before it says that it measures
                until(lambda: program.status is not None, "it is killed", 120)
                # Its serving process may still deliver what else was on its way.
                until(lambda: program.logged("the serving process ends"), "its serving process has ended")
            program.start()
            for kind in ("page", "ticket", "hotline", "note", "page_resolve"):
                desk.wait_for(kind, count=2)
            until(lambda: program.metric("prober_outbox_pending") == 0, "all acts are done")
            program.stop()
            assert killed == {"page", "ticket", "hotline", "note", "page_resolve"}
            assert_nothing_lost_or_doubled(program, desk)


def the_serving_process_killed_comes_back_and_no_act_is_lost(tmp_path: Path) -> None:
    script = Script("503")
    with outside() as (loop, desk):
        api = Api(loop, script=script)
        with Program(tmp_path, one_api(desk, api, persistence={"for": "3s", "recovered_after": "3s"})) as program:
            desk.down = {"mail", "page", "hotline"}
            program.start()
            until(lambda: program.logged("an attempt at an act failed"), "an act was tried in vain")
            killed = program.kill_serving()
            desk.down = set()
            desk.wait_for("hotline")
            script.always = "ok"
            desk.wait_for("note")
            desk.wait_for("page_resolve")
            assert {line["pid"] for line in program.log() if line["message"] == "serving"} > {killed}
            assert program.wait_ready() == "Ready.\n"
            assert program.status is None, "the measuring process has gone on"
            with pytest.raises(ProcessLookupError):
                os.kill(killed, 0)
            seconds = program.seconds("bird")
            assert "not_running" not in {s["reason"] for s in seconds.values()}, "and has missed no second"
            until(lambda: program.metric("prober_outbox_pending") == 0, "all acts are done")
            program.stop()
            assert_nothing_lost_or_doubled(program, desk)


@pytest.mark.timeout(120)
def test_killed_while_it_starts_it_leaves_nothing_behind_that_holds_its_address(tmp_path: Path) -> None:
    with outside() as (loop, desk):
        config = one_api(desk, Api(loop))
        with Program(tmp_path, config) as program:
            program.start()
            program.kill()
            port = int(config["listen"].rpartition(":")[2])

            def free() -> bool:
                with suppress(OSError), socket.create_server(("127.0.0.1", port)):
                    return True
                return False

            until(free, "the address is free")
