"""The trail's lines in words: each record of the incident as what happened, who did it, and what was said."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from prober.deliver.harmless import harmless
from prober.deliver.view import instant, line, span
from prober.store import StoredRecord
from rules.incident_events import EntryKind, RecordKind

#: Characters of what somebody wrote.
TEXT = 4_000

STEPS: Mapping[str, str] = {
    EntryKind.INTAKE: "The hotline has taken the vital information",
    EntryKind.FIRST_RESPONSE: "The vendor's first response",
    EntryKind.CALL_BACK: "The vendor has called back",
    EntryKind.UPDATE: "An update of the vendor's",
    EntryKind.WORKAROUND: "A work-around was given",
    EntryKind.WAITING_FOR_US: "The vendor waits for us",
    EntryKind.WAITING_FOR_THEM: "We have answered: the vendor's turn",
    EntryKind.CLOSED_BY_VENDOR: "The vendor has closed the ticket",
    EntryKind.RESOLVE: "Agreed to be resolved",
    EntryKind.REOPEN: "Reopened",
}
_VIA = {
    "cli": "command line",
    "api": "HTTP API",
    "web": "this page",
    "link": "signed link",
    "reply": "mail",
    "receiver": "receiver",
    "status_page": "status page",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the trail. `at`: UTC seconds. `mark` is a class of the style sheet: ours, theirs, bad, good, or ""."""

    at: int
    what: str
    by: str = ""
    text: str = ""
    via: str = ""
    mark: str = ""
    when: int = 0  # when it happened, where that was before it was entered


def line_of(record: StoredRecord) -> Line:
    """A kind that another version of the program wrote is shown with its small facts."""
    detail = record.detail
    words = _WORDS.get(record.kind)
    what = words(detail) if words is not None else _plain(record)
    when = detail.get("when")
    return Line(
        at=record.at,
        what=what,
        by=line(detail.get("by")),
        text=said(detail.get("text")),
        via=_VIA.get(str(detail.get("via") or ""), line(detail.get("via"))),
        mark=_MARKS.get(record.kind, ""),
        when=when if isinstance(when, int) and not isinstance(when, bool) and 0 < when <= record.at else 0,
    )


def said(value: Any) -> str:
    """What somebody wrote, its lines kept."""
    return harmless(value, lines=True, limit=TEXT).strip() if isinstance(value, str) else ""


Words = Callable[[Mapping[str, Any]], str]


def _plain(record: StoredRecord) -> str:
    hidden = ("by", "text", "at", "via", "when")
    facts = [f"{line(n)}: {words}" for n, v in record.detail.items() if n not in hidden and (words := line(v))]
    kind = line(record.kind).replace("_", " ").capitalize()
    return f"{kind} ({', '.join(facts[:8])})" if facts else kind


def _saying(text: str) -> Words:
    return lambda _: text


def _with(text: str, *keys: str) -> Words:
    """`text` and the facts under `keys`, in brackets."""

    def words(d: Mapping[str, Any]) -> str:
        found = [w for key in keys if (w := _list(d.get(key)))]
        return f"{text}: {', '.join(found)}" if found else text

    return words


def _list(value: Any) -> str:
    return ", ".join(line(v) for v in value[:20]) if isinstance(value, list) else line(value)


def _scoped(d: Mapping[str, Any]) -> str:
    return f"{line(d.get('condition'))}{' of ' + scope if (scope := line(d.get('scope'))) else ''}"


def _raised(d: Mapping[str, Any]) -> str:
    counts = f", {d['bad']} of {d['measured']} measured seconds" if d.get("bad") and d.get("measured") else ""
    return f"Found: {_scoped(d)} since {instant(d.get('onset'))}{counts}"


def _episode(d: Mapping[str, Any]) -> str:
    return f"Episode {line(d.get('episode'))} begins: {line(d.get('condition'))} since {instant(d.get('onset'))}"


def _severity(d: Mapping[str, Any]) -> str:
    return f"Severity {line(d.get('before'))} becomes {line(d.get('now'))}"


