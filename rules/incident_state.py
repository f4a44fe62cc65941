"""What is known of a service's incident between two events, as frozen values that go to JSON and back unchanged.

One incident a service at a time. What is past is in the records; here is only what the next step needs.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from rules.acts import ActKind
from rules.clocks import Running
from rules.contracts.calendar import Calendar
from rules.contracts.clauses import Mark
from rules.contracts.model import Hotline, Pack, Severity
from rules.incident_events import ConditionRaised
from rules.model import Condition

#: Scope of the `blind` that a clock set back causes: ours whatever a pack says (DESIGN.md, invariant 5).
CLOCK = "clock"
#: How the scope of a `blind` begins that is about the vendor's replies: a mailbox (named after it) is out of reach. Ours, too.
MAILBOX = "mailbox:"


#: A condition and its scope.
Matter: TypeAlias = tuple[Condition, str]


class Mode(StrEnum):
    """How much the program does by itself."""

    OBSERVE = "observe"  # it pages on-call alone
    ASK = "ask"  # it puts ticket and hotline before on-call, and goes ahead when nobody answers
    ACT = "act"


class Phase(StrEnum):
    """Where a service's incident stands."""

    NONE = "none"
    INTERNAL = "internal"  # on-call alone is concerned
    OPEN = "open"  # a condition of the agreement holds
    RECOVERED = "recovered"  # none holds; not agreed to be resolved


class Status(StrEnum):
    """How far an act has come."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    FAILED = "failed"  # every receiver refused for good
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Level:
    """A further level of on-call: paged when nobody has acknowledged `after` seconds after the first page."""

    after: int
    receivers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a service is configured with. Receivers are names, in the order in which they are to be tried.

    `pack` is settled with the customer's terms; `calendars` are its hours by name (one that is missing counts around the
    clock). `on_call` is the first level, `further` are the next ones; `page_again`: seconds after which a page that nobody
    acknowledged is repeated (0: it is not). `escalation`: who reaches the agreement's point of escalation. `ask_for`:
    seconds after which `ask` goes ahead. `status_pages`: public ones that are told.
    """

    service: str
    title: str
    pack: Pack
    mode: Mode = Mode.ACT
    tickets: tuple[str, ...] = ()
    hotline: tuple[str, ...] = ()
    on_call: tuple[str, ...] = ()
    further: tuple[Level, ...] = ()
    page_again: int = 0
    escalation: tuple[str, ...] = ()
    ask_for: int = 300
    status_pages: tuple[str, ...] = ()
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    #: The plan as JSON, made once: it goes into every state that is written down.
    json: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        from rules.incident_json import plan_text  # it needs the values of this file

        object.__setattr__(self, "json", plan_text(self))

    def severity_of(self, held: ConditionRaised, *, confirmed: bool = False) -> Severity | None:
        """The agreement's severity for what holds; None when it is no matter of the agreement's."""
        return None if _ours(held.scope) else self.pack.severity_of(held.condition, held.scope, confirmed=confirmed)

    def on_call_alone(self, held: ConditionRaised) -> bool:
        return _ours(held.scope) or held.condition in self.pack.on_call_alone


def _ours(scope: str) -> bool:
    """What is no matter of the agreement's, whatever a pack says."""
    return scope == CLOCK or scope.startswith(MAILBOX)


@dataclass(frozen=True, slots=True)
class Made:
    """An act that was made. `started`: UTC ns of its first attempt (0: none began); a step of the clock moves it.

    `topic` tells what a page is about: "" for the agreement's matter, clock:name for a clock, else condition:scope.
    `resolved`: its resolve was made too. `passing`: one of many of its kind (a reminder, a repeat), forgotten once it is
    settled, since its step is never used again. `answer`: the last one to a ticket or call that nobody has taken;
    None: there was none yet.
    """

    id: str
    kind: ActKind
    episode: int
    step: str
    receivers: tuple[str, ...]
    topic: str = ""
    status: Status = Status.PENDING
    started: int = 0
    resolved: bool = False
    passing: bool = False
    answer: str | None = None

    @property
    def forgettable(self) -> bool:
        over = self.status is not Status.PENDING and (self.kind is not ActKind.PAGE or self.resolved)
        return self.passing and over


@dataclass(frozen=True, slots=True)
class Ticket:
    """The incident's one ticket. `act` is "" when a person opened it; `number` is the vendor's, once known.

    ACCEPTED also stands for one that a person opened.
    """

    act: str
    status: Status
    receiver: str = ""
    reference: str = ""
    number: str = ""


