"""The live view through the real serving process: its guarded server, its link, its end."""

import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
from serving import Served, second, served, totals

#: Long enough for a machine that is loaded.
SOON = 60.0


def lines(answer: httpx.Response) -> Iterator[str]:
    """The lines of a stream up to its end, whichever way it ends."""
    yield from answer.iter_lines()


def ready(process: Served, folder: Path) -> None:
    process.measure.setup(folder)
    process.measure.expect("ready", within=60)
    process.measure.send(totals(), second(1_795_341_600))
    process.wait_for("/-/ready", 200)


def keep_closing(process: Served, ended: threading.Event) -> None:
    """A second every 50 ms until the test has ended."""
    at = 1_795_341_600
    while not ended.wait(0.05):
        at += 1
        process.measure.send(second(at))


def test_seconds_come_as_they_close_and_the_stream_ends_with_the_process(tmp_path: Path) -> None:
    with served() as process:
        ready(process, tmp_path)
        ended = threading.Event()
        closing = threading.Thread(target=keep_closing, args=(process, ended))
        closing.start()
        try:
            with process.client.stream("GET", "/live", timeout=SOON) as answer:
                assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
                told = lines(answer)
                first = next(line for line in told if line.startswith("id: "))
                assert next(line for line in told if line.startswith("data: ")).startswith('data: {"service":"bird"')
            resumed = {"Last-Event-ID": first.removeprefix("id: ")}
            with process.client.stream("GET", "/live", headers=resumed, timeout=SOON) as answer:
                told = lines(answer)
                number = int(first.rpartition("-")[2])
                following = next(line for line in told if line.startswith("id: "))
                assert int(following.rpartition("-")[2]) == number + 1
                ended.set()
                closing.join(SOON)
                process.process.send_signal(signal.SIGTERM)
                assert not [line for line in told if line.startswith("event: reset")], "and then it ends"
            status, logged = process.end()
            assert (status, "error" in logged.lower()) == (0, False), logged
        finally:
            ended.set()
            closing.join(SOON)


def test_a_listener_that_goes_away_leaves_nothing_behind(tmp_path: Path) -> None:
    with served() as process:
        ready(process, tmp_path)
        for _ in range(60):  # more than may listen at a time
            with socket.create_connection(("127.0.0.1", process.port), SOON) as client:
                client.sendall(b"GET /live HTTP/1.1\r\nHost: prober\r\nAccept: text/event-stream\r\n\r\n")
                assert b"200 OK" in client.recv(64)
        with process.client.stream("GET", "/live", timeout=SOON) as answer:
            assert answer.status_code == 200
        process.measure.link.shutdown(socket.SHUT_RDWR)
        assert process.end()[0] == 0
