"""The commands with all they take, as argparse itself knows them."""

import argparse
from collections.abc import Iterator
from typing import Any

from prober.cli import COMMANDS, parser_of

#: As wide as a page of code is.
_WIDTH = 80


def reference() -> str:
    """Each command, each of its actions, with its help."""
    lines: list[str] = []
    for name in COMMANDS:
        parser, _ = parser_of(name)
        for words, command in _all(_chosen(parser, name), f"prober {name}"):
            lines += [f"{'##' if words.count(' ') == 1 else '###'} {words}", "", "```text", _help(command), "```", ""]
    return "\n".join(lines)


def _chosen(parser: argparse.ArgumentParser, name: str) -> argparse.ArgumentParser:
    return dict(_children(parser))[name]


def _all(parser: argparse.ArgumentParser, words: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield words, parser
    for name, child in _children(parser):
        yield from _all(child, f"{words} {name}")


def _children(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:  # noqa: SLF001 - argparse names no other way to them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - likewise
            yield from action.choices.items()


def _help(parser: argparse.ArgumentParser) -> str:
    base: Any = parser.formatter_class  # a class of ours or argparse's own: it takes a width
    vars(parser)["color"] = False  # Python 3.14 colours help where it may
    parser.formatter_class = lambda prog: base(prog, width=_WIDTH)
    try:
        return parser.format_help().rstrip()
    finally:
        parser.formatter_class = base
