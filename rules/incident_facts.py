"""What the text of a ticket, a note, a call or a page is made of, as far as the rules know it.

JSON values, nothing rendered; frozen into the act when it is made, so that a repeat says the same. Instants are UTC seconds.
"""

from typing import Any

from rules import VERSION
from rules.contracts.model import INTERNAL, Hotline, Severity
from rules.incident_events import ConditionCleared, ConditionRaised
from rules.incident_state import Incident, Mode, Plan, Status, Ticket


def facts_of(plan: Plan, incident: Incident, cause: ConditionRaised) -> dict[str, Any]:
    """What every act says: what holds, since when, by which figures, how severe, and how the ticket stands."""
    severity = plan.pack.severity(incident.severity)
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
        "severity": incident.severity,
        "severity_title": severity.title if severity else "On-call alone" if incident.severity == INTERNAL else "",
        "article": severity.article if severity else "",
        "thread": incident.ticket.act if incident.ticket else "",
        "ticket": _ticket(incident.ticket),
        "ticket_pending": bool(incident.ticket and incident.ticket.status is Status.PENDING),
        "ticket_reference": (incident.ticket.number or incident.ticket.reference) if incident.ticket else "",
        "rules_version": VERSION,
    }
    if cause.rule:
        facts["rule"] = dict(cause.rule)
    if severity:
        facts["unavailability"] = {
            "meaning": plan.pack.unavailability.meaning,
            "article": plan.pack.unavailability.article,
        }
    return facts


def _ticket(ticket: Ticket | None) -> dict[str, str]:
    if ticket is None:
        return {"status": "none", "act": "", "receiver": "", "reference": "", "number": ""}
    return {
        "status": ticket.status.value,
        "act": ticket.act,
        "receiver": ticket.receiver,
        "reference": ticket.reference,
        "number": ticket.number,
    }


def what_follows(plan: Plan, severity: Severity, ticket: Ticket | None) -> dict[str, Any]:
    """For on-call's page: what the program does next, would do (observe), and what is left to a person's hands.

    Keys: `follows` or `would`, and `by_hand`: lists of {act, receivers}, in the order of the agreement.
    """
    steps: list[dict[str, Any]] = []
    if severity.ticket:
        kind = "ticket" if ticket is None else "note"
        steps.append({"act": kind, "receivers": list(plan.tickets)})
    if severity.hotline is not Hotline.NONE:
        steps.append({"act": "hotline", "receivers": list(plan.hotline), "after_ticket": severity.after_ticket})
    able = [s for s in steps if s["receivers"]]
    unable = [{"act": s["act"]} for s in steps if not s["receivers"]]
    if plan.mode is Mode.OBSERVE:
        return {"observe": True, "would": able, "by_hand": unable}
    return {"follows": able, "by_hand": unable}


def recovery(cause: ConditionRaised, cleared: ConditionCleared) -> dict[str, Any]:
    """For the note and the resolved page: when it was found recovered, and how long it had lasted.

    `duration` (seconds) runs from the onset to the end of the last bad second where that is known, else to the second
    in which the recovery was established; `duration_to` says which.
    """
    end, to = (cleared.last + 1, "last_bad") if cleared.last else (cleared.second, "recovered")
    return {"recovered": cleared.second, "last_bad": cleared.last, "duration": end - cause.onset, "duration_to": to}
