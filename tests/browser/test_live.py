"""The last hour in a real browser: it moves as seconds close, and tells each cell to the pointer and to the keys."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser import planted
from tests.browser.chromium import Chromium, accessible, visiting
from tests.browser.house import House

pytestmark = pytest.mark.peer("chromium")

DOWN = {"": planted.DOWN, "api": planted.DOWN, "smtp": planted.OK}
FINE = {"": planted.BOTH, "api": planted.BOTH, "smtp": planted.OK}
#: Long enough for a machine that is loaded.
SOON = 40_000


def readout(page: Page, figure: str = "bird-smtp") -> str:
    return page.inner_text(f"#{figure} .readout")


def moving(page: Page) -> None:
    page.goto("/live")
    expect(page.locator("#line")).to_have_text("It moves as time passes.", timeout=SOON)


def test_a_second_that_closes_appears_and_the_newest_is_told(chromium: Chromium, house: House) -> None:
    with visiting(chromium, house.url) as page:
        moving(page)
        second = house.close_second({**FINE, "smtp": planted.HUNG})
        figure = page.locator("#bird-smtp")
        expect(figure.locator(".verdict")).to_have_text("Unavailable", timeout=SOON)
        expect(figure.locator(".reason")).to_have_text("response_timeout")
        assert "unavailable (response_timeout), 2 calls: 2 server_timeout" in readout(page)
        row, column = second // 60, second % 60
        top = (int(figure.get_attribute("data-end") or 0) - 3600) // 60
        assert f"M{column} {row - top}h1v1h-1z" in (figure.locator("path.unavailable").get_attribute("d") or "")
        house.close_second(FINE)
        expect(figure.locator(".verdict")).to_have_text("Available", timeout=SOON)
        expect(page.locator("#bird-api .verdict")).to_have_text("Available")


def test_the_keys_go_from_second_to_second_minute_to_minute_and_change_to_change(
    chromium: Chromium, house: House
) -> None:
    with visiting(chromium, house.url) as page:
        moving(page)
        canvas = page.locator("#bird-smtp .canvas")
        canvas.focus()
        assert page.locator("#bird-smtp .plot [tabindex]").count() == 1, "one stop of the tab key a grid"
        page.keyboard.press("End")
        last = int(canvas.get_attribute("aria-valuenow") or 0)
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowUp")
        assert int(canvas.get_attribute("aria-valuenow") or 0) == last - 61
        page.keyboard.press("Home")
        assert canvas.get_attribute("aria-valuenow") == canvas.get_attribute("aria-valuemin")
        page.keyboard.press("PageDown")
        assert "unmeasured (no_route), 1 call: 1 own" in (canvas.get_attribute("aria-valuetext") or "")
        assert "unmeasured (no_route), 1 call: 1 own" in readout(page)
        for _ in range(2):
            page.keyboard.press("PageDown")
        assert "unavailable (response_timeout), 2 calls: 2 server_timeout" in readout(page)
        accessible(page)


def test_the_pointer_shows_the_cell_under_it(chromium: Chromium, house: House) -> None:
    with visiting(chromium, house.url, viewport={"width": 1280, "height": 1600}) as page:
        moving(page)
        canvas = page.locator("#bird-api-templates .canvas")
        box = canvas.bounding_box()
        assert box is not None
        rows = [path for path in [page.get_attribute("#bird-api-templates path.inconclusive", "d")] if path]
        row = int(rows[0].split("h")[0].split(" ")[1])
        column = int(rows[0].split(" ")[0].removeprefix("M"))
        page.mouse.move(box["x"] + box["width"] * (column + 0.5) / 60, box["y"] + box["height"] * (row + 0.5) / 61)
        assert "inconclusive (http_status_429), 1 call: 1 other" in readout(page, "bird-api-templates")
        page.mouse.move(0, 0)
        assert "inconclusive" not in readout(page, "bird-api-templates")


def test_it_can_be_held_still(chromium: Chromium, house: House) -> None:
    with visiting(chromium, house.url) as page:
        moving(page)
        page.click("#hold")
        expect(page.locator("#line")).to_have_text("It is held still; newer seconds that wait: 0.", timeout=SOON)
        before = page.inner_text("#as-of")
        house.close_second({**FINE, "smtp": planted.HUNG})
        expect(page.locator("#line")).to_have_text("It is held still; newer seconds that wait: 1.", timeout=SOON)
        assert page.inner_text("#bird-smtp .verdict") == "Available"
        assert page.inner_text("#as-of") == before, "what stands there is as of then"
        page.click("#hold")
        expect(page.locator("#bird-smtp .verdict")).to_have_text("Unavailable", timeout=SOON)
        expect(page.locator("#as-of")).not_to_have_text(before)
        house.close_second(FINE)


def test_while_it_is_held_still_the_cell_under_the_pointer_is_the_one_that_is_drawn(
    chromium: Chromium, house: House
) -> None:
    """Also once a minute has passed: its row would be another one in a picture that has moved on."""
    with visiting(chromium, house.url, viewport={"width": 1280, "height": 1600}) as page:
        moving(page)
        page.click("#hold")
        canvas = page.locator("#bird-smtp .canvas")
        box = canvas.bounding_box()
        assert box is not None
        there = box["x"] + box["width"] * 30.5 / 60, box["y"] + box["height"] * 30.5 / 61
        page.mouse.move(*there)
        before = readout(page)
        for _ in range(61):
            house.close_second(FINE)
        expect(page.locator("#line")).to_have_text("It is held still; newer seconds that wait: 61.", timeout=SOON)
        page.mouse.move(0, 0)
        page.mouse.move(*there)
        assert readout(page) == before
        canvas.focus()
        last = canvas.get_attribute("aria-valuemax")
        page.keyboard.press("End")
        assert canvas.get_attribute("aria-valuenow") == last, "the keys stay in what is drawn, too"


def test_a_verdict_that_lasts_is_said_aloud_and_one_second_is_not(chromium: Chromium, house: House) -> None:
    with visiting(chromium, house.url) as page:
        moving(page)
        house.close_second(FINE)
        house.close_second({**FINE, "smtp": planted.HUNG})
        house.close_second(FINE)
        for _ in range(4):
            house.close_second({**FINE, "smtp": planted.DOWN})
        expect(page.locator("#aloud")).to_contain_text("Bird Email, SMTP: unavailable since", timeout=SOON)
        for _ in range(5):
            house.close_second(FINE)
        expect(page.locator("#aloud")).to_contain_text("Bird Email, SMTP: available since", timeout=SOON)


def test_times_are_told_beside_it(chromium: Chromium, house: House) -> None:
    with visiting(chromium, house.url) as page:
        moving(page)
        house.close_second(FINE)
        expect(page.locator("#bird-api .took-now")).to_contain_text("20 ms (median)", timeout=SOON)
        assert page.get_attribute("#bird-api .took .p50", "d")


def test_without_scripts_the_hour_stands_in_shapes_and_words(chromium: Chromium, house: House) -> None:
    with visiting(chromium, house.url, java_script_enabled=False) as page:
        page.goto("/live")
        figure = page.locator("#bird-smtp")
        label = figure.locator("svg.cells").get_attribute("aria-label") or ""
        assert label.startswith("SMTP, the last hour: ")
        assert "s unavailable" in label
        assert figure.locator("path.unavailable").get_attribute("d")
        figure.locator("summary").click()
        assert "response_timeout" in figure.locator("table").inner_text()
        assert page.locator("#hold").is_hidden()
        assert "refresh" in page.inner_text("header")
