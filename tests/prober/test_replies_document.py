"""docs/replies.md shows configurations: each of them loads."""

import re
from pathlib import Path

import pytest

from prober.config import load

DOCUMENT = Path(__file__).parents[2] / "docs" / "replies.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
CHANNELS = 'contract: bird-email-enterprise, channels: {api: [{name: account, url: "https://api.example.com/"}]}'


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_loads(example: str, tmp_path: Path) -> None:
    (tmp_path / "vendor.ics").write_text("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n")
    text = example
    if "  bird:\n" in text:
        service = CHANNELS.replace(", channels", "\n    channels")
        text = text.replace("  bird:\n", f"  bird:\n    {service}\n")
    else:
        text += f"services:\n  bird: {{{CHANNELS}}}\n"
    (tmp_path / "prober.yaml").write_text(text)
    load(tmp_path / "prober.yaml", {"MAILBOX_PASSWORD": "hunter2!"})


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 4
