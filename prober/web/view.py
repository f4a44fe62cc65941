"""What the serving process knows: the configuration, the board, and the newest messages of the measuring process.

Everything that is shown over HTTP is read from here. Values are replaced, never changed in place, so that a
`Snapshot` taken on the event loop may be rendered in a thread.
"""

import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from prober.board import Board
from prober.deliver.harmless import harmless
from prober.link import Message
from prober.settings import Settings
from rules.model import Kind, Verdict

#: (buckets, sum): counts by DURATION_BUCKETS or LAG_BUCKETS (not cumulative, one more than bounds) and the sum in
#: seconds.
Histogram = tuple[tuple[int, ...], float]
#: Characters of a name, a ticket's number and the like.
_LONGEST = 300
#: (service, channel, endpoint, kind), as the board has them.
Key = tuple[str, str, str, Kind]


@dataclass(frozen=True, slots=True)
class Spell:
    """The newest closed second of a channel (or of the service) and since when its verdict has been the same.

    `second` and `since` are UTC seconds. `known_start` is False when the verdict was already so in the first second
    that this process heard of: it has lasted at least since then.
    """

    verdict: Verdict
    reason: str
    calls: int
    second: int
    since: int
    known_start: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """The measuring process's counters since it started (message `totals`)."""

    seconds: tuple[tuple[str, str, str, int], ...] = ()  # service, channel ("": the service's own), verdict, n
    durations: Mapping[tuple[str, str], Histogram] = field(default_factory=dict)  # (service, channel)
    lag: Histogram = ((), 0.0)
    acts: tuple[tuple[str, str, int], ...] = ()  # kind, outcome, n
    pending: int = 0
    oldest: float = 0.0  # age of the oldest pending act, seconds
    store_ok: bool = True
    store_queued: float = 0.0  # seconds of evidence waiting for the store
    store_dropped: int = 0
    stalls: int = 0
    steps: int = 0
    open_calls: int = 0

    @classmethod
    def of(cls, message: Message) -> "Totals":
        """From the link. What the message does not say keeps its default."""
        store: Mapping[str, Any] = message.get("store") or {}
        return cls(
            seconds=tuple((s, c, v, int(n)) for s, c, v, n in message.get("seconds", ())),
            durations={_pair(k): _histogram(v) for k, v in (message.get("durations") or {}).items()},
            lag=_histogram(message.get("lag") or ((), 0.0)),
            acts=tuple((k, o, int(n)) for k, o, n in message.get("acts", ())),
            pending=int(message.get("pending") or 0),
            oldest=float(message.get("oldest") or 0.0),
            store_ok=bool(store.get("ok", True)),
            store_queued=float(store.get("queued") or 0),
            store_dropped=int(store.get("dropped") or 0),
            stalls=int(message.get("stalls") or 0),
            steps=int(message.get("steps") or 0),
            open_calls=int(message.get("open_calls") or 0),
        )


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """The head of an open incident (message `incidents`); `onset` is UTC seconds.

    `clocks`: name and due (UTC seconds) of the agreement's clocks that run.
    """

    id: str
    service: str
    severity: str
    phase: str
    episode: int
    onset: int
    ticket: str
    clocks: tuple[tuple[str, int], ...] = ()
    acknowledged: bool = False
    held: tuple[tuple[str, str, int], ...] = ()  # the conditions that hold: name, scope, onset (UTC seconds)

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "OpenIncident":
        return cls(
            id=str(entry["id"]),
            service=str(entry["service"]),
            severity=_word(entry.get("severity")),
            phase=_word(entry.get("phase")),
            episode=int(entry.get("episode") or 1),
            onset=int(entry.get("onset") or 0),
            ticket=_word(entry.get("ticket")),
            clocks=tuple(
                (_word(clock["name"]), int(clock["due"]))
                for clock in entry.get("clocks") or ()
                if clock.get("state") == "running"
            ),
            acknowledged=bool(entry.get("acknowledged_by")),
            held=tuple(
                (_word(c["condition"]), _word(c.get("scope")), int(c.get("onset") or 0))
                for c in entry.get("conditions") or ()
            ),
        )


