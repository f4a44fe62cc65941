"""The clauses of an agreement beside its severities: hours, clocks, tickets, terms, limits. Frozen data, nothing runs here.

A value that the agreement makes depend on what the customer has (a tariff, a contract for nights) names the term; a pack
is settled with the terms (`rules.contracts.settle`) before the rules run on it, and then depends on the severity alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Use(StrEnum):
    """Whether the agreement has something used."""

    NONE = "none"
    MAY = "may"
    MUST = "must"


class Mark(StrEnum):
    """What starts, stops, holds up or begins anew a clock: moments in the life of an incident."""

    OPENED = "opened"
    TICKET = "ticket"  # the ticket is in
    HOTLINE = "hotline"  # the call was placed
    INTAKE = "intake"  # the hotline has taken the vital information
    FIRST_RESPONSE = "first-response"
    CALL_BACK = "call-back"
    UPDATE = "update"
    WORKAROUND = "workaround"
    WAITING_FOR_US = "waiting-for-us"
    WAITING_FOR_THEM = "waiting-for-them"  # we have answered
    RECOVERED = "recovered"
    EPISODE = "episode"  # unavailable again
    REOPENED = "reopened"
    CLOSED = "closed"  # agreed to be resolved, or closed by the vendor; stops every clock anyway


class Party(StrEnum):
    """Whose clock it is."""

    VENDOR = "vendor"
    US = "us"


class Action(StrEnum):
    """What is done when a clock is due."""

    PAGE = "page"  # on-call's next level
    CHASE = "chase"  # a note in the ticket
    HOTLINE = "hotline"  # call it again
    ESCALATE = "escalate"  # to the agreement's point of escalation, in its hours


class TermKind(StrEnum):
    """How a term is written."""

    TEXT = "text"
    CHOICE = "choice"
    DURATION = "duration"
    SEVERITY = "severity"
    ZONE = "zone"  # Europe/Amsterdam
    DAYS = "days"  # mon-fri
    HOURS = "hours"  # 09:00-17:00
    HOLIDAYS = "holidays"  # NL, BR-SP, none


class LimitKind(StrEnum):
    """What a vendor documents about how it may be called; durations are seconds."""

    CALLS_PER_SECOND = "calls_per_second"  # of all endpoints together, at most
    CONNECTIONS = "connections"  # open at once, at most
    DEADLINE = "deadline"  # a call must be given so long, at least


@dataclass(frozen=True, slots=True)
class Span:
    """A duration on a calendar: seconds, and days of that calendar."""

    seconds: int = 0
    days: int = 0

    def on(self, day: int) -> int:
        """Seconds, given those of one of the calendar's days."""
        return self.seconds + self.days * day


@dataclass(frozen=True, slots=True)
class Within:
    """How long. `by`: "" always the same, `severity`, or a term's name; `values` by severity or by the term's value.

    Where `by` is a term and `values` is empty, the term itself holds the duration; while it is not filled in, there is
    no such clock. A severity that is not among the values has no such clock either.
    """

    by: str
    values: Mapping[str, Span]


#: `when`: term -> its values with which a clause is agreed. Empty: it always is.
When = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Term:
    """What the customer fills in, because the document leaves it open or it was agreed apart."""

    name: str
    means: str
    article: str
    kind: TermKind = TermKind.TEXT
    choices: tuple[str, ...] = ()
    default: str = ""


@dataclass(frozen=True, slots=True)
class HoursClause:
    """Hours of a vendor's desk. Each of zone, days, hours, holidays is written out, or `term:NAME`.

    `outside` names another calendar of the pack: these hours are all those that are not in that one.
    """

    name: str
    means: str
    article: str
    zone: str = "UTC"
    days: str = "mon-sun"
    hours: str = "00:00-24:00"
    holidays: str = "none"
    outside: str = ""


@dataclass(frozen=True, slots=True)
class Clock:
    """A deadline of the agreement. `severities`: at these alone; none named: at each.

    `calendar` is one of the pack's, or `always`. `every`: it is a cadence, begun anew by what stops it. `pauses`: it stands
    still while the vendor waits for us. `warn`: how long before it is due on-call is told (on the same calendar).
    `due`: what is then done, in order; `again`: how long after that it is done again, as long as the clock is late, `at_most` so
    often (0: without end). `asks`: the words with which the vendor is asked for what is late, or we are reminded.
    """

    name: str
    title: str
    article: str
    of: Party
    within: Within
    calendar: str
    starts: tuple[Mark, ...]
    stops: tuple[Mark, ...]
    every: bool = False
    pauses: bool = False
    warn: tuple[Span, ...] = ()
    due: tuple[Action, ...] = ()
    again: Span | None = None
    at_most: int = 0
    asks: str = ""
    severities: tuple[str, ...] = ()
    when: When = field(default_factory=dict)

    def span(self, severity: str) -> Span | None:
        """How long it runs at a severity, once the pack is settled; None: there it has no such clock."""
        if self.severities and severity not in self.severities:
            return None
        return self.within.values.get(severity if self.within.by else "")


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to open a ticket, in the agreement's order."""

    kind: str
    use: Use
    means: str
    article: str


@dataclass(frozen=True, slots=True)
class Tickets:
    """How tickets are opened and kept. `carries`: what one must hold. `in_writing`: so is what was said by telephone."""

    channels: tuple[Channel, ...]
    carries: tuple[str, ...]
    carries_article: str
    in_writing: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that must be kept, or never done, in the words of the agreement."""

    means: str
    article: str


@dataclass(frozen=True, slots=True)
class Escalation:
    """The agreement's point of escalation, and when it can be reached (a calendar of the pack, or `always`)."""

    title: str
    calendar: str
    means: str
    article: str


@dataclass(frozen=True, slots=True)
class SetBy:
    """Who sets the severity; where it is the vendor, ours is a proposal."""

    by: Party
    means: str
    article: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A documented limit of the vendor's, against which a configuration is held. `channel`: api, smtp or "" for both."""

    kind: LimitKind
    value: int
    channel: str
    means: str
    source: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """The severity of a condition. `scopes`: another one by scope (service, channel, endpoint).

    `confirmed`: the one that holds once somebody else confirms it (the vendor's status page). `term`: the customer may set
    another one by it.
    """

    severity: str
    article: str
    scopes: Mapping[str, str] = field(default_factory=dict)
    confirmed: str = ""
    term: str = ""
