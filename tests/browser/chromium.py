"""A real headless Chromium (Debian's), driven by playwright on a thread of its own, and what it must never do.

playwright's sync interface leaves an event loop running on its thread, in which other tests could not run theirs; so it
has a thread to itself, and the tests that use it run there (conftest.py).
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Route, sync_playwright

from tests.conftest import find

T = TypeVar("T")

_ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
#: What axe-core finds is told by its impact; these fail a test.
_GRAVE = ("serious", "critical")


class Chromium:
    """One browser and its thread. `run` runs something there."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chromium")
        self._closing = contextlib.ExitStack()
        self._browser: Browser = self.run(self._open)

    def run(self, work: Callable[..., T], *arguments: Any, **more: Any) -> T:
        return self._thread.submit(work, *arguments, **more).result()

    def _open(self) -> Browser:
        playwright = self._closing.enter_context(sync_playwright())
        sandbox = os.geteuid() != 0  # Chromium has none for root
        browser = playwright.chromium.launch(
            executable_path=find("chromium"), args=list(_ARGUMENTS), chromium_sandbox=sandbox
        )
        self._closing.callback(browser.close)
        return browser

    def close(self) -> None:
        self.run(self._closing.close)
        self._thread.shutdown()

    def visit(self, url: str, **settings: Any) -> "Visit":
        """A browser that has never been here (to be called on its thread). `settings`: playwright's of a context."""
        return Visit(self._browser.new_context(base_url=url, **settings), url)


class Visit:
    """A context and its page that note everything that is wrong; `close` fails on it.

    Wrong is: a request that leaves the host, an error or warning on the console (what the Content-Security-Policy refuses
    among it), an exception that no script caught, an answer of 500 or more.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.wrong: list[str] = []
        self.context = context
        self._url = url
        context.set_default_timeout(40_000)  # the machine may be loaded
        context.route(lambda asked: not asked.startswith(f"{url}/"), self._foreign)
        context.on("request", self._requested)
        context.on("console", self._said)
        context.on("weberror", lambda error: self.wrong.append(f"uncaught: {error.error}"))
        context.on("response", lambda r: self.wrong.append(f"{r.status} {r.url}") if r.status >= 500 else None)
        self.page: Page = context.new_page()

    def close(self) -> None:
        self.context.close()
        assert not self.wrong, "\n".join(self.wrong)

    def _foreign(self, route: Route) -> None:
        route.abort()

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((f"{self._url}/", "about:", "blob:null")):
            self.wrong.append(f"a request leaves the host: {request.url}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            self.wrong.append(f"console {message.type}: {message.text}")


@contextlib.contextmanager
def visiting(chromium: Chromium, url: str, **settings: Any) -> Iterator[Page]:
    """A page that fails at its end if anything was wrong (to be used on the browser's thread)."""
    visit = chromium.visit(url, **settings)
    try:
        yield visit.page
    except BaseException:
        visit.context.close()
        raise
    visit.close()


def accessible(page: Page, *rules: str) -> None:
    """axe-core finds nothing serious or critical. Its rules of WCAG 2.2 AA are asked for by name, its best practices too.

    `rules`: these alone.
    """
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    only = {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": tags}
    found = Axe().run(page, options={"runOnly": only, "resultTypes": ["violations"]})
    grave = [each for each in found.response["violations"] if each["impact"] in _GRAVE]
    assert not grave, "\n".join(f"{v['id']}: {v['help']}: {[n['html'][:200] for n in v['nodes'][:3]]}" for v in grave)


def fits(page: Page) -> None:
    """Nothing makes the page wider than its window (WCAG 2.2, 1.4.10 Reflow)."""
    wide, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= window, f"the page is {wide} px wide in a window of {window} px"
