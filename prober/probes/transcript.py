"""A call's bytes as text for people: one line of the dialogue a line, with its direction and its time."""

from collections.abc import Iterable

_MOST_LINES = 400


def render(log: Iterable[tuple[int, str, bytes]]) -> str:
    """Lines such as `   12.3 ms > GET / HTTP/1.1`. What is no text is shown escaped: nothing in it controls a terminal."""
    lines: list[str] = []
    for at, direction, data in log:
        for line in data.split(b"\n"):
            shown = line.rstrip(b"\r")
            if shown or not lines:
                lines.append(f"{at / 1e6:9.1f} ms {direction} {_harmless(shown)}")
            if len(lines) >= _MOST_LINES:
                return "\n".join([*lines, "..."])
    return "\n".join(lines)


def _harmless(data: bytes) -> str:
    text = data.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in text)
