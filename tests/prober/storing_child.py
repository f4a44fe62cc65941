"""A process that closes seconds as fast as it can, for the test that kills it: `storing_child.py STORE [POINT N]`.

It goes on from what the store remembers. With POINT and N it kills itself when the writer reaches that point the Nth time.
Each second writes its runs, a state that names it, a record, and now and then an act.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path

from recording import ACCOUNT, API, DOWN, MIXED, NO_CALL, OK, SERVICE, T0, Recorder, act

from prober.store import SeriesKey, Store, Writer
from rules.incident_events import Record, RecordKind
from rules.model import Cell
from rules.timeline import RunBuilder

PERIODS = {SERVICE: 1, API: 1, ACCOUNT: 10}
ACT_EVERY = 7


def cell(key: SeriesKey, second: int) -> Cell:
    """What a second was, as a function of itself, so that the test knows it too."""
    if key == ACCOUNT:
        return (OK if second // 100 % 3 else DOWN) if second % 10 == 0 else NO_CALL
    return (OK, DOWN, MIXED, OK, OK)[second // 7 % 5]


def recorder(store: Store) -> Recorder:
    made = Recorder(T0, PERIODS)
    memory = store.load().get("bird")
    if memory is not None and memory.closed is not None:
        made.next = memory.closed + 1
        made.builders = {key: RunBuilder.resume(n, memory.runs[key], memory.closed) for key, n in PERIODS.items()}
        made.written = {key: builder.open for key, builder in made.builders.items()}
    return made


class Killer:
    def __init__(self, point: str, n: int) -> None:
        self.point, self.left = point, n

    def __call__(self, point: str) -> None:
        self.left -= point == self.point
        if self.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main(path: str, point: str = "", n: str = "1") -> None:
    store = Store.open(Path(path))
    source = recorder(store)
    writer = Writer(store, failpoint=Killer(point, int(n)))
    writer.start()
    room = threading.Semaphore(5)
    print("started", flush=True)
    while True:
        room.acquire()
        second = source.next
        work = source.close(
            {key: cell(key, second) for key in PERIODS},
            states={("bird", "incident"): json.dumps({"second": second})},
            records=(Record("bird-1", second, RecordKind.NOTE, {}),),
            acts=(act(f"step-{second}"),) if second % ACT_EVERY == 0 else (),
        )
        writer.submit(work, lambda _: room.release())


if __name__ == "__main__":
    main(*sys.argv[1:])
