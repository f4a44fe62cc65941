"""Work of a library that blocks, beside the loop: other deliveries, calls and pages must not wait for it."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar, cast

T = TypeVar("T")


async def aside(work: Callable[[], T], name: str) -> T:
    """What `work` gives, or the exception that it raises, made in a thread of its own that knows the caller's context.

    Not a pool's thread: those are few, so that hung ones delay the others, and are waited for at the end of the program.
    Whoever stops waiting leaves it behind.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(cast("T", result))

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            failed = error
        with suppress(RuntimeError):  # the loop has ended: nobody waits
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), name=name, daemon=True).start()
    return await done
