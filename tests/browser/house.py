"""The real serving process over a planted store, as the browser sees it; the measuring end of the link is ours.

A page's helper adds a line to `PAGES`: it is then looked at in light and dark, narrow and wide, with and without
scripts, and photographed by `make screenshots`.
"""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from prober.board import WIDTH, Column
from prober.link import Message
from rules.model import Cell
from tests.browser import planted
from tests.prober.serving import Served, called, served, totals


@dataclass(frozen=True, slots=True)
class Shown:
    """A page: its name, its path, and words that stand in its main part also without scripts."""

    name: str
    path: str
    says: str


PAGES = (
    Shown("status", "/", "Bird Email"),
    Shown("history", "/history", "Incidents, the newest first"),
    Shown("live", "/live", "SMTP: injection"),
    Shown("incidents", "/incidents", "aivo-recovered"),
    Shown("room", "/incidents/bird-open", "What is wrong"),
    Shown("room-closed", "/incidents/bird-closed", "What is wrong"),
    Shown("login", "/login", "token"),
    Shown("reasons", "/reasons", "read_timeout"),
)  # fmt: skip


class House:
    """`url` is where it is served; `now` the first second that the store does not hold."""

    def __init__(self, process: Served, now: int) -> None:
        self.now = now
        self.url = f"http://127.0.0.1:{process.port}"
        self.client = process.client
        self.entries: list[Message] = []  # steps that were entered, oldest first
        self.refuse = ""  # why every step is refused; "": they are taken
        self._measure = process.measure
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._beat, self._answer)]

    def send(self, *messages: Message) -> None:
        """Say something as the measuring process."""
        with self._lock:
            self._measure.send(*messages)

    def close_second(self, cells: Mapping[str, Cell], service: str = "bird", **more: Any) -> int:
        """The next second of a service closes; `cells` by channel ("": the service's own). Answers the second."""
        second = self.now
        self.now += 1
        self.send({"type": "second", "service": service, "second": second, "cells": linked(cells), **more})
        return second

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ended.set()
        self._measure.link.shutdown(2)  # both directions: the thread that reads wakes up, and serving ends
        for thread in self._threads:
            thread.join(10)

    def _beat(self) -> None:
        """The heartbeat: without it every page says that it cannot be trusted."""
        with contextlib.suppress(OSError):
            n = 0
            while not self._ended.wait(0.5):
                n += 1
                self._call(0.02 + 0.3 * (n % 7 == 0))
                self.send(totals())

    def _call(self, took: float) -> None:
        """Each endpoint's newest call ends now, after `took` seconds."""
        cells = self._measure.board.cells
        for start in range(0, len(cells), WIDTH):
            cells[start + Column.DURATION] = took
            cells[start + Column.ENDED] = time.time()

    def _answer(self) -> None:
        """Takes every step that is entered, as the measuring process would, or refuses it with `refuse`."""
        with contextlib.suppress(OSError, AssertionError):  # the link has ended
            while not self._ended.is_set():
                entry = self._measure.expect("entry", within=3600)
                self.entries.append(entry)
                answer = {"type": "entered", "id": entry["id"], "ok": not self.refuse, "error": self.refuse}
                self.send(answer)


def linked(cells: Mapping[str, Cell]) -> dict[str, Any]:
    """Cells as the link carries them."""
    return {
        name: [cell.verdict.value, cell.reason, cell.calls, {fault.value: n for fault, n in cell.faults}]
        for name, cell in cells.items()
    }


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[House]:
    """A house over a store in `folder`, which must be empty. It serves and is fit when this is entered."""
    now = int(time.time())
    planted.plant(folder, now)
    with served(planted.KEYS) as process:
        process.client.timeout = httpx.Timeout(60)  # it may start slowly
        measure = process.measure
        for index in range(len(planted.KEYS)):
            called(measure.board, index, (0.001, 0.002, 0.0, 0.05, 0.01))
        measure.setup(folder, planted.RAW)
        house = House(process, now)
        house.send({"type": "incidents", "open": [planted.open_incident(now)]})
        house.start()
        down = {"": planted.DOWN, "api": planted.DOWN, "smtp": planted.OK}
        house.close_second(down)
        house.now -= 1
        house.close_second({"": planted.OK, "api": planted.OK}, "aivo")
        try:
            process.wait_for("/-/ready", 200)
            yield house
        finally:
            house.end()
