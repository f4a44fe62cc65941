"""The page of all reasons, from the closed list that the program itself uses."""

from prober.explained import Chapter, Entry, chapters


def reference() -> str:
    """All reasons in chapters; each has an anchor of its own name."""
    return "\n".join(line for chapter in chapters() for line in _chapter(chapter))


def _chapter(chapter: Chapter) -> list[str]:
    lines = [f"## {chapter.title}", ""]
    for entry in chapter.entries:
        lines += _entry(entry)
    return lines


def _entry(entry: Entry) -> list[str]:
    if len(entry.names) == 1:
        return [f"### {entry.label}", "", entry.means, "", f"*What to do:* {entry.advice}", ""]
    # An anchor for each name that has no heading of its own.
    anchors = "".join(f'<span id="{name}"></span>' for name in entry.names)
    codes = ", ".join(name.rpartition("_")[2] for name in entry.names)
    return [
        f"### {entry.label}",
        "",
        f"{anchors}{entry.means}",
        "",
        f"*What to do:* {entry.advice}",
        "",
        f"*Which:* {codes}.",
        "",
    ]
