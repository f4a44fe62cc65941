"""Reads the clauses beside the severities: terms, calendars, clocks, tickets, limits (see `rules.contracts.clauses`)."""

from collections.abc import Iterator, Mapping

from rules.contracts.clauses import (
    Action,
    Channel,
    Clock,
    Escalation,
    HoursClause,
    Limit,
    LimitKind,
    Mapped,
    Mark,
    Party,
    Rule,
    SetBy,
    Span,
    Term,
    TermKind,
    Tickets,
    Use,
    When,
    Within,
)
from rules.contracts.reading import Faults, Section
from rules.contracts.spans import DAYS_RIGHT, HOURS_RIGHT, SPAN_RIGHT, read_days, read_hours, read_span

#: Said of every article that is missing.
ARTICLE = "name the article of the document, or write silent"
TERM = "term:"
_WITHIN = "write 15m, or term:NAME, or {severity: {critical: 15m}}, or {TERM: {value: 15m}}"


def terms(section: Section) -> Iterator[Term]:
    """What the customer fills in, in the file's order. What is wrong goes to the section's faults."""
    for name, value in section.items("terms", "list what the customer fills in; {} for nothing"):
        s = Section(value, section.at(f"terms.{name}"), section.faults)
        yield Term(
            name=name,
            means=s.text("means", "say what the term is"),
            article=s.text("article", ARTICLE),
            kind=s.choice("kind", TermKind, TermKind.TEXT, required=False),
            choices=s.texts("choices", "list what the customer can choose", required=False),
            default=s.text("default", "write what holds while it is not filled in", required=False),
        )
        s.done()


def mapped(section: Section) -> Mapped:
    """A condition's severity, by scope, and once others confirm it."""
    return Mapped(
        severity=section.text("severity", "name one of the severities"),
        article=section.text("article", ARTICLE),
        scopes=dict(_texts(section, "scopes", "name a severity for service, channel or endpoint")),
        confirmed=section.text("confirmed", "name the severity once others confirm it", required=False),
        term=section.text("term", "name the term by which the customer sets it otherwise", required=False),
    )


def set_by(section: Section) -> SetBy:
    """Who sets the severity."""
    return SetBy(
        by=section.choice("by", Party, Party.VENDOR),
        means=section.text("means", "say in English who sets it, and by what"),
        article=section.text("article", ARTICLE),
    )


def tickets(section: Section) -> Tickets:
    """The ways to open a ticket, and what it must hold."""
    return Tickets(
        channels=section.sections("channels", "list the ways to open a ticket, in their order", _channel),
        carries=section.texts("carries", "list what a ticket must hold", required=False),
        carries_article=section.text("carries_article", ARTICLE),
        in_writing=section.flag(
            "in_writing", "say whether what was said by telephone is put into the ticket", default=False
        ),
    )


def _channel(section: Section) -> Channel:
    return Channel(
        kind=section.text("kind", "write email, form, chat, dashboard, phone, snmp, ..."),
        use=section.choice("use", Use, Use.MAY),
        means=section.text("means", "say for whom it is, and when"),
        article=section.text("article", ARTICLE),
    )


def calendars(section: Section) -> Iterator[HoursClause]:
    """The hours that clocks run in."""
    for name, value in section.items("calendars", "list the hours that clocks run in", required=False):
        s = Section(value, section.at(f"calendars.{name}"), section.faults)
        yield HoursClause(
            name=name,
            means=s.text("means", "say whose hours they are"),
            article=s.text("article", ARTICLE),
            zone=_checked(s, "zone", "write a time zone such as Europe/Amsterdam, or term:NAME") or "UTC",
            days=_checked(s, "days", f"{DAYS_RIGHT}, or term:NAME", read_days) or "mon-sun",
            hours=_checked(s, "hours", f"{HOURS_RIGHT}, or term:NAME", read_hours) or "00:00-24:00",
            holidays=_checked(s, "holidays", "write NL, BR-SP or none, or term:NAME") or "none",
            outside=s.text("outside", "name the calendar whose hours these are not", required=False),
        )
        s.done()


def _checked(section: Section, key: str, right: str, read: object = None) -> str:
    """A text that is `term:NAME`, or one that `read` can read."""

    def check(text: str) -> str:
        if callable(read) and not text.startswith(TERM):
            read(text)
        return text

    return section.parsed(key, right, check) or ""


