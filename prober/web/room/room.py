"""One incident as its room shows it, put together from one look into the store."""

import re
from dataclasses import dataclass, replace
from typing import Any

from prober import tickets
from prober.deliver import texts
from prober.deliver.build import wording_of
from prober.deliver.view import View, instant, line, span
from prober.deliver.wording import using
from prober.redact import Redactor
from prober.settings import Settings
from prober.store import ActStatus, IncidentHead, Reader, StoredAct, StoredRecord
from prober.web.room.calls import Calls, calls_of
from prober.web.room.clocks import ClockRun, runs_of
from prober.web.room.told import Told, told
from prober.web.room.trail import Line, line_of
from prober.web.room.why import Why, newest, reasons_why
from rules.acts import Act, ActKind
from rules.contracts.clauses import Use
from rules.contracts.model import INTERNAL
from rules.incident_events import RecordKind
from rules.incident_state import Incident, Mode, Plan, ServiceState

#: Lines of the trail shown, the newest.
MOST = 400


@dataclass(frozen=True, slots=True)
class Episode:
    """One spell; what is not known is ""."""

    number: int
    onset: str
    found: str
    recovered: str
    last_bad: str
    lasted: str


@dataclass(frozen=True, slots=True)
class Room:
    """What the template reads. `state` is the service's, where this incident is its open or newest closed one.

    `reopenable`: it is the newest that was closed, and no other one is open. `asks_until`: UTC seconds, 0: nothing is asked.
    `observed`: the service is only observed, so that nothing goes to the vendor by itself. `page_read`: the vendor's status
    page is configured, so that it is read while the incident is open. `removed`: the service is no longer configured, so that
    nobody can say whether what held still does.
    """

    head: IncidentHead
    title: str
    severity: str
    article: str
    agreement: str
    observed: bool
    ticket: str
    ticket_mail: str
    phase: str
    waiting: str
    acknowledged_by: str
    asks_until: int
    reopenable: bool
    removed: bool
    severities: tuple[tuple[str, str], ...]
    why: tuple[Why, ...]
    meaning: str
    meaning_article: str
    controls: str
    channels: str
    location: str
    episodes: tuple[Episode, ...]
    clocks: tuple[ClockRun, ...]
    told: tuple[Told, ...]
    script: str
    hotline: str
    no_hotline: str
    calls: Calls
    page_says: tuple[Line, ...]
    page_read: bool
    replies: tuple[Line, ...]
    trail: tuple[Line, ...]
    earlier: int

    @property
    def tel(self) -> str:
        """The hotline's number for a `tel:` link (RFC 3966); "" when it is none."""
        number = re.sub(r"[^0-9+]", "", self.hotline.partition("ext")[0])
        return number if re.fullmatch(r"\+?[0-9]{3,20}", number) else ""

    @property
    def now(self) -> str:
        """What holds now, in words; "" for nothing."""
        return "; ".join(why.title + (f" ({why.scope})" if why.scope else "") for why in self.why if why.holds)

    @property
    def open(self) -> bool:
        return self.phase != "closed"


def read(reader: Reader, incident: str, settings: Settings, redactor: Redactor, now: int) -> Room | None:
    """The room of an incident as of `now` (UTC seconds); None when there is none of that name. Raises StoreError."""
    head = reader.incident(incident)
    if head is None:
        return None
    records, acts = reader.records(head.id), reader.acts(head.id)
    state = _state(reader.state(head.service, "incident"))
    mine = state.incident if state is not None and state.incident is not None and state.incident.id == head.id else None
    act = newest(acts)
    view = View(act) if act is not None else None
    service = settings.services.get(head.service)
    since, until = head.onset, (head.closed or head.recovered or reader.closed(head.service) or head.raised) + 1
    lines = tuple(line_of(record) for record in records)
    kept = [(record, shown) for record, shown in zip(records, lines, strict=True)]
    plan = state.plan if state is not None else None
    severity = plan.pack.severity(head.severity) if plan is not None else None
    return Room(
        head=_harmless(head),
        title=line(service.title if service and service.title else head.service),
        severity="On-call alone" if head.severity == INTERNAL else line(severity.title if severity else head.severity),
        article=line(severity.article if severity else ""),
        agreement=line(plan.pack.title if plan is not None else ""),
        observed=plan is not None and plan.mode is Mode.OBSERVE and head.severity != INTERNAL and not head.closed,
        ticket=tickets.in_words(line(head.ticket)) or _without_number(head, acts),
        ticket_mail=line(head.ticket) if tickets.is_mail(head.ticket) else "",
        phase=_phase(head, mine),
        waiting=mine.waiting if mine is not None else "",
        acknowledged_by=line(mine.acknowledged_by) if mine is not None else "",
        asks_until=mine.ask.until // 10**9 if mine is not None and mine.ask is not None else 0,
        reopenable=_reopenable(state, head),
        removed=mine is not None and state is not None and not state.measured,
        severities=tuple((s.name, s.title) for s in plan.pack.severities) if plan is not None else (),
        why=reasons_why(act, state if mine is not None else None),
        meaning=view.meaning if view is not None else "",
        meaning_article=view.meaning_article if view is not None else "",
        controls=view.controls if view is not None else "",
        channels=" and ".join(view.channels) if view is not None else "",
        location=view.location if view is not None else "",
        episodes=_episodes(records),
        clocks=runs_of(records, plan, mine, now),
        told=told(acts, records),
        script=_script(acts, act, settings),
        hotline=_hotline(view, settings, head.service),
        no_hotline=_no_hotline(head, plan),
        calls=calls_of(reader, head.service, since, max(until, head.raised + 1), redactor),
        page_says=tuple(shown for record, shown in kept if record.kind == RecordKind.VENDOR_STATUS)[-10:],
        page_read=service is not None and service.status_page is not None,
        replies=tuple(shown for record, shown in kept if record.detail.get("via") == "reply")[-30:],
        trail=lines[-MOST:],
        earlier=max(0, len(lines) - MOST),
    )


