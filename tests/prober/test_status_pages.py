"""Status pages from the configuration to their acts: told by name, with what is public alone, and of nothing that is played."""

import re
from pathlib import Path
from typing import Any, cast

import pytest
from serving import RAW

from prober import config
from prober.deliver.build import build
from prober.deliver.statuspage import Statuspage
from prober.measure.evidence import Evidence
from prober.measure.measure import Measure
from prober.measure.services import enricher, plan_of
from prober.redact import Redactor
from prober.rehearsal import Rehearsal
from rules.acts import Act, ActKind
from rules.model import Condition

DOCUMENT = Path(__file__).parents[2] / "docs" / "status-page.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
PAGES: list[dict[str, Any]] = [
    {"statuspage": {"page": "abc", "component": "c1", "api_key": "s3cret-key"}},
    {"name": "own", "webhook": {"url": "http://127.0.0.1:9/status"}},
]
NAMES = ("bird.status_pages.statuspage-1", "bird.status_pages.own")


def settings() -> config.Settings:
    bird = RAW["services"]["bird"] | {"status_pages": PAGES}
    return config.from_raw(RAW | {"customer": {"company": "Example GmbH"}, "services": {"bird": bird}}, Path())


def test_they_are_in_the_plan_and_are_built() -> None:
    assert plan_of(settings(), "bird", Path()).status_pages == NAMES
    assert set(NAMES) <= set(build(settings()))
    receiver = settings().services["bird"].status_pages[0].statuspage
    assert receiver is not None
    assert isinstance(Statuspage(NAMES[0], receiver), Statuspage)


def test_nothing_is_added_to_what_they_are_told_and_no_secret_stays_in_it() -> None:
    nobody = cast("Any", None)  # neither evidence nor figures may be asked for it
    redactor = Redactor.of(settings())
    enrich = enricher(settings(), "bird", cast("Evidence", nobody), cast("Measure", nobody), redactor, {"bird": "says"})
    act = Act("bird-1", 1, ActKind.STATUS, "open", NAMES[:1], 5, facts={"what": "published", "text": "key s3cret-key"})
    assert set(enrich(act).facts) == {"what", "text"}
    assert "s3cret-key" not in enrich(act).facts["text"]


def test_the_public_is_not_told_of_an_exercise() -> None:
    played = Rehearsal(settings(), Path(), "bird", Condition.UNAVAILABLE, prefix="drill", exercise=True)
    assert played.plan.status_pages == ()


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_documents_examples_load(text: str, tmp_path: Path) -> None:
    path = tmp_path / "prober.yaml"
    path.write_text(text, encoding="utf-8")
    found = config.load(path, {"STATUSPAGE_KEY": "statuspage-key"}).settings
    assert found.services["bird"].public
    assert found.web.accent == "#0b57b0" or found.services["bird"].status_pages
