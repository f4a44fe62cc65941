"""What an act for a public status page says: its facts, in the words and states that our own page has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from prober.deliver.harmless import harmless
from prober.status import words
from prober.status.states import COMPONENT, State, worst
from rules.acts import Act
from rules.model import Condition

_STATES = {
    Condition.UNAVAILABLE: State.UNAVAILABLE,
    Condition.PARTIAL: State.PARTIAL,
    Condition.INTERMITTENT: State.DEGRADED,
    Condition.SLOW: State.DEGRADED,
    Condition.FAILING: State.DEGRADED,
}
_ORDER = list(words.SO)
#: Characters of a title.
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Told:
    """The incident's name, its progress ("": as it was) and impact in Statuspage's terms, and the newest words."""

    name: str
    progress: str
    impact: str
    body: str


def told(act: Act) -> Told:
    """Raises nothing: what the facts do not hold is left out, and every word is harmless."""
    facts = act.facts
    title = harmless(str(facts.get("title") or facts.get("service") or ""), limit=_LONGEST)
    seen = [c for c in map(_condition, facts.get("seen") or ()) if c is not None]
    gravest = min(seen, key=_ORDER.index, default=Condition.UNAVAILABLE)
    progress = harmless(str(facts.get("progress") or ""), limit=_LONGEST)
    return Told(words.named(title, gravest), progress, words.IMPACT[gravest], _body(act, title))


def _body(act: Act, title: str) -> str:
    facts = act.facts
    condition = words.condition_of(facts)
    match facts.get("what"):
        case "raised" if condition is not None:
            return words.began(title, facts, condition, again=act.episode > 1)
        case "cleared" if condition is not None:
            return f"{words.what(title, facts.get('scope'))} is no longer {words.SO[condition]}. The incident goes on."
        case "recovered":
            return words.recovered(title, facts)
        case "closed":
            return words.RESOLVED
        case "reopened":
            return words.REOPENED
        case "published":
            return words.published(facts.get("text"))
    return words.named(title, condition or Condition.UNAVAILABLE) + "."


def component_status(act: Act, channel: str) -> str:
    """How the service (channel "") or a channel stands after the act, in Statuspage's terms."""
    return COMPONENT[worst(_states(act.facts.get("held") or (), channel))]


def _states(held: Iterable[Mapping[str, Any]], channel: str) -> Iterable[State]:
    for one in held:
        condition = _condition(one.get("condition"))
        own, _, endpoint = str(one.get("scope") or "").partition("/")
        if condition is None:
            continue
        if not channel or own == channel:
            yield State.PARTIAL if endpoint else _STATES[condition]
        elif not own and channel in (one.get("channels") or ()):
            yield _STATES[condition]


def _condition(name: object) -> Condition | None:
    return words.condition_of({"condition": name})
