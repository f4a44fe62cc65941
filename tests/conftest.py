"""What all tests share: real peers are started where they are installed, and missed out loud where they are not."""

import os
import shutil

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


def find(program: str) -> str | None:
    """Where a peer's program is; Debian puts servers where a user's PATH does not look."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of peers that are missing, with a word; with PROBER_PEERS=required they run, and fail."""
    if os.environ.get("PROBER_PEERS") == "required":
        return
    for item in items:
        for mark in item.iter_markers("peer"):
            for name in mark.args:
                program, package = PEERS[name]
                if find(program) is None:
                    reason = f"{name} is not installed (Debian: {package})"
                    item.add_marker(pytest.mark.skip(reason=reason))
