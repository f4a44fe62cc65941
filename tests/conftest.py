"""What all tests share: real peers are started where they are installed, and missed out loud where they are not."""

import os
import shutil
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import settings

# How long one example takes says nothing on a busy machine.
settings.register_profile("prober", deadline=None)
settings.load_profile("prober")

#: Peer -> the program by which it is known to be installed, and Debian's package.
PEERS = {
    "nginx": ("nginx", "nginx-light"),
    "postfix": ("postfix", "postfix"),
    "prometheus": ("promtool", "prometheus"),
    "blackbox_exporter": ("prometheus-blackbox-exporter", "prometheus-blackbox-exporter"),
    "netns": ("ip", "iproute2"),
    "dovecot": ("dovecot", "dovecot-imapd"),
    "snmptrapd": ("snmptrapd", "snmptrapd"),
    "chromium": ("chromium", "chromium"),
    "alertmanager": ("prometheus-alertmanager", "prometheus-alertmanager"),
    "systemd": ("systemd-analyze", "systemd"),
}


#: Folders whose tests wait for whole programs and browsers: minutes together, of which little is computing.
WAITING = frozenset({"browser", "deploy", "docs", "e2e", "grafana"})


def find(program: str) -> str | None:
    """Where a peer's program is; Debian puts servers where a user's PATH does not look."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")


def _waits(path: Path) -> bool:
    return path.relative_to(Path(__file__).parent).parts[0] in WAITING


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits is spread among what computes, and the tests of missing peers are skipped."""
    _spread(items)
    _skip_missing(items)


def _spread(items: list[pytest.Item]) -> None:
    """Workers begin with a stretch of the list each: one that got all the waiting tests would still be at it when the others
    have long ended. Files stay whole, for the sake of what they share."""
    files = [list(group) for _, group in groupby(items, key=lambda item: item.path)]
    computing = [file for file in files if not _waits(file[0].path)]
    waiting = [file for file in files if _waits(file[0].path)]
    waiting = [
        file for first in range(3) for file in waiting[first::3]
    ]  # neighbours are alike: three stretches of them
    places = [len(computing) * number // max(1, len(waiting)) for number in range(len(waiting))]
    for place, file in reversed(list(zip(places, waiting, strict=True))):
        computing.insert(place, file)
    items[:] = [item for file in computing for item in file]


def _skip_missing(items: list[pytest.Item]) -> None:
    """With a word; with PROBER_PEERS=required they run, and fail."""
    if os.environ.get("PROBER_PEERS") == "required":
        return
    for item in items:
        for mark in item.iter_markers("peer"):
            for name in mark.args:
                program, package = PEERS[name]
                if find(program) is None:
                    reason = f"{name} is not installed (Debian: {package})"
                    item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    """What the tests of a module have asked without a server leaves no database open."""
    yield
    if (asking := sys.modules.get("asking")) is not None:
        asking.close_stores()


@pytest.fixture(scope="module", autouse=True)
def _untraced(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whole programs run as users run them, without coverage: it takes half as long again, and is measured well without them."""
    with pytest.MonkeyPatch.context() as patch:
        if _waits(request.path):
            patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        yield
