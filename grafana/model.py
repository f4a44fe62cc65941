"""What a dashboard is made of, in words; `grafana.render` turns it into Grafana's JSON.

Colours are names of Grafana's palette, which both themes know, and no state is told by its colour alone: states carry text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

#: Columns of Grafana's grid.
COLUMNS = 24


class Kind(StrEnum):
    """Grafana's names of the panels in use, all of them built in."""

    STAT = "stat"
    LINES = "timeseries"
    TIMELINE = "state-timeline"
    HISTORY = "status-history"
    HEAT = "heatmap"
    TABLE = "table"
    BARS = "bargauge"


@dataclass(frozen=True, slots=True)
class Query:
    """A query in PromQL. `instant`: its newest value alone. `empty_when`: why it rightly gives nothing at times."""

    expr: str
    legend: str = ""
    instant: bool = False
    exemplars: bool = False
    empty_when: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """A value (or a range of values, `upto` its end) with the text and the colour that it is shown as."""

    value: float | None
    text: str
    colour: str
    upto: float | None = None
    ranged: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """From `value` on (None: from the least) a figure has this colour."""

    value: float | None
    colour: str


@dataclass(frozen=True, slots=True)
class Link:
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `what` says what it shows and what to make of it. `width` and `height` are the grid's.

    `unit` is Grafana's id of a unit; `options`, `custom` and `overrides` what the kind of panel takes beside.
    """

    kind: Kind
    title: str
    what: str
    queries: tuple[Query, ...]
    width: int = 12
    height: int = 8
    unit: str = "short"
    states: tuple[State, ...] = ()
    steps: tuple[Step, ...] = (Step(None, "text"),)
    minimum: float | None = None
    maximum: float | None = None
    no_value: str = ""
    interval: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    custom: Mapping[str, Any] = field(default_factory=dict)
    overrides: tuple[Mapping[str, Any], ...] = ()
    transformations: tuple[Mapping[str, Any], ...] = ()
    links: tuple[Link, ...] = ()  # of each figure: it may name the labels of its series


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A variable whose values are a label's: of the series that `series` selects."""

    name: str
    title: str
    series: str
    label: str
    several: bool = True


@dataclass(frozen=True, slots=True)
class Dashboard:
    """`uid` is the address under which it is linked; `span` how far back it shows at first."""

    uid: str
    title: str
    what: str
    choices: tuple[Choice, ...]
    rows: tuple[Row, ...]
    span: str = "now-1h"
    refresh: str = "5s"
