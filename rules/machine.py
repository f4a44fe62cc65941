"""Our own machine: whether it stood still, or its clock was stepped, between two heartbeats.

Three clocks tell it: MONOTONIC runs while the machine is awake, BOOTTIME also while it is suspended, REALTIME is what
people set. NTP slews all three alike, so that REALTIME moves against BOOTTIME by steps alone (DESIGN.md, "Own
machine"; classification.md, Rules 6 and 7). All values are nanoseconds.
"""

from dataclasses import dataclass
from typing import NamedTuple

#: Between two heartbeats more than this is a stall (DESIGN.md, "Own machine": a gap over 500 ms).
STALL_OVER = 500_000_000
#: The clock moved by more than this is a step (DESIGN.md, "Own machine": over 250 ms); less is slewing.
STEP_OVER = 250_000_000
#: BOOTTIME got ahead of MONOTONIC by at least this: a suspend. They are read one after the other, so that nanoseconds mean
#: nothing; no machine is suspended and woken within 10 ms.
SUSPENDED_FROM = 10_000_000


@dataclass(frozen=True, slots=True)
class Reading:
    """One heartbeat: the three clocks read together.

    A process can be stopped between two of the reads. Whoever takes a reading reads MONOTONIC once more at the end
    and takes it anew when more than a few milliseconds went by; otherwise a stop looks like a step.
    """

    monotonic: int
    realtime: int  # UTC ns
    boottime: int


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing of ours ran from `start_utc` to `end_utc` (UTC ns, on the clock as it was before any step).

    `gap` is how far MONOTONIC moved meanwhile, and so by how much deadlines, which are instants of that clock, move.
    `suspended` is the part of the stall that MONOTONIC did not count: deadlines did not pass then, but peers waited. 0: the
    machine was awake throughout.
    """

    start_utc: int
    end_utc: int
    gap: int
    suspended: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """The clock read `to_utc` where it should have read `from_utc` (UTC ns)."""

    from_utc: int
    to_utc: int

    @property
    def delta(self) -> int:
        """How far it was moved; negative: back."""
        return self.to_utc - self.from_utc

    @property
    def forward(self) -> bool:
        """Forward: the seconds from `from_utc` to `to_utc` never were. Back: they come a second time."""
        return self.to_utc > self.from_utc


class Change(NamedTuple):
    """What happened between two heartbeats; mostly nothing."""

    stall: Stall | None
    step: Step | None


_NOTHING = Change(None, None)


def compare(previous: Reading, current: Reading) -> Change:
    """What happened to our machine between two heartbeats that follow each other."""
    awake = max(0, current.monotonic - previous.monotonic)
    elapsed = max(awake, current.boottime - previous.boottime)
    moved = current.realtime - previous.realtime - elapsed
    if elapsed <= STALL_OVER and abs(moved) <= STEP_OVER:
        return _NOTHING
    expected = previous.realtime + elapsed
    asleep = elapsed - awake if elapsed - awake >= SUSPENDED_FROM else 0
    stall = Stall(previous.realtime, expected, awake, asleep) if elapsed > STALL_OVER else None
    step = Step(expected, current.realtime) if abs(moved) > STEP_OVER else None
    return Change(stall, step)


def drift(anchor: Reading, current: Reading) -> int:
    """How far REALTIME has moved against the anchor's by steps of any size, ns; negative: back.

    Steps too small to be one for `compare` add up here: whoever stamps calls by an anchored clock anchors it anew by
    this.
    """
    elapsed = max(current.monotonic - anchor.monotonic, current.boottime - anchor.boottime)
    return current.realtime - anchor.realtime - elapsed
