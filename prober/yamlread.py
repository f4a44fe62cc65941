"""Reads a YAML file into a tree that remembers its lines, and refuses what a configuration has no use for.

Built on the parser's events rather than on PyYAML's constructors, because an error must name its line, a key must not
be given twice, an alias must neither be cyclic nor explode, and YAML 1.1's traps (`on` as true, `10:30` as 630,
`+49...` as a number without its plus) must not reach a user. Scalars follow YAML 1.2's core schema (section 10.3.2),
except that a number written with a leading plus or zero stays the text that it is: a telephone number or a code.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from prober.errors import ProberError
from prober.patient import read_bytes

MAX_BYTES = 5 * 1024 * 1024
MAX_DEPTH = 40
MAX_NODES = 500_000  # after aliases were expanded

Scalar = str | int | float | bool | None
Loc = tuple[str | int, ...]

#: What no text of a person's holds; U+0085, U+2028 and U+2029 are line breaks in YAML 1.1, and in no editor.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_NULL = re.compile(r"(?:null|Null|NULL|~|)\Z")
_TRUE = re.compile(r"(?:true|True|TRUE)\Z")
_FALSE = re.compile(r"(?:false|False|FALSE)\Z")
_INT = re.compile(r"-?(?:0|[1-9][0-9]{0,99})\Z")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3})?\Z")
_TAG = "tag:yaml.org,2002:"


class ReadError(ProberError):
    """The file cannot be read at all. `line` is 1-based, 0 where no line is to blame."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file with its place. `text` is what a scalar looks like in the file, "" for mappings and lists."""

    value: "Scalar | Mapping[str, Entry] | list[Node]"
    line: int
    text: str = ""
    size: int = 1  # nodes below and with this one


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's line and its value."""

    line: int
    node: Node


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong that does not stop the reading."""

    loc: Loc
    line: int
    message: str


@dataclass(slots=True)
class Document:
    """A file as it was read."""

    root: Node
    flaws: list[Flaw] = field(default_factory=list)

    def node(self, loc: Loc) -> Node | None:
        """The value at `loc`, None where there is none."""
        _, node, depth = self._walk(loc)
        return node if depth == len(loc) else None

    def line(self, loc: Loc) -> int:
        """The line of `loc`'s key, or of the nearest thing around it that is in the file."""
        return self._walk(loc)[0]

    def _walk(self, loc: Loc) -> tuple[int, Node, int]:
        line, node = self.root.line, self.root
        for depth, part in enumerate(loc):
            value = node.value
            if isinstance(value, Mapping) and isinstance(part, str) and part in value:
                line, node = value[part].line, value[part].node
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                node = value[part]
                line = node.line
            else:
                return line, node, depth
        return line, node, len(loc)


def read(path: Path) -> Document:
    """The file at `path`. Raises ReadError when it is no readable, single YAML mapping in UTF-8."""
    return parse(_bytes(path))


def _bytes(path: Path) -> bytes:
    try:
        data = read_bytes(path, MAX_BYTES + 1)
    except FileNotFoundError:
        raise ReadError("there is no such file; check the path") from None
    except IsADirectoryError:
        raise ReadError("is a directory; name the configuration file in it") from None
    except OSError as error:
        raise ReadError(f"cannot be read: {error.strerror or error}") from None
    if len(data) > MAX_BYTES:
        raise ReadError(f"is larger than {MAX_BYTES // 1024 // 1024} MiB; a configuration is not")
    return data


