"""A log line says what happened, in one line, without secrets, and never hurts what it tells of."""

import errno
import io
import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prober import logs
from prober.redact import Redactor

SECRET = "key-of-bird-0123456789"


@pytest.fixture(autouse=True)
def a_root_logger_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    yield
    for handler in list(root.handlers):
        if isinstance(handler, logs.Handler):
            root.removeHandler(handler)
            handler.close()
    root.setLevel(level)


def logged(style: logs.Style = "json", **setup: Any) -> io.StringIO:
    stream = io.StringIO()
    logs.setup(Redactor([SECRET]), stream=stream, style=style, **setup)
    root = logging.getLogger()
    for handler in list(root.handlers):
        if not isinstance(handler, logs.Handler):
            root.removeHandler(handler)  # pytest's, which raise what ours must not
    return stream


def only_event(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    event: dict[str, Any] = json.loads(line)
    return event


def test_a_json_line_has_time_level_logger_message_and_fields() -> None:
    stream = logged()
    logs.get("outbox").warning("ticket %s", "accepted", extra=logs.fields(service="bird", n=2, ratio=0.5, none=None))
    event = only_event(stream)
    assert event.pop("time").endswith("Z")
    assert event == {
        "level": "warn",
        "logger": "prober.outbox",
        "message": "ticket accepted",
        "service": "bird",
        "n": 2,
        "ratio": 0.5,
        "none": None,
    }


def test_the_time_is_utc_with_milliseconds() -> None:
    stream = logged()
    record = logging.LogRecord("prober.x", logging.INFO, __file__, 1, "x", (), None)
    record.created = 1795341600.1234
    logging.getLogger().handlers[-1].handle(record)
    assert only_event(stream)["time"] == "2026-11-22T10:00:00.123Z"


def test_a_line_for_people_is_key_value() -> None:
    stream = logged("text")
    logs.get("outbox").info("ticket accepted", extra=logs.fields(service="bird", text="two words", n=2))
    time, rest = stream.getvalue().split(" ", 1)
    assert time.endswith("Z")
    assert rest == 'info  outbox: ticket accepted service=bird text="two words" n=2\n'


def test_secrets_are_hidden_in_messages_arguments_fields_and_tracebacks() -> None:
    for style in ("json", "text"):
        stream = logged(style)
        log = logs.get("x")
        try:
            raise ValueError(f"refused {SECRET}")
        except ValueError:
            log.exception("with %s", SECRET, extra=logs.fields(key=SECRET, deep={"list": [SECRET]}, password="short"))
        said = stream.getvalue()
        assert SECRET not in said
        assert "short" not in said
        assert said.count("ke***89") == 4


def test_a_reload_changes_what_is_hidden() -> None:
    stream = logged()
    handler = logs.setup(Redactor(), stream=stream, style="json")
    handler.redact(Redactor(["another-secret-of-ours"]))
    logs.get("x").info("another-secret-of-ours")
    assert only_event(stream)["message"] == "an***rs"


@pytest.mark.parametrize("style", ["json", "text"])
def test_no_text_from_outside_breaks_a_line_or_commands_a_terminal(style: logs.Style) -> None:
    stream = logged(style)
    hostile = "a\nb\x1b[31m\u202e\x85\u2028\ud800\x00"
    logs.get("x").info("%s", hostile, extra=logs.fields(text=hostile))
    (line,) = stream.getvalue().splitlines()
    assert line.isprintable()
    if style == "json":
        assert json.loads(line)["message"] == hostile


def test_a_traceback_for_people_is_set_in_below_its_line() -> None:
    stream = logged("text")
    try:
        raise ValueError("it \x1b broke")
    except ValueError:
        logs.get("x").exception("failed")
    first, *trace = stream.getvalue().splitlines()
    assert first.endswith("error x: failed")
    assert trace[0] == "    Traceback (most recent call last):"
    assert trace[-1] == "    ValueError: it \\x1b broke"


def test_an_exception_logged_where_there_is_none_does_no_harm() -> None:
    stream = logged()
    logs.get("x").error("failed", exc_info=True)
    assert "traceback" not in only_event(stream)


def test_a_traceback_that_came_as_text_is_shown() -> None:
    stream = logged()
    record = logging.LogRecord("prober.x", logging.ERROR, __file__, 1, "x", (), None)
    record.exc_text = f"Traceback: {SECRET}"
    logging.getLogger().handlers[-1].handle(record)
    assert only_event(stream)["traceback"] == "Traceback: ke***89"


def test_fields_that_json_does_not_know_become_text() -> None:
    stream = logged()
    values = logs.fields(
        nan=float("nan"),
        inf=float("inf"),
        path=threading,
        raw=b"a\xff",
        some={1, 2},
        pair=(1, "x"),
        time="mine",
        deep={1: 2},
    )
    logs.get("x").info("x", extra=values)
    event = only_event(stream)
    assert (event["nan"], event["inf"], event["raw"], event["some"]) == ("nan", "inf", "a\\xff", [1, 2])
    assert (event["pair"], event["time_"], event["deep"]) == ([1, "x"], "mine", {"1": 2})
    assert event["path"].startswith("<module 'threading'")


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no text of mine")


@pytest.mark.parametrize(("text", "argument"), [("%s", Broken()), ("%d", "no number"), ("%s %s", "one")])
def test_a_record_that_cannot_be_written_is_told_and_raises_nothing(text: str, argument: object) -> None:
    stream = logged()
    logs.get("x").info(text, argument)
    event = only_event(stream)
    assert event["level"] == "error"
    assert event["message"].startswith("a log record of prober.x could not be written: ")


def test_a_reader_that_has_gone_raises_nothing_and_is_counted() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as stream:
        handler = logs.setup(stream=stream, style="json")
        logs.get("x").info("nobody hears")
        assert handler.dropped == 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)  # what is still buffered goes nowhere


