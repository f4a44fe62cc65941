"""A contract pack as prose with articles, 80 columns wide, so that a manager can hold it against the document."""

import textwrap
from collections.abc import Iterator, Mapping

from rules.contracts.clauses import Action, Clock, HoursClause, Limit, LimitKind, Mapped, Mark, Party, Term, Use, Within
from rules.contracts.model import SILENT, Hotline, Pack, ResolvedBy, Severity
from rules.contracts.spans import write_span

WIDTH = 80

_LANGUAGES = {"fr": "French", "it": "Italian", "ru": "Russian", "pt": "Portuguese", "en": "English", "de": "German"}
_CONDITIONS = {
    "unavailable": "the service is persistently Unavailable",
    "partial": "an endpoint alone is persistently Unavailable",
    "intermittent": "Unavailability comes and goes",
    "slow": "the service answers slowly",
    "failing": "all calls fail, not provably by the vendor's fault",
    "blind": "we cannot measure",
}
#: What a clock runs from: "from when ...".
_STARTS = {
    Mark.OPENED: "the incident opens",
    Mark.TICKET: "the ticket is in",
    Mark.HOTLINE: "the hotline is called",
    Mark.INTAKE: "the intake is recorded",
    Mark.FIRST_RESPONSE: "the first response is there",
    Mark.CALL_BACK: "the call back has come",
    Mark.UPDATE: "an update is there",
    Mark.WORKAROUND: "a work-around is given",
    Mark.WAITING_FOR_US: "the vendor waits for us",
    Mark.WAITING_FOR_THEM: "we have answered",
    Mark.RECOVERED: "it has recovered",
    Mark.EPISODE: "it is Unavailable again",
    Mark.REOPENED: "it is reopened",
    Mark.CLOSED: "the issue is closed",
}
#: What ends it: "stopped by ...".
_STOPS = {
    Mark.OPENED: "the opening of the incident",
    Mark.TICKET: "the ticket",
    Mark.HOTLINE: "the call to the hotline",
    Mark.INTAKE: "the intake",
    Mark.FIRST_RESPONSE: "the first response",
    Mark.CALL_BACK: "the call back",
    Mark.UPDATE: "an update",
    Mark.WORKAROUND: "a work-around",
    Mark.WAITING_FOR_US: "the vendor's waiting for us",
    Mark.WAITING_FOR_THEM: "our answer",
    Mark.RECOVERED: "the recovery",
    Mark.EPISODE: "its being Unavailable again",
    Mark.REOPENED: "the reopening",
    Mark.CLOSED: "the closing of the issue",
}
_ACTIONS = {
    Action.PAGE: "page on-call's next level",
    Action.CHASE: "write into the ticket",
    Action.HOTLINE: "call the hotline again",
    Action.ESCALATE: "escalate in its hours",
}
_RESOLVED = {
    ResolvedBy.AGREEMENT: "Customer and vendor together.",
    ResolvedBy.VENDOR: "The vendor.",
    ResolvedBy.SILENT: "The document does not say; so both together, or the vendor by closing the ticket.",
}
_LIMITS = {
    LimitKind.CALLS_PER_SECOND: "at most {} calls a second",
    LimitKind.CONNECTIONS: "at most {} connections at once",
    LimitKind.DEADLINE: "at least {} s for a call",
}


def text(pack: Pack) -> str:
    """The whole agreement. Every clause ends with its article in brackets, `[silent]` where the document says nothing."""
    return "\n".join(_lines(pack)) + "\n"


