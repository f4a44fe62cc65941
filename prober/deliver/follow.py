"""Following acts after they were accepted: whether they reached somebody, who acknowledged, and what keeps them alive.

An act is followed while its receiver has more to tell, until its page is resolved, its incident closes, or a week has
passed. What is learnt goes into the incident's record: an acknowledgement as one, all else as a note. Nothing here is
durable: after a restart of the serving process, `begin` gets what the store knows to be accepted (`accepted`).
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prober.deliver import Arrival, Delivered, Delivery, Followed, Reached
from prober.deliver.errand import Clock, SystemClock
from prober.store.reader import StoredAct
from rules.acts import Act, ActKind, Outcome

log = logging.getLogger(__name__)

#: Seconds after which an act is looked at for the first time.
FIRST = 5.0
#: Seconds for which an act is followed at most.
LONGEST = 7 * 86_400.0
#: Shortest pause between two looks, seconds.
_SHORTEST = 1.0


@dataclass(frozen=True, slots=True)
class Taken:
    """An act that `receiver` has accepted, under `key`, and what it calls it."""

    act: Act
    receiver: str
    key: str
    reference: str


class Follower:
    """Lives on one event loop. `report` gets what is learnt of an act, once for each state that it comes to."""

    def __init__(self, report: Callable[[Taken, Arrival], None], clock: Clock | None = None) -> None:
        self._report = report
        self._clock: Clock = clock or SystemClock()
        self._receivers: Mapping[str, Delivery] = {}
        self._tasks: dict[str, tuple[Taken, asyncio.Task[None]]] = {}

    def reconfigure(self, receivers: Mapping[str, Delivery]) -> None:
        """New receivers from the next look on."""
        self._receivers = dict(receivers)

    @property
    def following(self) -> tuple[Taken, ...]:
        return tuple(taken for taken, _ in self._tasks.values())

    def begin(self, taken: Taken) -> None:
        """Follow an accepted act, where its receiver has more to tell."""
        if taken.key not in self._tasks and isinstance(self._receivers.get(taken.receiver), Followed):
            task = asyncio.get_running_loop().create_task(self._follow(taken), name=f"follow {taken.key}")
            self._tasks[taken.key] = (taken, task)
            task.add_done_callback(lambda done: self._ended(taken.key, done))

    def resolve(self, act: Act, receiver: str) -> None:
        """The page that `act` resolves is followed no longer; before the resolve goes out, or a look might undo it."""
        alert = act.alert(receiver)
        self._end(lambda taken: taken.receiver == receiver and taken.act.alert(receiver) == alert)

    def keep(self, incidents: Collection[str]) -> None:
        """Follow no act of any other incident from now on: it is closed."""
        self._end(lambda taken: taken.act.incident not in incidents)

    async def close(self) -> None:
        tasks = [task for _, task in self._tasks.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _end(self, wanted: Callable[[Taken], bool]) -> None:
        for taken, task in list(self._tasks.values()):
            if wanted(taken):
                del self._tasks[taken.key]
                task.cancel()

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        if key in self._tasks and self._tasks[key][1] is task:
            del self._tasks[key]

    async def _follow(self, taken: Taken) -> None:
        until = self._clock.monotonic() + LONGEST
        reference, told, pause = taken.reference, Reached.WAITING, FIRST
        while self._clock.monotonic() < until:
            await self._clock.sleep(pause)
            delivery: object = self._receivers.get(taken.receiver)
            if not isinstance(delivery, Followed):
                return  # configured away
            arrival = await self._look(delivery, taken, reference)
            reference = arrival.reference or reference
            if arrival.reached is not told and arrival.reached is not Reached.WAITING:
                told = arrival.reached
                self._report(taken, arrival)
            if arrival.again <= 0:
                return
            pause = max(_SHORTEST, arrival.again)

    @staticmethod
    async def _look(delivery: Followed, taken: Taken, reference: str) -> Arrival:
        try:
            return await delivery.follow(taken.act, taken.key, reference)
        except Exception as error:  # noqa: BLE001 - a defect in one delivery must not end the following of its acts
            # The text of an unknown error may hold anything, a secret included.
            log.error("an act cannot be followed by a defect of ours: %s", type(error).__name__)
            return Arrival(Reached.WAITING, again=60.0)


class Reporting:
    """A delivery that tells the follower what it has accepted."""

    def __init__(self, name: str, delivery: Delivery, follower: Follower) -> None:
        self._name = name
        self._delivery = delivery
        self._follower = follower

    async def deliver(self, act: Act, key: str) -> Delivered:
        if act.kind is ActKind.PAGE_RESOLVE:
            self._follower.resolve(act, self._name)
        delivered = await self._delivery.deliver(act, key)
        if delivered.outcome is Outcome.ACCEPTED and act.kind is not ActKind.PAGE_RESOLVE:
            self._follower.begin(Taken(act, self._name, key, delivered.reference))
        return delivered


def accepted(acts: Iterable[StoredAct]) -> Iterator[Taken]:
    """The acts of an incident that a receiver has accepted, but for pages that are resolved."""
    acts = tuple(acts)
    over = {a.act.alert(r) for a in acts if a.act.kind is ActKind.PAGE_RESOLVE for r in a.act.receivers}
    for stored in acts:
        taken = next((a for a in stored.attempts if a.outcome is Outcome.ACCEPTED), None)
        if taken is None or stored.act.kind is ActKind.PAGE_RESOLVE:
            continue
        if stored.act.kind is not ActKind.PAGE or stored.act.alert(taken.receiver) not in over:
            yield Taken(stored.act, taken.receiver, stored.act.key(taken.receiver), taken.reference)
