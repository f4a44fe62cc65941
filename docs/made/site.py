"""The Sphinx extension of the documents: puts in what is made, mends links that leave the folder, gives GitHub's anchors.

A line `<!-- made: WHAT -->` in a document stands for the Markdown that `MAKERS` makes of WHAT. On the site a link to a file
outside the folder leads to the page that shows the file, where there is one; else its words stay, as code.
"""

import posixpath
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from docs.made import commands, configuration, packs, reasons

ROOT = Path(__file__).resolve().parents[2]
#: A file of the repository -> the page that shows it.
SHOWN: Mapping[str, str] = {
    "README.md": "index.md",
    "CHANGELOG.md": "changes.md",
    "deploy/README.md": "running.md",
    "grafana/README.md": "grafana.md",
    "rules/reason_texts.py": "reasons.md",
    "docs/adr/": "decisions.md",
}
_MARK = re.compile(r"^<!-- made: ([a-z]+)(?: (\S+))? -->$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\(([^)\s]+)\)")


def shown_file(path: str) -> str:
    """A file of the repository, as a part of a page; its links are the page's."""
    folder = posixpath.dirname(path)

    def link(found: re.Match[str]) -> str:
        words, target = found.groups()
        if "://" in target or target.startswith("#"):
            return found[0]
        return f"[{words}]({posixpath.relpath(posixpath.join(folder, target), 'docs')})"

    return _LINK.sub(link, (ROOT / path).read_text(encoding="utf-8"))


#: What is made, by its name; each takes what stands after it.
MAKERS: Mapping[str, Callable[[str], str]] = {
    "configuration": lambda _: configuration.reference(),
    "receiver": configuration.receiver,
    "reasons": lambda _: reasons.reference(),
    "pack": packs.reference,
    "commands": lambda _: commands.reference(),
    "file": shown_file,
    "decisions": lambda _: decisions(),
    "rest": lambda _: rest(),
}


def decisions() -> str:
    """The table of contents of all decisions."""
    found = sorted(path.stem for path in (ROOT / "docs" / "adr").glob("*.md"))
    return "\n".join(["```{toctree}", ":maxdepth: 1", "", *(f"adr/{name}" for name in found), "```"])


def rest() -> str:
    """The table of contents of the pages that no other one names."""
    named: set[str] = {"index"}
    documents = ROOT / "docs"
    for path in documents.glob("*.md"):
        for tree in re.findall(
            r"^```\{toctree\}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        ):
            named |= {line.strip() for line in tree.splitlines()}
    found = sorted(path.stem for path in documents.glob("*.md") if path.stem not in named)
    return "\n".join(["```{toctree}", ":maxdepth: 1", "", *found, "```"]) if found else ""


def made(text: str) -> str:
    """`text` with everything put in that it asks for. Raises KeyError for what nobody makes."""
    return _MARK.sub(lambda found: MAKERS[found[1]](found[2] or ""), text)


def mended(text: str, document: str) -> str:
    """`text` of the document (its name without ending) with links that stay on the site."""
    folder = posixpath.dirname(f"docs/{document}")

    def link(found: re.Match[str]) -> str:
        words, whole = found.groups()
        if "://" in whole or whole.startswith(("#", "mailto:")):
            return found[0]
        target, _, fragment = whole.partition("#")
        path = posixpath.normpath(posixpath.join(folder, target)) + ("/" if target.endswith("/") else "")
        page = SHOWN.get(path)
        if page is not None:
            anchor = f"#{fragment}" if fragment else ""
            return f"[{words}]({posixpath.relpath(f'docs/{page}', folder)}{anchor})"
        return found[0] if path.startswith("docs/") else f"`{words.strip('`')}`"

    return _LINK.sub(link, text)


def _read(app: Sphinx, document: str, source: list[str]) -> None:
    source[0] = mended(made(source[0]), document)
    for path in ("docs/made", "prober", "rules"):  # any of them may change what is made
        app.env.note_dependency(str(ROOT / path))


def _anchors(_: Sphinx, document: nodes.document) -> None:
    """Headings by the anchors that GitHub gives them (`#read_timeout`), beside Sphinx's own (`#read-timeout`)."""
    taken = {name for node in document.findall(nodes.Element) for name in node["ids"]}
    for section in document.findall(nodes.section):
        slug = section.get("slug")
        if slug and slug not in taken:
            section["ids"].append(slug)
            taken.add(slug)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _read)
    app.connect("doctree-read", _anchors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
