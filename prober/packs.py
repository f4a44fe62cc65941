"""Finds and reads contract packs: the built-in ones by name, a customer's own by the path of its file."""

import re
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from prober.calendars import faults
from prober.errors import ProberError
from prober.patient import read_bytes
from rules.contracts.model import Pack

#: A pack is a page or two; what is larger is some other file.
_LARGEST = 1024 * 1024
#: A place in a list, as paths have it.
_PLACE = re.compile(r"\[([0-9]+)\]")
_FOLDER = resources.files("rules.contracts") / "packs"


class PackError(ProberError):
    """A contract pack that cannot be used: not found, not readable, not YAML, or not right in itself."""


def names() -> tuple[str, ...]:
    """The names of the built-in packs, in alphabetical order."""
    return tuple(sorted(f.name.removesuffix(".yaml") for f in _FOLDER.iterdir() if f.name.endswith(".yaml")))


def load(name_or_path: str, base: Path) -> Pack:
    """The pack of that name, or in the file of that path (relative to `base`, the configuration file's folder).

    What ends in .yaml or .yml or has a slash is a path. Raises PackError, with one line for each fault of the file.
    """
    if name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path:
        path = base / name_or_path
        return _parse(_read(path), str(path))
    if name_or_path not in names():
        raise PackError(
            f"contract pack {name_or_path!r} is not known; built in: {', '.join(names())}; "
            "for a pack of your own write the path of its file, ending in .yaml"
        )
    return _parse((_FOLDER / f"{name_or_path}.yaml").read_bytes(), name_or_path)


def _read(path: Path) -> bytes:
    try:
        data = read_bytes(path, _LARGEST + 1)
    except FileNotFoundError:
        raise PackError(f"contract pack {path}: there is no such file; built-in packs: {', '.join(names())}") from None
    except ValueError:  # a path with a NUL in it
        raise PackError(f"contract pack {str(path)!r}: this is no path of a file") from None
    except OSError as error:
        raise PackError(f"contract pack {path} cannot be read: {error.strerror or error}") from error
    if len(data) > _LARGEST:
        raise PackError(f"contract pack {path} is larger than {_LARGEST // 1024} KiB; this is no pack")
    return data


@lru_cache(maxsize=32)  # forty services under one agreement read it once; what is wrong is told each time
def _parse(data: bytes, where: str) -> Pack:
    try:
        return _with_hours(Pack.parse(yaml.load(data, Loader=_Loader)))  # noqa: S506 - a SafeLoader that refuses more
    except yaml.YAMLError as error:
        raise PackError(f"contract pack {where} is not YAML: {_in_one_line(error, data)}") from error
    except RecursionError:
        raise PackError(f"contract pack {where} is nested too deep; this is no pack") from None
    except ValueError as error:
        root = yaml.compose(data, Loader=_Loader)  # what it was made from, with its lines
        lines = "".join(f"\n  {_where(root, line)}{line}" for line in str(error).splitlines())
        raise PackError(f"contract pack {where} is not right:{lines}") from error


def _with_hours(pack: Pack) -> Pack:
    """The pack, if its zones and holidays exist. Raises ValueError as `Pack.parse` does."""
    if wrong := tuple(faults(pack)):
        raise ValueError("\n".join(wrong))
    return pack


def _where(node: yaml.Node | None, complaint: str) -> str:
    """`line 12: ` for a complaint that begins with a path (`limits[0].value: ...`); "" when nothing of it is there.

    What is missing is sought where it belongs: at the last part of its path that is there.
    """
    line = 0
    for name in _PLACE.sub(r".\1", complaint.partition(": ")[0]).split("."):
        found = None
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == name), None)
        elif isinstance(node, yaml.SequenceNode) and name.isdigit() and int(name) < len(node.value):
            found = (node.value[int(name)],) * 2
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return f"line {line}: " if line else ""


def _in_one_line(error: yaml.YAMLError, data: bytes) -> str:
    if isinstance(error, yaml.reader.ReaderError) and error.encoding != "unicode":  # of bytes, not of what they say
        line = data.count(b"\n", 0, error.position) + 1
        return f"line {line}: is not {error.encoding.upper()} text; save it as UTF-8"
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    if mark is None:
        return problem
    if isinstance(error, yaml.scanner.ScannerError | yaml.parser.ParserError):
        around = b"".join(data.splitlines()[max(0, mark.line - 1) : mark.line + 1])
        tabs = "indent with blanks, YAML allows no tabs"
        problem += f"; {tabs}" if b"\t" in around else "; check indentation, colons and quotes"
    return f"line {mark.line + 1}: {problem}"


class _Loader(yaml.SafeLoader):
    """Plain data alone: no aliases (they can cycle, and grow without bound), no key twice, and a date stays a text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the attribute's own name in PyYAML
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it untyped
            raise yaml.composer.ComposerError(
                None, None, "a pack has no aliases; write the text again", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is no plain text", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)
