"""The grid of the last hour: where each second lies, and that the script is told the same."""

import re

from hypothesis import given
from hypothesis import strategies as st
from recording import DOWN, NO_CALL, OK, T0

from prober.web.grid import ROWS, Frame, bars, packed, paths, scale
from prober.web.hour import Stretch
from prober.web.pulse import Took
from rules.model import Cell

END = T0 + 1817  # within a minute
FRAME = Frame(END)


def drawn(path: str) -> list[tuple[int, int]]:
    """The (column, row) of each cell that a path covers."""
    found = []
    for x, y, wide, high in re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)(?:H0|h-\d+)z", path):
        found += [(int(x) + i, int(y) + j) for j in range(int(high)) for i in range(int(wide))]
    assert path.count("M") == len(re.findall("z", path))
    return found


def cut(ends: set[int], cells: list[Cell | None]) -> list[Stretch]:
    """An hour, and some of the time before it, in stretches that end so long after its begin; None is a hole."""
    bounds = [-100, *sorted(ends), 3600]
    pieces = zip(bounds, bounds[1:], cells, strict=False)
    return [(FRAME.first + first, FRAME.first + end, cell) for first, end, cell in pieces if cell is not None]


#: Bounds and what lies between them, in stretches of three kinds and holes.
hours = st.builds(
    cut,
    st.sets(st.integers(-99, 3599), max_size=12),
    st.lists(st.sampled_from([OK, DOWN, NO_CALL, None]), max_size=13),
)


def known(stretches: list[Stretch]) -> dict[int, Cell]:
    return {s: cell for first, end, cell in stretches for s in range(max(first, FRAME.first), end)}


@given(hours)
def test_each_second_is_drawn_once_where_its_minute_and_second_are(stretches: list[Stretch]) -> None:
    want: dict[str, list[tuple[int, int]]] = {}
    for second, cell in known(stretches).items():
        want.setdefault(cell.verdict.value, []).append((second % 60, second // 60 - FRAME.top))
    found = {verdict: sorted(drawn(path)) for verdict, path in paths(stretches, FRAME).items()}
    assert found == {verdict: sorted(cells) for verdict, cells in want.items()}
    assert all(0 <= row < ROWS for cells in found.values() for _, row in cells)


@given(hours)
def test_the_script_is_told_the_same_seconds(stretches: list[Stretch]) -> None:
    kinds, runs = packed(stretches, FRAME)
    second, found = FRAME.first, {}
    for run in runs.split():
        kind, n = map(int, run.split("*"))
        if kind >= 0:
            found.update(dict.fromkeys(range(second, second + n), kinds[kind]))
        second += n
    assert second <= END
    assert found == {
        second: [cell.verdict.value, cell.reason, cell.calls, {f.value: n for f, n in cell.faults}]
        for second, cell in known(stretches).items()
    }


def test_a_quiet_hour_is_three_shapes() -> None:
    assert paths([(FRAME.first, END, OK)], FRAME) == {"available": "M17 0h43v1h-43zM0 1h60v59H0zM0 60h17v1h-17z"}


def test_times_are_drawn_in_the_row_of_their_minute() -> None:
    inside, before = Took(FRAME.top + 3, 10.0, 100.0, 1000.0), Took(FRAME.top - 1, 1, 1, 1)
    assert bars([before, inside], FRAME) == {
        "p50": "M0 3h25.0v1H0z",
        "p95": "M25.0 3h25.0v1H25.0z",
        "longest": "M75.0 3h1v1h-1z",
    }


def test_the_scale_ends_at_one_millisecond_and_at_ten_seconds() -> None:
    assert [scale(ms) for ms in (0, 0.2, 1, 10, 10_000, 99_999)] == [0, 0, 0, 25, 100, 100]
