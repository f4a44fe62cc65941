"""A support agreement as data: what it calls Unavailable, its severities, and what must be done at each.

A pack is written as YAML (see `packs/`), read by `prober.packs`, and checked here. Every clause names the article that
it comes from, or `silent` where the document says nothing. No pack holds code: a further agreement is a further file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rules.contracts.reading import Faults, Section
from rules.model import Condition

#: Stands for an article where the document says nothing.
SILENT = "silent"
#: Severity of what concerns on-call alone; no agreement may use the name.
INTERNAL = "internal"


class Hotline(StrEnum):
    """What a severity says of the vendor's hotline."""

    NONE = "none"
    MAY = "may"
    MUST = "must"


class ResolvedBy(StrEnum):
    """Who says that an issue is resolved."""

    AGREEMENT = "agreement"  # customer and vendor together
    VENDOR = "vendor"


class Starts(StrEnum):
    """What starts a clock of the agreement."""

    INTAKE = "intake"  # the hotline has taken the vital information


@dataclass(frozen=True, slots=True)
class Document:
    """The published text that a pack renders. `date` is the day of its last change, as ISO 8601."""

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
    by: ResolvedBy
    article: str
    means: str


@dataclass(frozen=True, slots=True)
class CallBack:
    """The vendor calls back within `minutes` of what `starts` names. For the clocks to come: nothing runs on it."""

    minutes: int
    starts: Starts
    article: str


@dataclass(frozen=True, slots=True)
class HotlineDesk:
    """The vendor's hotline: its name, its hours in words, and the vital information it takes (`intake`)."""

    title: str
    hours: str
    article: str
    intake: tuple[str, ...]
    intake_article: str
    call_back: CallBack | None


@dataclass(frozen=True, slots=True)
class Term:
    """What the customer fills in, because the document leaves it open or it was agreed apart."""

    name: str
    means: str
    article: str


@dataclass(frozen=True, slots=True)
class Pack:
    """One agreement. `severities` are in order, the most severe first. Make one with `Pack.parse`."""

    name: str
    title: str
    vendor: str
    document: Document
    unavailability: Unavailability
    severities: tuple[Severity, ...]
    conditions: Mapping[Condition, str]
    on_call_alone: tuple[Condition, ...]
    resolution: Resolution
    hotline: HotlineDesk | None
    terms: tuple[Term, ...]

    @classmethod
    def parse(cls, data: object) -> "Pack":
        """The pack that a mapping of plain data describes.

        Raises ValueError with one line for each fault: `path: what is wrong; what is right`.
        """
        from rules.contracts.parse import parse  # it needs the values of this file

        return parse(data)

    def severity(self, name: str) -> Severity | None:
        return next((s for s in self.severities if s.name == name), None)

    def severity_of(self, condition: Condition) -> Severity | None:
        """The severity that the agreement gives a condition; None: it has none for it."""
        return self.severity(self.conditions.get(condition, ""))

    def rank(self, name: str) -> int:
        """How severe: the greater the more; 0 for a name that is no severity of this agreement."""
        names = [s.name for s in self.severities]
        return len(names) - names.index(name) if name in names else 0

    def check_terms(self, given: Mapping[str, object]) -> tuple[str, ...]:
        """What is wrong with the terms that a configuration fills in; one text a fault, none when all is well."""
        faults = Faults()
        section = Section(given, "terms", faults)
        for term in self.terms:
            section.text(term.name, term.means, required=False)
        section.done()
        return tuple(faults.found)

    def to_mapping(self) -> dict[str, Any]:
        """Plain data of which `parse` makes an equal pack."""
        return {
            "name": self.name,
            "title": self.title,
            "vendor": self.vendor,
            "document": _plain(self.document),
            "unavailability": _plain(self.unavailability),
            "severities": {s.name: _plain(s, leave="name") for s in self.severities},
            "conditions": {c.value: s for c, s in self.conditions.items()},
            "on_call_alone": [c.value for c in self.on_call_alone],
            "resolution": _plain(self.resolution),
            **({"hotline": _plain(self.hotline)} if self.hotline else {}),
            "terms": {t.name: _plain(t, leave="name") for t in self.terms},
        }


def _plain(value: Any, leave: str = "") -> dict[str, Any]:
    """A frozen value as a mapping, its enums as words, its tuples as lists, and what is None left out."""
    plain: dict[str, Any] = {}
    for name in value.__slots__:
        item = getattr(value, name)
        if name == leave or item is None:
            continue
        if isinstance(item, StrEnum):
            plain[name] = item.value
        elif isinstance(item, tuple):
            plain[name] = list(item)
        else:
            plain[name] = _plain(item) if hasattr(item, "__slots__") else item
    return plain
