"""Fixtures of the browser tests. A test that asks for `chromium` runs on the browser's thread."""

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Chromium
from tests.browser.house import House, opened


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """One browser for all tests of this worker."""
    browser = Chromium()
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The pages over a planted store, for tests that change nothing (or only add seconds)."""
    with opened(tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that drives the browser where playwright lives."""
    browser = pyfuncitem.funcargs.get("chromium")
    if not isinstance(browser, Chromium):
        return None
    wanted = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    browser.run(pyfuncitem.obj, **wanted)
    return True
