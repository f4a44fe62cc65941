"""The browser's harness itself: what must fail a test does."""

import asyncio
import threading
from typing import Any

import pytest
from playwright.sync_api import Error

from tests.browser.chromium import Chromium, accessible, fits, visiting
from tests.browser.house import House

pytestmark = pytest.mark.peer("chromium")


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("console.error('something broke')", "console error: something broke"),
        ("setTimeout(() => { throw new Error('nobody caught me') })", "nobody caught me"),
        ("document.body.setAttribute('style', 'color: red')", "Content Security Policy"),
        ("fetch('http://192.0.2.1/x').catch(() => 0)", "Content Security Policy"),
        ("const tag = document.createElement('script'); tag.text = '1'; document.body.append(tag)", "Content Security"),
    ],
)
def test_a_page_that_does_wrong_fails_its_test(chromium: Chromium, house: House, script: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        _does(chromium, house, script)


@pytest.mark.parametrize("address", ["http://192.0.2.1/x", "http://names.example/", "http://127.0.0.1:9/x"])
def test_a_request_that_leaves_the_host_fails_its_test(chromium: Chromium, house: House, address: str) -> None:
    with pytest.raises(AssertionError, match=f"a request leaves the host: {address}"):
        _does(chromium, house, f"fetch('{address}').catch(() => 0)", bypass_csp=True)


def _does(chromium: Chromium, house: House, script: str, **settings: Any) -> None:
    """A visit to a page with such a script; raises what is wrong with it."""
    with visiting(chromium, house.url, **settings) as page:
        page.goto("/")
        page.evaluate(f"async () => {{ {script}; await new Promise(done => setTimeout(done, 100)) }}")


def test_what_axe_finds_fails_a_test(chromium: Chromium, house: House) -> None:
    with visiting(chromium, house.url) as page:
        page.goto("/")
        page.evaluate("document.documentElement.removeAttribute('lang')")
        with pytest.raises(AssertionError, match="html-has-lang"):
            accessible(page)


def test_a_page_wider_than_its_window_fails_a_test(chromium: Chromium, house: House) -> None:
    with visiting(chromium, house.url, viewport={"width": 360, "height": 800}) as page:
        page.goto("/")
        page.evaluate("document.querySelector('main').append('M'.repeat(200))")
        with pytest.raises(AssertionError, match="px wide in a window of 360"):
            fits(page)


def test_an_error_of_the_test_itself_is_told_and_not_what_came_of_it(chromium: Chromium, house: House) -> None:
    with pytest.raises(Error, match="the test's own"):
        _does(chromium, house, "console.error('a consequence'); throw new Error(\"the test's own\")")


def test_other_tests_may_run_event_loops_of_their_own(chromium: Chromium, house: House) -> None:
    found: list[str] = []
    elsewhere = threading.Thread(target=lambda: found.append(asyncio.run(_words())))
    elsewhere.start()
    elsewhere.join()
    assert found == ["a loop"]


async def _words() -> str:
    return "a loop"
