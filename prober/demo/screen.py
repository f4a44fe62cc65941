"""What the demo writes on a terminal: at most 80 columns, colours where they are wanted, plain lines in pipes."""

import os
import textwrap
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

from prober.cli.stored import harmless

WIDTH = 80
_BAR = "  |"


class Style(StrEnum):
    """ANSI's codes (ECMA-48 8.3.117)."""

    PLAIN = ""
    BOLD = "1"
    DIM = "2"
    GOOD = "32"
    BAD = "1;31"
    DOUBTFUL = "33"
    NEWS = "1;36"


class Screen:
    """Lines on `out`. What comes from outside is made harmless; what is too long is wrapped or cut."""

    def __init__(self, out: TextIO, *, colours: bool | None = None) -> None:
        self._out = out
        self._colours = wants_colours(out) if colours is None else colours

    def paint(self, text: str, style: Style) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._colours and style else text

    def line(self, text: str = "", style: Style = Style.PLAIN) -> None:
        """One line as it is, cut at the width."""
        text = harmless(text)
        self._write(self.paint(text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}...", style))

    def painted(self, parts: Iterable[tuple[str, Style]]) -> None:
        """One line of parts with styles of their own."""
        self._write("".join(self.paint(harmless(text), style) for text, style in parts).rstrip())

    def news(self, at: float, text: str, style: Style = Style.NEWS) -> None:
        """Something happened at `at` (UTC seconds): wrapped below its time."""
        head = f"{clock(at)}  "
        for line in wrapped(harmless(text), WIDTH - len(head)):
            self._write(f"{head}{self.paint(line, style)}")
            head = " " * len(head)

    def below(self, text: str, style: Style = Style.PLAIN) -> None:
        """More to the news above, wrapped beneath it."""
        for line in wrapped(harmless(text), WIDTH - 10):
            self._write(f"{' ' * 10}{self.paint(line, style)}")

    def quote(self, lines: Iterable[str], most: int = 1000, rest: str = "") -> None:
        """What somebody else wrote, barred: `most` lines of it; `rest` says where the others are."""
        shown = [part for line in lines for part in (wrapped(harmless(line), WIDTH - len(_BAR) - 1) or [""])]
        for line in shown[:most]:
            self._write(f"{self.paint(_BAR, Style.DIM)} {line}".rstrip())
        if len(shown) > most:
            where = f": {rest}" if rest else ""
            self._write(self.paint(f"{_BAR} ... {len(shown) - most} lines more{where}", Style.DIM))

    def pair(self, name: str, text: str) -> None:
        """A name and what belongs to it; never broken, so that paths and addresses can be copied."""
        self._write(f"  {self.paint(f'{name:<16}', Style.DIM)}{harmless(text)}")

    def command(self, *parts: str) -> None:
        """Something to type, on one line where it fits, else continued as a shell wants it."""
        line = f"  {' '.join(parts)}"
        if len(line) <= WIDTH:
            self._write(line)
            return
        self._write("  " + " \\\n    ".join(parts))

    def _write(self, line: str) -> None:
        print(line, file=self._out, flush=True)


def wants_colours(out: TextIO) -> bool:
    """On a terminal that knows them, unless NO_COLOR is set (no-color.org: to anything but nothing)."""
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def clock(at: float) -> str:
    """`18:04:07`, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width`; later ones are indented as the first one, and a little more. Nothing is lost."""
    indent = " " * min(len(text) - len(text.lstrip()), width // 2)
    return textwrap.wrap(
        text.strip(), width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    )
