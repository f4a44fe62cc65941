"""Reads a configuration file into settings, and says all that is wrong with it at once, with file, line and key.

The way: YAML with its lines (`prober.yamlread`), `${VAR}` and secrets' files (`prober.expand`), the settings' models
(`prober.settings`), then what no single value can show (`prober.checks`). A part that is wrong is cut out and the rest
is judged on, so that one run of `prober check` finds everything.
"""

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from prober.complaints import describe, show
from prober.errors import Exit, ProberError
from prober.expand import expand, inline_files
from prober.settings import Settings
from prober.shape import field_at
from prober.yamlread import Document, Flaw, Loc, ReadError, read

_SHOWN = 100  # errors printed at most
_FOLLOWS = ("default_factory_not_called",)  # errors that only follow from others
_PASSES = 20  # each cuts out what is wrong at the deepest level; settings are not nested that deep


class ConfigError(ProberError):
    """The configuration cannot be used. The message has a line for each error: file, line, key, what would be right."""

    exit = Exit.USAGE

    def __init__(self, errors: list[str]) -> None:
        more = len(errors) - _SHOWN
        shown = [*errors[:_SHOWN], f"... and {more} more"] if more > 0 else errors
        super().__init__("\n".join(shown))
        self.errors = tuple(errors)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that was read. `raw` holds the secrets in the clear: it goes nowhere but over the link."""

    settings: Settings
    raw: dict[str, Any]  # JSON values; variables expanded, secrets' files read: `from_raw` needs neither
    base: Path  # the folder that the file's paths are relative to
    path: Path


def load(path: Path, environ: Mapping[str, str] | None = None, *, unread: str | None = None) -> Loaded:
    """The configuration in the file at `path`. Raises ConfigError with everything that is wrong with it.

    `unread` stands for secrets whose files cannot be read, for who needs none; None: that is wrong.
    """
    path = Path(path)
    try:
        base = path.absolute().parent
    except OSError as error:  # the shell stands in a folder that was removed
        raise ConfigError(
            [f"{path}: the working directory cannot be seen ({error.strerror}); go to another, or write the whole path"]
        ) from None
    try:
        document = read(path)
    except ReadError as error:
        raise ConfigError([f"{path}:{error.line}: {error}" if error.line else f"{path}: {error}"]) from None
    flaws: list[Flaw] = list(document.flaws)
    secrets: set[str] = set()
    data = expand(document.root, os.environ if environ is None else environ, flaws, secrets=secrets)
    if secrets and isinstance(data, dict) and isinstance(data.get("hide", []), list):
        data["hide"] = [*data.get("hide", []), *sorted(secrets)]  # a key in a URL or a body is one all the same
    judge = _Judge(data, base, document)
    judge.take(flaws, unread)
    raw = _compact(judge.data)
    settings = judge.settings()
    if settings is not None:
        judge.check(settings)
    if judge.flaws or settings is None:
        raise ConfigError(judge.report(str(path)))
    return Loaded(settings, raw, base, path)


def from_raw(raw: Mapping[str, Any], base: Path) -> Settings:
    """The settings of a raw configuration that `load` has already found good. Raises ConfigError all the same."""
    judge = _Judge(_compact(dict(raw)), base.absolute(), None)
    judge.take([])
    settings = judge.settings()
    if judge.flaws or settings is None:
        raise ConfigError(judge.report(""))
    return settings


class _Gone:
    """Stands in a list for an item that was cut out, so that the others keep their places."""


_GONE = _Gone()


class _Judge:
    """Validates data, cutting out what is wrong until the rest stands; gathers the flaws by their original places."""

    def __init__(self, data: dict[str, Any], base: Path, document: Document | None) -> None:
        self.data = data
        self.flaws: dict[Flaw, None] = {}  # in the order in which they were found, each once
        self._base = base
        self._document = document
        self._cut: set[Loc] = set()  # each cut place and all around it
        self._left: dict[int, list[int]] = {}  # id of a list -> the places of the items that were not cut out

    def take(self, flaws: list[Flaw], unread: str | None = None) -> None:
        """Take in flaws of the reading, and fill in the secrets' files."""
        for flaw in flaws:
            self._add(flaw.loc, flaw.message, flaw.line)
            self._prune(flaw.loc)
        found: list[Flaw] = []
        inline_files(self.data, self._base, found, unread)
        for flaw in found:
            self._add(flaw.loc, flaw.message)
            self._prune(flaw.loc)

    def settings(self) -> Settings | None:
        """The settings, of what is good at least; None where nothing is."""
        for _ in range(_PASSES):
            try:
                return Settings.model_validate(
                    _compact(self.data), by_alias=True, by_name=False, context={"base": self._base}
                )
            except ValidationError as error:
                errors = [each for each in error.errors(include_url=False) if each["type"] not in _FOLLOWS]
            places = [(each, self._original(_plain(each["loc"]))) for each in errors]
            for each, loc in places:
                if loc not in self._cut:
                    self._add(loc, describe(each, loc, self._document))
            for each, loc in places:
                if each["type"] == "missing":
                    self._fill(loc)
                else:
                    self._prune(loc)
        return None

    def check(self, settings: Settings) -> None:
        """Add what no single value shows."""
        from prober.checks import check

        for loc, message in check(settings, self._base):
            original = self._original(loc)
            if original not in self._cut:
                self._add(original, message)

    def report(self, name: str) -> list[str]:
        """The flaws as lines, in the order of the file."""
        lines = []
        for flaw in sorted(self.flaws, key=lambda flaw: (flaw.line, [str(part) for part in flaw.loc])):
            place = f"{name}:{flaw.line}: " if flaw.line else ""
            lines.append(f"{place}{show(flaw.loc)}: {flaw.message}" if flaw.loc else f"{place}{flaw.message}")
        return lines

    def _add(self, loc: Loc, message: str, line: int = 0) -> None:
        loc = self._as_written(loc)
        line = line or (self._document.line(loc) if self._document else 0)
        self.flaws[Flaw(loc, line, message)] = None

    def _as_written(self, loc: Loc) -> Loc:
        """The place of the key that names a secret's file, for the secret that came out of it."""
        if self._document and loc and isinstance(loc[-1], str) and self._document.node(loc) is None:
            of_file = (*loc[:-1], f"{loc[-1]}_file")
            if self._document.node(of_file) is not None:
                return of_file
        return loc

    def _fill(self, loc: Loc) -> None:
        """Put an example where a value is missing, so that what is around it can be judged; nothing is said of it."""
        field = field_at(loc)
        around = self._around(loc)
        if field is not None and field.examples and isinstance(around, dict):
            around[str(loc[-1])] = copy.deepcopy(field.examples[0])
            self._cut.add(loc)
        else:
            self._prune(loc[:-1])

    def _around(self, loc: Loc) -> Any:
        """The mapping or list that `loc` is in; None where it was cut out."""
        around: Any = self.data
        for part in loc[:-1]:
            try:
                around = around[part]
            except (KeyError, IndexError, TypeError):
                return None
        return around

    def _prune(self, loc: Loc) -> None:
        """Cut out what is at `loc`; everything, (), is left."""
        self._left.clear()
        self._cut.update(loc[:length] for length in range(1, len(loc) + 1))
        if loc and isinstance(loc[-1], str):
            self._cut.add(
                (*loc[:-1], loc[-1].removesuffix("_file"))
            )  # nor is the secret missing that a file should give
        around = self._around(loc)
        if isinstance(around, dict) and loc:
            around.pop(loc[-1], None)
        elif isinstance(around, list) and isinstance(loc[-1], int) and loc[-1] < len(around):
            around[loc[-1]] = _GONE

    def _original(self, loc: Loc) -> Loc:
        """The place in the file of a place in the compacted data."""
        found: list[str | int] = []
        here: Any = self.data
        for part in loc:
            if isinstance(here, list) and isinstance(part, int):
                if id(here) not in self._left:
                    self._left[id(here)] = [index for index, item in enumerate(here) if item is not _GONE]
                part = self._left[id(here)][part]  # noqa: PLW2901 - the same place
                here = here[part]
            elif isinstance(here, dict):
                here = here.get(str(part))
            else:
                here = None
            found.append(part)
        return tuple(found)


def _compact(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _compact(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_compact(item) for item in data if item is not _GONE]
    return data


def _plain(loc: tuple[int | str, ...]) -> Loc:
    """pydantic's place without its mark for "the key itself"."""
    return loc[:-1] if loc and loc[-1] == "[key]" else loc
