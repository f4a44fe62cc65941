"""Closed seconds become runs, endpoints that stay as they are are left alone, and what is written is what was judged."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from moved import T0, World

from prober.measure.clock import NS
from prober.measure.ring import Layout, Slot
from prober.measure.series import Series
from prober.store import Memory, Reader, SeriesKey, SeriesRun, Store, Transaction, Writer
from rules.model import Cell, Fault, Verdict
from rules.seconds import judge, judge_service
from rules.timeline import Run, expand

SERVICE = SeriesKey("bird")
#: What an endpoint's call can come to; None: no call is made.
OUTCOMES: tuple[tuple[Fault, str] | None, ...] = (
    (Fault.NONE, "ok"),
    (Fault.SERVER_ERROR, "http_status_503"),
    (Fault.OTHER, "http_status_401"),
    (Fault.OWN, "own_limit"),
    None,
)


def layout(*endpoints: tuple[str, str, int]) -> Layout:
    """Of (channel, name, every in seconds)."""
    world = World()
    lanes = [world.lane(name, channel=channel, every=every * NS) for channel, name, every in endpoints]
    return world.plan(lanes).layouts[0]


def fill(slot: Slot, index: int, outcome: tuple[Fault, str] | None) -> None:
    if outcome is None:
        return
    if outcome[0] is Fault.NONE:
        slot.ok[index] += 1
    else:
        slot.fail(index, *outcome)


def slot_of(where: Layout, second: int, outcomes: Iterable[tuple[Fault, str] | None]) -> Slot:
    """A second with these outcomes, of the endpoints that are called in it."""
    slot = Slot(second, where)
    for index, (lane, outcome) in enumerate(zip(where.lanes, outcomes, strict=False)):
        if second % (lane.every // NS) == 0:
            fill(slot, index, outcome)
    return slot


def cells_of(slot: Slot) -> dict[SeriesKey, Cell]:
    """What every series of the slot was, judged one by one."""
    where = slot.layout
    name = where.service
    found = {}
    channels = {channel: judge(slot.tally(first, end)) for channel, first, end in where.channels}
    for index, lane in enumerate(where.lanes):
        found[SeriesKey(name, lane.key.channel, lane.key.endpoint)] = judge(slot.tally(index, index + 1))
    found |= {SeriesKey(name, channel): cell for channel, cell in channels.items()}
    found[SERVICE] = judge_service(channels.values())
    return found


def test_an_endpoint_that_stays_as_it_is_writes_nothing_and_is_not_fed() -> None:
    where = layout(("api", "a", 1), ("api", "b", 1))
    series = Series(where, {}, None, 100)
    first = series.close(slot_of(where, T0, [OUTCOMES[0]] * 2))
    assert len(first.runs) == 4, "each series begins its run"
    for n in range(1, 50):
        later = series.close(slot_of(where, T0 + n, [OUTCOMES[0]] * 2))
        assert (later.runs, later.changed) == ((), {})


def test_only_endpoints_that_change_are_told() -> None:
    where = layout(("api", "a", 1), ("api", "b", 1), ("smtp", "c", 1))
    series = Series(where, {}, None, 100)
    series.close(slot_of(where, T0, [OUTCOMES[0]] * 3))
    seen = series.close(slot_of(where, T0 + 1, [OUTCOMES[0], OUTCOMES[1], OUTCOMES[0]]))
    assert {key: cell.reason for key, cell in seen.changed.items()} == {("api", "b"): "http_status_503"}
    again = series.close(slot_of(where, T0 + 2, [OUTCOMES[0], OUTCOMES[1], OUTCOMES[0]]))
    assert again.changed == {}, "still failing alike is no change"
    back = series.close(slot_of(where, T0 + 3, [OUTCOMES[0]] * 3))
    assert [cell.reason for cell in back.changed.values()] == ["ok"]


def test_an_endpoint_called_every_ten_seconds_stays_one_run() -> None:
    where = layout(("api", "a", 10))
    series = Series(where, {}, None, 100)
    rows: list[SeriesRun] = []
    for n in range(500):
        rows += series.close(slot_of(where, T0 + n, [OUTCOMES[0]])).runs
    key = SeriesKey("bird", "api", "a")
    last = [row.run for row in rows if row.key == key][-1]
    assert last.end is None
    assert [(cell.reason, n) for cell, n in last.cycle] == [("ok", 1), ("no_call", 9)]
    assert {row.run.start for row in rows if row.key == key} == {T0}


def test_an_endpoint_whose_stride_becomes_a_second_is_written_as_it_is() -> None:
    """After a reload from 3 s to 1 s, successes where the old cycle expects no call are not taken for it."""
    for ended in range(3):
        before = layout(("api", "a", 3))
        series = Series(before, {}, None, 100)
        for n in range(12 + ended):
            series.close(slot_of(before, T0 + n, [OUTCOMES[0]]))
        closed = T0 + 11 + ended
        after = layout(("api", "a", 1))
        series = Series(after, series.open_runs(), closed, 100)
        runs: dict[int, Run] = {}
        for n in range(1, 20):
            for row in series.close(slot_of(after, closed + n, [OUTCOMES[0]])).runs:
                if row.key.endpoint:
                    runs[row.run.start] = row.run
        last = runs[max(runs)]
        assert last.end is None
        assert len(last.cycle) == 1
        assert last.start <= closed + 2, "from the first second that did not fit"
        assert series._strided == set(), "and it is left alone again"


def test_endpoints_that_go_end_their_runs_and_those_that_come_begin_theirs() -> None:
    before, after = layout(("api", "a", 1), ("api", "b", 1)), layout(("api", "b", 1), ("smtp", "c", 1))
    series = Series(before, {}, None, 100)
    series.close(slot_of(before, T0, [OUTCOMES[0]] * 2))
    series = Series(after, series.open_runs(), T0, 100)
    rows = series.close(slot_of(after, T0 + 1, [OUTCOMES[0]] * 2)).runs
    assert {
        (row.key.channel, row.key.endpoint): (row.run.start - T0, row.run.end) for row in rows if row.key.endpoint
    } == {
        ("api", "a"): (0, T0 + 1),
        ("smtp", "c"): (1, None),
    }


def test_a_service_that_goes_ends_all_its_runs() -> None:
    where = layout(("api", "a", 1))
    series = Series(where, {}, None, 100)
    series.close(slot_of(where, T0, [OUTCOMES[0]]))
    assert {row.run.end for row in series.end(T0)} == {T0 + 1}
    assert len(series.end(T0)) == 3


def test_runs_of_endpoints_that_flap_are_not_hoarded() -> None:
    where = layout(("api", "a", 1))
    series = Series(where, {}, None, 7200)
    for n in range(2000):
        series.close(slot_of(where, T0 + n, [OUTCOMES[n % 2]]))
    closed = T0 + 1999
    assert len(series.recent(SeriesKey("bird", "api", "a"), closed)) <= 129
    assert sum(1 for _ in expand(series.recent(SeriesKey("bird", "api"), closed))) == 2000


def test_what_is_remembered_reaches_as_far_as_it_must() -> None:
    where = layout(("api", "a", 1))
    series = Series(where, {}, None, 50)
    for n in range(2000):
        series.close(slot_of(where, T0 + n, [OUTCOMES[n % 2]]))
    seconds = [s for s, _ in expand(series.recent(SERVICE, T0 + 1999))]
    assert seconds == list(range(seconds[0], T0 + 2000))
    assert 50 <= len(seconds) <= 53


# what is written is what was judged

LAYOUTS = (
    (("api", "a", 1), ("api", "b", 3), ("smtp", "c", 2)),
    (("api", "a", 3), ("api", "b", 1), ("smtp", "c", 2)),
    (("api", "b", 1), ("smtp", "d", 1)),
    (("smtp", "c", 1),),
)


@dataclass
class Book:
    """A service's series through a real store, and beside it every second as it was judged."""

    path: Path
    where: Layout
    second: int = T0

    def __post_init__(self) -> None:
        self.expected: dict[SeriesKey, dict[int, Cell]] = {}
        self.written = self.where
        self.series = Series(self.where, {}, None, 100)
        self.open()

    def open(self) -> Memory:
        store = Store.open(self.path)
        memory = store.load().get("bird", Memory("bird"))
        self.writer = Writer(store)
        self.writer.start()
        return memory

    def close(self, slot: Slot) -> None:
        if slot.layout is not self.written:  # a reload takes hold with the first second of its layout
            closed = self.second - 1 if self.expected else None
            before = self.series
            self.series = Series(slot.layout, before.open_runs() if closed else {}, closed, 100)
            self.series.inherit(before)
            self.written = slot.layout
        seen = self.series.close(slot)
        self.writer.submit(Transaction(closed={"bird": slot.last}, runs=seen.runs))
        for key, cell in cells_of(slot).items():
            self.expected.setdefault(key, {}).update(dict.fromkeys(range(slot.second, slot.last + 1), cell))
        self.second = slot.last + 1

    def restart(self, where: Layout, down: int) -> None:
        assert self.writer.stop()
        memory = self.open()
        self.where = where
        self.written = where
        self.series = Series(where, memory.runs, memory.closed, 100)
        if down:
            self.close(Slot(self.second, where, down, "not_running"))

    def reload(self, where: Layout) -> None:
        self.where = where


