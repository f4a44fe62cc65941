"""Makes a contract pack of plain data, and says all that is wrong with data that is none."""

from collections.abc import Iterator
from datetime import date

from rules.contracts.model import (
    INTERNAL,
    SILENT,
    CallBack,
    Document,
    Hotline,
    HotlineDesk,
    Pack,
    Resolution,
    ResolvedBy,
    Severity,
    Starts,
    Term,
    Unavailability,
)
from rules.contracts.reading import Faults, Section
from rules.model import Condition

_ARTICLE = f"name the article of the document, or write {SILENT}"


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
