"""The dashboards: what is committed is what is described, and Grafana can take it."""

import json
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana.build import DASHBOARDS, FOLDER, main, stale
from grafana.model import COLUMNS, Kind
from grafana.render import PAGES, SOURCE
from tests.grafana.queries import dashboards

PROVISIONING = FOLDER.parent / "provisioning"
#: Colours of Grafana's palette: each theme has its own shade of them.
PALETTE = {"blue", "red", "orange", "yellow", "purple", "green", "text", "transparent"}
ALL = sorted(dashboards())


def board(name: str) -> dict[str, Any]:
    return dashboards()[name]


def values(found: Any, *keys: str) -> list[Any]:
    """All values that stand under one of these keys, at any depth."""
    if isinstance(found, dict):
        mine = [value for key, value in found.items() if key in keys]
        return mine + [v for value in found.values() for v in values(value, *keys)]
    return [v for value in found for v in values(value, *keys)] if isinstance(found, list) else []


def test_what_is_committed_is_what_is_described() -> None:
    assert stale() == [], "run python -m grafana.build"


def test_there_is_one_for_services_one_by_the_second_one_for_incidents_and_one_for_the_prober_itself() -> None:
    assert ALL == ["prober-health.json", "prober-incidents.json", "prober-overview.json", "prober-service.json"]


def test_what_differs_is_missing_or_is_nobodys_is_told_and_mended(tmp_path: Path, capsys: Any) -> None:
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
    (tmp_path / "prober-health.json").write_text("{}")
    (tmp_path / "prober-service.json").unlink()
    (tmp_path / "old.json").write_text("{}")
    assert stale(tmp_path) == ["old.json", "prober-health.json", "prober-service.json"]
    assert main(["--check"], tmp_path) == 1
    assert "run python -m grafana.build" in capsys.readouterr().err
    assert main([], tmp_path) == 0
    assert stale(tmp_path) == []


@pytest.mark.parametrize("name", ALL)
def test_a_dashboard_has_an_address_of_its_own_and_carries_no_other_grafanas_numbers(name: str) -> None:
    found = board(name)
    assert f"{found['uid']}.json" == name
    assert len(found["uid"]) <= 40, "Grafana's limit"
    assert "id" not in found, "an instance's own number"
    assert found["schemaVersion"] == 39
    assert found["timezone"] == "utc"
    assert found["description"]


@pytest.mark.parametrize("name", ALL)
def test_panels_have_numbers_of_their_own_and_lie_beside_each_other(name: str) -> None:
    panels = board(name)["panels"]
    numbers = [panel["id"] for panel in panels]
    assert [n for n, times in Counter(numbers).items() if times > 1] == []
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] >= 0, panel["title"]
        assert place["w"] > 0, panel["title"]
        assert place["h"] > 0, panel["title"]
        assert place["x"] + place["w"] <= COLUMNS, panel["title"]
    for a, b in combinations(panels, 2):
        one, two = a["gridPos"], b["gridPos"]
        beside = one["x"] + one["w"] <= two["x"] or two["x"] + two["w"] <= one["x"]
        below = one["y"] + one["h"] <= two["y"] or two["y"] + two["h"] <= one["y"]
        assert beside or below, f"{a['title']} lies over {b['title']}"


@pytest.mark.parametrize("name", ALL)
def test_every_panel_is_grafanas_own_says_what_it_shows_and_asks_the_chosen_source(name: str) -> None:
    for panel in board(name)["panels"]:
        if panel["type"] == "row":
            continue
        assert panel["type"] in set(Kind), panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["targets"], panel["title"]
        assert panel["datasource"] == SOURCE
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(refs) == len(set(refs))
        for target in panel["targets"]:
            assert target["datasource"] == SOURCE, "no source is named by hand"
            assert target["instant"] is not target["range"]


@pytest.mark.parametrize("name", ALL)
def test_variables_are_declared_before_they_are_used(name: str) -> None:
    found = board(name)
    declared = [variable["name"] for variable in found["templating"]["list"]]
    assert declared[0] == "datasource"
    text = json.dumps(found)
    own = ("__rate_interval", "__range", "__interval", "__all", "__field", "__value")
    for wanted in ("datasource", "pages", "service", "channel", "endpoint", "instance"):
        if f"${wanted}" in text or f"${{{wanted}" in text:
            assert wanted in declared, wanted
    assert len(declared) == len(set(declared))
    assert not set(declared) & set(own)


@pytest.mark.parametrize("name", ALL)
def test_both_themes_can_show_every_colour_and_no_state_is_told_by_its_colour_alone(name: str) -> None:
    found = board(name)
    colours = {c for c in values(found, "color", "fixedColor", "iconColor", "fill") if isinstance(c, str)}
    assert colours <= PALETTE, "a shade of one's own is lost in one of the themes"
    for panel in found["panels"]:
        if panel["type"] in (Kind.TIMELINE, Kind.HISTORY):
            mapped = values(panel["fieldConfig"]["defaults"]["mappings"], "text")
            assert len(mapped) >= 2, f"{panel['title']}: its states have no words"
            assert panel["options"]["showValue"] == "auto"
    for steps in values(found, "thresholds"):
        assert steps["steps"][0]["value"] is None, "the first step holds from the least"
        later = [step["value"] for step in steps["steps"][1:]]
        assert later == sorted(later)


def test_incidents_are_annotated_and_their_rooms_are_a_click_away() -> None:
    for name in ALL:
        found = board(name)
        assert ["prober_incident_open" in a["expr"] for a in found["annotations"]["list"]] == [True], name
        assert f"{PAGES}" in [v["query"] for v in found["templating"]["list"] if v["name"] == "pages"]
        assert "${pages}/" in [link["url"] for link in found["links"]], name
    for name in ("prober-overview.json", "prober-incidents.json", "prober-service.json"):
        rooms = [link for links in values(board(name)["panels"], "links") for link in links]
        assert "${pages}/incidents/of/${__field.labels.service}" in {room["url"] for room in rooms}, name


def test_no_two_dashboards_share_an_address_and_each_is_found_from_the_others() -> None:
    assert len({d.uid for d in DASHBOARDS}) == len(DASHBOARDS)
    for found in dashboards().values():
        assert found["tags"] == ["prober"]
        assert [link for link in found["links"] if link["type"] == "dashboards" and link["tags"] == ["prober"]]


def test_provisioning_names_one_source_and_one_folder_of_dashboards() -> None:
    source = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yaml").read_text())
    assert source["apiVersion"] == 1
    [only] = source["datasources"]
    assert (only["type"], only["isDefault"], only["jsonData"]["timeInterval"]) == ("prometheus", True, "1s")
    [link] = only["jsonData"]["exemplarTraceIdDestinations"]
    assert (link["name"], link["url"]) == ("incident", "${PROBER_URL}/incidents/$${__value.raw}")
    boards = yaml.safe_load((PROVISIONING / "dashboards" / "prober.yaml").read_text())
    assert [(p["type"], p["options"]["path"]) for p in boards["providers"]] == [("file", "/var/lib/grafana/dashboards")]
