"""The serving process as the measuring one holds it: started again when it dies, never waited for."""

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prober import child as child_module
from prober.child import Child
from prober.link import Message

FAKE = str(Path(__file__).with_name("fake_serve.py"))
REAL = child_module.COMMAND


class Holder:
    """A measuring process that only holds a child; `seen` are the child's messages."""

    def __init__(self, listen: socket.socket) -> None:
        self.seen: list[Message] = []
        self.hellos = 0
        self._news = asyncio.Event()
        self.child = Child(listen, self.take, self.hello)

    def take(self, message: Message) -> None:
        if message["type"] == "bad":
            raise KeyError("act")
        self.seen.append(message)
        self._news.set()

    def hello(self) -> None:
        self.hellos += 1
        self.child.send({"type": "setup"})

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                self._news.clear()
                await self._news.wait()

    def of(self, kind: str) -> list[Message]:
        return [m for m in self.seen if m["of"] == kind]


async def soon(holds: Callable[[], bool]) -> None:
    """Look again after every turn of the loop, 30 s at most."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.002)


@pytest.fixture
def listen() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "COMMAND", (sys.executable, FAKE))
    monkeypatch.setattr(child_module, "_FIRST_PAUSE", 0.05)


def held(listen: socket.socket, test: Callable[[Holder], Awaitable[None]]) -> None:
    """Run `test` with a child that has been started and greeted, and end it."""

    async def go() -> None:
        holder = Holder(listen)
        holder.child.spawn()
        try:
            await holder.child.attach()
            await holder.until(lambda: bool(holder.of("setup")))
            await test(holder)
        finally:
            await holder.child.stop(5.0)

    asyncio.run(go())


def test_it_is_greeted_and_inherits_the_listening_socket(listen: socket.socket) -> None:
    async def test(holder: Holder) -> None:
        assert holder.hellos == 1
        assert holder.seen[0]["pid"] == holder.child.pid
        assert holder.seen[0]["port"] == listen.getsockname()[1]

    held(listen, test)


def test_one_of_a_start_that_failed_is_killed_with_its_link(listen: socket.socket) -> None:
    child = Child(listen, lambda _: None, lambda: None)
    child.spawn()
    pid = child.pid
    assert pid is not None
    child.kill()
    del child
    gc.collect()  # an open socket would be warned of, and a warning is an error
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_one_that_dies_is_started_again_and_greeted_again(listen: socket.socket) -> None:
    async def test(holder: Holder) -> None:
        first = holder.child.pid
        holder.child.send({"type": "die"})
        await holder.until(lambda: len(holder.of("setup")) == 2)
        assert (holder.hellos, holder.child.restarts) == (2, 1)
        assert holder.child.pid not in (None, first)

    held(listen, test)


def test_one_that_is_killed_is_started_again(listen: socket.socket) -> None:
    async def test(holder: Holder) -> None:
        assert holder.child.pid is not None
        os.kill(holder.child.pid, signal.SIGKILL)
        await holder.until(lambda: len(holder.of("setup")) == 2)

    held(listen, test)


def test_what_is_sent_while_there_is_none_is_let_go(listen: socket.socket) -> None:
    async def test(holder: Holder) -> None:
        holder.child.send({"type": "die"})
        await holder.until(lambda: bool(holder.of("die")))
        await soon(lambda: holder.child._transport is None)
        holder.child.send({"type": "second"})
        await holder.until(lambda: len(holder.of("setup")) == 2)
        assert holder.of("second") == []

    held(listen, test)


def test_sending_never_waits_and_views_are_dropped_when_it_is_behind_but_acts_are_not(listen: socket.socket) -> None:
    async def test(holder: Holder) -> None:
        holder.child.send({"type": "deaf"})
        await holder.until(lambda: bool(holder.of("deaf")))
        big = "x" * 100_000
        begun = time.monotonic()
        for _ in range(200):
            holder.child.send({"type": "second", "big": big})
        assert time.monotonic() - begun < 10
        dropped = holder.child.dropped
        assert 100 < dropped < 200, "some 4 MiB wait, the rest is let go"
        transport = holder.child._transport
        assert transport is not None
        waiting = transport.get_write_buffer_size()
        holder.child.send({"type": "act", "big": big})
        assert transport.get_write_buffer_size() >= waiting + 100_000
        assert holder.child.dropped == dropped
        assert holder.child.pid is not None
        os.kill(holder.child.pid, signal.SIGKILL)

    held(listen, test)


def test_a_message_that_cannot_be_taken_is_left_out_and_the_next_is_taken(
    listen: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(holder: Holder) -> None:
        holder.child.send({"type": "bad"})
        await holder.until(lambda: bool(holder.of("after bad")))
        assert holder.child.restarts == 0

    held(listen, test)
    assert "is not right" in caplog.text


def test_stopped_it_ends_and_its_last_words_are_taken(listen: socket.socket) -> None:
    holders: list[Holder] = []

    async def test(holder: Holder) -> None:
        holders.append(holder)

    held(listen, test)
    (holder,) = holders
    assert [m["of"] for m in holder.seen] == ["setup", "SIGTERM"]
    assert holder.child.restarts == 0
    assert holder.child._process is not None
    assert holder.child._process.returncode == 0


def test_one_that_ends_while_we_are_about_to_is_let_go(listen: socket.socket, caplog: pytest.LogCaptureFixture) -> None:
    """A supervisor tells the whole group to end, and we have open calls: it was started again, with an error in the log."""

    async def test(holder: Holder) -> None:
        holder.child.leave()
        holder.child.send({"type": "die"})
        await soon(lambda: holder.child._transport is None)
        assert holder.child._restart is None

    held(listen, test)
    assert "started again" not in caplog.text


def test_one_that_does_not_end_is_killed(listen: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "_LAST_WORDS", 0.05)

    async def go() -> None:
        holder = Holder(listen)
        holder.child.spawn()
        await holder.child.attach()
        holder.child.send({"type": "stubborn"})
        await holder.until(lambda: bool(holder.of("stubborn")))
        await holder.child.stop(0.05)
        assert holder.child._process is not None
        assert holder.child._process.returncode in (0, -signal.SIGKILL)

    asyncio.run(go())


def test_told_to_stop_while_it_waits_to_start_one_again_it_starts_none(
    listen: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "_FIRST_PAUSE", 60.0)

    async def go() -> None:
        holder = Holder(listen)
        holder.child.spawn()
        await holder.child.attach()
        await holder.until(lambda: bool(holder.of("setup")))
        holder.child.send({"type": "die"})
        await holder.until(lambda: bool(holder.of("die")))
        await soon(lambda: holder.child._restart is not None)
        begun = time.monotonic()
        await holder.child.stop(5.0)
        if holder.child._restart is not None:
            await holder.child._restart
        assert time.monotonic() - begun < 30
        assert (holder.hellos, holder.child.restarts) == (1, 0)

    asyncio.run(go())


def test_one_that_cannot_be_started_again_is_tried_once_more(
    listen: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(holder: Holder) -> None:
        monkeypatch.setattr(child_module, "COMMAND", ("/nowhere/at/all",))
        holder.child.send({"type": "die"})
        await soon(lambda: "cannot be started" in caplog.text)
        monkeypatch.setattr(child_module, "COMMAND", (sys.executable, FAKE))
        await holder.until(lambda: len(holder.of("setup")) == 2)

    held(listen, test)


def test_the_pause_doubles_while_it_keeps_dying(listen: socket.socket) -> None:
    async def test(holder: Holder) -> None:
        for n in (2, 3, 4):
            holder.child.send({"type": "die"})
            await holder.until(lambda n=n: len(holder.of("setup")) == n)  # type: ignore[misc]  # a default binds it
        assert holder.child._pause == 0.05 * 2**3

    held(listen, test)


def test_after_a_good_while_the_pause_begins_anew(listen: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(holder: Holder) -> None:
        holder.child._pause = 20.0
        monkeypatch.setattr(child_module, "_WELL", 0.0)
        holder.child.send({"type": "die"})
        await holder.until(lambda: len(holder.of("setup")) == 2)
        assert holder.child._pause == 0.1

    held(listen, test)


def test_it_is_not_told_of_systemds_sockets(listen: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """READY and WATCHDOG are the measuring process's to say."""
    given: list[dict[str, Any]] = []
    popen = subprocess.Popen

    def spy(*args: Any, **kwargs: Any) -> Any:
        given.append(kwargs)
        return popen(*args, **kwargs)

    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(subprocess, "Popen", spy)

    async def test(_holder: Holder) -> None:
        return

    held(listen, test)
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & given[0]["env"].keys()


def test_what_lies_in_the_working_directory_is_none_of_its_modules(
    listen: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version of the program, or what somebody else put into /tmp: it ran as ours, or no act went out."""
    (tmp_path / "prober").mkdir()
    for name in ("prober/__init__.py", "socket.py", "uvloop.py"):
        (tmp_path / name).write_text("raise SystemExit(3)")
    monkeypatch.setattr(child_module, "COMMAND", REAL)
    monkeypatch.chdir(tmp_path)
    child = Child(listen, lambda _m: None, lambda: None)
    child.spawn()
    assert child._near is not None
    child._near.close()  # it ends by itself
    assert child._process is not None
    assert child._process.wait(60) == 0


def test_killed_when_the_start_fails_it_is_gone(listen: socket.socket) -> None:
    child = Child(listen, lambda _m: None, lambda: None)
    child.kill()
    child.spawn()
    child.kill()
    assert child._process is not None
    assert child._process.returncode == -signal.SIGKILL
    assert child._near is not None
    child._near.close()
