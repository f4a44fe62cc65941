"""Signals that come while the program still starts, kept until somebody can heed them.

Before that SIGHUP would end the process, and a KeyboardInterrupt that Python raises just where it ignores exceptions (a
finalizer, an import's callback) would be lost.
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType


@dataclass(slots=True)
class Held:
    """What was asked for so far."""

    stop: bool = False
    reload: bool = False

    def note(self, number: int, _: FrameType | None) -> None:
        """A signal's handler. Raises KeyboardInterrupt when the program is told to stop once more."""
        if number == signal.SIGHUP:
            self.reload = True
        elif self.stop:
            raise KeyboardInterrupt
        else:
            self.stop = True

    def stops(self, loop: asyncio.AbstractEventLoop, then: Callable[[], object]) -> None:
        """From now on SIGTERM and SIGINT call `then` on the loop; at once where one has come."""
        loop.add_signal_handler(signal.SIGTERM, then)
        loop.add_signal_handler(signal.SIGINT, then)
        if self.stop:
            then()

    def reloads(self, loop: asyncio.AbstractEventLoop, then: Callable[[], object]) -> None:
        """From now on SIGHUP calls `then` on the loop; at once where one has come."""
        loop.add_signal_handler(signal.SIGHUP, then)
        if self.reload:
            then()


@contextlib.contextmanager
def held_signals() -> Iterator[Held]:
    """Note SIGTERM, SIGINT and SIGHUP instead of dying of them; the loop's own handlers take their place later."""
    held = Held()
    if threading.current_thread() is not threading.main_thread():
        yield held  # signals are the main thread's
        return
    before = {number: signal.signal(number, held.note) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield held
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
