"""One key of a section: its type and limits in words, its default, an example that the section takes."""

import json
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import annotated_types
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from prober.fields import format_duration
from prober.section import Section


@dataclass(frozen=True, slots=True)
class Key:
    """What the reference says of one key; `example` is a line of YAML."""

    name: str
    kind: str
    description: str
    required: bool
    default: str
    limits: tuple[str, ...]
    example: str
    annotation: Any


#: By the function that checks a text: what it is, and an example.
_CHECKED: Mapping[str, tuple[str, str]] = {
    "parse_duration": ("a duration", "10s"),
    "_name": ("a name of letters, digits, `_`, `.` and `-`", "main"),
    "_host": ("a host's name or address", "mail.example.com"),
    "_host_port": ("an address and port", '"192.0.2.53:53"'),
    "_listen": ("an address and port", "127.0.0.1:9580"),
    "_nameserver": ("an IP address, with a port or without", '"192.0.2.53"'),
    "_ip": ("an IP address", '"192.0.2.1"'),
    "_url": ("an http or https URL", "https://example.com/"),
    "_site": ("an http or https URL", "https://prober.example.com"),
    "_url_template": ("a template of a URL", "https://example.com/"),
    "_ping_url": ("an http or https URL", "https://hc-ping.com/UUID"),
    "_proxy": ("a proxy's URL", "http://proxy.example.com:3128"),
    "_phone": ("a telephone number with its country", '"+49 30 1234567"'),
    "_oid": ("an object identifier", "1.3.6.1.4.1.8072.9999.9999.7767"),
    "_engine_id": ("5 to 32 bytes in hexadecimal", "80001f8804abcdef01"),
    "_account_sid": ("an account's SID", "AC00000000000000000000000000000000"),
    "_label_name": ("a label's name", "team"),
    "_mail_address": ("a mail address", "oncall@example.com"),
    "_one_line": ("text in one line", "text"),
    "_header_name": ("a header's name", "X-Example"),
    "_reply_header_name": ("a header's name", "X-Example"),
    "_mail_header_name": ("a header's name", "X-Example"),
    "_header_value": ("a header's value", '"${API_KEY}"'),
    "_method": ("an HTTP method", "GET"),
    "_status": ("a status code or a class", "2xx"),
    "_pattern": ("a regular expression (RE2)", '"state: up"'),
    "_vendor": ("a vendor's name", "generic"),
    "_against_base": ("a path, relative to the configuration file", "file"),
    "_network": ("an address or a network", "10.0.0.0/8"),
    "_colour": ("a colour of six hexadecimal digits", '"#0b57b0"'),
}


#: Examples of plain texts, by their keys.
_TEXTS: Mapping[str, str] = {
    "authority": "mx.example.com",
    "body": "'{\"ping\": true}'",
    "company": "Example GmbH",
    "context": "prober",
    "email": "oncall@example.com",
    "end": "2026-11-22T04:00",
    "every": "FREQ=WEEKLY;BYDAY=SU",
    "folder": "Support",
    "issue_type": "Incident",
    "location": "fra1",
    "name": "Operations",
    "phone": '"+49 30 1234567"',
    "project": "VEN",
    "reference": "result.number",
    "request_type": '"25"',
    "service_desk": '"10"',
    "start": "2026-11-22T02:00",
    "title": "Mail",
    "user": "prober",
    "username": "oncall",
    "voice": "Polly.Joanna",
}


def keys(section: type[Section]) -> Iterator[Key]:
    """All keys of a section, in its order. Raises KeyError for a type that has no words here."""
    for name, field in section.model_fields.items():
        yield key_of(field.alias or name, field)


def key_of(name: str, field: FieldInfo) -> Key:
    """One key."""
    kind, example = _typed(field.annotation, field.metadata)
    given = field.get_default(call_default_factory=False)
    if example == "text":
        example = _TEXTS.get(name, example)
    if field.examples:
        example = _written(field.examples[0], example) if field.examples[0] != {} else example
    elif _plain(given):
        example = _default(given, field.metadata)
    return Key(
        name,
        kind,
        (field.description or "").rstrip(".,"),
        field.is_required(),
        _default(given, field.metadata) if _plain(given) and not field.is_required() else "",
        tuple(_limits(field.metadata)),
        f"{name}: {example}",
        field.annotation,
    )


def _plain(value: object) -> bool:
    """Whether a default can be written in a line and says something."""
    return isinstance(value, bool | int | float) or (isinstance(value, str) and value != "")


def _default(value: object, metadata: list[Any]) -> str:
    if "parse_duration" in _functions(metadata):
        assert isinstance(value, int)
        return format_duration(value)
    return _written(value, "")


def _written(value: object, typed: str) -> str:
    if isinstance(value, str):
        plain = value.replace("-", "").replace("_", "").replace(".", "").replace("/", "").replace("@", "")
        return value if plain.isalnum() and not plain.isdigit() else value if "://" in value else json.dumps(value)
    return json.dumps(value) if value is not None else typed


def _functions(metadata: list[Any]) -> list[str]:
    found = [getattr(getattr(each, "func", None), "__name__", "") for each in metadata]
    return [name for name in found if name]


def _typed(annotation: Any, metadata: list[Any]) -> tuple[str, str]:
    """A type in words, and a value of it."""
    known = [name for name in _functions(metadata) if name in _CHECKED]
    if known:
        return _CHECKED[known[-1]]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _typed(arguments[0], list(arguments[1:]))
    if origin is typing.Literal:
        return "one of " + ", ".join(f"`{each}`" for each in arguments), str(arguments[-1])
    if origin is tuple:
        words, example = _typed(arguments[0], [])
        return f"a list; each is {words}", f"[{example}]"
    if origin is dict:
        return _mapping(*arguments)
    if arguments:  # T | None
        return _typed(next(each for each in arguments if each is not type(None)), metadata)
    return _simple(annotation)


def _mapping(key: Any, value: Any) -> tuple[str, str]:
    names, name = _typed(key, [])
    words, example = _typed(value, [])
    return f"a mapping from {names} to {words}", f"{{{name}: {example}}}"


def _simple(annotation: Any) -> tuple[str, str]:
    if annotation is SecretStr:
        return "a secret", '"${SECRET}"'
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "a section", "{}"
    return _SIMPLE[annotation]


_SIMPLE: Mapping[Any, tuple[str, str]] = {
    bool: ("`true` or `false`", "true"),
    int: ("a whole number", "3"),
    float: ("a number", "0.9"),
    str: ("text", "text"),
    Any: ("any value", "value"),
}


def _limits(metadata: list[Any]) -> Iterator[str]:
    for each in metadata:
        match each:
            case annotated_types.Ge(ge=bound):
                yield f"at least {bound}"
            case annotated_types.Gt(gt=bound):
                yield f"more than {bound}"
            case annotated_types.Le(le=bound):
                yield f"at most {bound}"
            case annotated_types.MinLen(min_length=bound) if bound > 1:
                yield f"at least {bound} characters"
