"""docs/agreements-tested.md names tests that exist, and leaves out none of the agreements and none of their tests' files."""

import re
from pathlib import Path

import pytest

from prober import packs

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "agreements-tested.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", TEXT)))


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_each_test_that_it_names_exists(file: str, test: str) -> None:
    (path,) = (ROOT / "tests").rglob(file)
    assert f"def {test}(" in path.read_text(encoding="utf-8")


def test_each_row_names_a_test() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| The agreement")]
    assert len(rows) > 30
    assert [row for row in rows if "::test_" not in row] == []


@pytest.mark.parametrize("name", packs.names())
def test_each_agreement_has_its_chapter(name: str) -> None:
    title = packs.load(name, Path()).title.split(" Customer")[0].split(" Support")[0]
    assert f"## {title}\n" in TEXT
