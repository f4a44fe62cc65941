"""Every page in a real browser: light and dark, narrow and wide, with and without scripts, and nothing from elsewhere."""

import pytest

from tests.browser.chromium import Chromium, accessible, fits, visiting
from tests.browser.house import PAGES, House, Shown

pytestmark = pytest.mark.peer("chromium")

every_page = pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)


@every_page
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_accessible_fits_and_breaks_no_rule(
    chromium: Chromium, house: House, shown: Shown, scheme: str, width: int
) -> None:
    with visiting(
        chromium, house.url, color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce"
    ) as page:
        answer = page.goto(shown.path)
        assert answer is not None
        assert answer.status == 200
        assert shown.says in page.inner_text("body")
        fits(page)
        accessible(page)


@every_page
def test_a_page_says_the_same_without_scripts(chromium: Chromium, house: House, shown: Shown) -> None:
    with visiting(chromium, house.url, java_script_enabled=False) as page:
        page.goto(shown.path)
        assert shown.says in page.inner_text("main")
        assert page.locator("h1").count() == 1


@every_page
def test_what_others_wrote_runs_nowhere(chromium: Chromium, house: House, shown: Shown) -> None:
    with visiting(chromium, house.url) as page:
        page.goto(shown.path)
        assert page.title() != "owned"
        assert page.locator("img[src=x]").count() == 0
