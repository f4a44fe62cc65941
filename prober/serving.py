"""The work of the serving process: messages of the measuring process in; web, deliveries and slow work out."""

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prober import chores, config, logs, packs
from prober.board import Board
from prober.deliver.build import build
from prober.deliver.outbox import Outbox
from prober.deliver.relays import Guard
from prober.errors import ProberError
from prober.following import Following
from prober.link import Decoder, Message, encode
from prober.links import Links
from prober.outlook import Outlook
from prober.redact import Redactor
from prober.settings import Settings
from prober.signing import key_of
from prober.store import locate
from prober.web.app import app
from prober.web.calling import Calling
from prober.web.entries import Entries
from prober.web.gate import Gate
from prober.web.health import Reloads
from prober.web.live import Live
from prober.web.server import WebServer
from prober.web.stored import Stored
from prober.web.twilio import Keys
from prober.web.view import View
from rules.acts import Act, ActKind, ActResult, Outcome
from rules.model import Kind

log = logs.get("serve")

#: Deliveries under way at the end get so many seconds.
GRACE = 5.0


class SetupError(ProberError):
    """The first configuration that came over the link cannot be used."""


class LinkError(ProberError):
    """What came over the link is no message."""


class Serving:
    """What each message of the measuring process does here. `configured` is set by the first setup."""

    def __init__(
        self,
        view: View,
        reloads: Reloads,
        outbox: Outbox,
        guard: Guard,
        handler: logs.Handler,
        following: Following,
        outlook: Outlook,
        entries: Entries,
        stored: Stored,
        live: Live,
        gate: Gate,
    ) -> None:
        self._gate = gate
        self._live = live
        self._stored = stored
        self._outlook = outlook
        self._view = view
        self._reloads = reloads
        self._outbox = outbox
        self._guard = guard
        self._handler = handler
        self._following = following
        self.configured = asyncio.Event()
        self._handlers: dict[str, Callable[[Message], None]] = {
            "setup": self._setup,
            "second": self._second,
            "totals": self._totals,
            "incidents": self._incidents,
            "reloaded": self._reloaded,
            "entered": entries.answered,
            "act": self._act,
            "withdraw": lambda message: outbox.withdraw(str(message["act"])),
        }

    def take(self, message: Message) -> None:
        """One message. One that is not right is told of and left out: the others, acts above all, must go on."""
        handler = self._handlers.get(message["type"])
        if handler is None:
            log.debug("a message of type %s is for a later version", message["type"])
            return
        try:
            handler(message)
        except (KeyError, TypeError, ValueError):
            log.exception("a message of type %s on the link is not right", message["type"])

    def _setup(self, message: Message) -> None:
        """A configuration; the first must be good, a later one that is not leaves everything as it was."""
        base = Path(message["base"])
        try:
            settings = config.from_raw(message["raw"], base)
            key = key_of(settings, base)
            links = Links.of(settings, key)
            receivers = build(settings, self._guard, self._following.follower, links)
            keys = [(service, channel, endpoint, Kind(kind)) for service, channel, endpoint, kind in message["keys"]]
            board = _board(message["board"], keys)
        except (ProberError, OSError, ValueError) as error:
            if not self.configured.is_set():
                raise SetupError(f"the serving process cannot use the configuration: {error}") from error
            log.error("the new configuration cannot be used here: %s", error)
            return
        self._handler.redact(Redactor.of(self._view.settings, settings))  # what is still under way may know the old
        store = locate(settings.store, base)
        self._stored.configured(store)
        self._gate.configured(key, store.with_name(f"{store.name}-web.ended"))
        self._view.configured(settings, board, int(message.get("pid") or 0), _severities(settings, base))
        self._outbox.reconfigure(receivers)
        self._following.configured(settings, base)
        self._outlook.configured(settings, message.get("mailboxes") or {})
        self.configured.set()

    def _second(self, message: Message) -> None:
        self._view.second(message)
        self._outlook.second(message)
        self._live.second(message)

    def _totals(self, message: Message) -> None:
        self._view.total(message)
        self._live.beat()

    def _incidents(self, message: Message) -> None:
        self._view.opened(message)
        self._following.opened(message)
        self._outlook.opened(message)

    def _reloaded(self, message: Message) -> None:
        self._view.reloaded(ok=bool(message.get("ok")))
        self._reloads.answered(message)

    def _act(self, message: Message) -> None:
        act = act_of(message["act"])
        self._outbox.offer(act, earlier=[_result_of(act.id, entry) for entry in message.get("earlier") or ()])


