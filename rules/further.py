"""The rules beside the one of persistence: what else a service's seconds are looked through for."""

from dataclasses import dataclass

from rules.intermittent import Rate
from rules.slow import Slowness


@dataclass(frozen=True, slots=True)
class Further:
    """Rules beside the one of persistence; what is None is not looked for."""

    intermittent: Rate | None = None
    slow: Slowness | None = None


NOTHING_FURTHER = Further()
