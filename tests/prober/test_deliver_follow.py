"""Accepted acts are followed: until there is no more to learn, their page is resolved, or their incident is closed."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from deliver_acts import act

from prober.deliver import Arrival, Delivered, Reached
from prober.deliver.follow import FIRST, LONGEST, Follower, Reporting, Taken, accepted
from prober.store.reader import StoredAct
from prober.store.values import ActStatus
from rules.acts import Act, ActKind, ActResult, Outcome

PAGE = act(ActKind.PAGE, "pager")
RESOLVE = act(ActKind.PAGE_RESOLVE, "pager", after=PAGE.id)
WAITING = Arrival(Reached.WAITING, again=7.0)
RANG = Arrival(Reached.DELIVERED, "rang", again=3.0)
ACKNOWLEDGED = Arrival(Reached.ACKNOWLEDGED, "pressed 1", by="Ada")


class Time:
    """A clock that a sleep moves; it yields, so that others run."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def utc_ns(self) -> int:
        return 0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


class Pager:
    """Accepts all, and tells of an act by script, the last again and again; `gate` holds its answers back."""

    def __init__(self, *arrivals: Arrival | Exception, gate: asyncio.Event | None = None) -> None:
        self.arrivals = list(arrivals)
        self.references: list[str] = []
        self.delivered: list[str] = []
        self.outcome = Outcome.ACCEPTED
        self.looked = asyncio.Event()
        self.gate = gate

    async def deliver(self, act: Act, key: str) -> Delivered:
        self.delivered.append(key)
        return Delivered(self.outcome, reference="ref-1")

    async def follow(self, act: Act, key: str, reference: str) -> Arrival:
        self.references.append(reference)
        self.looked.set()
        if self.gate is not None:
            await self.gate.wait()
        arrival = self.arrivals.pop(0) if len(self.arrivals) > 1 else self.arrivals[0]
        if isinstance(arrival, Exception):
            raise arrival
        return arrival


class Bench:
    def __init__(self, **receivers: Any) -> None:
        self.time = Time()
        self.told: list[tuple[str, Reached]] = []
        self.follower = Follower(lambda taken, arrival: self.told.append((taken.key, arrival.reached)), self.time)
        self.follower.reconfigure(receivers)
        self.receivers = {name: Reporting(name, each, self.follower) for name, each in receivers.items()}

    async def give(self, act: Act, receiver: str = "pager") -> Delivered:
        return await self.receivers[receiver].deliver(act, act.key(receiver))

    async def settled(self) -> None:
        """Until nothing is followed any more."""
        tasks = [task for _, task in self.follower._tasks.values()]
        if tasks:
            await asyncio.wait(tasks)
        await asyncio.sleep(0)  # its callbacks


