"""Whose fault it is that an SMTP call failed: the table "SMTP" of classification.md.

Order of evidence: the reply's text, its enhanced code (RFC 3463), its code (RFC 5321 4.2), then the transport.
"""

from collections.abc import Mapping
from dataclasses import replace

from rules.faults import transport
from rules.faults.transport import ENGINE_ERROR, other, suspected
from rules.faults.vendors import Vendor
from rules.model import Fault, Finding, History, Observation, Stage, Trouble
from rules.reasons import OK, SMTP_STAGES, smtp_reply

#: A kept connection may be closed after this idle time, ns (SparkPost and Bird drop idle connections at 1 min).
IDLE_ALLOWED = 60_000_000_000
#: ... or after this many messages (they advise 100 messages a connection).
MESSAGES_ALLOWED = 100

_I, _O = Fault.SERVER_ERROR, Fault.OTHER

#: What an enhanced code says under whatever reply code: fault, reason (None: the reply code's), tags. "x" stands for
#: any class or detail; the most exact line holds. Registry of RFC 5248.
ENHANCED: Mapping[str, tuple[Fault, str | None, tuple[str, ...]]] = {
    "x.1.x": (_O, "smtp_address", ()),
    "x.2.x": (_O, "smtp_mailbox", ()),
    "4.3.0": (_I, None, ()),
    "4.3.1": (_I, None, ()),
    "4.3.2": (_I, None, ("maintenance",)),  # "system not accepting network messages": maintenance or load
    "5.3.4": (_O, "smtp_size", ()),
    "4.4.1": (_I, None, ()),
    "4.4.5": (_I, None, ()),
    "x.5.x": (_O, "smtp_protocol", ()),
    "x.6.x": (_O, "smtp_content", ()),
    "x.7.x": (_O, "smtp_policy", ()),
    "x.7.28": (_O, "rate_limited", ("throttled",)),  # mail flood detected
}

#: Codes that speak of authentication (RFC 4954 6) say more than the x.7.x that goes with them: 535 5.7.8.
CREDENTIALS = frozenset({530, 534, 535, 538})

#: Where stage and code together outrank the table above.
ENHANCED_AT: Mapping[tuple[Stage, int, str], Fault] = {
    (Stage.STARTTLS, 454, "4.7.0"): _I,  # RFC 3207 4: TLS not available due to temporary reason
    (Stage.AUTH, 454, "4.7.0"): _I,  # RFC 4954 6: temporary authentication failure
    (Stage.DATA, 554, "5.3.0"): _I,
    (Stage.DOT, 554, "5.3.0"): _I,
}

#: What a reply code says at one stage ...
CODES_AT: Mapping[tuple[Stage, int], Fault] = {
    (Stage.RCPT, 452): _O,  # too many recipients, RFC 5321 4.5.3.1.10
    (Stage.STARTTLS, 454): _I,  # RFC 3207 4
    (Stage.AUTH, 454): _I,  # RFC 4954 6
}
#: ... and at any other. Every code that is not here is somebody's, not provably the server's: 450 (policy;
#: greylisting, RFC 6647), 454 elsewhere, 500 to 504 (RFC 5321 4.3.2), 530, 534, 535, 538 (RFC 4954 6), 550 to 553,
#: 555, 556, 554 after the banner, and those that nobody has registered.
CODES: Mapping[int, Fault] = {
    421: _I,  # RFC 5321 4.2.3: shutting down
    451: _I,  # local error in processing
    452: _I,  # insufficient system storage
}

#: Commands that every server must know (RFC 5321 4.5.1): a 500 to one of them is the server's, if it arrived whole.
REQUIRED = frozenset({Stage.EHLO, Stage.MAIL, Stage.RCPT, Stage.DATA})

#: After the dot neither drop nor silence says whether the message was accepted (RFC 5321 4.5.3.2.6).
UNCONFIRMED = "accept_unconfirmed"

_TIMEOUTS: Mapping[Stage, Finding] = {
    stage: suspected(Fault.SERVER_TIMEOUT, f"{stage}_timeout") for stage in SMTP_STAGES
}
_DROPS: Mapping[Stage, Finding] = {stage: suspected(Fault.SERVER_ERROR, f"{stage}_dropped") for stage in SMTP_STAGES}


