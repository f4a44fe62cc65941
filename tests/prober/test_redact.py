"""Secrets do not get out: neither those that we know, however they are encoded, nor what is secret by its shape."""

import base64
import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from prober.config import from_raw, load
from prober.redact import HIDDEN, Redactor, hint, is_secret_header

KEY = "abcdefKEY0123456789zyxwv"
AWKWARD = 'p4$$ "wörd"/<x>+y&z=?'


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# known secrets


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("short", HIDDEN),
        ("eleven-char", HIDDEN),
        ("twelve-chars", "tw***rs"),
        ("twenty-three-characters", "tw***rs"),
        (KEY, "abcd***yxwv"),
    ],
)
def test_a_long_secret_keeps_a_few_characters_of_each_end_and_a_short_one_none(secret: str, shown: str) -> None:
    assert hint(secret) == shown
    assert Redactor([secret]).text(f"before {secret} after") == f"before {shown} after"


@pytest.mark.parametrize("secret", [KEY, AWKWARD])
@pytest.mark.parametrize(
    "encode",
    [
        str,
        lambda secret: quote(secret, safe=""),
        quote,
        lambda secret: re.sub("%..", lambda code: code[0].lower(), quote(secret, safe="")),
        quote_plus,
        json.dumps,
        lambda secret: json.dumps(secret, ensure_ascii=False),
        html.escape,
        b64,
        lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
        lambda secret: b64(secret).rstrip("="),
        lambda secret: secret.encode().hex(),
        lambda secret: b64(f"\0user\0{secret}"),
        lambda secret: b64(f"authzid\0someone@example.com\0{secret}"),
        lambda secret: b64(f"user:{secret}"),
        lambda secret: b64(f"long-user-name:{secret}"),
    ],
)
def test_a_known_secret_is_found_however_it_is_encoded(secret: str, encode: Callable[[str], str]) -> None:
    encoded = encode(secret)
    said = Redactor([secret]).text(f"<<{encoded}>>")
    assert encoded not in said
    assert secret not in said
    assert HIDDEN in said
    assert said.startswith("<<")
    assert said.endswith(">>")


@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF), min_size=8, max_size=40),
    before=st.binary(max_size=20),
    after=st.binary(max_size=20),
)
@settings(deadline=None)
def test_base64_gives_no_known_secret_away_whatever_stands_around_it(secret: str, before: bytes, after: bytes) -> None:
    carried = base64.b64encode(before + b"\0" + secret.encode() + b"\0" + after).decode()
    assert Redactor([secret]).text(f"AUTHX {carried} end") == f"AUTHX {HIDDEN} end"


@given(
    secret=st.text(st.characters(codec="ascii", min_codepoint=33), min_size=12, max_size=30),
    around=st.text(st.characters(min_codepoint=0x400), max_size=40),
)
@settings(deadline=None)
def test_no_text_gives_a_known_secret_away(secret: str, around: str) -> None:
    assert secret not in Redactor([secret]).text(around + secret + around)


def test_the_longer_of_two_secrets_that_overlap_is_hidden_whole() -> None:
    redactor = Redactor(["password", "password-of-relay"])
    assert redactor.text("password-of-relay") == "pa***ay"


def test_a_short_secret_is_hidden_where_it_stands_alone_and_nowhere_else() -> None:
    assert Redactor(["word"]).text("word, password: sword") == f"{HIDDEN}, password: sword"


def test_what_is_too_short_to_tell_apart_is_left_to_its_shape() -> None:
    assert Redactor(["1"]).text("1 of 10, AUTH PLAIN 1234") == f"1 of 10, AUTH PLAIN {HIDDEN}"


def test_the_token_within_a_header_is_a_secret_of_its_own() -> None:
    assert "token-of-mine" not in Redactor(["Bearer token-of-mine"]).text("it said token-of-mine")
    assert "pass-of-mine" not in Redactor([f"Basic {b64('user:pass-of-mine')}"]).text("it said pass-of-mine")
    assert "pass-of-mine" not in Redactor(["http://user:pass-of-mine@proxy:3128"]).text("it said pass-of-mine")


def test_a_basic_header_that_is_none_is_taken_as_it_is() -> None:
    assert Redactor(["Basic not*base64"]).text("Basic not*base64 x") == "Ba***64 x"


