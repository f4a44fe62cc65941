"""Which mailboxes are in reach, and since when one is not: told once when it has lasted, and when it is over.

A vendor's answer that nobody reads is a clock that seems to run: while an incident is open that matters soon.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from prober.link import Message

#: Seconds out of reach after which on-call is told: while an incident of an agreement's is open, and else.
WHILE_OPEN, ELSE = 900.0, 3_600.0


@dataclass(slots=True)
class _Seen:
    since: float  # monotonic: when it was last in reach, or first watched
    told: bool | None = None  # what the measuring process was told last


class Reach:
    """Looked at now and then (`look`). `send` puts a message on the link; `monotonic` and `now` (UTC) are seconds."""

    def __init__(
        self,
        send: Callable[[Message], None],
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._send = send
        self._monotonic = monotonic
        self._now = now
        self._seen: dict[str, _Seen] = {}

    def look(self, connected: Mapping[str, bool], *, incident: bool) -> None:
        """`connected`: of every mailbox that is watched. `incident`: one of an agreement's is open."""
        at = self._monotonic()
        self._seen = {name: self._seen.get(name, _Seen(at)) for name in connected}
        for name, up in connected.items():
            seen = self._seen[name]
            if up:
                seen.since = at
                if seen.told is not True:
                    self._tell(name, seen, reached=True)
            elif seen.told is not False and at - seen.since >= (WHILE_OPEN if incident else ELSE):
                self._tell(name, seen, reached=False)

    def _tell(self, name: str, seen: _Seen, *, reached: bool) -> None:
        since = int(self._now() - (self._monotonic() - seen.since))
        self._send({"type": "mailbox", "mailbox": name, "reached": reached, "since": since})
        seen.told = reached
