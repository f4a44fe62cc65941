"""Maintenance that is announced: what is on, and what is planned."""

from collections.abc import Mapping
from dataclasses import dataclass

from prober.errors import ProberError
from prober.settings import Settings

#: Windows that are shown, the next ones.
MOST = 20
#: Seconds that windows which are over stay in the feeds.
PAST = 15 * 86_400


@dataclass(frozen=True, slots=True)
class Planned:
    """A window of one service, or of several that are announced alike. `start` and `end` are UTC seconds."""

    title: str
    start: int
    end: int
    services: tuple[str, ...]

    def on(self, now: float) -> bool:
        return self.start <= now < self.end

    @property
    def key(self) -> str:
        """What it is known by, as long as it is not moved."""
        return f"{self.start}/{self.end}/{'+'.join(self.services)}/{self.title}"


def planned(settings: Settings, now: int) -> tuple[Planned, ...]:
    """The windows of public services around UTC second `now`, in their order; slow to begin with: not on a loop.

    A calendar's events may name whoever made them, so its windows bear the title that the configuration gives it.
    """
    public = [name for name, service in settings.services.items() if service.public]
    entries = [(entry, tuple(public)) for entry in settings.maintenance]
    entries += [(entry, (name,)) for name in public for entry in settings.services[name].maintenance]
    if not entries or not public:
        return ()
    from prober.maintenance import windows  # heavy to load, and few configurations have any

    found = set()
    for entry, services in entries:
        try:
            read = windows((entry,), now).windows
        except ProberError:  # a calendar's file is gone: the measuring process says so
            continue
        found |= {Planned(entry.title, w.start, w.end, services) for w in read if w.end > now - PAST}
    return tuple(sorted(found, key=lambda p: (p.start, p.end, p.services, p.title)))


def titles_of(window: Planned, titles: Mapping[str, str]) -> str:
    """The services that it concerns, in words."""
    return ", ".join(titles[name] for name in window.services if name in titles)
