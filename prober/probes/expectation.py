"""What the configuration expects of an HTTP response, and the first of it that is not met."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

from prober.settings import Expect

_MISSING = object()


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a response must be, compiled once. Checked in the order status, header, body, json."""

    statuses: frozenset[int]
    headers: tuple[tuple[str, Any], ...] = ()  # name in lower case, RE2
    body: Any = None  # RE2
    json: tuple[tuple[str, Any], ...] = ()  # path ("data.0.state"), value
    markers: tuple[bytes, ...] = ()  # bytes of a vendor's error bodies

    @classmethod
    def of(cls, expect: Expect, markers: tuple[bytes, ...] = ()) -> "Expectation":
        """Raises re2.error for a pattern that is no RE2."""
        options = re2.Options()
        options.log_errors = False
        return cls(
            statuses_of(expect.status),
            tuple((name.lower(), re2.compile(pattern, options)) for name, pattern in expect.header.items()),
            None if expect.body is None else re2.compile(expect.body, options),
            tuple(expect.json_.items()),
            markers,
        )

    @property
    def by_status(self) -> bool:
        return not (self.headers or self.body or self.json)

    def unmet(self, code: int, headers: tuple[tuple[str, str], ...], body: bytes) -> str | None:
        """The name of the first expectation that is not met; "vendor" for a body that may be a vendor's error."""
        if code not in self.statuses:
            return "status"
        if not self.by_status:
            for name, pattern in self.headers:
                if not any(n == name and pattern.search(value) for n, value in headers):
                    return f"header {name}"
            text = body.decode("utf-8-sig", "replace")  # a byte order mark is no part of the text (RFC 8259, 8.1)
            if self.body is not None and not self.body.search(text):
                return "body"
            if (path := _unmet_json(text, self.json)) is not None:
                return f"json {path}"
        for marker in self.markers:
            if marker in body:
                return "vendor"
        return None


def named(unmet: str | None) -> str:
    """The place in the configuration of what `Expectation.unmet` names, for people; "" where the status says it."""
    what, _, which = (unmet or "").partition(" ")
    if what not in ("header", "body", "json"):
        return ""
    return f"not as in expect.{what}" + (f": {which}" if which else "")


@lru_cache(maxsize=1024)
def statuses_of(status: tuple[str, ...]) -> frozenset[int]:
    """The codes that `200`, `2xx` and the like mean; 2xx where nothing is said.

    Shared by all endpoints that want the same: the set of a class takes 8 KiB.
    """
    codes: set[int] = set()
    for item in status or ("2xx",):
        if item.lower().endswith("xx"):
            codes.update(range(int(item[0]) * 100, int(item[0]) * 100 + 100))
        else:
            codes.add(int(item))
    return frozenset(codes)


def _unmet_json(text: str, wanted: tuple[tuple[str, Any], ...]) -> str | None:
    if not wanted:
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return wanted[0][0]
    for path, value in wanted:
        if not _same(_at(document, path), value):
            return path
    return None


def _same(found: Any, value: Any) -> bool:
    """Equality of JSON values: to Python 1 is True."""
    if isinstance(found, dict) and isinstance(value, dict):
        return found.keys() == value.keys() and all(_same(found[key], value[key]) for key in value)
    if isinstance(found, list) and isinstance(value, list):
        return len(found) == len(value) and all(map(_same, found, value))
    return bool(found == value) and isinstance(found, bool) is isinstance(value, bool)


def _at(document: Any, path: str) -> Any:
    """The value at `data.0.state` of a JSON document."""
    here = document
    for part in path.split("."):
        if isinstance(here, Mapping):
            here = here.get(part, _MISSING)
        elif isinstance(here, list) and part.isdecimal() and int(part) < len(here):
            here = here[int(part)]
        else:
            return _MISSING
    return here