def within(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(10):
            await test()

    asyncio.run(whole())


def test_what_an_act_comes_to_is_told_once_for_each_state() -> None:
    async def test() -> None:
        b = Bench(pager=Pager(WAITING, RANG, RANG, WAITING, ACKNOWLEDGED))
        await b.give(PAGE)
        await b.settled()
        assert b.told == [(PAGE.id, Reached.DELIVERED), (PAGE.id, Reached.ACKNOWLEDGED)]
        assert b.time.slept == [FIRST, 7.0, 3.0, 3.0, 7.0]

    within(test)


def test_an_act_that_is_known_by_another_reference_is_followed_by_that_one() -> None:
    async def test() -> None:
        pager = Pager(replace(WAITING, reference="ref-2"), WAITING, ACKNOWLEDGED)
        b = Bench(pager=pager)
        await b.give(PAGE)
        await b.settled()
        assert pager.references == ["ref-1", "ref-2", "ref-2"]

    within(test)


@pytest.mark.parametrize("outcome", [Outcome.TRANSIENT, Outcome.PERMANENT, Outcome.UNKNOWN])
def test_what_was_not_accepted_is_not_followed(outcome: Outcome) -> None:
    async def test() -> None:
        pager = Pager(ACKNOWLEDGED)
        pager.outcome = outcome
        b = Bench(pager=pager)
        await b.give(PAGE)
        assert b.follower.following == ()

    within(test)


def test_a_receiver_that_tells_nothing_is_not_asked() -> None:
    class Silent:
        async def deliver(self, act: Act, key: str) -> Delivered:
            return Delivered(Outcome.ACCEPTED)

    async def test() -> None:
        b = Bench(silent=Silent())
        await b.give(PAGE, "silent")
        assert b.follower.following == ()

    within(test)


def test_a_second_copy_of_an_act_is_followed_once() -> None:
    async def test() -> None:
        b = Bench(pager=Pager(ACKNOWLEDGED))
        await b.give(PAGE)
        await b.give(PAGE)
        assert len(b.follower.following) == 1
        await b.settled()
        assert len(b.told) == 1

    within(test)


def test_a_resolve_ends_the_following_before_it_goes_out() -> None:
    """A look that is under way might fire the alert again (Alertmanager)."""

    async def test() -> None:
        pager = Pager(RANG, gate=asyncio.Event())
        b = Bench(pager=pager)
        repeat = act(ActKind.PAGE, "pager", step="open~2")
        other = act(ActKind.PAGE, "pager", step="severity-critical")
        for each in (PAGE, repeat, other):
            await b.give(each)
        await pager.looked.wait()
        b.follower.resolve(RESOLVE, "pager")
        await asyncio.sleep(0)
        assert [taken.act.step for taken in b.follower.following] == ["severity-critical"]
        await b.follower.close()
        await b.give(PAGE)
        await b.give(RESOLVE)
        await b.settled()
        assert pager.delivered[-1] == RESOLVE.id
        assert b.told == []

    within(test)


def test_acts_of_closed_incidents_are_followed_no_longer() -> None:
    async def test() -> None:
        pager = Pager(WAITING, gate=asyncio.Event())
        b = Bench(pager=pager)
        await b.give(PAGE)
        await b.give(act(ActKind.PAGE, "pager", incident="another"))
        b.follower.keep({"another"})
        await asyncio.sleep(0)
        assert [taken.act.incident for taken in b.follower.following] == ["another"]
        await b.follower.close()
        assert b.follower.following == ()

    within(test)


def test_closing_with_nothing_to_follow_is_fine() -> None:
    async def test() -> None:
        await Bench().follower.close()

    within(test)


def test_an_act_is_not_followed_for_ever() -> None:
    async def test() -> None:
        b = Bench(pager=Pager(replace(WAITING, again=LONGEST / 4)))
        await b.give(PAGE)
        await b.settled()
        assert b.time.now >= LONGEST
        assert len(b.time.slept) == 5

    within(test)


def test_looks_are_a_second_apart_at_least() -> None:
    async def test() -> None:
        b = Bench(pager=Pager(replace(WAITING, again=0.001), ACKNOWLEDGED))
        await b.give(PAGE)
        await b.settled()
        assert b.time.slept == [FIRST, 1.0]

    within(test)


def test_a_receiver_that_is_configured_away_is_asked_no_more() -> None:
    async def test() -> None:
        b = Bench(pager=Pager(ACKNOWLEDGED))
        await b.give(PAGE)
        b.follower.reconfigure({})
        await b.settled()
        assert b.told == []

    within(test)


def test_a_defect_in_a_delivery_ends_nothing_and_its_words_are_not_told(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        b = Bench(pager=Pager(RuntimeError("secret-0123456789"), ACKNOWLEDGED))
        await b.give(PAGE)
        await b.settled()
        assert b.told == [(PAGE.id, Reached.ACKNOWLEDGED)]
        assert "an act cannot be followed by a defect of ours: RuntimeError" in caplog.text
        assert "secret" not in caplog.text

    within(test)


def test_after_a_restart_accepted_acts_are_taken_up_but_for_resolved_pages() -> None:
    def stored(made: Act, *attempts: tuple[str, Outcome, str]) -> StoredAct:
        results = tuple(ActResult(made.id, who, outcome, 0, reference=ref) for who, outcome, ref in attempts)
        return StoredAct(made, ActStatus.ACCEPTED, results)

    ticket = act(ActKind.TICKET, "email", "desk")
    second = act(ActKind.PAGE, "pager", step="severity-critical")
    acts = [
        stored(PAGE, ("pager", Outcome.ACCEPTED, "a")),
        stored(second, ("pager", Outcome.TRANSIENT, ""), ("pager", Outcome.ACCEPTED, "b")),
        stored(act(ActKind.PAGE, "other"), ("other", Outcome.TRANSIENT, "")),
        stored(ticket, ("email", Outcome.PERMANENT, ""), ("desk", Outcome.ACCEPTED, "T-1")),
        stored(RESOLVE, ("pager", Outcome.ACCEPTED, "")),
    ]
    assert list(accepted(acts)) == [
        Taken(second, "pager", second.key("pager"), "b"),
        Taken(ticket, "desk", ticket.key("desk"), "T-1"),
    ]
