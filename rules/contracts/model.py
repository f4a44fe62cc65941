"""A support agreement as data: what it calls Unavailable, its severities, and what must be done at each.

A pack is written as YAML (see `packs/`), read by `prober.packs`, and checked here. Every clause names the article that
it comes from, or `silent` where the document says nothing. No pack holds code: a further agreement is a further file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from rules.contracts.reading import Faults, Section
from rules.model import Condition

#: Stands for an article where the document says nothing.
SILENT = "silent"
#: Severity of what concerns on-call alone; no agreement may use the name.
INTERNAL = "internal"
_ARTICLE = f"name the article of the document, or write {SILENT}"


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
        faults = Faults()
        pack = _pack(Section(data, "", faults))
        if faults.found:
            raise ValueError("\n".join(faults.found))
        return pack

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


def _pack(section: Section) -> Pack:
    pack = Pack(
        name=section.name("name", "name the pack, as its file is named"),
        title=section.text("title", "name the agreement as people do"),
        vendor=section.text("vendor", "name the vendor"),
        document=section.section("document", "say which text this renders: title, date, language", _document)
        or _NO_DOCUMENT,
        unavailability=section.section("unavailability", "say what the agreement calls Unavailable", _unavailability)
        or _NO_UNAVAILABILITY,
        severities=tuple(_severities(section)),
        conditions=dict(_conditions(section)),
        on_call_alone=tuple(_on_call_alone(section)),
        resolution=section.section("resolution", "say who says that an issue is resolved", _resolution)
        or _NO_RESOLUTION,
        hotline=section.section("hotline", "describe the vendor's hotline", _desk, required=False),
        terms=tuple(_terms(section)),
    )
    section.done()
    _check_whole(pack, section.faults)
    return pack


#: Stand in for a section that is missing, which is a fault noted already; nobody ever sees them in a pack.
_NO_DOCUMENT = Document("", "", "")
_NO_UNAVAILABILITY = Unavailability("", "", "", "")
_NO_RESOLUTION = Resolution(ResolvedBy.AGREEMENT, "", "")


def _document(section: Section) -> Document:
    when = section.text("date", 'write the day of its last change as "2024-11-21"')
    try:
        if when:
            date.fromisoformat(when)
    except ValueError:
        section.faults.add(section.at("date"), f"{when!r} is not a day", 'write it as "2024-11-21"')
    return Document(
        title=section.text("title", "write the document's own title"),
        date=when,
        language=section.text("language", "write its language as fr, en, ..."),
    )


def _unavailability(section: Section) -> Unavailability:
    return Unavailability(
        meaning=section.text("meaning", "say in English what the document calls Unavailable"),
        article=section.text("article", _ARTICLE),
        persistent=section.text("persistent", "say what the document calls persistent, or that it does not say"),
        persistent_article=section.text("persistent_article", _ARTICLE),
    )


def _severities(section: Section) -> Iterator[Severity]:
    for name, value in section.items("severities", "list the severities, the most severe first"):
        s = Section(value, section.at(f"severities.{name}"), section.faults)
        hotline = s.choice("hotline", Hotline, Hotline.NONE)
        yield Severity(
            name=name,
            title=s.text("title", "write the agreement's word for it"),
            article=s.text("article", _ARTICLE),
            means=s.text("means", "say in English which issues belong to it"),
            ticket=s.flag("ticket", "say whether a ticket is opened"),
            hotline=hotline,
            after_ticket=s.flag(
                "after_ticket", "say whether the ticket comes first", default=hotline is not Hotline.NONE
            ),
            page=s.flag("page", "say whether on-call is paged"),
        )
        s.done()


def _conditions(section: Section) -> Iterator[tuple[Condition, str]]:
    for name, value in section.items("conditions", "map conditions to severities"):
        path = section.at(f"conditions.{name}")
        if name not in set(Condition):
            section.faults.add(path, "is not a condition", "one of " + ", ".join(Condition))
        elif not isinstance(value, str):
            section.faults.add(path, "does not name a severity", "write the name of one of the severities")
        else:
            yield Condition(name), value


def _on_call_alone(section: Section) -> Iterator[Condition]:
    for name in section.texts("on_call_alone", "list the conditions that page on-call alone; [] for none"):
        if name in set(Condition):
            yield Condition(name)
        else:
            section.faults.add(
                section.at("on_call_alone"), f"{name!r} is not a condition", "one of " + ", ".join(Condition)
            )


def _resolution(section: Section) -> Resolution:
    return Resolution(
        by=section.choice("by", ResolvedBy, ResolvedBy.AGREEMENT),
        article=section.text("article", _ARTICLE),
        means=section.text("means", "say in English who says so, and when"),
    )


def _desk(section: Section) -> HotlineDesk:
    return HotlineDesk(
        title=section.text("title", "write the agreement's name of the hotline"),
        hours=section.text("hours", "write its hours, such as 24x7"),
        article=section.text("article", _ARTICLE),
        intake=section.texts("intake", "list the vital information that it takes"),
        intake_article=section.text("intake_article", _ARTICLE),
        call_back=section.section(
            "call_back", "say within how many minutes the vendor calls back", _call_back, required=False
        ),
    )


def _call_back(section: Section) -> CallBack:
    return CallBack(
        minutes=section.number("minutes", "write the number of minutes"),
        starts=section.choice("starts", Starts, Starts.INTAKE),
        article=section.text("article", _ARTICLE),
    )


def _terms(section: Section) -> Iterator[Term]:
    for name, value in section.items("terms", "list what the customer fills in; {} for nothing"):
        s = Section(value, section.at(f"terms.{name}"), section.faults)
        yield Term(name, s.text("means", "say what the term is"), s.text("article", _ARTICLE))
        s.done()


def _check_whole(pack: Pack, faults: Faults) -> None:
    """What no single clause can show: clauses that contradict each other."""
    names = ", ".join(s.name for s in pack.severities) or "none yet"
    for condition, name in pack.conditions.items():
        if pack.severity(name) is None:
            faults.add(f"conditions.{condition}", f"{name!r} is not a severity of this pack", f"one of {names}")
        if condition in pack.on_call_alone:
            faults.add(f"conditions.{condition}", "is in on_call_alone too", "leave it in one of the two")
    if pack.severity(INTERNAL):
        faults.add(f"severities.{INTERNAL}", "is the name for what concerns on-call alone", "name it otherwise")
    for severity in pack.severities:
        path = f"severities.{severity.name}"
        if severity.after_ticket and severity.hotline is Hotline.NONE:
            faults.add(f"{path}.after_ticket", "speaks of a hotline, and hotline is none", "leave it out")
        if severity.after_ticket and not severity.ticket:
            faults.add(f"{path}.after_ticket", "waits for a ticket, and ticket is false", "write ticket: true")
        if severity.hotline is not Hotline.NONE and pack.hotline is None:
            faults.add(f"{path}.hotline", "there is no section hotline that describes it", "add the section hotline")
