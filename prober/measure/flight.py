"""Calls in flight, by their deadlines. Adding and removing is constant work, however many there are."""

from collections import OrderedDict
from collections.abc import Iterator

from prober.probes.call import Call


class Flight:
    """Open calls. Calls of one time-out begin in order, so that each time-out needs but a queue; times are monotonic ns."""

    def __init__(self) -> None:
        self._queues: dict[int, OrderedDict[Call, None]] = {}
        self._timeouts: dict[Call, int] = {}

    def __len__(self) -> int:
        return len(self._timeouts)

    def __contains__(self, call: Call) -> bool:
        return call in self._timeouts

    def add(self, call: Call, timeout: int) -> None:
        """`call.deadline` is set and does not lie before that of the last call with the same time-out."""
        queue = self._queues.get(timeout)
        if queue is None:
            queue = self._queues[timeout] = OrderedDict()
        queue[call] = None
        self._timeouts[call] = timeout

    def remove(self, call: Call) -> None:
        timeout = self._timeouts.pop(call, None)
        if timeout is not None:
            del self._queues[timeout][call]

    def expired(self, now: int) -> list[Call]:
        """The calls whose deadline has come; they stay until they are removed."""
        found: list[Call] = []
        for queue in self._queues.values():
            for call in queue:
                if call.deadline > now:
                    break
                found.append(call)
        return found

    def next_deadline(self) -> int | None:
        """The earliest deadline."""
        firsts = [next(iter(queue)).deadline for queue in self._queues.values() if queue]
        return min(firsts) if firsts else None

    def first_begun(self, now: int) -> int:
        """When the oldest open call began; `now` when there is none."""
        return min((next(iter(queue)).begun for queue in self._queues.values() if queue), default=now)

    def shift(self, gap: int) -> None:
        """Move every deadline by a gap in which our machine stood still."""
        for call in self._timeouts:
            call.deadline += gap

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._timeouts))
