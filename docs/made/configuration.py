"""The reference of the configuration, from the very model that reads it (`prober.settings`)."""

import re
import typing
from collections.abc import Iterator, Mapping

from docs.made.keys import Key, keys
from prober.receivers import KINDS, Receiver
from prober.section import Section
from prober.settings import Settings

#: Kinds of receivers have sections of their own, in the page of receivers.
_ELSEWHERE = frozenset(KINDS)


def reference() -> str:
    """Every section of a file, from the whole inwards; receivers are told by their page."""
    lines: list[str] = []
    places = {section: path for path, section in sections(Settings) if path}
    for path, section in sections(Settings):
        head = [f"## `{path}`", "", *_words(section)] if path else ["## The whole file"]
        lines += [*head, "", *_listed(section, places)]
    return "\n".join(lines)


def receiver(kind: str) -> str:
    """The keys of a kind of receiver, and of the sections within it."""
    section = section_of(kind)
    lines = [f"Keys of `{kind}`:", "", *_listed(section)]
    for path, inner in sections(section, kind):
        if inner is not section:
            lines += [f"Keys of `{path}`:", "", *_listed(inner)]
    return "\n".join(lines)


def section_of(kind: str) -> type[Section]:
    """The section of a kind of receiver."""
    [section] = _sections_in(Receiver.model_fields[kind].annotation)
    return section


def sections(
    section: type[Section], path: str = "", seen: set[type[Section]] | None = None
) -> Iterator[tuple[str, type[Section]]]:
    """Each mapping that a file may hold, once, with the first place where it stands."""
    seen = set() if seen is None else seen
    if section in seen:
        return
    seen.add(section)
    yield path, section
    for name, field in section.model_fields.items():
        if issubclass(section, Receiver) and name in _ELSEWHERE:
            continue
        key = field.alias or name
        for inner in _sections_in(field.annotation):
            place = f"{path}.{key}" if path else key
            yield from sections(inner, place + _many(field.annotation), seen)


def _many(annotation: object) -> str:
    """How a place within a list or a mapping by name is written."""
    origin = typing.get_origin(annotation)
    return "[]" if origin is tuple else ".NAME" if origin is dict else ""


def _sections_in(annotation: object) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from _sections_in(inner)


def _words(section: type[Section]) -> list[str]:
    words = " ".join((section.__doc__ or "").split("\n\n")[0].split())
    if issubclass(section, Receiver):
        words += " What each kind takes: [receivers](receivers.md)."
    return [words]


def _listed(section: type[Section], places: Mapping[type[Section], str] | None = None) -> list[str]:
    """The keys of a section; with `places`, those that hold a section lead to it."""
    lines: list[str] = []
    for key in keys(section):
        lines += [_head(key), f": {key.description[0].upper()}{key.description[1:]}.", ""]
        kind = "; ".join((key.kind, *key.limits))
        more = f" Example: `{key.example}`" if "section" not in key.kind else _led_to(key.annotation, places or {})
        lines += [f"  {kind[0].upper()}{kind[1:]}.{more}", ""]
    return lines


def _led_to(annotation: object, places: Mapping[type[Section], str]) -> str:
    found = [places[section] for section in _sections_in(annotation) if section in places]
    return f" See [{found[0]}](#{re.sub(r'[^a-z_]', '', found[0].lower())})." if found else ""


def _head(key: Key) -> str:
    if key.required:
        return f"`{key.name}` (required)"
    return f"`{key.name}` (default: `{key.default}`)" if key.default else f"`{key.name}`"
