"""A measuring process for the tests of the serving one: the other end of a real socket pair, a real board, a real socket."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from prober.board import FAULTS, Board, Column
from prober.link import DURATION_BUCKETS, LAG_BUCKETS, Decoder, Message, encode
from rules.model import Kind

#: A configuration with both channels; `{...} | ` what a test wants otherwise.
RAW: dict[str, Any] = {
    "location": "fra1",
    "services": {
        "bird": {
            "title": "Bird Email",
            "contract": "bird-email-enterprise",
            "channels": {
                "api": [
                    {"name": "account", "url": "http://127.0.0.1:9/account", "headers": {"Authorization": "s3cr3t-key"}}
                ],
                "smtp": [{"name": "injection", "host": "127.0.0.1", "port": 9, "depth": "ehlo", "tls": "none"}],
            },
        }
    },
}
KEYS = (("bird", "api", "account", Kind.HTTP), ("bird", "smtp", "injection", Kind.SMTP))


def second(second: int, verdict: str = "available", reason: str = "success", service: str = "bird") -> Message:
    """A closed second, alike in both channels and the service."""
    cell = [verdict, reason, 1, {"none": 1}]
    return {"type": "second", "service": service, "second": second, "cells": {"": cell, "api": cell, "smtp": cell}}


def totals(**changes: Any) -> Message:
    """The counters of a process that has just measured a little."""
    return {
        "type": "totals",
        "seconds": [["bird", "", "available", 7], ["bird", "api", "available", 6], ["bird", "api", "unavailable", 1]],
        "durations": {"bird\x1fapi": [[1] * (len(DURATION_BUCKETS) + 1), 12.5]},
        "lag": [[2] * (len(LAG_BUCKETS) + 1), 0.25],
        "acts": [["page", "accepted", 3]],
        "pending": 2,
        "oldest": 31.5,
        "store": {"ok": True, "queued": 0, "dropped": 4},
        "beat": 1,
        "stalls": 5,
        "steps": 6,
        "open_calls": 8,
        **changes,
    }


def called(board: Board, index: int, phases: Sequence[float], *, code: int = 200, expiry: float = 0.0) -> None:
    """Writes a row as the measuring process does when a call succeeds."""
    start = index * (len(board.cells) // len(board.keys))
    row = board.cells[start:]
    row[Column.SUCCESS], row[Column.DURATION], row[Column.CODE] = 1.0, 0.125, float(code)
    row[Column.CERT_EXPIRY] = expiry
    row[Column.VERSION] = 1.1 if board.keys[index][3] is Kind.HTTP else 0.0
    row[Column.CALLS : Column.CALLS + len(FAULTS)] = memoryview(bytes(8 * len(FAULTS))).cast("d")
    row[Column.CALLS] = 3.0
    row[Column.MISSED] = 2.0
    for place in range(12):
        row[Column.PHASE + place] = phases[place] if place < len(phases) else -1.0
    row[Column.ENDED] = 1_795_341_600.5


class Measure:
    """The measuring process's side of the link."""

    def __init__(self, link: socket.socket, keys: Sequence[tuple[str, str, str, Kind]] = KEYS) -> None:
        self.link = link
        self.board = Board.create(keys)
        self._decoder = Decoder()
        self._waiting: list[Message] = []

    def setup(self, base: Path, raw: dict[str, Any] | None = None) -> None:
        self.send(
            {
                "type": "setup",
                "raw": RAW if raw is None else raw,
                "base": str(base),
                "board": self.board.path,
                "keys": [[*key[:3], key[3].value] for key in self.board.keys],
                "listen": "127.0.0.1:0",
                "pid": os.getpid(),
            }
        )

    def send(self, *messages: Message) -> None:
        for message in messages:
            self.link.sendall(encode(message))

    def expect(self, kind: str, within: float = 60.0) -> Message:
        """The next message of this kind; those of other kinds stay for later."""
        self.link.settimeout(within)
        while True:
            for place, message in enumerate(self._waiting):
                if message["type"] == kind:
                    return self._waiting.pop(place)
            data = self.link.recv(65536)
            assert data, f"the serving process ended before it sent {kind}"
            self._waiting += self._decoder.feed(data)

    def close(self) -> None:
        self.link.close()
        self.board.close()


class Served:
    """A serving process, a real one."""

    def __init__(self, process: "subprocess.Popen[str]", measure: Measure, port: int) -> None:
        self.process = process
        self.measure = measure
        self.port = port
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60)

    def wait_for(self, path: str, status: int) -> httpx.Response:
        """Asks until the answer has this status: what goes over the link arrives soon, not at once."""
        for _ in range(2000):
            answer = self.client.get(path)
            if answer.status_code == status:
                return answer
        raise AssertionError(f"{path} still answers {answer.status_code}: {answer.text}")

    def end(self) -> tuple[int, str]:
        """Waits for its end: exit status and what it logged."""
        _, logged = self.process.communicate(timeout=60)
        return self.process.returncode, logged


@contextmanager
def served(keys: Sequence[tuple[str, str, str, Kind]] = KEYS, **environment: str) -> Iterator[Served]:
    """`python -m prober.serve` with this process as its measuring process."""
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = subprocess.Popen(
            [sys.executable, "-m", "prober.serve", "--link", str(theirs.fileno()), "--listen", str(listener.fileno())],
            pass_fds=(theirs.fileno(), listener.fileno()),
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )
        port = listener.getsockname()[1]
    theirs.close()
    measure = Measure(ours, keys)
    served = Served(process, measure, port)
    try:
        yield served
    finally:
        served.client.close()
        measure.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)  # it ends by itself, and its coverage is written
        process.kill()
        process.communicate()
