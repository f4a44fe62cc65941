"""Incidents as the public sees them, made of the kinds of their records."""

from collections.abc import Iterable
from dataclasses import dataclass

from prober.status import words
from prober.store import IncidentHead, Reader
from prober.store.reader import StoredRecord
from rules.contracts.model import INTERNAL
from rules.model import Condition

#: What Statuspage says of an incident's progress.
INVESTIGATING, IDENTIFIED, MONITORING, DONE = "investigating", "identified", "monitoring", "resolved"
#: What a person may say with a published text.
STATUSES = (INVESTIGATING, IDENTIFIED, MONITORING)


@dataclass(frozen=True, slots=True)
class Update:
    """One thing that was said, at UTC second `at`. `typed`: a person's words, in whatever language."""

    at: int
    status: str
    text: str
    typed: bool = False


@dataclass(frozen=True, slots=True)
class PublicIncident:
    """Instants are UTC seconds, 0 where it has not come to that. `updates` are in their order, the first one first.

    `name` is the same as long as the incident lives, since feeds and other pages know it by that; `headline` is what a page
    says of it now. `title` is the service's.
    """

    id: str
    service: str
    title: str
    name: str
    headline: str
    impact: str
    status: str
    began: int
    opened: int
    monitoring: int
    resolved: int
    channels: tuple[str, ...]
    updates: tuple[Update, ...]

    @property
    def changed(self) -> int:
        return self.updates[-1].at if self.updates else self.opened

    @property
    def open(self) -> bool:
        return not self.resolved


def told(head: IncidentHead, title: str, records: Iterable[StoredRecord]) -> PublicIncident | None:
    """The incident in public words; None for what concerns our on-call alone."""
    story = _Story(title)
    for record in records:
        story.take(record)
    if not story.updates or head.severity == INTERNAL:
        return None
    last = story.updates[-1]
    return PublicIncident(
        id=head.id,
        service=head.service,
        title=title,
        name=words.named(title, story.worst),
        headline=words.named(title, story.worst, over=bool(head.closed) or last.status == MONITORING),
        impact=words.IMPACT[story.worst],
        status=DONE if head.closed else last.status,
        began=story.began or head.onset,
        opened=story.updates[0].at,
        monitoring=story.monitoring,
        resolved=head.closed or 0,
        channels=tuple(sorted(story.channels)),
        updates=tuple(story.updates),
    )


class _Story:
    """The updates so far, while the records are gone through."""

    def __init__(self, title: str) -> None:
        self._title = title
        self.updates: list[Update] = []
        self.channels: set[str] = set()
        self.worst = Condition.FAILING
        self.began = 0
        self.monitoring = 0

    def take(self, record: StoredRecord) -> None:
        detail, status = record.detail, self.updates[-1].status if self.updates else INVESTIGATING
        match record.kind:
            case "opened" if detail.get("severity") != INTERNAL:
                self._hold(record)
            case "raised" if detail.get("condition") != Condition.FAILING:
                self._hold(record)
            case _ if not self.updates:
                return
            case "recovered":
                self.monitoring = record.at
                self._say(record.at, MONITORING, words.recovered(self._title, detail))
            case "closed":
                self._say(record.at, DONE, words.RESOLVED)
            case "reopened":
                self._say(record.at, MONITORING, words.REOPENED)
            case "life" if detail.get("step") in words.STEPS:
                self._say(record.at, status, words.STEPS[detail["step"]])
            case "published":
                value = detail.get("value")
                self._say(
                    record.at, value if value in STATUSES else status, words.published(detail.get("text")), typed=True
                )

    def _hold(self, record: StoredRecord) -> None:
        condition = words.condition_of(record.detail)
        if condition is None:
            return
        again = bool(self.updates) and self.updates[-1].status == MONITORING
        self._say(record.at, INVESTIGATING, words.began(self._title, record.detail, condition, again=again))
        if list(words.SO).index(condition) < list(words.SO).index(self.worst):
            self.worst = condition
        channel = str(record.detail.get("scope") or "").partition("/")[0]
        self.channels |= {channel} if channel else set()
        onset = record.detail.get("onset")
        self.began = self.began or (onset if isinstance(onset, int) else 0)

    def _say(self, at: int, status: str, text: str, *, typed: bool = False) -> None:
        self.updates.append(Update(at, status, text, typed))


class Chronicle:
    """All public incidents, newest first; what is closed is read once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[IncidentHead, str, PublicIncident | None]] = {}

    def read(self, reader: Reader, titles: dict[str, str]) -> tuple[PublicIncident, ...]:
        """The incidents of the services in `titles` (name: title)."""
        found = []
        known: dict[str, tuple[IncidentHead, str, PublicIncident | None]] = {}
        for head in reversed(reader.incidents()):
            title = titles.get(head.service)
            if title is None:
                continue
            before = self._known.get(head.id)
            if head.closed and before is not None and before[:2] == (head, title):
                known[head.id] = before
            else:
                known[head.id] = (head, title, told(head, title, reader.records(head.id)))
            public = known[head.id][2]
            if public is not None:
                found.append(public)
        self._known = known
        return tuple(found)
