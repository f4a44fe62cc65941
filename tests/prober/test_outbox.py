"""The outbox: who is tried when, what waits for what, and that nothing is lost."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from deliver_acts import CREATED, act

from prober.deliver import Delivered, texts
from prober.deliver.errand import SystemClock
from prober.deliver.outbox import REPEATS, Outbox
from rules.acts import Act, ActKind, ActResult, Outcome

ACCEPTED, TRANSIENT, PERMANENT, UNKNOWN = Outcome.ACCEPTED, Outcome.TRANSIENT, Outcome.PERMANENT, Outcome.UNKNOWN


class Time:
    """A clock that tests move: a sleep ends at once and moves time, unless `held` names it (seconds)."""

    def __init__(self, *, hold: bool = False) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.hold = hold
        self.sleeping = asyncio.Event()

    def utc_ns(self) -> int:
        return int(self.now * 1e9)

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.sleeping.set()
        if self.hold:
            await asyncio.Event().wait()
        self.now += seconds
        await asyncio.sleep(0)


class Receiver:
    """Answers by script, the last answer again and again; keeps what it was asked. `gate` holds its answers back."""

    def __init__(self, *answers: Outcome | Delivered, gate: asyncio.Event | None = None) -> None:
        self.answers = list(answers)
        self.keys: list[str] = []
        self.acts: list[Act] = []
        self.asked = asyncio.Event()
        self.gate = gate

    async def deliver(self, act: Act, key: str) -> Delivered:
        self.keys.append(key)
        self.acts.append(act)
        self.asked.set()
        if self.gate is not None:
            await self.gate.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer if isinstance(answer, Delivered) else Delivered(answer)


class Bench:
    """An outbox with all that it tells."""

    def __init__(self, time: Time | None = None, **receivers: Any) -> None:
        self.time = time or Time()
        self.results: list[ActResult] = []
        self.starts: list[tuple[str, str, int]] = []
        self._news = asyncio.Event()
        self.outbox = Outbox(
            receivers, self._report, lambda *s: self.starts.append(s), clock=self.time, random=lambda: 0.0, timeout=1.0
        )

    def _report(self, result: ActResult) -> None:
        self.results.append(result)
        self._news.set()

    async def until(self, done: Callable[[], bool]) -> None:
        while not done():
            self._news.clear()
            await self._news.wait()

    async def settled(self) -> None:
        """Every act is done."""
        while tasks := [errand.task for errand in self.outbox._errands.values()]:
            await asyncio.wait(tasks)
            await asyncio.sleep(0)  # the callbacks that follow a task's end

    @property
    def trail(self) -> list[tuple[str, Outcome]]:
        return [(r.receiver, r.outcome) for r in self.results]


def scene(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Makes an async test a plain one (its name and words stay)."""

    def plain() -> None:
        async def whole() -> None:
            async with asyncio.timeout(20):
                await test()

        asyncio.run(whole())

    plain.__name__, plain.__doc__ = getattr(test, "__name__", "test"), test.__doc__
    return plain


@scene
async def test_the_first_receiver_that_accepts_ends_the_act() -> None:
    first, second = Receiver(ACCEPTED), Receiver(ACCEPTED)
    b = Bench(r1=first, r2=second)
    b.outbox.offer(act(ActKind.TICKET, "r1", "r2"))
    await b.settled()
    assert b.trail == [("r1", ACCEPTED)]
    assert b.results[0].final
    assert first.keys == [act(ActKind.TICKET, "r1", "r2").key("r1")]
    assert second.keys == []


@scene
async def test_each_attempt_is_announced_before_it_is_made_with_its_time() -> None:
    b = Bench(r1=Receiver(TRANSIENT, ACCEPTED))
    b.outbox.offer(act())
    await b.settled()
    assert b.starts == [(act().id, "r1", 1000 * 10**9), (act().id, "r1", 1001 * 10**9)]
    assert [r.at for r in b.results] == [1000 * 10**9, 1001 * 10**9]


