"""The prober of the demo: `prober run` as an ordinary child process, with its log in a file."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from pathlib import Path

#: Seconds that it may take to stop (2 s for open calls, 5 s for deliveries, and some).
_PARTING = 12.0
_COMMAND = ("-P", "-m", "prober", "run")  # -P: not what happens to lie in the working directory


class Process:
    """Runs `prober run CONFIG`, from `start` to `stop`."""

    def __init__(self, config: Path, log: Path) -> None:
        self._config = config
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, in a session of its own: a Control-C of the terminal is the demo's, which then stops it in order."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *_COMMAND,
                str(self._config),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={name: text for name, text in os.environ.items() if name not in ("NOTIFY_SOCKET", "WATCHDOG_USEC")},
            )

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.returncode if self._process is not None else None

    async def ended(self) -> int:
        """Wait until it has ended; its exit status."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> int:
        """Ask it to end, wait, and end it (and all of its session) if it does not. Gives its exit status."""
        process = self._process
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_PARTING):
                return await process.wait()
        except TimeoutError:
            self.kill()
            return await process.wait()
        except asyncio.CancelledError:  # whoever waits has lost patience
            self.kill()
            raise

    def kill(self) -> None:
        """End it and what it started at once. Does nothing when it has ended."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def last_lines(self, count: int = 12) -> list[str]:
        """The end of its log, for people."""
        try:
            with self._log.open(encoding="utf-8", errors="replace") as log:
                return [_for_people(line.rstrip("\n")) for line in deque(log, count)]
        except OSError as error:
            return [f"(its log cannot be read: {error.strerror or error})"]


def _for_people(line: str) -> str:
    """A line of the log, which is JSON in a file, without its punctuation; what is no such line stays as it is."""
    try:
        event = json.loads(line)
    except ValueError:
        return line
    if not isinstance(event, dict) or "message" not in event:
        return line
    head = f"{str(event.pop('time', ''))[11:23]} {event.pop('level', '')} {event.pop('message')}"
    event.pop("logger", None)
    return " ".join([f"{head}:" if event else head, *(f"{name}={value}" for name, value in event.items())])
