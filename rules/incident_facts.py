"""What the text of a ticket, a note, a call or a page is made of, as far as the rules know it.

JSON values, nothing rendered; frozen into the act when it is made, so that a repeat says the same. Instants are UTC seconds.
"""

from typing import Any

from rules import VERSION
from rules.acts import ActKind
from rules.contracts.model import INTERNAL, Hotline, Severity
from rules.incident_events import ConditionCleared, ConditionRaised
from rules.incident_names import stamp
from rules.incident_state import MAILBOX, Incident, Mode, Plan, Status, Ticket

#: So many earlier notes are named, the newest ones.
MOST_NOTES = 10


def facts_of(plan: Plan, incident: Incident, cause: ConditionRaised, severity_name: str) -> dict[str, Any]:
    """What every act says: what holds, since when, by which figures, how severe, and how the ticket stands.

    `ticket` is the vendor's number, or what the receiver called the ticket; `ticket_status` none, pending, accepted or
    failed; `thread` the id of the act that opened it; `earlier` the ids of the notes that followed.
    """
    severity = plan.pack.severity(severity_name)
    ticket = incident.ticket
    facts: dict[str, Any] = {
        "service": plan.service,
        "title": plan.title,
        "vendor": plan.pack.vendor,
        "agreement": plan.pack.title,
        "mode": plan.mode.value,
        "condition": cause.condition.value,
        "scope": cause.scope,
        "onset": cause.onset,
        "raised": cause.second,
        "measured": cause.measured,
        "bad": cause.bad,
        "reasons": dict(cause.reasons),
        "opened": incident.opened,
        "episode": incident.episode,
        "severity": severity_name,
        "severity_title": severity.title if severity else "On-call alone" if severity_name == INTERNAL else "",
        "article": severity.article if severity else "",
        "proposed": bool(severity and plan.pack.proposes and not incident.severity_by),
        "acknowledged_by": incident.acknowledged_by,
        **ticket_facts(incident),
        "ticket_pending": ticket is not None and ticket.status is Status.PENDING,
        "rules": VERSION,
    }
    if plan.mode is Mode.OBSERVE:
        facts["observe"] = True
    if cause.scope.startswith(MAILBOX):
        facts["urgency"] = "low"  # somebody should look, nobody has to get up
    if cause.rule:
        facts["rule"] = dict(cause.rule)
    if severity:
        meaning = plan.pack.unavailability
        facts["unavailability"] = {"meaning": meaning.meaning, "article": meaning.article}
    return facts


def ticket_facts(incident: Incident) -> dict[str, Any]:
    """How the ticket stands."""
    ticket = incident.ticket
    notes = [m.id for m in incident.made if m.kind is ActKind.NOTE and m.status is not Status.FAILED]
    return {
        "thread": ticket.act if ticket else "",
        "earlier": notes[-MOST_NOTES:],
        "ticket": (ticket.number or ticket.reference) if ticket else "",
        "ticket_status": ticket.status.value if ticket else "none",
    }


def what_follows(plan: Plan, severity: Severity, ticket: Ticket | None, asks_until: int = 0) -> dict[str, Any]:
    """For on-call's page: what the program does next (`follows`), would do (`would`: observe), or asks consent for (`asks`,
    until the UTC second `asks_until`), in words and in order.

    `text` says what the agreement asks for and nobody configured: it is left to a person.
    """
    able: list[str] = []
    unable: list[str] = []
    refused = severity.ticket and ticket is not None and ticket.status is Status.FAILED
    if severity.ticket and not refused:
        what = "open the ticket" if ticket is None or ticket.status is Status.PENDING else "add to the ticket"
        (able if plan.tickets else unable).append(f"{what} by {_any_of(plan.tickets)}" if plan.tickets else what)
    if severity.hotline is not Hotline.NONE:
        what = "then call the hotline" if severity.after_ticket else "call the hotline"
        (able if plan.hotline else unable).append(f"{what} by {_any_of(plan.hotline)}" if plan.hotline else what)
    facts: dict[str, Any] = {"would" if plan.mode is Mode.OBSERVE else "follows": able}
    texts = []
    if asks_until:
        facts = {"asks": able, "asks_until": asks_until}
        texts.append(
            f"Your consent is asked for: {', '.join(able)}. Enter consent or decline; "
            f"without an answer it goes ahead at {stamp(asks_until)}."
        )
    if refused:
        texts.append("The ticket was refused by every receiver. Open it by hand, and enter its number (adopt).")
    if unable:
        texts.append(f"By hand, because no receiver is configured: {', '.join(unable)}.")
    if texts:
        facts["text"] = " ".join(texts)
    return facts


def _any_of(receivers: tuple[str, ...]) -> str:
    return " or ".join(receivers)


def recovery(cause: ConditionRaised, cleared: ConditionCleared) -> dict[str, Any]:
    """For the note and the resolved page: when it was found recovered, and how long it had lasted.

    `duration` (seconds) runs from the onset to the end of the last bad second where that is known, else to the second
    in which the recovery was established; `duration_to` says which.
    """
    end, to = (cleared.last + 1, "last_bad") if cleared.last else (cleared.second, "recovered")
    return {"recovered": cleared.second, "last_bad": cleared.last, "duration": end - cause.onset, "duration_to": to}
