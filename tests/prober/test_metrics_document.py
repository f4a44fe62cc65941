"""docs/metrics.md lists every family that /metrics tells, with its labels, as it tells them."""

import re
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from serving import RAW
from test_web_metrics import NOW, busy

from prober import config

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
#: Of prometheus_client's own collectors, whose words are theirs.
THEIRS = ("process_", "python_")
FIRST = "service channel endpoint"


def told() -> dict[str, tuple[str, str, str]]:
    """Family, as the text format names it -> its type, its labels in order, and its help."""
    desk = busy()
    desk.view.configured(desk.view.settings.model_copy(update=surroundings()), desk.board, 0, {"bird": ("critical",)})
    clocks = [{"name": "call_back", "state": "running", "due": int(NOW) + 840}]
    desk.view.opened({"open": [{"id": "bird-1", "service": "bird", "severity": "critical", "clocks": clocks}]})
    found = {}
    for family in text_string_to_metric_families(desk.ask("/metrics").text):
        if family.name.startswith(THEIRS):
            continue
        used = {label for sample in family.samples for label in sample.labels if label != "le"}
        labels = sorted(used, key=lambda label: (label not in FIRST, FIRST.find(label), label))
        name = family.name + ("_total" if family.type == "counter" else "")
        found[name] = (family.type, ", ".join(labels), family.documentation)
    return found


def surroundings() -> dict[str, Any]:
    """What families depend on that are told only where it is configured."""
    mailbox = {"host": "imap.example.com", "username": "oncall", "password": "password-0123456789"}
    raw = RAW | {"heartbeat": {"url": "http://127.0.0.1:9/"}, "mailboxes": [mailbox]}
    settings = config.from_raw(raw, Path())
    return {"heartbeat": settings.heartbeat, "mailboxes": settings.mailboxes}


def row(name: str) -> str:
    """The document's line of a family, as it has to be."""
    kind, labels, words = told()[name]
    return f"| `{name}` | {kind} | {labels} | {words} |"


def test_every_family_is_in_the_document_as_it_is_told() -> None:
    listed = re.findall(r"^\| `(\w+)` \|.*$", DOCUMENT.read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(told())
    lines = DOCUMENT.read_text().splitlines()
    assert [row(name) for name in told() if row(name) not in lines] == [], (
        "these lines have to stand in docs/metrics.md"
    )
