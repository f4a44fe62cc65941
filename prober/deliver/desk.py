"""A desk with an API: one ticket an act, whatever answers are lost on the way.

Before a ticket is opened, the desk is asked whether it is there already: it carries a mark made from the act's key, so
that a repeat finds what an earlier attempt left behind. Comments carry theirs likewise. What searches find may lag
behind what was created; so after a lost answer nothing is created before the search has had `marks.SETTLE` seconds.

Opens a ticket: a ticket, a page, a call. Adds to it: a note, the page's resolve.
"""

import time
from collections.abc import Callable
from typing import Protocol

from prober.deliver import Delivered
from prober.deliver.exchange import Exchange, Session, Undelivered
from prober.deliver.harmless import told
from prober.deliver.marks import ADDS, Recent, mark, opening
from rules.acts import Act, ActKind, Outcome


class Api(Protocol):
    """What a kind of desk can do. Every method raises Undelivered when it could not be done."""

    def is_number(self, text: str) -> bool:
        """Whether `text` is a ticket's number as this desk writes it."""
        ...

    async def find(self, session: Session, mark: str) -> str:
        """The number of the ticket that carries `mark`; "" when there is none."""
        ...

    async def create(self, session: Session, act: Act, mark: str) -> str:
        """Open a ticket. Its number; "" when the answer did not tell it."""
        ...

    async def has(self, session: Session, number: str, mark: str) -> bool:
        """Whether the ticket has a comment that carries `mark`."""
        ...

    async def add(self, session: Session, number: str, act: Act, mark: str) -> None:
        """Add a comment to the ticket."""
        ...


class Desk:
    """One desk that takes acts, by its API."""

    def __init__(
        self, name: str, exchange: Exchange, api: Api, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._exchange = exchange
        self._api = api
        self._lost = Recent(monotonic)
        self._fresh = Recent(monotonic)  # marks of what was opened of late: a search may not show them yet

    async def deliver(self, act: Act, key: str) -> Delivered:
        try:
            async with self._exchange.session() as session:
                delivered = await (self._add if act.kind in ADDS else self._open)(session, act, key)
        except Undelivered as undelivered:
            delivered = undelivered.delivered
            if delivered.outcome is Outcome.UNKNOWN:
                self._lost.add(key)
        if delivered.outcome is Outcome.ACCEPTED:
            self._lost.forget(key)
        return delivered

    async def _open(self, session: Session, act: Act, key: str) -> Delivered:
        own = mark(opening(act, self._name))
        if number := await self._api.find(session, own):
            return self._accepted("is there already, as", number)
        if self._lost.unsettled(key):
            return Delivered(
                Outcome.UNKNOWN, f"{self._exchange.host}: the answer was lost, and the search does not show it yet"
            )
        number = await self._api.create(session, act, own)
        if not number:
            number = await self._api.find(session, own)
        if not number:
            self._lost.add(key)
            return Delivered(Outcome.UNKNOWN, f"{self._exchange.host}: it was opened, but its number is not known")
        self._fresh.add(own)
        return self._accepted("opened it as", number)

    async def _add(self, session: Session, act: Act, key: str) -> Delivered:
        number = await self._number(session, act)
        if not number and self._fresh.unsettled(mark(opening(act, self._name))):
            why = "the search does not show yet what was opened"
            return Delivered(Outcome.TRANSIENT, f"{self._exchange.host}: {why}")
        if not number:
            return Delivered(Outcome.PERMANENT, f"{self._exchange.host}: the ticket to add to is not there")
        if await self._api.has(session, number, mark(key)):
            return self._accepted("has it already, in", number)
        await self._api.add(session, number, act, mark(key))
        return self._accepted("added it to", number)

    async def _number(self, session: Session, act: Act) -> str:
        """The number of the ticket that `act` adds to: the one that it names, else the one that is found by its mark."""
        named = act.facts.get("ticket") if act.kind is ActKind.NOTE else None
        number = named.strip().lstrip("#") if isinstance(named, str) else ""
        if number and self._api.is_number(number):
            return number
        key = opening(act, self._name)
        return await self._api.find(session, mark(key)) if key else ""

    def _accepted(self, what: str, number: str) -> Delivered:
        number = told(self._exchange.redactor, number, 100)
        return Delivered(Outcome.ACCEPTED, f"{self._exchange.host} {what} {number}", number)
