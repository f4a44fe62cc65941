"""The words of the domain as frozen values: calls, faults, verdicts, tallies.

Units: instants are integer nanoseconds or integer seconds of UTC (POSIX); durations are integer nanoseconds unless a name
says otherwise. Source of the words: DESIGN.md, "Words".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

_K = TypeVar("_K")


class Fault(StrEnum):
    """Whose fault the end of a call was, and of what kind."""

    NONE = "none"
    SERVER_TIMEOUT = "server_timeout"
    SERVER_ERROR = "server_error"
    OTHER = "other"
    OWN = "own"


#: The faults by which the agreement counts a second as Unavailable.
SERVER_FAULTS = frozenset({Fault.SERVER_TIMEOUT, Fault.SERVER_ERROR})


class Verdict(StrEnum):
    """What a second was, for an endpoint, a channel or the service."""

    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"
    INCONCLUSIVE = "inconclusive"
    UNMEASURED = "unmeasured"


class Condition(StrEnum):
    """What the measurements amount to."""

    UNAVAILABLE = "unavailable"
    PARTIAL = "partial"
    INTERMITTENT = "intermittent"
    SLOW = "slow"
    FAILING = "failing"
    BLIND = "blind"


class Kind(StrEnum):
    """What protocol an endpoint speaks."""

    HTTP = "http"
    SMTP = "smtp"
    TCP = "tcp"


class Stage(StrEnum):
    """How far a call came: the stage in which it ended. HTTP uses the first block and its own, SMTP likewise."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    PROXY = "proxy"  # CONNECT through the user's own proxy
    TLS = "tls"
    # HTTP
    SEND = "send"  # request not wholly written
    HEADERS = "headers"  # request written, status line and headers not complete
    BODY = "body"
    # SMTP: the stage names the command whose reply was due
    BANNER = "banner"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"  # DATA sent, 354 due
    DOT = "dot"  # message being sent, or sent and its final reply due
    DONE = "done"  # all the depth asked for was reached (QUIT and later cannot fail a call)


class Trouble(StrEnum):
    """What the transport or the protocol engine showed when no complete, well-formed reply ended the call."""

    TIMEOUT = "timeout"  # the call's one absolute deadline passed
    REFUSED = "refused"  # ECONNREFUSED
    RESET = "reset"  # ECONNRESET, EPIPE, ECONNABORTED
    CLOSED = "closed"  # the peer closed although more was due (truncation, drop without a reply)
    HOST_UNREACHABLE = "host_unreachable"  # EHOSTUNREACH, EHOSTDOWN
    MALFORMED = "malformed"  # bytes that are not the protocol
    TOO_LARGE = "too_large"  # reply line, header block or reply past the engine's limits (not the body: it is cut)
    NO_STARTTLS = "no_starttls"  # configured, not offered
    NO_AUTH_MECHANISM = "no_auth_mechanism"  # none of PLAIN, LOGIN, CRAM-MD5 offered
    REDIRECT_LOOP = "redirect_loop"
    PROXY = "proxy"  # the user's own proxy refused or failed
    # TLS
    TLS_ALERT = "tls_alert"  # the peer sent an alert
    TLS_FAILED = "tls_failed"  # not TLS at all, or broken
    TLS_EXPIRED = "tls_expired"
    TLS_NOT_YET_VALID = "tls_not_yet_valid"
    TLS_WRONG_HOST = "tls_wrong_host"
    TLS_UNKNOWN_ISSUER = "tls_unknown_issuer"
    TLS_UNVERIFIED = "tls_unverified"  # any other failed verification
    # DNS
    DNS_NXDOMAIN = "dns_nxdomain"
    DNS_SERVFAIL = "dns_servfail"
    DNS_TIMEOUT = "dns_timeout"
    DNS_NO_ADDRESS = "dns_no_address"
    DNS_FAILED = "dns_failed"
    # our own machine
    NO_ROUTE = "no_route"  # ENETUNREACH, ENETDOWN
    NOT_PERMITTED = "not_permitted"  # EPERM, EACCES: a local firewall
    NO_DESCRIPTORS = "no_descriptors"  # EMFILE, ENFILE
    NO_PORTS = "no_ports"  # EADDRNOTAVAIL
    NO_MEMORY = "no_memory"  # ENOBUFS, ENOMEM
    ENGINE = "engine"  # our own engine failed (a defect of ours, or a library's error that we do not know)


#: Names of a call's phases, in the order of Observation.phases.
HTTP_PHASES = ("resolve", "connect", "tls", "processing", "transfer")
SMTP_PHASES = ("resolve", "connect", "tls", "banner", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "dot", "quit")
TCP_PHASES = ("resolve", "connect", "tls")
PHASES: Mapping[Kind, tuple[str, ...]] = {Kind.HTTP: HTTP_PHASES, Kind.SMTP: SMTP_PHASES, Kind.TCP: TCP_PHASES}


