"""Makes a contract pack of plain data, and says all that is wrong with data that is none."""

from collections.abc import Iterator
from datetime import date

from rules.contracts import parse_clauses as clauses
from rules.contracts.clauses import Mapped
from rules.contracts.model import (
    SILENT,
    Document,
    Hotline,
    HotlineDesk,
    Pack,
    Resolution,
    ResolvedBy,
    Severity,
    Unavailability,
)
from rules.contracts.parse_clauses import ARTICLE as _ARTICLE
from rules.contracts.parse_whole import check_whole
from rules.contracts.reading import Faults, Section
from rules.model import Condition


def parse(data: object) -> Pack:
    """`Pack.parse`: raises ValueError with one line for each fault, `path: what is wrong; what is right`."""
    faults = Faults()
    pack = _pack(Section(data, "", faults))
    if faults.found:
        raise ValueError("\n".join(faults.found))
    return pack


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
        terms=tuple(clauses.terms(section)),
        severity_set_by=section.section("severity_set_by", "say who sets the severity", clauses.set_by, required=False),
        tickets=section.section("tickets", "say how tickets are opened", clauses.tickets, required=False),
        calendars=tuple(clauses.calendars(section)),
        clocks=tuple(clauses.clocks(section)),
        escalation=section.section(
            "escalation", "describe the point of escalation", clauses.escalation, required=False
        ),
        keep=section.sections("keep", "list what must be kept, each with means and article", clauses.rule),
        never=section.sections("never", "list what must never be done, each with means and article", clauses.rule),
        limits=section.sections("limits", "list the vendor's documented limits", clauses.limit),
    )
    section.done()
    check_whole(pack, section.faults)
    return pack


#: Stand in for a section that is missing, which is a fault noted already; nobody ever sees them in a pack.
_NO_DOCUMENT = Document("", "", "")
_NO_UNAVAILABILITY = Unavailability("", "", "", "")
_NO_RESOLUTION = Resolution(ResolvedBy.AGREEMENT, "", "")


def _document(section: Section) -> Document:
    when = section.text("date", f'write the day of its last change as "2024-11-21", or {SILENT}')
    try:
        if when and when != SILENT:
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


def _conditions(section: Section) -> Iterator[tuple[Condition, Mapped]]:
    """`unavailable: critical`, or a mapping with severity, article and more."""
    for name, value in section.items("conditions", "map conditions to severities"):
        path = section.at(f"conditions.{name}")
        if name not in set(Condition):
            section.faults.add(path, "is not a condition", "one of " + ", ".join(Condition))
        elif isinstance(value, str):
            yield Condition(name), Mapped(value, "")
        elif isinstance(value, dict):
            inner = Section(value, path, section.faults)
            yield Condition(name), clauses.mapped(inner)
            inner.done()
        else:
            section.faults.add(path, "does not name a severity", "write the name of one of the severities")


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
        when=clauses.when(section),
    )
