"""The verdict of a second, from its tally: a table of DESIGN's sentences, and the invariants 2 and 3 over all tallies."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model import SERVER_FAULTS, Cell, Fault, Tally, Verdict
from rules.seconds import intern_cell, judge, judge_service

NONE, TIMEOUT, ERROR, OTHER, OWN = Fault
UP, DOWN, UNSURE, UNMEASURED = Verdict


@pytest.mark.parametrize(
    ("tally", "verdict", "reason"),
    [
        pytest.param(Tally({(NONE, "ok"): 1}), UP, "ok", id="a success"),
        pytest.param(
            Tally({(NONE, "ok"): 1, (ERROR, "http_status_503"): 9}), UP, "ok", id="one success among failures"
        ),
        pytest.param(Tally({(NONE, "ok"): 1}, void="stalled"), UP, "ok", id="a success in a stall"),
        pytest.param(Tally({(ERROR, "http_status_503"): 2}), DOWN, "http_status_503", id="a server error"),
        pytest.param(Tally({(TIMEOUT, "headers_timeout"): 1}), DOWN, "headers_timeout", id="a server time-out"),
        pytest.param(
            Tally({(TIMEOUT, "headers_timeout"): 1, (ERROR, "http_status_503"): 2}),
            *(DOWN, "http_status_503"),
            id="both: the more frequent reason",
        ),
        pytest.param(Tally({(ERROR, "b"): 2, (ERROR, "a"): 2, (ERROR, "c"): 1}), DOWN, "a", id="a tie: by alphabet"),
        pytest.param(
            Tally({(ERROR, "b"): 2, (TIMEOUT, "a"): 1, (ERROR, "a"): 2}),
            *(DOWN, "a"),
            id="one reason of two faults counts as one",
        ),
        pytest.param(Tally({(ERROR, "http_status_503"): 2}, void="stalled"), UNMEASURED, "stalled", id="a stall"),
        pytest.param(Tally(void="not_running"), UNMEASURED, "not_running", id="not running"),
        pytest.param(Tally({(OWN, "no_route"): 1}), UNMEASURED, "no_route", id="our own fault"),
        pytest.param(
            Tally({(OWN, "no_route"): 1, (OWN, "no_ports"): 2}, {"throttled": 9}),
            *(UNMEASURED, "no_ports"),
            id="our own faults: the more frequent",
        ),
        pytest.param(Tally(), UNMEASURED, "no_call", id="no call"),
        pytest.param(Tally({(ERROR, "http_status_503"): 0}), UNMEASURED, "no_call", id="a count of none is no call"),
        pytest.param(
            Tally({}, {"late_start": 1, "throttled": 2}), UNMEASURED, "throttled", id="calls missed: the more frequent"
        ),
        pytest.param(Tally({(OTHER, "http_status_401"): 1}), UNSURE, "http_status_401", id="somebody's fault"),
        pytest.param(
            Tally({(OTHER, "http_status_401"): 1, (ERROR, "http_status_503"): 5, (OWN, "no_route"): 5}),
            *(UNSURE, "http_status_401"),
            id="mixed: somebody's fault names the reason",
        ),
        pytest.param(
            Tally({(ERROR, "http_status_503"): 1, (OWN, "no_route"): 2}),
            *(UNSURE, "no_route"),
            id="the server's and our own: inconclusive",
        ),
        pytest.param(
            Tally({(ERROR, "http_status_503"): 2, (OWN, "own_limit"): 1}),
            *(UNSURE, "own_limit"),
            id="the server's and our own: ours is why it is inconclusive, however rare",
        ),
    ],
)
def test_the_verdict_of_a_tally(tally: Tally, verdict: Verdict, reason: str) -> None:
    cell = judge(tally)
    assert (cell.verdict, cell.reason) == (verdict, reason)


def test_a_cell_counts_calls_by_fault_in_the_order_of_faults() -> None:
    tally = Tally({(ERROR, "a"): 2, (ERROR, "b"): 1, (NONE, "ok"): 3, (OWN, "x"): 0}, {"throttled": 1})
    assert judge(tally) == Cell(UP, "ok", 6, ((NONE, 3), (ERROR, 3)))
    assert judge(Tally()) == Cell(UNMEASURED, "no_call", 0)


def test_equal_seconds_are_one_cell() -> None:
    assert judge(Tally({(NONE, "ok"): 2})) is judge(Tally({(NONE, "ok"): 2}, {"throttled": 1}))
    mixed = {(NONE, "ok"): 2, (ERROR, "a"): 1}
    assert judge(Tally(mixed)) is judge(Tally(dict(reversed(mixed.items()))))
    assert intern_cell(Cell(UP, "ok", 2, ((NONE, 2),))) is judge(Tally({(NONE, "ok"): 2}))


def test_no_variety_of_cells_makes_memory_grow() -> None:
    for i in range(10_000):
        judge(Tally({(ERROR, f"r{i}"): 1}))
        judge(Tally({(ERROR, f"r{i}"): 1, (OTHER, "x"): 1}))
    from rules import seconds

    assert len(seconds._cells) <= 4096
    assert len(seconds._lone) <= 4096
    assert judge(Tally({(ERROR, "r1"): 1})) == Cell(DOWN, "r1", 1, ((ERROR, 1),))


def cell(verdict: Verdict, reason: str, *faults: tuple[Fault, int]) -> Cell:
    return Cell(verdict, reason, sum(n for _, n in faults), faults)


FINE = cell(UP, "ok", (NONE, 2))
BROKEN = cell(DOWN, "http_status_503", (ERROR, 2))
HANGING = cell(DOWN, "connect_timeout", (TIMEOUT, 3))
DENIED = cell(UNSURE, "http_status_401", (OTHER, 1))
NO_CALL = cell(UNMEASURED, "no_call")
CUT_OFF = cell(UNMEASURED, "no_route", (OWN, 1))


@pytest.mark.parametrize(
    ("channels", "service"),
    [
        ([FINE, BROKEN], Cell(DOWN, "http_status_503", 4, ((NONE, 2), (ERROR, 2)))),
        ([BROKEN, HANGING], Cell(DOWN, "connect_timeout", 5, ((TIMEOUT, 3), (ERROR, 2)))),
        ([FINE, DENIED], Cell(UP, "ok", 3, ((NONE, 2), (OTHER, 1)))),
        ([FINE, NO_CALL], FINE),
        ([DENIED, NO_CALL], DENIED),
        ([NO_CALL, CUT_OFF], CUT_OFF),
        ([NO_CALL, cell(UNMEASURED, "late_start")], cell(UNMEASURED, "late_start")),
        ([BROKEN], BROKEN),
        ([], NO_CALL),
    ],
)
def test_the_services_second_is_that_of_its_worst_limb_that_is_known(channels: list[Cell], service: Cell) -> None:
    for order in itertools.permutations(channels):
        assert judge_service(order) == service


names = st.sampled_from(["a", "b", "c"])
counts = st.dictionaries(st.tuples(st.sampled_from(Fault), names), st.integers(0, 3), max_size=6)
tallies = st.builds(Tally, counts, st.dictionaries(names, st.integers(1, 3)), st.sampled_from(["", "", "stalled", "x"]))


def made(tally: Tally) -> set[Fault]:
    return {fault for (fault, _), n in tally.counts.items() if n}


@given(tallies)
def test_never_unavailable_without_a_call_nor_with_one_that_was_not_the_servers_fault(tally: Tally) -> None:
    unavailable = judge(tally).verdict is DOWN
    assert unavailable == (bool(made(tally)) and made(tally) <= SERVER_FAULTS and not tally.void)


@given(tallies)
def test_a_success_always_counts_and_our_own_fault_never_does(tally: Tally) -> None:
    verdict = judge(tally).verdict
    assert (verdict is UP) == (NONE in made(tally))
    if made(tally) <= {OWN} or (tally.void and NONE not in made(tally)):
        assert verdict is UNMEASURED


@given(tallies)
def test_every_tally_has_one_verdict_and_a_reason_that_was_seen(tally: Tally) -> None:
    found = judge(tally)
    assert found.calls == tally.calls == sum(n for _, n in found.faults)
    assert found.reason in {*(r for _, r in tally.counts), *tally.missed, tally.void, "ok", "no_call"} - {""}
    assert all(n > 0 for _, n in found.faults)


@given(tallies, tallies, tallies)
def test_tallies_add_up_in_any_order(a: Tally, b: Tally, c: Tally) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + Tally() == a
    assert judge(a + b + c) == judge(c + b + a)


@given(tallies, st.randoms())
def test_the_order_of_the_counts_does_not_matter(tally: Tally, random: object) -> None:
    shuffled = list(tally.counts.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis gives a random.Random
    assert judge(Tally(dict(shuffled), tally.missed, tally.void)) == judge(tally)


@given(st.lists(tallies.map(judge), max_size=4))
def test_the_service_is_unavailable_if_a_channel_is_and_unmeasured_only_if_all_are(channels: list[Cell]) -> None:
    service = judge_service(channels)
    verdicts = {c.verdict for c in channels}
    assert (service.verdict is DOWN) == (DOWN in verdicts)
    assert (service.verdict is UP) == (UP in verdicts and DOWN not in verdicts)
    assert (service.verdict is UNMEASURED) == (verdicts <= {UNMEASURED})
    assert service.calls == sum(c.calls for c in channels) == sum(n for _, n in service.faults)
    assert service == judge_service(reversed(channels))
