"""The forms in which a known secret may stand somewhere: its parts, and what encodings make of them."""

import base64
import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote

#: Characters; what is shorter must stand alone: no letter or digit beside it.
SHORT = 8
#: A part of a URL that is so long is taken for a key; a shorter one if it holds a digit.
_KEY = 20


def pieces(secret: str) -> Iterator[str]:
    """A secret, and what is secret within it: the token after "Bearer", the password within "Basic", in a proxy's URL."""
    yield secret
    scheme, _, token = secret.strip().partition(" ")
    if token and re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", scheme):
        yield token.strip()
        if scheme.lower() == "basic":
            try:
                _, _, password = base64.b64decode(token.strip(), validate=True).decode().partition(":")
            except ValueError:  # not base64, or not UTF-8
                return
            yield password
    elif "://" in secret:
        yield from _of_url(secret)


def _of_url(url: str) -> Iterator[str]:
    """What is secret within a URL that is one: the password, and each part of host, path and query that looks like a key."""
    if match := re.match(r"[a-z]+://[^/@\s]*?:([^/@\s]+)@", url):
        yield match[1]
        yield unquote(match[1])
    for part in re.split(r"[/?&=#:@]+", url.partition("://")[2]):
        if "." not in part and (len(part) >= _KEY or (len(part) >= SHORT and any(c.isdigit() for c in part))):
            yield part


def forms(secret: str) -> Iterator[str]:
    """A secret as it stands, and as the usual encodings of the whole write it."""
    yield secret
    for form in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield form
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), form)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield html.escape(secret)
    yield json.dumps(secret, ensure_ascii=False)[1:-1].replace("/", r"\/")
    raw = secret.encode()
    for form in (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()):
        yield form
        yield form.rstrip("=")
    if len(secret) >= SHORT:
        yield raw.hex()
        yield raw.hex().upper()


def encoded(secret: str) -> Iterator[str]:
    """The characters that base64 gives for `secret` whatever stands before and after it, for each of the three places."""
    raw = secret.encode()
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + raw)
        core = whole[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6].decode()
        if len(core) >= SHORT:
            yield core
            yield core.translate(str.maketrans("+/", "-_"))
