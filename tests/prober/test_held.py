"""Signals that come while the program starts: none kills it, none is lost."""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import prober.run
from prober import config
from prober.cli import main
from prober.config import Loaded
from prober.held import Held, held_signals
from prober.store import Store

CONFIGURATION = """\
listen: 127.0.0.1:0
services: {bird: {contract: bird-email-enterprise, channels: {api: [{name: a, url: "http://127.0.0.1:9/"}]}}}
"""
ALL = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def some_configuration(folder: Path) -> Path:
    path = folder / "prober.yaml"
    path.write_text(CONFIGURATION)
    return path


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


def test_told_to_stop_while_it_reads_its_configuration_it_goes_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: Path) -> Loaded:
        os.kill(os.getpid(), signal.SIGTERM)
        return loaded

    loaded = config.load(some_configuration(tmp_path))
    monkeypatch.setattr(config, "load", load)
    monkeypatch.setattr("prober.run.run", lambda *_: pytest.fail("it went on"))
    assert main(["run", str(loaded.path)]) == 0


def test_told_to_stop_while_it_opens_its_store_it_starts_no_serving_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listen_on(*given: Any) -> socket.socket:
        held.stop = True
        return listen(*given)

    held, listen = Held(), prober.run.listen_on
    monkeypatch.setattr(prober.run, "listen_on", listen_on)
    monkeypatch.setattr("prober.child.Child.spawn", lambda _: pytest.fail("it went on"))
    loaded = config.load(some_configuration(tmp_path))
    assert prober.run.run(loaded, held) == 0
    Store.open(tmp_path / "prober.db").close()  # it was let go


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
