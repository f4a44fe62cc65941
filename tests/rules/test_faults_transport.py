"""Rows that hold for every protocol: names, connections, TLS, our own machine."""

import pytest

from rules.faults import classify
from rules.model import Fault, Finding, History, Kind, Observation, Stage, Trouble

I, T, O, OWN = Fault.SERVER_ERROR, Fault.SERVER_TIMEOUT, Fault.OTHER, Fault.OWN  # noqa: E741 - the document's letters
KINDS = pytest.mark.parametrize("kind", list(Kind))


def suspected(fault: Fault, reason: str) -> Finding:
    return Finding(fault, reason, suspected=True)


ROWS: dict[str, tuple[Stage, Trouble, Finding]] = {
    "connection refused": (Stage.CONNECT, Trouble.REFUSED, suspected(I, "connection_refused")),
    "connect timeout": (Stage.CONNECT, Trouble.TIMEOUT, suspected(T, "connect_timeout")),
    "reset while connecting": (Stage.CONNECT, Trouble.RESET, suspected(I, "connection_reset")),
    "closed while connecting": (Stage.CONNECT, Trouble.CLOSED, suspected(I, "connection_reset")),
    "TLS timeout": (Stage.TLS, Trouble.TIMEOUT, suspected(T, "tls_timeout")),
    "reset in the handshake": (Stage.TLS, Trouble.RESET, suspected(I, "tls_dropped")),
    "closed in the handshake": (Stage.TLS, Trouble.CLOSED, suspected(I, "tls_dropped")),
    "TLS alert, never worked": (Stage.TLS, Trouble.TLS_ALERT, Finding(O, "tls_alert")),
    "broken TLS, never worked": (Stage.TLS, Trouble.TLS_FAILED, Finding(O, "tls_failed")),
    "expired certificate": (Stage.TLS, Trouble.TLS_EXPIRED, Finding(O, "tls_certificate_expired")),
    "certificate not yet valid": (Stage.TLS, Trouble.TLS_NOT_YET_VALID, Finding(O, "tls_certificate_not_yet_valid")),
    "certificate of another host": (Stage.TLS, Trouble.TLS_WRONG_HOST, Finding(O, "tls_certificate_wrong_host")),
    "unknown issuer": (Stage.TLS, Trouble.TLS_UNKNOWN_ISSUER, Finding(O, "tls_certificate_unknown_issuer")),
    "unverified": (Stage.TLS, Trouble.TLS_UNVERIFIED, Finding(O, "tls_certificate_unverified")),
    "NXDOMAIN": (Stage.RESOLVE, Trouble.DNS_NXDOMAIN, Finding(O, "dns_nxdomain")),
    "SERVFAIL": (Stage.RESOLVE, Trouble.DNS_SERVFAIL, Finding(O, "dns_servfail")),
    "DNS timeout": (Stage.RESOLVE, Trouble.DNS_TIMEOUT, Finding(O, "dns_timeout")),
    "DNS timeout at the call's deadline": (Stage.RESOLVE, Trouble.TIMEOUT, Finding(O, "dns_timeout")),
    "no address": (Stage.RESOLVE, Trouble.DNS_NO_ADDRESS, Finding(O, "dns_no_address")),
    "DNS failed otherwise": (Stage.RESOLVE, Trouble.DNS_FAILED, Finding(O, "dns_failed")),
    "host unreachable": (Stage.CONNECT, Trouble.HOST_UNREACHABLE, Finding(O, "host_unreachable")),
    "our network is down": (Stage.CONNECT, Trouble.NO_ROUTE, Finding(OWN, "no_route")),
    "our firewall": (Stage.CONNECT, Trouble.NOT_PERMITTED, Finding(OWN, "not_permitted")),
    "EMFILE": (Stage.CONNECT, Trouble.NO_DESCRIPTORS, Finding(OWN, "no_descriptors")),
    "EADDRNOTAVAIL": (Stage.CONNECT, Trouble.NO_PORTS, Finding(OWN, "no_ports")),
    "ENOBUFS": (Stage.CONNECT, Trouble.NO_MEMORY, Finding(OWN, "no_memory")),
    "our own engine": (Stage.CONNECT, Trouble.ENGINE, Finding(OWN, "engine_error")),
}


@KINDS
@pytest.mark.parametrize(("stage", "trouble", "finding"), ROWS.values(), ids=ROWS)
def test_the_transport_tells_alike_for_every_protocol(
    kind: Kind, stage: Stage, trouble: Trouble, finding: Finding
) -> None:
    assert classify(Observation(kind, stage, trouble)) == finding


@KINDS
@pytest.mark.parametrize("trouble", [Trouble.TLS_ALERT, Trouble.TLS_FAILED])
def test_a_handshake_that_worked_before_is_suspected_when_it_breaks(kind: Kind, trouble: Trouble) -> None:
    seen = Observation(kind, Stage.TLS, trouble)
    assert classify(seen, History(tls_worked=True)) == suspected(I, str(trouble))


@KINDS
@pytest.mark.parametrize("trouble", [Trouble.TLS_EXPIRED, Trouble.TLS_UNKNOWN_ISSUER, Trouble.TLS_WRONG_HOST])
def test_a_certificate_stays_other_although_the_handshake_worked_before(kind: Kind, trouble: Trouble) -> None:
    finding = classify(Observation(kind, Stage.TLS, trouble), History(tls_worked=True, passed=True))
    assert (finding.fault, finding.suspected) == (O, False)


@KINDS
def test_our_own_machine_is_ours_even_behind_a_proxy_or_after_a_503(kind: Kind) -> None:
    seen = Observation(kind, Stage.BODY, Trouble.NO_MEMORY, code=503, proxied="proxy.example")
    assert classify(seen) == Finding(OWN, "no_memory")


@KINDS
def test_a_name_that_is_not_found_in_time_is_no_fault_of_the_proxy(kind: Kind) -> None:
    seen = Observation(kind, Stage.RESOLVE, Trouble.TIMEOUT, proxied="proxy.example")
    assert classify(seen) == Finding(O, "dns_timeout")


@KINDS
def test_what_no_engine_can_have_seen_is_our_own_defect(kind: Kind) -> None:
    assert classify(Observation(kind, Stage.RESOLVE, Trouble.RESET)) == Finding(OWN, "engine_error")


def test_a_tcp_call_that_connected_is_ok() -> None:
    assert classify(Observation(Kind.TCP, Stage.DONE)) == Finding(Fault.NONE, "ok")


def test_a_tcp_call_has_no_expectation_to_miss() -> None:
    assert classify(Observation(Kind.TCP, Stage.DONE, unmet="status")) == Finding(OWN, "engine_error")