def parse(data: bytes) -> Document:
    """The document in `data`. Raises ReadError as `read` does."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ReadError("is not UTF-8 text; save it as UTF-8", line) from None
    if bad := _CONTROL.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        raise ReadError(f"holds the control character U+{ord(bad[0]):04X}; a configuration is plain text", line)
    builder = _Builder()
    try:
        root = builder.document(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        raise _syntax(error, text) from None
    except yaml.YAMLError as error:
        raise ReadError(f"is not YAML: {str(error).splitlines()[0]}") from None
    if root is None:
        raise ReadError("is empty; write a configuration into it")
    if not isinstance(root.value, Mapping):
        raise ReadError("is not a mapping; write `key: value` lines, beginning with `services:`", root.line)
    return Document(root, builder.flaws)


def _syntax(error: yaml.MarkedYAMLError, text: str) -> ReadError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    begun = error.context_mark.line + 1 if error.context_mark else line
    context = f"{error.context} (begun in line {begun})" if error.context and begun != line else error.context
    what = ", ".join(part for part in (context, error.problem) if part)
    lines = text.splitlines()
    around = "".join(lines[max(0, line - 2) : line])
    hint = "; indent with blanks, YAML allows no tabs" if "\t" in around else "; check indentation, colons and quotes"
    return ReadError(f"is not YAML: {what}{hint}", line)


class _Builder:
    """Turns the parser's events into nodes. Recursion is bounded by MAX_DEPTH."""

    def __init__(self) -> None:
        self.flaws: list[Flaw] = []
        self._anchors: dict[str, Node | None] = {}  # None: still being read
        self._size = 0

    def document(self, events: Iterator[yaml.Event]) -> Node | None:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                raise ReadError("holds more than one document; remove the `---` lines", _line(event))
            if isinstance(event, yaml.NodeEvent):
                root = self._node(event, events, ())
        if root is not None and root.value is None and not root.text:
            return None
        return root

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], loc: Loc) -> Node:
        line = _line(event)
        if len(loc) > MAX_DEPTH:
            raise ReadError(f"is nested more than {MAX_DEPTH} deep; a configuration is not", line)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor, line, loc)
        anchor: str | None = getattr(event, "anchor", None)
        if anchor:
            self._anchors[anchor] = None
        if isinstance(event, yaml.MappingStartEvent):
            self._tag(event.tag, ("map",), line, loc)
            node = self._mapping(events, line, loc)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._tag(event.tag, ("seq",), line, loc)
            node = self._sequence(events, line, loc)
        else:
            assert isinstance(event, yaml.ScalarEvent)  # no other event begins a node
            node = self._scalar(event, line, loc)
        self._grow(1, line)
        if anchor:
            self._anchors[anchor] = node
        return node

    def _grow(self, nodes: int, line: int) -> None:
        self._size += nodes
        if self._size > MAX_NODES:
            raise ReadError(f"holds more than {MAX_NODES:,} values once its aliases are expanded", line)

    def _alias(self, anchor: str | None, line: int, loc: Loc) -> Node:
        if anchor is None or anchor not in self._anchors:
            # What stands there may be a secret that was not put in quotes: it is not repeated, nor is a tag.
            what = "begins a value with *, which names an anchor, and there is none of that name"
            raise ReadError(f"{what}; put the value in quotes, or write the anchor above it", line)
        node = self._anchors[anchor]
        if node is None:
            raise ReadError(f"*{anchor} holds itself; a configuration cannot be cyclic", line)
        self._grow(node.size, line)
        if len(loc) + _depth(node) > MAX_DEPTH:
            raise ReadError(f"is nested more than {MAX_DEPTH} deep; a configuration is not", line)
        return node

    def _mapping(self, events: Iterator[yaml.Event], line: int, loc: Loc) -> Node:
        entries: dict[str, Entry] = {}
        merged: list[Node] = []
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key, at = self._key(event, loc), _line(event)
            node = self._node(next(events), events, (*loc, key))
            if key == "<<" and isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
                merged += self._merge(node, at, loc)
            elif key in entries:
                self._flaw((*loc, key), at, f"is given twice, first in line {entries[key].line}; keep one of them")
            else:
                entries[key] = Entry(at, node)
        for source in merged:
            if isinstance(source.value, Mapping):
                for key, entry in source.value.items():
                    entries.setdefault(key, entry)
        return Node(entries, line, size=1 + sum(entry.node.size for entry in entries.values()))

    def _key(self, event: yaml.Event, loc: Loc) -> str:
        if isinstance(event, yaml.ScalarEvent):
            return str(event.value)  # as written: `on` and `200` are names here
        if isinstance(event, yaml.AliasEvent):
            node = self._alias(event.anchor, _line(event), loc)
            if isinstance(node.value, str):
                return node.value
        raise ReadError("has a key that is a list or a mapping; a key is a word", _line(event))

    def _merge(self, node: Node, line: int, loc: Loc) -> list[Node]:
        sources = node.value if isinstance(node.value, list) else [node]
        if all(isinstance(source.value, Mapping) for source in sources):
            return sources
        self._flaw((*loc, "<<"), line, "merges something that is no mapping; write `<<: *anchor` of a mapping")
        return []

    def _sequence(self, events: Iterator[yaml.Event], line: int, loc: Loc) -> Node:
        items: list[Node] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, events, (*loc, len(items))))
        return Node(items, line, size=1 + sum(item.size for item in items))

    def _scalar(self, event: yaml.ScalarEvent, line: int, loc: Loc) -> Node:
        text = str(event.value)
        self._tag(event.tag, ("str",), line, loc)
        plain = event.implicit[0]  # neither quoted nor tagged
        return Node(_resolve(text) if plain else text, line, text)

    def _tag(self, tag: str | None, allowed: tuple[str, ...], line: int, loc: Loc) -> None:
        if tag not in (None, "!", *(_TAG + name for name in allowed)):
            self._flaw(
                loc, line, "begins with !, which makes a tag of it, and a configuration takes none; put it in quotes"
            )

    def _flaw(self, loc: Loc, line: int, message: str) -> None:
        self.flaws.append(Flaw(loc, line, message))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _depth(node: Node) -> int:
    if isinstance(node.value, Mapping):
        return 1 + max((_depth(entry.node) for entry in node.value.values()), default=0)
    if isinstance(node.value, list):
        return 1 + max((_depth(item) for item in node.value), default=0)
    return 0


def _resolve(text: str) -> Scalar:
    """A plain scalar's value by YAML 1.2's core schema; text where a conversion would lose something."""
    if _NULL.match(text):
        return None
    if _TRUE.match(text):
        return True
    if _FALSE.match(text):
        return False
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text) and math.isfinite(number := float(text)):
        return number
    return text
