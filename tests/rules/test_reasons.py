"""The closed list of reasons: nothing outside it is returned, nothing in it is dead, everything is said in words."""

import re
from itertools import product

import pytest
from any_observation import sweep

from prober.vendors import load, names
from rules.faults import classify
from rules.model import Fault, Finding, History
from rules.reasons import OF_MEASURING, REASONS, by_name, http_status, smtp_reply
from rules.suspicion import Settlement, resolve

GENERATED = re.compile(r"(http_status|smtp_reply)_\d{3}")


@pytest.fixture(scope="module")
def returned() -> set[str]:
    """Every reason that some rule returns."""
    histories = [History(), History(tls_worked=True, passed=True)]
    cases = product(sweep(), histories, map(load, names()))
    suspicion = Finding(Fault.SERVER_ERROR, "connection_reset", suspected=True)
    settled = {resolve(suspicion, settlement).reason for settlement in (None, Settlement.VOID)}
    return {classify(observation, history, vendor).reason for observation, history, vendor in cases} | settled


def test_every_reason_that_a_rule_returns_is_listed(returned: set[str]) -> None:
    assert returned - set(REASONS) == set()


def test_every_listed_reason_is_returned_by_a_rule_or_given_by_the_measuring(returned: set[str]) -> None:
    listed = {name for name in REASONS if not GENERATED.fullmatch(name)}
    assert listed - returned - OF_MEASURING == set()


def test_the_measuring_reasons_are_listed_and_no_faults_of_calls(returned: set[str]) -> None:
    assert set(REASONS) >= OF_MEASURING
    assert returned & OF_MEASURING == set()


def test_the_designs_names_are_in_the_list() -> None:
    assert set(REASONS) >= {
        "http_status_503",
        "controls_failed",
        "uncorroborated",
        "late_start",
        "own_limit",
        "stalled",
        "not_running",
    }


@pytest.mark.parametrize("code", range(100, 600))
def test_every_http_status_has_a_reason(code: int) -> None:
    assert str(code) in REASONS[http_status(code)].means


@pytest.mark.parametrize("code", range(200, 600))
def test_every_smtp_reply_code_has_a_reason(code: int) -> None:
    assert str(code) in REASONS[smtp_reply(code)].means


@pytest.mark.parametrize("code", [-1, 0, 99, 600, 1000])
def test_what_is_no_code_has_a_reason_too(code: int) -> None:
    assert http_status(code) == "http_status_invalid"
    assert smtp_reply(code) == "malformed_smtp"


def test_every_reason_is_said_in_one_or_two_sentences_that_can_be_acted_on() -> None:
    for name, reason in REASONS.items():
        assert reason.name == name
        assert re.fullmatch(r"[a-z][a-z0-9_]{1,40}", name), name
        for text in (reason.means, reason.advice):
            assert re.fullmatch(r"[A-Z][^\n]{10,160}[.?]", text), f"{name}: {text}"


@pytest.mark.parametrize("stage", ["banner", "data", "dot"])
@pytest.mark.parametrize("what", ["timeout", "dropped"])
def test_only_a_reply_lost_after_the_dot_leaves_acceptance_open(stage: str, what: str) -> None:
    """RFC 5321 4.5.3.2.6: the message may have been taken; whoever reads the reason must know."""
    assert ("may have been accepted" in REASONS[f"{stage}_{what}"].means) is (stage == "dot")


def test_the_list_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        REASONS["new"] = REASONS["ok"]  # type: ignore[index]  # that is what is tested


def test_a_reason_that_is_listed_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="the reason ok is listed twice"):
        by_name([REASONS["ok"], REASONS["no_call"], REASONS["ok"]])
