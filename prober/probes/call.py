"""A call in flight, whatever engine makes it."""

from collections.abc import Callable
from typing import Any, Protocol

from rules.model import Observation


class Call:
    """One attempt. The measuring loop sets what it needs to find it again; the engine sets how it ended.

    Instants are CLOCK_MONOTONIC ns, `begun_utc` UTC ns. A call is `healthy` when it came to its end without trouble and met
    every expectation: such a call has an observation only when somebody asked for it (`full`).
    """

    __slots__ = (
        "begun",
        "begun_utc",
        "code",
        "deadline",
        "done",
        "ended",
        "full",
        "healthy",
        "marks",
        "observation",
        "owner",
        "redirected",
        "slot",
        "version",
    )

    def __init__(self, done: "Callable[[Call], None]", *, full: bool = False) -> None:
        self.done = done
        self.full = full
        self.begun = 0
        self.begun_utc = 0
        self.ended = 0
        self.deadline = 0
        self.healthy = False
        self.code = 0
        self.version = 0.0  # of HTTP in the reply
        self.redirected = False  # it came to its reply over redirects
        self.marks: list[int] = []  # absolute ends of the phases of rules.model.PHASES, 0: not reached
        self.observation: Observation | None = None
        self.owner: Any = None
        self.slot: Any = None

    def start(self, now: int, utc: int) -> None:
        """Begin. `done` may be called before this returns."""
        raise NotImplementedError

    def expire(self, now: int) -> None:
        """The deadline has passed: look at the socket once more, then end as a time-out (or as what was waiting)."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Give up without a result: `done` is not called."""
        raise NotImplementedError

    @property
    def cert_expiry(self) -> int:
        """Earliest notAfter of the peer's chain, unix seconds; 0 without TLS, or unknown."""
        return 0

    def transcript(self) -> list[tuple[int, str, bytes]]:
        """What went over the wire: (ns since the begin, ">" sent or "<" received, bytes). Bounded."""
        return []


def phase_durations(begun: int, marks: list[int]) -> tuple[int, ...]:
    """Durations (ns) of the phases whose absolute ends are `marks`; -1 for a phase that was not reached."""
    last = begun
    durations: list[int] = []
    for mark in marks:
        if mark:
            durations.append(mark - last)
            last = mark
        else:
            durations.append(-1)
    return tuple(durations)


class Probe(Protocol):
    """What makes the calls of one endpoint."""

    def call(self, done: Callable[[Call], None], *, full: bool = False) -> Call:
        """A call that has not begun yet."""
        ...

    def close(self) -> None:
        """Close kept connections."""
        ...
