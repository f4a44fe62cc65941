"""The slow work of the serving process: retention, and the sweep over certificates.

It has no part in the one-second path.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable
from functools import partial

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from prober import logs
from prober.deliver import build
from prober.deliver.relays import Guard
from prober.link import Message
from prober.measure.messages import figures_message
from prober.store import NoStoreError, Reader, StoreError
from prober.sweep import CallOnce, Sweep
from prober.web.stored import Stored
from prober.web.view import View

log = logs.get("chores")

#: Hours and days that are added up in one go; after a pause of so many seconds, in which they are written, the next go follows.
MOST_ADDED_UP, PAUSE = 100, 5.0


def scheduler(
    view: View, send: Callable[[Message], None], guard: Guard, look: CallOnce, stored: Stored | None = None
) -> AsyncIOScheduler:
    """A scheduler with all chores; `start` and `shutdown` are the caller's. Late and doubled runs become one.

    `look` makes the sweep's own calls.
    """
    chores = AsyncIOScheduler(
        timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    now = dt.datetime.now(dt.UTC)
    soon = now + dt.timedelta(minutes=1)  # not while everything starts
    chores.add_job(retain, "interval", hours=1, args=(view, send), id="retention", next_run_time=soon)
    if stored is not None:
        at = {"minute": 12, "second": 20}  # past every hour, when its last minutes have been written for sure
        chores.add_job(add_up, "cron", **at, args=(stored, send), id="figures", next_run_time=soon)
    chores.add_job(learn, "interval", minutes=10, args=(view, guard), id="relays", next_run_time=now)
    chores.add_job(Sweep(view, send, look).run, "interval", hours=6, id="certificates", next_run_time=soon)
    return chores


def retain(view: View, send: Callable[[Message], None], now: Callable[[], float] = time.time) -> None:
    """Tell the measuring process, the only writer, which kept failures and minutes are past their time."""
    kept, at = view.settings.retention, int(now())
    message = {"failures_before": at - kept.failures // 1000, "minutes_before": at - kept.minutes // 1000}
    send({"type": "purge", **message})


async def add_up(
    stored: Stored,
    send: Callable[[Message], None],
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Add minutes up to hours, and hours to days, for the writer. What a crash loses of it is added up the next time.

    All that is over, since minutes stay until their hour is there: a hundred services have more of them in an hour than one
    go takes. One at a time, and pages have their turn between them.
    """
    try:
        for n, whole in enumerate(await stored.ask(lambda reader: reader.to_add_up(int(now())))):
            if n and n % MOST_ADDED_UP == 0:
                await sleep(PAUSE)
            row = await stored.ask(partial(Reader.added_up, whole=whole))
            if row is not None:
                send(figures_message(row))
    except NoStoreError:
        log.debug("nothing to add up: there is no store yet")
    except StoreError as error:
        log.warning("figures are not added up, until the next time: %s", error)


async def learn(view: View, guard: Guard) -> None:
    """Keep the addresses of relays and services fresh, for the minutes in which the vendor's DNS is down too."""
    await build.learn(view.settings, guard)
