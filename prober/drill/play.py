"""The drill itself: the real rules and the real deliveries, on an incident that is made up and on a clock that is moved.

On-call at once, the ticket, then the hotline; whoever stands behind them (a second mailbox, a later level); the recovery's
note, and the pages resolved. The clock is moved only where the agreement would have us wait. Every text is marked.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from prober.deliver import Arrival, Delivery, Followed, Reached
from prober.deliver.outbox import Outbox
from prober.drill.standing import Standing
from prober.rehearsal import Rehearsal
from rules.acts import Act, ActKind, ActResult, Outcome
from rules.incident import Entry, EntryKind, Event, Result, Started, Tick
from rules.incident_hotline import PATIENCE

NS = 10**9
#: Who says in the record that the exercise is over.
WHO = "prober drill"
_LOOK = 2.0  # seconds between two looks at what became of an act, at most
#: Waits that the agreement can ask for, one after the other: for consent, and for the ticket.
_WAITS = 3
_GRACE = 2.0  # seconds for attempts under way at the end

#: Tells people what happens: the story's UTC second, the words, and whether it went well (None: neither).
Tell = Callable[[int, str, bool | None], None]


class Drill:
    """Plays `rehearsal` against `deliveries`. `within`: seconds that each act has to be taken, and to reach somebody."""

    def __init__(self, rehearsal: Rehearsal, deliveries: Mapping[str, Delivery], tell: Tell, within: float) -> None:
        self._rehearsal = rehearsal
        self._deliveries = deliveries
        self._tell = tell
        self._within = within
        # The story ends about now, so that no instant that it tells lies ahead of anybody's clock.
        ahead = rehearsal.service.persistence.recovered_after * 10**6 + rehearsal.plan.ask_for * NS + 2 * PATIENCE
        self._shift = -ahead
        self._outbox = Outbox(deliveries, self._report, self._started)
        self.standings = {name: Standing(name, kind) for name, kind in rehearsal.receivers.items()}
        self._acts: dict[str, Act] = {}
        self._open: set[str] = set()
        self._taken: dict[str, str] = {}  # act -> the receiver that took it
        self._following: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    async def play(self) -> None:
        """The whole incident. What came of it stands in `standings`."""
        try:
            await self._outage()
            await self._others()
            await self._arrivals()
            await self._recovery()
        finally:
            for task in self._following:
                task.cancel()
            await self._outbox.close(_GRACE)

    # the story

    async def _outage(self) -> None:
        raised = self._rehearsal.raised(self._second)
        self._tell(self._second, f"made up: the condition {raised.condition} is found", None)
        self._event(raised)
        await self._settled()
        for _ in range(_WAITS):
            if not (wait := self._wait()):
                break
            self._tell(self._second, f"the clock is moved by {wait // NS} s, which an incident would wait", None)
            self._shift += wait
            self._event(Tick(self._second))
            await self._settled()

    def _wait(self) -> int:
        """How long the rules wait for time alone (ns); 0: they do not."""
        incident = self._rehearsal.state.incident
        if incident is None or not (incident.ask or incident.wait):
            return 0
        until = incident.ask.until if incident.ask else self._now + PATIENCE
        return max(NS, until - self._now + NS)

    async def _others(self) -> None:
        """Those who would be told only if others failed or kept silent: each gets the act of its kind, once."""
        for name, standing in self.standings.items():
            if not standing.tried and (act := self._for(name, standing.kind)) is not None:
                self._offer(act)
        await self._settled()

    def _for(self, name: str, kind: ActKind) -> Act | None:
        made = [act for act in self._acts.values() if act.kind is kind]
        if made:
            return replace(made[0], receivers=(name,), step=f"{made[0].step}-in-turn", created=self._second, after="")
        escalation = self._rehearsal.plan.pack.escalation
        tickets = [act for act in self._acts.values() if act.kind is ActKind.TICKET]
        if kind is not ActKind.ESCALATION or escalation is None or not tickets:
            return None
        facts = {**tickets[0].facts, "to": escalation.title}
        return replace(tickets[0], kind=kind, receivers=(name,), step="drill", created=self._second, facts=facts)

    async def _recovery(self) -> None:
        self._shift += self._rehearsal.service.persistence.recovered_after * 10**6
        self._tell(self._second, "made up: recovered", None)
        before = set(self._acts)
        self._event(self._rehearsal.cleared(self._second))
        resolves = [a for i, a in self._acts.items() if i not in before and a.kind is ActKind.PAGE_RESOLVE]
        for page in [a for a in self._acts.values() if a.kind is ActKind.PAGE and a.step.endswith("-in-turn")]:
            if resolves and page.id in self._taken:
                facts = {**page.facts, **resolves[0].facts}
                self._offer(replace(page, kind=ActKind.PAGE_RESOLVE, created=self._second, after=page.id, facts=facts))
        await self._settled()
        self._event(Entry(EntryKind.RESOLVE, WHO, "the exercise is over", self._now))
        await self._settled()

    # acts on their way

    @property
    def _now(self) -> int:
        """The story's time, UTC ns."""
        return time.time_ns() + self._shift

    @property
    def _second(self) -> int:
        return self._now // NS

    def _event(self, event: Event) -> None:
        for act in self._rehearsal.take(event):
            if act.kind is not ActKind.PAGE_RESOLVE or act.after in self._taken:  # nobody resolves what never arrived
                self._offer(act)

    def _offer(self, act: Act) -> None:
        self._acts[act.id] = act
        self._open.add(act.id)
        # The rules name what an act waits for; the outbox has it no more once it was given up.
        self._outbox.offer(act if act.after in self._open else replace(act, after=""))

    def _started(self, act: str, receiver: str, at: int) -> None:
        self._event(Started(act, receiver, at + self._shift))

    def _report(self, result: ActResult) -> None:
        act = self._acts[result.act]
        if result.act not in self._open:
            return
        accepted = result.outcome is Outcome.ACCEPTED
        if standing := self.standings.get(result.receiver):
            standing.answered(act.kind, result)
        self._tell(self._second, f"{_words(act)} to {result.receiver}: {result.outcome}, {result.detail}", accepted)
        if accepted:
            self._taken[act.id] = result.receiver
            self._follow(act, result)
        if accepted or result.final:
            self._over(act, result)

    def _over(self, act: Act, result: ActResult) -> None:
        self._open.discard(act.id)
        self._changed.set()
        if result.outcome is not Outcome.ACCEPTED:
            for name in act.receivers:
                if standing := self.standings.get(name):
                    standing.lacking(standing.words or result.detail)
        self._event(Result(replace(result, at=result.at + self._shift)))

    async def _settled(self) -> None:
        """Until every act was taken or refused; one that takes longer than `within` is given up."""
        deadline = time.monotonic() + self._within
        while self._open and (left := deadline - time.monotonic()) > 0:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                break
        for act_id in sorted(self._open):
            act = self._acts[act_id]
            self._outbox.withdraw(act_id)
            names = ", ".join(act.receivers)
            why = f"not taken within {self._within:g} s"
            self._tell(self._second, f"{_words(act)} to {names}: {why}", False)
            self._over(act, ActResult(act_id, act.receivers[-1], Outcome.PERMANENT, time.time_ns(), why, final=True))

    # what became of them

    def _follow(self, act: Act, result: ActResult) -> None:
        delivery: object = self._deliveries.get(result.receiver)
        known = result.receiver in self.standings
        if known and act.kind is not ActKind.PAGE_RESOLVE and isinstance(delivery, Followed):
            task = asyncio.get_running_loop().create_task(self._look(delivery, act, result), name=f"follow {act.id}")
            self._following.add(task)

    async def _look(self, delivery: Followed, act: Act, result: ActResult) -> None:
        """Until somebody is known to have got it, nobody did, or its API tells no more."""
        deadline = time.monotonic() + self._within
        reference, standing = result.reference, self.standings[result.receiver]
        while True:
            arrival = await delivery.follow(act, act.key(result.receiver), reference)
            reference = arrival.reference or reference
            late = time.monotonic() > deadline
            if arrival.reached is Reached.WAITING and arrival.again > 0 and late:
                arrival = Arrival(Reached.FAILED, f"nobody within {self._within:g} s: {arrival.detail}")
            if arrival.reached is not Reached.WAITING or arrival.again <= 0:
                standing.arrived(arrival)
                good = None if arrival.reached is Reached.WAITING else arrival.reached is not Reached.FAILED
                words = f"{_words(act)} to {result.receiver}: {arrival.reached}, {arrival.detail}"
                self._tell(self._second, words, good)
                return
            await asyncio.sleep(min(_LOOK, arrival.again))

    async def _arrivals(self) -> None:
        if self._following:
            self._tell(self._second, "asking the receivers whom they reached", None)
            await asyncio.gather(*self._following)


def _words(act: Act) -> str:
    return "resolve" if act.kind is ActKind.PAGE_RESOLVE else act.kind.value
