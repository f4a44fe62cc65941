"""Every command and every configuration in the documents: loaded, run, or at the least known to the program."""

import contextlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from blocks import ROOT, Block, blocks, commands, spans
from sandbox import NOT_RUN, OTHERS, PLACEHOLDERS, READS, Sandbox, unknown

from docs.made.configuration import sections
from docs.made.keys import keys
from prober import packs
from prober.cli import COMMANDS, main
from prober.receivers import KINDS, Receiver
from prober.settings import Settings
from rules.incident_events import EntryKind

BLOCKS = blocks()
#: Kinds of blocks, each with the test that looks at it; `text` shows what is no code.
KINDS_OF_BLOCKS = frozenset(
    {"yaml", "yaml receiver", "yaml pack", "yaml prometheus", "sh", "json", "python", "jinja", "text", "", "{toctree}"}
)
#: What a service must have, where an example leaves it out.
SERVICE: Mapping[str, Any] = {
    "contract": "bird-email-enterprise",
    "channels": {"api": [{"name": "account", "url": "https://api.example.com/v1/account"}]},
}


def of_kind(*kinds: str) -> Any:
    found = [block for block in BLOCKS if block.kind in kinds]
    assert found, kinds
    return pytest.mark.parametrize("block", found, ids=str)


def test_every_block_says_what_it_is() -> None:
    assert [(str(block), block.kind) for block in BLOCKS if block.kind not in KINDS_OF_BLOCKS] == []


