"""Logs: one line an event on standard error, `key=value` on a terminal and JSON otherwise, without secrets.

    log = logs.get("outbox")
    log.info("ticket accepted", extra=logs.fields(service="bird", receiver="email-1"))

A log must never hurt what it tells of: nothing here raises, and with `threaded` the caller never waits for a slow reader
(lines past `QUEUED` are counted and dropped).
"""

import contextlib
import io
import json
import logging
import os
import queue
import re
import sys
import threading
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from prober.redact import Redactor

QUEUED = 10_000  # lines
PARTING = 1.0  # seconds that the end waits for a slow reader, twice at most

Style = Literal["text", "json"]
#: Characters of a message or a field.
_MOST = 8192
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,-]+\Z")
_LEVELS = {"CRITICAL": "crit", "ERROR": "error", "WARNING": "warn", "INFO": "info", "DEBUG": "debug"}


def get(name: str) -> logging.Logger:
    """The logger of one part of the program."""
    return logging.getLogger(f"prober.{name}")


def fields(**values: object) -> dict[str, Any]:
    """What goes with a message, for `extra`: plain values by name."""
    return {"fields": values}


def setup(
    redactor: Redactor | None = None,
    *,
    stream: TextIO | None = None,
    style: Style | None = None,
    level: str = "INFO",
    threaded: bool = False,
) -> "Handler":
    """Send all logs of the process to `stream` (standard error), in the style that fits it. Gives the handler in use.

    Call `redact` on it after a reload, and `close` at the end: it writes what is queued.
    """
    stream = sys.stderr if stream is None else stream
    handler = Handler(redactor or Redactor(), stream, style or _style(stream), threaded=threaded)
    root = logging.getLogger()
    for old in list(root.handlers):
        if isinstance(old, Handler):
            root.removeHandler(old)
            old.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    for chatty in ("httpx", "httpcore", "apscheduler", "mail.log", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return handler


def _style(stream: TextIO) -> Style:
    try:
        return "text" if stream.isatty() else "json"
    except ValueError:  # closed
        return "json"


def _descriptor(stream: TextIO) -> int | None:
    """Where the system knows the stream as; None for one in memory, or closed."""
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None


class Handler(logging.Handler):
    """Formats, redacts and writes a line for each record; by a thread of its own when `threaded`."""

    def __init__(self, redactor: Redactor, stream: TextIO, style: Style, *, threaded: bool = False) -> None:
        super().__init__()
        self.dropped = 0
        self._redactor = redactor
        self._stream = stream
        self._descriptor = _descriptor(stream)
        self._encoding = (style == "text" and getattr(stream, "encoding", None)) or "utf-8"
        self._torn = False  # the newest line broke off
        self._format = _text if style == "text" else _json
        self._lines: queue.Queue[str | None] | None = queue.Queue(QUEUED) if threaded else None
        self._writer = threading.Thread(target=self._write_queued, name="logs", daemon=True) if threaded else None
        if self._writer is not None:
            self._writer.start()

    def redact(self, redactor: Redactor) -> None:
        """Hide these secrets from now on."""
        self._redactor = redactor

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self._format(_event(record, self._redactor))
        except Exception as error:  # noqa: BLE001 - an argument's __str__ may do anything; a log must not raise
            line = self._format(
                {"time": _time(record.created), "level": "error", "logger": "prober.logs"}
                | {"message": f"a log record of {record.name} could not be written: {type(error).__name__}"}
            )
        if self._lines is None:
            self._write(line)
            return
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Write what is queued, as far as the reader takes it."""
        if self._lines is not None and self._writer is not None and self._writer.is_alive():
            with contextlib.suppress(queue.Full):
                self._lines.put(None, timeout=PARTING)
            self._writer.join(PARTING)
        super().close()

    def _write(self, line: str) -> None:
        try:
            if self._descriptor is not None:
                self._put(f"{line}\n".encode(self._encoding, "backslashreplace"), self._descriptor)
            else:
                self._stream.write(line + "\n")
                self._stream.flush()
        except (OSError, ValueError):  # the reader has gone, the disk is full, the stream is closed
            self.dropped += 1

    def _put(self, line: bytes, descriptor: int) -> None:
        """Past the stream's buffer: for what that holds, and its lock while a reader is slow, Python would wait at the exit."""
        if self._torn:
            line = b"\n" + line
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
            self._torn = bool(rest)

    def _write_queued(self) -> None:
        assert self._lines is not None  # the thread is started with a queue alone
        while (line := self._lines.get()) is not None:
            self._write(line)


def _event(record: logging.LogRecord, redactor: Redactor) -> dict[str, Any]:
    """A record as a mapping in the order in which people read it, without secrets."""
    event: dict[str, Any] = {
        "time": _time(record.created),
        "level": _LEVELS.get(record.levelname, record.levelname.lower()),
        "logger": record.name,
        "message": _cut(redactor.text(record.getMessage())),
    }
    extra = getattr(record, "fields", None)
    if isinstance(extra, Mapping):
        for name, value in redactor.value({str(key): _plain(item) for key, item in extra.items()}).items():
            event[name if name not in event else f"{name}_"] = _cut(value) if isinstance(value, str) else value
    if record.exc_info and record.exc_info[1] is not None:
        event["traceback"] = redactor.text(_traceback(record.exc_info[1]))
    elif record.exc_text and not record.exc_info:
        event["traceback"] = redactor.text(record.exc_text)
    return event


def _cut(text: str) -> str:
    """No text from outside makes a line of megabytes; secrets have gone before it is cut."""
    return text if len(text) <= _MOST else f"{text[:_MOST]}... ({len(text) - _MOST} more characters)"


def _plain(value: object) -> Any:
    """A JSON value of whatever a caller gave; what JSON does not know becomes text."""
    if value is None or isinstance(value, (bool, int, str)):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def _traceback(error: BaseException) -> str:
    buffer = io.StringIO()
    traceback.print_exception(error, file=buffer)
    return buffer.getvalue().rstrip()


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(event: Mapping[str, Any]) -> str:
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _text(event: Mapping[str, Any]) -> str:
    rest = {
        key: value for key, value in event.items() if key not in ("time", "level", "logger", "message", "traceback")
    }
    parts = [f"{event['time']} {event['level']:<5} {event['logger'].removeprefix('prober.')}: {event['message']}"]
    parts += [f"{key}={_value(value)}" for key, value in rest.items()]
    line = _harmless(" ".join(parts))
    trace = event.get("traceback")
    return line + "".join(f"\n    {_harmless(each)}" for each in trace.splitlines()) if trace else line


def _value(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.match(value):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _harmless(text: str) -> str:
    """`text` in one line that does nothing to a terminal: control, bidirectional and unpaired characters escaped."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
