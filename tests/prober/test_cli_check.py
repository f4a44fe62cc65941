"""The command line: it starts fast, explains itself, and `prober check` says what is wrong, unwise and made a month."""

import contextlib
import errno
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from prober import advice, cli
from prober.cli import COMMANDS, main
from prober.config import load
from prober.errors import Exit, ProberError, UsageError
from prober.fields import DURATION
from prober.version import version

HERE = Path(__file__).parent
EXAMPLE = HERE / "example.yaml"
ROOT = HERE.parents[1]
VARIABLES = {"BIRD_API_KEY": "key-of-bird-0123456789", "RELAY_PASSWORD": "password-of-relay"}

PUBLIC_CONTROL = 'controls: [{name: dns, tcp: "9.9.9.9:53"}]\n'
ON_CALL = 'on_call: [{webhook: {url: "http://127.0.0.1/page"}}]\n'
RELAYS = "relays: [{host: mx1.example.com, port: 25}]\n"
SERVICE = """\
services:
  bird:
    contract: bird-email-enterprise
    terms: {hotline: "+1 555 0100"}
    tickets: [{email: {to: support@vendor.example, from: oncall@example.com}}]
    hotline: [{webhook: {url: "http://127.0.0.1/hotline"}}]
    channels:
      api:
        - {name: account, url: "https://api.example.com/account"}
      smtp:
        - {name: injection, host: smtp.vendor.example, mail: {from: a@example.com, to: b@example.com}}
"""
WELL = PUBLIC_CONTROL + ON_CALL + RELAYS + SERVICE


def warnings_of(text: str, tmp_path: Path) -> list[str]:
    path = tmp_path / "prober.yaml"
    path.write_text(text, encoding="utf-8")
    loaded = load(path, {})
    return list(advice.warnings(loaded.settings, loaded.base))


def only_warning(text: str, tmp_path: Path) -> str:
    (warning,) = warnings_of(text, tmp_path)
    return warning


def test_a_token_that_can_be_guessed_is_warned_of_and_not_shown(tmp_path: Path) -> None:
    said = only_warning(WELL + "web: {token: hunter2}\n", tmp_path)
    assert said.startswith("web.token: is shorter than 16 characters. ")
    assert "hunter2" not in said
    assert warnings_of(WELL + "web: {token: 8f14e45fceea167a}\n", tmp_path) == []


@pytest.mark.parametrize(
    ("key", "url", "warned"),
    [
        ("a" * 20, "", True),  # as of the REST API
        ("a" * 20, ', url: "https://events.eu.pagerduty.com/v2/enqueue"', True),
        ("a" * 20, ', url: "https://pager.example.com/v2/enqueue"', False),  # what stands in for it has keys of its own
        ("a" * 32, "", False),
    ],
)
def test_a_pagerduty_key_of_another_length_is_warned_of_and_not_shown(
    key: str, url: str, warned: bool, tmp_path: Path
) -> None:
    said = warnings_of(WELL.replace(ON_CALL, f"on_call: [{{pagerduty: {{routing_key: {key}{url}}}}}]\n"), tmp_path)
    assert bool(said) is warned
    assert all(one.startswith("on_call[0].pagerduty.routing_key: has 20 characters") for one in said)
    assert key not in "".join(said)


TEMPLATE = """\
on_call:
  - template:
      open: {url: "https://pager.example.com/alerts", reference: id}
      add: {method: DELETE, url: "https://pager.example.com/alerts/{{ ticket | quote }}"}
"""
FIND = """\
      find: {method: GET, url: "https://pager.example.com/alerts?key={{ mark }}", reference: 0.id}
"""


def test_a_pager_whose_resolves_would_all_be_refused_is_warned_of(tmp_path: Path) -> None:
    paged = WELL.replace(ON_CALL, TEMPLATE)
    assert only_warning(paged, tmp_path).startswith("on_call[0].template.add.url: names ticket, which a page's resolve")
    assert warnings_of(paged.replace(TEMPLATE, TEMPLATE + FIND), tmp_path) == []
    assert warnings_of(paged.replace("{{ ticket", "{{ opened"), tmp_path) == []


