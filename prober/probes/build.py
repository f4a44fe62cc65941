"""From the settings of what is called to the probe that calls it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from prober import vendors
from prober.probes.call import Probe
from prober.probes.conversation import Conversation
from prober.probes.expectation import Expectation
from prober.probes.http import HttpPlan
from prober.probes.reactor import Reactor
from prober.probes.resolve import Resolver
from prober.probes.smtp import SmtpPlan
from prober.probes.target import Target, context_for
from prober.probes.tcp import TcpConversation
from prober.probes.wire import WireProbe
from prober.settings import ApiEndpoint, Control, SmtpEndpoint
from rules.model import Kind

if TYPE_CHECKING:
    from prober.probes.httpx_engine import HttpxEngine

_PORTS = {"http": 80, "https": 443}
#: In a request target beside letters, digits and -._; % stands for what is encoded already.
_SAFE = "!#$%&'()*+,/:;=?@[]~"


@dataclass(frozen=True)
class Address:
    """A URL taken apart for the wire. `authority` is what the Host header says."""

    scheme: str
    host: str
    port: int
    authority: str
    target: str  # path and query

    @classmethod
    def of(cls, url: str) -> "Address":
        """`url` is http or https, has a host and no user (the configuration has checked it)."""
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode() if not _literal(parts.hostname) else parts.hostname or ""
        port = parts.port or _PORTS[parts.scheme]
        shown = f"[{host}]" if ":" in host else host
        authority = shown if port == _PORTS[parts.scheme] else f"{shown}:{port}"
        target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_SAFE)
        return cls(parts.scheme, host, port, authority, target)


def _literal(host: str | None) -> bool:
    return host is None or ":" in host or host.isascii()


def _name(host: str) -> str:
    """As SNI and certificates have it: without the dot that ends a name that is fully qualified (RFC 6066, 3)."""
    return host.removesuffix(".")


@dataclass
class Engines:
    """What probes are made of: one set a process and event loop. `redact` takes secrets out of what is shown."""

    loop: asyncio.AbstractEventLoop
    reactor: Reactor
    resolver: Resolver
    redact: Callable[[str], str] = str

    @cached_property
    def httpx(self) -> "HttpxEngine":
        """Started when the first endpoint wants it; it has a thread and a loop of its own."""
        from prober.probes.httpx_engine import HttpxEngine  # httpx is slow to load, and few want it

        return HttpxEngine(self.loop)

    def api(self, endpoint: ApiEndpoint) -> Probe:
        """Raises OSError or ssl.SSLError for certificate files that cannot be used."""
        if endpoint.engine == "httpx":
            return self.httpx.probe(endpoint, vendors.load(endpoint.vendor).markers)
        address = Address.of(endpoint.url)
        headers = {name: value.get_secret_value() for name, value in endpoint.headers.items()}
        plan = HttpPlan.build(
            endpoint.method,
            address.target,
            address.authority,
            headers,
            endpoint.body,
            Expectation.of(endpoint.expect, vendors.load(endpoint.vendor).markers),
            reuse=endpoint.connection == "reuse",
            secret=self.redact,
        )
        secure = address.scheme == "https"
        target = Target(
            Kind.HTTP,
            address.host,
            address.port,
            tls="implicit" if secure else "none",
            context=context_for(endpoint.ca, endpoint.client_cert, verify=endpoint.verify, alpn=("http/1.1",))
            if secure
            else None,
            server_name=_name(endpoint.sni or address.host),
            resolve=endpoint.resolve,
            reuse=endpoint.connection == "reuse",
        )
        return self._wire(target, plan.conversation)

    def smtp(self, endpoint: SmtpEndpoint) -> Probe:
        """Raises OSError or ssl.SSLError for certificate files that cannot be used, ValueError for what cannot be sent."""
        plan = SmtpPlan.of(endpoint)
        secure = endpoint.tls != "none"
        target = Target(
            Kind.SMTP,
            endpoint.host,
            endpoint.port,
            tls=endpoint.tls,
            context=context_for(endpoint.ca, endpoint.client_cert, verify=endpoint.verify) if secure else None,
            server_name=_name(endpoint.sni or endpoint.host),
            resolve=endpoint.resolve,
            reuse=plan.reuse,
        )
        return self._wire(target, plan.conversation)

    def control(self, control: Control) -> Probe:
        """Raises OSError or ssl.SSLError for a CA file that cannot be used."""
        if control.tcp is not None:
            host, _, port = control.tcp.rpartition(":")
            return self._wire(Target(Kind.TCP, host.strip("[]"), int(port), resolve=control.resolve), TcpConversation)
        url = control.url or ""
        return self.api(
            ApiEndpoint(name=control.name, url=url, expect=control.expect, ca=control.ca, resolve=control.resolve)
        )

    def _wire(self, target: Target, converse: Callable[..., Conversation]) -> WireProbe:
        return WireProbe(target, converse, self.loop, self.reactor, self.resolver)

    def like(self, redact: Callable[[str], str]) -> "Engines":
        """The same engines for a new configuration with other secrets."""
        other = Engines(self.loop, self.reactor, self.resolver, redact)
        if "httpx" in self.__dict__:
            other.__dict__["httpx"] = self.httpx
        return other

    def close(self) -> None:
        """Close all that was opened for them."""
        if "httpx" in self.__dict__:
            self.httpx.close()
        self.resolver.close()
        self.reactor.shut()