@scene
async def test_a_transient_failure_passes_to_the_next_receiver_and_keeps_the_first_for_later() -> None:
    b = Bench(r1=Receiver(TRANSIENT, ACCEPTED), r2=Receiver(TRANSIENT))
    b.outbox.offer(act(ActKind.TICKET, "r1", "r2"))
    await b.settled()
    assert b.trail == [("r1", TRANSIENT), ("r2", TRANSIENT), ("r1", ACCEPTED)]
    assert b.time.slept == [1.0]


@scene
async def test_a_receiver_that_refuses_for_good_is_not_asked_again_for_this_act() -> None:
    b = Bench(r1=Receiver(PERMANENT), r2=Receiver(TRANSIENT, TRANSIENT, ACCEPTED))
    b.outbox.offer(act(ActKind.TICKET, "r1", "r2"))
    await b.settled()
    assert b.trail == [("r1", PERMANENT), ("r2", TRANSIENT), ("r2", TRANSIENT), ("r2", ACCEPTED)]
    assert [r.final for r in b.results] == [False, False, False, True]


@scene
async def test_when_all_refuse_for_good_the_last_refusal_is_final() -> None:
    b = Bench(r1=Receiver(PERMANENT), r2=Receiver(PERMANENT))
    b.outbox.offer(act(ActKind.TICKET, "r1", "r2"))
    await b.settled()
    assert [(r.receiver, r.outcome, r.final) for r in b.results] == [("r1", PERMANENT, False), ("r2", PERMANENT, True)]


@scene
async def test_a_lost_answer_is_asked_for_again_under_the_same_key_before_the_next_receiver() -> None:
    first = Receiver(UNKNOWN, UNKNOWN, ACCEPTED)
    second = Receiver(ACCEPTED)
    b = Bench(r1=first, r2=second)
    b.outbox.offer(act(ActKind.TICKET, "r1", "r2"))
    await b.settled()
    assert b.trail == [("r1", UNKNOWN), ("r1", UNKNOWN), ("r1", ACCEPTED)]
    assert len(set(first.keys)) == 1
    assert second.keys == []


@scene
async def test_after_enough_lost_answers_the_next_receiver_is_tried() -> None:
    first = Receiver(UNKNOWN)
    b = Bench(r1=first, r2=Receiver(ACCEPTED))
    b.outbox.offer(act(ActKind.TICKET, "r1", "r2"))
    await b.settled()
    assert b.trail == [("r1", UNKNOWN)] * (1 + REPEATS) + [("r2", ACCEPTED)]
    assert b.time.slept == [1.0, 2.0, 4.0, 8.0, 16.0]


@scene
async def test_a_receiver_that_keeps_us_waiting_gives_way_after_half_a_minute() -> None:
    class Slow(Receiver):
        async def deliver(self, act: Act, key: str) -> Delivered:
            b.time.now += 10.0
            return await super().deliver(act, key)

    b = Bench(r1=Slow(UNKNOWN), r2=Receiver(ACCEPTED))
    b.outbox.offer(act(ActKind.TICKET, "r1", "r2"))
    await b.settled()
    assert b.trail == [("r1", UNKNOWN)] * 4 + [("r2", ACCEPTED)], "the fourth answer is lost 37 s after the first"


@scene
async def test_the_next_receiver_is_told_that_it_may_come_twice_and_only_then() -> None:
    first, second = Receiver(UNKNOWN), Receiver(ACCEPTED)
    b = Bench(r1=first, r2=second)
    ticket = act(ActKind.TICKET, "r1", "r2")
    b.outbox.offer(ticket)
    await b.settled()
    assert {a.facts.get("maybe_twice") for a in first.acts} == {None}
    assert [a.facts.get("maybe_twice") for a in second.acts] == [True]
    assert second.acts[0].id == ticket.id, "it stays the same act"
    assert "You may get this twice" in texts.text(second.acts[0])
    assert "You may get this twice" not in texts.text(first.acts[0])


@scene
async def test_who_refused_after_all_leaves_no_doubt() -> None:
    second = Receiver(ACCEPTED)
    b = Bench(r1=Receiver(UNKNOWN, PERMANENT), r2=second)
    b.outbox.offer(act(ActKind.TICKET, "r1", "r2"))
    await b.settled()
    assert [a.facts.get("maybe_twice") for a in second.acts] == [None]