# prober check


def test_the_example_is_ok_and_tells_its_calls_and_mails_a_month(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert main(["check", str(EXAMPLE)]) == Exit.OK
    said = capsys.readouterr()
    assert [line.split() for line in said.out.splitlines()[:4]] == [
        ["in", "30", "days", "every", "calls", "mails"],
        ["bird", "api", "account", "1s", "2,592,000", "0"],
        ["bird", "smtp", "injection", "1s", "2,592,000", "2,592,000"],
        ["total", "5,184,000", "2,592,000"],
    ]
    assert said.out.splitlines()[-1] == f"{EXAMPLE}: ok"
    assert "warning" not in said.out
    assert said.err == ""


def test_errors_go_to_standard_error_with_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(HERE / "bad_configs" / "unknown_mode.yaml")]) == Exit.FAILED
    said = capsys.readouterr()
    assert said.out == ""
    error, count = said.err.splitlines()
    assert error.endswith("unknown_mode.yaml:4: services.bird.mode: is none of observe, ask, act; write one of them")
    assert count == "1 error"


def test_what_check_prints_fits_into_80_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "a-service-with-a-name-that-is-as-long-as-a-name-may-ever-be-here"
    path = tmp_path / "prober.yaml"
    path.write_text(SERVICE.replace("bird:", f"{long}:").replace("account,", f"{long},"))
    monkeypatch.chdir(tmp_path)
    assert main(["check", "prober.yaml"]) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("warning: ") for line in lines)
    assert [line for line in lines if len(line) > 80] == []


def test_many_endpoints_are_summed_by_channel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many = "".join(f'        - {{name: a{n}, url: "http://127.0.0.1/", every: {1 + n % 2}s}}\n' for n in range(50))
    few = "      smtp:\n        - {name: s, host: 127.0.0.1, depth: ehlo}\n"
    path = tmp_path / "prober.yaml"
    path.write_text(f"services:\n  bird:\n    contract: bird-email-enterprise\n    channels:\n      api:\n{many}{few}")
    assert main(["check", str(path)]) == Exit.OK
    table = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(("bird", "total"))]
    assert table == [
        ["bird", "api", "50", "endpoints", "97,200,000", "0"],
        ["bird", "smtp", "1", "endpoint", "1s", "2,592,000", "0"],
        ["total", "99,792,000", "0"],
    ]


def test_what_is_said_of_many_places_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    smtp = "".join(f"        - {{name: s{n}, host: 127.0.0.1, depth: ehlo}}\n" for n in range(50))
    path = tmp_path / "prober.yaml"
    path.write_text(f"services:\n  bird:\n    contract: bird-email-enterprise\n    channels:\n      smtp:\n{smtp}")
    assert main(["check", str(path)]) == Exit.OK
    notes = capsys.readouterr().out.replace("\n  ", " ").splitlines()
    (note,) = [line for line in notes if line.startswith("note: ") and "gives up after" in line]
    where = "services.bird.channels.smtp"
    assert note.startswith(f"note: {where} s0, {where} s1, {where} s2 and 47 more: gives up after 10s. ")


def test_mails_are_counted_by_what_an_endpoint_s_own_pace_injects(tmp_path: Path) -> None:
    path = tmp_path / "prober.yaml"
    path.write_text(WELL.replace("name: injection,", "name: injection, every: 10s,"))
    (api, smtp) = advice.loads(load(path, {}).settings)
    assert (api.calls, api.mails) == (2_592_000, 0)
    assert (smtp.calls, smtp.mails) == (259_200, 259_200)


# warnings


def test_a_configuration_that_is_well_made_gives_no_warning(tmp_path: Path) -> None:
    assert warnings_of(WELL, tmp_path) == []


