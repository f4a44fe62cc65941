"""The serving process as a whole: a real process, a real link, a real socket."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
from loopback_http import LoopbackHTTP
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from serving import KEYS, RAW, Measure, Served, called, second, served, totals

from prober.board import Board
from prober.link import Message
from prober.serving import act_of
from rules.acts import Act, ActKind
from rules.model import HTTP_PHASES

ACT: dict[str, Any] = {
    "incident": "bird-20261122T120000Z",
    "episode": 1,
    "kind": "page",
    "step": "open",
    "receivers": ["on_call.webhook-1"],
    "created": 1_795_341_600,
    "after": "",
    "facts": {"service": "bird", "title": "Bird Email", "condition": "unavailable"},
}
ID = "bird-20261122T120000Z/1/page/on_call.webhook-1/open"


class Pager(LoopbackHTTP):
    """A webhook's receiver: what came, and how it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.came: queue.Queue[dict[str, Any]] = queue.Queue()
        self.go = threading.Event()
        self.go.set()
        self.url = f"{self.origin}/page"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if request.command != "POST":
            request.send_error(501)
            return
        self.came.put(json.loads(request.rfile.read(int(request.headers["Content-Length"]))))
        self.go.wait(30)
        request.send_response(202)
        request.end_headers()

    def __exit__(self, *_: object) -> None:
        self.go.set()
        super().__exit__()


def begun(serving: Served, base: Path, **changes: Any) -> Measure:
    """Set up and ready."""
    serving.measure.setup(base, RAW | changes)
    serving.measure.expect("ready")
    return serving.measure


def ended(serving: Served) -> str:
    """It has ended as it should; what it logged."""
    status, logged = serving.end()
    assert status == 0, logged
    assert "Traceback" not in logged
    return logged


def test_it_serves_what_the_measuring_process_tells_it_and_ends_when_the_link_closes(tmp_path: Path) -> None:
    with served() as serving:
        measure = begun(serving, tmp_path)
        assert serving.client.get("/-/ready").status_code == 503
        called(measure.board, 0, [0.001] * len(HTTP_PHASES))
        incident = {"id": "bird-1", "service": "bird", "severity": "critical", "phase": "open", "onset": 1}
        measure.send(second(1_795_341_600), {"type": "incidents", "open": [incident]}, totals())
        assert serving.wait_for("/-/ready", 200).text == "Ready.\n"
        answer = serving.client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        assert answer.headers["content-encoding"] == "gzip"
        found = {f.name: f for f in parse_openmetrics(answer.text)}  # type: ignore[no-untyped-call]  # theirs is untyped
        assert [s.labels["endpoint"] for s in found["probe_success"].samples] == ["account"]
        processes = {s.labels["process"] for s in found["prober_process_resident_memory_bytes"].samples}
        assert processes == {"measure", "serve"}
        opened = {s.labels["severity"]: s.value for s in found["prober_incident_open"].samples}
        assert opened["critical"] == 1
        assert "Bird Email" in serving.client.get("/").text
        measure.link.close()
        assert "the link has closed" in ended(serving)


def test_it_ends_on_sigterm_and_leaves_sigint_to_the_measuring_process(tmp_path: Path) -> None:
    with served() as serving:
        begun(serving, tmp_path)
        serving.process.send_signal(signal.SIGINT)
        assert serving.client.get("/-/healthy").status_code == 200
        serving.process.send_signal(signal.SIGTERM)
        assert "told to" in ended(serving)


def test_a_hang_up_of_the_whole_group_leaves_the_pages_where_they_are(tmp_path: Path) -> None:
    """A terminal that closes, or `systemctl kill --signal HUP`, tells both processes: only the measuring one reloads."""
    with served() as serving:
        measure = begun(serving, tmp_path)
        serving.process.send_signal(signal.SIGHUP)
        measure.send({"type": "second"})  # answered, by its log, once the signal has been seen to
        line = serving.process.stderr.readline() if serving.process.stderr else ""
        assert "second" in line
        assert serving.client.get("/-/healthy", headers={"Connection": "close"}).status_code == 200
        with httpx.Client(base_url=serving.client.base_url, trust_env=False, timeout=40) as newcomer:
            assert newcomer.get("/-/healthy").status_code == 200


@pytest.mark.parametrize("how", ["link", "sigterm"])
def test_it_ends_before_it_was_set_up_too(how: str) -> None:
    with served() as serving:
        if how == "link":
            serving.measure.link.close()
        else:
            serving.measure.send({"type": "second"})  # so that it is known to be up when it logs that this is not right
            line = serving.process.stderr.readline() if serving.process.stderr else ""
            assert "second" in line
            serving.process.send_signal(signal.SIGTERM)
        status, logged = serving.end()
        assert status == 0, logged