def judge(observation: Observation, history: History, vendor: Vendor) -> Finding:
    """The finding of an SMTP call."""
    if observation.stage is Stage.DONE or (observation.trouble is None and observation.unmet is None):
        # After the 250 the transaction is complete: QUIT and whatever follows fail nothing.
        return Finding(Fault.NONE, OK)
    replied = observation.trouble is None
    finding = by_reply(observation, history, vendor) if replied else _in_trouble(observation, history)
    refused = replied and _is_failure(observation.code)  # a 4yz or 5yz after the dot: it was certainly not accepted
    if observation.stage is Stage.DOT and not refused:
        return replace(finding, tags=(*finding.tags, UNCONFIRMED))
    return finding


def _is_failure(code: int) -> bool:
    return 400 <= code <= 599


def by_reply(observation: Observation, history: History, vendor: Vendor) -> Finding:
    """What the reply says that stopped the dialogue."""
    code, stage = observation.code, observation.stage
    reason = smtp_reply(code)
    if observation.unmet != "reply":  # what our message needs and the server does not offer: no reply is at fault
        return other("extension_missing")
    if not _is_failure(code):  # a 250 to DATA, a 354 to MAIL, no code at all: not the protocol
        return transport.untrusted_bytes(observation, reason)
    if vendor.throttles(observation.text):  # text outranks every code: "454 Throttling failure"
        return other("rate_limited", "throttled")
    told = by_enhanced(observation, reason)
    if told is not None:
        return told
    if code == 455:  # parameters that cannot be accommodated now
        return suspected(_I, reason) if history.passed else other(reason)
    if (code == 500 and stage in REQUIRED) or (code == 554 and stage is Stage.BANNER):
        # 554 as the banner: "no SMTP service here", or our address is blocked.
        return suspected(_I, reason)
    return Finding(CODES_AT.get((stage, code)) or CODES.get(code, _O), reason)


def by_enhanced(observation: Observation, reason: str) -> Finding | None:
    """What the enhanced code says; None when there is none, or none that the table lists."""
    enhanced = observation.enhanced
    fault = ENHANCED_AT.get((observation.stage, observation.code, enhanced))
    if fault is not None:
        return Finding(fault, reason)
    if observation.code == 421 and enhanced == "4.4.2" and observation.idle > 0:
        # The server's idle timer, which may be short; a dialogue on a fresh connection has no such excuse.
        return other("dropped_idle")
    _, _, rest = enhanced.partition(".")
    subject, _, _ = rest.partition(".")
    for key in (enhanced, f"x.{rest}", f"x.{subject}.x"):
        if key in ENHANCED:
            fault, named, tags = ENHANCED[key]
            if named == "smtp_policy" and observation.code in CREDENTIALS:
                named = None
            return Finding(fault, named or reason, tags=tags)
    return None


def _in_trouble(observation: Observation, history: History) -> Finding:
    """No complete reply ended the call."""
    trouble, stage = observation.trouble, observation.stage
    general = transport.judge(observation, history)
    if general is not None:
        return general
    if trouble is Trouble.MALFORMED:
        return transport.untrusted_bytes(observation, "malformed_smtp")
    if trouble is Trouble.TOO_LARGE:
        return transport.untrusted_bytes(observation, "reply_too_large")
    if trouble is Trouble.NO_STARTTLS:  # a middlebox may strip it
        return suspected(_I, "starttls_not_offered")
    if trouble is Trouble.NO_AUTH_MECHANISM:
        return other("auth_mechanism")
    if trouble is Trouble.TIMEOUT:
        # Silence counts at the call's time-out (DESIGN.md, "Settled", goes before the table's 60 s).
        return _excused_silence(observation) or _TIMEOUTS.get(stage, ENGINE_ERROR)
    if trouble in (Trouble.RESET, Trouble.CLOSED):
        return _excused_drop(observation) or _DROPS.get(stage, ENGINE_ERROR)
    return ENGINE_ERROR


def _excused_silence(observation: Observation) -> Finding | None:
    return other("timeout_reused") if transport.unheard_on_kept(observation) else None


def _excused_drop(observation: Observation) -> Finding | None:
    """A drop that vendors announce: after a minute of idling, past 100 messages on one connection."""
    if observation.idle >= IDLE_ALLOWED:
        return other("dropped_idle")
    if observation.messages >= MESSAGES_ALLOWED:
        return other("dropped_after_many")
    return other("reset_reused") if transport.unheard_on_kept(observation) else None