# secrets by their shape


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Authorization: Bearer abc\r\nHost: x", "Authorization: Bearer ***\r\nHost: x"),
        ("authorization: abc", "authorization: ***"),
        ("Proxy-Authorization: Basic dTpw", "Proxy-Authorization: Basic ***"),
        ("Cookie: a=b; c=d", "Cookie: ***"),
        ("< Set-Cookie: a=b; Path=/\r\n< Date: now", "< Set-Cookie: ***\r\n< Date: now"),
        ("X-Api-Key: 123", "X-Api-Key: ***"),
        ("X-Auth-Token:123", "X-Auth-Token:***"),
        ("AUTH PLAIN AHUAcA==", "AUTH PLAIN ***"),
        ("> auth login dXNlcg==", "> auth login ***"),
        ("334 VXNlcm5hbWU6\r\ndXNlcg==\r\n235 ok", "334 VXNlcm5hbWU6\r\n***\r\n235 ok"),
        ("< 334 \n> dXNlcg==\n< 235 ok", "< 334 \n> ***\n< 235 ok"),
        ("got Bearer abc.def-123 back", "got Bearer *** back"),
        ("AccessKey abcd1234", "AccessKey ***"),
        ("https://user:pass@example.com/x", "https://***@example.com/x"),
        ("https://token@example.com/x", "https://***@example.com/x"),
        ("GET /x?api_key=abc&n=1", "GET /x?api_key=***&n=1"),
        ('{"password": "a\\"b", "n": 1}', '{"password": "***", "n": 1}'),
        ("{'token': 'abc'}", "{'token': \"***\"}"),
        ("-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\nx", "-----BEGIN PRIVATE KEY----- ***\nx"),
        ("-----BEGIN EC PRIVATE KEY-----\nMII (cut", "-----BEGIN EC PRIVATE KEY----- ***"),
    ],
)
def test_what_is_secret_by_its_shape_is_hidden_although_nobody_told(text: str, said: str) -> None:
    assert Redactor().text(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "250-AUTH LOGIN PLAIN CRAM-MD5",
        "250 AUTH PLAIN LOGIN",
        "503 5.5.1 Error: authentication not enabled",
        "basic understanding of tokens",
        "token validation failed",
        "https://example.com/a@b",
        "probe@example.com",
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n",
        "the key: of it all? a=b",
        "Message-ID: <abc@example.com>",
    ],
)
def test_what_is_no_secret_stays_as_evidence(text: str) -> None:
    assert Redactor([KEY]).text(text) == text


@given(st.text(max_size=200))
@settings(deadline=None)
def test_redacting_twice_is_redacting_once(text: str) -> None:
    redactor = Redactor([KEY])
    once = redactor.text(text)
    assert redactor.text(once) == once


# bytes and values


def test_bytes_that_are_no_text_pass_unchanged_and_lose_their_secrets() -> None:
    assert Redactor([KEY]).bytes(b"\xff\x00" + KEY.encode() + b"\xfe") == b"\xff\x00abcd***yxwv\xfe"


def test_a_value_is_redacted_by_what_it_holds_and_by_its_name() -> None:
    value = {
        "headers": {"Authorization": "Bearer x", "Set-Cookie": "a=b", "X-Id": KEY},
        "password": "x",
        "api_key": 12345,
        "token": None,
        "credentials": {"user": "u"},
        "signature": True,
        "list": [KEY, ("tuple", KEY)],
        KEY: 1,
        "bytes": KEY.encode(),
        "model": SecretStr("x"),
        "n": 5,
    }
    assert Redactor([KEY]).value(value) == {
        "headers": {"Authorization": "***", "Set-Cookie": "***", "X-Id": "abcd***yxwv"},
        "password": "***",
        "api_key": "***",
        "token": None,
        "credentials": {"user": "u"},
        "signature": True,
        "list": ["abcd***yxwv", ["tuple", "abcd***yxwv"]],
        "abcd***yxwv": 1,
        "bytes": b"abcd***yxwv",
        "model": "***",
        "n": 5,
    }


# a configuration's secrets


def test_a_redactor_knows_all_secrets_of_a_configuration() -> None:
    variables = {"BIRD_API_KEY": "key-of-bird-0123456789", "RELAY_PASSWORD": "password-of-relay"}
    redactor = Redactor.of(load(Path(__file__).parent / "example.yaml", variables).settings)
    for secret in variables.values():
        assert redactor.text(f"a {secret} b") == f"a {hint(secret)} b"


def test_headers_that_are_known_to_hold_no_secret_are_not_hidden() -> None:
    endpoint = {
        "name": "a",
        "url": "http://127.0.0.1/",
        "headers": {"Content-Type": "application/json", "X-Workspace": "workspace-of-ours"},
    }
    service = {"contract": "bird-email-enterprise", "channels": {"api": [endpoint]}}
    redactor = Redactor.of(from_raw({"services": {"bird": service}}, Path()))
    assert redactor.text("application/json") == "application/json"
    assert redactor.text("workspace-of-ours") == "wo***rs"
    assert is_secret_header("Authorization")
    assert not is_secret_header("User-Agent")
