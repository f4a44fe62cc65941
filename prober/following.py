"""What became of accepted acts, between the follower of the deliveries and the measuring process's record.

An acknowledgement of a page is entered as one. Of an act that reached nobody the rules are told, which
turn to the next one. All else is a note.
"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

from prober import logs
from prober.deliver import Arrival, Reached
from prober.deliver.follow import Follower, Taken, accepted
from prober.errors import ProberError
from prober.link import Message
from prober.settings import Settings
from prober.store.place import locate
from prober.store.reader import Reader
from rules.acts import Act, ActKind
from rules.incident_events import EntryKind

log = logs.get("serve")

VIA_RECEIVER = "receiver"


class Following:
    """The follower of the serving process. `send` puts messages on the link."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self.follower = Follower(self._report)
        self._store: Path | None = None
        self._resuming: asyncio.Task[None] | None = None

    def configured(self, settings: Settings, base: Path) -> None:
        self._store = locate(settings.store, base)

    def opened(self, message: Message) -> None:
        """The open incidents: acts of others are followed no longer; those of the first message are taken up again."""
        incidents = tuple(str(entry["id"]) for entry in message.get("open", ()))
        self.follower.keep(incidents)
        if self._resuming is None:
            self._resuming = asyncio.get_running_loop().create_task(self._resume(incidents), name="resume following")

    async def close(self) -> None:
        if self._resuming is not None:
            self._resuming.cancel()
            await asyncio.wait((self._resuming,))
        await self.follower.close()

    async def _resume(self, incidents: tuple[str, ...]) -> None:
        if self._store is None or not incidents:
            return
        try:
            taken = await asyncio.to_thread(_accepted, self._store, incidents)
        except ProberError as error:
            log.warning("acts that were accepted before cannot be followed any more: %s", error)
            return
        for each in taken:
            self.follower.begin(each)

    def _report(self, taken: Taken, arrival: Arrival) -> None:
        act = taken.act
        extra = logs.fields(act=act.id, receiver=taken.receiver, reached=arrival.reached.value, detail=arrival.detail)
        if arrival.reached is Reached.FAILED:
            log.warning("an accepted act reached nobody", extra=extra)
        else:
            log.info("an accepted act has come further", extra=extra)
        self._send(
            {
                "type": "entry",
                "id": f"{taken.key}/{arrival.reached.value}",
                "incident": act.incident,
                "kind": _kind(act, arrival.reached).value,
                "by": arrival.by or taken.receiver,
                "text": f"{act.kind.value} by {taken.receiver}: {arrival.reached.value}. {arrival.detail}",
                # The act's key where there is no more to learn of it, so that a restart does not take it up again.
                "value": taken.key if arrival.again <= 0 else "",
                "via": VIA_RECEIVER,
            }
        )


def _kind(act: Act, reached: Reached) -> EntryKind:
    """As what it is entered. An acknowledgement of the vendor's is not on-call's."""
    if reached is Reached.FAILED:
        return EntryKind.UNREACHED
    return EntryKind.ACK if reached is Reached.ACKNOWLEDGED and act.kind is ActKind.PAGE else EntryKind.NOTE


def _accepted(store: Path, incidents: tuple[str, ...]) -> list[Taken]:
    with Reader(store) as reader:
        return [taken for incident in incidents for taken in _unended(reader, incident)]


def _unended(reader: Reader, incident: str) -> Iterator[Taken]:
    """The accepted acts of which there is more to learn, by the record: a call that somebody answered is not made again."""
    told = (record.detail for record in reader.records(incident))
    ended = {detail.get("value") for detail in told if detail.get("via") == VIA_RECEIVER}
    return (taken for taken in accepted(reader.acts(incident)) if taken.key not in ended)
