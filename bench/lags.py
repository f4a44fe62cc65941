"""How late things begin, call by call: the program with a finer histogram, and a bare timer to hold it against.

`python -m bench.lags program CONFIG FILE` is `prober run CONFIG`; `python -m bench.lags timer RATE FILE` only waits, for RATE
moments a second spread as the program spreads its places. Both forget what they have seen on SIGUSR1, and write the counts
(by bins of 10 µs) into FILE as they end by SIGTERM.
"""

import asyncio
import json
import signal
import sys
import time
from array import array
from pathlib import Path
from typing import Any

import uvloop

from prober.link import LAG_BUCKETS
from prober.measure import figures
from prober.measure.lane import FIRST_PLACE, LAST_PLACE

BIN = 10e-6  # seconds
_BINS = 100_000
NS = 1_000_000_000


class Fine(figures.Histogram):
    """The program's histogram, that also keeps fine bins."""

    __slots__ = ("bins",)

    def __init__(self, bounds: tuple[float, ...]) -> None:
        super().__init__(bounds)
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.bins = array("L", bytes(8 * _BINS))

    def add(self, seconds: float) -> None:
        super().add(seconds)
        self.bins[min(_BINS - 1, int(seconds / BIN))] += 1

    def save(self, path: Path) -> None:
        """The bins that hold anything, as JSON."""
        path.write_text(json.dumps({place: n for place, n in enumerate(self.bins) if n}))


def quantile(path: Path, share: float) -> float:
    """The lag (seconds) below which `share` of those in a file of ours lie; 0 without any."""
    bins = sorted((int(place), n) for place, n in json.loads(path.read_text()).items())
    wanted = share * sum(n for _, n in bins)
    for place, n in bins:
        wanted -= n
        if wanted <= 0:
            return (place + 1) * BIN
    return 0.0


def program(config: str, out: Path) -> int:
    """`prober run`, its lags kept."""
    from prober.cli import main

    lag = Fine(LAG_BUCKETS)
    begin = figures.Figures.__init__

    def fine(self: figures.Figures) -> None:
        begin(self)
        self.lag = lag

    figures.Figures.__init__ = fine  # type: ignore[method-assign]  # the program is measured as it is, but for this
    signal.signal(signal.SIGUSR1, lambda *_: lag.forget())
    status = main(["run", config])
    lag.save(out)
    return status


async def timer(rate: int, out: Path) -> None:
    """Waits until each moment is due, and does nothing."""
    loop = asyncio.get_running_loop()
    lag, ended = Fine(LAG_BUCKETS), asyncio.Event()
    places = [FIRST_PLACE + (LAST_PLACE - FIRST_PLACE) * n // rate for n in range(rate)]
    offset = time.time_ns() - time.monotonic_ns()
    second, place = (time.time_ns() // NS + 1) * NS, 0
    waiting: Any = None

    def wake() -> None:
        nonlocal second, place, waiting
        while (due := second + places[place] - offset) <= (now := time.monotonic_ns()):
            lag.add((now - due) / NS)
            place += 1
            if place == rate:
                second, place = second + NS, 0
        waiting = loop.call_later(max(0.001, (due - time.monotonic_ns()) / NS), wake)

    loop.add_signal_handler(signal.SIGUSR1, lag.forget)
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    wake()
    await ended.wait()
    waiting.cancel()
    lag.save(out)


def main() -> int:
    kind, what, out = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    if kind == "program":
        return program(what, out)
    uvloop.run(timer(int(what), out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