@scene
async def test_a_receiver_that_may_have_it_itself_gets_the_same_text_under_the_same_key() -> None:
    second = Receiver(*[UNKNOWN] * (1 + REPEATS), ACCEPTED)
    b = Bench(r1=Receiver(TRANSIENT, UNKNOWN), r2=second)
    b.outbox.offer(act(ActKind.TICKET, "r1", "r2"))
    await b.settled()
    assert [a.facts.get("maybe_twice") for a in second.acts] == [None] * (2 + REPEATS)


@scene
async def test_what_everybody_reads_says_nothing_of_it() -> None:
    second = Receiver(ACCEPTED)
    b = Bench(r1=Receiver(UNKNOWN), r2=second)
    b.outbox.offer(act(ActKind.STATUS, "r1", "r2"))
    await b.settled()
    assert [a.facts.get("maybe_twice") for a in second.acts] == [None]


@scene
async def test_a_restart_does_not_start_the_asking_anew() -> None:
    ticket = act(ActKind.TICKET, "r1", "r2")
    earlier = [ActResult(ticket.id, "r1", UNKNOWN, n) for n in range(1 + REPEATS)]
    second = Receiver(ACCEPTED)
    b = Bench(r1=Receiver(UNKNOWN), r2=second)
    b.outbox.offer(ticket, earlier=earlier)
    await b.settled()
    assert b.trail == [("r1", UNKNOWN), ("r2", ACCEPTED)]
    assert [a.facts.get("maybe_twice") for a in second.acts] == [True]


@scene
async def test_after_a_restart_who_was_told_is_told_again() -> None:
    ticket = act(ActKind.TICKET, "r1", "r2")
    earlier = [ActResult(ticket.id, "r1", UNKNOWN, 1), ActResult(ticket.id, "r2", UNKNOWN, 2)]
    second = Receiver(ACCEPTED)
    b = Bench(r1=Receiver(UNKNOWN), r2=second)
    b.outbox.offer(ticket, earlier=[*earlier, ActResult(ticket.id, "r1", PERMANENT, 3)])
    await b.settled()
    assert [a.facts.get("maybe_twice") for a in second.acts] == [True]


@scene
async def test_a_receiver_that_may_have_taken_it_is_asked_again_even_when_it_fails_otherwise_meanwhile() -> None:
    b = Bench(r1=Receiver(UNKNOWN, TRANSIENT, TRANSIENT, ACCEPTED), r2=Receiver(ACCEPTED))
    b.outbox.offer(act(ActKind.TICKET, "r1", "r2"))
    await b.settled()
    assert b.trail == [("r1", UNKNOWN), ("r1", TRANSIENT), ("r1", TRANSIENT), ("r1", ACCEPTED)]


@scene
async def test_a_receiver_that_refuses_after_a_lost_answer_gives_way_to_the_next() -> None:
    b = Bench(r1=Receiver(UNKNOWN, PERMANENT), r2=Receiver(ACCEPTED))
    b.outbox.offer(act(ActKind.TICKET, "r1", "r2"))
    await b.settled()
    assert b.trail == [("r1", UNKNOWN), ("r1", PERMANENT), ("r2", ACCEPTED)]


@scene
async def test_back_off_doubles_from_a_second_to_five_minutes() -> None:
    b = Bench(r1=Receiver(*[TRANSIENT] * 11, ACCEPTED))
    b.outbox.offer(act())
    await b.settled()
    assert b.time.slept == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


@scene
async def test_jitter_takes_away_at_most_a_quarter() -> None:
    b = Bench(r1=Receiver(TRANSIENT, ACCEPTED))
    b.outbox._random = lambda: 0.9999
    b.outbox.offer(act())
    await b.settled()
    assert b.time.slept == [0.75]


@scene
async def test_retry_after_is_waited_for_and_others_are_tried_meanwhile() -> None:
    asks = Delivered(TRANSIENT, retry_after=40.0)
    b = Bench(r1=Receiver(asks, ACCEPTED), r2=Receiver(*[TRANSIENT] * 9))
    b.outbox.offer(act(ActKind.TICKET, "r1", "r2"))
    await b.settled()
    times = [at - 1000 * 10**9 for _, receiver, at in b.starts if receiver == "r1"]
    assert times[0] == 0
    assert times[1] >= 40 * 10**9
    assert [r for _, r, _ in b.starts].count("r2") > 1


