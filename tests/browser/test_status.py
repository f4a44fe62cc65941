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


def test_it_renews_itself_when_it_is_looked_at_again(chromium: Chromium, house: House) -> None:
    with visiting(chromium, house.url) as page:
        page.goto("/")
        page.evaluate("document.querySelector('.overall strong').textContent = 'as it was an hour ago'")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(page.locator(".overall strong")).not_to_have_text("as it was an hour ago")


def test_a_day_that_was_tapped_keeps_it_from_renewing_for_a_while_alone(chromium: Chromium, house: House) -> None:
    """On a telephone what was tapped last has the focus for good."""
    with visiting(chromium, house.url) as page:
        page.clock.install()
        page.goto("/")
        row = page.locator(".days").first
        row.locator("li").nth(80).focus()
        page.evaluate("document.querySelector('.overall strong').textContent = 'as it was'")
        page.clock.run_for(60_000)
        assert page.inner_text(".overall strong") == "as it was"
        page.clock.run_for(90_000)
        expect(page.locator(".overall strong")).not_to_have_text("as it was")
        expect(row.locator("li").nth(80)).to_be_focused()
        assert page.locator("#stale").inner_text() == ""


def test_it_says_when_it_cannot_be_renewed(chromium: Chromium, house: House) -> None:
    with visiting(chromium, house.url) as page:
        page.clock.install()
        page.goto("/")
        page.evaluate("() => { window.fetch = () => Promise.reject(new TypeError('no answer')); }")
        page.clock.run_for(60_000)
        assert page.locator("#stale").inner_text() == ""
        page.clock.run_for(90_000)
        expect(page.locator("#stale")).to_contain_text("This page cannot be brought up to date at the moment")
