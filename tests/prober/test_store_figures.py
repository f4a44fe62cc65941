"""Calls counted by the minute: what goes in comes out, added up in any order, and stays small."""

import random
import sqlite3
from array import array
from collections.abc import Iterable
from contextlib import closing
from functools import reduce
from operator import add
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording import API, OK, SERVICE, T0, Recorder, failure, write

from prober.store import FigureRow, Reader, Scope, SeriesKey, Store, StoreError, Transaction, Writer
from prober.store.durations import BUCKETS, PRECISION, Durations, bucket_of, middle
from prober.store.figures import DAY, HOUR, ROWS, Block, Column, block_of, pack, rounded, together
from prober.store.schema import MIGRATIONS
from prober.store.values import merge
from rules.model import Fault

MS = 1_000_000
MIDNIGHT = T0 - T0 % DAY
ONLY: tuple[Column, ...] = (("api", "account"), ("smtp", "injection"))
CHANNELS: tuple[Column, ...] = (("api", ""), ("smtp", ""))
ENDPOINTS: tuple[Column, ...] = (("api", "account"), ("api", "templates"), ("smtp", "injection"))
SMTP_SERVER_ERROR = BUCKETS + 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "prober.db"


def block(columns: tuple[Column, ...], calls: Iterable[tuple[int, int]] = (), failed: Iterable[int] = ()) -> Block:
    """A block of successful calls (column, ns), and of the columns in which a call failed by the server's error."""
    counts = array("I", bytes(4 * ROWS * len(columns)))
    totals, longest = ([0] * len(columns) for _ in range(2))
    for column, ns in calls:
        counts[bucket_of(ns) * len(columns) + column] += 1
        totals[column] += ns // 1000
        longest[column] = max(longest[column], ns // 1000)
    for column in failed:
        counts[SMTP_SERVER_ERROR * len(columns) + column] += 1
    return Block(columns, counts.tobytes(), array("Q", totals).tobytes(), array("Q", longest).tobytes())


def row(start: int, whole: Block, span: int = 60, scope: Scope = Scope.CHANNELS) -> FigureRow:
    return FigureRow("bird", scope, span, start, whole.columns, whole.body)


def put(path: Path, *rows: FigureRow) -> None:
    write(path, Transaction(figures=rows))


def add_up(path: Path, now: int) -> list[int]:
    """What the chores and the writer do together; answers the spans that were written."""
    with Reader(path) as reader:
        rows = [found for whole in reader.to_add_up(now) if (found := reader.added_up(whole)) is not None]
    put(path, *rows)
    return [found.span for found in rows]


# durations


@given(st.integers(10_001, 240 * 10**9))
def test_what_stands_for_a_duration_is_within_the_precision_that_is_told(ns: int) -> None:
    assert abs(middle(bucket_of(ns)) * 1e9 - ns) <= ns * (PRECISION + 1e-9)


@given(st.lists(st.integers(20_000, 100 * 10**9), min_size=1, max_size=300), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_within_5_percent_of_the_exact_one(times: list[int], share: float) -> None:
    _, took = block(ONLY[:1], [(0, ns) for ns in times]).total(lambda _: True)
    exact = sorted(times)[max(0, -(-int(share * 1000) * len(times) // 1000) - 1)]
    found = took.quantile(share)
    assert found is not None
    assert abs(found * 1e9 - exact) <= 0.05 * exact
    assert took.calls == len(times)


def test_no_calls_have_no_times() -> None:
    nothing = Durations()
    assert (nothing.calls, nothing.mean, nothing.maximum, nothing.quantile(0.99)) == (0, None, None, None)


def test_what_is_shorter_or_longer_than_the_buckets_is_counted_in_the_outer_ones() -> None:
    assert bucket_of(0) == bucket_of(10_000) == 0
    assert bucket_of(10_001) == 1
    assert bucket_of(10**18) == BUCKETS - 1
    assert Durations({BUCKETS - 1: 1}, 5, 5).quantile(0.5) == 5e-6  # never more than the longest
    assert Durations({3: 1}).quantile(0.5) == middle(3)


calls = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 30 * 10**9)), max_size=20)
blocks = st.builds(
    block,
    st.sampled_from([ONLY, CHANNELS, ENDPOINTS, ENDPOINTS[::-1]]),
    calls,
    st.lists(st.integers(0, 1), max_size=3),
)


def said(whole: Block) -> dict[Column, tuple[dict[Fault, int], Durations]]:
    found = {column: whole.total(lambda c, column=column: c == column) for column in whole.columns}  # type: ignore[misc]  # a default binds it
    return {column: what for column, what in found.items() if what[0]}


@settings(max_examples=60, deadline=None)
@given(st.lists(blocks, min_size=1, max_size=5), st.randoms())
def test_blocks_of_any_columns_add_up_in_any_order_and_grouping(parts: list[Block], order: random.Random) -> None:
    one = reduce(add, parts)
    order.shuffle(parts)
    cut = order.randrange(len(parts))
    other = reduce(add, [reduce(add, parts[: cut + 1]), *parts[cut + 1 :]])
    assert said(one) == said(other)
    assert said(block_of(one.columns, one.body())) == said(one)
    everything, took = one.total(lambda _: True)
    each = [part.total(lambda _: True) for part in parts]
    assert sum(everything.values()) == sum(sum(faults.values()) for faults, _ in each)
    assert took == reduce(add, (durations for _, durations in each))


@given(st.integers(0, 2**50))
def test_sums_are_kept_to_three_digits(value: int) -> None:
    assert abs(rounded(value) - value) <= value / 1000


@pytest.mark.parametrize("body", [b"", b"nonsense", pack((b"\1" * 4 * ROWS, 4), (b"", 8), (b"", 8))])
def test_a_body_that_is_none_of_these_columns_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="figures"):
        block_of(ONLY, body)


# in the store


def test_minutes_come_back_by_endpoint_channel_and_service(path: Path) -> None:
    put(
        path,
        row(T0, block(CHANNELS, [(0, 20 * MS)] * 59 + [(1, 400 * MS)] * 60, failed=[0])),
        row(T0, block(ENDPOINTS, [(0, 20 * MS)] * 59 + [(2, 400 * MS)] * 60, [0]), scope=Scope.ENDPOINTS),
        row(T0 + 60, block(CHANNELS, [(0, 25 * MS)])),
    )
    with Reader(path) as reader:
        first, second = reader.minutes(API, T0, T0 + 120)
        assert first.calls == {Fault.NONE: 59, Fault.SERVER_ERROR: 1}
        assert first.durations.mean == pytest.approx(0.02, rel=0.01)
        assert first.durations.maximum == pytest.approx(0.02, rel=0.01)
        assert (second.start, second.calls) == (T0 + 60, {Fault.NONE: 1})
        (service, _) = reader.minutes(SERVICE, T0, T0 + 120)
        assert service.calls == {Fault.NONE: 119, Fault.SERVER_ERROR: 1}
        assert service.durations.quantile(0.99) == pytest.approx(0.4, rel=0.05)
        (account,) = reader.minutes(SeriesKey("bird", "api", "account"), T0, T0 + 120)
        assert account.calls == {Fault.NONE: 59, Fault.SERVER_ERROR: 1}
        assert reader.minutes(SeriesKey("bird", "api", "templates"), T0, T0 + 120) == ()
        assert reader.minutes(SeriesKey("other"), T0, T0 + 120) == ()
        assert reader.minutes(API, T0 + 60, T0 + 120) == (second,)


def test_the_only_endpoint_of_a_channel_is_kept_once_and_found_by_its_name(path: Path) -> None:
    put(path, row(T0, block(ONLY, [(0, MS), (1, MS)])))
    with Reader(path) as reader:
        for key in (API, SeriesKey("bird", "api", "account")):
            assert [figures.calls for figures in reader.minutes(key, T0, T0 + 60)] == [{Fault.NONE: 1}]
        assert reader.minutes(SERVICE, T0, T0 + 60)[0].calls == {Fault.NONE: 2}


def test_the_parts_of_a_minute_that_a_restart_divided_are_one_minute(path: Path) -> None:
    put(path, row(T0, block(CHANNELS, [(0, MS)])), row(T0 + 31, block(ONLY, [(0, MS)] * 2)))
    with Reader(path) as reader:
        (minute,) = reader.minutes(API, T0, T0 + 60)
    assert (minute.start, minute.span, minute.calls) == (T0, 60, {Fault.NONE: 3})


def test_many_endpoints_are_told_by_five_minutes(path: Path) -> None:
    put(path, row(T0 + 7, block(ENDPOINTS, [(0, MS)]), span=300, scope=Scope.ENDPOINTS))
    with Reader(path) as reader:
        (found,) = reader.minutes(SeriesKey("bird", "api", "account"), T0, T0 + 600)
    assert (found.start, found.span) == (T0, 300)


def test_hours_and_days_are_the_same_before_and_after_they_are_added_up(path: Path) -> None:
    rows = [row(MIDNIGHT + n * 600, block(CHANNELS, [(0, (n + 1) * MS)], [1] * (n % 3 == 0))) for n in range(300)]
    write(path, Recorder(MIDNIGHT).all(OK, 5), Transaction(figures=tuple(rows)))
    now = MIDNIGHT + 2 * DAY + HOUR + 700

    def asked() -> tuple[object, ...]:
        with Reader(path) as reader:
            hours = reader.hours(API, MIDNIGHT, MIDNIGHT + 3 * DAY)
            days = reader.days(API, MIDNIGHT, MIDNIGHT + 3 * DAY)
            return hours, days, reader.hours(SERVICE, MIDNIGHT, MIDNIGHT + DAY)

    before = asked()
    assert [day.durations.calls for day in before[1]] == [144, 144, 12]  # type: ignore[attr-defined]  # days
    assert add_up(path, now) == [HOUR] * 49  # the last hour is not over for long enough
    assert asked() == before
    assert add_up(path, now) == [DAY] * 2
    assert asked() == before
    assert add_up(path, now) == []
    write(path, Transaction(purge_minutes_before=MIDNIGHT + DAY))
    assert asked() == before
    with Reader(path) as reader:
        assert [minute.start for minute in reader.minutes(API, MIDNIGHT, MIDNIGHT + DAY + 600)] == [MIDNIGHT + DAY]


def test_minutes_that_no_hour_holds_yet_are_not_thrown_away(path: Path) -> None:
    put(path, *(row(MIDNIGHT + 60 * n, block(CHANNELS, [(0, MS)])) for n in range(120)))
    write(path, Transaction(purge_minutes_before=MIDNIGHT + 30 * DAY))
    add_up(path, MIDNIGHT + HOUR + 600)
    write(path, Transaction(purge_minutes_before=MIDNIGHT + 30 * DAY))
    with Reader(path) as reader:
        assert [figures.calls[Fault.NONE] for figures in reader.hours(API, MIDNIGHT, MIDNIGHT + DAY)] == [60, 60]
        assert len(reader.minutes(API, MIDNIGHT, MIDNIGHT + DAY)) == 60


def test_a_minute_that_was_late_is_added_up_with_its_hour_and_day_anew(path: Path) -> None:
    now = MIDNIGHT + 3 * DAY
    put(path, row(MIDNIGHT, block(CHANNELS, [(0, MS)])))
    add_up(path, now)
    add_up(path, now)
    put(path, row(MIDNIGHT + 60, block(CHANNELS, [(0, MS)])))
    for _ in range(3):
        with Reader(path) as reader:
            assert reader.days(API, MIDNIGHT, MIDNIGHT + 1)[0].durations.calls == 2
            assert [hour.calls for hour in reader.hours(API, MIDNIGHT, MIDNIGHT + 1)] == [{Fault.NONE: 2}]
        add_up(path, now)
    with Reader(path) as reader:
        assert reader.to_add_up(now) == ()


def test_what_is_told_twice_is_counted_once(path: Path) -> None:
    minute = row(T0, block(CHANNELS, [(0, MS)]))
    put(path, minute, minute)
    put(path, minute)
    with Reader(path) as reader:
        assert reader.minutes(API, T0, T0 + 60)[0].calls == {Fault.NONE: 1}


def test_an_hour_whose_minutes_have_gone_meanwhile_is_not_added_up(path: Path) -> None:
    put(path, row(MIDNIGHT, block(CHANNELS, [(0, MS)])))
    with Reader(path) as reader:
        (whole,) = reader.to_add_up(MIDNIGHT + DAY)
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("DELETE FROM figures")
        assert reader.added_up(whole) is None


class Killed(BaseException):
    """Stands for the end of the process: nothing of ours catches it."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("times", [1, 2])
def test_a_crash_while_adding_up_loses_nothing_and_counts_nothing_twice(path: Path, times: int) -> None:
    put(path, *(row(MIDNIGHT + 60 * n, block(CHANNELS, [(0, MS)])) for n in range(60)))
    with Reader(path) as reader:
        (whole,) = reader.to_add_up(MIDNIGHT + 2 * HOUR)
        hour = reader.added_up(whole)
    assert hour is not None
    left = times

    def die(point: str) -> None:
        nonlocal left
        left -= point == "chore"
        if not left:
            raise Killed

    writer = Writer(Store.open(path), failpoint=die)
    writer.start()
    writer.submit(Transaction(figures=(hour,), purge_minutes_before=MIDNIGHT + DAY))
    writer._thread.join(20)
    assert not writer._thread.is_alive()
    writer.stop(0)
    for _ in range(2):
        with Reader(path) as reader:
            assert [found.calls for found in reader.hours(API, MIDNIGHT, MIDNIGHT + DAY)] == [{Fault.NONE: 60}]
        add_up(path, MIDNIGHT + 2 * HOUR)


# when the disk fails


def test_figures_wait_while_the_disk_fails_and_evidence_goes_first(path: Path) -> None:
    from prober.store import Bounds

    failing = True

    def fail(point: str) -> None:
        if failing and point in ("begin", "chore"):
            raise OSError("the disk is gone")

    writer = Writer(Store.open(path), failpoint=fail, back_off=(0.01, 0.02), bounds=Bounds(evidence_seconds=0.0))
    writer.start()
    writer.submit(Transaction(failures=(failure(),), figures=(row(T0, block(CHANNELS, [(0, MS)])),)))
    from recording import until

    until(lambda: writer.health().dropped == 1)  # the failed call
    failing = False
    assert writer.stop(20)
    with Reader(path) as reader:
        assert len(reader.minutes(API, T0, T0 + 60)) == 1
        assert reader.count_failures("bird", 0, T0 * 2) == 0


def test_past_their_bound_the_oldest_figures_go(path: Path) -> None:
    from prober.store.backlog import Backlog, Bounds, Entry

    one = row(T0, block(CHANNELS))
    backlog = Backlog(Bounds(figures_bytes=2 * one.size))
    for n in range(5):
        backlog.add(Entry(n, Transaction(figures=(row(T0 + 60 * n, block(CHANNELS)),)), None, 0.0))
    assert ([kept.start for kept in backlog.figures], backlog.dropped) == ([T0 + 180, T0 + 240], 3)


def test_figures_that_cannot_be_packed_are_given_up_alone(path: Path) -> None:
    def broken() -> bytes:
        raise OverflowError("too large")

    bad = FigureRow("bird", Scope.CHANNELS, 60, T0, CHANNELS, broken)
    writer = Writer(Store.open(path))
    writer.start()
    writer.submit(Transaction(figures=(bad, row(T0 + 60, block(CHANNELS, [(0, MS)])))))
    assert writer.stop()
    assert writer.health().dropped == 1
    with Reader(path) as reader:
        assert [minute.start for minute in reader.minutes(API, T0, T0 + 120)] == [T0 + 60]


def test_merged_transactions_keep_all_figures() -> None:
    one, other = (Transaction(figures=(row(n, block(CHANNELS)),), purge_minutes_before=n) for n in (60, 120))
    merged = merge(one, other)
    assert ([r.start for r in merged.figures], merged.purge_minutes_before) == ([60, 120], 120)
    assert (merged.steps().figures, merged.steps().purge_minutes_before) == ((), 0)


# migration


def test_a_store_of_the_first_format_keeps_all_it_holds_and_counts_from_now_on(path: Path) -> None:
    store = Store.open(path, MIGRATIONS[:1])
    store.close()
    old = Store.open(path, MIGRATIONS[:1])
    writer = Writer(old)
    writer.start()
    recorder = Recorder(MIDNIGHT)
    writer.submit(recorder.all(OK, 100))
    writer.submit(Transaction(failures=(failure(),)))
    assert writer.stop()
    with pytest.raises(StoreError, match="an older prober wrote it; `prober run` brings it up to date"):
        Reader(path)
    Store.open(path).close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    put(path, row(MIDNIGHT, block(CHANNELS, [(0, MS)] * 60)))
    with Reader(path) as reader:
        (day,) = reader.days(API, MIDNIGHT, MIDNIGHT + 1)
        assert (day.available, day.calls, day.durations.calls) == (100, {Fault.NONE: 100}, 60)
        assert reader.count_failures("bird", 0, T0 * 2) == 1


# size


def minute(width: int, order: random.Random, calls: int) -> Block:
    columns = tuple(("api", f"endpoint-{n}") for n in range(width))
    times = [order.lognormvariate(0, 0.5) * 50 * MS for _ in range(width)]
    return block(
        columns, [(n, int(times[n] * order.lognormvariate(0, 0.2))) for n in range(width) for _ in range(calls)]
    )


@pytest.mark.parametrize(
    ("width", "calls", "a_day", "bound"),
    [(2, 60, 1440, 100_000), (1000, 300, 288, 10_000_000)],
    ids=["two endpoints by the minute", "a thousand endpoints by five minutes"],
)
def test_a_days_figures_stay_small(width: int, calls: int, a_day: int, bound: int) -> None:
    order = random.Random(3)
    whole = minute(width, order, calls)
    assert len(together([whole]).body()) * a_day <= bound


def test_hours_of_years_of_two_endpoints_stay_small() -> None:
    hour = minute(2, random.Random(3), 3600)
    assert len(hour.body()) * 24 * 365 <= 2_000_000