@of_kind("yaml")
def test_every_configuration_is_taken(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = yaml.safe_load(block.text)
    assert set(raw) <= set(Settings.model_fields), f"{block} is no part of a configuration: say what it is (yaml ...)"
    services = raw.setdefault("services", {"mail": {}})
    for service in services.values():
        for key, value in SERVICE.items():
            service.setdefault(key, value)
    for name in re.findall(r"\$\{([A-Z0-9_]+)\}", block.text):
        monkeypatch.setenv(name, "json://127.0.0.1:9/0123456789" if name == "APPRISE_URL" else "secret-0123456789")
    for key, name in files_of(raw):
        make(tmp_path / name, key)
    (tmp_path / "prober.yaml").write_text(block.text if raw == yaml.safe_load(block.text) else yaml.safe_dump(raw))
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        status = main(["check", str(tmp_path / "prober.yaml")])
    assert status == 0, said.getvalue()


def files_of(raw: Any) -> Iterator[tuple[str, str]]:
    """Every file that a configuration names, with its key."""
    if isinstance(raw, dict):
        for key, value in raw.items():
            if isinstance(value, str) and (key.endswith("_file") or key in ("ca", "ics", "logo", "texts")):
                yield key, value
            else:
                yield from files_of(value)
    elif isinstance(raw, list):
        for value in raw:
            yield from files_of(value)


def make(path: Path, key: str) -> None:
    """A file, or the folder of texts, as it has to be."""
    if key == "texts":
        path.mkdir()
    elif key == "ca":
        trustme.CA().cert_pem.write_to_path(path)
    elif key == "ics":
        path.write_text("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n")
    elif key == "logo":
        path.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    else:
        path.write_text("secret-0123456789\n")


@of_kind("yaml receiver")
def test_every_receiver_is_one(block: Block) -> None:
    assert Receiver.model_validate(yaml.safe_load(block.text)).kind in KINDS


@of_kind("yaml pack")
def test_every_part_of_a_pack_fits_into_one(block: Block, tmp_path: Path) -> None:
    pack = packs.load("bird-email-enterprise", Path()).to_mapping()
    part = yaml.safe_load(block.text)
    pack["terms"] |= {
        name: {
            "means": "an example",
            "article": "silent",
            "kind": "choice",
            "choices": list(values),
            "default": next(iter(values)),
        }
        for name, values in choices_of(part)
    }
    (tmp_path / "ours.yaml").write_text(yaml.safe_dump(pack | part, allow_unicode=True))
    packs.load("ours.yaml", tmp_path)


def choices_of(part: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The terms by which a part's clocks are set: `within: {tariff: {basic: 24h}}`."""
    for clock in part["clocks"].values():
        if isinstance(clock["within"], dict):
            yield from ((name, values) for name, values in clock["within"].items() if name != "severity")


@of_kind("yaml prometheus")
def test_what_prometheus_is_given_names_what_there_is(block: Block) -> None:
    """Prometheus itself reads the whole set-up: tests/deploy, tests/grafana."""
    given = yaml.safe_load(block.text)
    alerts = (ROOT / "grafana" / "prometheus" / "alerts.rules.yaml").read_text(encoding="utf-8")
    assert [name for name in given["global"]["external_labels"] if f"$externalLabels.{name}" not in alerts] == []
    assert given["scrape_configs"][0]["job_name"] == "prober"


@of_kind("sh")
def test_every_command_runs_or_is_known(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = Sandbox(tmp_path, monkeypatch)
    for command in commands(block.text):
        sandbox.run(command)


@of_kind("json")
def test_every_piece_of_json_is_json(block: Block) -> None:
    assert json.loads(block.text)


@of_kind("python")
def test_every_piece_of_python_is_python(block: Block) -> None:
    compile(block.text, str(block), "exec")


def test_commands_in_running_text_are_known() -> None:
    looked_at = 0
    for document, span in spans():
        for words in (command.words for command in commands(span) if span.startswith("prober ")):
            if words[0] != "prober" or len(words) == 1 or "..." in words or words[1] == "COMMAND":
                continue
            looked_at += 1
            known_or_named([PLACEHOLDERS.get(word, word) for word in words[1:]], f"{document}: {span}")
    assert looked_at > 50


def known_or_named(words: list[str], where: str) -> None:
    """A command line that the program takes, or its first words alone, as one names a command in a sentence."""
    assert words[0] in COMMANDS or words[0].startswith("-"), where
    said = unknown(words)
    assert said == "" or "are required" in said, where  # `prober run`: what it needs is left out in a sentence


def test_the_steps_that_the_http_api_takes_are_all_told() -> None:
    text = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
    told = text[text.index("The steps:") :].partition(".\n")[0]
    assert set(re.findall(r"`(\w+)`", told)) == {kind.value for kind in EntryKind}


def test_every_route_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from asking import Desk

    text = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
    text += (ROOT / "docs" / "status-page.md").read_text(encoding="utf-8")
    paths = [re.sub(r"\{[a-z:]+\}", "*", route.path).partition("/*")[0] or "/" for route in Desk().app.inner.routes]
    assert len(paths) > 20
    assert [path for path in paths if path not in text] == []


def test_what_is_not_run_still_exists() -> None:
    assert set(NOT_RUN) <= set(COMMANDS)
    used = {command.program for block in BLOCKS if block.kind == "sh" for command in commands(block.text)}
    assert sorted(set(OTHERS) - used - {"kill", "promtool", "python", "systemctl", "systemd-analyze"}) == []
    named = " ".join([*NOT_RUN.values(), *OTHERS.values()])
    assert [path for path in re.findall(r"tests/[\w/]+\.py", named) if not (ROOT / path).is_file()] == []
    assert READS


def test_tests_that_are_named_exist() -> None:
    for document in ("README.md", "docs/tested.md", "grafana/README.md"):
        for name in re.findall(r"`((?:tests/[\w/]+/)?test_\w+\.py)`", (ROOT / document).read_text(encoding="utf-8")):
            found = [ROOT / name] if "/" in name else list((ROOT / "tests").rglob(name))
            assert [path for path in found if path.is_file()], f"{document} names {name}"


def test_metrics_that_are_named_are_told_by_the_program() -> None:
    listed = set(
        re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    named = {(name, document) for document, span in spans() for name in re.findall(r"\bprobe[r]?_[a-z_]+[a-z]\b", span)}
    assert len(named) > 40
    assert [each for each in sorted(named) if each[0] not in listed and each[0] not in OTHER_WORDS] == []


#: Words of this shape that are no metrics: a setting, families in short, and what /probe alone tells.
OTHER_WORDS = frozenset({"probe_any_target", "prober_alert", "prober_process"})


def test_every_text_that_can_be_ones_own_is_named() -> None:
    text = (ROOT / "docs" / "texts.md").read_text(encoding="utf-8")
    texts = sorted(path.name for path in (ROOT / "prober" / "deliver" / "templates").glob("*.j2"))
    assert texts
    assert [name for name in texts if f"`{name}`" not in text] == []


def test_settings_that_are_named_exist() -> None:
    known_keys = {
        (path.removesuffix("[]").rpartition(".")[2], key.name)
        for path, section in sections(Settings)
        for key in keys(section)
    }
    heads = {head for head, _ in known_keys}
    named = [
        (tuple(found.groups()), document)
        for document, span in spans()
        if (found := re.fullmatch(r"([a-z_]+)\.([a-z_]+)(?::.*)?", span)) and found[1] in heads
    ]
    assert len(named) > 15
    assert [each for each in named if each[0] not in known_keys and each[0][0] != "terms"] == []