def _lines(pack: Pack) -> Iterator[str]:
    document = pack.document
    yield from _block(f"{pack.title} ({pack.name})", indent="")
    language = _LANGUAGES.get(document.language, document.language)
    date = "without a date" if document.date == SILENT else f"last changed {document.date}"
    yield from _block(f"Vendor: {pack.vendor}. Document: {document.title} ({language}, {date}).", indent="")
    yield from _heading("What counts as Unavailable")
    yield from _clause(pack.unavailability.meaning, pack.unavailability.article)
    yield from _clause(f"Persistent: {pack.unavailability.persistent}", pack.unavailability.persistent_article)
    yield from _heading("Severities, the most severe first")
    for severity in pack.severities:
        yield from _severity(severity)
    if pack.severity_set_by:
        by = "The vendor sets it; ours is proposed." if pack.proposes else "We say which it is."
        yield from _clause(f"{by} {pack.severity_set_by.means}", pack.severity_set_by.article)
    yield from _heading("What is measured, and the severity that it has")
    for condition, mapped in pack.conditions.items():
        yield from _condition(pack, condition.value, mapped)
    for condition in pack.on_call_alone:
        yield from _item(f"When {_CONDITIONS[condition.value]}: our own on-call alone.", "")
    yield from _tickets(pack)
    yield from _hotline(pack)
    yield from _hours(pack)
    yield from _heading("Clocks")
    for clock in pack.clocks:
        yield from _clock(pack, clock)
    if not pack.clocks:
        yield from _item("None.", SILENT)
    yield from _rest(pack)
    yield from _terms(pack)


def _sentence(words: str) -> str:
    """What somebody wrote, with an end, so that another sentence may follow."""
    return words if words.endswith((".", "!", "?", ":", ";")) else f"{words}."


def _heading(words: str) -> Iterator[str]:
    yield ""
    yield words.upper()


