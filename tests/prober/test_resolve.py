"""Names to addresses, asked of a real DNS server on loopback."""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest

from prober.probes import ares, resolve
from prober.probes.resolve import Answer, Resolver, fixed
from rules.model import Trouble
from tests.peers.dns_peer import AAAA, CNAME, NXDOMAIN, REFUSED, SERVFAIL, A, DnsPeer, Zone, dns_peer

FOUR, SIX = socket.AF_INET, socket.AF_INET6


@pytest.fixture
def zone() -> Zone:
    return Zone()


@pytest.fixture
def dns(zone: Zone) -> Iterator[DnsPeer]:
    with dns_peer(zone) as peer:
        yield peer


class Clock:
    """Seconds that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


Scene = Callable[[Resolver], Awaitable[None]]


def play(scene: Scene, dns: DnsPeer, clock: Callable[[], float] = time.monotonic) -> None:
    """Run `scene` with a resolver that asks `dns`."""

    async def run() -> None:
        resolver = Resolver(asyncio.get_running_loop(), [dns.nameserver], clock)
        try:
            await scene(resolver)
        finally:
            resolver.close()

    asyncio.run(run())


async def ask(resolver: Resolver, host: str, port: int = 25) -> Answer:
    """The answer, at once or later."""
    later: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    return resolver.lookup(host, port, later.set_result) or await later


async def until(condition: Callable[[], object]) -> None:
    """Let the loop go on until `condition` holds."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "what was waited for did not come"
        await asyncio.sleep(0.005)


def known(resolver: Resolver, host: str, port: int = 25) -> Answer | None:
    return resolver.lookup(host, port, lambda _answer: None)


def found(resolver: Resolver, host: str) -> Answer:
    """The answer that is known: no call has to wait."""
    answer = known(resolver, host)
    assert answer is not None
    return answer


def hosts(answer: Answer) -> list[str]:
    return [address[1][0] for address in answer.addresses]


def test_both_families_are_found_and_take_turns_with_ipv6_first(dns: DnsPeer, zone: Zone) -> None:
    zone.records["mail.test", A] = [(60, "192.0.2.1"), (50, "192.0.2.2"), (60, "192.0.2.3")]
    zone.records["mail.test", AAAA] = [(70, "2001:db8::1")]

    async def scene(resolver: Resolver) -> None:
        assert known(resolver, "mail.test") is None, "the first lookup has to ask"
        answer = await ask(resolver, "mail.test")
        assert answer.addresses[0] == (SIX, ("2001:db8::1", 25, 0, 0))
        assert answer.addresses[1][0] == FOUR
        assert sorted(hosts(answer)[1:]) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
        assert (answer.trouble, answer.ttl) == (None, 50.0)
        assert known(resolver, "mail.test") is answer, "then it is known"
        other = known(resolver, "mail.test", 587)
        assert other is not None
        assert other.addresses[0] == (SIX, ("2001:db8::1", 587, 0, 0))
        assert dns.count("mail.test", A) == 1, "for every port at once"

    play(scene, dns)


def test_an_alias_counts_with_its_own_ttl(dns: DnsPeer, zone: Zone) -> None:
    zone.records["mail.test", CNAME] = [(7, "cluster.test")]
    zone.records["cluster.test", A] = [(300, "192.0.2.9")]

    async def scene(resolver: Resolver) -> None:
        answer = await ask(resolver, "mail.test")
        assert (hosts(answer), answer.ttl) == (["192.0.2.9"], 7.0)

    play(scene, dns)


@pytest.mark.parametrize(("ttl", "kept"), [(0, 1.0), (1, 1.0), (90, 90.0), (86_400, 3600.0)])
def test_an_answer_is_kept_for_its_ttl_within_bounds(dns: DnsPeer, zone: Zone, ttl: int, kept: float) -> None:
    zone.records["mail.test", A] = [(ttl, "192.0.2.1")]
    clock = Clock()

    async def scene(resolver: Resolver) -> None:
        answer = await ask(resolver, "mail.test")
        assert answer.ttl == kept
        clock.now += kept - 0.001
        assert known(resolver, "mail.test") is answer
        clock.now += 0.001
        zone.records["mail.test", A] = [(60, "192.0.2.2")]
        assert known(resolver, "mail.test") is None, "it has run out"
        assert hosts(await ask(resolver, "mail.test")) == ["192.0.2.2"]

    play(scene, dns, clock)


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        (NXDOMAIN, Trouble.DNS_NXDOMAIN),
        (SERVFAIL, Trouble.DNS_SERVFAIL),
        (REFUSED, Trouble.DNS_FAILED),
        (0, Trouble.DNS_NO_ADDRESS),
    ],
)
def test_a_negative_answer_names_its_trouble_and_is_kept_a_second(
    dns: DnsPeer, zone: Zone, code: int, trouble: Trouble
) -> None:
    zone.codes["gone.test"] = code
    clock = Clock()

    async def scene(resolver: Resolver) -> None:
        answer = await ask(resolver, "gone.test")
        assert (answer.trouble, answer.addresses, answer.ttl) == (trouble, (), 1.0)
        assert answer.detail.startswith("ARES_")
        before = dns.count("gone.test", A)
        clock.now += 0.999
        assert known(resolver, "gone.test") is answer
        clock.now += 0.001
        assert known(resolver, "gone.test") is None
        assert (await ask(resolver, "gone.test")).trouble is trouble
        assert dns.count("gone.test", A) > before

    play(scene, dns, clock)