def test_what_is_said_after_a_line_that_broke_off_stands_in_a_line_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the log's disk was full for a while."""
    really, room = os.write, [5]

    def write(descriptor: int, data: bytes) -> int:
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return really(descriptor, bytes(data)[: room.pop()])

    path = tmp_path / "log"
    with path.open("w") as stream:
        handler = logs.setup(stream=stream, style="json")
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", write)
            logs.get("x").info("cut off")
            logs.get("x").info("left out")
        logs.get("x").info("said")
    first, second = path.read_text().splitlines()
    assert (first, json.loads(second)["message"]) == ('{"tim', "said")
    assert handler.dropped == 2


def test_a_closed_stream_raises_nothing() -> None:
    stream = io.StringIO()
    stream.close()
    handler = logs.setup(stream=stream)
    logs.get("x").info("nobody hears")
    assert handler.dropped == 1


def test_the_style_is_text_on_a_terminal_and_json_otherwise() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, pipe = Terminal(), io.StringIO()
    logs.setup(stream=terminal)
    logs.get("x").info("said")
    logs.setup(stream=pipe)
    logs.get("x").info("said")
    assert terminal.getvalue().endswith("info  x: said\n"), "once: a new setup takes the old one's place"
    assert only_event(pipe)["message"] == "said"


def test_standard_error_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup()
    logs.get("x").info("said")
    assert json.loads(capsys.readouterr().err)["message"] == "said"


def test_the_level_leaves_out_what_is_below_it_and_libraries_keep_quiet() -> None:
    stream = logged(level="info")
    logs.get("x").debug("left out")
    logging.getLogger("httpx").info("left out")
    logs.get("x").info("said")
    assert only_event(stream)["message"] == "said"


class Stuck(io.StringIO):
    """A stream whose reader does not read until told."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.reached = threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        self.go.wait(10)
        return super().write(text)


def test_a_slow_reader_holds_up_nobody_and_lines_past_the_bound_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "QUEUED", 10)
    stream = Stuck()
    handler = logs.setup(stream=stream, style="json", threaded=True)
    log = logs.get("x")
    log.info("first")
    assert stream.reached.wait(5), "the writer has the first line and is stuck with it"
    for number in range(15):
        log.info("line %d", number)
    assert handler.dropped == 5
    stream.go.set()
    handler.close()
    said = [json.loads(line)["message"] for line in stream.getvalue().splitlines()]
    assert said == ["first", *(f"line {number}" for number in range(10))]


def test_closing_waits_for_no_reader_that_never_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "QUEUED", 1)
    monkeypatch.setattr(logs, "PARTING", 0.05)
    stream = Stuck()
    handler = logs.setup(stream=stream, style="json", threaded=True)
    logs.get("x").info("first")
    assert stream.reached.wait(5)
    logs.get("x").info("second")
    handler.close()
    assert stream.getvalue() == ""
    stream.go.set()
