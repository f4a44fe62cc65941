"""`/reasons`: every reason is explained there under an anchor of its name, and the incident room leads to it."""

import re

import pytest
from asking import Desk
from html_page import Html

from prober.explained import chapters
from prober.web.reasons import place_of
from rules.reasons import REASONS


def test_every_reason_is_in_exactly_one_entry() -> None:
    names = [name for chapter in chapters() for entry in chapter.entries for name in entry.names]
    assert sorted(names) == sorted(REASONS)


@pytest.mark.parametrize("name", [*sorted(REASONS)[::40], "read_timeout", "controls_failed", "dot_dropped"])
def test_an_entry_says_what_the_reason_says(name: str) -> None:
    [entry] = [entry for chapter in chapters() for entry in chapter.entries if name in entry.names]
    assert entry.advice == REASONS[name].advice
    if entry.names == (name,):
        assert (entry.label, entry.means) == (name, REASONS[name].means)
    else:
        assert re.search(r" another [1-5]xx\.$", entry.means)
        assert entry.label == f"{name[:-2]}xx, any other"


def test_chapters_have_titles_and_places_of_their_own() -> None:
    keys = [chapter.key for chapter in chapters()]
    assert len(set(keys)) == len(keys) > 10
    assert not set(keys) & set(REASONS)
    assert [chapter.title for chapter in chapters()][:2] == ["Seconds, and calls that were not made", "Suspicions"]


def test_the_page_explains_each_reason_where_links_lead() -> None:
    page = Html(Desk().ask("/reasons").text)
    page.rightly_made()
    ids = {attributes.get("id") for _, attributes in page.tags}
    assert [name for name in REASONS if name not in ids] == []
    assert REASONS["read_timeout"].advice in page.inside("read_timeout")
    assert place_of("read_timeout") == "/reasons#read_timeout"


def test_a_name_that_is_not_on_the_list_leads_nowhere() -> None:
    assert place_of('"><script>') == ""


def test_it_is_sent_small_and_once() -> None:
    desk = Desk()
    first = desk.ask("/reasons", headers={"Accept-Encoding": "gzip"})
    assert first.headers["Content-Encoding"] == "gzip"
    assert int(first.headers["Content-Length"]) < 30_000
    assert desk.ask("/reasons", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
