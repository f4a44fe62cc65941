"""Names to addresses: asked out of band, kept for their TTL, refreshed before they run out (classification.md, rule 8).

A healthy call never waits for the DNS: what is known is returned at once, and a name in use is asked again when 80 % of
its TTL has passed. An answer that has run out is no result any more.
"""

import asyncio
import ipaddress
import logging
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, zip_longest
from typing import Any

from prober.probes.ares import TRY_TIMEOUT, Asker, Found
from rules.model import Trouble

#: Seconds that an answer is kept at least and at most, and a negative one.
MIN_TTL, MAX_TTL, NEGATIVE_TTL = 1.0, 3600.0, 1.0
#: RFC 8305 3, "Resolution Delay": how long a first positive answer waits for the other family, seconds.
RESOLUTION_DELAY = 0.05
#: A name is in use when it was looked up within so many seconds.
IN_USE = 60.0
#: Seconds that a question may take in all, whatever the nameservers do.
QUESTION_TIMEOUT = 2 * TRY_TIMEOUT
_REFRESH_AT = 0.8
_FAMILIES = (socket.AF_INET6, socket.AF_INET)
#: Of two negative answers the one that says more about what went wrong.
_WORST = (
    Trouble.DNS_TIMEOUT,
    Trouble.DNS_SERVFAIL,
    Trouble.DNS_FAILED,
    Trouble.DNS_NXDOMAIN,
    Trouble.DNS_NO_ADDRESS,
)

_log = logging.getLogger(__name__)

