"""Holds a configuration against what the vendor documents about how it may be called (the contract pack's `limits`).

Not keeping to one is no error: a call that gives up early shows trouble early. But the vendor can contest what it shows.
"""

from collections.abc import Iterator
from pathlib import Path

from prober.packs import load
from prober.settings import ApiEndpoint, Service, Settings, SmtpEndpoint, format_duration
from rules.contracts.clauses import Limit, LimitKind

Endpoint = ApiEndpoint | SmtpEndpoint


def notes(settings: Settings, base: Path) -> Iterator[str]:
    """Each documented limit that the configuration does not keep to, in a sentence or two."""
    for name, service in settings.services.items():
        for limit in load(service.contract, base).limits:
            yield from _notes(f"services.{name}.channels", limit, service)


def _notes(where: str, limit: Limit, service: Service) -> Iterator[str]:
    channels: dict[str, tuple[Endpoint, ...]] = {"api": service.channels.api, "smtp": service.channels.smtp}
    concerned = [(c, e) for c, endpoints in channels.items() for e in endpoints if limit.channel in ("", c)]
    source = f"{limit.means} ({limit.source})"
    if limit.kind is LimitKind.DEADLINE:
        for channel, endpoint in concerned:
            timeout = endpoint.timeout or service.timeout
            if timeout < limit.value * 1000:
                yield f"{where}.{channel} {endpoint.name}: gives up after {format_duration(timeout)}. {source}"
    elif limit.kind is LimitKind.CALLS_PER_SECOND:
        calls = sum(1000 / (endpoint.every or service.every) for _, endpoint in concerned)
        if calls > limit.value:
            yield f"{where} make {calls:g} calls a second, and {limit.value} are allowed. {source}"
    else:
        held = sum(_held(endpoint, service) for _, endpoint in concerned)
        if held > limit.value:
            yield f"{where} hold up to {held} connections, and {limit.value} are allowed. {source}"


def _held(endpoint: Endpoint, service: Service) -> int:
    """Calls of an endpoint that can be in flight at once, and so connections."""
    return endpoint.hold or (endpoint.timeout or service.timeout) // (endpoint.every or service.every) + 1
