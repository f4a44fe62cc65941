"""A process killed at any point leaves a store that agrees with itself, and the next goes on from there."""

import json
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from recording import T0
from storing_child import ACT_EVERY, PERIODS, cell

from prober.store import Reader, Store

CHILD = Path(__file__).with_name("storing_child.py")
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join((str(CHILD.parent), *sys.path))}


def run(path: Path, *how: str, kill_after: float | None = None) -> None:
    with subprocess.Popen([sys.executable, CHILD, path, *how], stdout=subprocess.PIPE, env=ENVIRONMENT) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"started\n"
        if kill_after is not None:
            threading.Event().wait(kill_after)
            child.kill()
        assert child.wait(30) == -9


def closed(path: Path) -> int:
    """The last closed second, after looking that everything agrees with it and every second has its one verdict."""
    store = Store.open(path)
    memory = store.load().get("bird")
    last = T0 - 1 if memory is None or memory.closed is None else memory.closed
    if memory is not None:
        assert json.loads(memory.states["incident"]) == {"second": last}
    steps = [int(pending.act.step.removeprefix("step-")) for pending in store.pending()]
    store.close()
    seconds = list(range(T0, last + 1))
    assert steps == [second for second in seconds if second % ACT_EVERY == 0]
    with Reader(path) as reader:
        assert [record.at for record in reader.records("bird-1")] == seconds
        for key in PERIODS:
            assert list(reader.seconds(key, 0, T0 * 2)) == [(second, cell(key, second)) for second in seconds], key
    return last


@pytest.mark.parametrize("point", ["begin", "applied", "committed"])
def test_a_process_killed_around_a_commit_leaves_whole_seconds_alone(tmp_path: Path, point: str) -> None:
    path, last = tmp_path / "prober.db", T0 - 1
    for n in (1, 2, 9):
        run(path, point, str(n))
        now = closed(path)
        assert now >= last + (n if point == "committed" else n - 1)
        last = now


def test_a_process_killed_at_random_moments_loses_no_second_that_it_had_closed(tmp_path: Path) -> None:
    path, last, moments = tmp_path / "prober.db", T0 - 1, random.Random(7)
    for _ in range(8):
        run(path, kill_after=moments.uniform(0.0, 0.15))
        now = closed(path)
        assert now >= last
        last = now
    assert last > T0
