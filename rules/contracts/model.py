"""A support agreement as data: what it calls Unavailable, its severities, and what must be done at each.

A pack is written as YAML (see `packs/`), read by `prober.packs`, and checked here. Every clause names the article that
it comes from, or `silent` where the document says nothing. No pack holds code: a further agreement is a further file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rules.contracts.clauses import (
    Clock,
    Escalation,
    HoursClause,
    Limit,
    Mapped,
    Party,
    Rule,
    SetBy,
    Term,
    Tickets,
    When,
)
from rules.contracts.clauses import Use as Hotline
from rules.model import Condition

__all__ = [
    "INTERNAL",
    "SILENT",
    "Document",
    "Hotline",
    "HotlineDesk",
    "Pack",
    "Resolution",
    "ResolvedBy",
    "Severity",
    "Unavailability",
]

#: Stands for an article where the document says nothing.
SILENT = "silent"
#: Severity of what concerns on-call alone; no agreement may use the name.
INTERNAL = "internal"


class ResolvedBy(StrEnum):
    """Who says that an issue is resolved."""

    AGREEMENT = "agreement"  # customer and vendor together
    VENDOR = "vendor"
    SILENT = "silent"  # the document does not say: both together, or the vendor by its closing


@dataclass(frozen=True, slots=True)
class Document:
    """The published text that a pack renders. `date`: the day of its last change, as ISO 8601, or silent."""

    title: str
    date: str
    language: str


@dataclass(frozen=True, slots=True)
class Unavailability:
    """The agreement's meaning of Unavailable, in English, and of persistent, each with its article."""

    meaning: str
    article: str
    persistent: str
    persistent_article: str


@dataclass(frozen=True, slots=True)
class Severity:
    """A class of issues and what it asks for. `after_ticket`: the hotline is called once the ticket is in."""

    name: str
    title: str
    article: str
    means: str
    ticket: bool
    hotline: Hotline
    after_ticket: bool
    page: bool


@dataclass(frozen=True, slots=True)
class Resolution:
    """Who ends a ticket, and how."""

    by: ResolvedBy
    article: str
    means: str


@dataclass(frozen=True, slots=True)
class HotlineDesk:
    """The vendor's hotline: its name, its hours in words, and the vital information it takes (`intake`).

    `when`: the terms under which there is one.
    """

    title: str
    hours: str
    article: str
    intake: tuple[str, ...]
    intake_article: str
    when: When = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pack:
    """One agreement. `severities` are in order, the most severe first. Make one with `Pack.parse`."""

    name: str
    title: str
    vendor: str
    document: Document
    unavailability: Unavailability
    severities: tuple[Severity, ...]
    conditions: Mapping[Condition, Mapped]
    on_call_alone: tuple[Condition, ...]
    resolution: Resolution
    hotline: HotlineDesk | None
    terms: tuple[Term, ...]
    severity_set_by: SetBy | None = None
    tickets: Tickets | None = None
    calendars: tuple[HoursClause, ...] = ()
    clocks: tuple[Clock, ...] = ()
    escalation: Escalation | None = None
    never: tuple[Rule, ...] = ()
    keep: tuple[Rule, ...] = ()
    limits: tuple[Limit, ...] = ()

    @classmethod
    def parse(cls, data: object) -> "Pack":
        """The pack that a mapping of plain data describes.

        Raises ValueError with one line for each fault: `path: what is wrong; what is right`.
        """
        from rules.contracts.parse import parse  # it needs the values of this file

        return parse(data)

    @property
    def proposes(self) -> bool:
        """The vendor sets the severity; what we say of it is a proposal."""
        return self.severity_set_by is not None and self.severity_set_by.by is Party.VENDOR

    def severity(self, name: str) -> Severity | None:
        return next((s for s in self.severities if s.name == name), None)

    def severity_of(self, condition: Condition, scope: str = "", *, confirmed: bool = False) -> Severity | None:
        """The severity that the agreement gives a condition of a scope; None: it has none for it.

        `scope` is "" for the service, a channel's name, or channel/endpoint. `confirmed`: somebody else sees it too.
        """
        mapped = self.conditions.get(condition)
        if mapped is None:
            return None
        kind = "service" if not scope else "endpoint" if "/" in scope else "channel"
        name = mapped.scopes.get(kind, mapped.severity)
        if confirmed and mapped.confirmed and name == mapped.severity:
            name = mapped.confirmed
        return self.severity(name)

    @property
    def wanted(self) -> tuple[Severity, ...]:
        """The severities that some condition can have."""
        names = {n for m in self.conditions.values() for n in (m.severity, m.confirmed, *m.scopes.values())}
        return tuple(s for s in self.severities if s.name in names)

    def rank(self, name: str) -> int:
        """How severe: the greater the more; 0 for a name that is no severity of this agreement."""
        names = [s.name for s in self.severities]
        return len(names) - names.index(name) if name in names else 0

    def clock(self, name: str) -> Clock | None:
        return next((c for c in self.clocks if c.name == name), None)

    def check_terms(self, given: Mapping[str, object]) -> tuple[str, ...]:
        """What is wrong with the terms that a configuration fills in; one text a fault, none when all is well."""
        from rules.contracts.terms import check

        return check(self, given)

    def settled(self, given: Mapping[str, object]) -> "Pack":
        """The agreement as it is with these terms: no clause depends on a term any more."""
        from rules.contracts.terms import settle

        return settle(self, given)

    def to_mapping(self) -> dict[str, Any]:
        """Plain data of which `parse` makes an equal pack."""
        from rules.contracts.plain import plain

        return plain(self)
