"""What happens to a service's incident, and what comes of it: events in, records and acts out.

Instants named `second` are UTC seconds as they count in the agreement; those named `at` are UTC nanoseconds as
somebody's clock showed them, save in a `Record`, which is for people and holds UTC seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from rules.acts import Act, ActResult
from rules.model import Condition

if TYPE_CHECKING:
    from rules.incident_state import Plan, ServiceState


@dataclass(frozen=True, slots=True)
class ConditionRaised:
    """A condition holds from now on. `measured`, `bad`: seconds of the window by which it was judged.

    `scope` is "" for the service, a channel's name, or channel/endpoint. `reasons` counts the bad seconds since `onset`
    by reason. `rule` says by which rule it was judged, as far as the event knows it (JSON values).
    """

    condition: Condition
    second: int
    onset: int
    scope: str = ""
    measured: int = 0
    bad: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    rule: Mapping[str, Any] = field(default_factory=dict)

    @property
    def matter(self) -> tuple[Condition, str]:
        """What holds, and of what: the condition and its scope."""
        return self.condition, self.scope


@dataclass(frozen=True, slots=True)
class ConditionCleared:
    """A condition holds no longer. `last`: the last second that was bad; 0 when the one who tells does not know."""

    condition: Condition
    second: int
    scope: str = ""
    last: int = 0

    @property
    def matter(self) -> tuple[Condition, str]:
        return self.condition, self.scope


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt at an act begins."""

    act: str
    receiver: str
    at: int


@dataclass(frozen=True, slots=True)
class Result:
    """An attempt at an act ended."""

    result: ActResult


@dataclass(frozen=True, slots=True)
class Tick:
    """It is now this UTC second. Once a second, whether or not a second was closed."""

    second: int


class EntryKind(StrEnum):
    """What an operator can enter."""

    ACK = "ack"  # on-call has it
    NOTE = "note"  # for the record
    PUBLISH = "publish"  # for the public status pages: `text` is shown to everybody, `value` may name the progress
    RESOLVE = "resolve"  # customer and vendor agree that it is resolved
    ADOPT = "adopt"  # a person opened a ticket: it is the incident's
    CLOSED_BY_VENDOR = "closed_by_vendor"
    REOPEN = "reopen"  # what was closed is not resolved
    CONSENT = "consent"  # `mode: ask`: ticket and hotline may go out
    DECLINE = "decline"
    SEVERITY = "severity"  # the vendor has set it: `value` names it
    CONFIRM = "confirm"  # somebody else sees it too: the vendor's status page, other customers
    TELL = "tell"  # on-call is to know it: `value` names the matter, `text` says it
    UNREACHED = "unreached"  # an act that a receiver had accepted reached nobody: `value` is its key
    INTAKE = "intake"  # the hotline has taken the vital information
    FIRST_RESPONSE = "first_response"
    CALL_BACK = "call_back"
    UPDATE = "update"
    WORKAROUND = "workaround"
    WAITING_FOR_US = "waiting_for_us"
    WAITING_FOR_THEM = "waiting_for_them"  # we have answered


@dataclass(frozen=True, slots=True)
class Entry:
    """A step of a person's, or of the vendor's as a person or a reply tells it. `at`: UTC ns of the entry.

    `incident` "" means the one that is open; `ticket` is the vendor's number, for ADOPT (with others it is taken down where
    none is known); `value` a severity's name, for SEVERITY, or the matter, for TELL; `when` the UTC second at which it
    happened, where that was not now (0); `via` by which way it came: cli, api, web, link, reply.
    """

    kind: EntryKind
    by: str
    text: str
    at: int
    ticket: str = ""
    incident: str = ""
    value: str = ""
    when: int = 0
    via: str = ""

    @property
    def second(self) -> int:
        """When it happened, UTC seconds; never later than it was entered."""
        entered = self.at // 10**9
        return min(self.when, entered) if self.when > 0 else entered

    def told(self) -> dict[str, Any]:
        """Who, when and how, for the record; what was not said is left out."""
        said = {"ticket": self.ticket, "value": self.value, "when": self.when, "via": self.via}
        return {"by": self.by, "text": self.text, "at": self.at, **{key: word for key, word in said.items() if word}}


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A maintenance window begins or ends: within one, seconds are measured and marked, and nobody is paged."""

    second: int
    title: str
    begins: bool


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The service is configured differently from now on (or as it was: after a restart, or put back)."""

    plan: "Plan"
    at: int