def test_no_control_is_warned_of(tmp_path: Path) -> None:
    warning = only_warning(WELL.replace(PUBLIC_CONTROL, ""), tmp_path)
    assert warning.startswith("controls: there is none.")
    assert "no second is unavailable by it" in warning


@pytest.mark.parametrize(
    "control",
    [
        '{name: a, tcp: "10.0.0.1:53"}',
        '{name: a, tcp: "[fd00::1]:53"}',
        '{name: a, url: "http://192.168.1.1/"}',
        '{name: a, url: "http://localhost/"}',
        '{name: a, tcp: "127.0.0.1:53"}, {name: b, tcp: "172.16.0.1:53"}',
        '{name: a, url: "http://reference.example.com/", resolve: [10.0.0.1]}',
        '{name: a, tcp: "[::ffff:10.0.0.1]:53"}',
    ],
)
def test_controls_that_are_all_private_are_warned_of(control: str, tmp_path: Path) -> None:
    warning = only_warning(WELL.replace(PUBLIC_CONTROL, f"controls: [{control}]\n"), tmp_path)
    assert warning.startswith("controls: all are in private address ranges.")


@pytest.mark.parametrize(
    "control",
    [
        '{name: a, tcp: "10.0.0.1:53"}, {name: b, tcp: "9.9.9.9:53"}',
        '{name: a, url: "http://reference.example.com/"}',
        '{name: a, tcp: "192.0.2.53:53"}',
        '{name: a, tcp: "[2001:db8::1]:53"}',
    ],
)
def test_one_control_outside_is_enough(control: str, tmp_path: Path) -> None:
    assert warnings_of(WELL.replace(PUBLIC_CONTROL, f"controls: [{control}]\n"), tmp_path) == []


@pytest.mark.parametrize(
    ("relay", "endpoint"),
    [
        ("host: smtp.vendor.example, port: 25", "host: smtp.vendor.example"),
        ("host: SMTP.vendor.example., port: 587", "host: smtp.vendor.example"),
        ("host: 9.9.9.9, port: 25", "host: 9.9.9.9, port: 587"),
        ("host: 9.9.9.9, port: 25", "host: smtp.vendor.example, resolve: [9.9.9.9]"),
        ("host: 127.0.0.1, port: 2525", "host: localhost, port: 2525"),
        ("host: localhost, port: 2525", "host: 127.0.0.1, port: 2525"),
    ],
)
def test_a_relay_that_is_the_service_is_warned_of(relay: str, endpoint: str, tmp_path: Path) -> None:
    text = WELL.replace("host: smtp.vendor.example", endpoint).replace("host: mx1.example.com, port: 25", relay)
    warning = only_warning(text, tmp_path)
    assert warning.startswith("relays[0]: ")
    assert "is services.bird.channels.smtp injection. A ticket never leaves by the service it is about" in warning


def test_a_relay_may_stand_on_the_service_s_private_address_at_another_port(tmp_path: Path) -> None:
    text = WELL.replace("host: smtp.vendor.example", "host: 127.0.0.1, port: 2525")
    assert warnings_of(text.replace("host: mx1.example.com, port: 25", "host: 127.0.0.1, port: 2526"), tmp_path) == []


def test_a_relay_that_is_the_api_s_host_is_the_service_too(tmp_path: Path) -> None:
    text = WELL.replace("host: mx1.example.com, port: 25", "host: api.example.com, port: 25")
    assert "is services.bird.channels.api account" in only_warning(text, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "where", "kinds"),
    [
        (
            '{name: account, url: "https://api.example.com/account"}',
            '{name: account, url: "https://api.example.com/a"}\n        - {name: send, method: POST, url: "https://x.example/"}',
            "services.bird.channels.api",
            "account (a reading call), send (a sending call)",
        ),
        (
            "{name: injection,",
            "{name: banner, host: smtp.vendor.example, depth: banner}\n        - {name: injection,",
            "services.bird.channels.smtp",
            "banner (a dialogue up to banner), injection (an injection)",
        ),
    ],
)
def test_endpoints_of_different_kinds_in_one_channel_are_warned_of(
    old: str, new: str, where: str, kinds: str, tmp_path: Path
) -> None:
    warning = only_warning(WELL.replace(old, new), tmp_path)
    assert warning.startswith(
        f"{where}: endpoints of different kinds: {kinds}. A healthy cheap one hides failing sends"
    )