def test_acts_go_out_once_and_every_attempt_is_told(tmp_path: Path) -> None:
    with Pager() as phone, served() as serving:
        measure = begun(serving, tmp_path, on_call=[{"webhook": {"url": phone.url}}])
        act: Message = {"type": "act", "act": ACT}
        measure.send(act, act)
        started = measure.expect("started")
        assert (started["act"], started["receiver"]) == (ID, "on_call.webhook-1")
        attempt = measure.expect("attempt")
        assert attempt == attempt | {"act": ID, "receiver": "on_call.webhook-1", "outcome": "accepted", "final": True}
        assert attempt["at"] >= started["at"] > 1_700_000_000 * 10**9
        assert phone.came.get(timeout=40)["key"] == ID
        measure.send(act)
        assert measure.expect("attempt") == attempt, "a third copy is answered"
        assert phone.came.empty(), "and not carried out"


def test_a_delivery_under_way_is_finished_and_told_when_the_measuring_process_says_no_more(tmp_path: Path) -> None:
    with Pager() as phone, served() as serving:
        measure = begun(serving, tmp_path, on_call=[{"webhook": {"url": phone.url}}])
        phone.go.clear()
        measure.send({"type": "act", "act": ACT})
        phone.came.get(timeout=40)
        measure.link.shutdown(1)  # SHUT_WR: we say no more, and still listen
        phone.go.set()
        assert measure.expect("attempt")["outcome"] == "accepted"
        ended(serving)


def test_an_act_that_is_withdrawn_does_not_go_out(tmp_path: Path) -> None:
    with Pager() as phone, served() as serving:
        measure = begun(serving, tmp_path, on_call=[{"webhook": {"url": phone.url}}])
        other = ACT | {"step": "other"}
        measure.send({"type": "withdraw", "act": ID}, {"type": "act", "act": ACT}, {"type": "act", "act": other})
        assert measure.expect("attempt")["act"].endswith("/other")
        assert phone.came.qsize() == 1


def test_what_was_tried_before_a_restart_is_known(tmp_path: Path) -> None:
    with Pager() as phone, served() as serving:
        receivers = [{"webhook": {"url": "http://127.0.0.1:1/refused"}}, {"webhook": {"url": phone.url}}]
        measure = begun(serving, tmp_path, on_call=receivers)
        act = ACT | {"receivers": ["on_call.webhook-1", "on_call.webhook-2"]}
        earlier = [{"receiver": "on_call.webhook-1", "outcome": "permanent", "at": 1}]
        measure.send({"type": "act", "act": act, "earlier": earlier})
        assert measure.expect("attempt")["receiver"] == "on_call.webhook-2"


def test_a_message_that_is_not_right_stops_no_other(tmp_path: Path) -> None:
    with Pager() as phone, served() as serving:
        measure = begun(serving, tmp_path, on_call=[{"webhook": {"url": phone.url}}])
        measure.send(
            {"type": "act", "act": {"incident": "x"}},
            {"type": "act", "act": ACT | {"kind": "dance"}},
            {"type": "second", "service": "bird", "second": 1, "cells": {"": ["sideways", "", 0, {}]}},
            {"type": "totals", "lag": 5},
            {"type": "from a later version"},
            {"type": "act", "act": ACT},
        )
        assert measure.expect("attempt")["act"] == ID
        measure.link.close()
        status, logged = serving.end()
        assert status == 0
        assert logged.count("is not right") == 4


def test_a_reload_goes_to_the_measuring_process_and_back(tmp_path: Path) -> None:
    with served() as serving:
        measure = begun(serving, tmp_path)
        answers: queue.Queue[httpx.Response] = queue.Queue()

        def ask() -> None:
            with httpx.Client(trust_env=False, timeout=60) as client:
                answers.put(client.post(f"http://127.0.0.1:{serving.port}/-/reload"))

        asking = threading.Thread(target=ask)
        asking.start()
        reload = measure.expect("reload")
        new, old = Board.create(KEYS[:1]), measure.board
        measure.board = new
        services = {"new": RAW["services"]["bird"]}
        measure.setup(tmp_path, RAW | {"services": services})
        measure.send({"type": "reloaded", "id": reload["id"], "ok": True, "errors": []})
        asking.join()
        assert answers.get().status_code == 200
        old.close()
        assert "new" in serving.client.get("/-/ready").text, "the new configuration is in force"
        measure.send(
            {"type": "reloaded", "id": "sighup", "ok": False, "errors": ["x"]}, second(1, service="new"), totals()
        )
        serving.wait_for("/-/ready", 200)
        assert "prober_config_last_reload_successful 0.0" in serving.client.get("/metrics").text