def _board(path: str, keys: Sequence[tuple[str, str, str, Kind]]) -> Board:
    """The board at `path`; an empty one where it has gone by now.

    A reload has then replaced it while this message waited here, and the next message brings the new one. Acts that come
    between the two need the receivers of this one.
    """
    try:
        return Board.open(path, keys)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENXIO):  # nothing of that number, or a socket by now
            raise
    return Board.create(keys)


def act_of(entry: Mapping[str, Any]) -> Act:
    """An act as the link carries it. Raises KeyError and ValueError."""
    return Act(
        incident=str(entry["incident"]),
        episode=int(entry["episode"]),
        kind=ActKind(entry["kind"]),
        step=str(entry["step"]),
        receivers=tuple(str(name) for name in entry["receivers"]),
        created=int(entry["created"]),
        after=str(entry.get("after") or ""),
        facts=entry.get("facts") or {},
    )


def _result_of(act: str, entry: Mapping[str, Any]) -> ActResult:
    return ActResult(act, str(entry["receiver"]), Outcome(entry["outcome"]), int(entry["at"]))


def _severities(settings: Settings, base: Path) -> dict[str, tuple[str, ...]]:
    """The severities that each service's agreement knows; a pack that cannot be read here only leaves its zeros out."""
    found = {}
    for name, service in settings.services.items():
        with contextlib.suppress(ProberError):
            found[name] = tuple(severity.name for severity in packs.load(service.contract, base).severities)
    return found


async def serve(link: socket.socket, listen: socket.socket, handler: logs.Handler) -> None:
    """Serves until the link closes or SIGTERM comes. Raises SetupError when there is nothing to begin with.

    Raises LinkError when what comes over the link is no message (a defect of ours: a new process gets everything
    again).
    """
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    reader, writer = await asyncio.open_connection(sock=link)

    def send(message: Message) -> None:
        if not writer.is_closing():
            writer.write(encode(message))

    view, reloads = View(), Reloads(send)
    outbox = Outbox(receivers={}, report=lambda result: send(_attempt(result)), started=lambda *s: send(_started(*s)))
    guard, calling, following = Guard(), Calling(view), Following(send)
    stored = Stored()
    live = Live(view, stored)
    slow = chores.scheduler(view, send, guard, calling.call_once, stored)
    outlook = Outlook(view, send, slow)
    entries, gate = Entries(view, send), Gate(view)
    serving = Serving(view, reloads, outbox, guard, handler, following, outlook, entries, stored, live, gate)
    server = WebServer(app(view, reloads, calling.call_once, Keys(view, send), entries, stored, gate=gate, live=live))
    reading = asyncio.create_task(_read(reader, serving), name="link")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    configured = asyncio.create_task(serving.configured.wait(), name="configured")
    web: asyncio.Task[None] | None = None
    try:
        await asyncio.wait((configured, reading, stopping), return_when=asyncio.FIRST_COMPLETED)
        if configured.done() and not stopping.done():
            web = asyncio.create_task(server.serve([listen]), name="web")
            listening = asyncio.create_task(server.listening.wait(), name="listening")
            await asyncio.wait((web, listening, reading, stopping), return_when=asyncio.FIRST_COMPLETED)
            listening.cancel()
            slow.start()
            send({"type": "ready"})
            await asyncio.wait((web, reading, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        reloads.lost()
        server.should_exit = True
        await live.close()
        await outbox.close(GRACE)
        await following.close()
        await outlook.close()
        if slow.running:
            slow.shutdown(wait=False)
        if web is not None:
            await asyncio.wait((web,))
        ended = reading.done()
        for waiting in (reading, stopping, configured):
            waiting.cancel()
        await asyncio.wait((reading, stopping, configured))
        writer.close()
        calling.close()
        stored.close()
    if ended:
        reading.result()  # raises what ended it, if it was not the link's end
    if web is not None:
        web.result()
    log.info("the serving process ends: %s", "the link has closed" if ended else "told to")


async def _read(reader: asyncio.StreamReader, serving: Serving) -> None:
    """Takes messages until the link closes."""
    decoder = Decoder()
    try:
        while data := await reader.read(65536):
            for message in _decoded(decoder, data):
                serving.take(message)
    except ConnectionError:
        log.debug("the measuring process is gone")


def _decoded(decoder: Decoder, data: bytes) -> list[Message]:
    try:
        return list(decoder.feed(data))
    except ValueError as error:
        raise LinkError(f"the link carries what is no message: {error}") from error


def _attempt(result: ActResult) -> Message:
    return {
        "type": "attempt",
        "act": result.act,
        "receiver": result.receiver,
        "outcome": result.outcome.value,
        "at": result.at,
        "detail": result.detail,
        "reference": result.reference,
        "final": result.final,
    }


def _started(act: str, receiver: str, at: int) -> Message:
    return {"type": "started", "act": act, "receiver": receiver, "at": at}
