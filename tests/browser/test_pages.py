"""Every page in a real browser: light and dark, narrow and wide, with and without scripts, and nothing from elsewhere."""

import pytest

from tests.browser.chromium import Chromium, accessible, fits, visiting
from tests.browser.house import PAGES, House, Shown

pytestmark = pytest.mark.peer("chromium")

every_page = pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)

#: What depends on the scheme alone: all else is the same in light and dark, and is looked at once.
COLOURS = ("color-contrast", "link-in-text-block")


@every_page
@pytest.mark.parametrize("width", [360, 1280])
def test_a_page_is_accessible_fits_and_breaks_no_rule(
    chromium: Chromium, house: House, shown: Shown, width: int
) -> None:
    with visiting(
        chromium, house.url, color_scheme="light", viewport={"width": width, "height": 800}, reduced_motion="reduce"
    ) as page:
        answer = page.goto(shown.path)
        assert answer is not None
        assert answer.status == 200
        assert shown.says in page.inner_text("body")
        assert page.title() != "owned", "what others wrote runs nowhere"
        assert page.locator("img[src=x]").count() == 0
        fits(page)
        accessible(page)
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.emulate_media(color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != ground
        accessible(page, *COLOURS)


@every_page
def test_a_page_says_the_same_without_scripts(chromium: Chromium, house: House, shown: Shown) -> None:
    with visiting(chromium, house.url, java_script_enabled=False, viewport={"width": 1920, "height": 1080}) as page:
        page.goto(shown.path)
        assert shown.says in page.inner_text("main")
        assert page.locator("h1").count() == 1
        fits(page)


@every_page
def test_whoever_goes_by_the_keys_sees_where_they_are(chromium: Chromium, house: House, shown: Shown) -> None:
    with visiting(chromium, house.url) as page:
        page.goto(shown.path)
        for _ in range(8):
            page.keyboard.press("Tab")
            where, line = page.evaluate(
                "(({ activeElement: e }) => [e.outerHTML.slice(0, 120), getComputedStyle(e).outlineStyle])(document)"
            )
            assert line != "none" or where.startswith("<body"), f"nothing shows that the focus is on {where}"


@pytest.mark.parametrize("path", ["/live", "/incidents", "/incidents/bird-open", "/reasons"])
def test_the_first_stop_of_the_tab_key_leads_past_the_other_pages(chromium: Chromium, house: House, path: str) -> None:
    with visiting(chromium, house.url) as page:
        page.goto(path)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        assert page.evaluate("document.activeElement.getBoundingClientRect().height") > 20, "it shows"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")
