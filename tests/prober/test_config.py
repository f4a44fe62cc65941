"""A configuration file becomes settings, or an error for everything that is wrong with it."""

import contextlib
import json
import os
import re
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from prober import config, patient, yamlread
from prober.checks import receiver_names
from prober.config import ConfigError, from_raw, load
from prober.settings import Settings, format_duration, parse_duration, vendor_of
from prober.shape import known_keys, type_at

HERE = Path(__file__).parent
BAD = HERE / "bad_configs"
EXAMPLE = HERE / "example.yaml"
VARIABLES = {"BIRD_API_KEY": "key-of-bird-0123456789", "RELAY_PASSWORD": "password-of-relay"}

SMALL = """\
services:
  bird:
    contract: bird-email-enterprise
    channels: {api: [{name: account, url: "http://127.0.0.1/"}]}
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "prober.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def settings_of(path: Path, **environ: str) -> Settings:
    return load(path, environ).settings


def errors_of(path: Path, **environ: str) -> list[str]:
    """The errors without the file's name: "line: place: what is wrong"."""
    with pytest.raises(ConfigError) as caught:
        load(path, environ)
    return [error.removeprefix(f"{path}:") for error in caught.value.errors]


def endpoint(*lines: str) -> str:
    """A configuration with one API endpoint that has these lines too."""
    head = SMALL.splitlines()[:3]
    body = ["    channels:", "      api:", "        - name: account", "          url: https://127.0.0.1/"]
    return "\n".join([*head, *body, *(f"          {line}" for line in lines)]) + "\n"


# the example


def test_the_example_of_the_design_loads_as_it_stands() -> None:
    settings = load(EXAMPLE, VARIABLES).settings
    bird = settings.services["bird"]
    account, injection = bird.channels.api[0], bird.channels.smtp[0]
    assert settings.customer.contact.phone == "+49 30 1234567"
    assert account.headers["Authorization"].get_secret_value() == VARIABLES["BIRD_API_KEY"]
    assert account.expect.status == ("200",)
    assert injection.login is not None
    assert injection.login.password is not None
    assert injection.login.password.get_secret_value() == VARIABLES["BIRD_API_KEY"]
    assert injection.mail is not None
    assert injection.mail.from_ == "probe@example.com"
    assert (bird.every, bird.timeout, bird.persistence.for_) == (1000, 10_000, 60_000)
    assert bird.terms == {"hotline": "+1 555 0100", "time_zone": "Europe/Amsterdam"}
    assert [control.name for control in settings.controls] == ["dns", "reference"]
    assert bird.hotline[0].webhook is not None


def test_the_example_fails_without_its_variables_and_names_each_with_its_line() -> None:
    assert [error.split(";")[0] for error in errors_of(EXAMPLE)] == [
        "11: relays[0].password: the environment has no variable RELAY_PASSWORD",
        "25: services.bird.channels.api[0].headers.Authorization: the environment has no variable BIRD_API_KEY",
        "32: services.bird.channels.smtp[0].login.password: the environment has no variable BIRD_API_KEY",
    ]


# whatever else a file holds


_JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["1s", "${X}", "a@b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_a_file_loads_or_gives_a_configuration_error_wherever_it_holds_junk(data: st.DataObject) -> None:
    tree = yaml.safe_load(EXAMPLE.read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        here = tree
        while isinstance(here, (dict, list)) and here:
            key = data.draw(st.sampled_from(list(here) if isinstance(here, dict) else range(len(here))))
            if not isinstance(here[key], (dict, list)) or data.draw(st.booleans()):
                here[key] = data.draw(_JUNK)
                break
            here = here[key]
    with contextlib.suppress(ConfigError):
        assert isinstance(from_raw(tree, HERE), Settings)


@given(place=st.floats(0, 1), what=st.binary(min_size=1, max_size=6), cut=st.integers(0, 40))
@settings(deadline=None, max_examples=150)
def test_a_file_loads_or_gives_a_configuration_error_whatever_bytes_it_holds(
    place: float, what: bytes, cut: int
) -> None:
    text = EXAMPLE.read_bytes()
    at = int(place * len(text))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prober.yaml"
        path.write_bytes(text[:at] + what + text[at + cut :])
        said = ""
        try:
            load(path, VARIABLES)
        except ConfigError as error:
            said = str(error)
        assert all(line.startswith(f"{path}:") for line in said.splitlines())
        assert not any(secret in said for secret in VARIABLES.values())


# errors


@pytest.mark.parametrize("path", sorted(BAD.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_bad_configuration_gives_the_error_that_lies_beside_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    with pytest.raises(ConfigError) as caught:
        load(Path(path.name), {"PROBER_TEST_SECRET": "s3cr3t value"})
    said = str(caught.value).replace(f"{BAD}/", "")
    assert said == path.with_suffix(".error").read_text().removesuffix("\n")
    assert "s3cr3t" not in said, "an error shows what a variable holds"


def test_every_expected_error_has_its_bad_configuration() -> None:
    assert {path.stem for path in BAD.glob("*.error")} == {path.stem for path in BAD.glob("*.yaml")}


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file; check the path"):
        load(tmp_path / "nowhere.yaml", {})


def test_a_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a directory; name the configuration file in it"):
        load(tmp_path, {})


def test_a_file_that_the_system_cannot_open_is_one_clear_error(write: Write) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Not a directory"):
        load(write(SMALL) / "below", {})


def test_a_huge_file_is_refused_before_it_is_parsed(write: Write) -> None:
    path = write(SMALL + "#" * (yamlread.MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="larger than 5 MiB"):
        load(path, {})


def test_hundreds_of_errors_are_counted_and_the_first_ones_shown(write: Write) -> None:
    path = write(SMALL + "".join(f"key{number}: 1\n" for number in range(150)))
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert len(caught.value.errors) == 150
    assert str(caught.value).splitlines()[-1] == "... and 50 more"


def test_errors_in_different_places_of_one_list_keep_their_places(write: Write) -> None:
    controls = '  - {tcp: "a"}\n  - {name: ok, tcp: "192.0.2.1:53"}\n  - {name: ok, tcp: "192.0.2.2:53"}\n'
    assert [error.split(";")[0] for error in errors_of(write("controls:\n" + controls + SMALL))] == [
        "2: controls[0].name: is missing",
        "2: controls[0].tcp: is not an address and a port",
        "4: controls[2].name: ok is the name of another control (controls[1])",
    ]


# variables


def test_a_variable_stands_for_its_value_anywhere_in_a_text(write: Write) -> None:
    path = write(f'location: "${{CITY}}-${{CITY}}"\n{SMALL}')
    assert settings_of(path, CITY="fra").location == "fra-fra"


def test_two_dollars_are_one_and_a_lone_dollar_stays(write: Write) -> None:
    path = write(endpoint('expect: {body: "^ok$"}', "headers: {X-Price: $$5}", 'body: "$$${CITY}"'))
    account = settings_of(path, CITY="fra").services["bird"].channels.api[0]
    assert account.expect.body == "^ok$"
    assert account.headers["X-Price"].get_secret_value() == "$5"
    assert account.body == "$fra"


def test_what_a_variable_holds_is_text_and_is_not_expanded_again(write: Write) -> None:
    path = write(f"location: ${{CITY}}\n{SMALL}")
    assert settings_of(path, CITY="12").location == "12"
    assert settings_of(path, CITY="true").location == "true"
    assert settings_of(path, CITY="${OTHER}$$").location == "${OTHER}$$"


def test_a_variable_may_hold_a_number_where_one_is_wanted(write: Write) -> None:
    path = write(f"relays: [{{host: mx.example.com, port: '${{PORT}}'}}]\n{SMALL}")
    assert settings_of(path, PORT="2525").relays[0].port == 2525


def test_a_variable_that_is_not_utf_8_is_refused(write: Write) -> None:
    errors = errors_of(write(f"location: ${{CITY}}\n{SMALL}"), CITY="\udcff")
    assert errors == ["1: location: the variable CITY is not UTF-8 text; correct it"]


def test_a_long_number_keeps_all_its_digits(write: Write) -> None:
    path = write(endpoint("expect: {json: {id: 1234567890123456789, big: 123456789012345678901234567890}}"))
    account = settings_of(path).services["bird"].channels.api[0]
    assert account.expect.json_ == {"id": 1234567890123456789, "big": 123456789012345678901234567890}


# secrets' files


@pytest.mark.parametrize("content", ["from-file", "from-file\n", "from-file\r\n"])
def test_a_secret_comes_from_a_file_without_its_last_line_break(write: Write, tmp_path: Path, content: str) -> None:
    (tmp_path / "secret").write_bytes(content.encode())
    relay = "relays: [{host: mx.example.com, username: x, password_file: secret}]\n"
    loaded = load(write(relay + SMALL), {})
    password = loaded.settings.relays[0].password
    assert password is not None
    assert password.get_secret_value() == "from-file"
    assert loaded.settings.relays[0].password_file is None, "one key is left for each secret"


def test_every_secret_has_its_file(write: Write, tmp_path: Path) -> None:
    (tmp_path / "s").write_text("http://from-file\n")
    hook = 'webhook: {url: "http://127.0.0.1/", hmac_key_file: s, headers_file: {X-Key: s}}'
    settings = settings_of(
        write(
            "web: {token_file: s}\n"
            f"on_call: [{{{hook}}}, {{pagerduty: {{routing_key_file: s}}}}]\n"
            + endpoint("engine: httpx", "proxy_file: s", "headers_file: {Authorization: s}")
        )
    )
    account, (hooked, paged) = settings.services["bird"].channels.api[0], settings.on_call
    assert hooked.webhook is not None
    assert paged.pagerduty is not None
    secrets = [
        settings.web.token,
        hooked.webhook.hmac_key,
        hooked.webhook.headers["X-Key"],
        paged.pagerduty.routing_key,
        account.proxy,
        account.headers["Authorization"],
    ]
    assert [secret.get_secret_value() for secret in secrets if secret] == ["http://from-file"] * 6


def test_a_file_too_large_for_a_secret_is_refused(write: Write, tmp_path: Path) -> None:
    (tmp_path / "s").write_text("x" * 70_000)
    assert errors_of(write("web: {token_file: s}\n" + SMALL)) == [
        "1: web.token_file: names a file of more than 64 KiB; a secret is shorter"
    ]


def test_headers_of_the_wrong_shape_are_told_beside_their_files(write: Write) -> None:
    errors = errors_of(write(endpoint("headers: none", "headers_file: {A: s}")))
    assert [error.split(",")[0] for error in errors] == ["8: services.bird.channels.api[0].headers: is text"]


def test_a_header_has_its_file_beside_it_as_every_other_secret(write: Write, tmp_path: Path) -> None:
    (tmp_path / "s").write_text("from-file\n")
    settings = settings_of(write(endpoint("headers: {Authorization_file: s, X-Plain: a}")))
    headers = settings.services["bird"].channels.api[0].headers
    assert {name: value.get_secret_value() for name, value in headers.items()} == {
        "Authorization": "from-file",
        "X-Plain": "a",
    }
    errors = errors_of(write(endpoint("headers: {A_file: nowhere, B: b, B_file: s}")))
    place = "8: services.bird.channels.api[0].headers"
    assert [error.split(";")[0] for error in errors] == [
        f"{place}.A_file: the file cannot be read: No such file or directory",
        f"{place}.B_file: is given in headers too",
    ]


@pytest.mark.parametrize("held", ["secret\n\n", "one\ntwo\n", "a\0b"])
def test_a_password_of_several_lines_is_refused_and_a_key_for_signatures_is_not(
    write: Write, tmp_path: Path, held: str
) -> None:
    """No relay would let us in with it, and that would show when the first ticket is to leave."""
    (tmp_path / "s").write_text(held)
    relay = "relays:\n  - host: mx.example.com\n    username: x\n    password_file: s\n"
    rest = "web: {token_file: s}\non_call: [{pagerduty: {routing_key_file: s}}]\n"
    assert [error.split(" (")[0] for error in errors_of(write(relay + rest + SMALL))] == [
        f"{place}: holds a line break or another control character"
        for place in ("4: relays[0].password_file", "5: web.token_file", "6: on_call[0].pagerduty.routing_key_file")
    ]
    settings_of(write("on_call: [{webhook: {url: 'http://127.0.0.1/', hmac_key_file: s}}]\n" + SMALL))


def test_a_byte_order_mark_is_no_part_of_a_secret(write: Write, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"\xef\xbb\xbfsecret\r\n")
    relay = "relays: [{host: mx.example.com, username: x, password_file: s}]\n"
    password = settings_of(write(relay + SMALL)).relays[0].password
    assert password is not None
    assert password.get_secret_value() == "secret"


# pipes


def test_a_configuration_comes_through_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = threading.Thread(target=pipe.write_text, args=(SMALL + "# " + "x" * 200_000,))
    writing.start()
    assert "bird" in load(pipe, {}).settings.services
    writing.join()


def test_a_pipe_that_nobody_writes_to_is_given_up(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patient, "PATIENCE", 0.05)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match=r"cannot be read: it is a pipe, and nobody wrote to it for 0\.05 seconds"):
        load(tmp_path / "pipe", {})
    (error,) = errors_of(write("web: {token_file: pipe}\n" + SMALL))
    assert error.startswith("1: web.token_file: the file cannot be read: it is a pipe, and nobody wrote to it")


def test_certificates_in_a_pipe_are_refused_and_not_waited_for(write: Write, tmp_path: Path) -> None:
    """They are read anew by each process; a second time a pipe holds nothing."""
    os.mkfifo(tmp_path / "pipe")
    text = (
        endpoint("ca: pipe", "client_cert: {cert: pipe, key: pipe}") + "controls: [{name: x, tcp: 'h:1', ca: pipe}]\n"
    )
    errors = errors_of(write(text))
    assert [error.split("; ")[0] for error in errors] == [
        f"{place}: the file cannot be read: it is a pipe or a device, and certificates are read more than once"
        for place in (
            "8: services.bird.channels.api[0].ca",
            "9: services.bird.channels.api[0].client_cert.cert",
            "10: controls[0].ca",
        )
    ]


def test_a_path_that_leads_nowhere_is_an_error_like_any_other(write: Write) -> None:
    errors = errors_of(write(endpoint("ca: ~nobody-of-this-name/ca.pem", "client_cert: {cert: '', password_file: ''}")))
    place = "services.bird.channels.api[0]"
    assert errors == [
        f"8: {place}.ca: begins with ~nobody-of-this-name, and nobody of that name is known here; write the whole path",
        f"9: {place}.client_cert.cert: is empty; write a path, or leave the key out",
        f"9: {place}.client_cert.password_file: is empty; write a path, or leave the key out",
    ]


# the link


def test_the_raw_configuration_gives_equal_settings_without_environment_and_files(write: Write, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from-file\n")
    text = "relays: [{host: '${HOST}', username: x, password_file: secret}]\n" + SMALL
    loaded = load(write(text), {"HOST": "mx.example.com"})
    secret.unlink()
    over_the_link = json.loads(json.dumps(loaded.raw))
    assert from_raw(over_the_link, loaded.base) == loaded.settings


def test_a_dollar_in_the_raw_configuration_is_not_expanded() -> None:
    services = {"x": {"contract": "bird-email-enterprise", "channels": {}}}
    assert from_raw({"location": "${HOME}$$", "services": services}, HERE).location == "${HOME}$$"


def test_a_bad_raw_configuration_is_told_without_lines() -> None:
    with pytest.raises(ConfigError, match=r"^relays\[0\]\.host: is missing; write the relay's name or address"):
        from_raw({"relays": [{"port": 25}]}, HERE)


def test_settings_that_nothing_can_save_are_told_all_the_same() -> None:
    with pytest.raises(ConfigError, match="is a list, and wants a mapping"):
        from_raw({"services": {"bird": {"contract": "x", "channels": [1]}}, "customer": [1]}, HERE)


# YAML


def test_yaml_1_1_traps_are_text(write: Write) -> None:
    contact = "customer: {company: on, contact: {name: no, phone: +4930123, email: 0123}}\nlocation: 10:30\n"
    settings = settings_of(write(contact + SMALL))
    contact_read = settings.customer.contact
    assert (settings.customer.company, contact_read.name, contact_read.phone) == ("on", "no", "+4930123")
    assert (contact_read.email, settings.location) == ("0123", "10:30")


def test_yes_and_no_are_true_and_false_where_a_switch_is_wanted(write: Write) -> None:
    assert settings_of(write(f"web: {{probe_any_target: yes}}\n{SMALL}")).web.probe_any_target is True


def test_keys_are_text_whatever_they_look_like(write: Write) -> None:
    text = SMALL.replace("bird:", "360:").replace("name: account", "name: on")
    service = settings_of(write(text)).services["360"]
    assert service.channels.api[0].name == "on"


def test_numbers_of_expected_json_keep_their_types(write: Write) -> None:
    path = write(
        endpoint("expect: {json: {ok: true, n: 5, half: 0.5, big: 1e999, none: null, word: yes, tagged: !!str 5}}")
    )
    assert settings_of(path).services["bird"].channels.api[0].expect.json_ == {
        "ok": True, "n": 5, "half": 0.5, "big": "1e999", "none": None, "word": "yes", "tagged": "5",
    }  # fmt: skip


def test_anchors_and_merge_keys_save_writing(write: Write) -> None:
    text = (
        "services:\n  bird:\n    contract: bird-email-enterprise\n    channels:\n      api:\n"
        "        - &first {name: a, url: 'http://127.0.0.1/', timeout: 5s}\n"
        "        - {<<: *first, name: b}\n"
        "        - {<<: [{timeout: 7s}, *first], name: c}\n"
    )
    endpoints = settings_of(write(text)).services["bird"].channels.api
    assert [(each.name, each.timeout) for each in endpoints] == [("a", 5000), ("b", 5000), ("c", 7000)]


def test_an_alias_may_be_a_key(write: Write) -> None:
    path = write("location: &name bird\n" + SMALL.replace("bird:", "*name :"))
    assert list(settings_of(path).services) == ["bird"]


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "prober.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.encode())
    assert "bird" in settings_of(path).services


def test_aliases_cannot_nest_deeper_than_a_file_may(write: Write) -> None:
    deep = "a: &a " + "[" * 30 + "]" * 30 + "\nb: &b " + "[" * 20 + "*a" + "]" * 20 + "\n"
    assert errors_of(write(deep)) == ["2: is nested more than 40 deep; a configuration is not"]


# paths, files


def test_paths_are_relative_to_the_configuration_file(write: Write, tmp_path: Path) -> None:
    authority = trustme.CA()
    (tmp_path / "tls").mkdir()
    authority.cert_pem.write_to_path(str(tmp_path / "tls" / "ca.pem"))
    issued = authority.issue_cert("client.example")
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "tls" / "client.pem"))
    path = write(endpoint("ca: tls/ca.pem", "client_cert: {cert: tls/client.pem}"))
    account = settings_of(path).services["bird"].channels.api[0]
    assert account.ca == tmp_path / "tls" / "ca.pem"
    assert account.client_cert is not None
    assert account.client_cert.cert == tmp_path / "tls" / "client.pem"


def test_a_certificate_needs_its_own_key(write: Write, tmp_path: Path) -> None:
    authority = trustme.CA()
    one, other = authority.issue_cert("one.example"), authority.issue_cert("other.example")
    one.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    other.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    errors = errors_of(write(endpoint("client_cert: {cert: cert.pem, key: key.pem}")))
    assert [error.split(";")[0] for error in errors] == [
        "8: services.bird.channels.api[0].client_cert: certificate and key cannot be loaded together"
    ]


def test_a_nul_in_a_path_is_an_error_like_any_other(write: Write) -> None:
    text = endpoint('ca: "a\\0b"', 'client_cert: {cert: "a\\0b", password_file: "a\\0b"}').replace(
        "bird-email-enterprise", '"./a\\0b"'
    )
    assert [re.sub(r": (?:the file|contract pack) .*", "", error) for error in errors_of(write(text))] == [
        "3: services.bird.contract",
        "8: services.bird.channels.api[0].ca",
        "9: services.bird.channels.api[0].client_cert.cert",
        "9: services.bird.channels.api[0].client_cert.password_file",
    ]


# values


@pytest.mark.parametrize(
    ("text", "ms"),
    [("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("2h", 7_200_000), ("1d", 86_400_000), ("1.5s", 1500)],
)
def test_a_duration_is_read_and_written_back(text: str, ms: int) -> None:
    assert parse_duration(text) == ms
    assert parse_duration(format_duration(ms)) == ms


@pytest.mark.parametrize("text", ["10", "10 minutes", "-1s", "0s", "", "1s1s", "٣s", 10, None, True])
def test_what_is_no_duration_is_refused_with_what_would_be_right(text: object) -> None:
    with pytest.raises(ValueError, match="write a positive number with its unit, such as 500ms, 10s, 5m, 2h or 1d"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("url", "vendor"),
    [
        ("https://api.eu.sparkpost.com/api/v1/account", "sparkpost"),
        ("https://smtp.sparkpostmail.com/", "sparkpost"),
        ("https://EU1.platform.bird.com/v1", "bird"),
        ("https://api.messagebird.com/", "bird"),
        ("https://notbird.com/", "generic"),
        ("https://bird.com.example.net/", "generic"),
        ("https://127.0.0.1/", "generic"),
    ],
)
def test_the_vendor_is_known_by_the_host(write: Write, url: str, vendor: str) -> None:
    account = settings_of(write(SMALL.replace("http://127.0.0.1/", url))).services["bird"].channels.api[0]
    assert vendor_of(account) == vendor


def test_the_vendor_may_be_named_or_left_to_the_host(write: Write) -> None:
    named = settings_of(write(endpoint("vendor: bird"))).services["bird"].channels.api[0]
    left = settings_of(write(endpoint("vendor: auto"))).services["bird"].channels.api[0]
    assert (vendor_of(named), vendor_of(left)) == ("bird", "generic")


@pytest.mark.parametrize(
    "host", ["smtp.example.com", "smtp.example.com.", "192.0.2.1", "2001:db8::1", "[2001:db8::1]", "mx_1"]
)
def test_a_host_is_a_name_or_an_address(write: Write, host: str) -> None:
    relay = settings_of(write(f"relays: [{{host: '{host}'}}]\n{SMALL}")).relays[0]
    assert relay.host == host.strip("[]")


@pytest.mark.parametrize("listen", ["127.0.0.1:9580", "[::1]:9580", "0.0.0.0:0", "localhost:80"])
def test_listen_is_an_address_and_a_port(write: Write, listen: str) -> None:
    assert settings_of(write(f"listen: '{listen}'\n{SMALL}")).listen == listen


@pytest.mark.parametrize("address", ["a@example.com", "bücher@bücher.example", "a.b+c@[192.0.2.1]", "a@b"])
def test_a_mail_address_stands_alone(write: Write, address: str) -> None:
    receiver = f"on_call: [{{email: {{to: '{address}', from: a@example.com}}}}]\n"
    email = settings_of(write(receiver + SMALL)).on_call[0].email
    assert email is not None
    assert email.to == address


def test_receivers_without_a_name_are_called_by_kind_and_place(write: Write) -> None:
    hook, mail = "{webhook: {url: 'http://127.0.0.1/'}}", "{email: {to: a@example.com, from: a@example.com}}"
    settings = settings_of(write(f"on_call: [{hook}, {mail}, {hook}]\n{SMALL}"))
    assert receiver_names(settings.on_call) == ["webhook-1", "email-2", "webhook-3"]


def test_settings_are_not_changed_once_read(write: Write) -> None:
    settings = settings_of(write(SMALL))
    with pytest.raises(ValueError, match="frozen"):
        settings.location = "elsewhere"  # type: ignore[misc]  # that is what is tested


def test_secrets_are_not_shown_by_the_settings() -> None:
    loaded = load(EXAMPLE, VARIABLES)
    for secret in VARIABLES.values():
        assert secret not in repr(loaded.settings)


# the shape of the settings


def test_a_place_knows_its_keys() -> None:
    assert "contract" in known_keys(("services", "bird"))
    assert known_keys(("services",)) == ()
    assert type_at(("services", "bird", "channels", "api", 0, "nothing", "at", "all")) is None


def test_passes_that_never_end_are_given_up(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "_PASSES", 1)
    assert errors_of(write("location: 5\n" + SMALL)) == [
        '1: location: is a number, and wants text; put it in quotes: "5"'
    ]
