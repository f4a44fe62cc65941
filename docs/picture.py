"""Draws docs/demo.svg from a real run of the demo: `python docs/picture.py` (make picture)."""

import io
import os
import pty
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

LINES = 64


def main() -> None:
    """Run the demo in a terminal 80 columns wide, and draw its first lines as they appeared."""
    shown: list[bytes] = []

    def read(fd: int) -> bytes:
        data = os.read(fd, 4096)
        shown.append(data)
        return data

    os.environ["COLUMNS"] = "80"
    os.environ.pop("NO_COLOR", None)
    status = pty.spawn([str(Path(sys.executable).with_name("prober")), "demo"], read)
    if status:
        sys.exit("the demo failed; no picture was drawn")
    lines = b"".join(shown).decode().replace("\r\n", "\n").split("\n")
    console = Console(record=True, width=84, file=io.StringIO(), force_terminal=True)
    for line in lines[: LINES - 1]:
        console.print(Text.from_ansi(line), overflow="ignore", no_wrap=True, crop=True)
    console.print("...")
    drawn = console.export_svg(title="make run")
    local = re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL)  # nothing is fetched from anywhere
    Path(__file__).with_name("demo.svg").write_text(local, encoding="utf-8")


if __name__ == "__main__":
    main()
