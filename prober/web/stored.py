"""The store as the serving process reads it: in a thread of its own, so that no query holds up a page or a delivery."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from prober.store import NoStoreError, Reader, StoreError
from prober.store.errors import explain

_Answer = TypeVar("_Answer")


class Stored:
    """One reader on one thread, opened when it is first needed and anew after it failed. `close` when done."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._reader: Reader | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="stored")

    def configured(self, path: Path) -> None:
        """Where the store is. It cannot change while the program runs."""
        self._path = path

    async def ask(self, question: Callable[[Reader], _Answer]) -> _Answer:
        """What `question` finds in the store; it must not keep the reader. Raises StoreError."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._answer, question)

    def _answer(self, question: Callable[[Reader], _Answer]) -> _Answer:
        if self._path is None:
            raise NoStoreError(Path("prober.db"), "the configuration has not come yet")
        if self._reader is not None and self._reader.stale():
            self._forget()
        if self._reader is None:
            self._reader = Reader(self._path)
        try:
            return question(self._reader)
        except StoreError:
            self._forget()
            raise
        except sqlite3.Error as error:
            self._forget()
            raise explain(error, self._path) from error

    def _forget(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def close(self) -> None:
        """Waits for the question under way."""
        self._thread.submit(self._forget)
        self._thread.shutdown(wait=True)
