"""Whose fault it is by what the transport alone showed: names, connections, TLS, proxies, our own machine.

Common to HTTP, SMTP and TCP (classification.md: SMTP "connect, broken TLS: as HTTP"). What a protocol's own stages mean
stands in `http` and `smtp`.
"""

from collections.abc import Mapping

from rules.model import Fault, Finding, History, Observation, Stage, Trouble


def suspected(fault: Fault, reason: str) -> Finding:
    """A server's fault by transport evidence alone: rows "+C", time-outs, refusals, resets, TLS failures, drops."""
    return Finding(fault, reason, suspected=True)


def other(reason: str, *tags: str) -> Finding:
    """Somebody's fault, not provably the server's."""
    return Finding(Fault.OTHER, reason, tags=tags)


#: What no engine can have seen, or what our own engine broke: a defect of ours, never the vendor's (invariant 5).
ENGINE_ERROR = Finding(Fault.OWN, "engine_error")
PROXY_ERROR = other("proxy_error")

#: Plain at whatever stage they are met.
_ANYWHERE: Mapping[Trouble, Finding] = {
    # Our own machine.
    Trouble.NO_ROUTE: Finding(Fault.OWN, "no_route"),
    Trouble.NOT_PERMITTED: Finding(Fault.OWN, "not_permitted"),
    Trouble.NO_DESCRIPTORS: Finding(Fault.OWN, "no_descriptors"),
    Trouble.NO_PORTS: Finding(Fault.OWN, "no_ports"),
    Trouble.NO_MEMORY: Finding(Fault.OWN, "no_memory"),
    Trouble.ENGINE: ENGINE_ERROR,
    # Names. I+C or T+C "only if the authoritative servers answer alike": other for now (DESIGN.md, Controls).
    Trouble.DNS_NXDOMAIN: other("dns_nxdomain"),
    Trouble.DNS_SERVFAIL: other("dns_servfail"),
    Trouble.DNS_TIMEOUT: other("dns_timeout"),
    Trouble.DNS_NO_ADDRESS: other("dns_no_address"),
    Trouble.DNS_FAILED: other("dns_failed"),
    # Certificates. An expired one is I+C only with "the same serial elsewhere", a second location: other for now. Any
    # other objection may be an interception on the way.
    Trouble.TLS_EXPIRED: other("tls_certificate_expired"),
    Trouble.TLS_NOT_YET_VALID: other("tls_certificate_not_yet_valid"),
    Trouble.TLS_WRONG_HOST: other("tls_certificate_wrong_host"),
    Trouble.TLS_UNKNOWN_ISSUER: other("tls_certificate_unknown_issuer"),
    Trouble.TLS_UNVERIFIED: other("tls_certificate_unverified"),
    # Said by a router that may be anybody's.
    Trouble.HOST_UNREACHABLE: other("host_unreachable"),
    Trouble.PROXY: PROXY_ERROR,
}

#: Before the protocol's first byte.
_AT_STAGE: Mapping[tuple[Stage, Trouble], Finding] = {
    (Stage.RESOLVE, Trouble.TIMEOUT): other("dns_timeout"),
    (Stage.CONNECT, Trouble.TIMEOUT): suspected(Fault.SERVER_TIMEOUT, "connect_timeout"),
    (Stage.CONNECT, Trouble.RESET): suspected(Fault.SERVER_ERROR, "connection_reset"),
    (Stage.CONNECT, Trouble.CLOSED): suspected(Fault.SERVER_ERROR, "connection_reset"),
    (Stage.TLS, Trouble.TIMEOUT): suspected(Fault.SERVER_TIMEOUT, "tls_timeout"),
    (Stage.TLS, Trouble.RESET): suspected(Fault.SERVER_ERROR, "tls_dropped"),
    (Stage.TLS, Trouble.CLOSED): suspected(Fault.SERVER_ERROR, "tls_dropped"),
}

#: I+C "if this configuration worked before, else O" (RFC 8446 6.2): it may be ours that is wrong.
_OF_TLS: Mapping[Trouble, str] = {Trouble.TLS_ALERT: "tls_alert", Trouble.TLS_FAILED: "tls_failed"}


def judge(observation: Observation, history: History) -> Finding | None:
    """What the transport alone tells of a call in trouble; None where the protocol's stages must tell."""
    trouble = observation.trouble
    if trouble is None:
        return None
    if trouble in _ANYWHERE:
        return _ANYWHERE[trouble]
    if observation.stage is Stage.RESOLVE and trouble is Trouble.TIMEOUT:
        return _AT_STAGE[Stage.RESOLVE, trouble]
    if behind_proxy(observation):
        return PROXY_ERROR
    if trouble is Trouble.REFUSED:  # a local REJECT looks the same, therefore suspected
        return suspected(Fault.SERVER_ERROR, "connection_refused")
    if trouble in _OF_TLS:
        reason = _OF_TLS[trouble]
        return suspected(Fault.SERVER_ERROR, reason) if history.tls_worked else other(reason)
    return _AT_STAGE.get((observation.stage, trouble))


def behind_proxy(observation: Observation) -> bool:
    """Whether our own proxy, rather than the vendor, may have caused what was seen.

    Inside a tunnel whose far end proved its certificate the answers are the origin's; everything before, and plain HTTP
    through a proxy as a whole, cannot be told apart.
    """
    return observation.stage is Stage.PROXY or (bool(observation.proxied) and not observation.verified)


def untrusted_bytes(observation: Observation, reason: str) -> Finding:
    """Bytes that are not the protocol: the server's where its certificate was verified, else perhaps a middlebox's."""
    return Finding(Fault.SERVER_ERROR, reason) if observation.verified else other(reason)


def unheard_on_kept(observation: Observation) -> bool:
    """Whether a kept connection gave no sign of life in this call, so that it may itself have been dead.

    classification.md, Rules 9: a failure with no byte back on a reused connection counts only if a fresh one fails too.
    One whose peer acknowledged the request was alive: what it then withheld is the server's.
    """
    return not (observation.fresh or observation.received or observation.sent_whole)
