"""Calls counted over a span of time, as they lie in the store: by column (a channel, an endpoint) and row (a bucket, a fault).

A block is small because equal rows of many columns lie side by side when it is compressed: about 40 bytes for a minute of
one channel. Blocks of the same or of other columns are added up exactly, in any order.
"""

import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from prober.store.durations import BUCKETS, Durations
from rules.model import Fault

#: Faults of failed calls; their rows come after those of the buckets of successful ones.
FAULTS = tuple(fault for fault in Fault if fault is not Fault.NONE)
ROWS = BUCKETS + len(FAULTS)
#: Seconds over which calls are counted together: a minute; longer by endpoint where a service has very many of them.
MINUTE, LONG = 60, 300
HOUR, DAY = 3600, 86_400
#: Bits of a sum or a maximum that are kept, 0.1 %: the bits below hold nothing but noise, which does not compress.
_BITS = 10

#: (channel, endpoint); no endpoint: the channel's calls together; both: those of a channel's only endpoint.
Column = tuple[str, str]


class Scope(IntEnum):
    """What the columns of a block are."""

    CHANNELS = 0
    ENDPOINTS = 1


@dataclass(frozen=True, slots=True)
class Figures:
    """The calls of a series that began within [start, start + span), UTC seconds, by fault; `durations` of those that
    succeeded."""

    start: int
    span: int
    calls: Mapping[Fault, int] = field(default_factory=dict)
    durations: Durations = field(default_factory=Durations)


@dataclass(frozen=True, slots=True)
class Block:
    """`counts` are ROWS times as many numbers of 4 bytes as there are columns, a row after the other; `totals` and
    `longest` one of 8 bytes by column, microseconds. Little-endian all."""

    columns: tuple[Column, ...]
    counts: bytes
    totals: bytes
    longest: bytes

    def __add__(self, other: "Block") -> "Block":
        if self.columns != other.columns:
            columns = tuple(dict.fromkeys((*self.columns, *other.columns)))
            return _widened(self, columns) + _widened(other, columns)
        longest = memoryview(bytearray(self.longest)).cast("Q")
        for n, value in enumerate(memoryview(other.longest).cast("Q")):
            longest[n] = max(longest[n], value)
        counts, totals = _sum(self.counts, other.counts), _sum(self.totals, other.totals)
        return Block(self.columns, counts, totals, longest.tobytes())

    def total(self, wanted: Callable[[Column], bool]) -> tuple[dict[Fault, int], Durations]:
        """The calls by fault and the durations of the columns that are wanted, together."""
        places = [n for n, column in enumerate(self.columns) if wanted(column)]
        width, cells = len(self.columns), memoryview(self.counts).cast("I")
        rows = [0] * ROWS
        for place in places:
            for row, n in enumerate(cells[place::width].tolist()):
                rows[row] += n
        totals, longest = memoryview(self.totals).cast("Q"), memoryview(self.longest).cast("Q")
        counts = {bucket: n for bucket, n in enumerate(rows[:BUCKETS]) if n}
        durations = Durations(counts, sum(totals[n] for n in places), max((longest[n] for n in places), default=0))
        calls = [(Fault.NONE, durations.calls), *zip(FAULTS, rows[BUCKETS:], strict=True)]
        return {fault: n for fault, n in calls if n}, durations

    def body(self) -> bytes:
        """As it is kept; `block_of` reads it."""
        return pack((self.counts, 4), (self.totals, 8), (self.longest, 8))


def _sum(one: bytes, other: bytes) -> bytes:
    """Two rows of numbers added up, as one large number each: none of them comes near to its bound."""
    total = int.from_bytes(one, "little") + int.from_bytes(other, "little")
    return total.to_bytes(len(one), "little")


def _widened(block: Block, columns: tuple[Column, ...]) -> Block:
    """The same figures with other columns, of which it has some."""
    width, before = len(columns), len(block.columns)
    counts = memoryview(bytearray(4 * ROWS * width)).cast("I")
    totals, longest = (memoryview(bytearray(8 * width)).cast("Q") for _ in range(2))
    old, old_totals, old_longest = (
        memoryview(block.counts).cast("I"),
        memoryview(block.totals).cast("Q"),
        memoryview(block.longest).cast("Q"),
    )
    places = {column: n for n, column in enumerate(columns)}
    for n, column in enumerate(block.columns):
        place = places[column]
        counts[place::width] = old[n::before]
        totals[place], longest[place] = old_totals[n], old_longest[n]
    return Block(columns, counts.tobytes(), totals.tobytes(), longest.tobytes())


def together(blocks: Iterable[Block]) -> Block:
    """All of them added up. Raises StopIteration of none."""
    found = iter(blocks)
    whole = next(found)
    for block in found:
        whole += block
    return whole


def pack(*parts: tuple[bytes, int]) -> bytes:
    """Numbers of so many bytes each, compressed: all their lowest bytes, then the next, as far as any is not 0."""
    head, planes = bytearray(), []
    for data, size in parts:
        mine = [data[n::size] for n in range(size)]
        while mine and not mine[-1].strip(b"\0"):
            mine.pop()
        head.append(len(mine))
        planes += mine
    return zlib.compress(bytes(head) + b"".join(planes), 6)


def block_of(columns: tuple[Column, ...], body: bytes) -> Block:
    """A block as `body` keeps it. Raises ValueError when it is not one of these columns."""
    width = len(columns)
    try:
        data = zlib.decompress(body)
    except zlib.error as error:
        raise ValueError(f"figures that cannot be read: {error}") from error
    sizes, lengths = (4, 8, 8), (ROWS * width, width, width)
    if len(data) != 3 + sum(n * length for n, length in zip(data[:3], lengths, strict=True)):
        raise ValueError("figures of other columns")
    place, parts = 3, []
    for planes, size, length in zip(data[:3], sizes, lengths, strict=True):
        part = bytearray(size * length)
        for n in range(planes):
            part[n::size] = data[place : place + length]
            place += length
        parts.append(bytes(part))
    return Block(columns, *parts)


def rounded(value: int) -> int:
    """To the bits that are kept."""
    spare = max(0, value.bit_length() - _BITS)
    return (value + (1 << spare >> 1)) >> spare << spare


def columns_text(columns: tuple[Column, ...]) -> str:
    """A block's columns as they are stored; `columns_of` reads them."""
    return json.dumps(columns, separators=(",", ":"), ensure_ascii=False)


def columns_of(text: str) -> tuple[Column, ...]:
    """The columns (channel, endpoint) of a stored block. Raises ValueError for what is none."""
    return tuple((channel, endpoint) for channel, endpoint in json.loads(text))
