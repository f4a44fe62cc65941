"""What `/probe?target=&module=&hostname=` means: which endpoint is to be called, and how.

Modules bear blackbox_exporter's names where it has them. They change how an endpoint is called, never who is called:
without `web.probe_any_target` every target must be configured.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from prober.settings import ApiEndpoint, Control, Expect, Service, Settings, SmtpEndpoint

#: What can be called once.
Callee = ApiEndpoint | SmtpEndpoint | Control

MODULES = {
    "configured": "the endpoint as it is configured; the default",
    "http_2xx": "GET of an API endpoint's URL, any 2xx will do",
    "http_post_2xx": "the same with POST, without a body",
    "tcp_connect": "a TCP handshake",
    "smtp_banner": "the greeting of an SMTP endpoint",
    "smtp_starttls": "as far as TLS by STARTTLS, no login",
}
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?|[0-9A-Fa-f:.]{2,45}")


class BadQueryError(Exception):
    """The query cannot be answered; the text says what would be right. It is a 400 to whoever asked."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to call. `vendor` is whose error bodies it speaks, `timeout` the configured one in seconds."""

    name: str  # service/channel/endpoint, or the target as given
    module: str
    callee: Callee
    vendor: str
    timeout: float


@dataclass(frozen=True, slots=True)
class _Known:
    service: Service
    channel: str
    path: str
    endpoint: ApiEndpoint | SmtpEndpoint


def resolve(settings: Settings, target: str, module: str, hostname: str) -> Asked:
    """Reads the query. Raises BadQueryError."""
    if module not in MODULES:
        modules = "".join(f"\n  {name}: {words}" for name, words in MODULES.items())
        raise BadQueryError(f"There is no module of this name. There are:{modules}")
    if not target:
        raise BadQueryError(f"A target is needed: /probe?target=NAME. {_targets(settings)}")
    if hostname and not _HOST.fullmatch(hostname):
        raise BadQueryError("hostname is not a host's name")
    found = _find(settings, target, module)
    if found is None:
        if not settings.web.probe_any_target:
            raise BadQueryError(f"No such target is configured. {_targets(settings)}")
        try:
            callee = _named(_foreign(target, module), hostname)
        except ValueError as error:  # the settings' own checks, or a URL that cannot be taken apart
            raise BadQueryError("The target is not what this module calls: an http or https URL.") from error
        return Asked(target, module, callee, "generic", 10.0)
    milliseconds = found.endpoint.timeout or found.service.timeout
    callee = _named(_adapted(found.endpoint, module), hostname)
    return Asked(found.path, module, callee, found.endpoint.vendor, milliseconds / 1000)


def _known(settings: Settings) -> Iterator[_Known]:
    for name, service in settings.services.items():
        for api in service.channels.api:
            yield _Known(service, "api", f"{name}/api/{api.name}", api)
        for smtp in service.channels.smtp:
            yield _Known(service, "smtp", f"{name}/smtp/{smtp.name}", smtp)


def _targets(settings: Settings) -> str:
    """The configured targets in words; names alone, since a URL may carry a key."""
    paths = [known.path for known in _known(settings)]
    shown = "".join(f"\n  {path}" for path in paths[:100])
    rest = f"\n  and {len(paths) - 100} more" if len(paths) > 100 else ""
    return f"There are:{shown}{rest}" if paths else "None is configured."


def _find(settings: Settings, target: str, module: str) -> _Known | None:
    """The configured endpoint that the target names: by path, by name, by URL or by host and port, in this order."""
    fitting = [known for known in _known(settings) if _fits(known.endpoint, module)]
    for names in (_by_path, _by_name, _by_address):
        found = [known for known in fitting if target in names(known)]
        if len(found) > 1:
            paths = "".join(f"\n  {known.path}" for known in found)
            raise BadQueryError(f"The target is ambiguous. Ask for one of:{paths}")
        if found:
            return found[0]
    return None


def _by_path(known: _Known) -> tuple[str, ...]:
    return (known.path,)


def _by_name(known: _Known) -> tuple[str, ...]:
    return (known.endpoint.name,)


def _by_address(known: _Known) -> tuple[str, ...]:
    host, port = _address(known.endpoint)
    joined = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if isinstance(known.endpoint, ApiEndpoint):
        return known.endpoint.url, known.endpoint.url.rstrip("/"), joined
    return (joined,)


def _fits(endpoint: ApiEndpoint | SmtpEndpoint, module: str) -> bool:
    protocol = module.partition("_")[0]
    return protocol in {"configured", "tcp", "http" if isinstance(endpoint, ApiEndpoint) else "smtp"}


def _address(endpoint: ApiEndpoint | SmtpEndpoint) -> tuple[str, int]:
    if isinstance(endpoint, SmtpEndpoint):
        return endpoint.host, endpoint.port
    parts = urlsplit(endpoint.url)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)


def _adapted(endpoint: ApiEndpoint | SmtpEndpoint, module: str) -> Callee:
    """The endpoint as the module calls it. A login that the module does not need is not taken along."""
    if module == "configured":
        return endpoint
    if module == "tcp_connect":
        host, port = _address(endpoint)
        joined = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return Control(name=endpoint.name, tcp=joined, resolve=endpoint.resolve)
    if isinstance(endpoint, ApiEndpoint):
        method = "POST" if module == "http_post_2xx" else "GET"
        return endpoint.model_copy(update={"method": method, "body": None, "expect": Expect()})
    plain = {"login": None, "mail": None}
    if module == "smtp_starttls":
        return endpoint.model_copy(update={**plain, "depth": "tls", "tls": "starttls"})
    tls = "implicit" if endpoint.tls == "implicit" else "none"
    return endpoint.model_copy(update={**plain, "depth": "banner", "tls": tls})


def _named(callee: Callee, hostname: str) -> Callee:
    """Asks for another name at the same address: SNI, verification and Host.

    Credentials stay at home: whoever may send a query must not choose the name whose certificate will do for them.
    """
    if not hostname or isinstance(callee, Control):
        return callee
    if isinstance(callee, SmtpEndpoint):
        return callee.model_copy(update={"sni": hostname, "login": None, "client_cert": None})
    headers = ApiEndpoint(name="x", url="http://x", headers={"Host": hostname}).headers
    return callee.model_copy(update={"sni": hostname, "headers": headers, "client_cert": None, "body": None})


def _foreign(target: str, module: str) -> Callee:
    """A target that is not configured. Raises BadQueryError when it is none, or the module needs a configured one."""
    if module == "configured":
        raise BadQueryError("The module configured needs a configured target; name another module.")
    if module.startswith("http"):
        url = target if "://" in target else f"http://{target}"
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or any(c <= " " or c == "\x7f" for c in url):
            raise BadQueryError("The target is not an http or https URL.")
        return ApiEndpoint(name="target", url=url, method="POST" if module == "http_post_2xx" else "GET")
    host, port = _host_port(target, 25 if module.startswith("smtp") else 0)
    if module == "tcp_connect":
        return Control(name="target", tcp=f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    if module == "smtp_starttls":
        return SmtpEndpoint(name="target", host=host, port=port, tls="starttls", depth="tls")
    return SmtpEndpoint(name="target", host=host, port=port, tls="none", depth="banner")


def _host_port(target: str, default: int) -> tuple[str, int]:
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]\s]+))(?::([0-9]{1,5}))?", target)
    port = int(match[3]) if match and match[3] else default
    host = (match[1] or match[2]) if match else ""
    if not _HOST.fullmatch(host) or not 1 <= port <= 65535:
        raise BadQueryError("The target is not host:port (an IPv6 address in brackets).")
    return host, port
