"""Bodies that came compressed, undone within bounds."""

import gzip
import zlib

import pytest

from prober.probes.coding import undone

TEXT = b'{"state": "up"}' * 3
MOST = 1000


def raw_deflate(text: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(text) + packer.flush()


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (TEXT, ""),
        (TEXT, "identity"),
        (gzip.compress(TEXT), "gzip"),
        (gzip.compress(TEXT), "X-GZip"),
        (zlib.compress(TEXT), "deflate"),
        (raw_deflate(TEXT), "deflate"),
        (gzip.compress(zlib.compress(TEXT)), "deflate, gzip"),
        (gzip.compress(TEXT[:7]) + gzip.compress(TEXT[7:]), "gzip"),
        (gzip.compress(TEXT) + b"junk behind it", "gzip"),
    ],
    ids=["none", "identity", "gzip", "x-gzip", "deflate", "raw deflate", "two layers", "two members", "junk behind"],
)
def test_what_is_packed_is_unpacked(body: bytes, coding: str) -> None:
    assert undone(body, coding, MOST) == TEXT


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (b"\x1f\x8b\x08junk", "gzip"),
        (TEXT, "gzip"),
        (TEXT, "deflate"),
        (b"\x0b\x02\x80abc\x03", "br"),
        (gzip.compress(TEXT), "gzip, br"),
        (gzip.compress(TEXT), "gzip, gzip, gzip, gzip"),
    ],
    ids=["broken", "not packed", "not packed either", "brotli", "brotli above", "too many layers"],
)
def test_what_cannot_be_unpacked_stays_as_it_came(body: bytes, coding: str) -> None:
    assert undone(body, coding, MOST) == body


def test_a_body_that_was_cut_off_says_as_much_as_came() -> None:
    packed = gzip.compress(bytes(range(256)) * 2)
    assert undone(packed[:-60], "gzip", MOST).startswith(bytes(range(100)))


def test_a_small_body_does_not_become_a_huge_one() -> None:
    bomb = gzip.compress(b"a" * 10_000_000)
    assert undone(bomb, "gzip", MOST) == b"a" * MOST
    assert undone(bomb * 3, "gzip", MOST) == b"a" * MOST
