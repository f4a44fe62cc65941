"""Calls that succeed, but slowly: the condition `slow` (DESIGN.md, "Words").

A channel's second is slow when every successful call of it took longer than `over`. It is judged as persistence is, with
a share of its own: seconds without a success, for whatever reason, count neither way. The record does not tell slow
seconds from others, so that a window begins anew with a restart; what was raised stays raised until it is over.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from rules.model import Cell, Fault, Verdict
from rules.persistence import Mark, Rule


@dataclass(frozen=True, slots=True)
class Slowness:
    """`over`: milliseconds past which a success is slow. `share` of the window's seconds with a success must be."""

    over: int
    share: Fraction = Fraction(9, 10)

    def __post_init__(self) -> None:
        if self.over < 1 or not 0 < self.share <= 1:
            raise ValueError(f"not figures of slowness: {self}")

    @classmethod
    def of(cls, *, over_ms: int, share: float) -> "Slowness":
        """From figures as the configuration has them."""
        return cls(over_ms, Fraction(repr(share)))  # 0.9 as it was written, not as the nearest binary fraction

    def rule(self, persistence: Rule) -> Rule:
        """The rule that judges the channel whose rule of persistence is given."""
        return replace(persistence, share=self.share)

    def as_json(self) -> dict[str, Any]:
        """As JSON values: `over` in seconds."""
        return {"over": self.over / 1000}


def slow_mark(cell: Cell, slow: int) -> Mark:
    """What a channel's second is, `slow` of whose successes were slow."""
    if cell.verdict is Verdict.UNMEASURED:
        return Mark.UNMEASURED
    successes = next((n for fault, n in cell.faults if fault is Fault.NONE), 0)
    if not successes:
        return Mark.NEUTRAL
    return Mark.BAD if slow >= successes else Mark.GOOD
