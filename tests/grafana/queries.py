"""Every query of the dashboards and rules, as Prometheus gets it once Grafana has filled in its variables."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from grafana.build import DASHBOARDS, FOLDER

RULES = Path(__file__).parents[2] / "grafana" / "prometheus"
RULE_FILES = (RULES / "recording.rules.yaml", RULES / "alerts.rules.yaml")
#: PromQL -> why it rightly gives nothing at times, where its description says so.
EMPTY_WHEN = {
    query.expr: query.empty_when
    for described in DASHBOARDS
    for row in described.rows
    for panel in row.panels
    for query in panel.queries
    if query.empty_when
}


@dataclass(frozen=True)
class Asked:
    """A query: where it stands, and as it stands there."""

    where: str
    expr: str

    def filled(self, *, span: str = "5s", whole: str = "1m") -> str:
        """As Grafana sends it: every service, every channel; `span` for the rate's interval, `whole` for the range."""
        found = self.expr.replace("$__rate_interval", span).replace("$__interval", span).replace("$__range", whole)
        found = re.sub(r"\$(service|channel|endpoint|instance)\b", ".+", found)
        assert "$" not in found, f"{self.where}: a variable that nobody fills in: {found}"
        return found


def dashboards() -> dict[str, dict[str, Any]]:
    return {path.name: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def of_dashboards() -> Iterator[Asked]:
    for name, board in dashboards().items():
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                yield Asked(f"{name}: {panel['title']}: {target['refId']}", target["expr"])
        for annotation in board["annotations"]["list"]:
            yield Asked(f"{name}: annotation {annotation['name']}", annotation["expr"])
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                selected = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
                assert selected is not None
                yield Asked(f"{name}: variable {variable['name']}", selected[1])


def rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in RULE_FILES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            found += group["rules"]
    return found


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def metrics_in(expr: str) -> set[str]:
    """The names of the metrics that a query reads, those of recording rules included."""
    bare = re.sub(r'"[^"]*"', '""', expr)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    names = set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\w*\s*\()", bare))
    return {n for n in names if "_" in n or ":" in n or n in ("up", "ALERTS")} - {"label_join", "histogram_quantile"}