@scene
async def test_retry_after_alone_sets_the_wait_and_is_bounded() -> None:
    b = Bench(r1=Receiver(Delivered(TRANSIENT, retry_after=9e9), ACCEPTED))
    b.outbox.offer(act())
    await b.settled()
    assert b.time.slept == [300.0]


@scene
async def test_a_second_copy_of_a_pending_act_changes_nothing() -> None:
    gate = asyncio.Event()
    receiver = Receiver(ACCEPTED, gate=gate)
    b = Bench(r1=receiver)
    b.outbox.offer(act())
    await receiver.asked.wait()
    b.outbox.offer(act())
    assert b.outbox.pending == 1
    assert b.outbox.oldest == CREATED
    gate.set()
    await b.settled()
    assert len(receiver.keys) == 1
    assert b.outbox.oldest is None


@scene
async def test_a_copy_of_a_settled_act_is_answered_with_its_result_and_not_carried_out() -> None:
    receiver = Receiver(Delivered(ACCEPTED, "250 Ok", "<id@x>"))
    b = Bench(r1=receiver)
    b.outbox.offer(act())
    await b.settled()
    b.outbox.offer(act())
    assert len(receiver.keys) == 1
    assert b.results[0] == b.results[1]
    assert b.results[0].reference == "<id@x>"


@scene
async def test_settled_acts_are_forgotten_at_some_point() -> None:
    b = Bench(r1=Receiver(ACCEPTED))
    b.outbox._remember("an older one", None)
    for n in range(10_000):
        b.outbox._remember(str(n), None)
    assert "an older one" not in b.outbox._settled
    assert len(b.outbox._settled) == 10_000


@scene
async def test_a_slow_receiver_delays_only_itself() -> None:
    slow, quick = Receiver(ACCEPTED, gate=asyncio.Event()), Receiver(ACCEPTED)
    b = Bench(slow=slow, quick=quick)
    b.outbox.offer(act(ActKind.TICKET, "slow"))
    b.outbox.offer(act(ActKind.PAGE, "quick"))
    b.outbox.offer(act(ActKind.HOTLINE, "quick"))
    b.outbox.offer(act(ActKind.TICKET, "quick", incident="another"))
    await b.until(lambda: len(b.results) == 3)
    assert {r.receiver for r in b.results} == {"quick"}
    assert slow.keys == [act(ActKind.TICKET, "slow").id]
    await b.outbox.close(0.0)


@scene
async def test_a_resolve_follows_its_page_although_the_page_fails_first() -> None:
    b = Bench(pager=Receiver(TRANSIENT, TRANSIENT, ACCEPTED))
    b.outbox.offer(act(ActKind.PAGE, "pager"))
    b.outbox.offer(act(ActKind.PAGE_RESOLVE, "pager"))
    await b.settled()
    assert [r.act.split("/")[2] for r in b.results] == ["page", "page", "page", "page_resolve"]


@scene
async def test_pages_of_two_receivers_do_not_wait_for_each_other() -> None:
    stuck, fine = Receiver(ACCEPTED, gate=asyncio.Event()), Receiver(ACCEPTED)
    b = Bench(stuck=stuck, fine=fine)
    for kind in (ActKind.PAGE, ActKind.PAGE_RESOLVE):
        b.outbox.offer(act(kind, "stuck"))
        b.outbox.offer(act(kind, "fine"))
    await b.until(lambda: len(b.results) == 2)
    assert [r.receiver for r in b.results] == ["fine", "fine"]
    await b.outbox.close(0.0)


@scene
async def test_a_note_waits_for_the_ticket_it_names_even_at_another_receiver() -> None:
    gate = asyncio.Event()
    b = Bench(desk=Receiver(ACCEPTED, gate=gate), other=Receiver(ACCEPTED))
    ticket = act(ActKind.TICKET, "desk")
    b.outbox.offer(ticket)
    b.outbox.offer(act(ActKind.NOTE, "other", after=ticket.id))
    await asyncio.sleep(0)
    assert b.results == []
    gate.set()
    await b.settled()
    assert [r.act.split("/")[2] for r in b.results] == ["ticket", "note"]


