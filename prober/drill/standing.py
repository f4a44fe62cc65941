"""What a drill has learnt of each receiver: whether it was reached, and by what."""

from dataclasses import dataclass, field
from enum import StrEnum

from prober.deliver import Arrival, Reached
from rules.acts import ActKind, ActResult, Outcome


class Found(StrEnum):
    """How a receiver stands after a drill. ACCEPTED: it took everything, and its API tells no more."""

    REACHED = "reached"
    ACCEPTED = "accepted"
    NOT_REACHED = "not reached"
    NOT_TOLD = "not told"  # an incident of this condition has nothing to say to it


@dataclass(slots=True)
class Standing:
    """One receiver. `words` is the newest thing that was learnt."""

    name: str
    kind: ActKind
    tried: bool = False
    accepted: bool = False
    failed: bool = False
    confirmed: bool = False
    words: str = ""
    kinds: list[ActKind] = field(default_factory=list)  # of the acts that it took

    def answered(self, kind: ActKind, result: ActResult) -> None:
        """An attempt has ended."""
        self.tried = True
        if result.outcome is Outcome.ACCEPTED:
            self.accepted = True
            self.kinds.append(kind)
            if not self.failed:
                self.words = result.detail
        else:
            self.words = result.detail

    def lacking(self, words: str) -> None:
        """It did not take what it should have, or nobody was reached by it."""
        self.tried = self.failed = True
        self.words = words

    def arrived(self, arrival: Arrival) -> None:
        """What its API says of an act that it took."""
        if arrival.reached is Reached.FAILED:
            self.lacking(arrival.detail)
        elif arrival.reached in (Reached.DELIVERED, Reached.ACKNOWLEDGED):
            self.confirmed = True
            self.words = arrival.detail

    @property
    def found(self) -> Found:
        if not self.tried:
            return Found.NOT_TOLD
        if self.failed or not self.accepted:
            return Found.NOT_REACHED
        return Found.REACHED if self.confirmed else Found.ACCEPTED