def _recovered(d: Mapping[str, Any]) -> str:
    lasted = f" after {words}" if (words := span(d.get("duration"))) else ""
    last = f"; the last unavailable second was {words}" if (words := instant(d.get("last_bad"))) else ""
    return f"Recovered{lasted}{last}"


def _act(d: Mapping[str, Any]) -> str:
    return f"To be done: {act_words(line(d.get('kind')))} ({line(d.get('step'))}) to {_list(d.get('receivers')) or 'nobody'}"


def _result(d: Mapping[str, Any]) -> str:
    kind = act_words(_kind_of(d))
    detail = f": {words}" if (words := line(d.get("detail"))) else ""
    final = ", for good" if d.get("final") and d.get("outcome") != "accepted" else ""
    outcome = OUTCOMES.get(line(d.get("outcome")), line(d.get("outcome")))
    return f"{kind.capitalize()} to {line(d.get('receiver'))} {outcome}{final}{detail}"


def _started(d: Mapping[str, Any]) -> str:
    return f"First attempt at the {act_words(_kind_of(d))} to {line(d.get('receiver'))}"


def _kind_of(d: Mapping[str, Any]) -> str:
    parts = line(d.get("act")).split("/", 4)
    return parts[2] if len(parts) == 5 else "act"


def _asked(d: Mapping[str, Any]) -> str:
    what = " and ".join(w for w, on in (("the ticket", d.get("ticket")), ("the hotline", d.get("hotline"))) if on)
    return f"On-call is asked for consent to {what}; without an answer it goes ahead at {instant(d.get('until'))}"


def _refused(d: Mapping[str, Any]) -> str:
    entry = line(d.get("entry"))
    return f"Not taken{f' ({entry})' if entry else ''}: {line(d.get('why'))}"


def _clock(text: str) -> Words:
    def words(d: Mapping[str, Any]) -> str:
        late = f", {span(d.get('late'))} late" if d.get("late") else ""
        why = f" ({words})" if (words := line(d.get("why"))) else ""
        article = f" [{words}]" if (words := line(d.get("article"))) else ""
        return f"Clock {line(d.get('clock'))} {text}{late}, due {instant(d.get('due'))}{why}{article}"

    return words


def _stepped(d: Mapping[str, Any]) -> str:
    delta = d.get("delta")
    return f"This machine's clock was set by {delta / 1e9:+.3f} s" if isinstance(delta, int) else "The clock was set"


def _status(d: Mapping[str, Any]) -> str:
    words = ": ".join(w for w in (line(d.get("indicator")), line(d.get("description"))) if w)
    return f"The vendor's status page says: {words or 'nothing'}"


def _maintenance(d: Mapping[str, Any]) -> str:
    return f"Maintenance {'begins' if d.get('begins') else 'ends'}: {line(d.get('title'))}"


_ACTS = {
    "page": "page",
    "page_resolve": "page's resolve",
    "ticket": "ticket",
    "note": "note in the ticket",
    "hotline": "call to the hotline",
    "escalation": "escalation",
    "status": "word on the status pages",
}
OUTCOMES = {
    "accepted": "was accepted",
    "transient": "was not taken; it is tried again",
    "permanent": "was refused",
    "unknown": "may have been taken: the answer was lost",
}


def act_words(kind: str) -> str:
    """What an act of this kind does, for people."""
    return _ACTS.get(kind, kind)


_HOW: Mapping[str, str] = {
    "resolve": "customer and vendor agree that it is resolved",
    "closed_by_vendor": "the vendor has closed the ticket",
    "by_itself": "it is over, and concerned on-call alone",
}


def _closed(d: Mapping[str, Any]) -> str:
    how = line(d.get("how"))
    return f"Closed: {_HOW.get(how, how)}" if how else "Closed"


