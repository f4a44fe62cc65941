"""The demo's directory, its child process, and its waiting: what is missing is said."""

import asyncio
import io
import os
import signal
import socket
import stat
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from prober import config
from prober.demo.folder import SERVICE, Folder, Pace
from prober.demo.process import Process
from prober.demo.screen import Screen
from prober.demo.stage import MissingError, Stage, set_up
from prober.demo.watch import News, Watch
from prober.errors import UsageError


def staged(folder: Path) -> Stage:
    return Stage(Screen(io.StringIO(), colours=False), Folder.make(folder), Pace())


def test_the_configuration_is_an_ordinary_one(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            stage = staged(tmp_path / "a" / "demo")
            await stage.open(stack)
            loaded = config.load(stage.folder.config)
            service = loaded.settings.services[SERVICE]
            assert loaded.settings.listen == f"127.0.0.1:{stage.port}"
            assert service.channels.api[0].url == stage.vendor.account_url
            assert (service.persistence.for_, service.persistence.recovered_after, service.timeout) == (
                10_000,
                8_000,
                2_000,
            )
            assert stage.folder.key.read_text().strip() not in stage.folder.config.read_text(), "no secret is in it"
            assert stat.S_IMODE(stage.folder.key.stat().st_mode) == 0o600
            with socket.socket() as prober:  # as `listen` opens it
                prober.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                prober.bind(("127.0.0.1", stage.port))
                prober.listen()

    asyncio.run(main())


def test_without_a_choice_each_demo_has_a_directory_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first, second = Folder.make(None), Folder.make(None)
    assert first.path != second.path
    assert first.path.parent == tmp_path


@pytest.mark.parametrize("name", ["demo.yaml", "prober.db", "api.key"])
def test_a_directory_with_a_demo_in_it_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(UsageError, match=f"{name} is there already"):
        Folder.make(tmp_path)


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be used"):
        Folder.make(tmp_path / "file" / "demo")


def test_a_directory_that_has_gone_is_told_of(tmp_path: Path) -> None:
    folder = Folder.make(tmp_path / "demo")
    folder.path.rmdir()
    with pytest.raises(UsageError, match=r"api\.key: cannot be written"):
        folder.write_key()


def test_what_does_not_come_in_time_is_named(tmp_path: Path) -> None:
    stage = staged(tmp_path)
    with pytest.raises(MissingError, match="did not happen within 0 s: the moon rises"):
        asyncio.run(stage.until(lambda seen: bool(seen.seconds), 0.0, "the moon rises"))


def test_a_prober_that_ends_by_itself_is_told_of_with_its_log(tmp_path: Path) -> None:
    async def main() -> None:
        stage = staged(tmp_path)
        stage.folder.config.write_text("services: {}\n")
        await stage.prober.start()
        with pytest.raises(MissingError, match="ended by itself, with status 2"):
            await stage.until(lambda seen: bool(seen.seconds), 60.0, "a second")
        assert "services" in "".join(stage.prober.last_lines())
        assert await stage.prober.stop() == 2, "to stop it twice harms nobody"

    asyncio.run(main())


async def said(word: str, process: Process) -> None:
    """Wait until the log has this line."""
    async with asyncio.timeout(60):
        while word not in process.last_lines():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0)


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_prober_that_does_not_end_is_ended(cancelled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when whoever waits for it loses patience."""
    monkeypatch.setattr("sys.executable", "/bin/sh")
    script = tmp_path / "deaf"
    log = tmp_path / "log"
    script.write_text("trap 'echo deaf' TERM; echo ready; while :; do read line < \"$0.never\"; done\n")
    os.mkfifo(f"{script}.never")

    async def main() -> None:
        process = Process(tmp_path / "demo.yaml", log)
        monkeypatch.setattr("prober.demo.process._COMMAND", (str(script),))
        await process.start()
        await said("ready", process)  # it hears signals in its own way from now on
        stopping = asyncio.ensure_future(process.stop())
        if cancelled:
            await said("deaf", process)
            stopping.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stopping
            assert await process.ended() == -signal.SIGKILL
        else:
            assert await stopping == -signal.SIGKILL

    if not cancelled:
        monkeypatch.setattr("prober.demo.process._PARTING", 0.5)
    asyncio.run(main())


def test_a_process_that_was_never_started_has_nothing_to_end(tmp_path: Path) -> None:
    process = Process(tmp_path / "demo.yaml", tmp_path / "prober.log")
    assert process.status is None
    assert asyncio.run(process.stop()) == 0
    process.kill()
    assert process.last_lines() == ["(its log cannot be read: No such file or directory)"]


def test_the_log_is_shown_without_its_punctuation(tmp_path: Path) -> None:
    log = tmp_path / "prober.log"
    log.write_text(
        '{"time":"2026-11-22T17:19:47.010Z","level":"warn","logger":"prober.run","message":"late","seconds":3}\n'
        '{"time":"2026-11-22T17:19:48.010Z","level":"info","logger":"prober.run","message":"stopped"}\n'
        '["junk"]\nTraceback (most recent call last):\n'
    )
    assert Process(tmp_path, log).last_lines() == [
        "17:19:47.010 warn late: seconds=3",
        "17:19:48.010 info stopped",
        '["junk"]',
        "Traceback (most recent call last):",
    ]


def test_a_store_that_is_not_there_yet_holds_nothing(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "prober.db", SERVICE)
    assert watch.look() == News()
    watch.close()


def test_all_doors_are_closed_when_the_start_fails(tmp_path: Path) -> None:
    async def main() -> int:
        folder = Folder.make(tmp_path)
        folder.config.mkdir()  # so that it cannot be written
        with pytest.raises(UsageError, match="Is a directory"):
            async with set_up(Screen(io.StringIO(), colours=False), folder, Pace()):
                pass
        return len(asyncio.all_tasks())

    assert asyncio.run(main()) == 1
