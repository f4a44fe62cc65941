"""What the commands that read the store have in common: finding it, and how they put what they read on a screen."""

import argparse
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prober.config import ConfigError, Loaded, load
from prober.store import Reader, locate

#: Characters of one text from outside on a screen.
_MOST = 2000
_UNSET = "variable-that-is-not-set"


class _Lenient(Mapping[str, str]):
    """The environment, in which every variable has a value."""

    def __getitem__(self, name: str) -> str:
        return os.environ.get(name, _UNSET)

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)


def add_arguments(parser: argparse.ArgumentParser, formats: Sequence[str], *, again: bool = False) -> None:
    """`--config` and `--format`. `again`: for a subcommand of a command that has them too."""
    suppressed: dict[str, Any] = {"default": argparse.SUPPRESS} if again else {}
    add_config(parser, again=again)
    parser.add_argument(
        "--format",
        choices=formats,
        help="default: a table for a terminal, plain text for a pipe",
        **(suppressed or {"default": "table"}),
    )


def add_config(parser: argparse.ArgumentParser, *, again: bool = False) -> None:
    """`--config` alone. `again`: for a subcommand of a command that has it too."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="CONFIG",
        help="the configuration (default: prober.yaml)",
        default=argparse.SUPPRESS if again else Path("prober.yaml"),
    )


def takes_times(parser: argparse.ArgumentParser) -> None:
    """Let options of `parser` take times such as -1h."""
    # argparse takes "-1h" for an option unless it looks like a negative number to it, and there is no public way to say so.
    parser._negative_number_matcher = re.compile(r"-\d")  # noqa: SLF001


def configuration(path: Path, *, stepping: bool = False) -> Loaded:
    """The configuration, of which a reader needs no secret: variables that are not set do not matter to it, nor do secrets'
    files that it may not read. Who enters steps (`stepping`) needs the token.

    Raises ConfigError.
    """
    try:
        return load(path)
    except ConfigError as error:
        try:
            loaded = load(path, _Lenient(), unread=_UNSET)
        except ConfigError:
            raise error from None
        token = loaded.settings.web.token if stepping else None
        if _UNSET in loaded.settings.store or (token is not None and _UNSET in token.get_secret_value()):
            raise
        return loaded


def reader(loaded: Loaded) -> Reader:
    """Raises a StoreError: NoStoreError when `prober run` has not made it yet."""
    return Reader(locate(loaded.settings.store, loaded.base))


def terminal() -> bool:
    return sys.stdout.isatty()


def harmless(text: str) -> str:
    """Text from outside for a screen: control characters and direction marks escaped (a server chose these bytes).

    What is very long is cut, and told to be; `--format jsonl` has all of it.
    """
    if len(text) > _MOST:
        text = f"{text[:_MOST]}... ({len(text) - _MOST} more characters)"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as plain lines, their columns lined up."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
