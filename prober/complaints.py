"""Says in a sentence what is wrong with a value and what would be right, from what pydantic found.

The value itself is shown as the file writes it (`${VAR}` unexpanded), and never where it is a secret.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from prober.shape import field_at, is_secret, known_keys, type_at
from prober.yamlread import Document, Loc

_SHAPES = {
    "dict_type": "a mapping; write `key: value` lines below it",
    "model_type": "a mapping; write `key: value` lines below it",
    "model_attributes_type": "a mapping; write `key: value` lines below it",
    "tuple_type": "a list; write each item in a line of its own that begins with `- `, or [one, two]",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number that is smaller",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "path_type": "a path; write the path of a file",
}


def show(loc: Loc) -> str:
    """A place as a person reads it: services.bird.channels.api[0].url.

    What follows a colon within a key is left out: it is a value, perhaps a secret, that no blank parts from its key.
    """
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        elif ":" in part:
            text += f"[{part.partition(':')[0] + ':...'!r}]"
        elif not part or any(char in part for char in ".[] \n") or not part.isprintable():
            text += f"[{part!r}]"
        else:
            text += f".{part}" if text else part
    return text


def near(word: str, known: Iterable[str], alike: float = 0.6) -> str:
    """ "; did you mean ...?" or the list of what is known."""
    names = list(known)
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=alike)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(names)}"


def describe(error: Mapping[str, Any], loc: Loc, document: Document | None) -> str:
    """The sentence for one of pydantic's errors (with its input) at `loc`."""
    kind: str = error["type"]
    context: Mapping[str, Any] = error.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "extra_forbidden":
        if ":" in str(loc[-1]):
            return "is not a key known here; write a blank after its colon"
        return f"is not a key known here; {near(str(loc[-1]), known_keys(loc[:-1]))}"
    if kind == "missing":
        field = field_at(loc)
        if field is None or not field.description:
            return "is missing; write it"
        example = field.examples[0] if field.examples else None
        return f"is missing; write {field.description}" + (f", such as {example}" if isinstance(example, str) else "")
    written = _written(loc, document)
    if kind == "literal_error":
        names = _literals(loc)
        guess = near(written, names, alike=0.7) if written else f"write one of {', '.join(names)}"
        return f"is none of {', '.join(names)}" + (f"; {guess}" if guess.startswith("did") else "; write one of them")
    if kind == "string_type":
        return _wants_text(error["input"], written)
    if kind in _SHAPES:
        return f"{_is(error['input'])}, and wants {_SHAPES[kind]}"
    return _bounds(kind, context) or str(error["msg"])


def _bounds(kind: str, context: Mapping[str, Any]) -> str | None:
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        bound = next(iter(context.values()))
        word = {"greater_than": "more than", "less_than": "less than"}.get(kind)
        word = word or ("at least" if kind.startswith("greater") else "at most")
        return f"is out of range; write a number of {word} {bound}"
    if kind in ("string_too_short", "too_short"):
        return "is empty; write a value, or leave the key out"
    if kind == "string_pattern_mismatch":
        return (
            "is not a store; write sqlite:///PATH, such as sqlite:///prober.db or sqlite:////var/lib/prober/prober.db"
        )
    return None


def _wants_text(value: Any, written: str) -> str:
    if value is None:
        return "is empty, and wants text; write it, or leave the key out"
    if isinstance(value, (bool, int, float)):
        return f"{_is(value)}, and wants text; put it in quotes" + (f': "{written}"' if written else "")
    return f"{_is(value)}, and wants text"


def _is(value: Any) -> str:
    if value is None:
        return "is empty"
    if isinstance(value, bool):
        return f"is {str(value).lower()}"
    if isinstance(value, (int, float)):
        return "is a number"
    if isinstance(value, str):
        return "is text"
    return "is a mapping" if isinstance(value, Mapping) else "is a list"


def _written(loc: Loc, document: Document | None) -> str:
    """The value as the file writes it; "" where it must not be shown."""
    node = document.node(loc) if document else None
    return node.text if node and not is_secret(loc) and len(node.text) <= 80 else ""


def _literals(loc: Loc) -> tuple[str, ...]:
    return tuple(str(name) for name in getattr(type_at(loc), "__args__", ()))
