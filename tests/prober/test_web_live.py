"""The live view without a browser: its page, its events, and where their seconds come from."""

import asyncio
import json
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from asking import NOW, Desk, run
from recording import ACCOUNT, API, DOWN, MIXED, OK, SERVICE, SMTP, T0, Recorder, Waiter, until
from serving import RAW, called

from prober import config
from prober.board import Column
from prober.link import Message
from prober.store import FigureRow, Reader, Scope, SeriesKey, Store, Transaction, Writer
from prober.store.durations import bucket_of
from prober.store.figures import ROWS, Block
from prober.web import hour as hours
from prober.web import live as lives
from prober.web.hour import Newest, shown
from prober.web.hub import WAITING
from prober.web.live import Live
from prober.web.pulse import Pulse, Took
from rules.model import Cell, Fault, Verdict

INJECTION = SeriesKey("bird", "smtp", "injection")
ALL = (SERVICE, API, SMTP, ACCOUNT, INJECTION)
HUNG = Cell(Verdict.UNAVAILABLE, "response_timeout", 1, ((Fault.SERVER_TIMEOUT, 1),))


def told(at: int, cell: Cell = OK) -> Message:
    """A message `second`, alike in both channels."""
    parts = [cell.verdict.value, cell.reason, cell.calls, {fault.value: n for fault, n in cell.faults}]
    return {"type": "second", "service": "bird", "second": at, "cells": {"": parts, "api": parts, "smtp": parts}}


class Kept:
    """A store that a measuring process goes on writing."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "prober.db"
        self.recorder = Recorder(periods=dict.fromkeys(ALL, 1))
        self._writer = Writer(Store.open(self.path))
        self._writer.start()

    def close(self, cells: dict[SeriesKey, Cell] | None = None, n: int = 1) -> int:
        """`n` more seconds, on disk when this returns. Answers the last."""
        waiter = Waiter()
        for left in range(n, 0, -1):
            work: Transaction = self.recorder.close(dict.fromkeys(ALL, OK) | (cells or {}))
            self._writer.submit(work, waiter if left == 1 else None)
        assert waiter.result() is None
        return self.recorder.next - 1

    def keep(self, *figures: FigureRow) -> None:
        """Minutes, on disk when this returns."""
        self._writer.submit(Transaction(figures=figures))
        with Reader(self.path) as reader:
            until(lambda: bool(reader.minutes(ACCOUNT, 0, T0)))

    def stop(self) -> None:
        assert self._writer.stop()


@pytest.fixture
def kept(tmp_path: Path) -> Any:
    store = Kept(tmp_path)
    yield store
    store.stop()


def live_of(desk: Desk) -> Live:
    return Live(desk.view, desk.stored)


async def events(stream: AsyncIterator[bytes], kind: str = "second") -> AsyncIterator[dict[str, Any]]:
    """The data of a stream's events of a kind."""
    async for event in stream:
        lines = dict(line.split(": ", 1) for line in event.decode().splitlines() if ": " in line)
        if lines.get("event") == kind:
            yield json.loads(lines["data"])


def living(work: Callable[[Desk, Live], Awaitable[None]], store: Path | None = None) -> None:
    async def wrapped() -> None:
        desk = Desk(store=store)
        live = live_of(desk)
        try:
            await asyncio.wait_for(work(desk, live), 60)
        finally:
            await live.close()
            desk.stored.close()

    asyncio.run(wrapped())


# where seconds come from


def test_what_is_not_on_disk_yet_is_known_from_the_link(kept: Kept) -> None:
    last = kept.close(n=10)

    async def work(desk: Desk, live: Live) -> None:
        for at in (last, last + 1, last + 2):
            live.second(told(at, HUNG))
        hour = await live.hour()
        assert hour[API] == [(T0, last + 1, OK), (last + 1, last + 3, HUNG)], "the store's word counts where it has one"
        assert hour[ACCOUNT] == [(T0, last + 1, OK)]

    living(work, kept.path)


