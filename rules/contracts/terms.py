"""What the customer fills in: whether it is right, and the agreement as it is with it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from rules.contracts.clauses import Clock, HoursClause, Mapped, Term, TermKind, Use, When, Within
from rules.contracts.reading import Faults, Section
from rules.contracts.spans import read_days, read_hours, read_span

if TYPE_CHECKING:
    from rules.contracts.model import Pack, Severity

_TERM = "term:"
#: What YAML makes of yes and no.
_WORDS = {True: "yes", False: "no"}


def check(pack: "Pack", given: Mapping[str, object]) -> tuple[str, ...]:
    """`Pack.check_terms`. Zones and holidays are looked up by `prober.calendars`, since the rules load nothing."""
    faults = Faults()
    section = Section(_in_words(pack, given), "terms", faults)
    for term in pack.terms:
        text = section.text(term.name, term.means, required=False)
        if text and (why := wrong(pack, term, text)):
            faults.add(f"terms.{term.name}", *why)
    section.done()
    return tuple(faults.found)


def _in_words(pack: "Pack", given: Mapping[str, object]) -> dict[str, object]:
    """YAML reads yes and no as true and false; where the choices are these words, they are meant."""
    choices = {term.name: term.choices for term in pack.terms}
    return {
        name: _WORDS[value] if isinstance(value, bool) and _WORDS[value] in choices.get(name, ()) else value
        for name, value in given.items()
    }


def wrong(pack: "Pack", term: Term, text: str) -> tuple[str, str] | None:
    """What is wrong with a term's value and what is right; None when all is well."""
    severities = tuple(s.name for s in pack.severities)
    choices = {TermKind.CHOICE: term.choices, TermKind.SEVERITY: severities}.get(term.kind)
    if choices is not None:
        return None if text in choices else (f"{text!r} is not a choice", f"one of {', '.join(choices)}")
    read = {TermKind.DURATION: read_span, TermKind.DAYS: read_days, TermKind.HOURS: read_hours}.get(term.kind)
    try:
        if read is not None:
            read(text)
    except ValueError as error:
        what, _, right = str(error).partition("; ")
        return what, right
    return None


def values(pack: "Pack", given: Mapping[str, object]) -> dict[str, str]:
    """Every term that is filled in, or has a default."""
    words = _in_words(pack, given)
    found = {}
    for term in pack.terms:
        value = words.get(term.name)
        text = " ".join(value.split()) if isinstance(value, str) else ""
        if text or term.default:
            found[term.name] = text or term.default
    return found


def settle(pack: "Pack", given: Mapping[str, object]) -> "Pack":
    """`Pack.settled`: terms that are wrong count as not filled in (a configuration with such does not load)."""
    filled = {
        term.name: text
        for term in pack.terms
        if (text := values(pack, given).get(term.name, "")) and wrong(pack, term, text) is None
    }
    hotline = pack.hotline if pack.hotline and _agreed(pack.hotline.when, filled) else None
    clocks = [settled for clock in pack.clocks if (settled := _clock(clock, filled)) is not None]
    return replace(
        pack,
        hotline=replace(hotline, when={}) if hotline else None,
        severities=pack.severities if hotline else tuple(map(_without_hotline, pack.severities)),
        conditions={condition: _mapped(mapped, filled) for condition, mapped in pack.conditions.items()},
        calendars=tuple(_hours(clause, filled) for clause in pack.calendars),
        clocks=tuple(c if hotline else _without_call(c) for c in clocks),
    )


def _agreed(when: When, filled: Mapping[str, str]) -> bool:
    return all(filled.get(name) in wanted for name, wanted in when.items())


def _without_hotline(severity: "Severity") -> "Severity":
    return replace(severity, hotline=Use.NONE, after_ticket=False)


def _without_call(clock: Clock) -> Clock:
    return replace(clock, due=tuple(action for action in clock.due if action != "hotline"))


def _clock(clock: Clock, filled: Mapping[str, str]) -> Clock | None:
    """None: there is no such clock with these terms."""
    if not _agreed(clock.when, filled):
        return None
    within = clock.within
    if within.by not in ("", "severity"):
        text = filled.get(within.by)
        if text is None:
            return None
        span = within.values.get(text) if within.values else read_span(text)
        if span is None:
            return None
        within = Within("", {"": span})
    return replace(clock, within=within, when={})


def _mapped(mapped: Mapped, filled: Mapping[str, str]) -> Mapped:
    """The customer's severity holds, whoever confirms it or not."""
    chosen = filled.get(mapped.term, "") if mapped.term else ""
    if not chosen:
        return replace(mapped, term="")
    return replace(mapped, term="", severity=chosen, confirmed="")


def _hours(clause: HoursClause, filled: Mapping[str, str]) -> HoursClause:
    """With the terms' values in their place; what is not filled in is as if nothing were written."""
    blank = HoursClause("", "", "")

    def value(key: str) -> str:
        text = str(getattr(clause, key))
        if not text.startswith(_TERM):
            return text
        return filled.get(text.removeprefix(_TERM).strip()) or str(getattr(blank, key))

    return replace(clause, **{key: value(key) for key in ("zone", "days", "hours", "holidays")})
