"""A series' days: they agree with the record to the second, and asking again costs nothing."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording import API, DOWN, MIXED, NO_CALL, OK, SERVICE, SMTP, T0, Recorder, write

from prober.store import Day, Reader, SeriesKey, SeriesRun, Transaction
from prober.store.figures import DAY
from rules.model import Cell, Fault, Verdict
from rules.timeline import Run

MIDNIGHT = T0 - T0 % DAY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "prober.db"


def runs(*parts: tuple[Cell, int], key: SeriesKey = API, start: int = MIDNIGHT) -> Transaction:
    """Seconds of one series, so many of each cell, all closed."""
    rows = []
    for cell, n in parts:
        rows.append(SeriesRun(key, Run(start, start + n, ((cell, 1),))))
        start += n
    return Transaction(runs=tuple(rows), closed={key.service: start - 1})


def test_a_day_says_how_long_it_was_what_and_counts_calls_by_fault(path: Path) -> None:
    write(path, runs((OK, DAY - 100), (DOWN, 60), (MIXED, 30), (NO_CALL, 10), (OK, 5)))
    with Reader(path) as reader:
        day, rest = reader.days(API, MIDNIGHT, MIDNIGHT + 2 * DAY)
    assert (day.start, day.available, day.unavailable, day.inconclusive, day.unmeasured) == (MIDNIGHT, 86330, 60, 0, 10)
    assert day.calls == {Fault.NONE: DAY - 100 + 60, Fault.SERVER_ERROR: 120, Fault.OTHER: 30}
    assert day.availability == pytest.approx(1 - 60 / 86390)  # what was not measured counts neither way
    assert (day.closed, day.measured) == (DAY, 86390)
    assert (rest.start, rest.available, rest.closed) == (MIDNIGHT + DAY, 5, 5)


def test_days_with_nothing_on_record_are_empty_and_have_no_availability(path: Path) -> None:
    write(path, runs((NO_CALL, 20)))
    with Reader(path) as reader:
        before, today = reader.days(API, MIDNIGHT - 1, MIDNIGHT + 1)
        assert (before, before.availability) == (Day(MIDNIGHT - DAY), None)
        assert (today.unmeasured, today.availability) == (20, None)
        assert reader.days(SMTP, MIDNIGHT, MIDNIGHT + 9) == (Day(MIDNIGHT),)
        assert reader.days(SeriesKey("other"), MIDNIGHT, MIDNIGHT + 9) == (Day(MIDNIGHT),)
        assert reader.days(API, MIDNIGHT, MIDNIGHT) == ()


def test_a_day_that_goes_on_is_counted_further_not_anew(path: Path) -> None:
    recorder = Recorder(MIDNIGHT - 3, {API: 1, SERVICE: 1})
    write(path, recorder.all(OK, 5))
    with Reader(path) as reader:
        assert [day.available for day in reader.days(API, MIDNIGHT - 1, MIDNIGHT + 1)] == [3, 2]
        write(path, recorder.all(DOWN, 4), recorder.all(OK, 2))
        assert [(d.available, d.unavailable) for d in reader.days(API, MIDNIGHT - 1, MIDNIGHT + 1)] == [(3, 0), (4, 4)]
        assert reader.days(SERVICE, MIDNIGHT, MIDNIGHT + 1)[0].closed == 8


def test_days_asked_for_in_any_order_agree(path: Path) -> None:
    write(path, runs((OK, DAY // 2), (DOWN, 2 * DAY), (OK, DAY)))
    with Reader(path) as reader:
        middle = reader.days(API, MIDNIGHT + DAY, MIDNIGHT + DAY + 1)
        whole = reader.days(API, MIDNIGHT, MIDNIGHT + 4 * DAY)
        assert (middle, [day.unavailable for day in whole]) == (whole[1:2], [DAY // 2, DAY, DAY // 2, 0])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([OK, DOWN, MIXED, NO_CALL]), st.integers(1, 200_000)), min_size=1, max_size=6),
    st.integers(0, DAY),
)
def test_days_are_the_sums_of_their_seconds(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[Cell, int]], begin: int
) -> None:
    path = tmp_path_factory.mktemp("days") / "prober.db"
    start, rows = MIDNIGHT + begin, []
    for cell, n in parts:  # every third second alone has a call
        rows.append(SeriesRun(API, Run(start, start + n, ((cell, 1), (NO_CALL, 2)))))
        start += n
    write(path, Transaction(runs=tuple(rows), closed={"bird": start - 1}))
    with Reader(path) as reader:
        for day in reader.days(API, MIDNIGHT, start):
            seconds = [cell for _, cell in reader.seconds(API, day.start, day.start + DAY)]
            assert day.available == sum(cell.verdict is Verdict.AVAILABLE for cell in seconds)
            assert day.unmeasured == sum(cell.verdict is Verdict.UNMEASURED for cell in seconds)
            assert sum(day.calls.values()) == sum(cell.calls for cell in seconds)


def test_ninety_days_with_a_year_of_changes_behind_them_are_found_at_once(path: Path) -> None:
    step, parts = 365 * DAY // 1000, []
    for n in range(1000):
        parts += [(DOWN if n % 3 else MIXED, 30 + n), (OK, step - 30 - n)]
    write(path, runs(*parts, key=SERVICE, start=MIDNIGHT - 1000 * step))
    with Reader(path) as reader:
        begun = time.process_time()
        days = reader.days(SERVICE, MIDNIGHT - 90 * DAY, MIDNIGHT)
        took = time.process_time() - begun
    assert sum(day.closed for day in days) == 90 * DAY
    assert took < 1.0  # some 5 ms; the bench measures, this only finds what is out of all proportion