def test_a_second_that_the_link_left_out_is_waited_for_and_then_given_up(kept: Kept) -> None:
    last = kept.close(n=3)

    async def work(desk: Desk, live: Live) -> None:
        live.second(told(last + 3, HUNG))
        assert (await live.hour())[API] == [(T0, last + 1, OK)], "the store will have the second between"
        live.second(told(last + 40, HUNG))
        assert (await live.hour())[API][1:] == [(last + 3, last + 4, HUNG), (last + 40, last + 41, HUNG)]

    living(work, kept.path)


def test_without_a_store_channels_go_on_and_it_says_why(tmp_path: Path) -> None:
    async def work(desk: Desk, live: Live) -> None:
        live.second(told(T0))
        hour = await live.hour()
        assert hour[API] == [(T0, T0 + 1, OK)]
        assert hour[ACCOUNT] == []
        assert live.seconds.why == "nothing is recorded yet"
        (tmp_path / "prober.db").write_bytes(b"no store at all" * 100)
        desk.stored.configured(tmp_path / "prober.db")
        await live.hour()
        assert "the store cannot be read: " in live.seconds.why

    living(work, tmp_path / "prober.db")


def test_only_an_hour_is_looked_at(kept: Kept) -> None:
    last = kept.close(n=4000)

    async def work(desk: Desk, live: Live) -> None:
        live.second(told(last))
        assert (await live.hour())[ACCOUNT] == [(last - 3599, last + 1, OK)]

    living(work, kept.path)


def test_endpoints_are_shown_as_far_as_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hours, "MOST_ENDPOINTS", 2)
    monkeypatch.setattr(hours, "MOST_IN_ALL", 3)
    api = [{"name": f"e{n}", "url": "http://127.0.0.1:9/"} for n in range(4)]
    service = {"contract": "bird-email-enterprise", "channels": {"api": api}}
    found = shown(config.from_raw({"services": {"a": service, "b": service}}, Path()))
    assert [key.endpoint for key in found["a"]] == ["", "", "e0", "e1"]
    assert [key.endpoint for key in found["b"]] == ["", "", "e0"]


def test_the_link_is_remembered_within_bounds_and_backwards_nothing_is_taken() -> None:
    newest = Newest()
    for at in range(T0, T0 + 2 * hours._KEPT):
        newest.take(told(at))
    newest.take(told(T0))
    assert newest.last("bird") == T0 + 2 * hours._KEPT - 1
    assert len(newest._seconds["bird"]) == hours._KEPT
    assert newest.of(API) == (newest.last("bird"), OK)
    assert newest.of(ACCOUNT) is None
    assert list(newest.after(ACCOUNT, 0)) == []


# events


def test_each_closed_second_is_told_with_its_channels_and_endpoints(kept: Kept) -> None:
    last = kept.close(n=5)

    async def work(desk: Desk, live: Live) -> None:
        live.second(told(last))
        stream = events((await live.listen("")).events())
        bad = {SERVICE: DOWN, API: DOWN, ACCOUNT: DOWN}
        called(desk.board, 0, (0.1,))
        desk.board.cells[Column.ENDED] = float(last + 1)
        live.beat()
        live.second(told(kept.close(bad), DOWN))
        event = await anext(stream)
        assert (event["service"], event["second"]) == ("bird", last + 1)
        by_name = {(each["channel"], each["endpoint"]): each for each in event["series"]}
        assert set(by_name) == {(None, None), ("api", None), ("smtp", None), ("api", "account"), ("smtp", "injection")}
        assert by_name["api", "account"]["cells"] == [
            [last + 1, 1, "unavailable", "http_status_503", 2, {"server_error": 2}]
        ]
        assert by_name["api", None]["took"] == {
            "minute": (last + 1) // 60, "p50": 125.0, "p95": 125.0, "longest": 125.0
        }  # fmt: skip
        assert "took" not in by_name["smtp", None]
        live.second(told(kept.close(n=3)))
        assert {tuple(each["cells"][0][:2]) for each in (await anext(stream))["series"]} == {(last + 2, 3)}

    living(work, kept.path)


