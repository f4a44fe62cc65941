"""Watches one mailbox: every mail that comes is handed on once, over reconnections, restarts and renumbered folders.

What was read is known by the folder's UIDVALIDITY and the greatest UID (RFC 3501 2.3.1.1). Should the folder be numbered
anew, its mails of the last days are looked through again, and those that were read before are known by what they hold.
Nothing is deleted; nothing is marked unless the configuration asks for it.
"""

import asyncio
import hashlib
import random
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from prober import logs
from prober.errors import ProberError
from prober.replies.imap import Fetched, Imap, ImapError, ImapRefusedError, Selected
from prober.replies.reading import MOST

log = logs.get("replies")

#: Seconds for one answer of the server, between two attempts to connect (doubling up to the second), and of one IDLE: RFC
#: 2177 allows 29 minutes, but routers forget a silent connection sooner.
ANSWER, FIRST_PAUSE, LONGEST_PAUSE, IDLE = 30.0, 1.0, 300.0, 240.0
#: Seconds that a connection must last before its loss is news: one that never lasts is not tried every second.
STEADY = 60.0
#: Mails whose fingerprints are kept, and attempts to read one mail before it is given up.
_FINGERPRINTS, _ATTEMPTS = 200, 3
#: Mails that concern nobody are told of in one message, so many at a time.
_BATCH = 50


@dataclass(frozen=True, slots=True)
class Position:
    """How far a folder was read. `at`: UTC seconds at which the newest mail that was read had come."""

    validity: int = 0
    uid: int = 0
    at: int = 0
    seen: tuple[str, ...] = ()

    def beyond(self, validity: int, mail: Fetched) -> "Position":
        """The position once `mail` was read, too."""
        seen = (*self.seen, fingerprint(mail))[-_FINGERPRINTS:]
        return Position(validity, mail.uid, max(self.at, mail.at), seen)

    def to_json(self) -> dict[str, Any]:
        return {"validity": self.validity, "uid": self.uid, "at": self.at, "seen": list(self.seen)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "Position":
        """Raises KeyError, TypeError and ValueError for what `to_json` did not write."""
        seen = tuple(str(s) for s in plain["seen"])
        return cls(int(plain["validity"]), int(plain["uid"]), int(plain["at"]), seen)


def fingerprint(mail: Fetched) -> str:
    """What a mail is known by when its folder was numbered anew."""
    return hashlib.sha256(mail.raw[:8192]).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Account:
    """Where the mailbox is. `every`: seconds between two looks where the server has no IDLE."""

    name: str
    host: str
    port: int
    tls: Literal["none", "starttls", "implicit"]
    username: str
    password: str
    folder: str = "INBOX"
    every: float = 30.0
    mark_seen: bool = False
    context: ssl.SSLContext | None = None


#: Gets a mail and the position once it is read; says whether it concerns anybody. None: no mail, the position alone.
Take = Callable[[Fetched | None, Position], bool]


class Watcher:
    """Watches `account` from `position` on; `run` ends only by being cancelled.

    `oldest()` is the UTC second since which mails matter when the mailbox is watched for the first time (the oldest open
    incident's opening), 0 for from now on.
    """

    def __init__(self, account: Account, position: Position, take: Take, oldest: Callable[[], int]) -> None:
        self._account = account
        self.position = position
        self._take = take
        self._oldest = oldest
        self._untold = 0  # mails read since a position was told
        self._trouble: dict[int, int] = {}  # UID -> failed attempts
        self.connected = False

    async def run(self) -> None:
        """Watch for ever; connect again when the connection is lost, ever more slowly."""
        pause, failures = FIRST_PAUSE, 0
        where = f"{self._account.host}:{self._account.port}"
        clock = asyncio.get_running_loop().time
        while True:
            begun = clock()
            try:
                await self._watch()
            except (ProberError, OSError, TimeoutError) as error:
                if self.connected and clock() - begun >= STEADY:
                    pause, failures = FIRST_PAUSE, 0
                self.connected = False
                failures += 1
                said = log.warning if failures == 1 else log.debug
                said("the mailbox %s (%s) is not watched: %s", self._account.name, where, _words(error))
            finally:
                self._tell()
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _watch(self) -> None:
        account = self._account
        async with Imap.connect(account.host, account.port, account.tls, account.context, ANSWER) as imap:
            await imap.login(account.username, account.password)
            selected = await imap.select(account.folder, writable=account.mark_seen)
            await self._look(imap, selected.validity, await self._begin(imap, selected))
            self.connected = True
            log.info(
                "the mailbox %s is watched (%s)", account.name, "IDLE" if "IDLE" in imap.capabilities else "polling"
            )
            idles = "IDLE" in imap.capabilities
            while True:
                if idles:
                    try:
                        await imap.idle(IDLE)
                    except ImapRefusedError as error:
                        log.info("the mailbox %s is polled: %s", account.name, error)
                        idles = False
                if not idles:
                    await asyncio.sleep(account.every)
                    await imap.noop()
                await self._look(imap, selected.validity, await imap.after(self.position.uid))

    async def _begin(self, imap: Imap, selected: Selected) -> list[int]:
        """What is to be read first of a folder that has just been opened."""
        known = self.position
        if known.validity == selected.validity:
            return await imap.after(known.uid)
        if known.validity:
            log.warning(
                "the folder of mailbox %s was numbered anew; its newest mails are looked at again", self._account.name
            )
            return await imap.since(known.at)
        oldest = self._oldest()
        if oldest:
            return await imap.since(oldest)
        newest = selected.next - 1 if selected.next else max(await imap.after(0), default=0)
        self.position = Position(selected.validity, newest)
        self._take(None, self.position)
        return []

    async def _look(self, imap: Imap, validity: int, uids: list[int]) -> None:
        """Read these mails, oldest first."""
        known = frozenset(self.position.seen) if validity != self.position.validity else frozenset()
        for uid in uids:
            mail = await self._fetch(imap, uid)
            if mail is None:
                continue
            self.position = self.position.beyond(validity, mail)
            if fingerprint(mail) in known:
                self._untold += 1
            elif self._take(mail, self.position):
                self._untold = 0
                if self._account.mark_seen:
                    await imap.mark_seen(uid)
            else:
                self._untold += 1
            if self._untold >= _BATCH:
                self._tell()
            await asyncio.sleep(0)  # thousands may lie there: the pages that wait go first
        self._tell()

    async def _fetch(self, imap: Imap, uid: int) -> Fetched | None:
        """The mail, or None when it is gone, or could not be read in several attempts: the others must not wait for it."""
        failures = self._trouble.get(uid, 0)
        if failures >= _ATTEMPTS:
            log.error("a mail in mailbox %s (UID %d) cannot be read; look at it there", self._account.name, uid)
            del self._trouble[uid]
            return None
        self._trouble[uid] = failures + 1
        mail = await imap.fetch(uid, MOST)
        del self._trouble[uid]
        return mail

    def _tell(self) -> None:
        if self._untold:
            self._untold = 0
            self._take(None, self.position)


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ImapError):
        return str(error)
    return str(error) or type(error).__name__