@pytest.mark.parametrize(
    ("condition", "changes"),
    [
        ("blind", {"[failing, blind]": "[failing]"}),
        ("partial", {"  partial:\n": "  failing:\n", "[failing, blind]": "[blind]"}),
    ],
)
def test_a_condition_that_an_agreement_of_ones_own_forgets_is_warned_of(
    condition: str, changes: dict[str, str], tmp_path: Path
) -> None:
    text = (ROOT / "rules/contracts/packs/bird-email-enterprise.yaml").read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    (tmp_path / "ours.yaml").write_text(text)
    warning = only_warning(WELL.replace("contract: bird-email-enterprise", "contract: ours.yaml"), tmp_path)
    assert warning.startswith("services.bird.contract: Bird Email Enterprise does not say what follows from")
    assert f"`{condition}`: nobody is told of it." in warning


def test_a_channel_that_is_called_too_seldom_to_persist_alone_is_warned_of(tmp_path: Path) -> None:
    warning = only_warning(WELL.replace("{name: injection,", "{name: injection, every: 10s,"), tmp_path)
    assert warning.startswith("services.bird.channels.smtp: is called every 10s, the other channel every 1s.")
    assert "10% of the measured seconds are unavailable at most, less than persistence.share (90%)" in warning


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (ON_CALL, "", "on_call: nobody is paged"),
        (RELAYS, "", "relays: tickets or pages go by mail, and there is no relay that takes it"),
        (
            "    tickets: [{email: {to: support@vendor.example, from: oncall@example.com}}]\n",
            "",
            "services.bird.tickets: Bird Email Enterprise asks for a ticket, and nobody takes it",
        ),
        (
            '    hotline: [{webhook: {url: "http://127.0.0.1/hotline"}}]\n',
            "",
            "services.bird.hotline: Bird Email Enterprise has a hotline, and nobody is told to call it",
        ),
        ('    terms: {hotline: "+1 555 0100"}\n', "", "services.bird.terms.hotline: the hotline's number is not given"),
        (
            'url: "https://api.example.com/account"',
            'url: "https://api.example.com/account", verify: false',
            "services.bird.channels.api account: verify: false takes any certificate",
        ),
        (
            'url: "https://api.example.com/account"',
            'url: "http://api.example.com/account", headers: {Accept: x, X-Api-Key: secret-key}',
            "services.bird.channels.api account: X-Api-Key goes over plain http",
        ),
        (
            "host: smtp.vendor.example,",
            "host: smtp.vendor.example, tls: none, login: {username: x, password: secret},",
            "services.bird.channels.smtp injection: tls: none sends the password in the clear",
        ),
        (
            "port: 25}",
            "port: 25, tls: none, username: x, password: secret}",
            "relays[0]: tls: none sends the password in the clear",
        ),
    ],
)
def test_what_is_unwise_is_warned_of(old: str, new: str, says: str, tmp_path: Path) -> None:
    assert old in WELL
    assert only_warning(WELL.replace(old, new), tmp_path).startswith(says)


def test_what_stays_on_this_machine_needs_no_tls(tmp_path: Path) -> None:
    text = WELL.replace('"https://api.example.com/account"', '"http://localhost/", headers: {X-Api-Key: secret-key}')
    text = text.replace("host: smtp.vendor.example,", "host: 127.0.0.1, tls: none, login: {username: x, password: s},")
    assert warnings_of(text, tmp_path) == []


