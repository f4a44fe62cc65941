"""Secrets are found in disguise: escaped, broken over lines, cut off, or as an exchange that only we can read as one."""

import base64
import html
import json
import random
import string
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prober.config import ConfigError, from_raw, load
from prober.disguise import views
from prober.needles import Needles
from prober.probes.transcript import render
from prober.redact import HIDDEN, Redactor

KEY = "SG.abcdef/KEY+0123456789zyxwv"
WORD = 'p4ss"wörd/x&y'
USER = "tim@example.com"
DIGEST = "b913a602c7eda7a495b4e6e7334d3890"  # RFC 2195's
REDACTOR = Redactor([KEY, WORD], [USER])


def percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def quoted(text: str) -> str:
    """Quoted-printable (RFC 2045 6.7), every sign written so, with a soft break in the midst."""
    signs = [f"={byte:02X}" for byte in text.encode()]
    return "".join(signs[:7]) + "=\r\n" + "".join(signs[7:])


DISGUISES: dict[str, Callable[[str], str]] = {
    "over two lines": lambda text: f"{text[:9]}\r\n{text[9:]}",
    "over two lines of an SMTP reply": lambda text: f"{text[:9]}\r\n535-5.7.8 {text[9:]}",
    "in a folded header": lambda text: f"{text[:9]}\r\n\t {text[9:]}",
    "every sign percent-encoded": percent,
    "percent-encoded twice": lambda text: quote(quote(text, safe=""), safe=""),
    "every sign as JSON escapes it": lambda text: "".join(f"\\u{ord(sign):04x}" for sign in text),
    "as PHP writes JSON": lambda text: json.dumps(text).replace("/", r"\/")[1:-1],
    "a JSON text within a JSON text": lambda text: json.dumps(json.dumps(text))[1:-1],
    "every sign as HTML escapes it": lambda text: "".join(f"&#{ord(sign)};" for sign in text),
    "as HTML escapes it, in hexadecimal": lambda text: "".join(f"&#x{ord(sign):X};" for sign in text),
    "quoted HTML": lambda text: html.escape(text).replace("&quot;", "&#34;"),
    "quoted-printable": quoted,
    "bytes as Python shows them": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "base64 in lines of mail": lambda text: base64.encodebytes(b"\0user\0" * 8 + text.encode() + b" " * 40).decode(),
    "hexadecimal capitals": lambda text: text.encode().hex().upper(),
}


@pytest.mark.parametrize("secret", [KEY, WORD])
@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_secret_is_found_however_it_is_disguised(secret: str, disguise: str) -> None:
    shown = DISGUISES[disguise](secret)
    said = REDACTOR.text(f"before {shown} after")
    assert HIDDEN in said
    for piece in (shown[4:16], shown[-16:-4]):
        assert piece not in said
    assert said.startswith("before ")
    assert said.endswith(" after") or disguise == "base64 in lines of mail"  # "after" could be more of it


def test_a_transcript_whose_packets_cut_the_secret_shows_none_of_it() -> None:
    log = [(n * 1_000_000, "<", KEY[at : at + 3].encode()) for n, at in enumerate(range(0, len(KEY), 3))]
    shown = REDACTOR.text(render([(0, "<", b"HTTP/1.1 500 Oops\r\n"), *log, (99_000_000, ">", b"QUIT\r\n")]))
    assert [line.split(" ms ")[1] for line in shown.splitlines()] == [
        "< HTTP/1.1 500 Oops",
        "< SG.a***yxwv",
        "> QUIT",
    ]


@pytest.mark.parametrize("size", [3, 11, 20])
@pytest.mark.parametrize("packets", [1, 2])
def test_a_transcript_whose_chunks_cut_the_secret_shows_none_of_it(size: int, packets: int) -> None:
    parts = [KEY[at : at + size].encode() for at in range(0, len(KEY), size)]
    sizes = [b"%X\r\n" % len(part) for part in parts]
    if packets == 1:
        body = b"".join(b"%b%b\r\n" % each for each in zip(sizes, parts, strict=True))
        log = [(0, "<", b"HTTP/1.1 500 Oops\r\n\r\n" + body)]
    else:
        pieces = [piece for each in zip(sizes, parts, strict=True) for piece in (each[0], each[1] + b"\r\n")]
        log = [(0, "<", b"HTTP/1.1 500 Oops\r\n\r\n"), *((n * 1_000_000, "<", each) for n, each in enumerate(pieces))]
    shown = REDACTOR.text(render([*log, (99_000_000, "<", b"0\r\n\r\n")]))
    assert HIDDEN in shown
    assert (
        "".join(line.split(" < ")[1] for line in shown.splitlines()[1:]) == f"{sizes[0].decode().strip()}SG.a***yxwv0"
    )


