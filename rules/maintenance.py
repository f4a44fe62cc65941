"""Announced maintenance: whether a second lies in a window (DESIGN.md: such seconds are measured, marked, and page nobody)."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """From second `start` up to but not including `end`, UTC."""

    start: int
    end: int
    title: str = ""

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError(f"the window {self.title!r} ends before it begins")


class Windows:
    """The windows of a service, those that overlap or touch made one, so that none ends while another goes on."""

    def __init__(self, windows: Iterable[Window] = ()) -> None:
        merged: list[Window] = []
        for window in sorted(windows, key=lambda w: (w.start, w.end, w.title)):
            last = merged[-1] if merged else None
            if last is not None and window.start <= last.end:
                titles = dict.fromkeys(t for t in (*last.title.split("; "), window.title) if t)
                merged[-1] = Window(last.start, max(last.end, window.end), "; ".join(titles))
            else:
                merged.append(window)
        self.windows = tuple(merged)
        self._starts = [window.start for window in merged]

    def at(self, second: int) -> Window | None:
        """The window in which `second` lies."""
        place = bisect_right(self._starts, second) - 1
        if place < 0 or second >= self.windows[place].end:
            return None
        return self.windows[place]

    def ended(self, title: str, second: int) -> int:
        """When the last window of that title ended, at `second` or before; 0: none is known."""
        return max((w.end for w in self.windows if w.title == title and w.end <= second), default=0)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Windows) and self.windows == other.windows

    def __hash__(self) -> int:
        return hash(self.windows)


@dataclass(frozen=True, slots=True)
class Turn:
    """A window begins or ends with `second`."""

    second: int
    title: str
    begins: bool


def turns(windows: Windows, believed: Iterable[str], second: int) -> tuple[Turn, ...]:
    """What is to be told at `second` to somebody who believes to be in the windows of these titles: begins, then ends.

    So whoever goes from one into another (its title was changed, one that overlaps it was added) is never out of both.
    """
    now = windows.at(second)
    title = None if now is None else now.title
    believed = tuple(believed)
    ended = [Turn(second, known, begins=False) for known in believed if known != title]
    return tuple(ended if title is None or title in believed else [Turn(second, title, begins=True), *ended])
