"""The slow work: what it asks of the measuring process, and what it warns of."""

import asyncio
import logging

import pytest
from asking import NOW, Desk
from serving import called

from prober import chores
from prober.deliver.relays import Guard
from prober.link import Message

DAY = 86_400


def test_retention_asks_the_only_writer_to_drop_what_is_past_its_time() -> None:
    sent: list[Message] = []
    chores.retain(Desk().view, sent.append, now=lambda: NOW)
    assert sent == [{"type": "purge", "failures_before": int(NOW) - 90 * DAY}]


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (13 * DAY, "the certificate of bird/api/account expires in 13 days"),
        (3600, "the certificate of bird/api/account expires in 0 days"),
        (-DAY, "the certificate of bird/api/account expired 1 days ago"),
        (15 * DAY, ""),
    ],
)
def test_certificates_that_end_soon_are_warned_of(left: int, words: str, caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    called(desk.board, 0, [], expiry=NOW + left)
    called(desk.board, 1, [])  # no certificate
    with caplog.at_level(logging.WARNING):
        chores.sweep(desk.view)
    assert [record.getMessage() for record in caplog.records] == ([words] if words else [])


def test_the_chores_run_beside_everything_else() -> None:
    async def work() -> None:
        sent: asyncio.Queue[Message] = asyncio.Queue()
        scheduler = chores.scheduler(Desk().view, sent.put_nowait, Guard())
        scheduler.start()
        assert {job.id for job in scheduler.get_jobs()} == {"retention", "relays", "certificates"}
        scheduler.modify_job("retention", next_run_time=scheduler.get_job("relays").next_run_time.replace(year=2020))
        assert (await asyncio.wait_for(sent.get(), 10))["type"] == "purge"
        scheduler.shutdown(wait=False)

    asyncio.run(work())