def test_silence_is_a_timeout_within_the_resolvers_own_limit(
    dns: DnsPeer, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve, "QUESTION_TIMEOUT", 0.2)
    zone.silent = {("mail.test", A), ("mail.test", AAAA)}

    async def scene(resolver: Resolver) -> None:
        answer = await ask(resolver, "mail.test")
        assert (answer.trouble, answer.detail) == (Trouble.DNS_TIMEOUT, "no answer in 0.2 s")

    play(scene, dns)


def test_c_ares_own_timeout_is_a_timeout_too(dns: DnsPeer, zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ares, "TRY_TIMEOUT", 0.05)
    monkeypatch.setattr(ares, "TRIES", 2)
    zone.silent = {("mail.test", A), ("mail.test", AAAA)}

    async def scene(resolver: Resolver) -> None:
        answer = await ask(resolver, "mail.test")
        assert answer.trouble is Trouble.DNS_TIMEOUT
        assert answer.detail.startswith("ARES_ETIMEOUT")

    play(scene, dns)


def test_a_name_that_takes_longer_than_the_others_of_its_nameserver_is_waited_for(dns: DnsPeer, zone: Zone) -> None:
    quick = [f"quick{n}.test" for n in range(5)]
    for name in (*quick, "slow.test"):
        zone.records[name, A] = [(60, "192.0.2.1")]
    gate = zone.slow["slow.test", A] = zone.slow["slow.test", AAAA] = threading.Event()

    async def scene(resolver: Resolver) -> None:
        for name in quick:  # c-ares learns how fast this nameserver is
            await ask(resolver, name)
        waiting = asyncio.ensure_future(ask(resolver, "slow.test"))
        await until(lambda: dns.count("slow.test", A) > 2 or waiting.done())
        gate.set()
        assert hosts(await waiting) == ["192.0.2.1"]

    play(scene, dns)


def test_a_name_with_ipv6_alone_is_found(dns: DnsPeer, zone: Zone) -> None:
    zone.records["mail.test", AAAA] = [(60, "2001:db8::1"), (60, "2001:db8::2")]

    async def scene(resolver: Resolver) -> None:
        answer = await ask(resolver, "mail.test")
        assert sorted(hosts(answer)) == ["2001:db8::1", "2001:db8::2"]
        assert {family for family, _ in answer.addresses} == {SIX}

    play(scene, dns)


def test_a_slow_family_holds_nothing_up_and_is_used_when_it_has_come(dns: DnsPeer, zone: Zone) -> None:
    zone.records["mail.test", A] = [(60, "192.0.2.1")]
    zone.records["mail.test", AAAA] = [(60, "2001:db8::1")]
    gate = zone.slow["mail.test", AAAA] = threading.Event()

    async def scene(resolver: Resolver) -> None:
        answers: list[Answer] = []
        assert resolver.lookup("mail.test", 25, answers.append) is None
        await until(lambda: answers)
        assert hosts(answers[0]) == ["192.0.2.1"]
        gate.set()
        await until(lambda: len(found(resolver, "mail.test").addresses) == 2)
        assert hosts(await ask(resolver, "mail.test")) == ["2001:db8::1", "192.0.2.1"]
        assert len(answers) == 1, "a caller is called back once"

    play(scene, dns)


def test_one_family_failing_is_only_told(dns: DnsPeer, zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "QUESTION_TIMEOUT", 0.2)
    zone.records["mail.test", A] = [(60, "192.0.2.1")]
    zone.silent = {("mail.test", AAAA)}

    async def scene(resolver: Resolver) -> None:
        answer = await ask(resolver, "mail.test")
        assert (answer.trouble, hosts(answer)) == (None, ["192.0.2.1"])
        await until(lambda: found(resolver, "mail.test").detail)
        answer = found(resolver, "mail.test")
        assert (answer.trouble, answer.detail) == (None, "no answer in 0.2 s")

    play(scene, dns)


def test_callers_of_one_name_share_one_question(dns: DnsPeer, zone: Zone) -> None:
    zone.records["mail.test", A] = [(60, "192.0.2.1")]

    async def scene(resolver: Resolver) -> None:
        answers = await asyncio.gather(*(ask(resolver, "mail.test", port) for port in (25, 587, 25)))
        assert [answer.addresses[0][1][1] for answer in answers] == [25, 587, 25]
        assert dns.count("mail.test", A) == 1

    play(scene, dns)