@dataclass(frozen=True, slots=True)
class Observation:
    """The raw facts of one call, as an engine saw them; nothing in it is judged.

    A call that ended with a complete reply has `trouble` None. `unmet` names the first expectation of the configuration that
    the reply did not meet ("status", "header x-state", "body", "json data.0.state"), None when all were met; an SMTP reply
    that stopped the dialogue (a 4yz, a 5yz, or not the code due at that stage) has `unmet` "reply", and "smtputf8" stands
    for that extension, needed and not offered. "vendor": a body that met everything and may be a vendor's error all the same.
    """

    kind: Kind
    stage: Stage
    trouble: Trouble | None = None
    unmet: str | None = None
    detail: str = ""  # errno name, TLS reason, library's word; for people, bounded, no secrets
    code: int = 0  # HTTP status or SMTP reply code; 0: none came
    enhanced: str = ""  # RFC 3463 code of the SMTP reply, "4.3.1"
    text: str = ""  # SMTP reply text (lines joined by a blank), HTTP reason phrase; bounded
    headers: tuple[tuple[str, str], ...] = ()  # HTTP response headers, names in lower case; kept for unmet calls alone
    body: bytes = b""  # start of the response body (at most 64 KiB); kept for unmet calls alone
    fresh: bool = True  # False: over a connection kept from an earlier call
    verified: bool = False  # the peer's certificate was verified in this connection
    sent_whole: bool = False  # the request was written and acknowledged by the peer's TCP
    idle: int = 0  # ns that a reused connection had idled before this call
    messages: int = 0  # messages injected over this connection before this call
    proxied: str = ""  # host of the user's own proxy, when the call went through one
    begun: int = 0  # UTC ns, stamped just before DNS/connect
    ended: int = 0  # UTC ns
    phases: tuple[int, ...] = ()  # ns, as PHASES names them; -1: not reached
    family_errors: tuple[str, ...] = ()  # "2001:db8::1 timeout": addresses tried that did not carry the call
    peer: str = ""  # remote address and port
    local: str = ""  # local address and port
    sent: int = 0  # bytes
    received: int = 0  # bytes
    cert_expiry: int = 0  # earliest notAfter of the chain, unix seconds; 0: no TLS or unknown
    tls_version: str = ""
    message_id: str = ""  # of the injected message
    version: float = 0.0  # of HTTP in the reply: 1.1, 2.0; 0: none came


@dataclass(frozen=True, slots=True)
class History:
    """What an endpoint has shown before, as far as rows of classification.md ask for it."""

    tls_worked: bool = False  # a reply came over TLS with this configuration before
    passed: bool = False  # the same input succeeded before
    redirected: bool = False  # it has answered with a redirect before; a loop that came after a success does not count


@dataclass(frozen=True, slots=True)
class Finding:
    """A call's fault and why. `suspected`: only transport evidence, so that controls must corroborate it."""

    fault: Fault
    reason: str  # a name in rules.reasons.REASONS
    suspected: bool = False
    tags: tuple[str, ...] = ()  # "maintenance", "accept_unconfirmed", "flagged", "throttled"


#: (fault, reason) -> calls.
Counts = Mapping[tuple[Fault, str], int]


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one second's calls. Adding is commutative and associative (tallies come from many sources).

    `missed` counts calls that were due and not made, by reason (late_start, throttled); they are no calls. `void` names what
    touched our own machine in this second (stalled, clock_stepped, not_running), "" when nothing did: such a second is
    unmeasured unless it holds a success.
    """

    counts: Counts = field(default_factory=dict)
    missed: Mapping[str, int] = field(default_factory=dict)
    void: str = ""

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(_sum(self.counts, other.counts), _sum(self.missed, other.missed), max(self.void, other.void))

    @property
    def calls(self) -> int:
        return sum(self.counts.values())


def _sum(a: Mapping[_K, int], b: Mapping[_K, int]) -> dict[_K, int]:
    total = dict(a)
    for key, n in b.items():
        total[key] = total.get(key, 0) + n
    return total


@dataclass(frozen=True, slots=True)
class Cell:
    """One closed second of an endpoint, a channel or a service: its verdict, why, and the calls behind it.

    `faults` are (fault, calls) pairs in the order of Fault, zero counts left out, so that equal seconds are equal cells.
    """

    verdict: Verdict
    reason: str
    calls: int
    faults: tuple[tuple[Fault, int], ...] = ()