def _word(value: object) -> str:
    """What people, packs and receivers named, in one harmless line: pages, metrics and events show it."""
    return harmless(str(value or ""), limit=_LONGEST)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is known at one moment. `now` is UTC seconds; `cells` a copy of the board, row after row."""

    now: float
    settings: Settings
    keys: tuple[Key, ...]
    cells: "array[float]"
    totals: Totals | None
    spells: Mapping[tuple[str, str], Spell]  # (service, channel); channel "": the service's own
    incidents: tuple[OpenIncident, ...]
    reload_ok: bool
    configured_at: float  # UTC seconds of the last configuration that was taken; 0: none
    pid: int  # the measuring process
    severities: Mapping[str, tuple[str, ...]]  # of each service's agreement
    silence: float = 0.0  # seconds since the measuring loop was last heard of
    mailboxes: Mapping[str, bool] = field(default_factory=dict)  # by name: whether it is in reach
    watched_at: float = 0.0  # UTC seconds at which the outside watcher last heard from us; 0: not since the start


class View:
    """Keeps the newest of every message. `now` gives UTC seconds, `monotonic` seconds that never step."""

    def __init__(self, now: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._monotonic = monotonic
        self._beaten = monotonic()
        self.settings = Settings()
        self.board: Board | None = None
        self.pid = 0
        self.severities: Mapping[str, tuple[str, ...]] = {}
        self.totals: Totals | None = None
        self.spells: Mapping[tuple[str, str], Spell] = {}
        self.incidents: tuple[OpenIncident, ...] = ()
        self.reload_ok = False
        self.configured_at = 0.0
        self.watched_at = 0.0
        self.mailboxes: Mapping[str, bool] = {}

    def configured(
        self, settings: Settings, board: Board | None, pid: int, severities: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        """A configuration was taken: the first, or a reload's. The board that it replaces is closed.

        `severities` are the names of the severities of each service's agreement.
        """
        old, self.board = self.board, board
        if old is not None and old is not board:
            old.close()
        self.settings = settings
        self.pid = pid
        self.severities = severities or {}
        self.reload_ok = True
        self.configured_at = self._now()
        self._beaten = self._monotonic()
        self.spells = {key: spell for key, spell in self.spells.items() if key[0] in settings.services}

    def second(self, message: Message) -> None:
        """A second of a service has closed."""
        service, second = str(message["service"]), int(message["second"])
        spells = dict(self.spells)
        for channel, cell in message["cells"].items():
            verdict, reason, calls = Verdict(cell[0]), str(cell[1]), int(cell[2])
            before = spells.get((service, channel))
            if before is not None and before.verdict is verdict:
                since, known = before.since, before.known_start
            else:
                since, known = second, before is not None
            spells[service, channel] = Spell(verdict, reason, calls, second, since, known)
        self.spells = spells

    def total(self, message: Message) -> None:
        """The counters, once a second; that they come is the heartbeat of the measuring loop."""
        self.totals = Totals.of(message)
        self._beaten = self._monotonic()

    def opened(self, message: Message) -> None:
        """Which incidents are open has changed."""
        self.incidents = tuple(OpenIncident.of(entry) for entry in message.get("open", ()))

    def reloaded(self, ok: bool) -> None:
        """A reload ended. A good one is followed by a new configuration."""
        self.reload_ok = ok
        if ok:
            self.configured_at = self._now()

    def watched(self) -> None:
        """The outside watcher has heard from us."""
        self.watched_at = self._now()

    def now(self) -> float:
        """UTC seconds."""
        return self._now()

    def silence(self) -> float:
        """Seconds since the measuring loop was last heard of."""
        return self._monotonic() - self._beaten

    def snapshot(self) -> Snapshot:
        cells = array("d")
        if self.board is not None and self.board.keys:
            cells.frombytes(self.board.cells.tobytes())
        return Snapshot(
            now=self._now(),
            settings=self.settings,
            keys=self.board.keys if self.board is not None else (),
            cells=cells,
            totals=self.totals,
            spells=self.spells,
            incidents=self.incidents,
            reload_ok=self.reload_ok,
            configured_at=self.configured_at,
            pid=self.pid,
            severities=self.severities,
            silence=self.silence(),
            watched_at=self.watched_at,
            mailboxes=self.mailboxes,
        )


def _pair(key: str) -> tuple[str, str]:
    service, _, channel = key.partition("\x1f")
    return service, channel


def _histogram(value: Any) -> Histogram:
    buckets, total = value
    return tuple(int(n) for n in buckets), float(total)