@scene
async def test_an_act_whose_predecessor_is_unknown_goes_out_at_once() -> None:
    b = Bench(r1=Receiver(ACCEPTED))
    b.outbox.offer(act(ActKind.NOTE, after="accepted long ago"))
    await b.settled()
    assert b.trail == [("r1", ACCEPTED)]


@scene
async def test_a_note_goes_on_when_its_ticket_has_failed_for_good() -> None:
    b = Bench(desk=Receiver(PERMANENT, ACCEPTED))
    ticket = act(ActKind.TICKET, "desk")
    b.outbox.offer(ticket)
    b.outbox.offer(act(ActKind.NOTE, "desk", after=ticket.id))
    await b.settled()
    assert b.trail == [("desk", PERMANENT), ("desk", ACCEPTED)]


@scene
async def test_a_note_goes_on_when_its_ticket_is_withdrawn() -> None:
    time = Time(hold=True)
    b = Bench(time, desk=Receiver(TRANSIENT, ACCEPTED))
    ticket = act(ActKind.TICKET, "desk")
    b.outbox.offer(ticket)
    await time.sleeping.wait()
    b.outbox.offer(act(ActKind.NOTE, "desk", after=ticket.id))
    b.outbox.withdraw(ticket.id)
    await b.settled()
    assert [r.act.split("/")[2] for r in b.results] == ["ticket", "note"]


@scene
async def test_an_act_that_is_withdrawn_before_its_first_attempt_is_never_tried() -> None:
    receiver = Receiver(ACCEPTED)
    b = Bench(r1=receiver)
    b.outbox.offer(act())
    b.outbox.withdraw(act().id)
    await b.settled()
    b.outbox.offer(act())
    await asyncio.sleep(0)
    assert receiver.keys == []
    assert b.results == []


@scene
async def test_withdrawing_does_not_cut_an_attempt_short_and_its_result_is_told() -> None:
    gate = asyncio.Event()
    receiver = Receiver(TRANSIENT, gate=gate)
    b = Bench(r1=receiver)
    b.outbox.offer(act())
    await receiver.asked.wait()
    b.outbox.withdraw(act().id)
    gate.set()
    await b.settled()
    assert b.trail == [("r1", TRANSIENT)]
    assert b.time.slept == []


@scene
async def test_withdrawing_an_act_that_nobody_knows_keeps_it_from_being_carried_out() -> None:
    receiver = Receiver(ACCEPTED)
    b = Bench(r1=receiver)
    b.outbox.withdraw(act().id)
    b.outbox.offer(act())
    assert b.outbox.pending == 0
    assert receiver.keys == []


@scene
async def test_withdrawing_a_settled_act_keeps_its_result() -> None:
    b = Bench(r1=Receiver(ACCEPTED))
    b.outbox.offer(act())
    await b.settled()
    b.outbox.withdraw(act().id)
    b.outbox.offer(act())
    assert b.trail == [("r1", ACCEPTED)] * 2


@scene
async def test_a_new_act_behind_a_waiting_one_cuts_its_back_off_short() -> None:
    time = Time(hold=True)
    b = Bench(time, pager=Receiver(TRANSIENT, ACCEPTED))
    b.outbox.offer(act(ActKind.PAGE, "pager"))
    await time.sleeping.wait()
    b.outbox.offer(act(ActKind.PAGE, "pager", step="severity-critical"))
    await b.settled()
    assert b.trail == [("pager", TRANSIENT), ("pager", ACCEPTED), ("pager", ACCEPTED)]