def test_on_call_by_mail_needs_a_relay_and_tickets_by_webhook_need_none(tmp_path: Path) -> None:
    ticket = "email: {to: support@vendor.example, from: oncall@example.com}"
    assert ticket in WELL
    hooked = WELL.replace(RELAYS, "").replace(ticket, 'webhook: {url: "http://127.0.0.1/ticket"}')
    assert warnings_of(hooked, tmp_path) == []
    mailed = hooked.replace(ON_CALL, "on_call: [{email: {to: a@example.com, from: b@example.com}}]\n")
    assert only_warning(mailed, tmp_path).startswith("relays: tickets or pages go by mail")


# prober schema


def valid(value: Any, schema: Mapping[str, Any], top: Mapping[str, Any]) -> bool:
    """Whether a value fits a JSON Schema, of the few words that ours uses."""
    if "$ref" in schema:
        return valid(value, top["$defs"][schema["$ref"].removeprefix("#/$defs/")], top)
    if "anyOf" in schema:
        return any(valid(value, each, top) for each in schema["anyOf"])
    types: dict[str, type | tuple[type, ...]] = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "array": list,
        "object": dict,
    }
    kind = schema.get("type")
    if kind == "null":
        return value is None
    if kind is None:
        return True
    if not isinstance(value, types[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return False
    fits: Any = value  # its type is the schema's from here on
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "pattern" in schema and not re.search(schema["pattern"], fits):
        return False
    if kind in ("integer", "number"):
        return bool(schema.get("minimum", fits) <= fits <= schema.get("maximum", fits))
    if kind == "array":
        return all(valid(item, schema["items"], top) for item in fits)
    return kind != "object" or valid_mapping(fits, schema, top)


def valid_mapping(value: dict[str, Any], schema: Mapping[str, Any], top: Mapping[str, Any]) -> bool:
    if any(key not in value for key in schema.get("required", ())):
        return False
    for key, item in value.items():
        found = [each for pattern, each in schema.get("patternProperties", {}).items() if re.search(pattern, key)]
        rule = schema.get("properties", {}).get(key) or (
            found[0] if found else schema.get("additionalProperties", False)
        )
        if rule is False or (rule is not True and not valid(item, rule, top)):
            return False
    return True


def schema_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["schema"]) == Exit.OK
    schema: dict[str, Any] = json.loads(capsys.readouterr().out)
    return schema


def test_the_schema_takes_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    schema = schema_of(capsys)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert valid(yaml.safe_load(EXAMPLE.read_text()), schema, schema)


@pytest.mark.parametrize(
    "name",
    [
        "unknown_keys",
        "durations",
        "unknown_mode",
        "missing_keys",
        "wrong_shapes",
        "out_of_range",
        "store",
        "no_services",
    ],
)
def test_the_schema_refuses_what_the_program_refuses(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    schema = schema_of(capsys)
    assert not valid(yaml.safe_load((HERE / "bad_configs" / f"{name}.yaml").read_text()), schema, schema)


@pytest.mark.parametrize(
    ("changed", "fits"),
    [
        ({"mode": "${MODE}"}, True),
        ({"every": "${EVERY}"}, True),
        ({"persistence": {"share": "${SHARE}"}}, True),
        ({"channels": {"smtp": [{"name": "s", "host": "h", "port": "${PORT}", "depth": "banner"}]}}, True),
        ({"channels": {"api": [{"name": "a", "url": "${URL}", "verify": "${V}", "hold": "${H}"}]}}, True),
        ({"channels": {"api": [{"name": "a", "url": "http://h/", "expect": {"status": ["${S}"]}}]}}, True),
        ({"mode": "$MODE"}, False),
        ({"persistence": {"share": "most"}}, False),
    ],
)
def test_the_schema_takes_a_variable_for_every_value(
    changed: dict[str, Any], fits: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = schema_of(capsys)
    service = {"contract": "bird-email-enterprise", "channels": {}, **changed}
    assert valid({"services": {"bird": service}}, schema, schema) is fits


def test_the_schema_wants_a_service_and_names_that_are_names(capsys: pytest.CaptureFixture[str]) -> None:
    schema = schema_of(capsys)
    services = schema["properties"]["services"]
    assert (services["minProperties"], services["additionalProperties"]) == (1, False)


def test_the_schema_knows_files_of_secrets_durations_and_what_each_section_is_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    schema = schema_of(capsys)
    assert {"password", "password_file"} <= schema["$defs"]["Login"]["properties"].keys()
    assert schema["$defs"]["Service"]["properties"]["every"]["anyOf"][0]["pattern"] == DURATION
    assert schema["$defs"]["Service"]["properties"]["every"]["default"] == "1s"
    assert [name for name, each in schema["$defs"].items() if not each.get("description")] == []
    assert "from" in schema["$defs"]["Mail"]["properties"]


# the command line itself


def test_help_names_every_command_and_fits_into_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--help"]) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    for command, purpose in COMMANDS.items():
        assert any(re.match(rf"\s+{command}\s+{re.escape(purpose[:30])}", line) for line in lines), command


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == Exit.OK
    assert capsys.readouterr().out == f"prober {version()}\n"
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert version() in (declared, "0+source")


@pytest.mark.parametrize(
    "arguments", [[], ["chekc"], ["check"], ["check", "a", "b"], ["--colour"], ["schema", "--now"]]
)
def test_bad_usage_is_status_2_with_a_usage_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == Exit.USAGE
    assert capsys.readouterr().err.startswith("usage: prober")


def test_nothing_heavy_is_loaded_before_a_command_is_chosen() -> None:
    script = "import sys; from prober.cli import main; main(['--version']); print(sorted(sys.modules))"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    for heavy in ("pydantic", "yaml", "asyncio", "httpx", "rich", "prober.settings"):
        assert f"'{heavy}'" not in said


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "prober", "--version"], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, f"prober {version()}\n")


@pytest.mark.parametrize(
    ("error", "status"), [(ProberError("it broke"), Exit.FAILED), (UsageError("no such service"), Exit.USAGE)]
)
def test_an_error_is_a_sentence_and_a_status_and_no_traceback(
    error: ProberError, status: Exit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: list[str]) -> int:
        raise error

    monkeypatch.setattr(cli, "_run", fail)
    assert main(["schema"]) == status
    assert capsys.readouterr().err == f"prober: {error}\n"


def test_ctrl_c_ends_a_command_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupted)
    assert main(["schema"]) == 130
    assert capsys.readouterr() == ("", "")


