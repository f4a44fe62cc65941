"""Deliveries: carrying acts to the vendor and to on-call. `outbox` decides when, one file a kind of receiver does it.

A delivery is one attempt at one receiver. It never raises for what the other side does: library errors become
outcomes at the I/O call, so that the outbox only learns whether trying again can help.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from rules.acts import Act, Outcome

#: Seconds that one attempt may take, from its begin to its last byte (DESIGN.md, "Defaults").
TIMEOUT = 10.0
#: Most seconds that a receiver's Retry-After can make us wait; also the longest back-off.
LONGEST_WAIT = 300.0


@dataclass(frozen=True, slots=True)
class Delivered:
    """How one attempt ended. `detail` and `reference` are for people and records: bounded, harmless, without secrets.

    `reference` is what the receiver can find the act by (a ticket's number, a Message-ID, a dedup key). `retry_after`
    is the number of seconds that the receiver asked us to wait (0: it did not).
    """

    outcome: Outcome
    detail: str = ""
    reference: str = ""
    retry_after: float = 0.0


class Delivery(Protocol):
    """One configured receiver."""

    async def deliver(self, act: Act, key: str) -> Delivered:
        """Carry `act` out once, under `key`, within `TIMEOUT`. Raises nothing but CancelledError."""
        ...


class Reached(StrEnum):
    """How far an act came that its receiver had accepted."""

    WAITING = "waiting"  # nobody is known to have got it
    DELIVERED = "delivered"  # it reached somebody: a call was answered, a person was notified
    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"  # it reached nobody, and no more is tried


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of an accepted act, for people and records: bounded, harmless, without secrets.

    `by` is who acknowledged. `reference` takes the place of the act's, where it is known by another from now on (a
    call made again). `again` is the number of seconds after which to ask again (0: there is nothing more to learn).
    """

    reached: Reached
    detail: str = ""
    by: str = ""
    reference: str = ""
    again: float = 0.0


@runtime_checkable
class Followed(Protocol):
    """A delivery whose receiver tells what became of an act after it was accepted."""

    async def follow(self, act: Act, key: str, reference: str) -> Arrival:
        """Look once, within `TIMEOUT`. Raises nothing but CancelledError."""
        ...
