"""An act's facts as its texts show them: every value cleaned, times written out, whatever is missing left empty.

The facts come from the rules and from the measuring process over a link and a store, so their shapes are read with
care: a text must never fail because a fact is missing or odd, since a poor ticket is better than none.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from prober import tickets
from prober.deliver import limb, matters
from prober.deliver.harmless import harmless
from prober.deliver.wording import later, said
from rules import reasons
from rules.acts import Act
from rules.contracts.model import INTERNAL, SILENT
from rules.incident_state import MAILBOX

#: Who acknowledged at a pager that does not say who.
SOMEBODY = "somebody"
#: Samples of failed calls shown, and characters of a request or response shown of each.
SAMPLES = 5
TRANSCRIPT = 4_000
#: Endpoints, reasons and the like shown at most.
MANY = 20
_FRESH = 60  # seconds for which figures are of now
_LINE = 500  # characters of a value that stands in a line

_FAULTS = {
    "none": later("success"),
    "server_timeout": later("time-out on the server's side"),
    "server_error": later("internal service error"),
    "other": later("failed for another reason"),
    "own": later("failed on our own side"),
}
_NO_NUMBER = later("sent by e-mail, no number from the vendor yet")
_CHANNELS = {"api": later("API calls"), "smtp": later("SMTP injections")}


@dataclass(frozen=True, slots=True)
class Sample:
    """One failed call, as it is shown."""

    at: str
    where: str
    fault: str
    reason: str
    means: str
    peer: str
    phases: str
    ended: str
    request: str
    response: str
    dialogue: str


class View:
    """What the templates read. Every attribute is text, or a list of texts; "" and [] stand for what is not known."""

    def __init__(self, act: Act) -> None:
        facts = act.facts
        self.incident = line(act.incident)
        self.episode = act.episode
        self.kind = act.kind.value
        self.step = line(act.step)
        self.created = instant(act.created)
        self.for_us = self.kind in ("page", "page_resolve")  # our own people read it
        self.exercise = facts.get("exercise") is True  # `prober drill`: no incident is behind it
        self.service = line(facts.get("service"))
        self.title = line(facts.get("title")) or self.service or said("the service")
        proposed = said(" (proposed)") if facts.get("proposed") is True else ""  # the vendor sets it
        self.severity = (line(facts.get("severity_title")) or line(facts.get("severity"))) + proposed
        self.article = line(facts.get("article"))
        self._read_condition(facts)
        self.onset = instant(facts.get("onset"))
        self.raised = instant(facts.get("raised"))
        #: Written so long after it was found that the figures, which are of then, must say so.
        self.later = act.created - found > _FRESH if isinstance(found := facts.get("raised"), int) else False
        self.recovered = instant(facts.get("recovered"))
        self.last_bad = instant(facts.get("last_bad"))
        self.duration = span(facts.get("duration"))
        self.measured = number(facts.get("measured"))
        self.bad = number(facts.get("bad"))
        self.reasons = _reasons(facts.get("reasons"))
        self._read_ticket(facts)
        self.ticket_pending = facts.get("ticket_pending") is True
        self.observe = facts.get("observe") is True
        self.follows = [line(x) for x in _list(facts.get("follows"))[:MANY]]
        self.would = [line(x) for x in _list(facts.get("would"))[:MANY]]
        self.ticket_status = line(facts.get("ticket_status"))
        self.maybe_twice = facts.get("maybe_twice") is True  # another receiver may have taken it: its answer was lost
        self.note_pending = facts.get("note_pending") is True
        meaning = _mapping(facts.get("unavailability"))
        self.meaning = line(meaning.get("meaning"))
        article = line(meaning.get("article"))
        self.meaning_article = "" if article == SILENT else article  # nothing can be cited, and the meaning says so
        self.agreement = line(facts.get("agreement"))
        self.note = harmless(text, limit=TRANSCRIPT) if isinstance(text := facts.get("text"), str) else ""
        self.clock = _clock(_mapping(facts.get("clock")))
        self.vendors_matter = bool(facts.get("severity")) and facts.get("severity") != INTERNAL
        self._read_room(facts)
        self.location = line(facts.get("location"))
        self._read_parties(facts)
        endpoints = _list(facts.get("endpoints"))
        self.endpoints = [_endpoint(_mapping(e)) for e in endpoints[:MANY]]
        if len(endpoints) > MANY:
            self.endpoints.append(said("and %(count)s more", count=len(endpoints) - MANY))
        self.samples = [_sample(_mapping(s)) for s in _list(facts.get("samples"))[:SAMPLES]]
        self.channels = _channels(facts)
        self.controls = _controls(_mapping(facts.get("controls")))
        self.status_page = _status_page(_mapping(facts.get("vendor_status")))
        self.rule = _rule(_mapping(facts.get("rule")), facts)

    def _read_condition(self, facts: Mapping[str, Any]) -> None:
        """What is wrong, in words, and for our own people whose fault it is and what to do about the most frequent reason."""
        self.condition = line(facts.get("condition"))
        self.scope = line(facts.get("scope"))
        self.condition_words = matters.words_of(self.condition, self.scope)
        self.whose = matters.whose(self.condition) if self.for_us else ""
        self.advice = matters.advice(_counted(facts.get("reasons"))) if self.for_us else ""
        self.bad_words = matters.bad_of(self.condition)
        if self.scope.startswith(MAILBOX):
            box = self.scope.removeprefix(MAILBOX)
            self.whose = ""
            self.condition_words = said(
                "the mailbox %(box)s is out of reach, so that nobody reads what vendors answer", box=box
            )
        self.one_limb = limb.alone(facts)
        if self.one_limb:
            self.condition_words, self.whose = said(limb.WORDS), said(limb.WHOSE) if self.for_us else ""

    def _read_ticket(self, facts: Mapping[str, Any]) -> None:
        """The vendor's number of the ticket; while a mail of ours alone is known, words and the mail's Message-ID."""
        known = line(facts.get("ticket"))
        mailed = tickets.is_mail(known)
        words = later("sent by e-mail, no number from you yet") if not self.for_us else _NO_NUMBER
        self.ticket_number, self.ticket_mail = ("", known) if mailed else (known, "")
        self.ticket = said(words) if mailed else known

    def _read_room(self, facts: Mapping[str, Any]) -> None:
        """Where our own people go on: the incident room, links that enter a step, what the reasons mean."""
        room = _mapping(facts.get("room")) if self.for_us else {}  # the incident room is no place of the vendor's
        self.room = harmless(str(room.get("url") or ""))
        links = [_mapping(link) for link in _list(room.get("links"))[:MANY]]
        self.room_links = [(line(link.get("title")), harmless(str(link.get("url") or ""))) for link in links]
        self.links_until = instant(room.get("until"))
        #: Where our own pages explain the most frequent reason, and all others.
        self.reasons_at = _reasons_at(harmless(str(room.get("reasons") or "")), facts.get("reasons"))

    def _read_parties(self, facts: Mapping[str, Any]) -> None:
        """Whom the vendor deals with, and the terms that the customer filled in."""
        customer = _mapping(facts.get("customer"))
        contact = _mapping(customer.get("contact"))
        self.company = line(customer.get("company"))
        self.contact = _person(line(facts.get("acknowledged_by"))) or line(contact.get("name"))
        self.escalates_to = line(facts.get("to"))
        self.phone = line(contact.get("phone"))
        self.email = line(contact.get("email"))
        terms = _mapping(facts.get("terms"))
        self.hotline = line(terms.get("hotline"))
        self.persistence_source = line(terms.get("persistence_source"))


def _person(by: str) -> str:
    """Who acknowledged, if that is somebody to ask for: a link without a name, a key of a telephone and a pager that does not
    say who leave a receiver's name, a number, or `somebody`."""
    nameless = by.startswith("on_call.") or by == SOMEBODY or re.fullmatch(r"\+?[0-9 ()/.-]+", by)
    return "" if nameless else by