#: As everybody has it whose environment does not say PYTHONUNBUFFERED.
BUFFERED = {**os.environ, "PYTHONUNBUFFERED": ""}


@pytest.mark.parametrize("command", ["schema", "--help", "--version"])
def test_a_reader_that_leaves_early_gets_no_traceback(command: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    line = [sys.executable, "-m", "prober", command]
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(line, stdout=closed, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=BUFFERED)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("command", ["schema", "--help", "--version"])
def test_a_full_disk_is_said_without_a_traceback(command: str) -> None:
    line = [sys.executable, "-m", "prober", command]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=BUFFERED)
    assert (done.returncode, done.stderr) == (1, "prober: cannot write: No space left on device\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", [["check", "nowhere.yaml"], ["seconds"], ["run", "nowhere.yaml"]])
def test_errors_that_nobody_takes_leave_the_exit_status_as_it_is(command: list[str], unbuffered: str) -> None:
    """`RestartPreventExitStatus=2` of the unit goes by it."""
    environ = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    line = [sys.executable, "-m", "prober", *command]
    with Path("/dev/full").open("wb") as full:
        told = subprocess.run(line, capture_output=True, cwd=ROOT, env=environ)
        done = subprocess.run(line, stderr=full, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL)
    assert done.returncode == told.returncode != 0


