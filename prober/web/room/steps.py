"""The steps that a person may enter in an incident's state, as forms; and what a form's fields amount to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from prober import instants
from prober.deliver.harmless import harmless
from prober.errors import UsageError
from prober.web.room.room import Room
from rules.incident_events import EntryKind
from rules.incident_state import Phase

#: Characters of a text, and of a ticket's number.
TEXT, TICKET = 4_000, 100


class Group(StrEnum):
    """Whose steps stand together in the room, in this order."""

    OURS = "Us"
    VENDOR = "The vendor"
    TICKET = "The ticket"
    EVERYBODY = "Everybody"
    END = "The end"


@dataclass(frozen=True, slots=True)
class Step:
    """One form. `hint` says when it is the right one; `text_needed`: it says nothing without a text."""

    kind: EntryKind
    title: str
    hint: str
    group: Group
    text_needed: bool = False

    @property
    def takes_when(self) -> bool:
        """It may have happened before it is entered."""
        return self.group is Group.VENDOR or self.kind in (EntryKind.ADOPT, EntryKind.REOPEN)


K, G = EntryKind, Group
STEPS: Mapping[EntryKind, Step] = {
    step.kind: step
    for step in (
        Step(K.ACK, "Acknowledge", "I have it: nobody else is paged, and I am the contact from now on.", G.OURS),
        Step(K.CONSENT, "Consent", "Ticket and hotline may go out.", G.OURS),
        Step(K.DECLINE, "Decline", "Nothing goes to the vendor in this episode.", G.OURS),
        Step(K.NOTE, "Note", "For the record.", G.OURS, text_needed=True),
        Step(K.CONFIRM, "Confirmed by others", "Somebody else sees it too, such as other customers.", G.OURS),
        Step(K.INTAKE, "Intake done", "The hotline has taken the vital information.", G.VENDOR),
        Step(K.FIRST_RESPONSE, "First response", "The vendor has answered.", G.VENDOR),
        Step(K.CALL_BACK, "Called back", "The vendor has called back.", G.VENDOR),
        Step(K.UPDATE, "Update", "The vendor has told how far they are.", G.VENDOR),
        Step(K.WORKAROUND, "Work-around", "The vendor has given a work-around.", G.VENDOR),
        Step(K.WAITING_FOR_US, "Waiting for us", "The vendor has asked something and waits for us.", G.VENDOR),
        Step(K.WAITING_FOR_THEM, "Waiting for them", "We have answered: it is the vendor's turn.", G.VENDOR),
        Step(K.ADOPT, "Adopt a ticket", "A ticket that a person opened is the incident's.", G.TICKET),
        Step(K.SEVERITY, "Severity set", "The vendor has set the severity.", G.TICKET),
        Step(
            K.PUBLISH, "Publish", "Everybody reads this text on the public status pages.", G.EVERYBODY, text_needed=True
        ),
        Step(K.RESOLVE, "Agreed resolved", "We and the vendor agree that it is resolved. The incident closes.", G.END),
        Step(
            K.CLOSED_BY_VENDOR, "Closed by the vendor", "The vendor has closed the ticket. So does the incident.", G.END
        ),
        Step(K.REOPEN, "Reopen", "What was closed is not resolved.", G.END),
    )
}
_LIFE = tuple(kind for kind, step in STEPS.items() if step.group is G.VENDOR)
_IN_TICKET = (K.ACK, K.NOTE, K.CONFIRM, *_LIFE, K.ADOPT, K.SEVERITY, K.PUBLISH)
_BY_PHASE: Mapping[str, tuple[EntryKind, ...]] = {
    Phase.INTERNAL: (K.ACK, K.NOTE),
    Phase.OPEN: (*_IN_TICKET, K.CLOSED_BY_VENDOR),
    Phase.RECOVERED: (*_IN_TICKET, K.RESOLVE, K.CLOSED_BY_VENDOR),
}


def steps_of(room: Room) -> tuple[Step, ...]:
    """The forms of a room, in their order."""
    kinds = set(_BY_PHASE.get(room.phase, ()))
    if room.asks_until:
        kinds |= {K.CONSENT, K.DECLINE}
    if room.removed:
        kinds |= {K.RESOLVE}
    if room.reopenable:
        kinds |= {K.REOPEN}
    return tuple(step for kind, step in STEPS.items() if kind in kinds)


def grouped(steps: tuple[Step, ...]) -> tuple[tuple[Group, tuple[Step, ...]], ...]:
    """`steps` by group, in the groups' order; groups without a step are left out."""
    found = ((group, tuple(step for step in steps if step.group is group)) for group in Group)
    return tuple((group, mine) for group, mine in found if mine)


def wrong(step: Step, fields: Mapping[str, str], now: float) -> Iterator[tuple[str, str]]:
    """(field, what is wrong with it) of what a person has typed."""
    if step.text_needed and not fields.get("text", "").strip():
        yield "text", "Write what is to be remembered."
    if len(fields.get("text", "")) > TEXT:
        yield "text", f"Too long: {len(fields['text'])} characters; {TEXT} at most."
    if step.kind is K.ADOPT and not fields.get("ticket", "").strip():
        yield "ticket", "Write the ticket's number, as the vendor gave it."
    if len(fields.get("ticket", "")) > TICKET:
        yield "ticket", f"Too long: {TICKET} characters at most."
    if step.kind is K.SEVERITY and not fields.get("value"):
        yield "value", "Choose the severity that the vendor has set."
    if typed := fields.get("when", "").strip():
        try:
            when = instants.parse(typed, now, "when")
        except UsageError:
            yield "when", "Not a time. Write it in UTC, such as 2026-11-22 10:05, or -10m for ten minutes ago."
        else:
            if when > now + 60:
                yield "when", "That is in the future."


def entry(step: Step, fields: Mapping[str, str], incident: str, by: str, now: float) -> dict[str, Any]:
    """The step as the link carries it, of fields that nothing is wrong with."""
    said: dict[str, Any] = {"incident": incident, "kind": step.kind.value, "by": by}
    said["text"] = harmless(fields.get("text", ""), lines=True).strip()
    if step.kind is K.ADOPT or (step.group is G.VENDOR and fields.get("ticket", "").strip()):
        said["ticket"] = harmless(fields.get("ticket", "")).strip()
    if step.kind is K.SEVERITY:
        said["value"] = harmless(fields.get("value", "")).strip()
    if step.takes_when and (typed := fields.get("when", "").strip()):
        said["when"] = min(instants.parse(typed, now, "when"), int(now))
    return said
