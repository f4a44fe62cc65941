"""Who is told in the demo: the vendor's ticket mailbox (a real SMTP server), its hotline, and our own on-call.

Each keeps what arrives and puts it in one queue, in the order in which it came, with the instant of its arrival.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from prober.demo import http
from prober.demo.door import HOST, Door
from prober.demo.http import Request, Response

HOTLINE, ON_CALL = "/hotline", "/page"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to the ticket mailbox. `at` is UTC seconds; `kept` names the file that holds all of it."""

    at: float
    message: EmailMessage
    kept: str = ""

    def header(self, name: str) -> str:
        """One line, "" when there is none."""
        return " ".join(str(self.message.get(name, "")).split())

    def text(self) -> str:
        """The plain text, lines ended by LF."""
        part = self.message.get_body(("plain",))
        return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""


@dataclass(frozen=True, slots=True)
class Call:
    """A webhook's JSON, sent to `path`. `at` is UTC seconds; `kept` names the file that holds all of it."""

    at: float
    path: str
    facts: Mapping[str, Any]
    kept: str = ""

    def fact(self, name: str) -> str:
        return " ".join(str(self.facts.get(name) or "").split())


Arrival = Mail | Call


class Receivers:
    """The mailbox at `mailbox_port`, the hotline and on-call below `url`. What comes in comes out of `arrived`.

    Everything is kept as a file in `folder` too, as it came, numbered in the order of arrival.
    """

    def __init__(self, folder: Path) -> None:
        self.arrived: asyncio.Queue[Arrival] = asyncio.Queue()
        self._folder = folder
        self._keys: set[str] = set()
        self._count = 0
        self._door = Door(lambda r, w: http.serve(self._take, r, w))
        self._mailbox: asyncio.Server | None = None
        self.mailbox_port = 0

    @property
    def url(self) -> str:
        return f"http://{self._door.address}"

    async def open(self) -> None:
        await self._door.open()
        loop = asyncio.get_running_loop()
        self._mailbox = await loop.create_server(
            lambda: SMTP(self, hostname="mailbox.vendor.example", enable_SMTPUTF8=True, ident="ticket mailbox"), HOST, 0
        )
        self.mailbox_port = self._mailbox.sockets[0].getsockname()[1]

    async def close(self) -> None:
        await self._door.close()
        if self._mailbox is not None:
            self._mailbox.close()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802, ARG002 - aiosmtpd's
        content = envelope.content
        assert isinstance(content, bytes)  # decode_data is off
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)  # the policy's
        if self._is_new(str(message.get("Message-ID", ""))):
            at = time.time()
            self.arrived.put_nowait(Mail(at, message, self._keep("mail.eml", content)))
        return "250 2.0.0 Ok: taken"

    async def _take(self, request: Request) -> Response:
        if request.method != "POST" or request.path not in (HOTLINE, ON_CALL):
            return Response.of(HTTPStatus.NOT_FOUND, {"error": f"there are POST {HOTLINE} and POST {ON_CALL}"})
        try:
            facts = json.loads(request.body)
        except ValueError:
            facts = None
        if not isinstance(facts, dict):
            return Response.of(HTTPStatus.BAD_REQUEST, {"error": "a JSON object was expected"})
        key = request.headers.get("idempotency-key", "")
        if self._is_new(key):
            at = time.time()
            kept = self._keep(f"{request.path.strip('/')}.json", request.body)
            self.arrived.put_nowait(Call(at, request.path, facts, kept))
        return Response.of(HTTPStatus.ACCEPTED, {"id": key})

    def _is_new(self, key: str) -> bool:
        """A second copy under the same key is to be dropped, as a receiver should."""
        if key and key in self._keys:
            return False
        self._keys.add(key)
        return True

    def _keep(self, name: str, content: bytes) -> str:
        """Write what came into a file; gives its place, as people find it in the demo's directory."""
        self._count += 1
        path = self._folder / f"{self._count}-{name}"
        self._folder.mkdir(exist_ok=True)
        path.write_bytes(content)
        return f"{self._folder.name}/{path.name}"


async def no_content(_: Request) -> Response:
    """What the reference endpoint answers: a server of somebody else's, that works."""
    return Response(HTTPStatus.NO_CONTENT)
