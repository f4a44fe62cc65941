"""How long an endpoint that asked us to slow down is left alone."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.politeness import FIRST_WAIT, LONGEST_RETRY_AFTER, LONGEST_WAIT, back_off, retry_after, wait

NOW = 1_795_341_600  # 2026-11-22 10:00:00 UTC, a Sunday


def test_the_waits_are_the_designs() -> None:
    waits = [0]
    for _ in range(6):
        waits.append(back_off(waits[-1]))
    assert waits[1:] == [5, 10, 20, 40, 60, 60]
    assert (FIRST_WAIT, LONGEST_WAIT) == (5, 60)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 120 ", 120),
        ("0", 0),
        ("999999999999", LONGEST_RETRY_AFTER),
        ("Sun, 22 Nov 2026 10:00:30 GMT", 30),
        ("Sunday, 22-Nov-26 10:00:30 GMT", 30),  # RFC 850, obsolete and to be understood (RFC 9110, 5.6.7)
        ("Sun Nov 22 10:00:30 2026", 30),  # asctime, likewise
        ("Sun, 22 Nov 2026 10:00:30 -0000", 30),
        ("Sun, 22 Nov 2026 09:59:00 GMT", 0),
        ("Mon, 22 Nov 2027 10:00:00 GMT", LONGEST_RETRY_AFTER),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Sun, 99 Nov 2026 10:00:30 GMT", None),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_retry_after_is_seconds_or_a_date(
    value: str, seconds: int | None, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert retry_after(value, NOW) == seconds
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.text(max_size=40))
def test_no_header_can_do_harm(value: str) -> None:
    asked = retry_after(value, NOW)
    assert asked is None or 0 <= asked <= LONGEST_RETRY_AFTER


def test_a_retry_after_leaves_the_back_off_as_it_is() -> None:
    assert wait((("content-type", "text/plain"), ("retry-after", "30")), 10, NOW) == (30, 10)


@pytest.mark.parametrize("value", ["0", "soon", "Sun, 22 Nov 2026 09:00:00 GMT"])
def test_a_retry_after_that_asks_for_nothing_is_none(value: str) -> None:
    assert wait((("retry-after", value),), 10, NOW) == (20, 20)


@given(st.integers(0, 60), st.lists(st.just(()), min_size=2, max_size=9))
def test_waits_never_get_shorter_and_never_longer_than_a_minute(previous: int, replies: list[tuple[()]]) -> None:
    waits = [previous]
    for headers in replies:
        seconds, remembered = wait(headers, waits[-1], NOW)
        assert seconds == remembered <= LONGEST_WAIT
        waits.append(remembered)
    assert all(a <= b for a, b in pairwise(waits))
