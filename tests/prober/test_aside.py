"""Work that blocks is done beside the loop, in a thread that knows who asked for it."""

import asyncio
import threading
from contextvars import ContextVar

import pytest

from prober.aside import aside

ASKED_BY: ContextVar[str] = ContextVar("asked_by", default="nobody")


def test_it_is_done_in_a_daemon_thread_of_that_name_in_the_callers_context() -> None:
    def work() -> tuple[str, bool, str]:
        own = threading.current_thread()
        return own.name, own.daemon, ASKED_BY.get()

    async def test() -> tuple[str, bool, str]:
        ASKED_BY.set("Ada")
        return await aside(work, "a page")

    assert asyncio.run(test()) == ("a page", True, "Ada")


def test_what_it_raises_is_raised_where_it_is_waited_for() -> None:
    def work() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        asyncio.run(aside(work, "a page"))


def test_who_stops_waiting_leaves_it_behind_and_it_says_nothing_later() -> None:
    gate = threading.Event()

    async def test(end: threading.Event) -> None:
        def work() -> None:
            gate.wait(10)
            end.set()

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await aside(work, "left behind")
        gate.set()
        await asyncio.to_thread(end.wait, 10)
        await asyncio.sleep(0)

    asyncio.run(test(threading.Event()))
