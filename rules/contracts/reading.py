"""Reads plain data with the path kept, so that every fault names where it is, what is wrong and what is right.

Faults are collected, not raised one by one: somebody who writes an agreement down sees all of them at once.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

_E = TypeVar("_E", bound=StrEnum)
_T = TypeVar("_T")

#: Names within a pack: they become parts of keys and labels.
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Faults:
    """What is wrong with a document so far, each as `path: what is wrong; what is right`."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, path: str, wrong: str, right: str) -> None:
        self.found.append(f"{path or 'the whole file'}: {wrong}; {right}")

    def told(self, path: str) -> bool:
        """Whether something is wrong with the value there already."""
        return any(fault.startswith(f"{path}: ") for fault in self.found)

    def said(self, path: str, error: ValueError) -> None:
        """An error whose text says what is wrong and what is right."""
        self.found.append(f"{path}: {error}")


class Section:
    """One mapping of the document. Take every key that may be there, then call `done`, which refuses the rest.

    A value that is wrong is noted in `faults`, and a harmless one of the right type returned in its place.
    """

    def __init__(self, value: object, path: str, faults: Faults) -> None:
        self.path = path
        self.faults = faults
        self._known: list[str] = []
        self._value: Mapping[object, object] = {}
        if isinstance(value, Mapping):
            self._value = value
        else:
            faults.add(path, f"{_kind(value)} where a mapping is wanted", "write `key: value` lines")

    def at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def take(self, key: str, right: str, *, required: bool = True) -> object:
        """The raw value under `key`, None when it is not there (a fault when it is required)."""
        self._known.append(key)
        value = self._value.get(key)
        if value is None and required and key not in self._value:
            self.faults.add(self.at(key), "is missing", right)
        elif value is None and key in self._value:
            self.faults.add(self.at(key), "is empty", right)
        return value

    def text(self, key: str, right: str, *, required: bool = True) -> str:
        """A text of one line or several, runs of blanks made one."""
        value = self.take(key, right, required=required)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.faults.add(self.at(key), f"{_kind(value)} where a text is wanted", right + " (in quotes)")
            return ""
        if not value.strip():
            self.faults.add(self.at(key), "is empty", right)
        return " ".join(value.split())

    def name(self, key: str, right: str) -> str:
        value = self.text(key, right)
        if value and not _NAME.fullmatch(value):
            self.faults.add(
                self.at(key),
                f"{value!r} is not a name",
                "use small letters, digits, '-' and '_', a letter or digit first",
            )
        return value

    def flag(self, key: str, right: str, *, default: bool | None = None) -> bool:
        """true or false; `default` None: it must be there."""
        value = self.take(key, right, required=default is None)
        if value is None:
            return bool(default)
        if not isinstance(value, bool):
            self.faults.add(self.at(key), f"{_kind(value)} where true or false is wanted", right)
            return False
        return value

    def choices(self, key: str, kind: type[_E], right: str, *, required: bool = True) -> tuple[_E, ...]:
        """A list of words of a closed set."""
        known = "one of " + ", ".join(kind)
        found = []
        for word in self.texts(key, f"{right}: {known}", required=required):
            if word in set(kind):
                found.append(kind(word))
            else:
                self.faults.add(self.at(key), f"{word!r} is not known", known)
        return tuple(found)

    def number(self, key: str, right: str, *, default: int | None = None) -> int:
        """A whole number of 1 or more; `default` None: it must be there."""
        value = self.take(key, right, required=default is None)
        if value is None:
            return 1 if default is None else default
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            self.faults.add(self.at(key), f"{_kind(value)} where a whole number of 1 or more is wanted", right)
            return 1
        return value

    def choice(self, key: str, kind: type[_E], default: _E, *, required: bool = True) -> _E:
        """One of a closed set."""
        right = "one of " + ", ".join(kind)
        value = self.take(key, right, required=required)
        if value is None:
            return default
        if not isinstance(value, str) or value not in set(kind):
            self.faults.add(self.at(key), f"{value!r} is not known", right)
            return default
        return kind(value)

    def texts(self, key: str, right: str, *, required: bool = True) -> tuple[str, ...]:
        """A list of texts."""
        value = self.take(key, right, required=required)
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            self.faults.add(self.at(key), f"{_kind(value)} where a list is wanted", right)
            return ()
        good = tuple(" ".join(v.split()) for v in value if isinstance(v, str) and v.strip())
        if len(good) != len(value):
            self.faults.add(self.at(key), "holds something that is not a text", right)
        return good

    def section(self, key: str, right: str, read: Callable[["Section"], _T], *, required: bool = True) -> _T | None:
        """What `read` makes of the mapping under `key`, None when it is not there. Keys that it left are refused."""
        value = self.take(key, right, required=required)
        if value is None:
            return None
        inner = Section(value, self.at(key), self.faults)
        made = read(inner)
        inner.done()
        return made

    def sections(self, key: str, right: str, read: Callable[["Section"], _T]) -> tuple[_T, ...]:
        """What `read` makes of each mapping of the list under `key`; none when it is not there."""
        value = self.take(key, right, required=False)
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            self.faults.add(self.at(key), f"{_kind(value)} where a list is wanted", right)
            return ()
        made = []
        for place, item in enumerate(value):
            inner = Section(item, f"{self.at(key)}[{place}]", self.faults)
            made.append(read(inner))
            inner.done()
        return tuple(made)

    def parsed(self, key: str, right: str, read: Callable[[str], _T]) -> _T | None:
        """What `read` makes of a text that need not be there; it raises ValueError: what is wrong; what is right."""
        text = self.text(key, right, required=False)
        try:
            return read(text) if text else None
        except ValueError as error:
            self.faults.said(self.at(key), error)
            return None

    def items(self, key: str, right: str, *, required: bool = True) -> Iterable[tuple[str, object]]:
        """The (name, value) pairs of the mapping under `key`, in the document's order."""
        value = self.take(key, right, required=required)
        if value is None:
            return
        inner = Section(value, self.at(key), self.faults)
        for k, v in inner._value.items():
            if isinstance(k, str) and _NAME.fullmatch(k):
                yield k, v
            else:
                self.faults.add(
                    self.at(key),
                    f"{k!r} is not a name",
                    "use small letters, digits, '-' and '_', a letter or digit first",
                )

    def pairs(self) -> Iterable[tuple[object, object]]:
        """All that it holds, whatever the keys are."""
        return self._value.items()

    def done(self) -> None:
        """Refuses the keys that nobody took."""
        for key in self._value:
            if key not in self._known:
                near = difflib.get_close_matches(str(key), self._known, 1)
                hint = f"did you mean {near[0]}?" if near else "known here: " + ", ".join(self._known)
                self.faults.add(self.at(str(key)), "is not known", hint)


def _kind(value: object) -> str:
    """What a value is, in the words of somebody who wrote it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else f"a {type(value).__name__}"