def _block(words: str, indent: str = "  ", first: str | None = None) -> Iterator[str]:
    yield from textwrap.wrap(
        words,
        WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _clause(words: str, article: str) -> Iterator[str]:
    yield from _block(f"{words} [{article}]" if article else words)


def _item(words: str, article: str, indent: str = "  ") -> Iterator[str]:
    yield from _block(f"{words} [{article}]" if article else words, indent + "  ", indent + "- ")


def _severity(severity: Severity) -> Iterator[str]:
    yield from _item(f"{severity.title} ({severity.name}): {severity.means}", severity.article)
    steps = ["page on-call at once"] if severity.page else []
    if severity.ticket:
        steps.append("open the ticket")
    if severity.hotline is not Hotline.NONE:
        called = "must" if severity.hotline is Hotline.MUST else "may"
        steps.append(f"{'then, once it is in, ' if severity.after_ticket else ''}the hotline {called} be called")
    else:
        steps.append("no hotline")
    yield from _block(f"The program does: {', '.join(steps)}.", "    ")


def _condition(pack: Pack, condition: str, mapped: Mapped) -> Iterator[str]:
    def title(name: str) -> str:
        severity = pack.severity(name)
        return severity.title if severity else name

    words = f"When {_CONDITIONS[condition]}: {title(mapped.severity)}"
    for scope, name in mapped.scopes.items():
        words += f"; of the {scope}: {title(name)}"
    if mapped.confirmed:
        words += f"; {title(mapped.confirmed)} once others confirm it (the vendor's status page)"
    if mapped.term:
        words += f"; the term {mapped.term} sets another one"
    severity = pack.severity(mapped.severity)
    yield from _item(f"{words}.", mapped.article or (severity.article if severity else ""))


def _tickets(pack: Pack) -> Iterator[str]:
    if pack.tickets is None:
        return
    yield from _heading("Tickets")
    for channel in pack.tickets.channels:
        use = {Use.MUST: "must", Use.MAY: "may", Use.NONE: "not"}[channel.use]
        yield from _item(f"{channel.kind} ({use}): {channel.means}", channel.article)
    if pack.tickets.carries:
        yield from _item(f"A ticket carries: {', '.join(pack.tickets.carries)}.", pack.tickets.carries_article)
    if pack.tickets.in_writing:
        yield from _item("What was said by telephone is put into the ticket.", pack.tickets.channels[0].article)


def _hotline(pack: Pack) -> Iterator[str]:
    yield from _heading("Hotline")
    desk = pack.hotline
    if desk is None:
        yield from _item("There is none.", SILENT)
        return
    yield from _item(f"{desk.title}, {desk.hours}.{_when(desk.when)}", desk.article)
    if desk.intake:
        yield from _item(f"It takes: {', '.join(desk.intake)}.", desk.intake_article)


def _when(when: Mapping[str, tuple[str, ...]]) -> str:
    return "".join(f" Only with the term {name}: {' or '.join(values)}." for name, values in when.items())


def _hours(pack: Pack) -> Iterator[str]:
    if not pack.calendars:
        return
    yield from _heading("Hours")
    for clause in pack.calendars:
        yield from _item(f"{clause.name}: {_sentence(clause.means)} {_written(clause)}", clause.article)


def _written(clause: HoursClause) -> str:
    if clause.outside:
        return f"All hours that are not in {clause.outside}."
    words = {"days": clause.days, "hours": clause.hours, "zone": clause.zone, "holidays": clause.holidays}
    said = [f"{key} {value.replace('term:', 'by the term ')}" for key, value in words.items()]
    return f"Reckoned with: {', '.join(said)}."


def _clock(pack: Pack, clock: Clock) -> Iterator[str]:
    who = "Our" if clock.of is Party.US else "The vendor's"
    yield from _item(f"{clock.title} ({clock.name}). {who} clock: {_within(pack, clock.within)}.", clock.article)
    calendar = "around the clock" if clock.calendar == "always" else f"in the hours {clock.calendar}"
    begins = " or ".join(_STARTS[m] for m in clock.starts)
    ends = " or ".join(_STOPS[m] for m in clock.stops or (Mark.CLOSED,))  # which stops every clock
    again = "begun anew by" if clock.every and clock.stops else "stopped by"
    words = f"It runs {calendar}, from when {begins}, {again} {ends}."
    if clock.severities:
        words += f" At {', '.join(clock.severities)} alone."
    if clock.pauses:
        words += " It stands still while the vendor waits for us."
    yield from _block(words + _when(clock.when), "    ")
    acts = []
    if clock.warn:
        acts.append(f"on-call is warned {', '.join(write_span(s) for s in clock.warn)} before")
    if clock.due:
        acts.append(f"when it is due: {', then '.join(_ACTIONS[a] for a in clock.due)}")
    if clock.again:
        most = f", {clock.at_most} times in all" if clock.at_most else ""
        acts.append(f"again every {write_span(clock.again)} while it is late{most}")
    if acts:
        yield from _block(f"The program does: {'; '.join(acts)}.", "    ")


def _within(pack: Pack, within: Within) -> str:
    if not within.by:
        return write_span(within.values[""])
    if not within.values:
        return f"as the term {within.by} says, and none while it is not filled in"
    spans = within.values.items()
    if within.by == "severity":
        named = ((s.title if (s := pack.severity(name)) else name, span) for name, span in spans)
        return ", ".join(f"{write_span(span)} at {title}" for title, span in named)
    return f"by the term {within.by}: " + ", ".join(f"{value} {write_span(span)}" for value, span in spans)


def _rest(pack: Pack) -> Iterator[str]:
    if pack.escalation:
        yield from _heading("Escalation")
        yield from _item(f"{pack.escalation.title}: {pack.escalation.means}", pack.escalation.article)
        yield from _block(f"Hours: {pack.escalation.calendar}.", "    ")
    yield from _heading("Who says that it is resolved")
    yield from _item(f"{_RESOLVED[pack.resolution.by]} {pack.resolution.means}", pack.resolution.article)
    for words, rules in (("To be kept", pack.keep), ("Never", pack.never)):
        if rules:
            yield from _heading(words)
            for rule in rules:
                yield from _item(rule.means, rule.article)
    if pack.limits:
        yield from _heading("The vendor's documented limits")
        for limit in pack.limits:
            yield from _item(_limit(limit), limit.source)


def _limit(limit: Limit) -> str:
    of = f"{limit.channel}, " if limit.channel else ""
    return f"{of}{_LIMITS[limit.kind].format(limit.value)}: {limit.means}"


def _terms(pack: Pack) -> Iterator[str]:
    yield from _heading("Terms, which the customer fills in")
    for term in pack.terms:
        yield from _item(f"{term.name}: {_sentence(term.means)}{_choices(term)}", term.article)
    if not pack.terms:
        yield from _item("None.", "")


def _choices(term: Term) -> str:
    words = f" One of {', '.join(term.choices)}." if term.choices else ""
    return words + (f" Default: {term.default}." if term.default else "")
