"""Relays that are not the service itself: tickets never leave through the service that they complain about.

A relay is the service when it has the name of one of its endpoints, when it has an endpoint's global address
(whatever the port: it is the vendor's machine), or when it has an endpoint's non-global address and port (one private
address may carry many things, a port of it one). Names of this machine say nothing and are compared as addresses
(DESIGN.md, "Relays").
"""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from prober.settings import Relay, Service

log = logging.getLogger(__name__)

#: Seconds that looking up names may take; what has not answered by then is judged by what was known before.
LOOKUP = 3.0
_THIS_MACHINE = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Peer:
    """Where something listens. `addresses` are fixed ones (`resolve:`); when there are none, the name is looked up."""

    host: str
    port: int
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A relay that is not to be used, and why."""

    relay: Relay
    why: str


def peers(service: Service) -> tuple[Peer, ...]:
    """Everything that is called of a service, in either channel."""
    found = [Peer(e.host, e.port, e.resolve) for e in service.channels.smtp]
    for endpoint in service.channels.api:
        url = urlsplit(endpoint.url)
        port = url.port or (443 if url.scheme == "https" else 80)
        found.append(Peer(url.hostname or "", port, endpoint.resolve))
    return tuple(found)


class Guard:
    """Sorts out relays. Keeps the last known addresses of each name, for the minutes in which the vendor's DNS is
    down too."""

    def __init__(self) -> None:
        self._known: dict[str, frozenset[Address]] = {}

    async def usable(
        self, relays: Sequence[Relay], service: Iterable[Peer]
    ) -> tuple[tuple[Relay, ...], tuple[Skipped, ...]]:
        """The relays that may carry a ticket about `service`, in their order, and those that may not."""
        own = tuple(service)
        names = {_name(p.host) for p in own if not p.addresses} | {_name(r.host) for r in relays}
        addresses = await self._look_up(names)
        kept, skipped = [], []
        for relay in relays:
            mine = addresses.get(_name(relay.host), frozenset())
            why = next(
                (w for peer in own if (w := _same(relay.host, relay.port, mine, peer, _of(peer, addresses)))), ""
            )
            if why:
                skipped.append(Skipped(relay, why))
            else:
                kept.append(relay)
        return tuple(kept), tuple(skipped)

    def is_service(self, address: str, port: int, service: Iterable[Peer]) -> bool:
        """Whether the address that a connection really went to is the service's, by what `usable` has just learnt."""
        mine = frozenset(a for a in (_literal(address),) if a is not None)
        return any(_same(address, port, mine, peer, _of(peer, self._known)) for peer in service)

    async def _look_up(self, names: Collection[str]) -> dict[str, frozenset[Address]]:
        literals = {name: literal for name in names if (literal := _literal(name)) is not None}
        found = {name: frozenset({literal}) for name, literal in literals.items()}
        unknown = [name for name in names if name not in literals]
        tasks = {name: asyncio.ensure_future(_resolve(name)) for name in unknown}
        if tasks:
            _, late = await asyncio.wait(tasks.values(), timeout=LOOKUP)
            for task in late:
                task.cancel()
        for name, task in tasks.items():
            if task.done() and not task.cancelled() and (addresses := task.result()):
                self._known[name] = addresses
            found[name] = self._known.get(name, frozenset())
        return found


def _same(host: str, port: int, mine: frozenset[Address], peer: Peer, theirs: frozenset[Address]) -> str:
    """Why what listens at `host` (with the addresses `mine`) is the service's endpoint; "" when it is not."""
    name = _name(host)
    if name == _name(peer.host) and name not in _THIS_MACHINE and _literal(name) is None:
        return f"{host} is an endpoint of the service"
    for address in sorted(mine & theirs, key=str):
        if address.is_global or port == peer.port:
            return f"{host}:{port} has the address {address} of the service's endpoint {peer.host}"
    return ""


def _of(peer: Peer, addresses: Mapping[str, frozenset[Address]]) -> frozenset[Address]:
    fixed = frozenset(a for text in (*peer.addresses, peer.host) if (a := _literal(text)) is not None)
    return fixed or addresses.get(_name(peer.host), frozenset())


def _name(host: str) -> str:
    """A host's name as names are compared: without case, the root's dot, and in ASCII (RFC 5890)."""
    name = host.strip().strip("[]").rstrip(".").lower()
    try:
        return name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return name


def _literal(text: str) -> Address | None:
    """An address written out; an IPv6 form of an IPv4 address is that IPv4 address."""
    try:
        address = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


async def _resolve(name: str) -> frozenset[Address]:
    try:
        answers = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        log.warning("a relay's or endpoint's name has no address now: %s (%s)", name, type(error).__name__)
        return frozenset()
    return frozenset(a for answer in answers if (a := _literal(str(answer[4][0]))) is not None)
