"""What the documents show as code: every fenced block with where it stands, and every command in running text."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
#: All that people read; what is made when the site is built comes from the program itself.
DOCUMENTS = tuple(
    sorted(
        [
            *(ROOT / "docs").rglob("*.md"),
            ROOT / "README.md",
            ROOT / "deploy" / "README.md",
            ROOT / "grafana" / "README.md",
        ]
    )
)
#: What ends one command and begins the next.
_BETWEEN = frozenset({"&&", "||", "|", ";"})


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code. `kind`: its language, and further words, as `yaml receiver`."""

    document: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a shell block; `into` is the file that its output goes to."""

    words: tuple[str, ...]
    into: str = ""

    @property
    def program(self) -> str:
        return Path(self.words[0]).name


def blocks() -> tuple[Block, ...]:
    """Every block of every document, those within lists too."""
    return tuple(block for path in DOCUMENTS for block in _of(path))


def _of(path: Path) -> Iterator[Block]:
    name = str(path.relative_to(ROOT))
    for token in MarkdownIt().parse(path.read_text(encoding="utf-8")):
        if token.type in ("fence", "code_block"):
            line = token.map[0] + 1 if token.map else 0
            yield Block(name, line, token.info.strip() if token.type == "fence" else "indented", token.content)


def spans() -> Iterator[tuple[str, str]]:
    """Document and text of every piece of code in running text, tables included."""
    for path in DOCUMENTS:
        for token in MarkdownIt().enable("table").parse(path.read_text(encoding="utf-8")):
            for child in token.children or ():
                if child.type == "code_inline":
                    yield str(path.relative_to(ROOT)), child.content


def commands(text: str) -> list[Command]:
    """The commands of a shell block, in their order; comments are left out."""
    found: list[Command] = []
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        into = ""
        tokens = iter(lexer)
        for token in tokens:
            if token in _BETWEEN:
                found.append(Command(tuple(words), into))
                words, into = [], ""
            elif token == ">":
                into = next(tokens)
            else:
                words.append(token)
        if words:
            found.append(Command(tuple(words), into))
    return found