second = st.lists(st.sampled_from(OUTCOMES), min_size=3, max_size=3)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("seconds"), st.lists(second, min_size=1, max_size=8)),
        st.tuples(st.just("same"), st.integers(1, 40)),
        st.tuples(st.just("stalled"), st.integers(1, 30)),
        st.tuples(st.just("restart"), st.tuples(st.integers(0, 3), st.integers(0, 20))),
        st.tuples(st.just("reload"), st.integers(0, 3)),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=60, deadline=None)
@given(steps)
@example(
    [
        ("seconds", [[OUTCOMES[0]] * 3]),
        ("restart", (2, 0)),
        ("reload", 0),
        ("seconds", [[OUTCOMES[0]] * 3]),
        ("restart", (0, 0)),
    ]
)
def test_the_runs_in_the_store_are_the_cells_that_were_judged(story: list[tuple[str, Any]]) -> None:
    """For any seconds, gaps, reloads and restarts (invariant 1: each second of each series once, in order, unchanged)."""
    with tempfile.TemporaryDirectory() as folder:
        book = Book(Path(folder) / "prober.db", layout(*LAYOUTS[0]))
        for what, how in story:
            match what:
                case "seconds":
                    for outcomes in how:
                        book.close(slot_of(book.where, book.second, outcomes))
                case "same":
                    for _ in range(how):
                        book.close(slot_of(book.where, book.second, [OUTCOMES[0]] * 3))
                case "stalled":
                    book.close(Slot(book.second, book.where, how, "stalled"))
                case "restart":
                    book.restart(layout(*LAYOUTS[how[0]]), how[1])
                case _:
                    book.reload(layout(*LAYOUTS[how]))
        book.close(slot_of(book.where, book.second, [OUTCOMES[0]] * 3))
        assert book.writer.stop()
        with Reader(book.path) as reader:
            for key, cells in book.expected.items():
                assert dict(reader.seconds(key, 0, 1 << 40)) == cells, key


@pytest.mark.parametrize("void", ["stalled", "not_running", "clock_stepped"])
def test_a_void_second_is_unmeasured_in_every_series_unless_it_holds_a_success(void: str) -> None:
    where = layout(("api", "a", 1), ("smtp", "b", 1))
    series = Series(where, {}, None, 100)
    slot = slot_of(where, T0, [OUTCOMES[0], OUTCOMES[1]])
    slot.void = void
    seen = series.close(slot)
    assert (seen.service.verdict, seen.channels["smtp"].verdict) == (Verdict.AVAILABLE, Verdict.UNMEASURED)
    assert seen.channels["smtp"].reason == void
