"""The outbox: carries acts out, each in its own time, and reports every attempt.

Receivers are tried in the act's order until one accepts (DESIGN.md, "Order of acts"). A receiver that refuses for
good is not tried again for this act; one whose answer was lost is asked again under the same key before the next one
is, because two receivers that both took a ticket are worse than a late one. That ends after REPEATS times or PATIENCE:
then the next one gets it, with a word that it may come twice, because never is worse than twice. After a round in which
nobody accepted: back-off, then again, for as long as anybody is left. Nothing here is durable: the measuring process
writes acts and results down, and hands over what is not done after a restart.

Acts do not wait for each other, save those of one incident to one receiver (a page before its resolve, a ticket
before its notes) and those that name another act in `after`.
"""

import asyncio
import logging
import random as _random
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from prober.deliver import LONGEST_WAIT, TIMEOUT, Delivered, Delivery, doubts
from prober.deliver.errand import Clock, Errand, SystemClock, lines
from rules.acts import Act, ActResult, Outcome

log = logging.getLogger(__name__)

#: Seconds of the first back-off; it doubles up to LONGEST_WAIT.
FIRST_WAIT = 1.0
#: The part of a back-off that jitter may take away.
JITTER = 0.25
#: How often a receiver is asked again after an answer was lost, before the next one is tried; restarts do not start anew.
REPEATS = 5
#: Seconds after the first lost answer from which the same receiver is not asked again before the next one is tried: with
#: time-outs of 10 s, REPEATS alone would take up most of the 120 s that the hotline waits for the ticket.
PATIENCE = 30.0
#: Settled acts remembered, so that a second copy over the link is answered, not carried out.
REMEMBERED = 10_000


