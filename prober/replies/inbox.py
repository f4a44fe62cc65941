"""The mailboxes of the configuration, watched; what comes in is judged by the rules and put on the link to the measuring process.

The measuring process writes down a reply together with how far its mailbox was read, so that none is lost or taken twice,
whichever process ends when.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from prober import logs
from prober.link import Message
from prober.redact import Redactor
from prober.replies.imap import Fetched
from prober.replies.mailbox import Account, Position, Watcher
from prober.replies.reach import Reach
from prober.replies.reading import read
from prober.settings import Service, Settings
from prober.surroundings import Mailbox
from rules.contracts.model import INTERNAL
from rules.replies import Reply, Thread, Vendor, decide

log = logs.get("replies")

#: Replies that are told in full, for each incident; past that only how many there were (a mail bomb is one story).
MOST_REPLIES = 200


class Inbox:
    """Watches the mailboxes. `send` puts a message on the link; `configured` and `opened` come from it."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._settings = Settings()
        self._redactor = Redactor()
        self._vendors: Mapping[str, Vendor] = {}
        self._threads: tuple[Thread, ...] = ()
        self._oldest = 0
        self._known = False  # which incidents are open
        self._positions: dict[str, Position] = {}
        self._watched: dict[str, tuple[Mailbox, asyncio.Task[None]]] = {}
        self._told: dict[str, int] = {}  # incident -> replies told of
        self._watchers: dict[str, Watcher] = {}
        self._reach = Reach(send)
        self._agreed = False  # whether an incident of an agreement's is open

    def configured(self, settings: Settings, positions: Mapping[str, Any]) -> None:
        """A configuration was taken. `positions`: how far each mailbox was read, as the measuring process knows it."""
        self._settings = settings
        self._redactor = Redactor.of(settings)
        self._vendors = {name: vendor_of(settings, service) for name, service in settings.services.items()}
        for name, plain in positions.items():
            try:
                self._positions.setdefault(name, Position.from_json(plain))
            except (KeyError, TypeError, ValueError):
                log.error("how far the mailbox %s was read cannot be understood: it is watched from now on", name)
        if self._known:
            self._watch()

    def opened(self, message: Message) -> None:
        """Which incidents are open. Nothing is read before that is known."""
        entries = [entry for entry in message.get("open", ()) if entry.get("id")]
        self._threads = tuple(
            Thread(
                str(entry["id"]),
                str(entry.get("service") or ""),
                str(entry.get("reference") or ""),
                str(entry.get("number") or ""),
            )
            for entry in entries
        )
        self._agreed = any(entry.get("severity") != INTERNAL for entry in entries)
        self._oldest = min((int(entry.get("opened") or 0) for entry in entries), default=0)
        self._told = {
            incident: n for incident, n in self._told.items() if any(t.incident == incident for t in self._threads)
        }
        self._known = True
        self._watch()

    def look(self) -> dict[str, bool]:
        """Which mailboxes are in reach; the measuring process is told of one that has not been for long."""
        names = [mailbox.label for mailbox in self._settings.mailboxes]
        connected = {name: name in self._watchers and self._watchers[name].connected for name in names}
        self._reach.look(connected, incident=self._agreed)
        return connected

    async def close(self) -> None:
        """Watch no longer; what was read is told."""
        tasks = [task for _, task in self._watched.values()]
        self._watched.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _watch(self) -> None:
        """Watch what is configured, and nothing else; a mailbox that stays as it is stays connected."""
        wanted = {mailbox.label: mailbox for mailbox in self._settings.mailboxes}
        for label, (mailbox, task) in list(self._watched.items()):
            if wanted.get(label) != mailbox or task.done():
                task.cancel()
                del self._watched[label]
        for label, mailbox in wanted.items():
            if label not in self._watched:
                self._watched[label] = (
                    mailbox,
                    asyncio.create_task(self._run(label, mailbox), name=f"mailbox {label}"),
                )

    async def _run(self, label: str, mailbox: Mailbox) -> None:
        try:
            account = _account(label, mailbox)
        except OSError as error:
            log.error("the mailbox %s is not watched: %s", label, error.strerror or error)
            return

        def take(mail: Fetched | None, position: Position) -> bool:
            return self._take(label, mailbox.authority or "", mail, position)

        watcher = Watcher(account, self._positions.get(label, Position()), take, lambda: self._oldest)
        self._watchers[label] = watcher
        try:
            await watcher.run()
        finally:
            self._positions[label] = watcher.position
            if self._watchers.get(label) is watcher:
                del self._watchers[label]

    def _take(self, label: str, authority: str, mail: Fetched | None, position: Position) -> bool:
        """Judge a mail and tell of it; whether it concerns anybody."""
        reply = None
        if mail is not None:
            reply = decide(read(mail.raw, mail.at, size=mail.size, authority=authority), self._threads, self._vendors)
            if reply is None:
                return False
        self._positions[label] = position
        message: Message = {"type": "reply", "mailbox": label, "position": position.to_json(), "reply": None}
        if reply is not None:
            message["reply"] = self._plain(reply)
            log.info(
                "a mail came from the vendor's side",
                extra=logs.fields(incident=reply.incident, kind=reply.kind, why=reply.why, sender=reply.sender),
            )
        self._send(message)
        return True

    def _plain(self, reply: Reply) -> dict[str, Any] | None:
        """As JSON values without secrets. Of a flood only its size is told."""
        told = self._told[reply.incident] = self._told.get(reply.incident, 0) + 1
        if told > MOST_REPLIES:
            if told % MOST_REPLIES:
                return None
            log.warning(
                "%d mails came in one thread; look at the mailbox", told, extra=logs.fields(incident=reply.incident)
            )
        plain: dict[str, Any] = self._redactor.value(asdict(reply))
        plain["count"] = told
        return plain


