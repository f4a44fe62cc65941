"""docs/tested.md leaves out no test: each file is named there, or by a pattern; and each pattern finds some."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "tested.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+/test_[\w*]+\.py)`", TEXT)))
FILES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests").glob("*/test_*.py"))


@pytest.mark.parametrize("file", FILES)
def test_each_file_of_tests_is_named(file: str) -> None:
    assert any(Path(file).match(name) for name in NAMED), f"docs/tested.md does not say what {file} tests"


@pytest.mark.parametrize("name", NAMED)
def test_each_name_is_a_files(name: str) -> None:
    assert list(ROOT.glob(name)), f"docs/tested.md names {name}, which is none"


@pytest.mark.parametrize("folder", ["e2e", "browser", "deploy", "docs", "grafana"])
def test_what_is_tested_from_outside_is_named_file_by_file(folder: str) -> None:
    assert [name for name in NAMED if name.startswith(f"tests/{folder}/") and "*" in name] == []
