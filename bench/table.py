"""A row of the table: what was measured, beside what, against which bar."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """`ours` and `peers` are figures in `unit`; `met` None: no bar, or nothing to hold it against (said in `note`)."""

    name: str
    unit: str
    ours: float
    peers: dict[str, float] = field(default_factory=dict)
    bar: str = ""
    met: bool | None = None
    note: str = ""

    @property
    def ratios(self) -> dict[str, float]:
        """Ours as a part of each peer's."""
        return {name: self.ours / figure for name, figure in self.peers.items() if figure}

    def cells(self) -> tuple[str, ...]:
        """As the table has them: row, ours, peers, ratios, bar, met or missed, note."""
        return (
            self.name,
            f"{shown(self.ours)} {self.unit}",
            "\n".join(f"{name} {shown(figure)}" for name, figure in self.peers.items()),
            "\n".join(f"{ratio:.2f}" for ratio in self.ratios.values()),
            self.bar,
            {True: "met", False: "MISSED", None: ""}[self.met],
            self.note,
        )


def shown(figure: float) -> str:
    """With as many places as say something."""
    return f"{figure:.0f}" if abs(figure) >= 100 else f"{figure:.1f}" if abs(figure) >= 10 else f"{figure:.2f}"


def show(rows: Iterable[Row], console: Console) -> None:
    """Print rows as one table."""
    table = Table(show_lines=True, pad_edge=False)
    for heading in ("row", "ours", "peers", "ratio", "bar", "", "note"):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("ours", "ratio", ""))
    for row in rows:
        table.add_row(*row.cells())
    console.print(table)
