"""Instants as people write them."""

import pytest

from prober import instants
from prober.errors import Exit, UsageError

NOW = 1_795_341_600.75  # 2026-11-22T10:00:00.75Z


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("0", 0),
        ("now", 1_795_341_600),
        ("-1h", 1_795_338_000),
        ("-90s", 1_795_341_510),
        ("-1d12h", 1_795_341_600 - 129_600),
        ("-1w", 1_795_341_600 - 604_800),
        ("1795341600", 1_795_341_600),
        ("1795341600.9", 1_795_341_600),
        ("2026-11-22T10:00:00Z", 1_795_341_600),
        ("2026-11-22T10:00:00", 1_795_341_600),  # UTC unless it says otherwise
        ("2026-11-22 11:00:00+01:00", 1_795_341_600),
        ("2026-11-22T10:00:00.999Z", 1_795_341_600),
        ("2026-11-22", 1_795_305_600),
        ("20261122", 1_795_305_600),
        (" now ", 1_795_341_600),
    ],
)
def test_an_instant_is_read_as_it_is_meant(text: str, second: int) -> None:
    assert instants.parse(text, NOW) == second


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "-1",
        "1h",
        "2026",
        "-1y",
        "--1h",
        "2026-13-01",
        "10:00",
        "1795341600000",
        "-9999999999w",
        "0001-01-01",
        "0001-01-01T00:00+23:59",
        "9999-12-31T23:59-23:59",
        "٣٣٣٣٣٣٣٣٣",
    ],
)
def test_what_is_no_time_is_told_with_what_would_be_right(text: str) -> None:
    with pytest.raises(UsageError, match=r"--from: .* is no time; write ISO 8601") as raised:
        instants.parse(text, NOW, "--from")
    assert raised.value.exit == Exit.USAGE


def test_instants_are_shown_in_utc() -> None:
    assert instants.show(1_795_341_600) == "2026-11-22T10:00:00Z"
    assert instants.show_ns(1_795_341_600_012_000_000) == "2026-11-22T10:00:00.012Z"
    assert instants.for_people(1_795_341_600) == "2026-11-22 10:00:00"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (45, "45s"), (200, "3m 20s"), (7500, "2h 5m"), (3600, "1h"), (3_553_201, "41d 3h")]
)
def test_spans_have_two_units_at_most(seconds: int, text: str) -> None:
    assert instants.span(seconds) == text
