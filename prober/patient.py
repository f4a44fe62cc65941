"""Reads a file that a person named, which may be a pipe: `prober check <(...)` is one, and nobody may ever write to it."""

import errno
import os
import select
import stat
from pathlib import Path

#: Seconds without a byte after which a pipe is given up: a reload must not wait for ever.
PATIENCE = 5.0


def read_bytes(path: Path, most: int) -> bytes:
    """The first `most` bytes of the file at `path`. Raises OSError; a TimeoutError where a pipe stays silent."""
    # Without O_NONBLOCK it is the opening of a pipe that waits for somebody who writes, and cannot be given up.
    with open(path, "rb", buffering=0, opener=_at_once) as file:
        if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
            return _of_pipe(file.fileno(), most)
        os.set_blocking(file.fileno(), True)
        parts, left = [], most
        while left and (part := file.read(left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _of_pipe(descriptor: int, most: int) -> bytes:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    data = bytearray()
    while len(data) < most:
        # Before anybody has opened the other end a read finds the end of the file, but this waits.
        if not poll.poll(PATIENCE * 1000):
            raise TimeoutError(errno.ETIMEDOUT, f"it is a pipe, and nobody wrote to it for {PATIENCE:g} seconds")
        if not (part := os.read(descriptor, most - len(data))):
            break
        data += part
    return bytes(data)
