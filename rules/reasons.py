"""The closed list of reasons: why a call, or a second, is what it is.

Logs, metrics, tickets and tests share these names (DESIGN.md, "Words"). Each says what it means and what an on-call
engineer can do about it. A reason does not say whose fault it is: that is the finding's `fault`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rules.model import Stage
from rules.reason_texts import LISTED


@dataclass(frozen=True, slots=True)
class Reason:
    """A name of the closed list, what it means, and what can be done about it: one or two sentences each."""

    name: str
    means: str
    advice: str


# Reasons that no fault rule returns: pacing, the ring of open seconds and the judgement of seconds give them.
OK = "ok"
NO_CALL = "no_call"
THROTTLED = "throttled"
LATE_START = "late_start"
OWN_LIMIT = "own_limit"
STALLED = "stalled"
CLOCK_STEPPED = "clock_stepped"
NOT_RUNNING = "not_running"
CONTROLS_FAILED = "controls_failed"
UNCORROBORATED = "uncorroborated"

#: What was due and not measured, or touched our own machine (Tally.missed, Tally.void, verdicts of seconds).
OF_MEASURING = frozenset({NO_CALL, THROTTLED, LATE_START, OWN_LIMIT, STALLED, CLOCK_STEPPED, NOT_RUNNING})

#: Stages of an SMTP dialogue in which the server's reply is due; each has a `_timeout` and a `_dropped` reason.
SMTP_STAGES: Mapping[Stage, str] = MappingProxyType(
    {
        Stage.BANNER: "the greeting",
        Stage.EHLO: "the reply to EHLO",
        Stage.STARTTLS: "the reply to STARTTLS",
        Stage.AUTH: "the reply to AUTH",
        Stage.MAIL: "the reply to MAIL FROM",
        Stage.RCPT: "the reply to RCPT TO",
        Stage.DATA: "the reply to DATA",
        Stage.DOT: "the reply to the message's final dot",
    }
)


def http_status(code: int) -> str:
    """The reason of an HTTP status: `http_status_503`; `http_status_invalid` for what no status is (RFC 9110 15)."""
    return f"http_status_{code}" if 100 <= code <= 599 else "http_status_invalid"


def smtp_reply(code: int) -> str:
    """The reason of an SMTP reply code from 200 to 599: `smtp_reply_421`. Others are malformed (RFC 5321 4.2)."""
    return f"smtp_reply_{code}" if 200 <= code <= 599 else "malformed_smtp"


# fmt: off - tables read better with several entries a line
_HTTP_PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    420: "sending limit exceeded",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    425: "Too Early",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
    507: "Insufficient Storage",
    508: "Loop Detected",
    511: "Network Authentication Required",
    520: "Cloudflare: unknown error",
    521: "Cloudflare: origin down",
    522: "Cloudflare: connection timed out",
    523: "Cloudflare: origin unreachable",
    524: "Cloudflare: a timeout occurred",
    525: "Cloudflare: TLS handshake failed",
    526: "Cloudflare: invalid certificate",
    529: "overloaded",
    530: "Cloudflare: origin error",
}
# fmt: on

_VENDOR_FAILED = "Keep the request id of the reply for the vendor; compare with the vendor's status page."
_REFUSED = "The vendor refused this request: check URL, key and body against its documentation."
_HTTP_ADVICE = {
    401: "Check the key: revoked, rotated, or of another region? Compare with another key at the same time.",
    403: "Check what this key may do and from which addresses.",
    408: "The server gave up waiting for the request: check our uplink; if it was sent whole, the server is slow.",
    420: "The account's sending limit is used up: have it raised or send less.",
    421: "This server is not the one for the request: check the region of host and key.",
    425: "Early data was refused; check what stands between us and the vendor.",
    429: "Call less often, or have the rate limit raised.",
    501: "The server does not know the method: check the configuration.",
    505: "The server refuses our HTTP version: check what stands between us and the vendor.",
    511: "A captive network stands between us and the vendor: log in to it.",
    598: "No registered status: ask the vendor whether it or a proxy sends it.",
    599: "No registered status: ask the vendor whether it or a proxy sends it.",
}
_HTTP_CLASS_ADVICE = {
    1: "An interim status cannot end a reply; look at the transcript.",
    2: "A success; compare `expect.status` with what the vendor documents.",
    3: "A redirect where a final answer was expected: correct the URL, or expect it.",
    4: _REFUSED,
    5: _VENDOR_FAILED,
}

# fmt: off
_SMTP_PHRASES = {
    421: "service not available, closing", 450: "mailbox unavailable, try later", 451: "local error in processing",
    452: "insufficient storage, or too many recipients", 454: "temporary failure of TLS or authentication",
    455: "parameters cannot be accommodated now", 500: "command not recognized", 501: "syntax error in parameters",
    502: "command not implemented", 503: "bad sequence of commands", 504: "parameter not implemented",
    530: "authentication required", 534: "mechanism too weak", 535: "credentials refused", 538: "encryption required",
    550: "mailbox unavailable or refused by policy", 551: "user not local", 552: "storage allocation exceeded",
    553: "mailbox name not allowed", 554: "transaction failed, or no service here", 555: "parameters not recognized",
    556: "domain does not accept mail",
}
# fmt: on
_SMTP_ADVICE = {
    450: "Often greylisting or a policy of the receiver: see the reply's text.",
    530: "Check `login` and `tls`: the server wants us to authenticate first.",
    534: "Use TLS, or a stronger mechanism.",
    535: "Check the credentials: revoked, rotated, or of another region?",
    538: "Use `tls: starttls` or `tls: implicit`.",
}
_SMTP_CLASS_ADVICE = {
    2: "This code was not due at this stage; look at the transcript.",
    3: "This code was not due at this stage; look at the transcript.",
    4: "Read the reply's text: the server says that trying later may help.",
    5: "Read the reply's text: the server refuses for good; check addresses, credentials and content.",
}
#: What a lost reply to the final dot leaves open (RFC 5321 4.5.3.2.6); the call's Message-ID is in its transcript.
_ACCEPTED_OR_NOT = " The message may have been accepted all the same."


def _generated() -> Iterator[Reason]:
    for stage, due in SMTP_STAGES.items():
        open_end = _ACCEPTED_OR_NOT if stage is Stage.DOT else ""
        yield Reason(
            f"{stage}_timeout",
            f"The SMTP server was silent until the call's time-out when {due} was due.{open_end}",
            "Repeat the dialogue by hand; compare with the controls and the vendor's status page.",
        )
        yield Reason(
            f"{stage}_dropped",
            f"The SMTP server dropped the connection without a word when {due} was due.{open_end}",
            "Look at the transcript; repeat the dialogue from a second network.",
        )
    for code in range(100, 600):
        phrase = f" ({_HTTP_PHRASES[code]})" if code in _HTTP_PHRASES else ""
        advice = _HTTP_ADVICE.get(code, _HTTP_CLASS_ADVICE[code // 100])
        yield Reason(http_status(code), f"The reply's status was {code}{phrase}.", advice)
    for code in range(200, 600):
        phrase = f" ({_SMTP_PHRASES[code]})" if code in _SMTP_PHRASES else ""
        advice = _SMTP_ADVICE.get(code, _SMTP_CLASS_ADVICE[code // 100])
        yield Reason(smtp_reply(code), f"The SMTP server replied {code}{phrase}.", advice)


def _listed() -> Iterator[Reason]:
    lines = [line.strip() for line in LISTED.splitlines() if line.strip() and not line.startswith("#")]
    for name, means, advice in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        yield Reason(name, means, advice)


def by_name(reasons: Iterable[Reason]) -> Mapping[str, Reason]:
    """The reasons by name, for reading alone. Raises ValueError for a name that is listed twice."""
    found: dict[str, Reason] = {}
    for reason in reasons:
        if reason.name in found:
            raise ValueError(f"the reason {reason.name} is listed twice; keep one")
        found[reason.name] = reason
    return MappingProxyType(found)


#: The closed list, by name.
REASONS: Mapping[str, Reason] = by_name([*_listed(), *_generated()])
