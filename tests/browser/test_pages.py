"""Every page in a real browser: light and dark, narrow and wide, with and without scripts, and nothing from elsewhere."""

import pytest

from tests.browser.chromium import Chromium, accessible, fits, visiting
from tests.browser.house import PAGES, House, Shown

pytestmark = pytest.mark.peer("chromium")

every_page = pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)

#: What depends on the scheme alone: all else is the same in light and dark, and is looked at once.
COLOURS = ("color-contrast", "link-in-text-block")
#: Buttons, fields and folds that are under 24 CSS pixels high or wide (links stand in text, or apart from each other).
_SMALL = """[...document.querySelectorAll("button, input:not([type=hidden]), select, summary")]
  .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
  .filter(([, box]) => box.width && (box.width < 24 || box.height < 24))"""


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
def test_a_page_reflows_at_four_hundred_percent(chromium: Chromium, house: House, shown: Shown) -> None:
    """WCAG 2.2, 1.4.10: a window of 1280 by 1024 pixels, magnified four times."""
    with visiting(chromium, house.url, viewport={"width": 320, "height": 256}) as page:
        page.goto(shown.path)
        fits(page)
        small = page.evaluate(_SMALL)
        assert not small, f"too small to be hit (WCAG 2.2, 2.5.8): {small}"


@pytest.mark.parametrize("path", ["/", "/incidents/bird-open"])
def test_on_paper_it_is_dark_on_light_and_unfolded(chromium: Chromium, house: House, path: str) -> None:
    with visiting(chromium, house.url, color_scheme="dark") as page:
        page.goto(path)
        page.emulate_media(media="print", color_scheme="dark")
        colours = page.evaluate(
            "(({ color, backgroundColor }) => [color, backgroundColor])(getComputedStyle(document.body))"
        )
        assert colours == ["rgb(28, 30, 33)", "rgb(255, 255, 255)"]
        assert not page.locator("nav:visible, form:visible, button:visible").count(), "nothing that one would press"
        folded = page.locator("details pre").all()
        assert [one for one in folded if not one.is_visible()] == [], "what was folded can be read"
        assert page.locator("pre").count() > 0 or path == "/"


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