def test_a_listener_is_not_cut_off_because_there_are_many_services() -> None:
    names = [f"service-{n}" for n in range(WAITING + 10)]
    at = int(NOW)

    async def work() -> None:
        desk = Desk({**RAW, "services": dict.fromkeys(names, RAW["services"]["bird"])})
        live = live_of(desk)
        stream = events((await live.listen("")).events())
        for name in names:
            live.second({**told(at), "service": name})
        seen = [await asyncio.wait_for(anext(stream), 10) for _ in names]
        assert [(event["service"], event["second"]) for event in seen] == [(name, at) for name in names]
        await live.close()
        desk.stored.close()

    run(work)


def test_an_endpoint_whose_second_is_not_on_disk_yet_follows(kept: Kept) -> None:
    last = kept.close(n=5)

    async def work(desk: Desk, live: Live) -> None:
        live.second(told(last))
        stream = events((await live.listen("")).events())
        live.second(told(last + 1, HUNG))
        assert {each["endpoint"] for each in (await anext(stream))["series"]} == {None}
        kept.close({API: HUNG, SMTP: HUNG, ACCOUNT: HUNG})
        live.second(told(last + 2))
        series = (await anext(stream))["series"]
        assert [e["cells"] for e in series if e["endpoint"] == "account"] == [
            [[last + 1, 1, "unavailable", "response_timeout", 1, {"server_timeout": 1}]]
        ]

    living(work, kept.path)


def test_another_configuration_means_looking_again(kept: Kept) -> None:
    kept.close(n=5)

    async def work(desk: Desk, live: Live) -> None:
        stream = events((await live.listen("")).events(), "reset")
        desk.clock.utc += 1
        desk.view.configured(config.from_raw(RAW, Path()), desk.board, 0)
        live.second(told(kept.close()))
        assert await anext(stream) == {}

    living(work, kept.path)


def test_while_nobody_looks_nothing_is_read(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lives, "_IDLE", 0.05)
    kept.close(n=5)

    async def work(desk: Desk, live: Live) -> None:
        mark = await live.awake()
        assert live._telling is not None
        await asyncio.wait_for(live._telling, 20)
        again = await live.awake()
        assert again.partition("-")[0] != mark.partition("-")[0], "what was missed meanwhile is not kept"

    living(work, kept.path)


def test_a_page_that_was_just_given_out_finds_its_events_going_on(kept: Kept) -> None:
    last = kept.close(n=5)

    async def work(desk: Desk, live: Live) -> None:
        live.second(told(last))
        await live.awake()
        live._asked -= lives._IDLE  # the last page was looked at long ago, and the telling is about to end
        mark = await live.awake()
        live.second(told(kept.close()))
        while live.hub.mark == mark:  # noqa: ASYNC110 - a listener would itself keep the telling going
            await asyncio.sleep(0)
        assert live._telling is not None
        assert not live._telling.done(), "it goes on for the page's script, which comes in a moment"
        event = await anext(events((await live.listen(mark)).events()))
        assert event["second"] == last + 1, "it misses nothing, and need not load the page again"

    living(work, kept.path)


# times