@dataclass(frozen=True, slots=True)
class HeldNote:
    """A note that waits for its ticket to be accepted, because only then its receiver is known."""

    episode: int
    step: str
    created: int
    facts: Mapping[str, Any]
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """The hotline waits for the act of that id to be accepted; where it is "", for time alone, from `since` (UTC ns)."""

    act: str
    since: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Consent is asked for, from `since` until `until` (UTC ns)."""

    since: int
    until: int


@dataclass(frozen=True, slots=True)
class Paging:
    """On-call has been paged and nobody has acknowledged: since when (UTC ns), and how far it has come.

    `step`: of the page that is repeated; `level`: further levels paged; `repeats`: so far; `again`: the next one (UTC ns, 0:
    none).
    """

    step: str
    since: int
    level: int = 0
    repeats: int = 0
    again: int = 0


@dataclass(frozen=True, slots=True)
class Incident:
    """`severity` is the highest that it has had; `cause` what opened it, raised it, or began its episode.

    `seen`: the agreement's conditions that have held in this episode. `own`: on-call's own matters that hold now. They
    are kept because a reload may change what the agreement makes of a condition that holds. `severity_by`: who set the
    severity, where the vendor did; `confirmed`: somebody else sees it too. `waiting`: us, them or "". `declined`: the episode
    for which on-call declined ticket and hotline. `marks`: when what moves clocks last happened (UTC seconds); `clocks`: the
    newest run of each; `later`: when the clock of that name is escalated (UTC seconds). `reminders`: chases and warnings so
    far.
    """

    id: str
    opened: int  # UTC seconds
    phase: Phase
    severity: str
    onset: int  # UTC seconds, of the first condition
    cause: ConditionRaised
    episode: int = 1
    seen: tuple[Matter, ...] = ()
    own: tuple[Matter, ...] = ()
    alarms: int = 0  # pages about on-call's own matters so far
    ticket: Ticket | None = None
    wait: Wait | None = None
    notes: tuple[HeldNote, ...] = ()
    made: tuple[Made, ...] = ()
    acknowledged_by: str = ""
    severity_by: str = ""
    confirmed: bool = False
    waiting: str = ""
    ask: Ask | None = None
    declined: int = 0
    paging: Paging | None = None
    marks: Mapping[Mark, int] = field(default_factory=dict)
    clocks: tuple[Running, ...] = ()
    later: tuple[tuple[int, str], ...] = ()
    reminders: int = 0

    def clock(self, name: str) -> Running | None:
        return next((c for c in self.clocks if c.name == name), None)

    def act(self, id_: str) -> Made | None:
        return next((m for m in self.made if m.id == id_), None)


@dataclass(frozen=True, slots=True)
class ServiceState:
    """Everything that the next step of a service's incident depends on.

    `held`: the conditions that hold now, whether or not there is an incident. `last`: the number (UTC seconds) in the
    newest incident's id. `blind_until`: UTC second up to which a clock set back keeps us from judging; 0: it does not.
    `closed`: the newest incident that was closed, so that it can be reopened. `maintenance`: titles of the windows that are
    on; `silenced`: what was raised within one, and acts when the last of them ends. `measured`: the service is configured, so
    that what holds is cleared once it holds no longer.
    """

    plan: Plan
    held: tuple[ConditionRaised, ...] = ()
    incident: Incident | None = None
    last: int = 0
    blind_until: int = 0
    closed: Incident | None = None
    maintenance: tuple[str, ...] = ()
    silenced: tuple[Matter, ...] = ()
    measured: bool = True

    @property
    def phase(self) -> Phase:
        return self.incident.phase if self.incident else Phase.NONE

    def holds(self, condition: Condition, scope: str) -> ConditionRaised | None:
        return next((h for h in self.held if h.condition is condition and h.scope == scope), None)

    def judged(self) -> tuple[ConditionRaised, ...]:
        """What holds as closed seconds tell: neither a clock set back nor a mailbox out of reach."""
        return tuple(h for h in self.held if h.scope != CLOCK and not h.scope.startswith(MAILBOX))

    def agreed(self) -> tuple[ConditionRaised, ...]:
        """What holds and belongs to the open incident as a matter of the agreement's."""
        if self.incident is None:
            return ()
        agreed = set(self.incident.seen).difference(self.incident.own, self.silenced)
        return tuple(h for h in self.held if h.matter in agreed)

    def severity_of(self, held: ConditionRaised) -> Severity | None:
        """The agreement's severity for what holds, as far as others confirm it."""
        return self.plan.severity_of(held, confirmed=bool(self.incident and self.incident.confirmed))

    def wants_hotline(self) -> bool:
        """Something of the incident's holds for which the agreement has the hotline called."""
        return any(s and s.hotline is not Hotline.NONE for s in map(self.plan.severity_of, self.agreed()))

    def view(self) -> dict[str, Any] | None:
        """The open incident for lists and pages (JSON values); None when there is none."""
        i = self.incident
        if i is None:
            return None
        return {
            "id": i.id,
            "service": self.plan.service,
            "severity": i.severity,
            "phase": (Phase.OPEN if i.phase is Phase.INTERNAL else i.phase).value,
            "episode": i.episode,
            "conditions": [{"condition": h.condition.value, "scope": h.scope, "onset": h.onset} for h in self.held],
            "opened": i.opened,
            "onset": i.onset,
            "ticket": asdict(i.ticket) if i.ticket else None,
            "acknowledged_by": i.acknowledged_by,
            "waiting": i.waiting,
            "asking": i.ask.until // 10**9 if i.ask else None,
            "clocks": [self._clock(run) for run in i.clocks],
        }

    def _clock(self, run: Running) -> dict[str, Any]:
        """A clock for pages and metrics; instants are UTC seconds, `due` where it stood when it does not run."""
        clock = self.plan.pack.clock(run.name)
        return {
            "name": run.name,
            "title": clock.title if clock else run.name,
            "of": clock.of.value if clock else "",
            "article": clock.article if clock else "",
            "state": run.standing.value,
            "since": run.begun,
            "due": run.due,
            "ended": run.ended or None,
        }

    def to_json(self) -> str:
        from rules.incident_json import write  # it needs the values of this file

        return write(self)

    @classmethod
    def from_json(cls, text: str) -> "ServiceState":
        """The state that `to_json` wrote. Raises ValueError when it is none, or a newer program's."""
        from rules.incident_json import read

        return read(text)