def test_a_name_in_use_is_refreshed_before_it_runs_out(
    dns: DnsPeer, zone: Zone, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "prober.probes.resolve")
    zone.records["mail.test", A] = [(1, "192.0.2.1")]

    async def scene(resolver: Resolver) -> None:
        assert hosts(await ask(resolver, "mail.test")) == ["192.0.2.1"]
        zone.records["mail.test", A] = [(30, "192.0.2.2")]
        await until(lambda: hosts(found(resolver, "mail.test")) != ["192.0.2.1"])
        answer = found(resolver, "mail.test")
        assert (hosts(answer), answer.ttl) == (["192.0.2.2"], 30.0), "the TTL is the server's, not a cache's rest"

    play(scene, dns, Clock())  # a second of the loop passes, none of the resolver's: the old answer has not run out
    assert [record.getMessage() for record in caplog.records] == [
        "addresses of mail.test changed from 192.0.2.1 to 192.0.2.2"
    ]


def test_a_name_out_of_use_is_not_asked_again(dns: DnsPeer, zone: Zone) -> None:
    zone.records["mail.test", A] = [(1, "192.0.2.1")]
    clock = Clock()

    async def scene(resolver: Resolver) -> None:
        await ask(resolver, "mail.test")
        clock.now += resolve.IN_USE
        resolver._names["mail.test"]._refresh_now()
        assert resolver._names["mail.test"]._question is None

    play(scene, dns, clock)


def test_a_failed_refresh_leaves_the_answer_its_ttl_and_no_more(dns: DnsPeer, zone: Zone) -> None:
    zone.records["mail.test", A] = [(40, "192.0.2.1")]
    clock = Clock()

    async def scene(resolver: Resolver) -> None:
        first = await ask(resolver, "mail.test")
        zone.codes["mail.test"] = SERVFAIL
        clock.now += 32
        name = resolver._names["mail.test"]
        name._refresh_now()
        await until(lambda: name._question is None)
        assert known(resolver, "mail.test") is first, "what was known is good for its TTL"
        clock.now += 8
        answer = await ask(resolver, "mail.test")
        assert (answer.trouble, answer.addresses) == (Trouble.DNS_SERVFAIL, ())
        assert answer.detail.endswith("; last known: 192.0.2.1")

    play(scene, dns, clock)


@pytest.mark.parametrize(
    ("literal", "address"),
    [("192.0.2.7", (FOUR, ("192.0.2.7", 25))), ("2001:DB8::7", (SIX, ("2001:db8::7", 25, 0, 0)))],
)
def test_an_address_is_its_own_answer(dns: DnsPeer, literal: str, address: object) -> None:
    async def scene(resolver: Resolver) -> None:
        answer = known(resolver, literal)
        assert answer is not None
        assert answer.addresses == (address,)
        assert known(resolver, literal) is answer

    play(scene, dns)
    assert dns.asked == []


def test_localhost_needs_no_dns(dns: DnsPeer) -> None:
    async def scene(resolver: Resolver) -> None:
        assert "127.0.0.1" in hosts(await ask(resolver, "localhost"))

    play(scene, dns)
    assert dns.asked == []


@pytest.mark.parametrize("host", ["x" * 64 + ".test", "a..test", "\udcff.test"])
def test_what_is_no_name_fails_as_one(dns: DnsPeer, host: str) -> None:
    async def scene(resolver: Resolver) -> None:
        answer = await ask(resolver, host)
        assert answer.trouble in (Trouble.DNS_FAILED, Trouble.DNS_NXDOMAIN), answer
        assert answer.detail

    play(scene, dns)


def test_a_nameserver_that_is_none_fails_the_question() -> None:
    async def run() -> None:
        resolver = Resolver(asyncio.get_running_loop(), ["not an address"])
        try:
            answer = await ask(resolver, "mail.test")
            assert answer.trouble is Trouble.DNS_FAILED
        finally:
            resolver.close()

    asyncio.run(run())


def test_after_close_nobody_is_called_back(dns: DnsPeer, zone: Zone) -> None:
    gate = zone.slow["mail.test", A] = threading.Event()
    zone.records["mail.test", A] = [(60, "192.0.2.1")]
    answers: list[Answer] = []

    async def scene(resolver: Resolver) -> None:
        assert resolver.lookup("mail.test", 25, answers.append) is None
        await asyncio.to_thread(dns.wait_for, "mail.test", A, 1)
        resolver.close()
        gate.set()

    play(scene, dns)
    assert answers == []


def test_fixed_addresses_take_turns_and_never_run_out() -> None:
    answer = fixed(["192.0.2.1", "192.0.2.2", "2001:db8::1"], 443)
    assert hosts(answer) == ["2001:db8::1", "192.0.2.1", "192.0.2.2"]
    assert answer.ttl == float("inf")
    with pytest.raises(ValueError, match=r"mail\.example"):
        fixed(["mail.example"], 443)


def test_a_scope_becomes_its_interfaces_number() -> None:
    number = socket.if_nametoindex("lo")
    assert fixed(["fe80::1%lo"], 25).addresses == ((SIX, ("fe80::1", 25, 0, number)),)
    assert fixed(["fe80::1%7"], 25).addresses == ((SIX, ("fe80::1", 25, 0, 7)),)
