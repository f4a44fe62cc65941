"""What the settings' models say about a place in the file: which keys are known there, what a key is for.

A place (`Loc`) is the path of keys and list indexes from the top, as pydantic's errors give it.
"""

import types
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from prober.settings import Section, Settings
from prober.yamlread import Loc


@cache
def keys(section: type[Section]) -> Mapping[str, FieldInfo]:
    """The keys of a section as a file writes them (`from`, not `from_`), with their fields."""
    return {info.alias or name: info for name, info in section.model_fields.items()}


def _inside(annotation: Any) -> Any:
    """The type within Annotated and Optional."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [arg for arg in get_args(annotation) if arg is not type(None)]
        return _inside(inner[0])
    return annotation


def _below(annotation: Any) -> Any:
    """The type of a list's or a mapping's values; None for anything else."""
    annotation = _inside(annotation)
    arguments = get_args(annotation)
    if get_origin(annotation) is tuple:
        return _inside(arguments[0])
    if get_origin(annotation) is dict:
        return _inside(arguments[1])
    return None


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def type_at(loc: Loc) -> Any:
    """The type that the settings want at `loc`; None for places that they do not describe."""
    current: Any = Settings
    for part in loc:
        if _is_section(current):
            info = keys(current).get(str(part))
            current = _inside(info.annotation) if info else None
        else:
            current = _below(current)
        if current is None:
            return None
    return current


def field_at(loc: Loc) -> FieldInfo | None:
    """The field whose key `loc` is; None for list items, free keys and unknown places."""
    around = type_at(loc[:-1]) if loc else None
    return keys(around).get(str(loc[-1])) if _is_section(around) else None


def known_keys(loc: Loc) -> tuple[str, ...]:
    """The keys that the mapping at `loc` may have; () where any are allowed."""
    here = type_at(loc)
    return tuple(keys(here)) if _is_section(here) else ()


def is_secret(loc: Loc) -> bool:
    """Whether the value at `loc` must not be shown."""
    return type_at(loc) is SecretStr


def sections(data: Any, section: Any = Settings, loc: Loc = ()) -> Iterator[tuple[type[Section], dict[str, Any], Loc]]:
    """Every mapping in `data` that a section describes, with its place; wrongly shaped parts are passed over."""
    if _is_section(section):
        if isinstance(data, dict):
            yield section, data, loc
            for key, info in keys(section).items():
                if key in data:
                    yield from sections(data[key], _inside(info.annotation), (*loc, key))
        return
    below = _below(section)
    if not (_is_section(below) or get_origin(below) in (tuple, dict)):
        return
    if isinstance(data, dict) and get_origin(section) is dict:
        for key, value in data.items():
            yield from sections(value, below, (*loc, key))
    elif isinstance(data, list) and get_origin(section) is tuple:
        for index, value in enumerate(data):
            yield from sections(value, below, (*loc, index))
