"""Everything that is public, at one moment, as one value; made of the view and the store."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from prober.settings import Service, Settings
from prober.status.days import Day, Ledger, recent, uptime
from prober.status.incidents import Chronicle, PublicIncident
from prober.status.planned import Planned, planned
from prober.status.states import RECENT, Held, Standing, State, channel_standing, service_standing
from prober.status.words import CHANNELS
from prober.store import Reader, SeriesKey
from prober.web.view import Snapshot
from rules.model import Condition, Verdict

#: Seconds after which planned maintenance is looked up anew.
_PLANNED_FOR = 600
#: Without the store the newest second alone is known; one that is older than this (s) says nothing.
_STALE = 60


@dataclass(frozen=True, slots=True)
class Line:
    """A service (`channel` "") or one of its channels. `days` is empty while the store cannot be read.

    `until`: the first UTC second that may still be measured.
    """

    channel: str
    title: str
    standing: Standing
    days: tuple[Day, ...] = ()
    until: int = 0

    @property
    def uptime(self) -> float | None:
        return uptime(self.days)


@dataclass(frozen=True, slots=True)
class PublicService:
    """A service as the public sees it: its own line, and one for each of its channels."""

    name: str
    whole: Line
    channels: tuple[Line, ...]

    @property
    def title(self) -> str:
        return self.whole.title


@dataclass(frozen=True, slots=True)
class Picture:
    """`now` is UTC seconds. `incidents` are all there were, newest first. `impaired`: measuring is not fit."""

    now: float
    title: str
    url: str
    services: tuple[PublicService, ...]
    incidents: tuple[PublicIncident, ...]
    planned: tuple[Planned, ...]
    impaired: bool
    store_read: bool
    logo: bool = False
    operators_link: bool = True

    @property
    def open(self) -> tuple[PublicIncident, ...]:
        return tuple(incident for incident in self.incidents if incident.open)

    @property
    def titles(self) -> Mapping[str, str]:
        return {service.name: service.title for service in self.services}


def title_of(settings: Settings) -> str:
    """The page's title."""
    company = settings.customer.company
    return settings.web.title or (f"{company} Status" if company else "Service status")


@dataclass(frozen=True, slots=True)
class Found:
    """What the store says. `until`: of each series, the first UTC second that may still be measured."""

    recent: Mapping[SeriesKey, Mapping[Verdict, int] | None]
    days: Mapping[SeriesKey, tuple[Day, ...]]
    until: Mapping[SeriesKey, int]
    incidents: tuple[PublicIncident, ...]


class Painter:
    """Makes pictures; keeps of the store what does not change. `find` runs in the store's thread, one at a time."""

    def __init__(self) -> None:
        self._ledgers: dict[SeriesKey, Ledger] = {}
        self._chronicle = Chronicle()
        self._planned: tuple[Planned, ...] = ()
        self._planned_for: Settings | None = None
        self._planned_at = 0

    def find(self, reader: Reader, settings: Settings, now: int) -> Found:
        """What is read from the store for the picture at UTC second `now`. Raises StoreError, sqlite3.Error."""
        keys = [
            key
            for name, service in settings.services.items()
            if service.public
            for key in (SeriesKey(name), *(SeriesKey(name, channel) for channel in _channels(service)))
        ]
        self._ledgers = {key: self._ledgers.get(key) or Ledger(key) for key in keys}
        for ledger in self._ledgers.values():
            ledger.read(reader, now)
        titles = {name: service.title or name for name, service in settings.services.items() if service.public}
        return Found(
            {key: recent(reader, key, now, *_window(settings, key)) for key in keys},
            {key: ledger.days(now) for key, ledger in self._ledgers.items()},
            {key: ledger.until(now, _window(settings, key)[1]) for key, ledger in self._ledgers.items()},
            self._chronicle.read(reader, titles),
        )

    def look_ahead(self, settings: Settings, now: int) -> tuple[Planned, ...]:
        """The maintenance windows around UTC second `now`; looked up now and then, which is slow."""
        if settings is not self._planned_for or now > self._planned_at + _PLANNED_FOR:
            self._planned = planned(settings, now)
            self._planned_for, self._planned_at = settings, now
        return self._planned


def paint(snapshot: Snapshot, found: Found | None, windows: tuple[Planned, ...], *, impaired: bool) -> Picture:
    """The picture. `found` is None while the store cannot be read."""
    settings, now = snapshot.settings, snapshot.now
    services = tuple(
        _service(snapshot, name, service, found, on=any(name in w.services and w.on(now) for w in windows))
        for name, service in settings.services.items()
        if service.public
    )
    return Picture(
        now=now,
        title=title_of(settings),
        url=settings.web.url or "",
        services=services,
        incidents=found.incidents if found else (),
        planned=windows,
        impaired=impaired,
        store_read=found is not None,
        logo=settings.web.logo is not None,
        operators_link=settings.web.operators_link,
    )


def _service(snapshot: Snapshot, name: str, service: Service, found: Found | None, *, on: bool) -> PublicService:
    held = _held(snapshot, name)
    seen = {channel: _recent(snapshot, SeriesKey(name, channel), found) for channel in ("", *_channels(service))}

    def line(channel: str, title: str, standing: Standing) -> Line:
        key = SeriesKey(name, channel)
        if found is None or key not in found.days:
            return Line(channel, title, standing)
        return Line(channel, title, standing, found.days[key], found.until[key])

    lines = tuple(
        line(channel, CHANNELS[channel], channel_standing(channel, held, seen[channel], maintenance=on))
        for channel in _channels(service)
    )
    standing = service_standing(held, seen[""], maintenance=on)
    if standing.state is State.UNAVAILABLE and lines and not any(x.standing.state is State.UNAVAILABLE for x in lines):
        lines = tuple(replace(each, standing=standing) if _bad(seen[each.channel]) else each for each in lines)
    return PublicService(name, line("", service.title or name, standing), lines)


def _bad(sums: Mapping[Verdict, int] | None) -> bool:
    return bool(sums and sums.get(Verdict.UNAVAILABLE))


def _held(snapshot: Snapshot, name: str) -> tuple[Held, ...]:
    """The conditions that hold of the service, as its open incident names them."""
    return tuple(
        Held(Condition(condition), scope, onset)
        for incident in snapshot.incidents
        if incident.service == name
        for condition, scope, onset in incident.held
        if condition in set(Condition)
    )


def _recent(snapshot: Snapshot, key: SeriesKey, found: Found | None) -> Mapping[Verdict, int] | None:
    if found is not None:
        return found.recent.get(key)
    spell = snapshot.spells.get((key.service, key.channel))
    return {spell.verdict: 1} if spell is not None and spell.second > snapshot.now - _STALE else None


def _channels(service: Service) -> tuple[str, ...]:
    return tuple(name for name in CHANNELS if getattr(service.channels, name))


def _window(settings: Settings, key: SeriesKey) -> tuple[int, int]:
    """Seconds that are looked at (three calls of the slowest endpoint at least), and how late they may close."""
    service = settings.services[key.service]
    endpoints = (*service.channels.api, *service.channels.smtp)
    slowest = max([service.every, *(e.every for e in endpoints if e.every)]) // 1000
    longest = max([service.timeout, *(e.timeout for e in endpoints if e.timeout)]) // 1000
    return max(RECENT, 3 * slowest), longest + 5
