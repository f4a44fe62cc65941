"""Signals that come while the program starts: none kills it, none is lost."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable

import pytest

from prober.held import Held, held_signals

ALL = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def heard(held: Held) -> list[str]:
    """What the loop's handlers are told of at once when they take over."""
    said: list[str] = []

    async def take_over() -> None:
        loop = asyncio.get_running_loop()
        held.stops(loop, lambda: said.append("stop"))
        held.reloads(loop, lambda: said.append("reload"))
        for number in ALL:
            loop.remove_signal_handler(number)

    asyncio.run(take_over())
    return said


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ([], []),
        ([signal.SIGHUP], ["reload"]),
        ([signal.SIGHUP, signal.SIGHUP], ["reload"]),
        ([signal.SIGTERM], ["stop"]),
        ([signal.SIGINT, signal.SIGHUP], ["stop", "reload"]),
    ],
)
def test_what_came_before_the_loop_is_told_to_it(sent: list[signal.Signals], told: list[str]) -> None:
    with held_signals() as held:
        for number in sent:
            os.kill(os.getpid(), number)
        assert heard(held) == told


def test_told_twice_to_stop_it_stops_at_once() -> None:
    with held_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_signals_that_come_later_reach_the_loop() -> None:
    async def wait_for(listen: Callable[[asyncio.AbstractEventLoop, Callable[[], None]], None], number: int) -> None:
        came = asyncio.Event()
        listen(asyncio.get_running_loop(), came.set)
        assert not came.is_set()
        os.kill(os.getpid(), number)
        await asyncio.wait_for(came.wait(), 20)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.run(wait_for(Held().stops, number))
    asyncio.run(wait_for(Held().reloads, signal.SIGHUP))


def test_the_handlers_before_are_put_back() -> None:
    before = [signal.getsignal(number) for number in ALL]
    with held_signals():
        assert [signal.getsignal(number) for number in ALL] != before
    assert [signal.getsignal(number) for number in ALL] == before


def test_beside_the_main_thread_signals_are_left_alone() -> None:
    before = [signal.getsignal(number) for number in ALL]
    found: list[object] = []

    def other() -> None:
        with held_signals() as held:
            found.extend(signal.getsignal(number) for number in ALL)
            found.append(held)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert found == [*before, Held()]
