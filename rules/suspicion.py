"""What the controls say of a suspicion: is a failure seen on the wire alone the server's, or our own network's?

A suspicion is corroborated when a control, a reference endpoint outside the vendor, succeeded within 2 s before or
after every instant at which it counts (DESIGN.md, "Settled", Controls; classification.md, "+C"). All instants here
are CLOCK_MONOTONIC nanoseconds.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum

from rules.model import Fault, Finding, Trouble
from rules.reasons import CONTROLS_FAILED, UNCORROBORATED

#: How far before or after an instant a success of a control still speaks for it, ns (classification.md, "+C": ±2 s).
WINDOW = 2_000_000_000
#: How long after the window one waits for a success that is still on its way, ns (DESIGN.md, "Seconds": 0.25 s).
GRACE = 250_000_000


class Settlement(StrEnum):
    """What the controls have said of a suspicion so far."""

    CORROBORATED = "corroborated"  # our network was fine: the suspicion stands
    VOID = "void"  # no control succeeded near it: it is our own
    PENDING = "pending"  # not known yet


def instants(trouble: Trouble | None, begun: int, ended: int) -> tuple[int, ...]:
    """The instants at which a suspected call must be corroborated.

    A time-out counts at its begin and at its deadline (`ended`): our network must have been fine when the call set
    out and when it was given up. Anything else counts at the moment it was seen.
    """
    return (begun, ended) if trouble is Trouble.TIMEOUT else (ended,)


def settle(instants: Iterable[int], successes: Sequence[int], now: int) -> Settlement:
    """Whether every one of `instants` has a success of a control near it.

    `successes` are the moments at which controls succeeded, ascending; those older than the oldest instant by more
    than WINDOW may be left out. One instant without any settles the whole as VOID, whatever the others still wait
    for. Raises ValueError without an instant: nothing corroborated is not the same as nothing to corroborate.
    """
    standings = {_standing(instant, successes, now) for instant in instants}
    if not standings:
        raise ValueError("a suspicion has no instant at which it could be corroborated; pass those of instants()")
    for settlement in (Settlement.VOID, Settlement.PENDING):
        if settlement in standings:
            return settlement
    return Settlement.CORROBORATED


def _standing(instant: int, successes: Sequence[int], now: int) -> Settlement:
    nearest = bisect_left(successes, instant - WINDOW)
    if nearest < len(successes) and successes[nearest] <= instant + WINDOW:
        return Settlement.CORROBORATED
    return Settlement.VOID if now > instant + WINDOW + GRACE else Settlement.PENDING


def resolve(finding: Finding, settlement: Settlement | None) -> Finding:
    """The finding once the controls have spoken; `settlement` None: no control is configured.

    What was not suspected stays as it is, and so does what is still pending. Tags stay: whether a message may have
    been accepted does not depend on whose fault the silence was.
    """
    if not finding.suspected or settlement is Settlement.PENDING:
        return finding
    if settlement is None:
        return Finding(Fault.OTHER, UNCORROBORATED, tags=finding.tags)
    if settlement is Settlement.VOID:
        return Finding(Fault.OWN, CONTROLS_FAILED, tags=finding.tags)
    return replace(finding, suspected=False)
