"""The documents are built as a site without a warning, load nothing from elsewhere, and hold every anchor that is linked to."""

import os
import posixpath
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import pytest

from prober import packs
from rules.model import Condition
from rules.reasons import REASONS

pytestmark = pytest.mark.timeout(300)  # the build takes some seconds of CPU, which a busy machine may not have

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
#: Elements that load what they name, and by which attribute.
LOADS = {
    "link": "href",
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "object": "data",
    "embed": "src",
    "use": "href",
    "image": "href",
}


class Page(HTMLParser):
    """What a page loads, links to, and can be linked to by."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in LOADS and LOADS[tag] in given:
            self.loads.append(given[LOADS[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-n", "-b", "html"]
    built = subprocess.run(
        [*command, "-d", str(folder / "doctrees"), str(DOCS), str(folder / "html")],
        capture_output=True,
        text=True,
        timeout=280,
        env=os.environ | {"NO_COLOR": "1"},
    )
    assert (built.returncode, built.stderr) == (0, ""), built.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    """Every page of the site, by its path."""
    return {str(path.relative_to(site)): Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_every_document_is_a_page(pages: dict[str, Page]) -> None:
    documents = {str(path.relative_to(DOCS).with_suffix(".html")) for path in DOCS.rglob("*.md")}
    assert documents <= set(pages)
    assert len(documents) > 30


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[str, Page]) -> None:
    loaded = {(name, target) for name, page in pages.items() for target in page.loads}
    assert len(loaded) > 100, "pages load their own styles and scripts"
    assert [each for each in sorted(loaded) if urlsplit(each[1]).scheme or each[1].startswith("//")] == []
    for sheet in site.rglob("*.css"):
        for target in re.findall(
            r"url\(\s*[\"']?([^\"')]+)|@import\s+[\"']([^\"']+)", sheet.read_text(encoding="utf-8")
        ):
            assert not re.match(r"(?:https?:)?//", "".join(target)), f"{sheet.name} loads {target}"
    for script in (path for path in site.rglob("*.js") if "searchindex" not in path.name):
        assert not re.search(r"(?:src|href)\s*=\s*[\"'](?:https?:)?//", script.read_text(encoding="utf-8")), script.name


def inner_links(pages: dict[str, Page]) -> Iterator[tuple[str, str, str]]:
    """Page, the page it links to, and the anchor there."""
    for name, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if not parts.scheme and not link.startswith("//"):
                target = (
                    posixpath.normpath(str(PurePosixPath(name).parent / unquote(parts.path))) if parts.path else name
                )
                yield name, target, unquote(parts.fragment)


def test_every_link_within_leads_somewhere(site: Path, pages: dict[str, Page]) -> None:
    lost = [
        link
        for link in inner_links(pages)
        if (link[1] in pages and link[2] and link[2] not in pages[link[1]].ids)
        or (link[1] not in pages and not (site / link[1]).is_file())
    ]
    assert lost == []


def test_every_reason_has_an_anchor_of_its_name(pages: dict[str, Page]) -> None:
    ids = pages["reasons.html"].ids
    assert [name for name in REASONS if name not in ids] == []
    assert len(ids) == len(set(ids)), "an anchor stands for one reason alone"


def test_every_alert_leads_to_its_section(pages: dict[str, Page]) -> None:
    rules = (ROOT / "grafana" / "prometheus" / "alerts.rules.yaml").read_text(encoding="utf-8")
    linked = re.findall(r"externalLabels\.docs \}\}/([\w./-]+)#([\w-]+)", rules)
    assert len(linked) >= 20
    assert [each for each in linked if each[1] not in pages[each[0]].ids] == []


def test_the_run_book_has_a_section_for_every_condition(pages: dict[str, Page]) -> None:
    assert [each.value for each in Condition if each.value not in pages["runbook.html"].ids] == []


def test_every_pack_has_a_page(pages: dict[str, Page]) -> None:
    assert {f"packs/{name}.html" for name in packs.names()} <= set(pages)


def test_links_between_the_files_themselves_lead_somewhere() -> None:
    """As they are read in the repository, without the site."""
    files = [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "deploy" / "README.md", ROOT / "grafana" / "README.md"]
    lost = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in files
        for target in re.findall(r"\]\(([^)\s#]+)[^)\s]*\)", path.read_text(encoding="utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert lost == []
