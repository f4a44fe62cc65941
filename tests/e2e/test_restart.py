"""A restart goes on where it stopped: the gap is unmeasured, the incident and its thread go on, pending acts go out."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.outside import Api, Script, outside, side_by_side, until
from tests.e2e.program import Program, configuration, service, verdicts

pytestmark = pytest.mark.e2e


@pytest.mark.timeout(240)
def test_it_goes_on_with_the_seconds_the_incident_and_the_acts_that_are_not_done(tmp_path: Path) -> None:
    side_by_side(
        lambda: restarted(tmp_path / "stopped", Program.stop), lambda: restarted(tmp_path / "killed", Program.kill)
    )


def restarted(folder: Path, end: Callable[[Program], None]) -> None:
    script = Script("503")
    with outside() as (loop, desk):
        api = Api(loop, script=script)
        channels = {"api": [{"name": "account", "url": api.url}]}
        config = configuration(desk, {"bird": service(desk, "bird", channels)})
        with Program(folder, config) as program:
            desk.down = {"mail"}
            program.start()
            desk.wait_for("page")
            until(lambda: program.logged("an attempt at an act failed"), "the ticket was tried in vain")
            stopped = int(time.time())
            end(program)
            before = program.incident()
            first = program.seconds("bird")
            assert before["phase"] == "open"
            assert not desk.came("ticket")
            desk.down = set()
            until(lambda: time.time() > stopped + 3, "some seconds pass without the program")
            program.start()
            started = int(time.time())
            ticket = desk.wait_for("ticket")[0]
            desk.wait_for("hotline")
            script.always = "ok"
            note = desk.wait_for("note")[0]
            resolve = desk.wait_for("page_resolve")[0]
            until(lambda: program.metric("prober_outbox_pending") == 0, "all acts are done")
            program.stop()
            after = program.incident()
            assert (after["id"], after["onset"]) == (before["id"], before["onset"])
            assert (after["phase"], after["severity"], after["episodes"]) == ("recovered", "critical", 1)
            assert note.mail["In-Reply-To"] == ticket.key
            assert before["id"] in resolve.key
            assert len(desk.keys("page")) == len(desk.keys("hotline")) == len(desk.keys("ticket")) == 1
            seconds = program.seconds("bird")  # each once, in order, none left out
            assert {n: seconds[n] for n in first} == first, "what was said of a second stays"
            gap = {(seconds[n]["verdict"], seconds[n]["reason"]) for n in range(stopped + 1, started - 1)}
            assert gap == {("unmeasured", "not_running")}
            assert verdicts(seconds, started + 1, max(seconds)) >= {("available", "ok")}


@pytest.mark.timeout(240)
def test_a_reload_takes_effect_at_a_seconds_boundary_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    with outside() as (loop, desk):
        api, other = Api(loop), Api(loop)
        channels = {"api": [{"name": "account", "url": api.url}]}
        config = configuration(desk, {"bird": service(desk, "bird", channels)})
        with Program(tmp_path, config) as program:
            program.start()
            program.wait_ready()
            program.configure(config | {"mistake": 1})
            program.signal(signal.SIGHUP)
            wrong = program.wait_for_log("the configuration was not reloaded")
            assert "mistake" in wrong["error"]
            assert program.metric("prober_config_last_reload_successful") == 0
            channels["api"].append({"name": "further", "url": other.url})
            program.configure(configuration(desk, {"bird": service(desk, "bird", channels)}))
            program.signal(signal.SIGHUP)
            program.wait_for_log("the configuration was reloaded")
            until(lambda: other.requests >= 2, "the new endpoint is called")
            assert program.metric("prober_config_last_reload_successful") == 1
            program.stop()
            seconds = program.seconds("bird")
            assert verdicts(seconds, min(seconds) + 1, max(seconds)) == {("available", "ok")}
            further = program.seconds("bird", "api", "further")
            assert verdicts(further, min(further), max(further)) == {("available", "ok")}
            assert min(further) > min(seconds)
