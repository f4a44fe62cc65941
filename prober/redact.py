"""Keeps secrets out of whatever leaves the program: disk, logs, pages, tickets, evidence (DESIGN.md, invariant 9).

Two nets, one within the other. Secrets that the configuration holds are found wherever they stand, also encoded: in
base64 (as AUTH PLAIN, AUTH LOGIN and Basic carry them, whatever stands before them), percent-encoded, escaped for JSON or
HTML. What is secret by its shape is found although nobody told us: credentials in headers, AUTH exchanges, bearer tokens,
user information and keys in URLs. Of a long secret a few characters stay at each end, so that people can tell two keys
apart (360dialog's agreement allows no more).
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

from prober.settings import Section

HIDDEN = "***"
_SHORTEST = 4  # characters; what is shorter is found by its shape alone, or it would be found everywhere
_SHORT = 8  # what is shorter must stand alone: no letter or digit beside it
_TELLING = 12  # from here on the ends may be shown
_BASE64 = re.compile(r"[A-Za-z0-9+/_=-]")

#: Request headers whose values are no secrets.
_OPEN_HEADERS = frozenset(
    re.findall(
        r"\S+",
        "accept accept-charset accept-encoding accept-language cache-control content-encoding content-language"
        " content-type date expect from host if-match if-modified-since if-none-match origin pragma range referer te"
        " user-agent via",
    )
)
_CREDENTIAL_HEADERS = (
    r"(?:set-)?cookie2?|(?:x-)?(?:[a-z0-9]+-)?api-?key|(?:x-)?auth(?:-[a-z]+)*-?token|x-access-token"
    r"|x-amz-security-token"
)
_CREDENTIAL_KEYS = (
    rf"(?:proxy-)?authorization|{_CREDENTIAL_HEADERS}|password|passwd|passphrase|secret|client_secret|token"
    r"|access_token|refresh_token|api_?key|access_?key|private_?key|hmac_?key|routing_?key|credentials?|signature"
)
_SECRET_KEY = re.compile(rf"(?:{_CREDENTIAL_KEYS})\Z", re.IGNORECASE)

#: What is secret by its shape: words of which one must be there in small letters, the shape, what stands there instead.
_SHAPES: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    (  # the scheme stays: it shows what was tried
        ("authorization",),
        re.compile(
            r"(?i)\b((?:proxy-)?authorization[\"']?[ \t]*[:=][ \t]*[\"']?)([a-z][a-z0-9_-]{2,15}[ \t]+)?[^\r\n\"']+"
        ),
        rf"\1\2{HIDDEN}",
    ),
    (
        ("cookie", "key", "token"),
        re.compile(rf"(?i)(?<![a-z0-9-])((?:{_CREDENTIAL_HEADERS})[ \t]*:[ \t]*)[^\r\n]+"),
        rf"\1{HIDDEN}",
    ),
    (
        ("pass", "secret", "token", "key", "credential", "signature", "cookie"),
        re.compile(rf"(?i)([\"'](?:{_CREDENTIAL_KEYS})[\"']\s*:\s*)(?:\"(?:[^\"\\\r\n]|\\.)*\"|'[^'\r\n]*')"),
        rf'\1"{HIDDEN}"',
    ),
    (  # AUTH with an initial response (RFC 4954 4), not the server's list of mechanisms
        ("auth",),
        re.compile(r"(?i)(?<!250[ -])\b(AUTH[ \t]+[A-Z0-9_-]{3,20}[ \t]+)[A-Za-z0-9+/=*]+"),
        rf"\1{HIDDEN}",
    ),
    (  # the client's line after a challenge
        ("334",),
        re.compile(
            r"(?m)(^[^\r\n]{0,40}\b334(?:[ -][^\r\n]*)?\r?\n[^A-Za-z0-9+/=\r\n]{0,40})[A-Za-z0-9+/]{2,}=*(?=\r?$)"
        ),
        rf"\1{HIDDEN}",
    ),
    (
        ("bearer", "basic", "accesskey", "token", "apikey"),
        re.compile(
            r"(?i)\b((?:bearer|basic|accesskey|token|apikey)[ \t]+)"
            r"(?=[A-Za-z._~+/-]*[0-9]|\S{24})[A-Za-z0-9._~+/-]{8,}=*"
        ),
        rf"\1{HIDDEN}",
    ),
    (("://",), re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,15}://)[^/\s@\"'<>?#]{1,512}@"), rf"\1{HIDDEN}@"),
    (
        ("?", "&"),
        re.compile(
            r"(?i)([?&;](?:api[_-]?key|key|token|access_token|password|passwd|secret|sig|signature)=)[^&\s\"'<>#]+"
        ),
        rf"\1{HIDDEN}",
    ),
    (
        ("private key-----",),
        re.compile(r"-----BEGIN ([A-Z ]{0,20}PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)", re.DOTALL),
        rf"-----BEGIN \1----- {HIDDEN}",
    ),
)


def is_secret_header(name: str) -> bool:
    """Whether a request header's value is treated as a secret: all are but those known to hold none."""
    return name.lower() not in _OPEN_HEADERS


