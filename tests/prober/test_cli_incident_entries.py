"""`prober incidents ack ...`: what is told to the running program, and what a person is told when it is not taken."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from http_desk import Desk, answer, desk

from prober.cli import main

TOKEN = "a-token-that-is-long-enough"


@contextmanager
def program(*answers: bytes) -> Iterator[Desk]:
    """A server in a thread in the place of the running program."""
    ready: list[Desk] = []
    up, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def work() -> None:
        async with desk(*answers) as served:
            ready.append(served)
            up.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(work()))
    thread.start()
    try:
        assert up.wait(10)
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def configured(folder: Path, listen: str, token: str = TOKEN) -> str:
    path = folder / "prober.yaml"
    web = f"web: {{token: {token}}}" if token else ""
    service = "{contract: bird-email-enterprise, channels: {api: [{name: a, url: 'http://127.0.0.1:9/'}]}}"
    text = f"listen: {listen}\nstore: sqlite:///p.db\n{web}\nservices: {{bird: {service}}}\n"
    path.write_text(text, encoding="utf-8")
    return str(path)


def address(served: Desk) -> str:
    return f"127.0.0.1:{served.port}"


def test_a_step_is_told_with_the_token_and_who_when_and_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with program(answer("200 OK", b'{"ok": true}')) as served:
        config = configured(tmp_path, address(served))
        arguments = [
            "adopt",
            "bird-1",
            "by telephone",
            "--ticket",
            "4711",
            "--by",
            "ada",
            "--when",
            "2026-11-22T10:00:00Z",
        ]
        assert main(["incidents", *arguments, "--config", config]) == 0
        (request,) = served.requests
    assert request.path == "/api/incidents/bird-1/adopt"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert json.loads(request.body) == {"by": "ada", "text": "by telephone", "ticket": "4711", "when": 1_795_341_600}
    assert capsys.readouterr().out == "bird-1: adopt is entered\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("adopt", "bird-1", "--ticket", "4711", "by telephone", "--by", "ada"),
        ("adopt", "--by", "ada", "bird-1", "--ticket", "4711", "by telephone"),
        ("adopt", "--by", "ada", "--ticket", "4711", "bird-1", "by telephone"),
    ],
)
def test_the_text_may_come_after_options(arguments: tuple[str, ...], tmp_path: Path) -> None:
    with program(answer("200 OK", b'{"ok": true}')) as served:
        assert main(["incidents", *arguments, "--config", configured(tmp_path, address(served))]) == 0
        (request,) = served.requests
    assert json.loads(request.body) == {"by": "ada", "text": "by telephone", "ticket": "4711"}


@pytest.mark.parametrize(
    "arguments", [("note", "bird-1", "two", "texts"), ("note",), ("note", "bird-1", "--whom", "x")]
)
def test_what_is_no_step_is_refused(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["incidents", *arguments, "--config", configured(tmp_path, "127.0.0.1:9")]) == 2
    assert "usage:" in capsys.readouterr().err


def test_what_a_terminal_sends_that_is_no_utf_8_keeps_nobody_from_a_step(tmp_path: Path) -> None:
    with program(answer("200 OK", b'{"ok": true}')) as served:
        config = configured(tmp_path, address(served))
        assert main(["incidents", "note", "bird-1\udce9\n", "St\udcf6rung", "--by", "ada", "--config", config]) == 0
        (request,) = served.requests
    assert request.path == "/api/incidents/bird-1%3F%0A/note"
    assert json.loads(request.body) == {"by": "ada", "text": "St?rung"}


def test_what_is_still_to_come_has_not_happened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configured(tmp_path, "127.0.0.1:9")
    assert main(["incidents", "update", "b", "--when", "2126-01-01", "--config", config]) == 2
    said = "prober: --when: 2126-01-01T00:00:00Z is still to come; give the time at which it happened, in UTC\n"
    assert capsys.readouterr().err == said


def test_the_vendors_severity_and_a_time_ago(tmp_path: Path) -> None:
    with program(answer("200 OK", b'{"ok": true}')) as served:
        config = configured(tmp_path, address(served))
        assert main(["incidents", "severity", "b", "--value", "2", "--when", "-10m", "--config", config]) == 0
        step = json.loads(served.requests[0].body)
    assert step["value"] == "2"
    assert step["by"]
    assert step["when"] > 1_700_000_000


@pytest.mark.parametrize("key", ["1/hotline/bird.hotline.call/call", "bird-1/1/hotline/bird.hotline.call/call"])
def test_a_call_that_reached_nobody_is_told_by_its_key_with_or_without_the_incident(tmp_path: Path, key: str) -> None:
    with program(answer("200 OK", b'{"ok": true}')) as served:
        config = configured(tmp_path, address(served))
        arguments = ["unreached", "bird-1", "it rang out", "--value", key, "--config", config]
        assert main(["incidents", *arguments]) == 0
        (request,) = served.requests
    assert request.path == "/api/incidents/bird-1/unreached"
    assert json.loads(request.body)["value"] == "bird-1/1/hotline/bird.hotline.call/call"


def test_the_key_must_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["incidents", "unreached", "bird-1", "--config", configured(tmp_path, "127.0.0.1:1")]) == 2
    assert "--value" in capsys.readouterr().err


def test_others_confirm(tmp_path: Path) -> None:
    with program(answer("200 OK", b'{"ok": true}')) as served:
        config = configured(tmp_path, address(served))
        assert main(["incidents", "confirm", "bird-1", "their page says so", "--config", config]) == 0
        assert served.requests[0].path == "/api/incidents/bird-1/confirm"


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (
            answer("409 Conflict", b'{"ok": false, "error": "still unavailable"}'),
            "the step was not taken: still unavailable",
        ),
        (
            answer("401 Unauthorized", b"A bearer token is needed.\n"),
            "the step was not taken: A bearer token is needed.",
        ),
    ],
)
def test_why_it_is_not_taken_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], reply: bytes, says: str
) -> None:
    with program(reply) as served:
        assert main(["incidents", "resolve", "b", "--config", configured(tmp_path, address(served))]) == 1
    assert says in capsys.readouterr().err


def test_a_program_that_does_not_run_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with program(answer("200 OK")) as served:
        gone = address(served)
    assert main(["incidents", "ack", "b", "--config", configured(tmp_path, gone)]) == 1
    assert "is `prober run` running?" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["token_file: nowhere", 'token: "${NOT_SET_HERE}"'])
def test_a_token_that_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str) -> None:
    config = Path(configured(tmp_path, "127.0.0.1:1"))
    config.write_text(config.read_text().replace(f"token: {TOKEN}", line))
    assert main(["incidents", "ack", "bird-1", "--config", str(config)]) == 2
    assert f"web.{line.partition(':')[0]}: " in capsys.readouterr().err


def test_without_a_token_it_says_what_to_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["incidents", "ack", "b", "--config", configured(tmp_path, "127.0.0.1:9580", "")]) == 2
    assert "set web.token or web.token_file" in capsys.readouterr().err
