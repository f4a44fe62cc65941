"""Events to listeners: in order, resumed by their id, and bounded."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from asking import run

from prober.web import hub as hubs
from prober.web.hub import CrowdedError, Hub, Listener


async def take(events: AsyncIterator[bytes], n: int) -> list[str]:
    return [(await asyncio.wait_for(anext(events), 20)).decode() for _ in range(n)]


def ids(told: list[str]) -> list[str]:
    return [line.removeprefix("id: ") for event in told for line in event.splitlines() if line.startswith("id: ")]


def test_a_listener_gets_what_is_told_from_now_on_in_order() -> None:
    async def work() -> None:
        hub = Hub()
        hub.tell("second", {"n": 0})
        events = hub.listen("").events()
        hub.tell("second", {"n": 1})
        hub.tell("second", {"n": 2})
        begun, one, two = await take(events, 3)
        assert begun == "retry: 3000\n\n"
        assert 'event: second\ndata: {"n":1}\n\n' in one
        assert '{"n":2}' in two
        assert ids([two]) == [hub.mark]

    run(work)


def test_who_comes_back_gets_what_was_missed_and_then_what_follows() -> None:
    async def work() -> None:
        hub = Hub()
        marks = []
        for n in range(5):
            hub.tell("second", {"n": n})
            marks.append(hub.mark)
        events = hub.listen(marks[2]).events()
        hub.tell("second", {"n": 5})
        _, *told = await take(events, 4)
        assert ids(told) == [marks[3], marks[4], hub.mark]
        up_to_date = hub.listen(hub.mark).events()
        hub.tell("second", {"n": 6})
        assert ids(await take(up_to_date, 2)) == [hub.mark]

    run(work)


@pytest.mark.parametrize(
    "after", ["other-1", "x", "-", "1-", "{boot}-99", "{boot}--1", "{boot}-0", "{boot}-" + "9" * 40]
)
def test_an_id_that_nobody_can_go_on_from_means_looking_again(after: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "KEPT", 3)

    async def work() -> None:
        hub = Hub()
        for n in range(5):
            hub.tell("second", {"n": n})
        events = hub.listen(after.format(boot=hub.mark.partition("-")[0])).events()
        _, reset = await take(events, 2)
        assert reset == "event: reset\ndata: {}\n\n"

    run(work)


def test_after_a_reset_older_ids_mean_nothing() -> None:
    async def work() -> None:
        hub = Hub()
        hub.tell("second", {})
        before = hub.mark
        listening = hub.listen("").events()
        hub.reset()
        assert "event: reset" in (await take(listening, 2))[1]
        assert "event: reset" in (await take(hub.listen(before).events(), 2))[1]

    run(work)


def test_what_is_kept_is_bounded_by_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "KEPT_BYTES", 5_000)
    hub = Hub()
    for _ in range(50):
        hub.tell("second", {"much": "x" * 1_000})
    assert hub._bytes <= 5_000
    assert 1 <= len(hub._kept) <= 5


def test_one_who_does_not_read_is_cut_off_and_the_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "WAITING", 4)

    async def work() -> None:
        hub = Hub()
        slow = hub.listen("").events()
        await take(slow, 1)
        quick = hub.listen("").events()
        await take(quick, 1)
        for n in range(6):
            hub.tell("second", {"n": n})
            assert len(await take(quick, 1)) == 1
        assert hub.listeners == 1
        left = [event async for event in slow]
        assert len(left) <= 5, "it ends, whatever was told meanwhile"

    run(work)


def test_there_are_only_so_many_and_one_who_leaves_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "MOST", 2)

    async def work() -> None:
        hub = Hub()
        first = hub.listen("").events()
        hub.listen("")
        await take(first, 1)
        with pytest.raises(CrowdedError):
            hub.listen("")
        await first.aclose()  # type: ignore[attr-defined]  # an async generator
        assert isinstance(hub.listen(""), Listener)

    run(work)


def test_a_line_without_news_still_shows_that_it_stands() -> None:
    async def work() -> None:
        events = Hub(heartbeat=0.01).listen("").events()
        assert (await take(events, 3))[1:] == [": still here\n\n"] * 2

    run(work)


def test_at_the_end_all_streams_end_and_nobody_new_is_taken() -> None:
    async def work() -> None:
        hub = Hub()
        events = hub.listen("").events()
        await take(events, 1)
        full = hub.listen("")
        for _ in range(hubs.WAITING):
            hub.tell("second", {})
        hub.close()
        assert [event async for event in events][-1:] != []
        assert [event async for event in full.events()]
        with pytest.raises(CrowdedError):
            hub.listen("")

    run(work)


def test_what_others_wrote_cannot_make_an_event_of_its_own() -> None:
    async def work() -> None:
        hub = Hub()
        events = hub.listen("").events()
        hostile = "x\n\nevent: reset\rdata: {}\u2028\u202e"
        hub.tell("second", {"reason": hostile})
        _, told = await take(events, 2)
        assert told.count("\n\n") == 1
        assert "\r" not in told
        assert json.loads(told.splitlines()[2].removeprefix("data: ")) == {"reason": hostile}

    run(work)