def clocks(section: Section) -> Iterator[Clock]:
    """The deadlines."""
    for name, value in section.items("clocks", "list the agreement's deadlines", required=False):
        s = Section(value, section.at(f"clocks.{name}"), section.faults)
        yield _clock(name, s)
        s.done()


def _clock(name: str, s: Section) -> Clock:
    return Clock(
        name=name,
        title=s.text("title", "write the agreement's word for it"),
        article=s.text("article", ARTICLE),
        of=s.choice("of", Party, Party.VENDOR, required=False),
        within=_within(s),
        calendar=s.text("calendar", "name one of the calendars, or write always", required=False) or "always",
        starts=s.choices("starts", Mark, "list what starts it"),
        stops=s.choices("stops", Mark, "list what stops it"),
        every=s.flag("every", "say whether it is a cadence", default=False),
        pauses=s.flag("pauses", "say whether it stands still while the vendor waits for us", default=False),
        warn=_spans(s, "warn"),
        due=s.choices("due", Action, "list what is done when it is due", required=False),
        again=s.parsed("again", SPAN_RIGHT, read_span),
        at_most=s.number("at_most", "write how often at most", default=0),
        asks=s.text("asks", "write the words with which the vendor is asked", required=False),
        severities=s.texts("severities", "list the severities that have it", required=False),
        when=when(s),
    )


def _within(s: Section) -> Within:
    value = s.take("within", _WITHIN)
    path = s.at("within")
    match value:
        case None:
            return Within("", {"": Span(seconds=1)})
        case str() if value.startswith(TERM):
            return Within(value.removeprefix(TERM).strip(), {})
        case str():
            return Within("", {"": _span(value, path, s.faults)})
        case {**one} if len(one) == 1:
            ((by, of),) = one.items()
            inner = Section(of, f"{path}.{by}", s.faults)
            values = {str(key): _span(str(text), inner.at(str(key)), s.faults) for key, text in inner.pairs()}
            if not values:
                s.faults.add(f"{path}.{by}", "holds no duration", _WITHIN)
            return Within(str(by), values)
        case _:
            s.faults.add(path, "is no duration", _WITHIN)
            return Within("", {"": Span(seconds=1)})


def _span(text: str, path: str, faults: Faults) -> Span:
    try:
        return read_span(text)
    except ValueError as error:
        faults.said(path, error)
        return Span(seconds=1)


def _spans(section: Section, key: str) -> tuple[Span, ...]:
    return tuple(
        _span(text, section.at(key), section.faults) for text in section.texts(key, SPAN_RIGHT, required=False)
    )


def when(section: Section) -> When:
    """`when: {support_24x7: contracted}`, or a list of values."""
    value = section.take("when", "name terms and their values", required=False)
    if value is None:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for name, wanted in Section(value, section.at("when"), section.faults).pairs():
        many = wanted if isinstance(wanted, list | tuple) else (wanted,)
        if not many or not all(isinstance(text, str) for text in many):
            section.faults.add(section.at(f"when.{name}"), "is no value of a term", "write one, or a list (in quotes)")
        else:
            found[str(name)] = tuple(many)
    return found


def _texts(section: Section, key: str, right: str) -> Iterator[tuple[str, str]]:
    value = section.take(key, right, required=False)
    if isinstance(value, Mapping):
        inner = Section(value, section.at(key), section.faults)
        for name in ("service", "channel", "endpoint"):
            if text := inner.text(name, right, required=False):
                yield name, text
        inner.done()
    elif value is not None:
        section.faults.add(section.at(key), "is no mapping", right)


def escalation(section: Section) -> Escalation:
    """The point of escalation."""
    return Escalation(
        title=section.text("title", "write the agreement's name of it"),
        calendar=section.text("calendar", "name one of the calendars, or write always"),
        means=section.text("means", "say in English what it is for"),
        article=section.text("article", ARTICLE),
    )


def rule(section: Section) -> Rule:
    """What may never be written, or the like: in English, with its article."""
    return Rule(means=section.text("means", "say it in English"), article=section.text("article", ARTICLE))


def limit(section: Section) -> Limit:
    """One of the vendor's documented limits."""
    return Limit(
        kind=section.choice("kind", LimitKind, LimitKind.DEADLINE),
        value=section.number("value", "write a number (durations in seconds)"),
        channel=section.text("channel", "write api or smtp, or leave it out", required=False),
        means=section.text("means", "say in English what is documented"),
        source=section.text("source", "say where it is documented"),
    )
