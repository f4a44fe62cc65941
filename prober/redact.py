"""Keeps secrets out of whatever leaves the program: disk, logs, pages, tickets, evidence (DESIGN.md, invariant 9).

Two nets, one within the other. Secrets that the configuration holds are found wherever they stand, also encoded: in
base64 (as AUTH PLAIN, AUTH LOGIN and Basic carry them, whatever stands before them), percent-encoded, escaped for JSON or
HTML (`prober.redact_forms`), within escapes of other kinds and broken over lines (`prober.disguise`), and cut off at a
line's end. What is secret by its shape is found although nobody told us (`prober.redact_shapes`). Of a long secret a few
characters stay at each end, so that people can tell two keys apart (360dialog's agreement allows no more).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import SecretStr

from prober.disguise import Disguised, views
from prober.needles import Needles
from prober.redact_forms import SHORT, encoded, forms, pieces
from prober.redact_shapes import HIDDEN, SECRET_KEY, hide_shapes
from prober.section import Section

__all__ = ["HIDDEN", "Redactor", "hint", "is_secret_header"]

_SHORTEST = 4  # characters; what is shorter is found by its shape alone, or it would be found everywhere
_TELLING = 12  # from here on the ends may be shown
_STEM = 6  # characters of a secret's beginning that are hidden where a text was cut
#: What follows where a text was cut: nothing, the line's end, an ellipsis, the beginning of an escape.
_CUT = re.compile(
    r"[\r\n\u2026]|\.\.\.|(?:%[0-9A-Fa-f]?|=[0-9A-F]?|\\(?:x[0-9A-Fa-f]?|u[0-9A-Fa-f]{0,3})?|&[#0-9A-Za-z]{0,8})?\Z"
)
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
    """Replaces secrets in texts, bytes and JSON values.

    `users`: login names. Their CRAM-MD5 answers (RFC 2195), by which a password can be guessed at leisure, are hidden too.
    """

    def __init__(self, secrets: Iterable[str] = (), users: Iterable[str] = ()) -> None:
        known = {piece for secret in secrets for piece in pieces(secret) if len(piece) >= _SHORTEST}
        found: dict[str, str] = {}
        for secret in known:
            for form in forms(secret):
                found.setdefault(form, hint(secret))
        self._shown = {secret: hint(secret) for secret in known}
        self._forms = Needles(found)
        self._shown_of = found
        self._cores = frozenset(core for secret in known for core in encoded(secret))
        self._encoded = Needles(self._cores)
        self._disguised = Needles((*known, *self._cores))
        whole = {secret for secret in known if len(secret) >= _TELLING and " " not in secret and "://" not in secret}
        self._cut: dict[str, list[str]] = {}
        for size, each in (*((_STEM, secret) for secret in whole), *((2 * _STEM, core) for core in self._cores)):
            self._cut.setdefault(each[:size], []).append(each)
        self._stems = Needles(self._cut)
        names = "|".join(sorted(map(re.escape, {user for user in users if user}), key=len, reverse=True))
        self._digests = re.compile(rf"(?<!\S)({names})([ ]+)[0-9a-f]{{32}}(?![0-9a-f])") if names else None

    @classmethod
    def of(cls, *settings: Section) -> "Redactor":
        """A redactor that knows all secrets of `settings`."""
        return cls(
            (secret for each in settings for secret in _secrets(each)),
            (user for each in settings for user in _users(each)),
        )

    def text(self, text: str) -> str:
        """`text` without secrets."""
        for core in self._encoded.within(text):
            text = _hide_token(text, core)
        for form in self._forms.within(text):
            text = _hide(text, form, self._shown_of[form])
        if self._disguised:
            for plain, view in views(text):
                if (found := self._disguised.within(plain)) and (spans := self._places(view(), found)):
                    return self.text(_hide_spans(text, spans))  # other views may show more
                if beginnings := self._beginnings(plain):
                    seen = view()
                    return self.text(_hide_spans(text, [(*seen.origin(a, b), HIDDEN) for a, b, _ in beginnings]))
            if beginnings := self._beginnings(text):
                text = _hide_spans(text, beginnings)
        if self._digests is not None:
            text = self._digests.sub(rf"\1\2{HIDDEN}", text)
        return hide_shapes(text)

    def _places(self, view: Disguised, found: list[str]) -> list[tuple[int, int, str]]:
        """The places of the original that hold those secrets in disguise, each with what is shown instead; none overlap."""
        places: list[tuple[int, int, str]] = []
        taken = bytearray(len(view.text))
        for secret in sorted(found, key=lambda each: each not in self._cores):
            for start, end in _places(view.text, secret, token=secret in self._cores):
                if not any(taken[start:end]):
                    taken[start:end] = b"\1" * (end - start)
                    places.append((*view.origin(start, end), self._shown.get(secret, HIDDEN)))
        return sorted(places)

    def _beginnings(self, text: str) -> list[tuple[int, int, str]]:
        """The places of secrets of which a limit left but the beginning; none overlap."""
        places: list[tuple[int, int, str]] = []
        stems = self._stems.within(text)
        for start, end in sorted(place for s in stems for whole in self._cut[s] for place in _cut_off(text, s, whole)):
            if not places or start >= places[-1][1]:
                places.append((start, end, HIDDEN))
        return places

    def bytes(self, data: bytes) -> bytes:
        """`data` without secrets; bytes that are no UTF-8 stay as they are."""
        return self.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def value(self, value: Any) -> Any:
        """A JSON value without secrets; what stands under a secret's name (`password`, `authorization`) is hidden whole.

        A list of two texts whose first is such a name (a header as a pair) loses its second.
        """
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
            if len(value) == 2 and isinstance(value[0], str) and _names_secret(*value):
                return [value[0], HIDDEN]
            return [self.value(item) for item in value]
        return value


def _names_secret(key: str, item: Any) -> bool:
    if isinstance(item, (list, tuple)):
        return bool(item) and all(_names_secret(key, each) for each in item)
    return isinstance(item, (str, bytes, int, float)) and not isinstance(item, bool) and bool(SECRET_KEY.match(key))


def _places(text: str, secret: str, *, token: bool) -> Iterator[tuple[int, int]]:
    """Where `secret` stands in `text`; with all of the base64 around it for a `token`."""
    start = text.find(secret)
    while start >= 0:
        end = start + len(secret)
        if token:
            yield _token(text, start, end)
        elif len(secret) >= SHORT or not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()):
            yield start, end
        start = text.find(secret, end)


def _token(text: str, start: int, end: int, least: int = 0) -> tuple[int, int]:
    """The run of base64 around a place in it, not from before `least`."""
    while start > least and _BASE64.match(text[start - 1]):
        start -= 1
    while end < len(text) and _BASE64.match(text[end]):
        end += 1
    return start, end


def _hide_token(text: str, core: str) -> str:
    """Hide each run of base64 that holds `core`."""
    parts, position = [], 0
    while (found := text.find(core, position)) >= 0:
        start, end = _token(text, found, found + len(core), position)
        parts += [text[position:start], HIDDEN]
        position = end
    return "".join(parts) + text[position:]


def _hide(text: str, form: str, shown: str) -> str:
    if len(form) >= SHORT:
        return text.replace(form, shown)
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(form)}(?![A-Za-z0-9])", shown, text)


def _hide_spans(text: str, spans: list[tuple[int, int, str]]) -> str:
    parts, position = [], 0
    for start, end, shown in spans:
        parts += [text[position:start], shown]
        position = end
    return "".join(parts) + text[position:]


def _cut_off(text: str, stem: str, whole: str) -> Iterator[tuple[int, int]]:
    """Where a limit left but the beginning of a secret: at the text's or a line's end, or before an ellipsis."""
    position = 0
    while (start := text.find(stem, position)) >= 0:
        position = start + len(stem)
        while position < len(text) and position - start < len(whole) and text[position] == whole[position - start]:
            position += 1
        if _CUT.match(text, position):
            yield start, position


def _users(value: Any) -> Iterator[str]:
    """The login names in settings: whatever stands beside a password."""
    if isinstance(value, Section):
        own = getattr(value, "username", None)
        if isinstance(own, str):
            yield own
        for name in type(value).model_fields:
            yield from _users(getattr(value, name))
    elif isinstance(value, (Mapping, tuple)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _users(item)


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
