"""Work that may pause: a generator yields wherever it could stop for a while, and returns what it came to.

Closing a second of ten thousand endpoints takes longer than a due call may wait. Who cares about time goes on with such work
slice by slice; who does not, calls `whole`. The rules know no clock: a slice is so many endpoints.
"""

from collections.abc import Generator, Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")
_E = TypeVar("_E")

#: Work that yields nothing but the chance to stop.
Work = Generator[None, None, _T]

#: So many endpoints are looked at between two pauses: a fraction of a millisecond, even when all of them change.
AT_ONCE = 25


def whole(work: Work[_T]) -> _T:
    """All of it at once."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: _T = end.value
            return result


def by_slices(items: Iterable[_E]) -> Iterator[tuple[_E, bool]]:
    """Each item, and whether to pause before it."""
    for number, item in enumerate(items, start=1):
        yield item, number % AT_ONCE == 0
