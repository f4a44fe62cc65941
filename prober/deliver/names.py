"""The names of receivers. By itself, so that the measuring process need not load what deliveries are made of."""

from collections.abc import Iterator, Sequence

from prober.settings import Receiver, Settings

Names = tuple[str, ...]


def receiver_names(settings: Settings, service: str) -> tuple[Names, Names, Names]:
    """Names of a service's receivers in their order: tickets, hotline, on-call. Unique in the whole configuration."""
    own = settings.services[service]
    return (
        tuple(name for name, _ in _named(f"{service}.tickets", own.tickets)),
        tuple(name for name, _ in _named(f"{service}.hotline", own.hotline)),
        tuple(name for name, _ in _named("on_call", settings.on_call)),
    )


def escalation_names(settings: Settings, service: str) -> Names:
    """Names of those who reach the agreement's point of escalation."""
    return tuple(name for name, _ in _named(f"{service}.escalation", settings.services[service].escalation))


def status_page_names(settings: Settings, service: str) -> Names:
    """Names of the status pages that are told of a service's incidents."""
    return tuple(name for name, _ in _named(f"{service}.status_pages", settings.services[service].status_pages))


def on_call_levels(settings: Settings) -> tuple[tuple[int, Names], ...]:
    """On-call's names by level, the first one paged at once: (seconds without an acknowledgement, names)."""
    levels: dict[int, list[str]] = {}
    for place, (name, _) in enumerate(_named("on_call", settings.on_call)):
        levels.setdefault((settings.on_call[place].after or 0) // 1000, []).append(name)
    return tuple((after, tuple(levels[after])) for after in sorted(levels))


def all_receivers(settings: Settings) -> Iterator[tuple[str, Receiver]]:
    """Every receiver of the configuration under its name."""
    for service, own in settings.services.items():
        yield from _named(f"{service}.tickets", own.tickets)
        yield from _named(f"{service}.hotline", own.hotline)
        yield from _named(f"{service}.escalation", own.escalation)
        yield from _named(f"{service}.status_pages", own.status_pages)
    yield from _named("on_call", settings.on_call)


def _named(scope: str, receivers: Sequence[Receiver]) -> Iterator[tuple[str, Receiver]]:
    for place, receiver in enumerate(receivers, 1):
        yield f"{scope}.{receiver.name or f'{receiver.kind}-{place}'}", receiver
