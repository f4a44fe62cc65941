"""How a service or channel stands in public: one of a few states, in words and in Statuspage's terms."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rules.model import Condition, Verdict

#: Seconds of the newest closed seconds by which it is judged whether something is measured at all.
RECENT = 60


class State(StrEnum):
    """Ordered by how bad it is, the best first."""

    OPERATIONAL = "operational"
    MAINTENANCE = "maintenance"
    UNMEASURED = "unmeasured"  # neither up nor down (DESIGN.md, invariant 3)
    DEGRADED = "degraded"
    PARTIAL = "partial"
    UNAVAILABLE = "unavailable"


WORDS: Mapping[State, str] = {
    State.OPERATIONAL: "Operational",
    State.MAINTENANCE: "Maintenance",
    State.UNMEASURED: "Not measured",
    State.DEGRADED: "Degraded",
    State.PARTIAL: "Partly unavailable",
    State.UNAVAILABLE: "Unavailable",
}

#: The component's status of Statuspage v2. It knows no "not measured": that stands in the component's description.
COMPONENT: Mapping[State, str] = {
    State.OPERATIONAL: "operational",
    State.MAINTENANCE: "under_maintenance",
    State.UNMEASURED: "operational",
    State.DEGRADED: "degraded_performance",
    State.PARTIAL: "partial_outage",
    State.UNAVAILABLE: "major_outage",
}

_OF = {
    Condition.UNAVAILABLE: State.UNAVAILABLE,
    Condition.PARTIAL: State.PARTIAL,
    Condition.INTERMITTENT: State.DEGRADED,
    Condition.SLOW: State.DEGRADED,
}


@dataclass(frozen=True, slots=True)
class Held:
    """A condition that holds: of the service (scope ""), a channel, or channel/endpoint. `onset` is UTC seconds."""

    condition: Condition
    scope: str
    onset: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A state and, where it is known, since when (UTC seconds; 0: not known). `why` adds to its words, or is ""."""

    state: State
    since: int = 0
    why: str = ""


#: Seconds by verdict.
Sums = Mapping[Verdict, int]


def worst(states: Iterable[State]) -> State:
    """The worst of `states`; OPERATIONAL when there are none."""
    order = list(State)
    return max(states, key=order.index, default=State.OPERATIONAL)


def service_standing(held: Iterable[Held], recent: Sums | None, *, maintenance: bool) -> Standing:
    """How the service stands. `recent` are its newest closed seconds; None or empty: nothing was measured of late."""
    return _standing([(_OF[h.condition], h.onset) for h in held if h.condition in _OF], recent, maintenance=maintenance)


def channel_standing(channel: str, held: Iterable[Held], recent: Sums | None, *, maintenance: bool) -> Standing:
    """How a channel stands: by the conditions of its own, and by those of the service that its own seconds bear out."""
    found = []
    for h in held:
        own, _, endpoint = h.scope.partition("/")
        if h.condition not in _OF or own not in ("", channel) or (not own and h.condition is not Condition.UNAVAILABLE):
            continue
        if own == channel or _mostly_bad(recent):
            found.append((State.PARTIAL if endpoint else _OF[h.condition], h.onset))
    return _standing(found, recent, maintenance=maintenance)


def _standing(found: list[tuple[State, int]], recent: Sums | None, *, maintenance: bool) -> Standing:
    if maintenance:
        return Standing(State.MAINTENANCE)
    if found:
        state = worst(state for state, _ in found)
        return Standing(state, min(onset for each, onset in found if each is state))
    if measured(recent) == 0:
        return Standing(State.UNMEASURED)
    if _mostly_bad(recent):
        return Standing(State.DEGRADED, why="failures seen within the last minute")
    if recent is not None and not recent.get(Verdict.AVAILABLE) and not recent.get(Verdict.UNAVAILABLE):
        return Standing(State.UNMEASURED, why="our calls fail, not provably by the service's fault")
    return Standing(State.OPERATIONAL)


def measured(sums: Sums | None) -> int:
    """Seconds that count: `unmeasured` counts neither as up nor as down."""
    return sum(n for verdict, n in (sums or {}).items() if verdict is not Verdict.UNMEASURED)


def _mostly_bad(sums: Sums | None) -> bool:
    bad = (sums or {}).get(Verdict.UNAVAILABLE, 0)
    return bad > 0 and 2 * bad >= measured(sums)
