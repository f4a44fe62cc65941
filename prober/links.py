"""Links into the incident room: plain ones, and signed ones by which on-call enters a step away from any screen.

A signed link says which incident, which step, for whom, and until when; whoever has it may enter that one step. So it stands in
pages to our own on-call alone. Until when is a function of when the page was made, so that a repeat is the same message.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlencode

from prober.settings import Settings
from prober.signing import Signer
from rules.acts import Act, ActKind
from rules.contracts.model import INTERNAL
from rules.incident_events import EntryKind

_PURPOSE = "link"
#: Where the pages explain every reason.
REASONS_PATH = "/reasons"
#: Acts that are texts to on-call.
PAGES = (ActKind.PAGE, ActKind.PAGE_RESOLVE)

#: What a signed link can enter, in the words of the page that carries it.
TITLES: Mapping[EntryKind, str] = {
    EntryKind.ACK: "Acknowledge: I have it",
    EntryKind.CONSENT: "Consent: ticket and hotline may go out",
    EntryKind.DECLINE: "Decline: no ticket, no call",
    EntryKind.INTAKE: "The hotline has taken the vital information",
    EntryKind.CALL_BACK: "The vendor has called back",
}


class Standing(StrEnum):
    """What a signed link is worth."""

    GOOD = "good"
    FORGED = "forged"  # or made for another incident, step or receiver, or with another key
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Links:
    """Makes the links of one configuration. `base`: where people reach the pages; `lasting`: seconds."""

    base: str
    lasting: int
    signer: Signer | None

    @classmethod
    def of(cls, settings: Settings, key: bytes | None) -> "Links | None":
        """None when the configuration does not say where the pages are."""
        if settings.web.url is None:
            return None
        return cls(settings.web.url, settings.web.links_for // 1000, Signer(key) if key is not None else None)

    def room(self, incident: str) -> str:
        """The incident's room."""
        return f"{self.base}{room_path(incident)}"

    def facts(self, act: Act, receiver: str) -> dict[str, Any]:
        """For a page to on-call: the room's `url`, and `links` ([{step, title, url}]) that work until `until` (UTC seconds).

        `reasons` is where every reason is explained; a reason's name is its anchor there.
        """
        found: dict[str, Any] = {
            "url": self.room(act.incident),
            "links": [],
            "until": 0,
            "reasons": f"{self.base}{REASONS_PATH}",
        }
        if self.signer is not None and act.kind is ActKind.PAGE:
            until = act.created + self.lasting
            links = [
                {"step": step.value, "title": TITLES[step], "url": self._signed(act.incident, step, receiver, until)}
                for step in _steps(act)
            ]
            found |= {"links": links, "until": until}
        return found

    def into(self, act: Act, receiver: str) -> Act:
        """`act` with its links under the fact `room`, if it is a page to our own on-call; any other act as it is."""
        if act.kind not in PAGES or act.facts.get("exercise") is True:  # behind an exercise there is no incident
            return act
        return replace(act, facts={**act.facts, "room": self.facts(act, receiver)})

    def _signed(self, incident: str, step: EntryKind, receiver: str, until: int) -> str:
        assert self.signer is not None
        sig = self.signer.sign(_PURPOSE, incident, step.value, receiver, until)
        query = urlencode({"for": receiver, "until": until, "sig": sig})
        return f"{self.room(incident)}/link/{step.value}?{query}"


def room_path(incident: str) -> str:
    """The incident room's path on our own pages; `incident` is an incident's name."""
    return f"/incidents/{quote(incident, safe='')}"


def standing(signer: Signer, incident: str, step: str, receiver: str, until: str, sig: str, now: float) -> Standing:
    """What a link is worth at `now` (UTC seconds)."""
    if not (until.isascii() and until.isdigit() and len(until) < 13 and sig):
        return Standing.FORGED
    if not signer.genuine(sig, _PURPOSE, incident, step, receiver, int(until)):
        return Standing.FORGED
    return Standing.EXPIRED if now >= int(until) else Standing.GOOD


def _steps(act: Act) -> Iterator[EntryKind]:
    """What is of use with this page."""
    yield EntryKind.ACK
    if act.facts.get("asks"):
        yield from (EntryKind.CONSENT, EntryKind.DECLINE)
    if act.facts.get("severity") not in (None, "", INTERNAL):
        yield from (EntryKind.INTAKE, EntryKind.CALL_BACK)