K = RecordKind
_WORDS: Mapping[str, Words] = {
    K.OPENED: lambda d: (
        f"Incident opened: {line(d.get('severity'))}, {line(d.get('condition'))} since {instant(d.get('onset'))}"
    ),
    K.RAISED: _raised,
    K.CLEARED: lambda d: f"No longer: {_scoped(d)}",
    K.IGNORED: lambda d: f"Nothing new: {_scoped(d)} {line(d.get('why'))}",
    K.EPISODE: _episode,
    K.SEVERITY: _severity,
    K.RECOVERED: _recovered,
    K.CLOSED: _closed,
    K.ACT: _act,
    K.STARTED: _started,
    K.RESULT: _result,
    K.WITHDRAWN: lambda d: f"No longer wanted: {act_words(_kind_of(d))} ({line(d.get('why'))})",
    K.TICKET_FAILED: _with("The ticket was refused by every receiver", "detail"),
    K.NO_TICKET: _with("No ticket", "why"),
    K.NOTE_HELD: _with("A note waits for the ticket", "step"),
    K.NOTE_NOT_SENT: _with("A note was not sent", "step", "why"),
    K.HOTLINE_NOT_CALLED: _with("The hotline was not called", "why"),
    K.WOULD_OPEN_TICKET: _with("Observing: the ticket would go to", "receivers"),
    K.WOULD_ADD_NOTE: _with("Observing: a note would go out", "step"),
    K.WOULD_CALL_HOTLINE: _with("Observing: the hotline would be called by", "receivers"),
    K.ACK: _saying("Acknowledged"),
    K.NOTE: _saying("Note"),
    K.ADOPTED: _with("Ticket adopted", "ticket"),
    K.REFUSED: _refused,
    K.PLAN: _with("The configuration changed", "changed"),
    K.REMOVED: _saying("The service was taken out of the configuration: nobody measures it"),
    K.PUT_BACK: _saying("The service is configured again, and measured"),
    K.CLOCK: _stepped,
    K.REOPENED: _saying("Reopened: what was closed is not resolved"),
    K.LIFE: lambda d: STEPS.get(line(d.get("step")), line(d.get("step")) or "A step in the ticket's life"),
    K.CONFIRMED: _saying("Somebody else sees it too"),
    K.ASKED: _asked,
    K.CONSENTED: _saying("Consented: ticket and hotline may go out"),
    K.DECLINED: _saying("Declined: nothing goes to the vendor in this episode"),
    K.WENT_AHEAD: lambda d: f"Nobody answered within {span(d.get('after'))}: it went ahead",
    K.ASK_ENDED: _with("Consent is no longer asked for", "why"),
    K.CLOCK_STARTED: _clock("starts"),
    K.CLOCK_PAUSED: _clock("stands still"),
    K.CLOCK_RESUMED: _clock("goes on"),
    K.CLOCK_CHANGED: _clock("is reckoned anew"),
    K.CLOCK_WARNED: _clock("will be due soon: on-call was warned"),
    K.CLOCK_DUE: _clock("is due"),
    K.CLOCK_MET: _clock("is met"),
    K.CLOCK_STOPPED: _clock("is stopped"),
    K.WILL_ESCALATE: lambda d: f"Will escalate to {line(d.get('to'))} at {instant(d.get('at'))}",
    K.NOT_ESCALATED: _with("Not escalated", "clock", "why"),
    K.MAINTENANCE: _maintenance,
    K.NOT_PAGED: _with("Nobody was paged", "step", "why"),
    K.TOLD: _with("On-call was told", "value"),
    K.VENDOR_STATUS: _status,
    "published": _saying("Said on the public status pages"),
    "would_publish": _with("Observing: status pages would be told", "step", "receivers"),
}
_MARKS: Mapping[str, str] = {
    K.OPENED: "bad",
    K.EPISODE: "bad",
    K.TICKET_FAILED: "bad",
    K.CLOCK_DUE: "bad",
    K.REFUSED: "bad",
    K.RECOVERED: "good",
    K.CLOSED: "good",
    K.CLOCK_MET: "good",
    K.LIFE: "theirs",
    K.VENDOR_STATUS: "theirs",
    K.ACK: "ours",
    K.NOTE: "ours",
    K.ADOPTED: "ours",
    K.CONSENTED: "ours",
    K.DECLINED: "ours",
    K.REOPENED: "ours",
}
