"""What is not wrong in a configuration, but should be known before it runs: warnings, and what it calls and sends a month.

Nothing here asks the network: names are compared as names, addresses as addresses.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from prober.fields import format_duration, split_host_port
from prober.packs import load
from prober.redact import is_secret_header
from prober.settings import ApiEndpoint, Control, Endpoint, Relay, Service, Settings, SmtpEndpoint
from rules.contracts.model import Hotline
from rules.model import Condition

MONTH = 30 * 86_400_000  # ms: thirty days
#: What is looked for whatever the configuration says.
_ALWAYS = (Condition.UNAVAILABLE, Condition.PARTIAL, Condition.FAILING, Condition.BLIND)
#: Where PagerDuty takes events (events., events.eu.), and how long its integration keys are (its Events API v2: routing_key).
_PAGERDUTY, _ROUTING_KEY = ".pagerduty.com", 32
#: Characters of a token that nobody guesses in years, random ones.
_TOKEN = 16


@dataclass(frozen=True, slots=True)
class Load:
    """How often an endpoint is called in thirty days, and how many mails that injects."""

    service: str
    channel: str
    endpoint: str
    every: int  # ms
    calls: int
    mails: int


def loads(settings: Settings) -> tuple[Load, ...]:
    """What the configuration makes of calls and mails a month, by endpoint."""
    found = []
    for name, service in settings.services.items():
        for channel, endpoint in _endpoints(service):
            every = endpoint.every or service.every
            calls = MONTH // every
            mails = calls if isinstance(endpoint, SmtpEndpoint) and endpoint.depth == "data" else 0
            found.append(Load(name, channel, endpoint.name, every, calls, mails))
    return tuple(found)


def warnings(settings: Settings, base: Path) -> Iterator[str]:
    """What to know before this configuration runs, a sentence or two each."""
    yield from _controls(settings.controls)
    token = settings.web.token
    if token is not None and len(token.get_secret_value()) < _TOKEN:
        yield (
            f"web.token: is shorter than {_TOKEN} characters. Whoever guesses it enters steps and reloads: take a random"
            " one (openssl rand -hex 16)."
        )
    if not settings.on_call:
        yield "on_call: nobody is paged; write at least one receiver."
    yield from _keys(settings)
    yield from _resolves(settings)
    if _mails(settings) and not settings.relays:
        yield "relays: tickets or pages go by mail, and there is no relay that takes it; none can leave."
    for index, relay in enumerate(settings.relays):
        yield from _relay(f"relays[{index}]", relay, settings)
    for name, service in settings.services.items():
        yield from _service(f"services.{name}", service, base)
    for where, endpoint in _all(settings):
        yield from _endpoint(where, endpoint)


def _keys(settings: Settings) -> Iterator[str]:
    """PagerDuty answers a key of another length with 400, which nobody sees before the first page."""
    for index, receiver in enumerate(settings.on_call):
        own = receiver.pagerduty
        if own is None or own.routing_key is None or not (urlsplit(own.url).hostname or "").endswith(_PAGERDUTY):
            continue
        if (length := len(own.routing_key.get_secret_value())) != _ROUTING_KEY:
            yield (
                f"on_call[{index}].pagerduty.routing_key: has {length} characters, and PagerDuty's integration keys have"
                f" {_ROUTING_KEY}: copy it from an Events API v2 integration."
            )


def _resolves(settings: Settings) -> Iterator[str]:
    """A page's own number is known to a template by its search alone."""
    for index, receiver in enumerate(settings.on_call):
        own = receiver.template
        if own is None or own.add is None or own.find is not None:
            continue
        from prober.deliver.template import names  # for those alone who have one

        if names(own.add.url, "ticket"):
            yield (
                f"on_call[{index}].template.add.url: names ticket, which a page's resolve does not know without find. Every"
                " resolve is refused, and the page stays open there: write find, or name the page by opened."
            )


def _endpoints(service: Service) -> Iterator[tuple[str, ApiEndpoint | SmtpEndpoint]]:
    for api in service.channels.api:
        yield "api", api
    for smtp in service.channels.smtp:
        yield "smtp", smtp


def _all(settings: Settings) -> Iterator[tuple[str, ApiEndpoint | SmtpEndpoint]]:
    for name, service in settings.services.items():
        for channel, endpoint in _endpoints(service):
            yield f"services.{name}.channels.{channel} {endpoint.name}", endpoint


def _mails(settings: Settings) -> bool:
    return any(r.email for s in settings.services.values() for r in s.tickets + s.hotline + s.escalation) or any(
        r.email for r in settings.on_call
    )


def _controls(controls: tuple[Control, ...]) -> Iterator[str]:
    if not controls:
        yield (
            "controls: there is none. A time-out, refusal, reset or TLS failure cannot be told from our own network's"
            " then: it counts as nobody's, and no second is unavailable by it."
        )
    elif all(_is_private(address) for control in controls for address in _places(control)):
        yield (
            "controls: all are in private address ranges. They can be fine while our way to the Internet is not:"
            " add one outside."
        )


def _places(control: Control) -> tuple[str, ...]:
    """The control's addresses where they are fixed, else its host."""
    if control.resolve:
        return control.resolve
    if control.tcp is not None:
        return (split_host_port(control.tcp)[0],)
    return (urlsplit(control.url or "").hostname or "",)


def _is_private(host: str) -> bool:
    address = _address(host)
    return not address.is_global and not _documents(address) if address else host == "localhost"


