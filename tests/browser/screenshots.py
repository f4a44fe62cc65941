"""`make screenshots`: every page as a picture, light and dark, on a telephone, a desk and a wall.

    python -m tests.browser.screenshots FOLDER [PAGE...]

The pages are those of `house.PAGES`; PAGE is a name of theirs. The pictures are for looking at; they are no part of the
repository.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.browser.chromium import Chromium, visiting
from tests.browser.house import PAGES, House, opened

#: Widths and heights in CSS pixels: a telephone, a desk, a wall.
SIZES = ((360, 740), (1280, 800), (1920, 1080))


def main(arguments: Sequence[str]) -> int:
    """Exit status 2 for a name that no page has."""
    if not arguments or (unknown := set(arguments[1:]) - {shown.name for shown in PAGES}):
        known = ", ".join(shown.name for shown in PAGES)
        told = f"no page is called {', '.join(sorted(unknown))}; known are {known}" if arguments else __doc__
        print(told, file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    chromium = Chromium()
    try:
        with tempfile.TemporaryDirectory(prefix="prober-house-") as base, opened(Path(base)) as house:
            for each in chromium.run(taken, chromium, house, folder, set(arguments[1:])):
                print(each)
    finally:
        chromium.close()
    return 0


def taken(chromium: Chromium, house: House, folder: Path, names: set[str]) -> list[Path]:
    """The pictures of these pages (none named: all), on the browser's thread."""
    pictures = []
    for shown in PAGES:
        if names and shown.name not in names:
            continue
        for scheme in ("light", "dark"):
            for width, height in SIZES:
                size = {"width": width, "height": height}
                with visiting(chromium, house.url, color_scheme=scheme, viewport=size) as page:
                    page.goto(shown.path)
                    path = folder / f"{shown.name}-{scheme}-{width}.png"
                    page.screenshot(path=path, full_page=True)
                    pictures.append(path)
    return pictures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
