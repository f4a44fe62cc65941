"""What the serving process looks out for beside its own pages: vendors' replies and status pages; and the outside watcher."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from prober.heartbeat import Heart
from prober.link import Message
from prober.replies.inbox import Inbox
from prober.replies.status_pages import StatusPages
from prober.settings import Settings
from prober.web.view import View

#: Seconds before the first heartbeat: a few seconds have closed by then, if all is well.
_FIRST_BEAT = 5
#: Seconds between two looks at whether the mailboxes are in reach.
_LOOK = 5


class Outlook:
    """Mailboxes, status pages and the heartbeat, by the configuration of now. `send` puts a message on the link."""

    def __init__(self, view: View, send: Callable[[Message], None], chores: AsyncIOScheduler) -> None:
        self._inbox = Inbox(send)
        self._pages = StatusPages(send)
        self._heart = Heart(view)
        self._chores = chores
        self._view = view
        chores.add_job(self.look, "interval", seconds=_LOOK, id="mailboxes")

    def configured(self, settings: Settings, mailboxes: Mapping[str, Any]) -> None:
        """A configuration was taken; `mailboxes` says how far each was read."""
        self._inbox.configured(settings, mailboxes)
        self._pages.configured(settings)
        if self._chores.get_job("heartbeat") is not None:
            self._chores.remove_job("heartbeat")
        if settings.heartbeat is not None:
            first = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=min(_FIRST_BEAT, settings.heartbeat.every / 1000))
            self._chores.add_job(
                self._heart.beat,
                "interval",
                seconds=settings.heartbeat.every / 1000,
                id="heartbeat",
                next_run_time=first,
            )

    def opened(self, message: Message) -> None:
        """Which incidents are open has changed."""
        self._inbox.opened(message)
        self._pages.opened(message)

    def look(self) -> None:
        """Which mailboxes are in reach now."""
        self._view.mailboxes = self._inbox.look()

    def second(self, message: Message) -> None:
        """A second of a service has closed."""
        self._pages.second(message)

    async def close(self) -> None:
        """Look out no longer; what was read is on the link."""
        await self._inbox.close()
        await self._pages.close()