@scene
async def test_a_wait_that_the_receiver_asked_for_is_not_cut_short() -> None:
    time = Time(hold=True)
    b = Bench(time, pager=Receiver(Delivered(TRANSIENT, retry_after=30.0), ACCEPTED))
    b.outbox.offer(act(ActKind.PAGE, "pager"))
    await time.sleeping.wait()
    b.outbox.offer(act(ActKind.PAGE, "pager", step="severity-critical"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert b.trail == [("pager", TRANSIENT)]
    await b.outbox.close(0.0)


@scene
async def test_after_a_reload_what_was_refused_is_tried_again_at_once() -> None:
    time = Time(hold=True)
    b = Bench(time, r1=Receiver(PERMANENT), r2=Receiver(TRANSIENT))
    b.outbox.offer(act(ActKind.TICKET, "r1", "r2"))
    await time.sleeping.wait()
    b.outbox.reconfigure({"r1": Receiver(ACCEPTED), "r2": Receiver(TRANSIENT)})
    await b.settled()
    assert b.trail == [("r1", PERMANENT), ("r2", TRANSIENT), ("r1", ACCEPTED)]


@scene
async def test_a_receiver_that_is_not_configured_counts_as_refused() -> None:
    b = Bench(r2=Receiver(ACCEPTED))
    b.outbox.offer(act(ActKind.TICKET, "gone", "r2"))
    await b.settled()
    assert b.trail == [("gone", PERMANENT), ("r2", ACCEPTED)]
    assert b.results[0].detail == "no receiver of this name is configured"


@scene
async def test_an_act_without_receivers_fails_for_good() -> None:
    b = Bench()
    b.outbox.offer(Act("i", 1, ActKind.TICKET, "open", (), CREATED))
    await b.settled()
    assert [(r.outcome, r.detail, r.final) for r in b.results] == [(PERMANENT, "the act names no receiver", True)]


@scene
async def test_after_a_restart_who_had_refused_is_skipped_and_the_uncertain_one_is_asked_first() -> None:
    earlier = [
        ActResult(act().id, "r1", PERMANENT, 1),
        ActResult(act().id, "r2", TRANSIENT, 2),
        ActResult(act().id, "r3", UNKNOWN, 3),
    ]
    b = Bench(r1=Receiver(ACCEPTED), r2=Receiver(ACCEPTED), r3=Receiver(TRANSIENT, ACCEPTED))
    b.outbox.offer(act(ActKind.TICKET, "r1", "r2", "r3"), earlier=earlier)
    await b.settled()
    assert b.trail == [("r3", TRANSIENT), ("r3", ACCEPTED)]


@scene
async def test_after_a_restart_a_lost_answer_that_was_followed_by_a_refusal_is_settled() -> None:
    earlier = [ActResult(act().id, "r2", UNKNOWN, 1), ActResult(act().id, "r2", PERMANENT, 2)]
    b = Bench(r1=Receiver(ACCEPTED), r2=Receiver(ACCEPTED))
    b.outbox.offer(act(ActKind.TICKET, "r1", "r2"), earlier=earlier)
    await b.settled()
    assert b.trail == [("r1", ACCEPTED)]


@scene
async def test_after_a_restart_an_act_that_all_had_refused_fails_for_good() -> None:
    b = Bench(r1=Receiver(ACCEPTED))
    b.outbox.offer(act(), earlier=[ActResult(act().id, "r1", PERMANENT, 1)])
    await b.settled()
    assert [(r.outcome, r.detail, r.final) for r in b.results] == [
        (PERMANENT, "every receiver has refused for good", True)
    ]


@scene
async def test_after_a_restart_the_first_attempt_is_at_once_and_the_back_off_goes_on() -> None:
    b = Bench(r1=Receiver(TRANSIENT, ACCEPTED))
    b.outbox.offer(act(), attempts_so_far=5)
    await b.settled()
    assert b.time.slept == [32.0]


@scene
async def test_close_lets_an_attempt_end_and_reports_it() -> None:
    gate = asyncio.Event()
    receiver = Receiver(ACCEPTED, gate=gate)
    b = Bench(r1=receiver)
    b.outbox.offer(act())
    await receiver.asked.wait()
    closing = asyncio.create_task(b.outbox.close(5.0))
    await asyncio.sleep(0)
    gate.set()
    await closing
    assert b.trail == [("r1", ACCEPTED)]


@scene
async def test_close_gives_what_was_just_offered_its_attempt() -> None:
    b = Bench(r1=Receiver(TRANSIENT), r2=Receiver(ACCEPTED))
    b.outbox.offer(act(ActKind.TICKET, "r1", "r2"))
    await b.outbox.close(5.0)
    assert b.trail == [("r1", TRANSIENT), ("r2", ACCEPTED)]


@scene
async def test_close_begins_no_further_round_and_takes_nothing_more() -> None:
    b = Bench(r1=Receiver(UNKNOWN))
    b.outbox.offer(act())
    await b.outbox.close(5.0)
    b.outbox.offer(act(step="later"))
    assert b.trail == [("r1", UNKNOWN)]
    assert not b.results[0].final
    assert b.outbox.pending == 0


@scene
async def test_close_cuts_off_what_hangs_and_what_waits_behind_it() -> None:
    receiver = Receiver(ACCEPTED, gate=asyncio.Event())
    b = Bench(r1=receiver)
    b.outbox.offer(act(ActKind.PAGE))
    b.outbox.offer(act(ActKind.PAGE_RESOLVE))
    await receiver.asked.wait()
    await b.outbox.close(0.01)
    assert b.results == []
    assert len(receiver.keys) == 1


@scene
async def test_close_without_acts_is_quick() -> None:
    await Bench().outbox.close()


@scene
async def test_a_delivery_that_never_ends_counts_as_a_lost_answer() -> None:
    class Endless:
        async def deliver(self, act: Act, key: str) -> Delivered:
            await asyncio.Event().wait()
            raise AssertionError("not reached")

    b = Bench(r1=Endless())
    b.outbox._timeout = 0.02
    b.outbox.offer(act())
    await b.until(lambda: bool(b.results))
    assert b.results[0].outcome is UNKNOWN
    assert b.results[0].detail == "the attempt did not end in time"
    await b.outbox.close(0.0)


@scene
async def test_a_defect_in_one_delivery_loses_no_act_and_tells_no_secret() -> None:
    class Broken:
        async def deliver(self, act: Act, key: str) -> Delivered:
            raise KeyError("the password is hunter2")

    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign,assignment]  # the simplest listener
    logger = logging.getLogger("prober.deliver.outbox")
    logger.addHandler(handler)
    try:
        b = Bench(r1=Broken(), r2=Receiver(ACCEPTED))
        b.outbox.offer(act(ActKind.TICKET, "r1", "r2"))
        await b.settled()
    finally:
        logger.removeHandler(handler)
    assert b.trail[-1] == ("r2", ACCEPTED)
    assert b.results[0].detail == "a defect of ours: KeyError"
    assert "test_outbox.py" in records[0].getMessage()
    assert "hunter2" not in records[0].getMessage()
    assert records[0].exc_info is None


@scene
async def test_a_defect_in_a_callback_reaches_the_loops_handler() -> None:
    told: list[BaseException] = []
    heard = asyncio.Event()

    def hear(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        told.append(context["exception"])
        heard.set()

    asyncio.get_running_loop().set_exception_handler(hear)

    def refuse(result: ActResult) -> None:
        raise RuntimeError("the link is gone")

    outbox = Outbox({"r1": Receiver(ACCEPTED)}, refuse, lambda *_: None, clock=Time())
    outbox.offer(act())
    await heard.wait()
    assert str(told[0]) == "the link is gone"
    assert outbox.pending == 0


@scene
async def test_the_machines_clock_is_the_default() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0.0)
    assert clock.monotonic() >= before
    assert clock.utc_ns() > 1_700_000_000 * 10**9


@pytest.mark.parametrize("kinds", [(ActKind.PAGE, ActKind.PAGE_RESOLVE), (ActKind.TICKET, ActKind.NOTE)])
def test_acts_of_one_incident_to_one_receiver_keep_their_order(kinds: tuple[ActKind, ActKind]) -> None:
    async def whole() -> None:
        receiver = Receiver(TRANSIENT, UNKNOWN, TRANSIENT, ACCEPTED)
        b = Bench(r1=receiver)
        for n in range(4):
            for kind in kinds:
                b.outbox.offer(act(kind, step=str(n)))
        await b.settled()
        accepted = [r.act for r in b.results if r.outcome is ACCEPTED]
        assert accepted == [act(kind, step=str(n)).id for n in range(4) for kind in kinds]

    asyncio.run(whole())
