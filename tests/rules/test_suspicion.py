"""Suspicions: corroborated within two seconds of every instant that counts, void after, pending until then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model import Fault, Finding, Trouble
from rules.suspicion import GRACE, WINDOW, Settlement, instants, resolve, settle

S = 1_000_000_000
SEEN = 100 * S


def test_the_figures_are_the_designs() -> None:
    assert (WINDOW, GRACE) == (2 * S, S // 4)


@pytest.mark.parametrize("success", [SEEN - WINDOW, SEEN - 1, SEEN, SEEN + WINDOW])
def test_a_success_within_two_seconds_corroborates(success: int) -> None:
    assert settle([SEEN], [success], SEEN + WINDOW) is Settlement.CORROBORATED


@pytest.mark.parametrize("success", [SEEN - WINDOW - 1, SEEN + WINDOW + 1])
def test_a_success_further_off_does_not(success: int) -> None:
    assert settle([SEEN], [success], SEEN + WINDOW) is Settlement.PENDING
    assert settle([SEEN], [success], SEEN + WINDOW + GRACE + 1) is Settlement.VOID


def test_a_suspicion_waits_for_the_window_and_its_grace_and_no_longer() -> None:
    assert settle([SEEN], [], SEEN) is Settlement.PENDING
    assert settle([SEEN], [], SEEN + WINDOW + GRACE) is Settlement.PENDING
    assert settle([SEEN], [], SEEN + WINDOW + GRACE + 1) is Settlement.VOID


def test_a_time_out_counts_at_its_begin_and_at_its_deadline() -> None:
    assert instants(Trouble.TIMEOUT, 1, 11) == (1, 11)


@pytest.mark.parametrize("trouble", [Trouble.RESET, Trouble.REFUSED, None])
def test_anything_else_counts_when_it_was_seen(trouble: Trouble | None) -> None:
    assert instants(trouble, 1, 11) == (11,)


def test_a_time_out_whose_begin_alone_is_corroborated_is_void() -> None:
    begun, deadline = SEEN, SEEN + 10 * S
    assert settle([begun, deadline], [begun], deadline) is Settlement.PENDING
    assert settle([begun, deadline], [begun], deadline + WINDOW + GRACE + 1) is Settlement.VOID


def test_a_time_out_whose_begin_is_void_waits_for_nothing() -> None:
    begun, deadline = SEEN, SEEN + 10 * S
    assert settle([begun, deadline], [], deadline) is Settlement.VOID


def test_a_time_out_is_corroborated_at_both_ends() -> None:
    begun, deadline = SEEN, SEEN + 10 * S
    assert settle([begun, deadline], [begun + S, deadline - S], deadline) is Settlement.CORROBORATED


def test_without_an_instant_nothing_is_corroborated() -> None:
    with pytest.raises(ValueError, match="no instant"):
        settle([], [SEEN], SEEN)


times = st.integers(0, 20 * S)


@given(st.lists(times, min_size=1, max_size=3), st.lists(times).map(sorted), times)
def test_settling_agrees_with_its_definition(seen: list[int], successes: list[int], now: int) -> None:
    def corroborated(instant: int) -> bool:
        return any(abs(success - instant) <= WINDOW for success in successes)

    overdue = [now > instant + WINDOW + GRACE for instant in seen if not corroborated(instant)]
    wanted = Settlement.VOID if any(overdue) else Settlement.PENDING if overdue else Settlement.CORROBORATED
    assert settle(seen, successes, now) is wanted


SUSPECTED = Finding(Fault.SERVER_TIMEOUT, "dot_timeout", suspected=True, tags=("accept_unconfirmed",))


@pytest.mark.parametrize(
    ("settlement", "wanted"),
    [
        (Settlement.CORROBORATED, Finding(Fault.SERVER_TIMEOUT, "dot_timeout", tags=("accept_unconfirmed",))),
        (Settlement.VOID, Finding(Fault.OWN, "controls_failed", tags=("accept_unconfirmed",))),
        (None, Finding(Fault.OTHER, "uncorroborated", tags=("accept_unconfirmed",))),
        (Settlement.PENDING, SUSPECTED),
    ],
)
def test_a_suspicion_becomes_what_the_controls_say(settlement: Settlement | None, wanted: Finding) -> None:
    assert resolve(SUSPECTED, settlement) == wanted


@pytest.mark.parametrize("settlement", [*Settlement, None])
def test_what_is_not_suspected_stays_whatever_the_controls_say(settlement: Settlement | None) -> None:
    finding = Finding(Fault.SERVER_ERROR, "http_status_503")
    assert resolve(finding, settlement) is finding