def vendor_of(settings: Settings, service: Service) -> Vendor:
    """How the vendor of a service writes, by its configuration. Our addresses are those that any of our tickets come from."""
    import re2

    mails = [receiver.email for receiver in service.tickets if receiver.email is not None]
    domains = service.replies.domains or tuple(mail.to.rpartition("@")[2] for mail in mails)
    every = [receiver.email for s in settings.services.values() for receiver in s.tickets if receiver.email is not None]
    own = tuple(dict.fromkeys(_ascii(mail.from_).lower() for mail in every))
    pages = [receiver.email for receiver in settings.on_call if receiver.email is not None]
    theirs = {_ascii(mail.to).lower() for mail in mails}
    copied = dict.fromkeys(
        _ascii(address).lower() for address in (*(a for m in (*mails, *pages) for a in m.cc), *(m.to for m in pages))
    )
    return Vendor(
        domains=tuple(dict.fromkeys(_ascii(domain).lower() for domain in domains)),
        own=own,
        copied=tuple(address for address in copied if address not in theirs),
        number=tuple(re2.compile(p) for p in service.replies.number),
        closed=tuple(re2.compile(p) for p in service.replies.closed),
        agent=tuple(re2.compile(p) for p in service.replies.agent),
    )


def _ascii(address: str) -> str:
    """An address, or a domain alone, with its domain as DNS knows it."""
    local, at, domain = address.rpartition("@")
    return address if domain.isascii() else f"{local}{at}{domain.encode('idna').decode()}"


def _account(label: str, mailbox: Mailbox) -> Account:
    """Raises OSError when the file of certification authorities cannot be read."""
    return Account(
        name=label,
        host=mailbox.host,
        port=mailbox.port or (993 if mailbox.tls == "implicit" else 143),
        tls=mailbox.tls,
        username=mailbox.username,
        password=mailbox.password.get_secret_value() if mailbox.password else "",
        folder=mailbox.folder,
        every=mailbox.every / 1000,
        mark_seen=mailbox.mark_seen,
        context=ssl.create_default_context(cafile=mailbox.ca) if mailbox.tls != "none" else None,
    )
