"""From settings to probes: URLs taken apart, targets, requests, and what a reload keeps."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trustme

from prober.probes.build import Address, Engines
from prober.probes.call import Call
from prober.probes.httpx_engine import HttpxProbe
from prober.probes.reactor import Reactor
from prober.probes.resolve import Resolver
from prober.probes.target import Target
from prober.probes.wire import WireProbe
from prober.settings import ApiEndpoint, Control, SmtpEndpoint
from rules.model import Kind
from tests.peers.http_peer import http_peer
from tests.prober.http_calls import call

_R = TypeVar("_R")


def built(make: Callable[[Engines], _R]) -> _R:
    async def work() -> _R:
        loop = asyncio.get_running_loop()
        engines = Engines(loop, Reactor(loop), Resolver(loop))
        try:
            return make(engines)
        finally:
            engines.close()

    return asyncio.run(work())


def target(section: ApiEndpoint | SmtpEndpoint | Control) -> Target:
    def make(engines: Engines) -> Target:
        if isinstance(section, ApiEndpoint):
            probe = engines.api(section)
        else:
            probe = engines.smtp(section) if isinstance(section, SmtpEndpoint) else engines.control(section)
        assert isinstance(probe, WireProbe)
        return probe.target

    return built(make)


@pytest.mark.parametrize(
    ("url", "host", "port", "authority", "shown"),
    [
        ("http://api.example.com", "api.example.com", 80, "api.example.com", "/"),
        ("https://API.example.com:443/a?b=c", "api.example.com", 443, "api.example.com", "/a?b=c"),
        ("https://api.example.com:8443/", "api.example.com", 8443, "api.example.com:8443", "/"),
        ("http://[2001:db8::1]:8080/x", "2001:db8::1", 8080, "[2001:db8::1]:8080", "/x"),
        ("http://[2001:db8::1]/", "2001:db8::1", 80, "[2001:db8::1]", "/"),
        ("http://bücher.example/", "xn--bcher-kva.example", 80, "xn--bcher-kva.example", "/"),
        ("http://x.example/grün ?q=a b%20c#part", "x.example", 80, "x.example", "/gr%C3%BCn%20?q=a%20b%20c"),
        ("http://x.example?q=1", "x.example", 80, "x.example", "/?q=1"),
    ],
)
def test_a_url_is_taken_apart_for_the_wire(url: str, host: str, port: int, authority: str, shown: str) -> None:
    address = Address.of(url)
    assert (address.host, address.port, address.authority, address.target) == (host, port, authority, shown)


def test_tls_asks_for_and_verifies_the_hosts_name_or_the_one_given() -> None:
    plain = target(ApiEndpoint(name="x", url="http://x.example/"))
    assert (plain.tls, plain.context, plain.kind, plain.reuse) == ("none", None, Kind.HTTP, False)
    secure = target(ApiEndpoint(name="x", url="https://x.example./", connection="reuse", resolve=("192.0.2.1",)))
    assert (secure.tls, secure.server_name, secure.reuse) == ("implicit", "x.example", True)
    assert secure.context is not None
    assert secure.context.verify_mode is ssl.CERT_REQUIRED
    assert target(ApiEndpoint(name="x", url="https://x.example/", sni="y.example")).server_name == "y.example"
    unverified = target(ApiEndpoint(name="x", url="https://x.example/", verify=False))
    assert unverified.context is not None
    assert unverified.context.verify_mode is ssl.CERT_NONE


def test_sni_is_sent_and_the_clients_certificate_is_shown(tmp_path: Path) -> None:
    authority = trustme.CA()
    for engine in ("wire", "httpx"):
        with http_peer(tls="good", authority=authority) as peer:
            seen = call(peer, tmp_path, engine=engine, sni="localhost")
            assert (seen.code, peer.requests[0].server_name) == (200, "localhost")
        with http_peer(tls="client_certificate", authority=authority) as peer:
            shown = {"cert": str(peer.certificates.client(tmp_path))}
            assert call(peer, tmp_path, engine=engine, client_cert=shown).code == 200


def test_an_smtp_endpoint_has_its_ways_of_tls() -> None:
    common: dict[str, Any] = {"name": "x", "host": "mx.example.", "depth": "ehlo"}
    starttls = target(SmtpEndpoint.model_validate(common))
    assert (starttls.kind, starttls.port, starttls.tls, starttls.server_name) == (
        Kind.SMTP,
        587,
        "starttls",
        "mx.example",
    )
    assert starttls.context is not None
    assert target(SmtpEndpoint.model_validate(common | {"tls": "none"})).context is None
    with pytest.raises(ValueError, match="needs mail"):
        target(SmtpEndpoint.model_validate(common | {"depth": "data"}))


def test_a_control_connects_or_asks() -> None:
    tcp = target(Control.model_validate({"name": "c", "tcp": "[2001:db8::1]:53"}))
    assert (tcp.kind, tcp.host, tcp.port) == (Kind.TCP, "2001:db8::1", 53)
    url = target(Control.model_validate({"name": "c", "url": "https://x.example/204"}))
    assert (url.kind, url.host, url.tls) == (Kind.HTTP, "x.example", "implicit")


def test_the_thread_of_httpx_begins_with_the_first_endpoint_that_wants_it_and_outlives_a_reload() -> None:
    def make(engines: Engines) -> None:
        engines.api(ApiEndpoint(name="x", url="http://x.example/"))
        assert "httpx" not in engines.__dict__
        assert "httpx" not in engines.like(str).__dict__
        probe = engines.api(ApiEndpoint(name="x", url="http://x.example/", engine="httpx", connection="reuse"))
        assert isinstance(probe, HttpxProbe)
        other = engines.like(str.upper)
        assert other.httpx is engines.httpx
        assert (other.reactor, other.resolver, other.redact("x")) == (engines.reactor, engines.resolver, "X")
        probe.close()

    built(make)


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    bad = tmp_path / "ca.pem"
    bad.write_text("nothing")
    with pytest.raises(ssl.SSLError):
        target(ApiEndpoint(name="x", url="https://x.example/", ca=bad))


def test_a_call_is_nothing_by_itself() -> None:
    bare = Call(lambda call: None)
    assert (bare.cert_expiry, bare.transcript(), bare.healthy, bare.observation) == (0, [], False, None)