#: Address family, socket address.
Address = tuple[int, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """Where a name leads. `ttl` is seconds, `at` when it came (seconds of the resolver's clock)."""

    addresses: tuple[Address, ...] = ()  # IPv6 first, families in turn (RFC 8305 4)
    trouble: Trouble | None = None
    detail: str = ""
    ttl: float = 0.0
    at: float = 0.0


Callback = Callable[[Answer], None]


def fixed(addresses: Sequence[str], port: int) -> Answer:
    """The answer for addresses that the configuration fixes. Raises ValueError for what is no IP address."""
    hosts = [ipaddress.ip_address(address) for address in addresses]
    return Answer(
        addresses=_interleaved(
            [str(h) for h in hosts if h.version == 6], [str(h) for h in hosts if h.version == 4], port
        ),
        ttl=float("inf"),
    )


class Resolver:
    """Looks names up. Everything here happens on `loop`; `clock` gives seconds that never go back."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        nameservers: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.loop = loop
        self.clock = clock
        self.asker = Asker(loop, nameservers)
        self._names: dict[str, _Name] = {}

    def lookup(self, host: str, port: int, callback: Callback) -> Answer | None:
        """The answer if it is known; else None, and `callback` on the loop within QUESTION_TIMEOUT (unless closed)."""
        name = self._names.get(host)
        now = self.clock()
        if name is not None and now < name.expires and (answer := name.answers.get(port)) is not None:
            name.used = now
            return answer
        if name is None:
            name = self._names[host] = _Name(self, host)
        return name.lookup(port, now, callback)

    def close(self) -> None:
        """Forget everything; no callback comes any more."""
        for name in self._names.values():
            name.close()
        self._names.clear()
        self.asker.close()


class _Name:
    """One name: what is known of it, and the question under way."""

    def __init__(self, resolver: Resolver, host: str) -> None:
        self._resolver = resolver
        self._host = host
        self.used = 0.0
        self.expires = float("-inf")
        self.answers: dict[int, Answer] = {}  # by port
        self._hosts: dict[int, tuple[str, ...]] = {}  # the newest addresses, by family
        self._answer = Answer()  # the newest, without addresses
        self._told: list[str] = []
        self._waiting: list[tuple[int, Callback]] = []
        self._question: _Question | None = None
        self._refresh: asyncio.TimerHandle | None = None
        if (literal := _literal(host)) is not None:
            self._hosts = {literal[0]: (literal[1],)}
            self._answer = Answer(ttl=float("inf"), at=resolver.clock())
            self.expires = float("inf")

    def lookup(self, port: int, now: float, callback: Callback) -> Answer | None:
        self.used = now
        if now < self.expires:
            return self._for(port)
        self._waiting.append((port, callback))
        if self._question is None:
            self._ask()
        return None

    def close(self) -> None:
        self._waiting.clear()
        if self._question is not None:
            self._question.close()
        if self._refresh is not None:
            self._refresh.cancel()

    def _for(self, port: int) -> Answer:
        answer = self.answers.get(port)
        if answer is None:
            base = self._answer
            addresses = _interleaved(self._hosts.get(socket.AF_INET6, ()), self._hosts.get(socket.AF_INET, ()), port)
            answer = Answer(addresses if base.trouble is None else (), base.trouble, base.detail, base.ttl, base.at)
            self.answers[port] = answer
        return answer

    def _ask(self) -> None:
        self._question = _Question(self._resolver, self._host, self._heard)

    def _heard(self, found: dict[int, Found], at: float, *, complete: bool) -> None:
        """What is known of the families by now: all of it, or one family's while the other keeps callers waiting.

        `at`: when the first positive answer came, or the last negative one.
        """
        if complete:
            self._question = None
        elif not self._waiting:
            return  # a refresh has time
        good = {family: answer for family, answer in found.items() if answer.trouble is None}
        if good:
            self._succeeded(good, at, found)
        else:
            self._failed(found, at)
        if complete:
            self._tell_changes()
        waiting, self._waiting = self._waiting, []
        for port, callback in waiting:
            callback(self._for(port))

    def _succeeded(self, good: dict[int, Found], now: float, found: dict[int, Found]) -> None:
        ttl = min(MAX_TTL, max(MIN_TTL, float(min(answer.ttl for answer in good.values()))))
        missing = [answer.detail for answer in found.values() if answer.trouble not in (None, Trouble.DNS_NO_ADDRESS)]
        self._hosts = {family: answer.hosts for family, answer in good.items()}
        self._answer = Answer(detail="; ".join(missing), ttl=ttl, at=now)
        self.answers = {}
        self.expires = now + ttl
        self._refresh_in(ttl * _REFRESH_AT)

    def _failed(self, found: dict[int, Found], now: float) -> None:
        if now < self.expires and self._answer.trouble is None:  # a refresh failed: what we have is good for its TTL
            self._refresh_in(NEGATIVE_TTL)
            return
        worst = min(found.values(), key=lambda answer: _WORST.index(answer.trouble or Trouble.DNS_NO_ADDRESS))
        known = self._known()
        detail = f"{worst.detail}; last known: {', '.join(known)}" if known else worst.detail
        self._answer = Answer((), worst.trouble, detail, NEGATIVE_TTL, now)
        self.answers = {}
        self.expires = now + NEGATIVE_TTL

    def _known(self) -> list[str]:
        return sorted(host for hosts in self._hosts.values() for host in hosts)

    def _tell_changes(self) -> None:
        known = self._known()
        if self._told and known != self._told:
            _log.info("addresses of %s changed from %s to %s", self._host, ", ".join(self._told), ", ".join(known))
        self._told = known

    def _refresh_in(self, seconds: float) -> None:
        if self._refresh is not None:
            self._refresh.cancel()
        self._refresh = self._resolver.loop.call_later(seconds, self._refresh_now)

    def _refresh_now(self) -> None:
        self._refresh = None
        if self._question is None and self._resolver.clock() - self.used < IN_USE:
            self._ask()


class _Question:
    """A name asked in both families at once.

    `heard` is called once when both have answered, or first with what there is when the second keeps us waiting.
    """

    def __init__(self, resolver: Resolver, host: str, heard: Callable[..., None]) -> None:
        self._heard = heard
        self._found: dict[int, Found] = {}
        self._loop = resolver.loop
        self._clock = resolver.clock
        self._at: float | None = None  # when the first positive answer came
        self._delay: asyncio.TimerHandle | None = None
        self._limit = self._loop.call_later(QUESTION_TIMEOUT, self._give_up)
        self._over = False
        for family in _FAMILIES:
            resolver.asker.ask(host, family, partial(self._on_answer, family))

    def close(self) -> None:
        self._over = True
        self._limit.cancel()
        if self._delay is not None:
            self._delay.cancel()

    def _on_answer(self, family: int, found: Found) -> None:
        if self._over:
            return
        self._found[family] = found
        if found.trouble is None and self._at is None:
            self._at = self._clock()
        if len(self._found) == len(_FAMILIES):
            self._end(self._found)
        elif found.trouble is None:
            self._delay = self._loop.call_later(RESOLUTION_DELAY, self._proceed)

    def _proceed(self) -> None:
        self._delay = None
        self._heard(dict(self._found), self._clock() if self._at is None else self._at, complete=False)

    def _give_up(self) -> None:
        silent = Found(trouble=Trouble.DNS_TIMEOUT, detail=f"no answer in {QUESTION_TIMEOUT:g} s")
        self._end({family: self._found.get(family, silent) for family in _FAMILIES})

    def _end(self, found: dict[int, Found]) -> None:
        self.close()
        self._heard(found, self._clock() if self._at is None else self._at, complete=True)


def _literal(host: str) -> tuple[int, str] | None:
    """Family and address if `host` is an IP address itself."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return (socket.AF_INET6 if address.version == 6 else socket.AF_INET), str(address)


def _interleaved(six: Iterable[str], four: Iterable[str], port: int) -> tuple[Address, ...]:
    pairs = zip_longest([_six(host, port) for host in six], [(socket.AF_INET, (host, port)) for host in four])
    return tuple(address for address in chain.from_iterable(pairs) if address is not None)


def _six(host: str, port: int) -> Address:
    """An IPv6 socket address; a scope (`fe80::1%eth0`) becomes its interface's number. Raises OSError for none such."""
    address, _, scope = host.partition("%")
    number = int(scope) if scope.isdigit() else socket.if_nametoindex(scope) if scope else 0
    return socket.AF_INET6, (address, port, 0, number)
