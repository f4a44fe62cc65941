"""Whose fault it is that an HTTP call failed: the table "HTTP" of classification.md.

Order of evidence: the vendor's own body, then the status, then what the transport showed.
"""

from collections.abc import Mapping

from rules.faults import transport
from rules.faults.transport import ENGINE_ERROR, PROXY_ERROR, other, suspected
from rules.faults.vendors import Vendor
from rules.model import SERVER_FAULTS, Fault, Finding, History, Observation, Stage, Trouble
from rules.reasons import OK, http_status

#: 504: RFC 9110 15.6.5; 522, 524: Cloudflare's own waits for the origin.
SERVER_TIMEOUTS = frozenset({504, 522, 524})
#: Deterministic (501, 505), a captive network (511, RFC 6585 6), unregistered (598, 599).
NOT_THE_SERVERS = frozenset({501, 505, 511, 598, 599})
#: Cloudflare's, if it was Cloudflare: only with its header.
CLOUDFLARE = frozenset({520, 521, 523, 525, 526, 530})
CLOUDFLARE_HEADER = "cf-ray"
#: 420: SparkPost's sending limit; 429: RFC 6585 4.
THROTTLING = frozenset({420, 429})

#: The call's trouble by the stage in which it came, where neither body nor status tell.
_AT_STAGE: Mapping[tuple[Stage, Trouble | None], Finding] = {
    (Stage.SEND, Trouble.TIMEOUT): suspected(Fault.SERVER_TIMEOUT, "write_timeout"),
    (Stage.SEND, Trouble.RESET): suspected(Fault.SERVER_ERROR, "connection_reset"),
    (Stage.SEND, Trouble.CLOSED): suspected(Fault.SERVER_ERROR, "dropped"),
    (Stage.HEADERS, Trouble.TIMEOUT): suspected(Fault.SERVER_TIMEOUT, "read_timeout"),
    (Stage.HEADERS, Trouble.RESET): suspected(Fault.SERVER_ERROR, "connection_reset"),
    (Stage.HEADERS, Trouble.CLOSED): suspected(Fault.SERVER_ERROR, "dropped"),
    (Stage.BODY, Trouble.TIMEOUT): suspected(Fault.SERVER_TIMEOUT, "body_timeout"),
    (Stage.BODY, Trouble.RESET): suspected(Fault.SERVER_ERROR, "reset_in_body"),
    (Stage.BODY, Trouble.CLOSED): suspected(Fault.SERVER_ERROR, "truncated"),
}
_BEFORE_HEADERS = (Stage.SEND, Stage.HEADERS)

#: All that the configuration expects was met; "vendor": but the body holds one of the vendor's markers.
MET = (None, "vendor")
#: Reasons of expectations other than the status, by the first word of `unmet`.
_EXPECTATIONS: Mapping[str, str] = {
    "header": "expectation_header",
    "body": "expectation_body",
    "json": "expectation_json",
}


def judge(observation: Observation, history: History, vendor: Vendor) -> Finding:
    """The finding of an HTTP call."""
    if observation.trouble is not None:
        return _in_trouble(observation, history, vendor)
    spoken = vendor.judge_body(observation.body) if observation.body else None
    if observation.unmet in MET:
        # Expectations met win over the table of statuses: who expects a 503 gets it. Only where a success was expected
        # can the vendor's own body still call it a failure ("200 with the vendor's internal_error body").
        return spoken if spoken is not None and 200 <= observation.code <= 299 else Finding(Fault.NONE, OK)
    stated = _unmet(observation, history, vendor)
    return stated if spoken is None or _confirms(spoken, stated, observation.code) else spoken


def _confirms(spoken: Finding, stated: Finding, code: int) -> bool:
    """Whether the body says no more than the status, which then names the reason (and 504 stays a time-out)."""
    if stated is PROXY_ERROR:  # not even the body's words can be told from the proxy's
        return True
    if stated.suspected:
        return False
    both_servers = {spoken.fault, stated.fault} <= SERVER_FAULTS
    return both_servers or (spoken.fault is stated.fault and _is_failure(code))


def _is_failure(code: int) -> bool:
    return code >= 400


def _unmet(observation: Observation, history: History, vendor: Vendor) -> Finding:
    """The reply is whole and not what was expected."""
    expectation = (observation.unmet or "").partition(" ")[0]
    if expectation in _EXPECTATIONS:  # the status was as expected: our own assertion failed
        return other(_EXPECTATIONS[expectation])
    if 200 <= observation.code <= 299:
        return other("expectation_status")
    return by_status(observation, history, vendor)


def by_status(observation: Observation, history: History, vendor: Vendor) -> Finding:
    """What the status alone says."""
    code = observation.code
    reason = http_status(code)
    if 500 <= code <= 599:
        return _server_status(observation, vendor, reason)
    if code in THROTTLING:
        return other(reason, "throttled")
    if code == 408 and observation.sent_whole:  # RFC 9110 15.5.9: it waited for what it had been sent
        return suspected(Fault.SERVER_TIMEOUT, reason)
    if code == 401 and history.passed:  # contestable only if the same key works beside it
        return other(reason, "flagged")
    return other(reason)  # among them 421 (RFC 9110 15.5.20: another region's key) and 425 (RFC 8470)


def _server_status(observation: Observation, vendor: Vendor, reason: str) -> Finding:
    code = observation.code
    if transport.behind_proxy(observation):
        return PROXY_ERROR
    if code in NOT_THE_SERVERS or (code in CLOUDFLARE and _header(observation, CLOUDFLARE_HEADER) is None):
        return other(reason)
    if code in SERVER_TIMEOUTS:
        return Finding(Fault.SERVER_TIMEOUT, reason)
    if (
        code == 503
        and _header(observation, "retry-after") is not None
        and vendor.announces_maintenance(observation.text, observation.body)
    ):
        # Exclusions are applied when adding up, not when classifying.
        return Finding(Fault.SERVER_ERROR, reason, tags=("maintenance",))
    return Finding(Fault.SERVER_ERROR, reason)  # an unknown one counts as 500 (RFC 9110 15)


def _header(observation: Observation, name: str) -> str | None:
    return next((value for key, value in observation.headers if key == name), None)


def _in_trouble(observation: Observation, history: History, vendor: Vendor) -> Finding:
    """No complete reply ended the call."""
    trouble, stage = observation.trouble, observation.stage
    general = transport.judge(observation, history)
    if general is not None:
        return general
    if stage is Stage.BODY and _is_failure(observation.code):
        # The status outranks what the transport showed after it: a 5xx is the server's without any suspicion, and a 429
        # that then hangs stays a 429.
        return by_status(observation, history, vendor)
    if trouble is Trouble.REDIRECT_LOOP:
        loops_now = history.passed and not history.redirected
        return suspected(Fault.SERVER_ERROR, "redirect_loop") if loops_now else other("redirect_loop")
    if trouble is Trouble.MALFORMED:
        return transport.untrusted_bytes(observation, "malformed_http")
    if trouble is Trouble.TOO_LARGE:
        return transport.untrusted_bytes(observation, "reply_too_large")
    if stage in _BEFORE_HEADERS and not observation.fresh:
        if trouble in (Trouble.RESET, Trouble.CLOSED):
            # RFC 9112 9.3.1. The engine itself tries once more on a fresh connection; this call could not.
            return other("reset_reused")
        if trouble is Trouble.TIMEOUT and transport.unheard_on_kept(observation):
            return other("timeout_reused")
    return _AT_STAGE.get((stage, trouble), ENGINE_ERROR)
