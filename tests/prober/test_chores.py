"""The slow work: what it asks of the measuring process, and what it warns of."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asking import NOW, Desk
from recording import write

from prober import chores
from prober.deliver.relays import Guard
from prober.link import Decoder, Message, encode
from prober.measure.messages import figure_row
from prober.measure.minutes import Counting
from prober.store import FigureRow, Reader, Scope, Transaction
from prober.web.calling import Calling

DAY = 86_400


def test_retention_asks_the_only_writer_to_drop_what_is_past_its_time() -> None:
    sent: list[Message] = []
    chores.retain(Desk().view, sent.append, now=lambda: NOW)
    assert sent == [{"type": "purge", "failures_before": int(NOW) - 90 * DAY, "minutes_before": int(NOW) - 30 * DAY}]


def test_the_chores_run_beside_everything_else() -> None:
    async def work() -> None:
        sent: asyncio.Queue[Message] = asyncio.Queue()
        scheduler = chores.scheduler(Desk().view, sent.put_nowait, Guard(), Calling(Desk().view).call_once)
        scheduler.start()
        assert {job.id for job in scheduler.get_jobs()} == {"retention", "relays", "certificates"}
        scheduler.modify_job("retention", next_run_time=scheduler.get_job("relays").next_run_time.replace(year=2020))
        assert (await asyncio.wait_for(sent.get(), 10))["type"] == "purge"
        scheduler.shutdown(wait=False)

    asyncio.run(work())


class Asked:
    """Stands for the store's thread: asks a reader at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def ask(self, question: Callable[[Reader], Any]) -> Any:
        with Reader(self.path) as reader:
            return question(reader)


def test_hours_that_are_over_are_added_up_for_the_only_writer(tmp_path: Path) -> None:
    path = tmp_path / "prober.db"
    minute = Counting((("api", "account"),), 60, 7200)
    rows = [FigureRow("bird", Scope.CHANNELS, 60, 7200 + 60 * n, minute.columns, minute.body) for n in range(3)]
    write(path, Transaction(figures=tuple(rows)))
    sent: list[Message] = []
    asyncio.run(chores.add_up(Asked(path), sent.append, now=lambda: 7200 + 3600 + 599))  # type: ignore[arg-type]  # a stand-in
    assert sent == []
    asyncio.run(chores.add_up(Asked(path), sent.append, now=lambda: 7200 + 3600 + 600))  # type: ignore[arg-type]  # a stand-in
    (hour,) = Decoder().feed(encode(sent[0]))
    taken = figure_row(hour)
    assert (taken.service, taken.scope, taken.span, taken.start) == ("bird", Scope.CHANNELS, 3600, 7200)
    assert taken.columns == (("api", "account"),)
    assert taken.body == minute.body()


def test_however_many_services_there_are_no_hour_is_left_for_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "prober.db"
    minute = Counting((("api", "account"),), 60, 7200)
    names = [f"service-{n}" for n in range(chores.MOST_ADDED_UP + 1)]
    rows = [FigureRow(name, Scope.CHANNELS, 60, 7200, minute.columns, minute.body) for name in names]
    write(path, Transaction(figures=tuple(rows)))
    sent: list[Message] = []
    pauses: list[int] = []

    async def sleep(_: float) -> None:
        pauses.append(len(sent))

    asyncio.run(chores.add_up(Asked(path), sent.append, lambda: 7200 + 3600 + 600, sleep))  # type: ignore[arg-type]  # a stand-in
    assert sorted(message["service"] for message in sent) == sorted(names)
    assert pauses == [chores.MOST_ADDED_UP]  # the writer is not given all of them at once


def test_a_store_that_cannot_be_read_is_told_of_and_one_that_is_not_there_yet_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[Message] = []
    for name, content in (("missing.db", None), ("wrong.db", "no database")):
        if content is not None:
            (tmp_path / name).write_text(content)
        asyncio.run(chores.add_up(Asked(tmp_path / name), sent.append))  # type: ignore[arg-type]  # a stand-in
    assert [record.levelname for record in caplog.records if record.levelno >= logging.INFO] == ["WARNING"]
    assert (sent, "figures are not added up, until the next time" in caplog.text) == ([], True)
