"""From the configuration to lanes: what is called, how often, and by which probe."""

from collections.abc import Mapping
from dataclasses import dataclass

from prober import vendors
from prober.measure.clock import NS
from prober.measure.lane import Lane, LaneKey
from prober.probes.build import Engines
from prober.settings import ApiEndpoint, Settings, Slow, SmtpEndpoint
from rules.model import Kind

_MS = NS // 1000
#: Controls are called every second, and have so long to answer (DESIGN.md, "Controls").
CONTROL_EVERY, CONTROL_TIMEOUT = NS, 2 * NS


@dataclass(frozen=True, slots=True)
class Lanes:
    """Lanes by service and channel, and those of the controls."""

    services: Mapping[str, Mapping[str, list[Lane]]]
    controls: list[Lane]

    def all(self) -> list[Lane]:
        """Every lane of every service."""
        return [lane for channels in self.services.values() for some in channels.values() for lane in some]


def build(settings: Settings, engines: Engines) -> Lanes:
    """Raises OSError, ssl.SSLError or ValueError for what the configuration's check cannot have seen."""
    services = {}
    for name, service in settings.services.items():
        channels: dict[str, list[Lane]] = {"api": [], "smtp": []}
        for channel, endpoints in (("api", service.channels.api), ("smtp", service.channels.smtp)):
            for endpoint in endpoints:
                every, timeout = endpoint.every or service.every, endpoint.timeout or service.timeout
                channels[channel].append(
                    _lane(LaneKey(name, channel, endpoint.name), endpoint, every, timeout, engines, service.slow)
                )
        services[name] = {channel: lanes for channel, lanes in channels.items() if lanes}
    controls = [
        Lane(
            LaneKey("", "", control.name),
            Kind.TCP if control.tcp else Kind.HTTP,
            engines.control(control),
            vendors.load("generic"),
            every=CONTROL_EVERY,
            timeout=CONTROL_TIMEOUT,
            control=True,
        )
        for control in settings.controls
    ]
    return Lanes(services, controls)


def _lane(
    key: LaneKey,
    endpoint: ApiEndpoint | SmtpEndpoint,
    every: int,
    timeout: int,
    engines: Engines,
    slow: Slow | None,
) -> Lane:
    if isinstance(endpoint, ApiEndpoint):
        kind, probe, tls = Kind.HTTP, engines.api(endpoint), endpoint.url.startswith("https:")
    else:
        kind, probe, tls = Kind.SMTP, engines.smtp(endpoint), endpoint.tls != "none"
    return Lane(
        key,
        kind,
        probe,
        vendors.load(endpoint.vendor),
        every=every * _MS,
        timeout=timeout * _MS,
        hold=endpoint.hold,
        tls=tls,
        same=(endpoint, every),
        slow=slow.over * _MS if slow is not None else 0,
    )


def inherit(new: Lanes, old: Lanes) -> None:
    """What an endpoint has shown stays known over a reload, as long as it is called in the same way."""
    known = {lane.key: lane for lane in old.all()}
    for lane in new.all():
        before = known.get(lane.key)
        if before is not None and before.same == lane.same:
            lane.history, lane.failing = before.history, before.failing
            lane.wait_until, lane.back_off = before.wait_until, before.back_off
