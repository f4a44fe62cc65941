"""Prometheus' rules: the real promtool takes them, their own tests pass, and each alert says what it means and what to do."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import find
from tests.grafana.queries import RULE_FILES, RULES, alerts, rules

DOCUMENT = (RULES.parents[1] / "docs" / "alerts.md").read_text()
TESTS = sorted((RULES / "tests").glob("*.test.yaml"))
NAMES = [alert["alert"] for alert in alerts()]


def promtool(*arguments: str | Path) -> tuple[int, str]:
    program = find("promtool")
    assert program is not None, "promtool is not installed (Debian: prometheus)"
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=100)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.peer("prometheus")
def test_promtool_takes_the_rules() -> None:
    status, said = promtool("check", "rules", *RULE_FILES)
    assert status == 0, said
    assert said.count("SUCCESS") == len(RULE_FILES)


@pytest.mark.peer("prometheus")
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_the_rules_own_tests_pass(path: Path) -> None:
    status, said = promtool("test", "rules", path)
    assert (status, "FAILED" in said) == (0, False), said


@pytest.mark.peer("prometheus")
def test_the_rules_own_tests_can_fail(tmp_path: Path) -> None:
    for path in RULE_FILES:
        text = path.read_text().replace("ratio_rate1m >= 0.9", "ratio_rate1m >= 1.1")
        (tmp_path / path.name).write_text(text)
    changed = TESTS[-1].read_text().replace("../", "")
    (tmp_path / "vendor.test.yaml").write_text(changed)
    status, said = promtool("test", "rules", tmp_path / "vendor.test.yaml")
    assert status == 1
    assert "VendorUnavailable" in said


def test_every_alert_is_shown_in_the_rules_tests_firing_and_silent() -> None:
    told = "".join(path.read_text() for path in TESTS)
    for name in NAMES:
        assert name in told, f"no test of {name}"
    fires = set(re.findall(r'ALERTS\{alertname="(\w+)", alertstate="firing"', told))
    for found in map(yaml.safe_load, (path.read_text() for path in TESTS)):
        for test in found["tests"]:
            fires |= {case["alertname"] for case in test.get("alert_rule_test", ()) if case["exp_alerts"]}
    assert set(NAMES) - fires == set(), "never shown firing"


@pytest.mark.parametrize("alert", alerts(), ids=NAMES)
def test_an_alert_says_what_it_means_how_urgent_it_is_and_where_to_read_on(alert: dict[str, dict[str, str]]) -> None:
    name, labels, said = str(alert["alert"]), alert["labels"], alert["annotations"]
    assert labels["severity"] in {"page", "warning", "info", "none"}
    assert labels["component"] in {"vendor", "prober"}
    assert len(said["summary"]) < 120, "a line on a pager"
    assert not said["summary"].endswith(".")
    assert said["description"].endswith(".")
    assert said["runbook_url"] == "{{ $externalLabels.docs }}/alerts.html#" + name.lower()
    assert f"## {name}\n" in DOCUMENT, "the run book has a section for it"


def test_the_run_book_has_no_section_without_an_alert() -> None:
    assert re.findall(r"^## (.*)$", DOCUMENT, re.MULTILINE) == NAMES, "in the rules' order"


def test_what_is_recorded_is_named_by_level_metric_and_operation_and_each_name_once() -> None:
    names = [rule["record"] for rule in rules() if "record" in rule]
    assert all(re.fullmatch(r"[a-z_]+:prober_[a-z_]+:[a-z0-9_]+", name) for name in names), names
    every = names + NAMES
    assert len(every) == len(set(every))
