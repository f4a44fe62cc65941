"""Bodies that came compressed though nobody asked for it, undone, so that expectations and vendors' words are looked for in
what the server said (RFC 9110, 8.4.1)."""

import zlib

_GZIP, _ZLIB, _RAW = 31, 15, -15  # zlib's wbits
_WAYS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (_ZLIB, _RAW)}
_LAYERS = 3  # codings on top of each other that are undone


def undone(body: bytes, coding: str, most: int) -> bytes:
    """The first `most` bytes of what `body` says, given its Content-Encoding; the body may be cut off.

    What cannot be undone (another coding, or bytes that are none) stays as it came. Time and memory are bounded by `most`
    and by what came, whatever a stranger packs.
    """
    layers = [name for part in coding.lower().split(",") if (name := part.strip()) not in ("", "identity")]
    if len(layers) > _LAYERS or not _WAYS.keys() >= set(layers):
        return body
    plain = body
    for layer in reversed(layers):
        opened = next((text for way in _WAYS[layer] if (text := _inflated(plain, way, most)) is not None), None)
        if opened is None:
            return body
        plain = opened
    return plain


def _inflated(data: bytes, way: int, most: int) -> bytes | None:
    """None for what is not of this kind. Several gzip members in a row are one text (RFC 1952, 2.2)."""
    text = b""
    while data and len(text) < most:
        member = zlib.decompressobj(way)
        try:
            text += member.decompress(data, most - len(text))
        except zlib.error:
            return text or None  # what follows a whole member does not matter
        data = member.unused_data
    return text
