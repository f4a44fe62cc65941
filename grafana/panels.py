"""The panels that the dashboards are made of, each with what is usual for it."""

from collections.abc import Iterator
from typing import Any

from grafana.model import Kind, Link, Panel, Query, State, Step

#: Verdicts of seconds: hues that people who are colour-blind tell apart, and the text in the legend.
VERDICTS = {"available": "blue", "unavailable": "red", "inconclusive": "yellow", "unmeasured": "text"}
FAULTS = {"none": "blue", "server_timeout": "orange", "server_error": "red", "other": "yellow", "own": "purple"}

#: prober_unavailable, with -1 where the newest second was not measured.
UNAVAILABLE = (
    State(0, "not Unavailable", "blue"),
    State(1, "UNAVAILABLE", "red"),
    State(-1, "not measured", "text"),
)
SUCCESS = (State(1, "succeeded", "blue"), State(0, "FAILED", "red"))
FIT = (State(1, "fit", "blue"), State(0, "FAILING", "red"))

#: The pages of the prober; its address is the variable `pages`.
ROOM = Link("The incident's room", "${pages}/incidents/of/${__field.labels.service}")


def stat(title: str, what: str, *queries: Query, width: int = 4, height: int = 4, **more: Any) -> Panel:
    """Newest figures, large; where there are states, as words on their colour."""
    options = {
        "colorMode": "background" if more.get("states") else "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "value_and_name" if any(q.legend for q in queries) else "value",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    more.setdefault("no_value", "nothing")
    return Panel(Kind.STAT, title, what, queries, width=width, height=height, options=options, **more)


def lines(title: str, what: str, *queries: Query, stacked: str = "none", bars: bool = False, **more: Any) -> Panel:
    """Figures over time. `stacked`: none, normal or percent. Colours are fixed by `colours` (series -> name)."""
    colours: dict[str, str] = more.pop("colours", {})
    custom = {
        "drawStyle": "bars" if bars else "line",
        "lineWidth": 1,
        "fillOpacity": 80 if bars else 40 if stacked != "none" else 10,
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"mode": stacked, "group": "A"},
    }
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return Panel(Kind.LINES, title, what, queries, options=options, custom=custom, overrides=_coloured(colours), **more)


def shares(title: str, what: str, query: Query, **more: Any) -> Panel:
    """What share of the seconds got which verdict, over time."""
    return lines(title, what, query, stacked="percent", colours=VERDICTS, unit="percentunit", **more)


def counts(title: str, what: str, *queries: Query, **more: Any) -> Panel:
    """Numbers of things over time, from zero on."""
    return lines(title, what, *queries, unit="none", minimum=0, **more)


def timeline(title: str, what: str, *queries: Query, kind: Kind = Kind.TIMELINE, **more: Any) -> Panel:
    """States over time, one line each, with their words in the cells."""
    options = {
        "showValue": "auto",
        "rowHeight": 0.85,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    if kind is Kind.TIMELINE:
        options |= {"mergeValues": True, "alignValue": "left"}
    custom = {"lineWidth": 0, "fillOpacity": 80}
    return Panel(kind, title, what, queries, options=options, custom=custom, **more)


def heat(title: str, what: str, query: Query, **more: Any) -> Panel:
    """A histogram over time: how many in which bucket."""
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Blues", "steps": 32, "reverse": False, "exponent": 0.5, "fill": "blue"},
        "exemplars": {"color": "red"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "yHistogram": False},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": "s"},
    }
    return Panel(Kind.HEAT, title, what, (query,), options=options, unit="s", **more)


def bars(title: str, what: str, *queries: Query, **more: Any) -> Panel:
    """Newest figures side by side as bars with their values."""
    options = {
        "displayMode": "basic",
        "orientation": "horizontal",
        "showUnfilled": True,
        "valueMode": "text",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    return Panel(Kind.BARS, title, what, queries, options=options, **more)


def table(title: str, what: str, *queries: Query, by: str, columns: dict[str, str], **more: Any) -> Panel:
    """Instant queries joined by the label `by`; `columns` names what is shown, in its order, and how it is titled."""
    order = {name: place for place, name in enumerate(columns)}
    chosen: dict[str, Any] = {"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}}
    organize: dict[str, Any] = {"id": "organize", "options": {"indexByName": order, "renameByName": columns}}
    joined: dict[str, Any] = {"id": "joinByField", "options": {"byField": by, "mode": "outer"}}
    options = {"showHeader": True, "cellHeight": "sm", "footer": {"show": False, "reducer": ["sum"], "fields": ""}}
    transformations = (*((joined,) if len(queries) > 1 else ()), chosen, organize)
    return Panel(Kind.TABLE, title, what, queries, options=options, transformations=transformations, **more)


def units(**by_column: str) -> tuple[dict[str, Any], ...]:
    """Overrides: a column's unit (its title with blanks as underscores)."""
    return tuple(_override(name.replace("_", " "), {"unit": unit}) for name, unit in by_column.items())


def in_words(column: str, states: tuple[State, ...]) -> dict[str, Any]:
    """An override: a column of a table whose values are states, as words on their colour."""
    return _override(column, {"mappings": list(mappings(states)), "custom.cellOptions": {"type": "color-background"}})


def mappings(states: tuple[State, ...]) -> Iterator[dict[str, Any]]:
    """Grafana's mappings of values to words: single values in one, each range in one of its own."""
    single = {
        f"{s.value:g}": {"text": s.text, "color": s.colour, "index": place}
        for place, s in enumerate(states)
        if not s.ranged and s.value is not None
    }
    if single:
        yield {"type": "value", "options": single}
    for place, s in enumerate(states):
        if s.ranged:
            result = {"text": s.text, "color": s.colour, "index": place}
            yield {"type": "range", "options": {"from": s.value, "to": s.upto, "result": result}}


def _coloured(colours: dict[str, str]) -> tuple[dict[str, Any], ...]:
    return tuple(_override(name, {"color": {"mode": "fixed", "fixedColor": c}}) for name, c in colours.items())


def _override(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key, "value": value} for key, value in properties.items()],
    }


#: Fewer is worse, in seconds until a deadline.
DUE = (Step(None, "red"), Step(0, "orange"), Step(900, "blue"))