@pytest.mark.parametrize("rest", ["", "\n    1.0 ms < next", "...", "…", "... (3 more characters)"])
def test_a_limit_that_cuts_a_secret_leaves_none_of_it(rest: str) -> None:
    for kept in range(6, len(KEY)):
        assert KEY[:6] not in REDACTOR.text(f"it said {KEY[:kept]}{rest}")
    carried = base64.b64encode(f"user:{KEY}".encode()).decode()
    assert "U0cuYWJjZGVm"[1:] not in REDACTOR.text(f"Basic dGhl {carried[:30]}{rest}")


def test_a_limit_that_cuts_a_secret_in_disguise_leaves_none_of_it() -> None:
    for disguise in ("over two lines", "every sign percent-encoded", "every sign as HTML escapes it"):
        shown = DISGUISES[disguise](KEY)
        for kept in range(len(shown) // 2, len(shown)):
            said = REDACTOR.text(f"it said {shown[:kept]}")
            assert said.startswith(f"it said {HIDDEN}"), (disguise, kept)


def test_a_beginning_that_goes_on_otherwise_is_no_cut_secret() -> None:
    assert REDACTOR.text("SG.abcdef is a prefix") == "SG.abcdef is a prefix"


def test_short_secrets_are_found_in_disguise_where_they_stand_alone() -> None:
    redactor = Redactor(["hunt2r"])
    assert redactor.text(r"\x00user\x00hunt2r\x00") == rf"\x00user\x00{HIDDEN}\x00"
    assert redactor.text("%68unt2r, and %41hunt2r") == f"{HIDDEN}, and %41hunt2r"


@pytest.mark.parametrize(
    "text",
    [
        f"535 no: {base64.b64encode(f'{USER} {DIGEST}'.encode()).decode()}",
        f"535 no: {base64.b64encode(f'somebody {DIGEST}'.encode()).decode()}",
        f"535 no: {USER} {DIGEST}",
        f"535 no: {base64.b64encode(bytes(1) + b'who' + bytes(1) + b'a-word').decode()}",
        "   1.0 ms < 334 PDE4OTYu\n   1.1 ms > dGltIGI5MTNhNjAyYzdl\n",
        'A001 LOGIN tim "b913a602c7eda7"',
        '[["Set-Cookie", "b913a602c7eda7"]]',
        "(('cookie', 'b913a602c7eda7'),)",
        "grant_type=password&password=b913a602c7eda7",
        "it was eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.b913a602c7eda7",
    ],
)
def test_an_exchange_of_credentials_is_known_by_its_shape(text: str) -> None:
    said = REDACTOR.text(text)
    assert HIDDEN in said
    for secret in (DIGEST[:12], "dGltIGI5", base64.b64encode(b"\0who\0a-word").decode(), "dGltQGV4"):
        assert secret not in said


@pytest.mark.parametrize(
    "text",
    [
        f"trace {DIGEST}",  # no login's name before it
        "bWFpbGdhdGUuZXhhbXBsZS5jb20=",  # base64 of a host's name
        "A001 OK LOGIN completed",
        "a=3D b=\r\n c",
        r"C:\new\x41 &amp; 100%25 &#x1;",
        "ids: 0123456789abcdef0123456789abcdef, AAAAAAAAAAA=",
    ],
)
def test_what_only_looks_alike_stays_as_it_stands(text: str) -> None:
    assert REDACTOR.text(text) == text


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("https://hc-ping.com/5ffab3b0-1234-4c6c-9b1d-0123456789ab", "5ffab3b0-1234-4c6c-9b1d-0123456789ab"),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "TIiajkdnlazkcOXrIdevi7FQ"),
        ("tgram://123456789:AAE-xyz0123456789/42", "AAE-xyz0123456789"),
        ("mailtos://tim:w%40rd-of-mine@example.com", "w@rd-of-mine"),
    ],
)
def test_the_key_within_a_url_is_a_secret_of_its_own(url: str, part: str) -> None:
    assert part not in Redactor([url]).text(f"404: no {part} here")
    assert Redactor([url]).text("example.com") == "example.com"


