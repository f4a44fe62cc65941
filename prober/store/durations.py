"""How long successful calls took: a histogram of fixed buckets that lie evenly by ratio, which can be added up.

The bounds are the same everywhere and forever, so that minutes make an hour, hours a day, and channels a service, in
whatever order. A quantile is within `PRECISION` of the exact one, for calls between 10 us and 4 min.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, log

#: Each bucket's upper bound is so many times its lower one.
RATIO = 1.1
#: What a quantile is off at most, relative to the exact one: the middle of a bucket is that near to both of its ends.
PRECISION = (RATIO - 1) / (RATIO + 1)
#: Bucket 0 holds what took up to so many ns, bucket n what took up to `FIRST * RATIO ** n`, the last one all the rest.
FIRST = 10_000
BUCKETS = 180
#: `int(log(ns) * SCALE - SHIFT)` is the bucket of a duration past FIRST (the measuring loop writes it out).
SCALE = 1 / log(RATIO)
SHIFT = log(FIRST) * SCALE - 1


def bucket_of(ns: int) -> int:
    """The bucket of a call that took `ns`."""
    return 0 if ns <= FIRST else min(int(log(ns) * SCALE - SHIFT), BUCKETS - 1)


def middle(bucket: int) -> float:
    """Seconds that stand for what is in a bucket: as near, by ratio, to its lower as to its upper end."""
    upper = FIRST * RATIO**bucket / 1e9
    return 2 * upper / (RATIO + 1)


@dataclass(frozen=True, slots=True)
class Durations:
    """Successful calls by bucket. `total` and `longest` are in microseconds, to three digits; adding is exact."""

    counts: Mapping[int, int] = field(default_factory=dict)
    total: int = 0
    longest: int = 0

    def __add__(self, other: "Durations") -> "Durations":
        counts = dict(self.counts)
        for bucket, n in other.counts.items():
            counts[bucket] = counts.get(bucket, 0) + n
        return Durations(counts, self.total + other.total, max(self.longest, other.longest))

    @property
    def calls(self) -> int:
        return sum(self.counts.values())

    @property
    def mean(self) -> float | None:
        """Seconds; None of no calls."""
        calls = self.calls
        return self.total / calls / 1e6 if calls else None

    @property
    def maximum(self) -> float | None:
        """Seconds; None of no calls."""
        return self.longest / 1e6 if self.counts else None

    def quantile(self, share: float) -> float | None:
        """Seconds within which `share` (0 to 1) of the calls ended, within PRECISION; None of no calls."""
        calls = self.calls
        if not calls:
            return None
        left = max(1, ceil(share * calls))
        for bucket in sorted(self.counts):
            left -= self.counts[bucket]
            if left <= 0:
                return min(middle(bucket), self.longest / 1e6) if self.longest else middle(bucket)
        raise AssertionError("the counts add up to the calls")  # pragma: no cover - share is 1 at most
