"""The serving process as a whole: a real process, a real link, a real socket."""

import signal
from pathlib import Path

from serving import called, second, served, totals

from rules.model import HTTP_PHASES


def test_it_serves_what_the_measuring_process_tells_it_and_ends_when_the_link_closes(tmp_path: Path) -> None:
    with served() as serving:
        serving.measure.setup(tmp_path)
        serving.measure.expect("ready")
        assert serving.client.get("/-/ready").status_code == 503
        called(serving.measure.board, 0, [0.001] * len(HTTP_PHASES))
        serving.measure.send(second(1_795_341_600), totals())
        assert serving.wait_for("/-/ready", 200).text == "Ready.\n"
        metrics = serving.client.get("/metrics").text
        assert 'probe_success{service="bird",channel="api",endpoint="account"} 1.0' in metrics
        serving.measure.link.close()
        status, logged = serving.end()
        assert status == 0, logged
        assert "the link has closed" in logged


def test_it_ends_on_sigterm_and_leaves_sigint_to_the_measuring_process(tmp_path: Path) -> None:
    with served() as serving:
        serving.measure.setup(tmp_path)
        serving.measure.expect("ready")
        serving.process.send_signal(signal.SIGINT)
        assert serving.client.get("/-/healthy").status_code == 200
        serving.process.send_signal(signal.SIGTERM)
        status, logged = serving.end()
        assert status == 0, logged
        assert "told to" in logged
