"""Who was told, and whether it reached them: the acts of an incident with their attempts and what became of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from prober.deliver.view import line
from prober.store import ActStatus, StoredAct, StoredRecord
from prober.web.room.trail import act_words
from rules.acts import Outcome
from rules.incident_events import RecordKind

#: Acts shown, the newest; and attempts of each.
MOST, ATTEMPTS = 100, 10
_STATUS = {
    ActStatus.PENDING: "on its way",
    ActStatus.ACCEPTED: "accepted",
    ActStatus.FAILED: "refused by every receiver",
    ActStatus.WITHDRAWN: "no longer wanted",
    ActStatus.OBSERVED: "would have been done",
}
#: What a receiver did with an attempt.
_OUTCOMES = {
    Outcome.ACCEPTED: "accepted it",
    Outcome.TRANSIENT: "did not take it; it is tried again",
    Outcome.PERMANENT: "refused it",
    Outcome.UNKNOWN: "may have taken it: the answer was lost",
}
_MARKS = {ActStatus.PENDING: "pending", ActStatus.ACCEPTED: "kept", ActStatus.FAILED: "late"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to tell a receiver, and how it ended."""

    at: int  # UTC seconds
    receiver: str
    outcome: str
    detail: str
    reference: str


@dataclass(frozen=True, slots=True)
class Told:
    """One act. `created`: UTC seconds. `reached`: what its receivers told of it later, the newest last."""

    what: str
    step: str
    episode: int
    created: int
    receivers: tuple[str, ...]
    status: str
    mark: str
    attempts: tuple[Attempt, ...]
    left_out: int
    reached: tuple[str, ...]


def told(acts: Iterable[StoredAct], records: Iterable[StoredRecord]) -> tuple[Told, ...]:
    """The newest first."""
    later = [
        (record.at, line(record.detail.get("text")))
        for record in records
        if record.detail.get("via") == "receiver" and record.kind in (RecordKind.NOTE, RecordKind.ACK, RecordKind.TOLD)
    ]
    return tuple(_told(each, later) for each in reversed(list(acts)[-MOST:]))


def _told(stored: StoredAct, later: list[tuple[int, str]]) -> Told:
    act = stored.act
    begins = tuple(f"{act.kind.value} by {receiver}: " for receiver in act.receivers)
    attempts = tuple(
        Attempt(
            each.at // 10**9,
            line(each.receiver),
            _OUTCOMES[each.outcome],
            line(each.detail),
            line(each.reference),
        )
        for each in stored.attempts
    )
    return Told(
        what=act_words(act.kind.value).capitalize(),
        step=line(act.step),
        episode=act.episode,
        created=act.created,
        receivers=tuple(line(name) for name in act.receivers),
        status=_STATUS.get(stored.status, stored.status.value),
        mark=_MARKS.get(stored.status, ""),
        attempts=attempts[-ATTEMPTS:],
        left_out=max(0, len(attempts) - ATTEMPTS),
        reached=tuple(text for at, text in later if at >= act.created and text.startswith(begins))[-3:],
    )
