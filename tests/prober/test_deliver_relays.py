"""Which relays are the service itself: by name, by address, by port where an address is not the vendor's alone."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from prober.deliver import relays as relays_module
from prober.deliver.build import learn
from prober.deliver.relays import Guard, Peer, peers
from prober.settings import Relay, Service, Settings

NAMES = {
    "smtp.vendor.test": ["198.51.100.9", "8.8.4.4"],
    "mx.vendor.test": ["8.8.4.4"],
    "mx.example.test": ["8.8.8.8"],
    "six.vendor.test": ["2001:4860:4860::8888"],
    "mapped.example.test": ["::ffff:8.8.4.4"],
    "inner.test": ["10.0.0.5"],
    "localhost": ["127.0.0.1", "::1"],
}


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Names as the test says; everything else does not exist."""
    names = dict(NAMES)

    async def resolve(name: str) -> frozenset[Any]:
        return frozenset(a for text in names.get(name, []) if (a := relays_module._literal(text)) is not None)

    monkeypatch.setattr(relays_module, "_resolve", resolve)
    return names


def relay(host: str, port: int = 587) -> Relay:
    return Relay.model_validate({"host": host, "port": port})


def kept(relays: Sequence[Relay], *service: Peer, guard: Guard | None = None) -> list[str]:
    usable, skipped = asyncio.run((guard or Guard()).usable(relays, service))
    assert len(usable) + len(skipped) == len(relays)
    return [r.host for r in usable]


@pytest.mark.parametrize(
    ("host", "port", "peer", "usable"),
    [
        ("SMTP.Vendor.Test.", 25, Peer("smtp.vendor.test", 587), False),  # the same name, whatever the port
        ("mx.vendor.test", 25, Peer("smtp.vendor.test", 587), False),  # the same global address, whatever the port
        ("mapped.example.test", 25, Peer("smtp.vendor.test", 587), False),
        ("8.8.4.4", 25, Peer("smtp.vendor.test", 587), False),
        ("mx.example.test", 587, Peer("smtp.vendor.test", 587), True),
        ("mx.example.test", 587, Peer("8.8.8.8", 2525), False),
        ("2001:4860:4860::8888", 25, Peer("six.vendor.test", 443), False),
        ("10.0.0.5", 25, Peer("inner.test", 587), True),  # one private address may carry many things
        ("10.0.0.5", 587, Peer("inner.test", 587), False),
        ("inner.test", 25, Peer("inner.test", 587), False),
        ("localhost", 2525, Peer("localhost", 587), True),  # this machine's names are compared as addresses
        ("localhost", 587, Peer("127.0.0.1", 587), False),
        ("127.0.0.1", 587, Peer("127.0.0.1", 588), True),
        ("mx.example.test", 25, Peer("other.test", 587, ("8.8.8.8",)), False),  # fixed addresses
        ("mx.vendor.test", 25, Peer("smtp.vendor.test", 587, ("8.8.8.8",)), True),
        ("unknown.test", 25, Peer("smtp.vendor.test", 587), True),
        ("mx.example.test", 25, Peer("unknown.test", 587), True),
        ("bücher.test", 25, Peer("xn--bcher-kva.test", 587), False),
    ],
)
def test_a_relay_is_the_service_by_name_or_address(
    host: str, port: int, peer: Peer, usable: bool, dns: dict[str, list[str]]
) -> None:
    configured = relay("placeholder", port).model_copy(update={"host": host})
    assert bool(kept([configured], peer)) is usable


def test_the_order_stays_and_the_reason_is_told(dns: dict[str, list[str]]) -> None:
    relays = [relay("mx.vendor.test"), relay("mx.example.test"), relay("inner.test")]
    usable, skipped = asyncio.run(Guard().usable(relays, [Peer("smtp.vendor.test", 443)]))
    assert [r.host for r in usable] == ["mx.example.test", "inner.test"]
    assert [s.why for s in skipped] == [
        "mx.vendor.test:587 has the address 8.8.4.4 of the service's endpoint smtp.vendor.test"
    ]


def test_what_was_known_counts_when_the_vendors_dns_is_down_too(dns: dict[str, list[str]]) -> None:
    guard, vendor = Guard(), Peer("smtp.vendor.test", 443)
    assert kept([relay("mx.vendor.test")], vendor, guard=guard) == []
    del dns["smtp.vendor.test"]
    assert kept([relay("mx.vendor.test")], vendor, guard=guard) == []
    assert kept([relay("mx.vendor.test")], vendor, guard=Guard()) == ["mx.vendor.test"]
    assert guard.is_service("8.8.4.4", 25, [vendor])
    assert not guard.is_service("8.8.8.8", 25, [vendor])


def test_a_name_server_that_is_silent_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(name: str) -> frozenset[Any]:
        await asyncio.Event().wait()
        return frozenset()

    monkeypatch.setattr(relays_module, "_resolve", silent)
    monkeypatch.setattr(relays_module, "LOOKUP", 0.05)
    assert kept([relay("mx.example.test")], Peer("smtp.vendor.test", 587)) == ["mx.example.test"]


def test_names_are_looked_up_for_real(caplog: pytest.LogCaptureFixture) -> None:
    assert kept([relay("localhost", 587)], Peer("127.0.0.1", 587)) == []
    with caplog.at_level(logging.WARNING):
        assert asyncio.run(relays_module._resolve("no-such-name.invalid")) == frozenset()
    assert "no-such-name.invalid" in caplog.text


def test_a_name_that_is_none_has_no_address() -> None:
    assert relays_module._name("a" * 70 + "ü.test").startswith("aaa")
    assert asyncio.run(relays_module._resolve("ü" * 70)) == frozenset()


def service() -> dict[str, Any]:
    return {
        "contract": "c",
        "channels": {
            "api": [
                {"name": "one", "url": "https://api.vendor.test/v1"},
                {"name": "two", "url": "http://api.vendor.test/v1", "resolve": ["8.8.8.8"]},
                {"name": "three", "url": "https://[2001:db8::1]:8443/"},
            ],
            "smtp": [{"name": "mail", "host": "smtp.vendor.test", "port": 2525, "depth": "ehlo"}],
        },
    }


def test_everything_that_is_called_counts() -> None:
    assert peers(Service.model_validate(service())) == (
        Peer("smtp.vendor.test", 2525),
        Peer("api.vendor.test", 443),
        Peer("api.vendor.test", 80, ("8.8.8.8",)),
        Peer("2001:db8::1", 8443),
    )


def test_addresses_can_be_learnt_before_they_are_needed(dns: dict[str, list[str]]) -> None:
    guard = Guard()
    settings = Settings.model_validate({"services": {"v": service()}, "relays": [{"host": "mx.vendor.test"}]})
    asyncio.run(learn(settings, guard))
    assert guard.is_service("198.51.100.9", 2525, [Peer("smtp.vendor.test", 2525)])
