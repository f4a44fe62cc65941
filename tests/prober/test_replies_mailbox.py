"""A mailbox watched over everything that happens to mailboxes: every mail is handed on once, against Debian's dovecot."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from prober.replies import mailbox
from prober.replies.imap import Fetched
from prober.replies.mailbox import Account, Position, Watcher, fingerprint
from tests.peers.dovecot_peer import PASSWORD, USER, Dovecot, dovecot, until
from tests.peers.imap_peer import imap_peer

pytestmark = pytest.mark.peer("dovecot")


@pytest.fixture
def server() -> Iterator[Dovecot]:
    with tempfile.TemporaryDirectory(prefix="dv") as folder, dovecot(Path(folder)) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(mailbox, "LONGEST_PAUSE", 0.2)
    monkeypatch.setattr(mailbox, "ANSWER", 5.0)


class Reader:
    """Takes what the watcher hands on. A mail concerns somebody unless it says otherwise."""

    def __init__(self, position: Position | None = None, oldest: int = 0) -> None:
        self.position = position or Position()
        self.mails: list[str] = []
        self.told: list[Position] = []
        self._oldest = oldest

    def take(self, mail: Fetched | None, position: Position) -> bool:
        if mail is not None:
            self.mails.append(mail.raw.split(b"Subject: ")[1].split(b"\r\n")[0].decode())
            if b"nobody's" in mail.raw:
                return False
        self.position = position
        self.told.append(position)
        return True

    @asynccontextmanager
    async def watching(self, server: Dovecot, **more: Any) -> AsyncIterator[Watcher]:
        account = Account("box", "127.0.0.1", server.port, "none", USER, PASSWORD, **more)
        watcher = Watcher(account, self.position, self.take, lambda: self._oldest)
        task = asyncio.create_task(watcher.run())
        try:
            yield watcher
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def has(self, *subjects: str) -> None:
        try:
            await until(lambda: len(self.mails) >= len(subjects))
        finally:
            assert self.mails == list(subjects)


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


def letter(subject: str, text: str = "x") -> str:
    return f"From: a@b.c\r\nSubject: {subject}\r\nMessage-ID: <{subject}@x>\r\n\r\n{text}\r\n"


def test_what_lay_there_before_the_first_look_is_left_and_what_comes_is_read(server: Dovecot) -> None:
    async def work() -> None:
        server.deliver(letter("old"))
        reader = Reader()
        async with reader.watching(server) as watcher:
            await until(lambda: watcher.connected)
            assert reader.position.uid == 1, "how far it was read is told, though nothing was"
            server.deliver(letter("first"))
            await reader.has("first")
            server.deliver(letter("second"))
            await reader.has("first", "second")
        assert not any(name.endswith("S") for name in server.files())

    run(work)


def test_with_an_incident_open_the_first_look_goes_back_to_its_opening(server: Dovecot) -> None:
    async def work() -> None:
        server.deliver(letter("answer"))
        reader = Reader(oldest=1_700_000_000)
        async with reader.watching(server):
            await reader.has("answer")

    run(work)


def test_a_restart_reads_nothing_twice_and_misses_nothing(server: Dovecot) -> None:
    async def work() -> None:
        first = Reader()
        async with first.watching(server) as watcher:
            await until(lambda: watcher.connected)
            server.deliver(letter("one"))
            await first.has("one")
        server.deliver(letter("meanwhile"))
        second = Reader(Position.from_json(first.position.to_json()))
        async with second.watching(server):
            await second.has("meanwhile")
            server.deliver(letter("two"))
            await second.has("meanwhile", "two")

    run(work)


def test_a_server_that_is_restarted_is_watched_again(server: Dovecot) -> None:
    async def work() -> None:
        reader = Reader()
        async with reader.watching(server) as watcher:
            await until(lambda: watcher.connected)
            await asyncio.to_thread(server.stop)
            await until(lambda: not watcher.connected)
            server.deliver(letter("while down"))
            await asyncio.to_thread(server.start)
            await reader.has("while down")

    run(work)


def test_a_server_that_stands_still_is_left_and_found_again(server: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "ANSWER", 0.5)
    monkeypatch.setattr(mailbox, "IDLE", 0.2)

    async def work() -> None:
        reader = Reader()
        async with reader.watching(server) as watcher:
            await until(lambda: watcher.connected)
            server.freeze()
            server.deliver(letter("while frozen"))
            await until(lambda: not watcher.connected)
            server.thaw()
            await reader.has("while frozen")

    run(work)


def test_a_folder_that_was_numbered_anew_is_looked_through_and_nothing_is_read_twice(server: Dovecot) -> None:
    async def work() -> None:
        first = Reader()
        async with first.watching(server) as watcher:
            await until(lambda: watcher.connected)
            for subject in ("one", "two"):
                server.deliver(letter(subject))
            await until(lambda: sorted(first.mails) == ["one", "two"])
        await asyncio.to_thread(server.stop)
        server.renumber()
        server.deliver(letter("three"))
        await asyncio.to_thread(server.start)
        second = Reader(Position(first.position.validity - 1, *_rest(first.position)))
        async with second.watching(server):
            await second.has("three")
            assert second.position.validity != first.position.validity - 1

    run(work)


def _rest(position: Position) -> tuple[int, int, tuple[str, ...]]:
    return position.uid, position.at, position.seen


def test_without_idle_it_looks_from_time_to_time() -> None:
    async def work(server: Dovecot) -> None:
        reader = Reader()
        async with reader.watching(server, every=0.05) as watcher:
            await until(lambda: watcher.connected)
            server.deliver(letter("polled"))
            await reader.has("polled")

    with tempfile.TemporaryDirectory(prefix="dv") as folder, dovecot(Path(folder), idle=False) as server:
        asyncio.run(work(server))


def test_what_concerns_somebody_is_marked_where_the_configuration_asks_for_it(server: Dovecot) -> None:
    async def work() -> None:
        reader = Reader()
        async with reader.watching(server, mark_seen=True) as watcher:
            await until(lambda: watcher.connected)
            server.deliver(letter("nobodys", "nobody's"))
            server.deliver(letter("answer"))
            await until(lambda: sum(name.endswith("S") for name in server.files()) == 1)
            assert sorted(reader.mails) == ["answer", "nobodys"]

    run(work)


def test_a_flood_that_concerns_nobody_is_read_and_told_in_few_words(server: Dovecot) -> None:
    async def work() -> None:
        for n in range(120):
            server.deliver(letter(f"n{n}", "nobody's"))
        reader = Reader(oldest=1_700_000_000)
        async with reader.watching(server):
            await until(lambda: len(reader.mails) == 120)
            await until(lambda: reader.position.uid == 120)
        assert len(reader.told) <= 4
        assert len(reader.position.seen) == 120

    run(work)


def test_fingerprints_are_bounded(server: Dovecot) -> None:
    position = Position()
    for n in range(500):
        position = position.beyond(7, Fetched(n + 1, n, 1, str(n).encode()))
    assert (position.uid, position.at, len(position.seen)) == (500, 499, 200)
    assert position.seen[-1] == fingerprint(Fetched(1, 1, 1, b"499"))
    assert Position.from_json(position.to_json()) == position


def test_a_mail_that_cannot_be_read_is_given_up_and_the_others_are_not(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[str] = []

    def play(command: str) -> bytes | None:
        asked.append(command)
        if command.startswith("EXAMINE"):
            return b"* OK [UIDVALIDITY 7]\r\n* OK [UIDNEXT 9]\r\n{tag} OK\r\n"
        if "SEARCH" in command:
            return b"* SEARCH 5 6\r\n{tag} OK\r\n" if "UID 5:" in command else b"* SEARCH\r\n{tag} OK\r\n"
        if "FETCH 5 " in command:
            return b"{tag} NO internal error\r\n"
        if "FETCH 6 " in command:
            return b"* 2 FETCH (UID 6 RFC822.SIZE 20 BODY[]<0> {16}\r\nSubject: six\r\n\r\n)\r\n{tag} OK\r\n"
        if command == "CAPABILITY":
            return b"* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n"
        return b"{tag} OK\r\n"

    async def work() -> None:
        reader = Reader(Position(7, 4))
        async with imap_peer(play) as port:
            account = Account("box", "127.0.0.1", port, "none", "u", "p", every=0.05)
            task = asyncio.create_task(Watcher(account, reader.position, reader.take, lambda: 0).run())
            await reader.has("six")
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    run(work)
    assert sum("FETCH 5 " in command for command in asked) == 3
    assert "cannot be read; look at it there" in caplog.text
    assert caplog.text.count("is not watched") == 1, "told once, not at each attempt"


def test_where_the_server_does_not_say_what_comes_next_the_newest_is_looked_up() -> None:
    def play(command: str) -> bytes | None:
        if command.startswith("EXAMINE"):
            return b"* OK [UIDVALIDITY 7]\r\n{tag} OK\r\n"
        if "SEARCH" in command:
            return b"* SEARCH 3 8 5\r\n{tag} OK\r\n"
        return b"* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n" if command == "CAPABILITY" else b"{tag} OK\r\n"

    async def work() -> None:
        reader = Reader()
        async with imap_peer(play) as port:
            account = Account("box", "127.0.0.1", port, "none", "u", "p", every=0.05)
            task = asyncio.create_task(Watcher(account, reader.position, reader.take, lambda: 0).run())
            await until(lambda: reader.position.uid == 8)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    run(work)


def capricious(idle: bytes, commands: list[str]) -> Callable[[str], bytes | None]:
    """A server that offers IDLE and answers it with `idle`; a mail lies there once it was asked for news."""

    def play(command: str) -> bytes | None:
        commands.append(command)
        if command == "IDLE":
            return idle
        if command == "CAPABILITY":
            return b"* CAPABILITY IMAP4rev1 IDLE\r\n{tag} OK\r\n"
        if command.startswith("EXAMINE"):
            return b"* OK [UIDVALIDITY 7]\r\n* OK [UIDNEXT 5]\r\n{tag} OK\r\n"
        if "SEARCH" in command and "NOOP" in commands:
            return b"* SEARCH 5\r\n{tag} OK\r\n"
        if "FETCH" in command:
            return b"* 1 FETCH (UID 5 RFC822.SIZE 18 BODY[]<0> {18}\r\nSubject: polled\r\n\r\n)\r\n{tag} OK\r\n"
        return b"{tag} OK\r\n"

    return play


def test_a_server_that_offers_idle_and_refuses_it_is_polled_over_the_same_connection() -> None:
    commands: list[str] = []

    async def work() -> None:
        reader = Reader(Position(7, 4))
        async with imap_peer(capricious(b"{tag} NO not here\r\n", commands)) as port:
            account = Account("box", "127.0.0.1", port, "none", "u", "p", every=0.05)
            task = asyncio.create_task(Watcher(account, reader.position, reader.take, lambda: 0).run())
            await reader.has("polled")
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    run(work)
    assert commands.count("IDLE") == 1
    assert sum(command.startswith("LOGIN") for command in commands) == 1


def test_a_connection_that_never_lasts_is_tried_ever_more_slowly_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    commands: list[str] = []

    async def work() -> None:
        async with imap_peer(capricious(b"", commands)) as port:
            account = Account("box", "127.0.0.1", port, "none", "u", "p")
            task = asyncio.create_task(Watcher(account, Position(7, 4), Reader().take, lambda: 0).run())
            await until(lambda: commands.count("IDLE") >= 4)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    run(work)
    assert sum("is not watched" in record.message for record in caplog.records if record.levelname == "WARNING") == 1
