"""Acts as data: what is to be done outside, written down before it is tried.

An act names its receivers in the order in which they are to be tried; the outbox carries it out and reports attempts. Its
key is the same on every repeat, so that the receiver can drop a second copy (DESIGN.md, invariant 7).

A page and the act that resolves it have the same incident, episode, step and receiver; they differ in kind alone, and the
second comes `after` the first. What they share is `Act.alert`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

#: Parts a page's step from the number of its repeat.
REPEAT = "~"


class ActKind(StrEnum):
    """What is to be done outside. Each kind has its own receivers."""

    PAGE = "page"  # page on-call
    PAGE_RESOLVE = "page_resolve"  # resolve on-call's page
    TICKET = "ticket"  # open the ticket
    NOTE = "note"  # add to the ticket
    HOTLINE = "hotline"  # call the vendor's hotline
    ESCALATION = "escalation"  # tell the agreement's point of escalation (the Technical Account Manager)
    STATUS = "status"  # tell a public status page; its facts are public, all of them


class Outcome(StrEnum):
    """How one attempt at an act ended, and so whether trying again can help."""

    ACCEPTED = "accepted"
    TRANSIENT = "transient"  # not taken, may be later (4yz, 5xx, 408, 429, no connection)
    PERMANENT = "permanent"  # this receiver will never take it (5yz, 4xx)
    UNKNOWN = "unknown"  # it may have been taken: the answer was lost


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to be done. `facts` are JSON values: all that its text needs, so that a repeat says the same.

    `after` is the id of the act that must have been accepted before this one is tried ("": none): a note waits for its ticket.
    `created` is UTC seconds.
    """

    incident: str
    episode: int
    kind: ActKind
    step: str  # tells acts of one kind in one episode apart: "open", "recovered", "severity-critical"
    receivers: tuple[str, ...]
    created: int
    after: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The act's own name, whichever receiver takes it."""
        return self.key(self.receivers[0] if self.receivers else "-")

    def key(self, receiver: str) -> str:
        """The key under which `receiver` gets it: incident/episode/kind/receiver/step."""
        return f"{self.incident}/{self.episode}/{self.kind}/{receiver}/{self.step}"

    def alert(self, receiver: str) -> str:
        """What a page, its repeats (`open~2`) and its resolve have in common: incident/episode/receiver/step.

        It is a pager's dedup key.
        """
        return f"{self.incident}/{self.episode}/{receiver}/{self.step.partition(REPEAT)[0]}"


@dataclass(frozen=True, slots=True)
class ActResult:
    """One attempt at an act. `at` is UTC ns; `reference` what the receiver called it (a queue id, a dedup key)."""

    act: str  # Act.id
    receiver: str
    outcome: Outcome
    at: int
    detail: str = ""
    reference: str = ""
    final: bool = False  # no further attempt will be made (accepted, or every receiver refused for good)