class Outbox:
    """Lives on one event loop; every method is called on it, and none blocks.

    `report` gets every attempt's result, `started` (act id, receiver, UTC ns) is called before each attempt. Offer
    acts in the order in which they were made.
    """

    def __init__(
        self,
        receivers: Mapping[str, Delivery],
        report: Callable[[ActResult], None],
        started: Callable[[str, str, int], None],
        clock: Clock | None = None,
        random: Callable[[], float] = _random.random,
        timeout: float = TIMEOUT,
    ) -> None:
        self._receivers = dict(receivers)
        self._report = report
        self._started = started
        self._clock: Clock = clock or SystemClock()
        self._random = random
        self._timeout = timeout
        self._errands: dict[str, Errand] = {}
        self._settled: OrderedDict[str, ActResult | None] = OrderedDict()
        self._closing = False

    @property
    def pending(self) -> int:
        """Acts that are not done."""
        return len(self._errands)

    @property
    def oldest(self) -> int | None:
        """UTC seconds at which the oldest pending act was made; None when none is pending."""
        return min((e.act.created for e in self._errands.values()), default=None)

    def offer(self, act: Act, attempts_so_far: int = 0, earlier: Sequence[ActResult] = ()) -> None:
        """Take an act to be carried out. A second copy changes nothing; of a settled act, the result is reported again.

        `attempts_so_far` (rounds that failed before a restart) sets where the back-off goes on; the first attempt is
        made at once. `earlier` are the attempts on record: who refused for good is skipped, who may have taken it is
        asked first.
        """
        if self._closing or act.id in self._errands:
            return
        if act.id in self._settled:
            if (result := self._settled[act.id]) is not None:
                self._report(result)
            return
        mine = lines(act)
        predecessors = tuple(e for e in self._errands.values() if e.act.id == act.after or e.lines & mine)
        errand = Errand(
            act,
            predecessors,
            rounds=max(attempts_so_far, len(earlier)),
            refused={r.receiver for r in earlier if r.outcome is Outcome.PERMANENT},
            repeats=doubts.repeats(earlier),
            uncertain=doubts.uncertain(earlier),
            doubted=doubts.doubted(earlier),
            said=doubts.said(earlier),
        )
        self._errands[act.id] = errand
        for predecessor in predecessors:
            self._hurry(predecessor)
        errand.task = asyncio.get_running_loop().create_task(self._run(errand), name=f"act {act.id}")
        # Not a `finally` in the task: one that is cancelled before its first step never enters its body.
        errand.task.add_done_callback(lambda task: self._settle(errand, task))

    def withdraw(self, act_id: str) -> None:
        """The act is no longer wanted: no further attempt begins. One that is under way ends, and is reported."""
        errand = self._errands.get(act_id)
        if errand is None:
            self._settled.setdefault(act_id, None)
            return
        errand.withdrawn = True
        if not errand.attempting:
            errand.task.cancel()

    def reconfigure(self, receivers: Mapping[str, Delivery]) -> None:
        """New receivers from the next attempt on. They may take what was refused: pending acts are tried at once."""
        self._receivers = dict(receivers)
        for errand in self._errands.values():
            errand.refused.clear()
            errand.not_before.clear()
            errand.wake.set()

    async def close(self, grace: float = 5.0) -> None:
        """Stop. Acts that wait stay pending; those under way or just offered get `grace` seconds, then are cut off."""
        self._closing = True
        under_way = []
        for errand in list(self._errands.values()):
            under_way.append(errand.task)
            if errand.waiting:
                errand.task.cancel()
        if not under_way:
            return
        _, late = await asyncio.wait(under_way, timeout=grace)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    def _hurry(self, errand: Errand) -> None:
        """Something waits behind it: cut its back-off short, unless its receiver asked for the wait."""
        now = self._clock.monotonic()
        if not any(until > now for until in errand.not_before.values()):
            errand.wake.set()

    async def _run(self, errand: Errand) -> None:
        if errand.predecessors:
            errand.waiting = True
            for predecessor in errand.predecessors:
                await predecessor.settled.wait()
            errand.waiting = False
            errand.predecessors = ()  # they may be long gone when this act still tries
            errand.wake.clear()
        while True:
            await self._round(errand)
            if self._over(errand) or self._closing:
                return
            await self._back_off(errand)

    def _settle(self, errand: Errand, task: asyncio.Task[None]) -> None:
        del self._errands[errand.act.id]
        if self._over(errand):
            self._remember(errand.act.id, errand.last if errand.last is not None and errand.last.final else None)
        errand.settled.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error  # a defect of ours, in a callback: the loop's exception handler tells it

    @staticmethod
    def _over(errand: Errand) -> bool:
        return errand.withdrawn or (errand.last is not None and errand.last.final)

    async def _round(self, errand: Errand) -> None:
        """Every receiver that is left, in turn, until one accepts."""
        if all(receiver in errand.refused for receiver in errand.act.receivers):
            self._give_up(errand)
            return
        for receiver in sorted(errand.act.receivers, key=lambda name: name != errand.uncertain):
            while self._due(errand, receiver):
                result = await self._attempt(errand, receiver)
                if self._over(errand):
                    return
                if not self._asks_again(errand, result):
                    break
                if self._closing:
                    return
                await self._wait(errand, self._jittered(errand.repeats[receiver] - 1))

    def _due(self, errand: Errand, receiver: str) -> bool:
        return receiver not in errand.refused and errand.not_before.get(receiver, 0.0) <= self._clock.monotonic()

    def _asks_again(self, errand: Errand, result: ActResult) -> bool:
        """Whether the same receiver is asked again at once (after a back-off): it may have taken the act."""
        receiver = result.receiver
        now = self._clock.monotonic()
        if result.outcome is Outcome.UNKNOWN:
            errand.uncertain = receiver
            errand.lost_since.setdefault(receiver, now)
        if errand.uncertain != receiver:
            return False
        late = now - errand.lost_since.get(receiver, now) >= PATIENCE
        if result.outcome is Outcome.PERMANENT or late or errand.repeats.get(receiver, 0) >= REPEATS:
            errand.uncertain = ""
            return False
        errand.repeats[receiver] = errand.repeats.get(receiver, 0) + 1
        return True

    async def _attempt(self, errand: Errand, receiver: str) -> ActResult:
        act = doubts.told(errand.act, receiver, errand.doubted, errand.said)
        delivery = self._receivers.get(receiver)
        errand.attempting = True
        try:
            self._started(act.id, receiver, self._clock.utc_ns())
            if delivery is None:
                delivered = Delivered(Outcome.PERMANENT, "no receiver of this name is configured")
            else:
                delivered = await self._deliver(delivery, act, act.key(receiver))
        finally:
            errand.attempting = False
        if delivered.outcome is Outcome.PERMANENT:
            errand.refused.add(receiver)
            errand.doubted.discard(receiver)
        if delivered.outcome is Outcome.UNKNOWN:
            errand.doubted.add(receiver)
        if delivered.retry_after > 0:
            errand.not_before[receiver] = self._clock.monotonic() + min(delivered.retry_after, LONGEST_WAIT)
        final = delivered.outcome is Outcome.ACCEPTED or all(r in errand.refused for r in act.receivers)
        at = self._clock.utc_ns()
        result = ActResult(act.id, receiver, delivered.outcome, at, delivered.detail, delivered.reference, final)
        errand.last = result
        self._report(result)
        return result

    async def _deliver(self, delivery: Delivery, act: Act, key: str) -> Delivered:
        try:
            # Deliveries keep their own deadline, since only they know what had been sent; this one is for a defect in
            # one.
            async with asyncio.timeout(self._timeout * 1.5):
                return await delivery.deliver(act, key)
        except TimeoutError:
            return Delivered(Outcome.UNKNOWN, "the attempt did not end in time")
        except Exception as error:  # noqa: BLE001 - a defect in one delivery must not lose the act
            # The text of an unknown error may hold anything, a secret included, so only its kind and place are told.
            log.error("a delivery failed by a defect of ours: %s at %s", type(error).__name__, _place(error))
            return Delivered(Outcome.UNKNOWN, f"a defect of ours: {type(error).__name__}")

    def _give_up(self, errand: Errand) -> None:
        """Nobody is left to try: the act names no receiver, or all had refused for good before a restart."""
        receivers = errand.act.receivers
        detail = "every receiver has refused for good" if receivers else "the act names no receiver"
        receiver = receivers[-1] if receivers else "-"
        errand.last = ActResult(errand.act.id, receiver, Outcome.PERMANENT, self._clock.utc_ns(), detail, final=True)
        self._report(errand.last)

    async def _back_off(self, errand: Errand) -> None:
        delay = self._jittered(errand.rounds)
        errand.rounds += 1
        now = self._clock.monotonic()
        left = [r for r in errand.act.receivers if r not in errand.refused]
        asked = min((errand.not_before.get(r, 0.0) - now for r in left), default=0.0)
        await self._wait(errand, max(delay, asked))

    def _jittered(self, doublings: int) -> float:
        return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(doublings, 20)) * (1.0 - JITTER * self._random())

    async def _wait(self, errand: Errand, seconds: float) -> None:
        """Wait, or until something wakes the act (also what woke it while it was busy)."""
        errand.waiting = True
        sleep = asyncio.ensure_future(self._clock.sleep(seconds))
        woken = asyncio.ensure_future(errand.wake.wait())
        try:
            await asyncio.wait({sleep, woken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            woken.cancel()
            errand.waiting = False
            errand.wake.clear()

    def _remember(self, act_id: str, result: ActResult | None) -> None:
        self._settled[act_id] = result
        while len(self._settled) > REMEMBERED:
            self._settled.popitem(last=False)


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