def _documents(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether it is an address of examples (RFC 5737, RFC 3849), which stand for public ones."""
    return any(address in network for network in _EXAMPLES if network.version == address.version)


_EXAMPLES = tuple(
    ipaddress.ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address("127.0.0.1" if host.lower() == "localhost" else host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _relay(where: str, relay: Relay, settings: Settings) -> Iterator[str]:
    for place, endpoint in _all(settings):
        if _same(relay, endpoint):
            yield f"{where}: {relay.host} is {place}. A ticket never leaves by the service it is about: it is skipped."
            break
    if relay.tls == "none" and relay.password is not None and not _is_loopback(relay.host):
        yield f"{where}: tls: none sends the password in the clear."


def _same(relay: Relay, endpoint: ApiEndpoint | SmtpEndpoint) -> bool:
    """The same name; the same global address; the same other address only with the same port."""
    host, port = _peer(endpoint)
    if _address(relay.host) is None and relay.host.lower().rstrip(".") == host.lower().rstrip("."):
        return True
    ours = _address(relay.host)
    if ours is None:
        return False
    theirs = [address for each in (host, *endpoint.resolve) if (address := _address(each))]
    return any(ours == each and (ours.is_global or relay.port == port) for each in theirs)


def _peer(endpoint: ApiEndpoint | SmtpEndpoint) -> tuple[str, int]:
    if isinstance(endpoint, SmtpEndpoint):
        return endpoint.host, endpoint.port
    parts = urlsplit(endpoint.url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return address is not None and address.is_loopback


def _service(where: str, service: Service, base: Path) -> Iterator[str]:
    pack = load(service.contract, base).settled(service.terms)
    wants = pack.wanted
    if any(severity.ticket for severity in wants) and not service.tickets:
        yield f"{where}.tickets: {pack.title} asks for a ticket, and nobody takes it; write a receiver."
    if any(severity.hotline is not Hotline.NONE for severity in wants) and not service.hotline:
        yield f"{where}.hotline: {pack.title} has a hotline, and nobody is told to call it; write a receiver."
    if pack.hotline and "hotline" in (term.name for term in pack.terms) and not service.terms.get("hotline"):
        yield f"{where}.terms.hotline: the hotline's number is not given; whoever is to call will not find it."
    for condition in _ALWAYS:
        if condition not in pack.conditions and condition not in pack.on_call_alone:
            yield (
                f"{where}.contract: {pack.title} does not say what follows from `{condition}`: nobody is told of it. Add it"
                " to its on_call_alone, or to its conditions."
            )
    yield from _seldom(where, service)
    yield from _kinds(f"{where}.channels.api", [(each.name, _api_kind(each)) for each in service.channels.api])
    yield from _kinds(f"{where}.channels.smtp", [(each.name, _smtp_kind(each)) for each in service.channels.smtp])


def _seldom(where: str, service: Service) -> Iterator[str]:
    """A second counts by any channel: one that is called less often than the other cannot persist alone."""
    often: dict[str, int] = {}  # ms between two calls of the channel at best, whole seconds at least
    for channel, endpoint in _endpoints(service):
        every = max(1000, endpoint.every or service.every)
        often[channel] = min(every, often.get(channel, every))
    quickest = min(often.values(), default=0)
    for channel, every in often.items():
        if quickest / every < service.persistence.share:
            yield (
                f"{where}.channels.{channel}: is called every {format_duration(every)}, the other channel every"
                f" {format_duration(quickest)}. When {channel} alone is down, {quickest / every:.0%} of the measured"
                f" seconds are unavailable at most, less than persistence.share ({service.persistence.share:.0%}): no"
                " ticket would be opened. Call both channels equally often."
            )


def _api_kind(api: ApiEndpoint) -> str:
    return "a sending call" if api.method not in ("GET", "HEAD", "OPTIONS") else "a reading call"


def _smtp_kind(smtp: SmtpEndpoint) -> str:
    return "an injection" if smtp.depth == "data" else f"a dialogue up to {smtp.depth}"


def _kinds(where: str, kinds: Iterable[tuple[str, str]]) -> Iterator[str]:
    """One success makes a channel's second available: a cheap endpoint that works hides a failing one that matters."""
    found = list(kinds)
    if len({kind for _, kind in found}) > 1:
        shown = ", ".join(f"{name} ({kind})" for name, kind in found[:6]) + (", ..." if len(found) > 6 else "")
        yield (
            f"{where}: endpoints of different kinds: {shown}. A healthy cheap one hides failing sends, because a second"
            " in which any call of a channel succeeds is available."
        )


def _endpoint(where: str, endpoint: Endpoint) -> Iterator[str]:
    if not endpoint.verify:
        yield f"{where}: verify: false takes any certificate; the answer may be anybody's."
    if isinstance(endpoint, ApiEndpoint):
        plain = endpoint.url.startswith("http:") and not _is_loopback(urlsplit(endpoint.url).hostname or "")
        secrets = [name for name in endpoint.headers if is_secret_header(name)]
        if plain and secrets:
            yield f"{where}: {', '.join(secrets)} goes over plain http; anybody on the way can read it."
    elif isinstance(endpoint, SmtpEndpoint) and endpoint.login and endpoint.tls == "none":
        in_clear = endpoint.depth in ("auth", "rcpt", "data") and not _is_loopback(endpoint.host)
        if in_clear:
            yield f"{where}: tls: none sends the password in the clear."