@pytest.mark.parametrize(
    "command",
    [
        ["check", "prober.yaml"],
        ["once", "prober.yaml"],
        ["run", "prober.yaml"],
        ["incidents", "--config", "prober.yaml"],
        ["drill", "--dry", "prober.yaml"],
        ["contracts", "check", "pack.yaml"],
        ["demo", "--dir", "demo"],
    ],
)
def test_a_working_directory_that_was_removed_is_said_without_a_traceback(tmp_path: Path, command: list[str]) -> None:
    """As where a deployment replaced the folder under a shell."""
    away = tmp_path / "away"
    away.mkdir()
    line = f'rmdir "{away}"; exec "{sys.executable}" -P -m prober {shlex.join(command)}'
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, cwd=away)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert "No such file or directory" in done.stderr + done.stdout
    assert command[-1] in done.stderr + done.stdout


def test_where_no_folder_can_be_made_the_demo_says_how_to_name_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(**_: object) -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.mkdtemp", none)
    assert main(["demo"]) == 2
    assert capsys.readouterr().err == (
        "prober: no folder can be made for it (No usable temporary directory found); name one by --dir\n"
    )


LATIN = {**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
RUSSIAN = [sys.executable, "-m", "prober", "contracts", "show", "360dialog"]


def test_a_file_or_pipe_gets_utf_8_whatever_the_terminal_has() -> None:
    done = subprocess.run([*RUSSIAN, "--format", "yaml"], capture_output=True, cwd=ROOT, env=LATIN)
    assert (done.returncode, done.stderr) == (0, b"")
    assert yaml.safe_load(done.stdout)["document"]["title"].startswith("Руководство"), (
        "as `prober contracts check` reads it"
    )


def test_a_terminal_gets_escapes_for_what_it_cannot_show() -> None:
    terminal, inner = os.openpty()
    with subprocess.Popen(RUSSIAN, stdout=inner, stderr=subprocess.PIPE, cwd=ROOT, env=LATIN) as showing:
        os.close(inner)
        said = b""
        with contextlib.suppress(OSError):  # which is how a terminal ends
            while more := os.read(terminal, 4096):
                said += more
        assert showing.stderr is not None
        assert showing.stderr.read() == b""
    os.close(terminal)
    assert showing.returncode == 0
    assert rb"Document: \u0420\u0443\u043a" in said


@pytest.mark.parametrize(
    ("closed", "status", "said"),
    [(">&-", 0, ""), ("<&- >&-", 0, ""), ("2>&-", 0, "prober "), ("<&- >&- 2>&-", 0, "")],
)
def test_a_closed_stream_changes_nothing_but_what_is_heard(closed: str, status: int, said: str) -> None:
    line = f'"{sys.executable}" -m prober --version {closed}'
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout[: len(said)], done.stderr) == (status, said, "")


def test_a_closed_stream_does_not_send_errors_elsewhere() -> None:
    line = f'"{sys.executable}" -m prober check nowhere.yaml 2>&-'
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (1, ""), "errors went to standard output"


# prober contracts


def test_the_built_in_packs_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contracts"]) == Exit.OK
    assert "bird-email-enterprise    Bird Email Enterprise" in capsys.readouterr().out.splitlines()
    assert main(["contracts", "show", "bird-email-enterprise", "--format", "yaml"]) == Exit.OK
    assert yaml.safe_load(capsys.readouterr().out)["conditions"]["unavailable"]["severity"] == "critical"


def test_a_pack_of_one_s_own_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["contracts", "show", "bird-email-enterprise", "--format", "yaml"]) == Exit.OK
    (tmp_path / "ours.yaml").write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["contracts", "check", "ours.yaml"]) == Exit.OK
    assert capsys.readouterr().out == "ours.yaml: ok (Bird Email Enterprise)\n"
    (tmp_path / "ours.yaml").write_text("name: ours\n")
    assert main(["contracts", "check", "ours.yaml"]) == Exit.FAILED
    assert "ours.yaml is not right" in capsys.readouterr().err
