"""Reads the vendors' status pages: when a service becomes unavailable, when an incident opens, and while it lasts.

What a page says goes over the link when it is new. A page is asked politely: with its ETag, once in `every`, never in between.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from prober import logs
from prober.link import Message
from prober.redact import Redactor
from prober.replies.status_page import NotReadableError, Said, addresses, understood
from prober.settings import Settings
from prober.surroundings import StatusPage
from prober.version import version
from rules.model import Verdict

log = logs.get("replies")

#: Seconds for one page, bytes of it, redirects that are followed.
TIMEOUT, LARGEST, REDIRECTS = 10.0, 524_288, 3
#: So many unavailable seconds on end, and the page is read although no incident is open yet: the ticket can then say it.
SUSPECT = 10
#: What reading a page may fail by. A redirect to what is no host's name is a ValueError (idna's), a TimeoutError an OSError.
_TROUBLES = (NotReadableError, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError)


@dataclass(slots=True)
class _Page:
    """One service's page, and what is known of it."""

    page: StatusPage
    incident: str = ""
    bad: int = 0  # unavailable seconds on end
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    said: Said | None = None
    told: tuple[str, Said | None] = ("", None)  # the incident and what was told of it
    tags: dict[str, dict[str, str]] = field(default_factory=dict)  # URL -> conditional headers
    complained: bool = False

    @property
    def asked(self) -> bool:
        """Whether anybody wants to know what it says now."""
        return bool(self.incident) or self.bad >= SUSPECT


class StatusPages:
    """`send` puts a message on the link; `configured`, `opened` and `second` come from it."""

    def __init__(self, send: Callable[[Message], None], now: Callable[[], float] = time.time) -> None:
        self._send = send
        self._now = now
        self._pages: dict[str, _Page] = {}
        self._redactor = Redactor()

    def configured(self, settings: Settings) -> None:
        """A configuration was taken; a page that stays as it is stays known."""
        self._redactor = Redactor.of(settings)
        wanted = {name: s.status_page for name, s in settings.services.items() if s.status_page is not None}
        for name, known in list(self._pages.items()):
            if wanted.get(name) != known.page:
                if known.task is not None:
                    known.task.cancel()
                del self._pages[name]
        for name, page in wanted.items():
            if name not in self._pages:
                made = self._pages[name] = _Page(page)
                made.task = asyncio.create_task(self._run(name, made), name=f"status page {name}")

    def opened(self, message: Message) -> None:
        """Which incidents are open."""
        incidents = {str(e.get("service") or ""): str(e["id"]) for e in message.get("open", ()) if e.get("id")}
        for name, page in self._pages.items():
            page.incident = incidents.get(name, "")
            self._wake(page)

    def second(self, message: Message) -> None:
        """A second of a service has closed."""
        page = self._pages.get(str(message["service"]))
        if page is not None:
            unavailable = message["cells"][""][0] == Verdict.UNAVAILABLE
            page.bad = page.bad + 1 if unavailable else 0
            self._wake(page)

    async def close(self) -> None:
        tasks = [page.task for page in self._pages.values() if page.task is not None]
        self._pages.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _wake(self, page: _Page) -> None:
        if page.asked:
            page.wake.set()
        else:
            page.wake.clear()

    async def _run(self, service: str, page: _Page) -> None:
        while True:
            await page.wake.wait()
            try:
                said = await asyncio.wait_for(read(page.page, page.tags), 3 * TIMEOUT)
            except _TROUBLES as error:
                if not page.complained:
                    page.complained = True
                    log.warning("the status page of %s cannot be read: %s", service, _words(error))
            else:
                page.complained = False
                page.said = said or page.said  # None: it has not changed
                self._tell(service, page)
            await self._pause(service, page)

    async def _pause(self, service: str, page: _Page) -> None:
        """Wait for the next reading; should an incident open meanwhile, it learns at once what was read last."""
        until = asyncio.get_running_loop().time() + page.page.every / 1000
        while (left := until - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(1.0, left))
            self._tell(service, page)

    def _tell(self, service: str, page: _Page) -> None:
        if page.said is None or page.told == (page.incident, page.said):
            return
        page.told = (page.incident, page.said)
        message: dict[str, Any] = {
            "type": "vendor_status",
            "service": service,
            "incident": page.incident,
            "at": int(self._now()),
            "url": page.page.url,
            "said": page.said.to_json(),
        }
        self._send(self._redactor.value(message))


async def read(page: StatusPage, tags: dict[str, dict[str, str]]) -> Said | None:
    """What the page says now; None when it has not changed since `tags` were kept.

    Raises one of _TROUBLES, of the last address that was tried.
    """
    secure = ssl.create_default_context(cafile=page.ca)
    failure: Exception = NotReadableError("names no address")
    async with httpx.AsyncClient(
        verify=secure, trust_env=False, timeout=TIMEOUT, follow_redirects=True, max_redirects=REDIRECTS
    ) as client:
        for kind, url in addresses(page.url, page.kind):
            try:
                return await asyncio.wait_for(_one(client, kind, url, tags), TIMEOUT)
            except _TROUBLES as error:
                failure = error
    raise failure


async def _one(client: httpx.AsyncClient, kind: str, url: str, tags: dict[str, dict[str, str]]) -> Said | None:
    headers = {"User-Agent": f"prober/{version()}", "Accept": "*/*", **tags.get(url, {})}
    async with client.stream("GET", url, headers=headers) as response:
        if response.status_code == httpx.codes.NOT_MODIFIED and url in tags:
            return None
        if response.status_code != httpx.codes.OK:
            raise NotReadableError(f"answers {response.status_code}")
        body = b""
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > LARGEST:
                raise NotReadableError(f"is larger than {LARGEST // 1024} KiB")
        said = understood(kind, body)
        known = {
            "If-None-Match": response.headers.get("etag"),
            "If-Modified-Since": response.headers.get("last-modified"),
        }
        tags.clear()  # what is not ASCII could not be sent back
        tags[url] = {name: value for name, value in known.items() if value and value.isascii()}
        return said


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, NotReadableError):
        return f"it {error}"
    return "no connection" if isinstance(error, httpx.ConnectError) else type(error).__name__
