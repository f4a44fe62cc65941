"""What holds for every observation, however strange: classify never raises and never accuses without ground."""

from dataclasses import replace

from any_observation import histories, observations
from hypothesis import given, settings
from hypothesis import strategies as st

from prober.vendors import load
from rules.faults import Vendor, classify
from rules.model import SERVER_FAULTS, Fault, History, Observation, Stage, Trouble
from rules.reasons import REASONS
from rules.suspicion import Settlement, resolve

vendors = st.sampled_from([load("generic"), load("sparkpost"), load("bird")])
OWN_TROUBLES = {
    Trouble.NO_ROUTE,
    Trouble.NOT_PERMITTED,
    Trouble.NO_DESCRIPTORS,
    Trouble.NO_PORTS,
    Trouble.NO_MEMORY,
    Trouble.ENGINE,
}


@settings(max_examples=200)
@given(observations, histories, vendors)
def test_every_observation_has_a_finding_with_a_listed_reason(o: Observation, h: History, v: Vendor) -> None:
    finding = classify(o, h, v)
    assert finding.reason in REASONS
    assert (finding.fault is Fault.NONE) == (finding.reason == "ok")
    assert finding.suspected is False or finding.fault in SERVER_FAULTS
    assert set(finding.tags) <= {"maintenance", "accept_unconfirmed", "flagged", "throttled"}
    assert len(set(finding.tags)) == len(finding.tags)


@given(observations, histories, vendors)
def test_the_same_observation_has_the_same_finding(o: Observation, h: History, v: Vendor) -> None:
    assert classify(o, h, v) == classify(replace(o), replace(h), v)


@given(observations.filter(lambda o: o.stage is not Stage.DONE), histories, st.sampled_from(sorted(OWN_TROUBLES)))
def test_trouble_of_our_own_machine_is_always_ours(o: Observation, h: History, trouble: Trouble) -> None:
    assert classify(replace(o, trouble=trouble), h).fault is Fault.OWN


@given(observations, histories, vendors)
def test_silence_and_drops_never_accuse_without_a_control(o: Observation, h: History, v: Vendor) -> None:
    silent = replace(o, trouble=Trouble.TIMEOUT, code=0, body=b"")
    for seen in (silent, replace(silent, trouble=Trouble.CLOSED), replace(silent, trouble=Trouble.RESET)):
        assert resolve(classify(seen, h, v), None).fault not in SERVER_FAULTS
        assert resolve(classify(seen, h, v), Settlement.VOID).fault not in SERVER_FAULTS


@given(observations, histories, vendors)
def test_a_refusal_of_the_final_dot_alone_is_a_certain_refusal(o: Observation, h: History, v: Vendor) -> None:
    tagged = "accept_unconfirmed" in classify(o, h, v).tags
    assert not tagged or o.stage is Stage.DOT