def _state(text: str | None) -> ServiceState | None:
    """The state that the measuring process left; one that another version wrote is as none."""
    if text is None:
        return None
    try:
        return ServiceState.from_json(text)
    except ValueError:
        return None


def _phase(head: IncidentHead, mine: Incident | None) -> str:
    return mine.phase.value if mine is not None else "closed" if head.closed else head.phase


def _reopenable(state: ServiceState | None, head: IncidentHead) -> bool:
    return bool(state and state.incident is None and state.closed is not None and state.closed.id == head.id)


def _harmless(head: IncidentHead) -> IncidentHead:
    return replace(head, ticket=line(head.ticket), conditions=tuple(line(name) for name in head.conditions))


def _episodes(records: tuple[StoredRecord, ...]) -> tuple[Episode, ...]:
    found: list[Episode] = []
    for record in records:
        d: Any = record.detail
        if record.kind in (RecordKind.OPENED, RecordKind.EPISODE):
            number = d.get("episode") if isinstance(d.get("episode"), int) else 1
            found.append(Episode(number, instant(d.get("onset")), instant(d.get("second") or record.at), "", "", ""))
        elif record.kind == RecordKind.RECOVERED and found:
            recovered = instant(d.get("recovered") or record.at)
            last, lasted = instant(d.get("last_bad")), span(d.get("duration"))
            found[-1] = replace(found[-1], recovered=recovered, last_bad=last, lasted=lasted)
    return tuple(found)


def _hotline(view: View | None, settings: Settings, service: str) -> str:
    if view is not None and view.hotline:
        return view.hotline
    own = settings.services.get(service)
    return line(own.terms.get("hotline")) if own is not None else ""


def _no_hotline(head: IncidentHead, plan: Plan | None) -> str:
    """Why nobody calls the vendor's hotline for this incident; "" where one may."""
    if head.severity == INTERNAL:
        return "This concerns on-call alone: nothing of it is for the vendor’s hotline."
    if head.closed:
        return "The incident is closed: there is nothing to call for. If it is not resolved, reopen it first."
    if plan is not None and plan.pack.hotline is None:
        return "The agreement has no hotline."
    severity = plan.pack.severity(head.severity) if plan is not None else None
    if severity is not None and severity.hotline is Use.NONE:
        return "The agreement’s hotline is not for this severity."
    return ""


def _without_number(head: IncidentHead, acts: tuple[StoredAct, ...]) -> str:
    """What stands for the number of a ticket: that it has none, or why there is no ticket."""
    fates = [each.status for each in acts if each.act.kind is ActKind.TICKET]
    if ActStatus.ACCEPTED in fates:
        return "accepted, its number is not known"
    if head.severity == INTERNAL:
        return "none: this concerns on-call alone"
    if fates and fates[-1] is ActStatus.FAILED:
        return "none: every receiver refused it"
    return "none" if head.closed else "none yet"


def _script(acts: tuple[StoredAct, ...], act: Act | None, settings: Settings) -> str:
    """What to say to the hotline: as it was last made, else as it would be made of what is known."""
    call = next((each.act for each in reversed(acts) if each.act.kind is ActKind.HOTLINE), None)
    if call is None and act is not None and act.facts.get("severity") not in (None, "", INTERNAL):
        call = replace(act, kind=ActKind.HOTLINE, step="call")
    if call is None:
        return ""
    with using(wording_of(settings, str(call.facts.get("service")))):
        return texts.text(call)