def hint(secret: str) -> str:
    """What may be shown of a secret: a few characters of each end if it is long, else nothing."""
    if len(secret) < _TELLING:
        return HIDDEN
    shown = 4 if len(secret) >= 24 else 2
    return f"{secret[:shown]}{HIDDEN}{secret[-shown:]}"


class Redactor:
    """Replaces secrets in texts, bytes and JSON values. Its work grows with the number of different secrets."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {piece for secret in secrets for piece in _pieces(secret) if len(piece) >= _SHORTEST}
        forms: dict[str, str] = {}
        for secret in known:
            for form in _forms(secret):
                forms.setdefault(form, hint(secret))
        self._forms = sorted(forms.items(), key=lambda item: (-len(item[0]), item[0]))
        self._encoded = sorted(
            {core for secret in known for core in _encoded(secret)}, key=lambda core: (-len(core), core)
        )

    @classmethod
    def of(cls, *settings: Section) -> "Redactor":
        """A redactor that knows all secrets of `settings`."""
        return cls(secret for each in settings for secret in _secrets(each))

    def text(self, text: str) -> str:
        """`text` without secrets."""
        for core in self._encoded:
            if core in text:
                text = _hide_token(text, core)
        for form, shown in self._forms:
            if form in text:
                text = _hide(text, form, shown)
        lower = text.lower()
        for words, shape, replacement in _SHAPES:
            if any(word in lower for word in words):
                text = shape.sub(replacement, text)
        return text

    def bytes(self, data: bytes) -> bytes:
        """`data` without secrets; bytes that are no UTF-8 stay as they are."""
        return self.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def value(self, value: Any) -> Any:
        """A JSON value without secrets; what stands under a secret's name (`password`, `authorization`) is hidden whole."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, SecretStr):
            return HIDDEN
        if isinstance(value, bytes):
            return self.bytes(value)
        if isinstance(value, Mapping):
            return {
                self.value(key): HIDDEN if isinstance(key, str) and _names_secret(key, item) else self.value(item)
                for key, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value


def _names_secret(key: str, item: Any) -> bool:
    return isinstance(item, (str, bytes, int, float)) and not isinstance(item, bool) and bool(_SECRET_KEY.match(key))


def _pieces(secret: str) -> Iterator[str]:
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
    elif match := re.match(r"[a-z]+://[^/@\s]*?:([^/@\s]+)@", secret):
        yield match[1]


def _forms(secret: str) -> Iterator[str]:
    yield secret
    for encoded in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield encoded
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield html.escape(secret)
    raw = secret.encode()
    for encoded in (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()):
        yield encoded
        yield encoded.rstrip("=")
    if len(secret) >= _SHORT:
        yield raw.hex()


def _encoded(secret: str) -> Iterator[str]:
    """The characters that base64 gives for `secret` whatever stands before and after it, for each of the three places."""
    raw = secret.encode()
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + raw)
        core = whole[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6].decode()
        if len(core) >= _SHORT:
            yield core
            yield core.translate(str.maketrans("+/", "-_"))


def _hide_token(text: str, core: str) -> str:
    """Hide each run of base64 that holds `core`."""
    parts, position = [], 0
    while (found := text.find(core, position)) >= 0:
        start, end = found, found + len(core)
        while start > position and _BASE64.match(text[start - 1]):
            start -= 1
        while end < len(text) and _BASE64.match(text[end]):
            end += 1
        parts += [text[position:start], HIDDEN]
        position = end
    return "".join(parts) + text[position:]


def _hide(text: str, form: str, shown: str) -> str:
    if len(form) >= _SHORT:
        return text.replace(form, shown)
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(form)}(?![A-Za-z0-9])", shown, text)


def _secrets(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, Section):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(item, SecretStr) or is_secret_header(str(key)):
                yield from _secrets(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from _secrets(item)