def test_headers_in_pairs_and_lists_are_hidden_by_their_names() -> None:
    value = {
        "headers": [["set-cookie", "a=b"], ["server", "nginx"]],
        "Set-Cookie": ["a=b", "c=d"],
        "pair": ("token", 1),
    }
    assert Redactor().value(value) == {
        "headers": [["set-cookie", HIDDEN], ["server", "nginx"]],
        "Set-Cookie": HIDDEN,
        "pair": ["token", HIDDEN],
    }


def test_a_thousand_secrets_are_all_found_and_nothing_else() -> None:
    draw = random.Random(1)
    secrets = ["".join(draw.choices(string.ascii_letters + string.digits, k=32)) for _ in range(1000)]
    redactor = Redactor(secrets)
    for secret in secrets[::100]:
        shown = f"{secret[:4]}***{secret[-4:]}"
        assert redactor.text(f"<{secret}> {percent(secret)}") == f"<{shown}> {shown}"
    assert redactor.text("nothing of them") == "nothing of them"


@given(st.lists(st.text("abc", min_size=1, max_size=8), max_size=30), st.text("abc", max_size=40))
def test_needles_are_those_that_stand_in_the_text_few_or_many(needles: list[str], text: str) -> None:
    there = sorted({n for n in needles if n in text}, key=lambda n: (-len(n), n))
    assert Needles(needles).within(text) == there
    many = Needles([*(n for n in needles if len(n) >= 4), *(f"none-{n}" for n in range(500))])
    assert many.within(text) == [n for n in there if len(n) >= 4]


@given(st.text(st.sampled_from("%=\\&#x;amp\r\n \t04aEu.ms<>é€"), max_size=80))
@settings(deadline=None)
def test_every_character_of_a_view_has_its_place_in_the_original(text: str) -> None:
    for read, view in views(text):
        seen = view()
        assert seen.text == read
        assert len(seen.starts) == len(seen.ends) == len(read)
        assert seen.starts == sorted(seen.starts)
        assert all(start < end <= len(text) for start, end in zip(seen.starts, seen.ends, strict=True))


@given(st.text(st.sampled_from(KEY + "%\\=\n"), max_size=60), st.sampled_from(list(DISGUISES.values())))
@settings(deadline=None)
def test_redacting_in_disguise_twice_is_redacting_once(around: str, disguise: Callable[[str], str]) -> None:
    once = REDACTOR.text(around + disguise(KEY) + around)
    assert REDACTOR.text(once) == once


# what the configuration holds where no secret is expected

CONFIGURATION = """
services:
  bird:
    contract: bird-email-enterprise
    channels:
      api:
        - {name: a, url: "https://api.example.com/v1/${BIRD_KEY}/x", method: POST, body: 'k ${VENDOR_TOKEN2}', sni: "${HOST}"}
hide: [another-secret-text]
"""


def test_a_variable_that_is_a_secret_by_its_name_is_one_wherever_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "prober.yaml"
    path.write_text(CONFIGURATION)
    environ = {"BIRD_KEY": "path-key-0123456789", "VENDOR_TOKEN2": "body-token-0123456789", "HOST": "host.example.com"}
    loaded = load(path, environ)
    for redactor in (Redactor.of(loaded.settings), Redactor.of(from_raw(loaded.raw, loaded.base))):
        said = redactor.text("path-key-0123456789 body-token-0123456789 another-secret-text host.example.com")
        assert said == "pa***89 bo***89 an***xt host.example.com"


def test_what_is_no_list_of_secrets_is_complained_about_without_them(tmp_path: Path) -> None:
    path = tmp_path / "prober.yaml"
    path.write_text(CONFIGURATION.replace("hide: [another-secret-text]", "hide: {a: 1}"))
    with pytest.raises(ConfigError) as error:
        load(path, {"BIRD_KEY": "path-key-0123456789", "VENDOR_TOKEN2": "body-token-0123456789", "HOST": "h.example"})
    assert "hide" in str(error.value)
    assert "0123456789" not in str(error.value)
