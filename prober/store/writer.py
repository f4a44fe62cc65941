"""The one writer: a thread that puts transactions on disk in their order, and keeps them while the disk fails.

Nobody waits for it. While a commit fails it is tried again, 0.25 s to 5 s apart, and what follows queues behind it
(backlog.py says what is given up when). What queued up while a commit ran goes with the next one. Evidence and figures
are packed and written apart, when nothing else waits, so that they never hold up a step.
"""

import logging
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from prober.store import rows
from prober.store.apply import apply, count, keep, purge, purge_minutes
from prober.store.backlog import Backlog, Bounds, Done, Entry
from prober.store.errors import StoreError, explain
from prober.store.sqlite import Store
from prober.store.values import Failure, FigureRow, Transaction

log = logging.getLogger("prober.store")

STUCK = 5.0  # seconds without an end after which a commit counts as failing
AT_ONCE = 50  # failed calls, or rows of figures, written in one commit

#: SQLite's exceptions that tell of the disk, by their very type; others tell of what was to be written.
_OF_THE_DISK = (sqlite3.OperationalError, sqlite3.InternalError, sqlite3.DatabaseError)


@dataclass(frozen=True, slots=True)
class Health:
    """How the writing goes.

    `queued_seconds`: how long the oldest waiting transaction has waited. `dropped`: failed calls, figures and
    endpoint runs given up, and transactions refused as contradictions, since the start.
    """

    ok: bool
    queued: int
    queued_seconds: float
    dropped: int
    last_error: str


