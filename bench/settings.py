"""How long and how often things are measured."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """`calls` of a peer in a round, `rate` calls a second of ours, `seconds` of them in a round; `say` tells of progress.

    `many` and `hanging` are numbers of endpoints, `minutes` how long memory is watched.
    """

    say: Callable[[str], None]
    rounds: int = 3
    calls: int = 4000
    rate: int = 2400
    seconds: int = 6
    many: int = 10_000
    many_seconds: int = 25
    hanging: int = 1000
    samples: int = 7
    minutes: float = 5.0


def quick(say: Callable[[str], None]) -> Settings:
    """Once over everything in a few minutes; figures are rough."""
    return Settings(say, rounds=1, calls=1200, seconds=4, many_seconds=12, samples=3, minutes=1.0)
