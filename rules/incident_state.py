"""What is known of a service's incident between two events, as frozen values that go to JSON and back unchanged.

One incident a service at a time. What is past is in the records; here is only what the next step needs.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from rules.acts import ActKind
from rules.contracts.model import Hotline, Pack, Severity
from rules.incident_events import ConditionRaised
from rules.model import Condition

#: Scope of the `blind` that a clock set back causes: ours whatever a pack says (DESIGN.md, invariant 5).
CLOCK = "clock"


#: A condition and its scope.
Matter: TypeAlias = tuple[Condition, str]


class Mode(StrEnum):
    """How much the program does by itself. `ask` is part 2's."""

    OBSERVE = "observe"
    ACT = "act"


class Phase(StrEnum):
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
class Plan:
    """What a service is configured with. Receivers are names, in the order in which they are to be tried."""

    service: str
    title: str
    pack: Pack
    mode: Mode = Mode.ACT
    tickets: tuple[str, ...] = ()
    hotline: tuple[str, ...] = ()
    on_call: tuple[str, ...] = ()

    def severity_of(self, held: ConditionRaised) -> Severity | None:
        """The agreement's severity for what holds; None when it is no matter of the agreement's."""
        return None if held.scope == CLOCK else self.pack.severity_of(held.condition)

    def on_call_alone(self, held: ConditionRaised) -> bool:
        return held.scope == CLOCK or held.condition in self.pack.on_call_alone


@dataclass(frozen=True, slots=True)
class Made:
    """An act that was made. `started`: UTC ns of its first attempt (0: none began); a step of the clock moves it.

    `topic` tells what a page is about: "" for the agreement's matter, else condition:scope. `resolved`: its resolve was
    made too.
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


@dataclass(frozen=True, slots=True)
class Wait:
    """The hotline waits for the act of that id to be accepted; where it is "", for time alone, from `since` (UTC ns)."""

    act: str
    since: int


@dataclass(frozen=True, slots=True)
class Incident:
    """`severity` is the highest that it has had; `cause` what opened it, raised it, or began its episode.

    `seen`: the agreement's conditions that have held in this episode. `own`: on-call's own matters that hold now. They
    are kept because a reload may change what the agreement makes of a condition that holds.
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

    def act(self, id_: str) -> Made | None:
        return next((m for m in self.made if m.id == id_), None)


@dataclass(frozen=True, slots=True)
class ServiceState:
    """Everything that the next step of a service's incident depends on.

    `held`: the conditions that hold now, whether or not there is an incident. `last`: the number (UTC seconds) in the
    newest incident's id. `blind_until`: UTC second up to which a clock set back keeps us from judging; 0: it does not.
    """

    plan: Plan
    held: tuple[ConditionRaised, ...] = ()
    incident: Incident | None = None
    last: int = 0
    blind_until: int = 0

    @property
    def phase(self) -> Phase:
        return self.incident.phase if self.incident else Phase.NONE

    def holds(self, condition: Condition, scope: str) -> ConditionRaised | None:
        return next((h for h in self.held if h.condition is condition and h.scope == scope), None)

    def agreed(self) -> tuple[ConditionRaised, ...]:
        """What holds and belongs to the open incident as a matter of the agreement's."""
        i = self.incident
        return tuple(h for h in self.held if i and h.matter in i.seen and h.matter not in i.own)

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
        }

    def to_json(self) -> str:
        plain = {
            "version": 1,
            "plan": {
                "service": self.plan.service,
                "title": self.plan.title,
                "pack": self.plan.pack.to_mapping(),
                "mode": self.plan.mode,
                "tickets": self.plan.tickets,
                "hotline": self.plan.hotline,
                "on_call": self.plan.on_call,
            },
            "held": [asdict(h) for h in self.held],
            "incident": asdict(self.incident) if self.incident else None,
            "last": self.last,
            "blind_until": self.blind_until,
        }
        return json.dumps(plain, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "ServiceState":
        """The state that `to_json` wrote. Raises ValueError when it is none, or a newer program's."""
        try:
            plain = json.loads(text)
            if plain["version"] != 1:
                raise ValueError(f"its version is {plain['version']}, this program reads version 1")
            return cls(
                plan=_plan(plain["plan"]),
                held=tuple(map(_raised, plain["held"])),
                incident=_incident(plain["incident"]) if plain["incident"] else None,
                last=plain["last"],
                blind_until=plain["blind_until"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not the state of a service's incident: {error}") from error


def _plan(p: dict[str, Any]) -> Plan:
    receivers = {key: tuple(p[key]) for key in ("tickets", "hotline", "on_call")}
    return Plan(**{**p, **receivers, "pack": Pack.parse(p["pack"]), "mode": Mode(p["mode"])})


def _raised(p: dict[str, Any]) -> ConditionRaised:
    return ConditionRaised(**{**p, "condition": Condition(p["condition"])})


def _matters(p: list[list[str]]) -> tuple[Matter, ...]:
    return tuple((Condition(condition), scope) for condition, scope in p)


def _incident(p: dict[str, Any]) -> Incident:
    return Incident(
        **{
            **p,
            "phase": Phase(p["phase"]),
            "cause": _raised(p["cause"]),
            "seen": _matters(p["seen"]),
            "own": _matters(p["own"]),
            "ticket": Ticket(**{**p["ticket"], "status": Status(p["ticket"]["status"])}) if p["ticket"] else None,
            "wait": Wait(**p["wait"]) if p["wait"] else None,
            "notes": tuple(HeldNote(**n) for n in p["notes"]),
            "made": tuple(map(_made, p["made"])),
        }
    )


def _made(p: dict[str, Any]) -> Made:
    return Made(**{**p, "kind": ActKind(p["kind"]), "receivers": tuple(p["receivers"]), "status": Status(p["status"])})
