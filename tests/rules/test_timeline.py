"""Runs: nothing is lost, whatever the seconds were; and a year of them is small, whatever `every` is."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model import Cell, Fault, Tally, Verdict
from rules.seconds import judge, judge_service
from rules.timeline import Run, RunBuilder, cut, expand, period, stretches, sums

SECOND = 1_795_341_600
OK = judge(Tally({(Fault.NONE, "ok"): 1}))
TWO = judge(Tally({(Fault.NONE, "ok"): 2}))
DOWN = judge(Tally({(Fault.SERVER_ERROR, "http_status_503"): 1}))
NONE = judge(Tally())
GAP = judge(Tally(void="not_running"))


def encode(cells: Sequence[Cell], stride: int) -> list[Run]:
    """All runs of `cells`, the open one cut at the last second."""
    builder = RunBuilder(stride)
    runs = [run for second, cell in enumerate(cells, SECOND) if (run := builder.feed(second, cell))]
    return runs + list(cut([builder.open] if builder.open else [], 0, SECOND + len(cells)))


def decode(runs: Sequence[Run]) -> list[tuple[int, Cell]]:
    return list(expand(runs))


def numbered(cells: Sequence[Cell]) -> list[tuple[int, Cell]]:
    return list(enumerate(cells, SECOND))


def test_equal_seconds_are_one_run() -> None:
    assert encode([OK] * 100 + [DOWN] * 7 + [OK] * 3, 1) == [
        Run(SECOND, SECOND + 100, ((OK, 1),)),
        Run(SECOND + 100, SECOND + 107, ((DOWN, 1),)),
        Run(SECOND + 107, SECOND + 110, ((OK, 1),)),
    ]


def test_an_endpoint_called_every_ten_seconds_is_one_run_until_it_changes() -> None:
    stride, down = [OK] + [NONE] * 9, [DOWN] + [NONE] * 9
    assert encode(stride * 50 + down * 6, 10) == [
        Run(SECOND, SECOND + 500, ((OK, 1), (NONE, 9))),
        Run(SECOND + 500, SECOND + 560, ((DOWN, 1), (NONE, 9))),
    ]


def test_a_channel_that_mixes_intervals_is_one_run_whenever_it_begins() -> None:
    mixed = ([TWO] + [OK] * 9) * 20
    assert encode(mixed[4:], 10) == [Run(SECOND, SECOND + 196, ((OK, 6), (TWO, 1), (OK, 3)))]


def test_a_cycle_of_one_cell_is_no_cycle() -> None:
    runs = encode([GAP] * 25 + [OK] + [NONE] * 9 + [OK], 10)
    assert [(run.start - SECOND, run.cycle) for run in runs] == [(0, ((GAP, 1),)), (25, ((OK, 1), (NONE, 9)))]


def test_the_open_run_changes_only_when_there_is_something_new_to_write() -> None:
    builder = RunBuilder(10)
    assert builder.open is None
    written = []
    for second, cell in numbered(([OK] + [NONE] * 9) * 5):
        assert builder.feed(second, cell) is None
        assert builder.open is not None
        if not written or builder.open is not written[-1]:
            written.append(builder.open)
    assert written == [Run(SECOND, None, ((OK, 1),)), Run(SECOND, None, ((OK, 1), (NONE, 9)))]
    assert builder.open is not None
    assert builder.open.cell(SECOND + 10) == OK
    assert builder.open.cell(SECOND + 19) == NONE


def test_seconds_come_in_order_each_once() -> None:
    builder = RunBuilder(1)
    builder.feed(SECOND, OK)
    for wrong in (SECOND, SECOND + 2, SECOND - 1):
        with pytest.raises(ValueError, match=f"second {wrong} came where {SECOND + 1} was due"):
            builder.feed(wrong, OK)
    builder.feed(SECOND + 1, OK)


def test_many_equal_seconds_cost_no_more_than_one() -> None:
    builder = RunBuilder(10)
    builder.feed(SECOND, OK)
    assert builder.feed_many(GAP, 30_000_000) == Run(SECOND, SECOND + 10, ((OK, 1), (GAP, 9)))
    assert builder.next == SECOND + 30_000_001
    assert builder.open == Run(SECOND + 10, None, ((GAP, 1),))
    with pytest.raises(ValueError, match="cannot take"):
        builder.feed_many(GAP, -1)
    with pytest.raises(ValueError, match="cannot take"):
        RunBuilder(1).feed_many(GAP, 1)
    with pytest.raises(ValueError, match="a period is 1 s or more"):
        RunBuilder(0)


def test_noise_is_closed_before_a_run_grows_without_bound() -> None:
    cells = [OK, DOWN] * 5000
    runs = encode(cells, 86_400)
    assert decode(runs) == numbered(cells)
    assert [len(run.cycle) for run in runs] == [4096, 4096, 1808]


def test_a_run_knows_its_own_seconds_alone() -> None:
    run = Run(SECOND, SECOND + 3, ((OK, 1), (NONE, 1)))
    assert [run.cell(SECOND + i) for i in range(3)] == [OK, NONE, OK]
    for outside in (SECOND - 1, SECOND + 3):
        with pytest.raises(ValueError, match="is not in the run"):
            run.cell(outside)


def test_open_runs_are_cut_before_they_are_read() -> None:
    run = Run(SECOND, None, ((OK, 1),))
    for read in (lambda: list(stretches([run])), lambda: list(expand([run])), lambda: sums([run])):
        with pytest.raises(ValueError, match="is open: cut it"):
            read()
    assert list(cut([run], SECOND + 2, SECOND + 5)) == [Run(SECOND + 2, SECOND + 5, ((OK, 1),))]


def test_only_an_open_run_that_holds_the_second_can_be_resumed() -> None:
    with pytest.raises(ValueError, match="not an open run"):
        RunBuilder.resume(1, Run(SECOND, SECOND + 1, ((OK, 1),)), SECOND)
    with pytest.raises(ValueError, match="not an open run"):
        RunBuilder.resume(1, Run(SECOND, None, ((OK, 1),)), SECOND - 1)


def test_resumed_at_an_earlier_second_it_knows_nothing_of_later_ones() -> None:
    builder = RunBuilder.resume(5, Run(SECOND, None, ((OK, 2), (DOWN, 1), (NONE, 2))), SECOND + 1)
    assert builder.open == Run(SECOND, None, ((OK, 1),))
    for i in range(2, 10):
        assert builder.feed(SECOND + i, OK) is None
    assert builder.open == Run(SECOND, None, ((OK, 1),))


@pytest.mark.parametrize(
    ("every_ms", "seconds"),
    [
        ([1000], 1),
        ([500, 250], 1),
        ([1000, 10_000], 10),
        ([2000, 3000], 6),
        ([700], 7),
        ([1500], 3),
        ([700, 1100], 77),
        ([3_600_000, 1000], 3600),
        ([86_400_000], 86_400),
        ([86_401_000], 1),
        ([7000, 11_000, 13_000, 17_000, 19_000], 1),
        ([], 1),
    ],
)
def test_the_period_of_endpoints_called_together(every_ms: list[int], seconds: int) -> None:
    assert period(every_ms) == seconds


cells = st.sampled_from([OK, TWO, DOWN, NONE])
histories = st.one_of(
    st.lists(cells, max_size=80),
    st.tuples(st.lists(cells, min_size=1, max_size=6), st.integers(1, 12), st.lists(cells, max_size=4)).map(
        lambda x: x[0] * x[1] + x[2] + x[0] * x[1]
    ),
)
strides = st.integers(1, 7)


@given(histories, strides)
def test_nothing_is_lost(history: list[Cell], stride: int) -> None:
    runs = encode(history, stride)
    assert decode(runs) == numbered(history)
    assert all(a.end == b.start for a, b in pairwise(runs))
    assert all(x != y for run in runs for (x, _), (y, _) in pairwise(run.cycle))


@given(histories, strides, st.randoms(use_true_random=False))
def test_a_restart_changes_nothing(history: list[Cell], stride: int, random: Random) -> None:
    builder, runs = RunBuilder(stride), []
    for second, cell in numbered(history):
        if closed := builder.feed(second, cell):
            runs.append(closed)
        assert builder.open is not None
        if random.random() < 0.3:
            again = RunBuilder.resume(stride, builder.open, second)
            assert (again.open, again.next) == (builder.open, builder.next)
            builder = again
    assert runs + list(cut([builder.open] if builder.open else [], 0, SECOND + len(history))) == encode(history, stride)


@given(histories.filter(bool), strides, strides, st.data())
def test_another_stride_after_a_restart_loses_nothing(
    history: list[Cell], stride: int, later: int, data: st.DataObject
) -> None:
    stop = data.draw(st.integers(1, len(history)))
    builder, runs = RunBuilder(stride), []
    for second, cell in numbered(history)[:stop]:
        runs.append(builder.feed(second, cell))
    assert builder.open is not None
    builder = RunBuilder.resume(later, builder.open, SECOND + stop - 1)
    for second, cell in numbered(history)[stop:]:
        runs.append(builder.feed(second, cell))
    assert builder.open is not None
    closed = [run for run in runs if run is not None]
    assert decode([*closed, *cut([builder.open], 0, SECOND + len(history))]) == numbered(history)


@given(histories, strides)
def test_stretches_fed_at_once_are_seconds_fed_one_by_one(history: list[Cell], stride: int) -> None:
    builder, runs, i = RunBuilder(stride), [], 0
    while i < len(history):
        n = next((k for k, cell in enumerate(history[i:]) if cell != history[i]), len(history) - i)
        runs.append(builder.feed(SECOND + i, history[i]))
        runs.append(builder.feed_many(history[i], n - 1))
        i += n
    whole = [run for run in runs if run is not None]
    assert whole + list(cut([builder.open] if builder.open else [], 0, SECOND + i)) == encode(history, stride)


@given(histories, strides, st.integers(-3, 90), st.integers(-3, 90))
def test_a_cut_is_the_same_seconds(history: list[Cell], stride: int, start: int, end: int) -> None:
    part = list(cut(encode(history, stride), SECOND + start, SECOND + end))
    assert decode(part) == [(s, c) for s, c in numbered(history) if SECOND + start <= s < SECOND + end]
    assert all(run.cell(second) == cell for run in part for second, cell in expand([run]))


@given(histories, strides, st.integers(0, 90), st.integers(0, 90))
def test_sums_count_every_second_once(history: list[Cell], stride: int, start: int, end: int) -> None:
    counted = Counter(cell.verdict for cell in history[start:end])
    part = cut(encode(history, stride), SECOND + start, SECOND + end)
    assert sums(part) == {verdict: counted[verdict] for verdict in Verdict}


def outages(random: Random, seconds: int, changes: int) -> Iterator[tuple[int, int, str]]:
    """(start, end, channel) of `changes` / 2 outages, spread over the seconds."""
    edges = sorted(random.sample(range(seconds), changes))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        yield start, end, random.choice(["api", "smtp"])


def test_a_year_with_a_thousand_changes_is_a_few_thousand_runs() -> None:
    """On a scale of 1:400: the runs come from the changes, not from the seconds between them."""
    every = {("api", "account"): 1, ("api", "send"): 10, ("smtp", "injection"): 1}
    seconds, changes = 78_840, 1000
    down: dict[int, str] = {}
    for start, end, channel in outages(Random(7), seconds, changes):
        down |= dict.fromkeys(range(start, end), channel)
    builders = {key: RunBuilder(s) for key, s in every.items()}
    builders |= {("api", ""): RunBuilder(10), ("smtp", ""): RunBuilder(1), ("", ""): RunBuilder(10)}
    closed, items = 0, 0
    kinds = {False: Tally({(Fault.NONE, "ok"): 1}), True: Tally({(Fault.SERVER_ERROR, "http_status_503"): 1})}
    for second in range(seconds):
        tallies = {(c, e): kinds[down.get(second) == c] if second % every[c, e] == 0 else Tally() for c, e in every}
        channels = {c: judge(sum((t for (of, _), t in tallies.items() if of == c), Tally())) for c in ("api", "smtp")}
        found = {key: judge(tally) for key, tally in tallies.items()}
        found |= {(c, ""): cell for c, cell in channels.items()}
        found["", ""] = judge_service(channels.values())
        for key, cell in found.items():
            if run := builders[key].feed(second, cell):
                closed += 1
                items += len(run.cycle)
    assert 2 * changes < closed < 4 * changes
    assert items < 10 * changes
