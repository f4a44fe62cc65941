"""What no single clause of a pack can show: clauses that contradict each other, names that name nothing.

What only follows from a value that could not be read is not said: its own fault is.
"""

from collections.abc import Iterable, Iterator

from rules.contracts.clauses import Action, Clock, HoursClause, Term, TermKind, When
from rules.contracts.model import INTERNAL, Hotline, Pack
from rules.contracts.parse_clauses import TERM
from rules.contracts.reading import Faults

#: The calendar that needs no clause.
ALWAYS = "always"


def check_whole(pack: Pack, faults: Faults) -> None:
    """Notes every contradiction, each with its path."""
    _conditions(pack, faults)
    _severities(pack, faults)
    _terms(pack, faults)
    _calendars(pack, faults)
    for clock in pack.clocks:
        _clock(pack, clock, faults)
    if pack.escalation:
        _calendar(pack, pack.escalation.calendar, "escalation.calendar", faults)
    if pack.hotline:
        _when(pack, pack.hotline.when, "hotline", faults)
    for place, limit in enumerate(pack.limits):
        if limit.channel not in ("", "api", "smtp"):
            faults.add(f"limits[{place}].channel", f"{limit.channel!r} is no channel", "write api or smtp")


def _conditions(pack: Pack, faults: Faults) -> None:
    for condition, mapped in pack.conditions.items():
        path = f"conditions.{condition}"
        for name in (mapped.severity, mapped.confirmed, *mapped.scopes.values()):
            if name:
                _severity(pack, name, path, faults)
        if condition in pack.on_call_alone:
            faults.add(path, "is in on_call_alone too", "leave it in one of the two")
        if mapped.term:
            _term(pack, mapped.term, TermKind.SEVERITY, f"{path}.term", faults)


def _severity(pack: Pack, name: str, path: str, faults: Faults) -> None:
    if pack.severity(name) is None and not faults.told("severities"):
        known = ", ".join(s.name for s in pack.severities) or "those that you list in severities"
        faults.add(path, f"{name!r} is not a severity of this pack", f"one of {known}")


def _severities(pack: Pack, faults: Faults) -> None:
    if pack.severity(INTERNAL):
        faults.add(f"severities.{INTERNAL}", "is the name for what concerns on-call alone", "name it otherwise")
    for severity in pack.severities:
        path = f"severities.{severity.name}"
        if severity.after_ticket and severity.hotline is Hotline.NONE and not faults.told(f"{path}.hotline"):
            faults.add(f"{path}.after_ticket", "speaks of a hotline, and hotline is none", "leave it out")
        if severity.after_ticket and not severity.ticket and not faults.told(f"{path}.ticket"):
            faults.add(f"{path}.after_ticket", "waits for a ticket, and ticket is false", "write ticket: true")
        if severity.hotline is not Hotline.NONE and pack.hotline is None:
            faults.add(f"{path}.hotline", "there is no section hotline that describes it", "add the section hotline")


def _terms(pack: Pack, faults: Faults) -> None:
    from rules.contracts.terms import wrong

    for term in pack.terms:
        path = f"terms.{term.name}"
        if (term.kind is TermKind.CHOICE) != bool(term.choices):
            faults.add(path, "kind: choice and choices belong together", "write both, or neither")
        elif term.default and (why := wrong(pack, term, term.default)):
            faults.add(f"{path}.default", *why)


def _term(pack: Pack, name: str, kind: TermKind | None, path: str, faults: Faults) -> Term | None:
    term = next((t for t in pack.terms if t.name == name), None)
    if term is None:
        known = ", ".join(t.name for t in pack.terms) or "those that you list in terms"
        faults.add(path, f"{name!r} is not a term of this pack", f"one of {known}")
    elif kind is not None and term.kind is not kind:
        faults.add(path, f"the term {name} is of kind {term.kind}", f"write kind: {kind} at the term")
    return term


def _when(pack: Pack, when: When, path: str, faults: Faults) -> None:
    for name, values in when.items():
        term = _term(pack, name, TermKind.CHOICE, f"{path}.when.{name}", faults)
        _among(values, term.choices if term else (), f"{path}.when.{name}", faults)


def _among(values: Iterable[str], choices: tuple[str, ...], path: str, faults: Faults) -> None:
    for value in values:
        if choices and value not in choices:
            faults.add(path, f"{value!r} is not among the term's choices", f"one of {', '.join(choices)}")


def _calendars(pack: Pack, faults: Faults) -> None:
    names = {c.name: c for c in pack.calendars}
    for clause in pack.calendars:
        path = f"calendars.{clause.name}"
        if clause.name == ALWAYS:
            faults.add(path, "is the name of the calendar that is always open", "name it otherwise")
        if clause.outside and (clause.outside not in names or names[clause.outside].outside):
            faults.add(
                f"{path}.outside", f"{clause.outside!r} is no calendar with hours of its own", "name one that has"
            )
        for key, kind, value in _parts(clause):
            if value.startswith(TERM):
                _term(pack, value.removeprefix(TERM).strip(), kind, f"{path}.{key}", faults)


def _parts(clause: HoursClause) -> Iterator[tuple[str, TermKind, str]]:
    yield "zone", TermKind.ZONE, clause.zone
    yield "days", TermKind.DAYS, clause.days
    yield "hours", TermKind.HOURS, clause.hours
    yield "holidays", TermKind.HOLIDAYS, clause.holidays


def _calendar(pack: Pack, name: str, path: str, faults: Faults) -> None:
    known = [ALWAYS, *(c.name for c in pack.calendars)]
    if name not in known:
        faults.add(path, f"{name!r} is not a calendar of this pack", f"one of {', '.join(known)}")


def _clock(pack: Pack, clock: Clock, faults: Faults) -> None:
    path = f"clocks.{clock.name}"
    _calendar(pack, clock.calendar, f"{path}.calendar", faults)
    _when(pack, clock.when, path, faults)
    if not clock.starts and not faults.told(f"{path}.starts"):
        faults.add(f"{path}.starts", "is empty, so that the clock never runs", "list what starts it")
    by = clock.within.by
    if by == "severity":
        for name in clock.within.values:
            _severity(pack, name, f"{path}.within.severity", faults)
    elif by:
        kind = TermKind.CHOICE if clock.within.values else TermKind.DURATION
        term = _term(pack, by, kind, f"{path}.within", faults)
        _among(clock.within.values, term.choices if term else (), f"{path}.within.{by}", faults)
    for name in clock.severities:
        _severity(pack, name, f"{path}.severities", faults)
    if Action.HOTLINE in clock.due and pack.hotline is None:
        faults.add(f"{path}.due", "calls a hotline, and there is no section hotline", "leave hotline out")
    if Action.ESCALATE in clock.due and pack.escalation is None:
        faults.add(f"{path}.due", "escalates, and there is no section escalation", "leave escalate out")