def test_a_reload_while_it_starts_does_not_end_it(tmp_path: Path) -> None:
    """The first configuration's board has gone by the time it is read; acts before the second one find their receivers."""
    with Pager() as phone, served() as serving:
        measure, raw = serving.measure, RAW | {"on_call": [{"webhook": {"url": phone.url}}]}
        new, old = Board.create(KEYS), measure.board
        old.close()
        measure.setup(tmp_path, raw)
        measure.send({"type": "act", "act": ACT})
        measure.board = new
        measure.setup(tmp_path, raw)
        measure.expect("ready")
        assert measure.expect("attempt")["outcome"] == "accepted"
        assert phone.came.get(timeout=40)["key"] == ID
        called(new, 0, [0.001] * len(HTTP_PHASES))
        measure.send(second(1), totals())
        serving.wait_for("/-/ready", 200)
        assert (
            'probe_success{service="bird",channel="api",endpoint="account"} 1.0' in serving.client.get("/metrics").text
        )
        measure.link.close()
        assert "cannot" not in ended(serving)


def test_a_configuration_that_is_no_good_here_leaves_everything_as_it_was(tmp_path: Path) -> None:
    with served() as serving:
        measure = begun(serving, tmp_path)
        measure.setup(tmp_path, {"services": 5})
        measure.send(second(1), totals())
        serving.wait_for("/-/ready", 200)
        assert "Bird Email" in serving.client.get("/").text
        measure.link.close()
        assert "the new configuration cannot be used here" in ended(serving)


def test_a_first_configuration_that_is_no_good_ends_it(tmp_path: Path) -> None:
    with served() as serving:
        serving.measure.setup(tmp_path, {"services": 5})
        status, logged = serving.end()
        assert status == 1
        assert "cannot use the configuration" in logged
        assert "Traceback" not in logged


def test_a_link_that_carries_what_is_no_message_ends_it_for_a_new_one(tmp_path: Path) -> None:
    with served() as serving:
        begun(serving, tmp_path)
        serving.measure.link.sendall(b"not json\n")
        status, logged = serving.end()
        assert status == 1
        assert "no message" in logged


def test_no_secret_of_the_configuration_is_shown_or_logged(tmp_path: Path) -> None:
    with served() as serving:
        measure = begun(serving, tmp_path)
        measure.send(second(1), totals(), {"type": "act", "act": {"incident": "s3cr3t-key"}})
        serving.wait_for("/-/ready", 200)
        for path in ("/", "/metrics", "/probe?target=account&debug=true", "/probe?target=none"):
            assert "s3cr3t-key" not in serving.client.get(path).text
        measure.link.close()
        assert "s3cr3t-key" not in ended_anyhow(serving)


def ended_anyhow(serving: Served) -> str:
    status, logged = serving.end()
    assert status == 0, logged
    return logged


def test_an_endpoint_can_be_called_while_somebody_waits(tmp_path: Path) -> None:
    with Pager() as target, served() as serving:
        endpoint = {"url": target.url, "name": "plain"}
        channels = {"api": [endpoint, endpoint | {"name": "wanted", "expect": {"status": ["501"]}}]}
        begun(serving, tmp_path, services={"bird": RAW["services"]["bird"] | {"channels": channels}})
        answer = serving.client.get("/probe?target=plain")
        assert answer.status_code == 200
        assert "probe_success 0.0" in answer.text
        assert "probe_http_status_code 501.0" in answer.text, "it takes POST alone"
        assert 'probe_fault_info{fault="other",reason="http_status_501"} 1.0' in answer.text
        assert "probe_success 1.0" in serving.client.get("/probe?target=wanted").text


def test_acts_are_read_as_they_were_written() -> None:
    act = act_of(ACT)
    assert act == Act(
        incident="bird-20261122T120000Z",
        episode=1,
        kind=ActKind.PAGE,
        step="open",
        receivers=("on_call.webhook-1",),
        created=1_795_341_600,
        facts=ACT["facts"],
    )
    assert act.id == ID


#: A program that ignores SIGTERM, as a shell's trap would have it, with a serving process that gets no further than its start.
KILLED_EARLY = """
import signal, socket, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
listen = socket.create_server(("127.0.0.1", 0))
near, far = socket.socketpair()
given = ["--link", str(far.fileno()), "--listen", str(listen.fileno())]
subprocess.Popen([sys.executable, "-P", "-m", "prober.serve", *given], pass_fds=(far.fileno(), listen.fileno()))
time.sleep(60)
"""


def test_one_that_still_starts_ends_with_its_program_whatever_signals_it_ignores(tmp_path: Path) -> None:
    """It would hold the address, and the program's next start find it taken."""
    (tmp_path / "uvloop.py").write_text("import time\nprint('starts', flush=True)\ntime.sleep(60)\n")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    environ["PYTHONPATH"] = os.pathsep.join([str(tmp_path), *sys.path])
    with subprocess.Popen([sys.executable, "-c", KILLED_EARLY], stdout=subprocess.PIPE, env=environ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"starts\n"
        program.kill()
        assert program.communicate(timeout=20) == (b"", None), "both have let go of it"
