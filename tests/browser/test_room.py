"""The incident room in a real browser: a login, a step entered, clocks that count, news without a reload, no script."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from rules.incident import EntryKind
from tests.browser.chromium import Chromium, accessible, fits, visiting
from tests.prober.room_story import RAW, TOKEN, Story, in_the_middle
from tests.prober.serving import KEYS, Served, served

pytestmark = pytest.mark.peer("chromium")

#: Long enough for a machine that is loaded.
SOON = 30_000


@dataclass(frozen=True, slots=True)
class Scene:
    """A serving process over a story's store."""

    process: Served
    story: Story

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.process.port}"

    def take(self) -> dict[str, object]:
        """The step that was entered, taken as the measuring process would."""
        told = self.process.measure.expect("entry", within=60)
        self.story.enter(EntryKind(told["kind"]), told["by"], told["text"], via=told["via"])
        self.process.measure.send({"type": "entered", "id": told["id"], "ok": True, "error": ""})
        return told


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    story = in_the_middle(tmp_path / "prober.db", int(time.time()))
    with served(KEYS[:1]) as process:
        process.measure.setup(tmp_path, {**RAW, "web": {"token": TOKEN}})
        process.measure.expect("ready", within=120)
        yield Scene(process, story)


def log_in(page: Page, scene: Scene) -> None:
    page.goto(scene.story.room)
    page.click("text=Log in to enter steps")
    page.fill("#name", "Ada")
    page.fill("#token", TOKEN)
    page.click("button:has-text('Log in')")
    page.wait_for_url(f"**{scene.story.room}")


@pytest.mark.parametrize("scripts", [True, False])
def test_somebody_logs_in_and_enters_a_step(chromium: Chromium, scene: Scene, scripts: bool) -> None:
    with visiting(chromium, scene.url, java_script_enabled=scripts) as page:
        log_in(page, scene)
        page.click("#step-update summary")
        page.fill("#f-update-text", "they found it <b>")
        with ThreadPoolExecutor(1) as measuring:  # playwright asks this thread about every request
            taking = measuring.submit(scene.take)
            page.click("#step-update button")
            page.wait_for_url("**?entered=update#entered")
            told = taking.result(SOON / 1000)
        assert (told["kind"], told["by"], told["via"]) == ("update", "Ada", "web")
        assert "“Update” is on the record." in page.inner_text("#entered")
        assert "they found it <b>" in page.inner_text("#trail")


def test_wrong_input_stays_and_is_told_and_news_come_there_too(chromium: Chromium, scene: Scene) -> None:
    visit = chromium.visit(scene.url)
    page = visit.page
    log_in(page, scene)
    page.click("#step-update summary")
    page.fill("#f-update-text", "typed with care")
    page.fill("#f-update-when", "noonish")
    page.click("#step-update button")
    expect(page.locator("#f-update-when-error")).to_contain_text("Not a time", timeout=SOON)
    accessible(page)
    scene.story.enter(EntryKind.WORKAROUND, "jo@vendor.example", "use the other host", via="reply")
    expect(page.locator("#vendor")).to_contain_text("use the other host", timeout=SOON)
    assert page.input_value("#f-update-text") == "typed with care"
    assert page.input_value("#f-update-when") == "noonish"
    visit.wrong = [each for each in visit.wrong if "422" not in each]  # so Chromium tells of a form that was not taken
    visit.close()


def test_news_come_without_a_reload_and_leave_what_is_typed(chromium: Chromium, scene: Scene) -> None:
    with visiting(chromium, scene.url) as page:
        log_in(page, scene)
        page.click("#step-note summary")
        page.fill("#f-note-text", "half a sent")
        page.click("#say summary")
        scene.story.enter(EntryKind.WORKAROUND, "jo@vendor.example", "use the other host", via="reply")
        expect(page.locator("#vendor")).to_contain_text("use the other host", timeout=SOON)
        expect(page.locator("#news")).to_contain_text("The incident has changed")
        assert page.input_value("#f-note-text") == "half a sent"
        assert page.locator("#say[open]").count() == 1, "what was opened stays open"


def test_clocks_count_down(chromium: Chromium, scene: Scene) -> None:
    scene.story.enter(EntryKind.INTAKE)
    with visiting(chromium, scene.url) as page:
        page.goto(scene.story.room)
        first = page.locator("[data-clock] .count").first
        before = first.inner_text()
        expect(first).not_to_have_text(before, timeout=SOON)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_and_fits_with_everything_opened(chromium: Chromium, scene: Scene, scheme: str) -> None:
    with visiting(chromium, scene.url, color_scheme=scheme, reduced_motion="reduce") as page:
        log_in(page, scene)
        page.eval_on_selector_all("details", "all => all.forEach((one) => { one.open = true; })")
        for width in (360, 1280, 1920):
            page.set_viewport_size({"width": width, "height": 800})
            fits(page)
        accessible(page)
        page.set_viewport_size({"width": 360, "height": 800})
        accessible(page)
        page.goto("/incidents")
        fits(page)
        accessible(page)


def test_without_scripts_it_says_the_same(chromium: Chromium, scene: Scene) -> None:
    with visiting(chromium, scene.url, java_script_enabled=False) as page:
        page.goto(scene.story.room)
        said = page.inner_text("main")
        for words in ("Persistent Unavailability", "Call back after the intake", "+1 555 0100", "accepted"):
            assert words in said