class Writer:
    """Writes for `store` in its own thread, from `start` to `stop`.

    `submit`, `poll` and `health` may be called from any thread and never wait for the disk. `done` comes once, in the
    writer's thread (or that of `poll`): with None when the transaction is on disk, or with the error when its first try
    failed or took too long; then it stays queued and is written when that works again. `redact` goes over evidence
    before it is written. `failpoint` is told each point reached ("begin", "applied", "committed", "chore"), for
    tests.
    """

    def __init__(
        self,
        store: Store,
        *,
        redact: Callable[[Any], Any] = lambda value: value,
        failpoint: Callable[[str], None] = lambda _: None,
        back_off: tuple[float, float] = (0.25, 5.0),
        bounds: Bounds | None = None,
    ) -> None:
        self.redact = redact
        self._store = store
        self._boot = uuid.uuid4().hex
        self._failpoint = failpoint
        self._back_off = back_off
        self._names = rows.Names(store.db)
        self._backlog = Backlog(bounds or Bounds())
        self._changed = threading.Condition()  # guards all below and the backlog; never held while the disk works
        self._hand: list[Entry] = []  # being written; no other is begun before these are on disk
        self._seq = 0
        self._refused = 0
        self._error: StoreError | None = None
        self._last_error = ""
        self._retry_at = 0.0
        self._reopen = False
        self._stop_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, work: Transaction, done: Done | None = None) -> None:
        """Queues a transaction; it is on disk when `done(None)` came."""
        with self._changed:
            self._seq += 1
            self._backlog.add(Entry(self._seq, work, done, time.monotonic()))
            self._changed.notify()

    def health(self) -> Health:
        now = time.monotonic()
        with self._changed:
            waiting = [*self._hand, *self._backlog.entries]
            oldest = now - waiting[0].since if waiting else 0.0
            ok = self._thread.is_alive() and self._error is None and oldest <= STUCK
            return Health(ok, len(waiting), oldest, self._backlog.dropped + self._refused, self._last_error)

    def poll(self) -> None:
        """Tells those who have waited too long for a disk that does not answer. Call it about once a second."""
        now = time.monotonic()
        with self._changed:
            late = [entry for entry in (*self._hand, *self._backlog.entries) if now - entry.since > STUCK]
        self._tell(late, StoreError(self._store.path, f"the disk has not answered for {STUCK:.0f} s"))

    def stop(self, within: float = 5.0) -> bool:
        """Writes what waits, `within` seconds at most, and closes the store. False: something could not be written."""
        with self._changed:
            self._stop_at = time.monotonic() + within
            self._retry_at = 0.0
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(within + 1.0)
        if self._thread.is_alive():  # the disk does not answer: the connection is not ours to close
            self._last_error = self._last_error or str(StoreError(self._store.path, "the disk does not answer"))
            return False
        self._store.close()
        return not self._hand and not self._backlog.entries and not self._backlog.evidence and not self._backlog.figures

    # In the writer's thread.

    def _run(self) -> None:
        wait = self._back_off[0]
        while self._wait():
            try:
                if self._hand:
                    self._commit(self._hand)
                else:
                    self._chore()
            except Exception as error:  # noqa: BLE001 - steps are kept and tried again, whatever it was
                self._failed(error, wait)
                wait = min(2 * wait, self._back_off[1])
            else:
                wait = self._back_off[0]
                self._succeeded()

    def _wait(self) -> bool:
        """Until there is something to do, and until the time to try again has come. False: it is time to end."""
        while True:
            with self._changed:
                told = [entry for entry in self._backlog.entries if entry.done] if self._error else []
                if not told and (go := self._next()) is not None:
                    return go
            self._tell(told, self._error)

    def _next(self) -> bool | None:
        """With the lock held: True with work in hand (or a chore to do), False to end, None after a pause."""
        now = time.monotonic()
        if self._error:
            self._backlog.press(now)
        idle = not (self._hand or self._backlog.entries or self._backlog.chores)
        if self._stop_at is not None and (idle or now >= self._stop_at):
            return False
        pause = self._retry_at - now if self._error else 0.0
        if pause <= 0 and not idle:
            self._hand = self._hand or self._backlog.take()
            return True
        if pause > 0 and self._stop_at is not None:
            pause = min(pause, self._stop_at - now)
        self._changed.wait(pause if pause > 0 else None)
        return None

    def _tell(self, entries: Sequence[Entry], error: Exception | None) -> None:
        with self._changed:
            calls = [(entry.done, entry.defect or error) for entry in entries if entry.done is not None]
            for entry in entries:
                entry.done = None
        for done, what in calls:
            try:
                done(what)
            except Exception:  # whatever the caller's callback does, writing goes on
                log.exception("a callback of the store failed")

    def _failed(self, error: Exception, wait: float) -> None:
        said = _say(error, self._store)
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        with self._changed:
            if self._error is None:
                log.error("the store fails, trying again: %s", said)
            self._error, self._last_error = said, str(said)
            self._retry_at = time.monotonic() + wait
            self._reopen = code not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
        self._tell(self._hand, said)

    def _succeeded(self) -> None:
        with self._changed:
            written, self._hand = self._hand, []
            if self._error is not None:
                log.warning("the store works again, after: %s", self._error)
            self._error = None
        self._tell(written, None)

    def _commit(self, entries: list[Entry]) -> None:
        self._failpoint("begin")
        self._begin()
        try:
            boot, seq = self._store.db.execute("SELECT boot, seq FROM writer").fetchone()
            for entry in entries:
                # A commit whose end was not known may be on disk: it is not applied twice.
                if boot != self._boot or entry.seq > seq:
                    self._apply(entry)
            self._store.db.execute("UPDATE writer SET boot = ?, seq = ?", (self._boot, entries[-1].seq))
            self._failpoint("applied")
            self._store.db.execute("COMMIT")
        except BaseException:
            self._roll_back("ROLLBACK")
            raise
        self._failpoint("committed")

    def _apply(self, entry: Entry) -> None:
        """All of it; or, when it contradicts what is recorded, its steps and acts, which are never lost."""
        db = self._store.db
        for work in (entry.work, entry.work.steps()):
            db.execute("SAVEPOINT entry")
            try:
                apply(db, self._names, work)
            except Exception as error:
                self._roll_back("ROLLBACK TO entry")
                if _may_pass(error):
                    raise
                # It contradicts the record or holds what is no JSON: a defect of ours, and trying again is in vain.
                if entry.defect is None:
                    log.exception("the store refuses a transaction; its steps are kept if they can be")
                    with self._changed:
                        self._refused += 1
                        self._last_error = f"refused: {error}"
                entry.defect = error
            else:
                return
            finally:
                if db.in_transaction:
                    db.execute("RELEASE entry")
        log.critical("a transaction is lost, steps and all: %s", entry.defect)

    def _chore(self) -> None:
        """Some evidence and figures to disk; when there are none, some that are old away."""
        with self._changed:
            failures = self._backlog.take_evidence(AT_ONCE)
            figures = self._backlog.take_figures(AT_ONCE)
            before, minutes_before = self._backlog.purge_before, self._backlog.purge_minutes_before
        packed = [(failure, body) for _, failure in failures if (body := self._pack(failure)) is not None]
        counted = [(row, body) for row in figures if (body := self._counted(row)) is not None]
        purged = purged_minutes = 0
        try:
            self._begin()
            try:
                keep(self._store.db, self._names, packed)
                count(self._store.db, self._names, counted)
                if not failures and not figures:
                    purged = purge(self._store.db, before) if before else 0
                    purged_minutes = purge_minutes(self._store.db, minutes_before) if minutes_before else 0
                self._failpoint("chore")
                self._store.db.execute("COMMIT")
            except BaseException:
                self._roll_back("ROLLBACK")
                raise
        except Exception as error:
            with self._changed:
                if _may_pass(error):
                    for since, failure in reversed(failures):
                        self._backlog.put_back(since, failure)
                    self._backlog.put_back_figures(figures)
                else:  # it would fail again and again
                    self._refused += len(failures) + len(figures)
            raise
        if failures or figures:
            return
        with self._changed:
            if not purged and self._backlog.purge_before == before:
                self._backlog.purge_before = 0
            if not purged_minutes and self._backlog.purge_minutes_before == minutes_before:
                self._backlog.purge_minutes_before = 0

    def _pack(self, failure: Failure) -> bytes | None:
        try:
            return rows.failure_body(failure, self.redact)
        except Exception:  # rendering may fail in any way: one piece of evidence is lost, not the rest
            log.exception("a failed call could not be packed as evidence")
            with self._changed:
                self._refused += 1
            return None

    def _counted(self, row: FigureRow) -> bytes | None:
        try:
            return row.body if isinstance(row.body, bytes) else row.body()
        except (ValueError, OverflowError):  # a defect of ours: one span's figures are lost, not the rest
            log.exception("figures could not be packed")
            with self._changed:
                self._refused += 1
            return None

    def _begin(self) -> None:
        self._store.check_place()
        if self._reopen:
            self._store.reopen()
            self._names = rows.Names(self._store.db)
            self._reopen = False
        self._store.db.execute("BEGIN IMMEDIATE")

    def _roll_back(self, how: str) -> None:
        self._names.forget()
        with suppress(sqlite3.Error):  # on some errors SQLite has rolled back by itself
            self._store.db.execute(how)


def _may_pass(error: Exception) -> bool:
    """Trying again may help."""
    return isinstance(error, OSError | StoreError | MemoryError) or type(error) in _OF_THE_DISK


def _say(error: Exception, store: Store) -> StoreError:
    if isinstance(error, StoreError):
        return error
    if isinstance(error, sqlite3.Error):
        return explain(error, store.path)
    return StoreError(store.path, f"{type(error).__name__}: {error}")