def line(value: Any) -> str:
    """A value in one line of harmless text."""
    if value is None or isinstance(value, bool | Mapping | list | tuple):
        return ""
    return harmless(str(value), limit=_LINE).strip()


def _said_of(table: Mapping[str, str], name: str) -> str:
    return said(table[name]) if name in table else name


def number(value: Any) -> str:
    """A figure of an act's facts as text; "" for what is no number."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def instant(value: Any) -> str:
    """An exact UTC time from UTC seconds, UTC nanoseconds or a text; fractions are shown to the millisecond."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return line(value)
    try:
        if isinstance(value, float) and 0 < value < 10**11:
            value = round(value * 1000) * 10**6
        if abs(value) >= 10**14:
            at = datetime.fromtimestamp(int(value) // 10**9, UTC)
            return f"{at:%Y-%m-%d %H:%M:%S}.{int(value) // 10**6 % 1000:03d} UTC"
        return f"{datetime.fromtimestamp(int(value), UTC):%Y-%m-%d %H:%M:%S} UTC" if value else ""
    except (OverflowError, ValueError, OSError):
        return line(value)


def span(seconds: Any) -> str:
    """A duration in seconds, in words: "1 h 2 min 5 s"."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 10**10:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{n} {unit}" for n, unit in ((hours, "h"), (minutes, "min"), (rest, "s")) if n]
    return " ".join(parts) or "0 s"


def _reasons(value: Any) -> list[str]:
    """Counts by reason, the most frequent first, each with what it means: a mapping or [reason, count] pairs."""
    return [f"{n} x {name}" + (f": {means}" if (means := _means(name)) else "") for name, n in _counted(value)[:MANY]]


def _counted(value: Any) -> list[tuple[str, int]]:
    pairs = list(value.items()) if isinstance(value, Mapping) else [tuple(p) for p in _list(value) if _is_pair(p)]
    counted = [(line(name), n) for name, n in pairs if isinstance(n, int) and not isinstance(n, bool)]
    return sorted(counted, key=lambda pair: (-pair[1], pair[0]))


def _reasons_at(page: str, counts: Any) -> str:
    known = [name for name, _ in _counted(counts) if name in reasons.REASONS]
    return f"{page}#{known[0]}" if page and known else ""


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2


def _means(name: str) -> str:
    reason = reasons.REASONS.get(name)
    return reason.means if reason is not None else ""


def _endpoint(facts: Mapping[str, Any]) -> str:
    channel, name, what = line(facts.get("channel")), line(facts.get("name")), line(facts.get("what"))
    where = "/".join(x for x in (channel, name) if x)
    return f"{where}: {what}" if where and what else where or what


def _sample(facts: Mapping[str, Any]) -> Sample:
    phases = facts.get("phases")
    pairs = phases.items() if isinstance(phases, Mapping) else ()
    fault = line(facts.get("fault"))
    reason = line(facts.get("reason"))
    return Sample(
        at=instant(facts.get("at")),
        where="/".join(x for x in (line(facts.get("channel")), line(facts.get("endpoint"))) if x),
        fault=_said_of(_FAULTS, fault),
        reason=reason,
        means=line(facts.get("means")) or _means(reason),
        peer=line(facts.get("peer")),
        phases=", ".join(f"{line(name)} {_milliseconds(n)}" for name, n in pairs) or line(phases),
        ended=_ended(line(facts.get("stage")), facts.get("seconds")),
        request=_block(facts.get("request")),
        response=_block(facts.get("response")),
        dialogue=_block(facts.get("transcript")),
    )


def _milliseconds(seconds: Any) -> str:
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return f"{seconds * 1000:.1f} ms" if number else line(seconds)


def _ended(stage: str, seconds: Any) -> str:
    after = said("after %(time)s", time=_milliseconds(seconds)) if number(seconds) else ""
    if stage == "done":
        return ", ".join(x for x in (said("with a whole answer"), after) if x)
    return ", ".join(x for x in (said("at the stage %(stage)s", stage=stage) if stage else "", after) if x)


def _block(value: Any) -> str:
    return harmless(value, lines=True, limit=TRANSCRIPT).strip("\n") if isinstance(value, str) else ""


def _channels(facts: Mapping[str, Any]) -> list[str]:
    """The channels concerned, in words: those with unavailable seconds, as far as the facts say, else the samples'."""
    windows = _mapping(_mapping(facts.get("rule")).get("channels"))
    named: list[Any] = [name for name, window in windows.items() if _mapping(window).get("bad")]
    named = named or [_mapping(s).get("channel") for s in _list(facts.get("samples"))]
    scope = facts.get("scope")
    if isinstance(scope, str) and scope.partition("/")[0] in _CHANNELS:
        named = [scope.partition("/")[0]]
    return [said(words) for name, words in _CHANNELS.items() if name in named]


def _clock(facts: Mapping[str, Any]) -> str:
    """A clock of the agreement in words: "Call back: was due at ..."."""
    title, due = line(facts.get("title")), instant(facts.get("due"))
    if not (title and due):
        return ""
    words = later("%(title)s: was due at %(due)s") if facts.get("times") else later("%(title)s: is due at %(due)s")
    return said(words, title=title, due=due)


def _status_page(facts: Mapping[str, Any]) -> str:
    """What the vendor's own status page said, and when it was read; "" when it was not."""
    read = instant(facts.get("at"))
    if not read:
        return ""
    named = [(line(_mapping(e).get("title")), line(_mapping(e).get("status"))) for e in _list(facts.get("entries"))]
    entries = [f"{title} ({status})" if status else title for title, status in named if title][:3]
    words = ": ".join(x for x in (line(facts.get("indicator")), line(facts.get("description"))) if x)
    return said(
        "%(words)s (read %(at)s)",
        words="; ".join(x for x in (words or said("nothing"), ", ".join(entries)) if x),
        at=read,
    )


def _controls(facts: Mapping[str, Any]) -> str:
    """The reference endpoints, and whether they answered as the act was made: `ok` is yes or no, or names those."""
    configured = ", ".join(line(x) for x in _list(facts.get("configured"))[:MANY])
    ok = facts.get("ok")
    if not configured:
        return ""
    if isinstance(ok, list):
        names = ", ".join(line(x) for x in ok[:MANY]) or said("none")
        return said("%(configured)s; answering: %(names)s", configured=configured, names=names)
    if not isinstance(ok, bool):
        return configured
    words = later("%(configured)s; answering") if ok else later("%(configured)s; not answering")
    return said(words, configured=configured)


def _rule(rule: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, str]:
    """The numbers by which it was judged, from the rule or from the facts beside it."""
    share = rule.get("share", facts.get("share"))
    if isinstance(share, int | float) and not isinstance(share, bool) and 0 < share <= 1:
        share = f"{share * 100:.10g} %"
    return {
        "for": _seconds(rule.get("for", facts.get("for"))),
        "share": line(share),
        "at_least": line(rule.get("at_least", facts.get("at_least"))),
        "every": _seconds(rule.get("every")),
        "over": _seconds(rule.get("over")),
        "within": span(rule.get("within")),
        "seconds": line(rule.get("seconds")),
        "version": line(rule.get("version") or facts.get("rules") or facts.get("version")),
    }


def _seconds(value: Any) -> str:
    return f"{value:g} s" if number(value) else line(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