def test_times_are_kept_by_minute_for_an_hour_and_only_of_new_calls_that_succeeded() -> None:
    desk = Desk()
    pulse, wanted = Pulse(desk.view), {ACCOUNT: True}
    called(desk.board, 0, (0.1,))
    start = T0 - T0 % 60
    for minute in range(70):
        for n in range(20):
            desk.board.cells[Column.DURATION] = 0.001 * (n + 1)
            desk.board.cells[Column.ENDED] = start + 60 * minute + n
            pulse.look(wanted)
            pulse.look(wanted)  # the same call once more
    minutes = pulse.minutes(ACCOUNT, 0)
    assert len(minutes) == 61
    assert (minutes[-1].p50, minutes[-1].p95, minutes[-1].longest) == (10.0, 19.0, 20.0)
    assert pulse.minutes(API, 0) == minutes
    assert len(pulse.minutes(ACCOUNT, start + 69 * 60)) == 1
    desk.board.cells[Column.SUCCESS] = 0.0
    desk.board.cells[Column.ENDED] += 60.0
    pulse.look(wanted)
    assert pulse.minutes(ACCOUNT, 0) == minutes
    assert pulse.minutes(INJECTION, 0) == []
    pulse.forget({})
    assert pulse.minutes(ACCOUNT, 0) == []


def test_minutes_on_record_come_before_those_that_were_looked_at() -> None:
    desk = Desk()
    pulse = Pulse(desk.view)
    called(desk.board, 0, (0.1,))
    now = T0 // 60
    for minute in (now, now + 1):
        desk.board.cells[Column.ENDED] = 60.0 * minute
        pulse.look({ACCOUNT: True})
    pulse.seed(ACCOUNT, [Took(minute, 1.0, 2.0, 3.0) for minute in range(now - 2, now + 2)])
    minutes = pulse.minutes(ACCOUNT, 0)
    assert [took.minute for took in minutes] == [now - 2, now - 1, now, now + 1]
    assert [took.longest for took in minutes] == [3.0, 3.0, 125.0, 125.0]
    pulse.seed(INJECTION, [Took(now, 1.0, 2.0, 3.0)])
    assert pulse.minutes(INJECTION, 0) == [Took(now, 1.0, 2.0, 3.0)]


