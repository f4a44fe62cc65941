"""A description as Grafana's JSON (dashboard schema 39: Grafana 10.3 and newer, which carries it on to its own)."""

from collections.abc import Iterator
from typing import Any

from grafana.model import COLUMNS, Choice, Dashboard, Kind, Link, Panel, Query, Row
from grafana.panels import mappings

SCHEMA = 39
#: Every query asks the data source that the variable names.
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
#: Where the prober's pages are, unless the variable says otherwise.
PAGES = "http://localhost:9580"
TAG = "prober"


def dashboard(described: Dashboard) -> dict[str, Any]:
    """The dashboard as its file holds it."""
    return {
        "uid": described.uid,
        "title": described.title,
        "description": described.what,
        "tags": [TAG],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "utc",
        "time": {"from": described.span, "to": "now"},
        "timepicker": {"refresh_intervals": ["1s", "5s", "10s", "30s", "1m", "5m"]},
        "refresh": described.refresh,
        "templating": {"list": [_source(), *map(_choice, described.choices), _pages()]},
        "annotations": {"list": list(_annotations(described))},
        "links": [_to_others(), _link("Status page of the prober", "${pages}/")],
        "panels": list(_panels(described.rows)),
    }


def _source() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "refresh": 1,
        "regex": "",
    }


def _pages() -> dict[str, Any]:
    return {
        "name": "pages",
        "label": "Address of the prober's pages",
        "type": "textbox",
        "query": PAGES,
        "current": {"text": PAGES, "value": PAGES},
        "options": [{"selected": True, "text": PAGES, "value": PAGES}],
        "hide": 0,
    }


def _choice(choice: Choice) -> dict[str, Any]:
    query = f"label_values({choice.series}, {choice.label})"
    everything = {"text": ["All"], "value": ["$__all"]} if choice.several else {}
    return {
        "name": choice.name,
        "label": choice.title,
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": choice.name},
        "current": everything,
        "hide": 0,
        "includeAll": choice.several,
        "multi": choice.several,
        "refresh": 2,
        "regex": "",
        "sort": 1,
    }


def _annotations(described: Dashboard) -> Iterator[dict[str, Any]]:
    where = '{service=~"$service"}' if any(c.name == "service" for c in described.choices) else ""
    yield {
        "name": "Incidents",
        "datasource": SOURCE,
        "enable": True,
        "hide": False,
        "iconColor": "purple",
        "expr": f"sum by (service, severity) (prober_incident_open{where}) > 0",
        "step": "5s",
        "titleFormat": "Incident of {{service}}: {{severity}}",
        "textFormat": "Its room: the link in the panel of open incidents.",
        "tagKeys": "service,severity",
        "useValueForTime": False,
    }


def _to_others() -> dict[str, Any]:
    return {
        "title": "Prober",
        "type": "dashboards",
        "tags": [TAG],
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
        "url": "",
    }


def _link(title: str, url: str) -> dict[str, Any]:
    return {
        "title": title,
        "type": "link",
        "url": url,
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": True,
        "icon": "external link",
        "tooltip": "",
    }


def _panels(rows: tuple[Row, ...]) -> Iterator[dict[str, Any]]:
    """Rows one below the other, panels side by side until the grid is full."""
    number, y = 1, 0
    for row in rows:
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
            "panels": [],
        }
        number, y, x, tallest = number + 1, y + 1, 0, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            yield _panel(panel, number, x, y)
            number, x, tallest = number + 1, x + panel.width, max(tallest, panel.height)
        y += tallest


def _panel(panel: Panel, number: int, x: int, y: int) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind.value,
        "title": panel.title,
        "description": panel.what,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        **({"interval": panel.interval} if panel.interval else {}),
        "targets": [_target(panel, query, chr(ord("A") + place)) for place, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": [dict(o) for o in panel.overrides]},
        "options": dict(panel.options),
        **({"transformations": [dict(t) for t in panel.transformations]} if panel.transformations else {}),
    }


def _target(panel: Panel, query: Query, ref: str) -> dict[str, Any]:
    shown = {Kind.TABLE: "table", Kind.HEAT: "heatmap"}.get(panel.kind, "time_series")
    return {
        "refId": ref,
        "datasource": SOURCE,
        "editorMode": "code",
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "format": shown,
        "instant": query.instant,
        "range": not query.instant,
        "exemplar": query.exemplars,
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    return {
        "unit": panel.unit,
        "mappings": list(mappings(panel.states)),
        "thresholds": {"mode": "absolute", "steps": [{"value": s.value, "color": s.colour} for s in panel.steps]},
        "color": {"mode": "palette-classic" if panel.kind is Kind.LINES else "thresholds"},
        **({"min": panel.minimum} if panel.minimum is not None else {}),
        **({"max": panel.maximum} if panel.maximum is not None else {}),
        **({"noValue": panel.no_value} if panel.no_value else {}),
        **({"custom": dict(panel.custom)} if panel.custom else {}),
        **({"links": [_data_link(link) for link in panel.links]} if panel.links else {}),
    }


def _data_link(link: Link) -> dict[str, Any]:
    return {"title": link.title, "url": link.url, "targetBlank": True}