@dataclass(frozen=True, slots=True)
class Removed:
    """The service is no longer configured: nobody judges whether what holds still does, until it is `Reloaded`. `at`: UTC ns."""

    at: int


@dataclass(frozen=True, slots=True)
class ClockStepped:
    """The machine's clock was set: by `delta` ns, forward when positive. `second` is UTC by the new clock."""

    delta: int
    second: int


Event: TypeAlias = (
    ConditionRaised
    | ConditionCleared
    | Started
    | Result
    | Tick
    | Entry
    | Reloaded
    | Removed
    | ClockStepped
    | Maintenance
)


class RecordKind(StrEnum):
    """What the trail of an incident can say."""

    OPENED = "opened"
    RAISED = "raised"
    CLEARED = "cleared"
    IGNORED = "ignored"  # told twice: it held already, or held no longer
    EPISODE = "episode"
    SEVERITY = "severity"  # it rose
    RECOVERED = "recovered"
    CLOSED = "closed"
    ACT = "act"  # to be carried out
    STARTED = "started"  # the first attempt at an act
    RESULT = "result"
    WITHDRAWN = "withdrawn"
    TICKET_FAILED = "ticket_failed"
    NO_TICKET = "no_ticket"  # none can be opened: no receiver is configured
    NOTE_HELD = "note_held"  # it goes out when the ticket is in
    NOTE_NOT_SENT = "note_not_sent"
    HOTLINE_NOT_CALLED = "hotline_not_called"
    WOULD_OPEN_TICKET = "would_open_ticket"  # `mode: observe`, as the next two
    WOULD_ADD_NOTE = "would_add_note"
    WOULD_CALL_HOTLINE = "would_call_hotline"
    ACK = "ack"
    NOTE = "note"
    ADOPTED = "adopted"
    REFUSED = "refused"  # an entry that made no sense then
    PLAN = "plan"
    REMOVED = "removed"  # the service is no longer configured
    PUT_BACK = "put_back"  # it is configured again
    CLOCK = "clock"  # the machine's clock was set
    REOPENED = "reopened"
    LIFE = "life"  # a step in the life of the ticket: intake, first response, update, ...
    CONFIRMED = "confirmed"
    ASKED = "asked"  # `mode: ask`: consent is asked for
    CONSENTED = "consented"
    DECLINED = "declined"
    WENT_AHEAD = "went_ahead"  # nobody answered in time
    ASK_ENDED = "ask_ended"
    CLOCK_STARTED = "clock_started"  # a clock of the agreement, as all that follow
    CLOCK_PAUSED = "clock_paused"
    CLOCK_RESUMED = "clock_resumed"
    CLOCK_CHANGED = "clock_changed"
    CLOCK_WARNED = "clock_warned"
    CLOCK_DUE = "clock_due"
    CLOCK_MET = "clock_met"
    CLOCK_STOPPED = "clock_stopped"
    WILL_ESCALATE = "will_escalate"  # when the point of escalation can be reached
    NOT_ESCALATED = "not_escalated"
    MAINTENANCE = "maintenance"
    NOT_PAGED = "not_paged"
    TOLD = "told"
    PUBLISHED = "published"  # a person's words for everybody
    WOULD_PUBLISH = "would_publish"  # `mode: observe`
    VENDOR_STATUS = "vendor_status"  # what the vendor's status page says


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the trail, appended and never changed. `at` is UTC seconds; `detail` holds JSON values.

    `incident` is "" when it belongs to none.
    """

    incident: str
    at: int
    kind: RecordKind
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """What came of an event. `withdraw` are ids of acts no longer wanted; `refused` says why an entry was not taken.

    When nothing came of it, `state` is the very state that went in.
    """

    state: "ServiceState"
    records: tuple[Record, ...] = ()
    acts: tuple[Act, ...] = ()
    withdraw: tuple[str, ...] = ()
    refused: str = ""
