"""A severity of an agreement as a desk's priority: by the configuration, else by what its name says of its rank."""

import re
from collections.abc import Mapping, Sequence

from rules.acts import Act

#: Words of severities' names, by rank: 0 is the most severe.
_RANKS = (
    frozenset({"critical", "urgent", "highest", "blocker", "emergency", "disaster"}),
    frozenset({"high", "major", "severe"}),
    frozenset({"medium", "normal", "moderate", "noncritical", "issue", "internal"}),
    frozenset({"low", "minor", "lowest", "information", "trivial"}),
)


def rank(severity: str) -> int:
    """0 (most severe) to 3. A number in the name counts from 1; what says nothing is 1: it was worth a ticket."""
    if number := re.search(r"(?<!\d)([1-9])(?!\d)", severity):
        return min(int(number[1]) - 1, 3)
    word = re.sub(r"[^a-z]", "", severity.lower())
    return next((place for place, words in enumerate(_RANKS) if word in words), 1)


def priority(act: Act, given: Mapping[str, str], names: Sequence[str]) -> str:
    """What the desk calls the act's severity: `given` by the configuration, else one of `names`, the highest first."""
    severity = act.facts.get("severity")
    severity = severity if isinstance(severity, str) else ""
    return given.get(severity) or names[min(rank(severity), len(names) - 1)]


def rises(act: Act) -> bool:
    """Whether the act tells of another severity, so that the ticket's priority follows."""
    return act.step.startswith("severity-")
