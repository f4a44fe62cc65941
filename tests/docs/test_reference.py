"""What is made from the program for the documents: every key is described, with an example that its section takes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from docs.made import commands, configuration, packs, reasons, site
from docs.made.keys import Key, keys
from prober import packs as built_in
from prober.cli import COMMANDS
from prober.config import load
from prober.receivers import KINDS
from prober.section import Section
from prober.settings import Settings
from rules.reasons import REASONS


def all_sections() -> Iterator[tuple[str, type[Section]]]:
    yield from configuration.sections(Settings)
    for kind in KINDS:
        yield from configuration.sections(configuration.section_of(kind), kind)


SECTIONS = list(all_sections())
KEYS = [(path, section, key) for path, section in SECTIONS for key in keys(section)]
every_key = pytest.mark.parametrize(("path", "section", "key"), KEYS, ids=[f"{p}.{k.name}" for p, _, k in KEYS])


def test_every_section_that_a_file_may_hold_is_there() -> None:
    found = {section for _, section in SECTIONS}
    assert {each for each in subclasses(Section) if each.__module__.startswith("prober.")} - found <= BASES
    assert len(found) > 30


#: Sections that no file holds by themselves.
BASES = {base for base in Section.__subclasses__() if base.__name__ in ("Access", "Look", "Endpoint")}


def subclasses(section: type[Section]) -> Iterator[type[Section]]:
    for each in section.__subclasses__():
        yield each
        yield from subclasses(each)


@every_key
def test_every_key_is_described(path: str, section: type[Section], key: Key) -> None:
    assert len(key.description) > 5, f"{section.__name__}.{key.name} has no description"
    assert not key.description.startswith("default:"), "it says what it is before what it is by default"


@every_key
def test_every_example_is_taken(path: str, section: type[Section], key: Key) -> None:
    [(name, value)] = yaml.safe_load(key.example).items()
    field = next(f for n, f in section.model_fields.items() if (f.alias or n) == name)
    if "section" not in key.kind:  # those are told key by key
        adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
        adapter.validate_python(value, context={"base": Path("/")})


#: A configuration in which every section stands that has a time, for the program's own check of it.
WHOLE = """
web: {}
retention: {}
heartbeat: {url: "https://hc-ping.com/UUID"}
mailboxes: [{host: imap.example.com, username: oncall, password: x}]
services:
  NAME:
    contract: bird-email-enterprise
    persistence: {}
    intermittent: {}
    slow: {}
    status_page: {url: "https://status.vendor.example"}
    channels:
      api: [{name: account, url: "https://api.example.com/v1/account"}]
      smtp: [{name: injection, host: smtp.example.com, depth: ehlo, tls: none}]
on_call: [{webhook: {url: "https://pager.example.com/"}}, {webhook: {url: "https://boss.example.com/"}}]
"""
TIMES = [(path, key) for path, section, key in KEYS if key.kind == "a duration" and path.split(".")[0] not in KINDS]


@pytest.mark.parametrize(("path", "key"), TIMES, ids=[f"{p}.{k.name}" for p, k in TIMES])
def test_every_example_of_a_time_passes_the_check_of_the_whole_file(path: str, key: Key, tmp_path: Path) -> None:
    whole = yaml.safe_load(WHOLE)
    place = whole
    for part in filter(None, path.split(".")):
        place = place[part.removesuffix("[]")]
        place = place[-1] if part.endswith("[]") else place
    place.update(yaml.safe_load(key.example))
    file = tmp_path / "prober.yaml"
    file.write_text(yaml.safe_dump(whole))
    load(file)


def test_limits_and_defaults_are_told() -> None:
    text = configuration.reference()
    assert "`share` (default: `0.9`)" in text
    assert "A number; more than 0; at most 1. Example: `share: 0.9`" in text
    assert "`port` (default: `587`)\n: The relay's port.\n\n  A whole number; at least 1; at most 65535." in text
    assert "`every` (default: `1s`)" in text
    assert "`contract` (required)" in text


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_receiver_has_its_keys_in_its_document(kind: str) -> None:
    document = (site.ROOT / "docs" / "receivers.md").read_text(encoding="utf-8")
    assert document.count(f"<!-- made: receiver {kind} -->") == 1
    assert f"Keys of `{kind}`:" in configuration.receiver(kind)


def test_every_command_has_its_help() -> None:
    text = commands.reference()
    assert [name for name in COMMANDS if f"\n## prober {name}\n" not in f"\n{text}"] == []
    assert "### prober incidents ack" in text
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 100


@pytest.mark.parametrize("name", built_in.names())
def test_every_pack_tells_its_terms_and_its_clauses(name: str) -> None:
    document = (site.ROOT / "docs" / "packs" / f"{name}.md").read_text(encoding="utf-8")
    assert f"<!-- made: pack {name} -->" in document
    text = packs.reference(name)
    assert [term.name for term in built_in.load(name, Path()).terms if f"`{term.name}`\n: " not in text] == []
    example = yaml.safe_load(document.split("```yaml\n")[1].split("```")[0])
    [service] = example["services"].values()
    assert service["contract"] == name
    assert service["terms"].keys() <= {term.name for term in built_in.load(name, Path()).terms}


def test_every_reason_is_told() -> None:
    text = reasons.reference()
    assert [name for name in REASONS if f"### {name}\n" not in text and f'id="{name}"' not in text] == []


def test_links_stay_on_the_site() -> None:
    assert site.mended("[a](../grafana/README.md#what-is-meant)", "metrics") == "[a](grafana.md#what-is-meant)"
    assert site.mended("[a](../../deploy/README.md)", "adr/0001-two") == "[a](../running.md)"
    assert site.mended("[the view](../prober/deliver/view.py)", "texts") == "`the view`"
    assert (
        site.mended("[a](alerts.md#x), [b](https://example.com/)", "metrics")
        == "[a](alerts.md#x), [b](https://example.com/)"
    )


def test_a_document_of_somebody_elses_is_not_lost() -> None:
    named = (site.ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert "<!-- made: rest -->" in named
    assert "index" not in site.rest()
