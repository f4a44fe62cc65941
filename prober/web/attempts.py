"""Failed logins, counted by where they come from, so that a token cannot be guessed."""

from collections import OrderedDict, deque
from collections.abc import Callable

#: So many failed logins within so many seconds are let pass.
MOST = 5
WITHIN = 300.0
#: Places remembered; those that failed longest ago are forgotten first.
_PLACES = 10_000


class Attempts:
    """`monotonic` gives seconds that never step."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, place: str) -> float:
        """Seconds that `place` must wait before it may try; 0: none."""
        failed = self._failed.get(place)
        if failed is None or len(failed) < MOST:
            return 0.0
        return max(0.0, failed[0] + WITHIN - self._monotonic())

    def failed(self, place: str) -> None:
        self._failed.setdefault(place, deque(maxlen=MOST)).append(self._monotonic())
        self._failed.move_to_end(place)
        if len(self._failed) > _PLACES:
            self._failed.popitem(last=False)

    def succeeded(self, place: str) -> None:
        self._failed.pop(place, None)
