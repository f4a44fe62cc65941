"""The status page in a real browser: the days tell their figures to the pointer and to the keys, also without scripts."""

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import Chromium, visiting
from tests.browser.house import House

pytestmark = pytest.mark.peer("chromium")

CLIP = "getComputedStyle(document.activeElement.querySelector('.tip')).clipPath"


def test_the_days_are_one_stop_of_the_tab_key_and_the_arrows_go_between_them(chromium: Chromium, house: House) -> None:
    with visiting(chromium, house.url) as page:
        page.goto("/")
        row = page.locator(".days").first
        expect(row.locator('li[tabindex="0"]')).to_have_count(1)
        row.locator('li[tabindex="0"]').focus()
        assert page.evaluate(CLIP) == "none"
        today = page.evaluate("document.activeElement.textContent")
        page.keyboard.press("ArrowLeft")
        yesterday = page.evaluate("document.activeElement.textContent")
        assert yesterday < today
        page.keyboard.press("Home")
        assert page.evaluate("document.activeElement.textContent") < yesterday
        page.keyboard.press("End")
        assert page.evaluate("document.activeElement.textContent") == today


def test_without_scripts_every_day_can_be_reached_and_pointed_at(chromium: Chromium, house: House) -> None:
    with visiting(chromium, house.url, java_script_enabled=False) as page:
        page.goto("/")
        row = page.locator(".days").first
        expect(row.locator('li[tabindex="0"]')).to_have_count(90)
        row.locator("li").nth(89).hover()
        expect(row.locator("li").nth(89).locator(".tip")).to_have_css("clip-path", "none")
        expect(row.locator("li").nth(88).locator(".tip")).not_to_have_css("clip-path", "none")


def test_a_telephone_shows_the_days_that_a_finger_can_tell_apart(chromium: Chromium, house: House) -> None:
    with visiting(chromium, house.url, viewport={"width": 360, "height": 800}) as page:
        page.goto("/")
        days = page.locator(".days").first.locator("li")
        assert sum(days.nth(n).is_visible() for n in range(90)) == 30