def test_how_long_calls_took_before_the_start_comes_from_the_store(kept: Kept) -> None:
    kept.close(n=5)
    columns = (("api", "account"), ("smtp", "injection"))
    counts = array("I", bytes(4 * ROWS * len(columns)))
    counts[bucket_of(40_000_000) * len(columns)] = 60
    body = Block(
        columns, counts.tobytes(), array("Q", [2_400_000, 0]).tobytes(), array("Q", [41_000, 0]).tobytes()
    ).body()
    minute, five = (
        FigureRow("bird", Scope.CHANNELS, span, T0 + at, columns, body) for span, at in ((60, -120), (300, -900))
    )
    kept.keep(minute, five)

    async def work(desk: Desk, live: Live) -> None:
        desk.clock.utc = T0 + 10
        await live.awake()
        found = live.pulse.minutes(ACCOUNT, 0)
        assert [took.minute for took in found] == [*range(T0 // 60 - 15, T0 // 60 - 10), T0 // 60 - 2]
        assert (found[-1].p50, found[-1].longest) == (pytest.approx(40, rel=0.05), 41.0)
        assert live.pulse.minutes(API, 0) == found
        assert live.pulse.minutes(SMTP, 0) == []

    living(work, kept.path)


# the routes


def test_a_browser_gets_the_page_and_everybody_else_the_events(tmp_path: Path) -> None:
    async def work() -> None:
        desk = Desk()
        page = await desk.asked("/live", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["vary"] == "Accept"
        assert "The last hour, second by second" in page.text
        assert "No second has closed yet" in page.text
        head = await desk.asked("/live", "HEAD", headers={"Accept": "text/event-stream"})
        assert head.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert head.headers["cache-control"] == "no-store"

    run(work)


def test_the_page_is_whole_as_it_comes(kept: Kept) -> None:
    kept.close(n=30)
    kept.close({SERVICE: DOWN, API: DOWN, ACCOUNT: DOWN}, n=7)
    last = kept.close({API: MIXED}, n=3)
    desk = Desk(store=kept.path)
    desk.clock.utc = last + 1.5
    page = desk.ask("/live", headers={"Accept": "text/html"}).text
    assert 'aria-label="API: account, the last hour: 33 s available, 7 s unavailable"' in page
    assert "10:00:30" in page
    assert "http_status_503" in page
    assert "2 server_error" in page
    assert "style=" not in page
    assert "<script type" in page
    assert page.count("<script") == 1
    desk.stored.close()


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>\"'&amp;"
    desk = Desk(RAW | {"services": {"bird": RAW["services"]["bird"] | {"title": hostile}}})
    page = desk.ask("/live", headers={"Accept": "text/html"}).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;amp;" in page


def test_too_many_listeners_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.web.hub.MOST", 0)
    answer = Desk().ask("/live")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")


# seconds for programs


def test_the_newest_seconds_of_everything_as_json(kept: Kept) -> None:
    last = kept.close(n=3)
    last = kept.close({SERVICE: DOWN, API: DOWN, ACCOUNT: DOWN})
    desk = Desk(store=kept.path)
    answer = desk.ask("/api/seconds/current.json")
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert found["at"] == NOW
    assert {(line["channel"], line.get("endpoint")) for line in found["seconds"]} == {
        (None, None), ("api", None), ("smtp", None), ("api", "account"), ("smtp", "injection")
    }  # fmt: skip
    assert found["seconds"][0] == {
        "second": last, "service": "bird", "channel": None, "verdict": "unavailable", "reason": "http_status_503",
        "calls": 2, "faults": {"server_error": 2},
    }  # fmt: skip
    desk.stored.close()


def test_before_anything_is_recorded_there_are_no_seconds() -> None:
    found = Desk().ask("/api/seconds/current.json").json()
    assert found == {"at": NOW, "seconds": []}


def test_a_store_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "prober.db"
    path.write_bytes(b"no store at all" * 100)
    desk = Desk(store=path)
    assert "prober.db" in desk.ask("/api/seconds/current.json").json()["error"]
    answer = desk.ask("/api/seconds?service=bird")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    desk.stored.close()


def test_a_stretch_of_a_series_comes_as_lines(kept: Kept) -> None:
    kept.close(n=5)
    kept.close({ACCOUNT: DOWN}, n=2)
    desk = Desk(store=kept.path)
    query = f"service=bird&channel=api&endpoint=account&from={T0 + 4}&to={T0 + 6}"
    answer = desk.ask(f"/api/seconds?{query}")
    assert answer.headers["content-type"].startswith("application/jsonl")
    assert [json.loads(line) for line in answer.text.splitlines()] == [
        {"second": T0 + 4, "service": "bird", "channel": "api", "endpoint": "account", "verdict": "available",
         "reason": "ok", "calls": 1, "faults": {"none": 1}},
        {"second": T0 + 5, "service": "bird", "channel": "api", "endpoint": "account", "verdict": "unavailable",
         "reason": "http_status_503", "calls": 2, "faults": {"server_error": 2}},
    ]  # fmt: skip
    desk.stored.close()


def test_before_there_is_a_store_a_stretch_is_empty(tmp_path: Path) -> None:
    answer = Desk(store=tmp_path / "prober.db").ask("/api/seconds?service=bird")
    assert (answer.status_code, answer.text) == (200, "")


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("", "no series is called ''; /api/seconds/current.json names them all"),
        ("service=nobody", "no series is called 'nobody'"),
        ("service=bird&channel=api&endpoint=x", "no series is called 'bird/api/x'"),
        ("service=bird&from=yesterday", "from: 'yesterday' is no time"),
        ("service=bird&from=-1h&to=-2h", "to is before from"),
        ("service=bird&from=-30d", "more than 86400 s apart"),
        ("service=bird&form=-1h", "'form' is not known here; known are service, channel, endpoint, from, to"),
    ],
)
def test_a_query_that_is_wrong_is_told_what_is_wrong(query: str, complaint: str) -> None:
    answer = Desk().ask(f"/api/seconds?{query}")
    assert answer.status_code == 400
    assert complaint in answer.text
