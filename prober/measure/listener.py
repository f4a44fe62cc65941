"""What the measuring loop tells, and to whom: to the station in the program, to a list in a test."""

from typing import Protocol

from prober.measure.lane import Lane
from prober.measure.plan import Plan
from prober.measure.ring import Slot
from prober.probes.call import Call
from rules.machine import Stall, Step
from rules.model import Finding


class Listener(Protocol):
    """Who is told what the loop sees."""

    def closed(self, slot: Slot) -> None:
        """A second (or a stretch of unmeasured ones) of a service has closed."""
        ...

    def failed(self, lane: Lane, call: Call, finding: Finding) -> None:
        """A call of an endpoint has failed; its fault is settled."""
        ...

    def installed(self, plan: Plan) -> None:
        """Seconds that begin from now on are measured by this plan."""
        ...

    def retired(self, service: str) -> None:
        """The last open second of a service that is no longer configured has closed."""
        ...

    def stalled(self, stall: Stall) -> None: ...

    def stepped(self, step: Step) -> None: ...
