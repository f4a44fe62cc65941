"""Who may enter steps: logins, the reverse proxy's word, forms of our own; and who may read."""

import html
import re
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from asking import NOW, Desk
from html_page import Html
from room_story import RAW, TOKEN, Story

from prober.web import gate as gates
from prober.web.attempts import MOST
from prober.web.login import inside

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PROXY = "10.1.2.3"
PROXIED = {"identity_header": "X-Forwarded-User", "trusted_proxies": ["10.0.0.0/8", "::1"]}


def desk_of(tmp_path: Path, **web: object) -> Desk:
    return Desk(RAW, None, tmp_path / "prober.db", **({"token": TOKEN} | web))


def send(desk: Desk, path: str, fields: dict[str, str], peer: str = "192.0.2.7", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return desk.ask(path, "POST", FORM | named, peer, urlencode(fields).encode())


def login_form(desk: Desk) -> str:
    page = Html(desk.ask("/login").text)
    page.rightly_made()
    return page.hidden("form", "/login")


def log_in(desk: Desk, name: str = "Ada", token: str = TOKEN, after: str = "/incidents", **more: str) -> httpx.Response:
    return send(desk, "/login", {"form": login_form(desk), "name": name, "token": token, "next": after}, **more)


def cookie_of(answer: httpx.Response) -> str:
    return answer.headers["set-cookie"].partition(";")[0]


def named(desk: Desk, **headers: str) -> str:
    """Whom the list of incidents says that one is; "" for nobody."""
    peer = headers.pop("peer", "192.0.2.7")
    given = httpx.Headers(
        [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    )
    answer = desk.ask("/incidents", headers=given, peer=peer)
    found = re.search(r"Logged in as <bdi>(.+?)</bdi>", answer.text)
    return html.unescape(found[1]) if found else ""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    Story(tmp_path / "prober.db", int(NOW) - 600).down()
    return desk_of(tmp_path)


def test_a_name_and_the_token_log_in_and_lead_back(desk: Desk) -> None:
    answer = log_in(desk, after="/incidents/bird-1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents/bird-1")
    flags = answer.headers["set-cookie"].lower()
    assert "httponly" in flags
    assert "samesite=strict" in flags
    assert "max-age=43200" in flags
    assert "secure" not in flags, "over plain http a browser would not send it back"
    assert TOKEN not in answer.headers["set-cookie"]
    cookie = cookie_of(answer)
    assert named(desk, Cookie=cookie).startswith("Ada")
    again = desk.ask("/login?next=/incidents/bird-1", headers={"Cookie": cookie})
    assert (again.status_code, again.headers["location"]) == (303, "/incidents/bird-1")


def test_a_login_ends(desk: Desk) -> None:
    cookie = cookie_of(log_in(desk))
    desk.clock.utc += 12 * 3600 - 1
    assert named(desk, Cookie=cookie)
    desk.clock.utc += 1
    assert not named(desk, Cookie=cookie)


@pytest.mark.parametrize("spoil", ["x", ".", "=", "\u00e9".encode().decode("latin-1")])
def test_a_cookie_that_was_changed_is_nobodys(desk: Desk, spoil: str) -> None:
    cookie = cookie_of(log_in(desk))
    assert not named(desk, Cookie=cookie + spoil)
    assert not named(desk, Cookie=cookie[:20] + spoil + cookie[20:])
    assert not named(desk, Cookie="prober_login=x")


def test_another_token_ends_all_logins(desk: Desk, tmp_path: Path) -> None:
    cookie = cookie_of(log_in(desk))
    for web in ({"token": "another-token-of-the-same"}, {"key": "another-key-0123456789", "token": TOKEN}):
        other = desk_of(tmp_path, **web)
        assert not named(other, Cookie=cookie)


def test_a_key_of_the_configuration_keeps_logins_over_restarts(tmp_path: Path) -> None:
    Story(tmp_path / "prober.db", int(NOW))
    first, second = (desk_of(tmp_path, key="a-key-of-the-configuration") for _ in range(2))
    assert named(second, Cookie=cookie_of(log_in(first)))


@pytest.mark.parametrize(
    ("name", "token", "says"),
    [("Ada", "wrong", "This is not the token"), ("  ", TOKEN, "Say who you are"), ("", "", "Say who you are")],
)
def test_wrong_input_keeps_the_name_and_never_the_token(desk: Desk, name: str, token: str, says: str) -> None:
    answer = log_in(desk, name, token, after="/incidents/bird-1")
    assert answer.status_code == 422
    assert "set-cookie" not in answer.headers
    page = Html(answer.text)
    page.rightly_made()
    assert says in page.said
    assert page.hidden("next", "/login") == "/incidents/bird-1"
    fields = {a.get("name"): a.get("value") for tag, a in page.tags if tag == "input"}
    assert fields["name"] == name.strip()
    assert fields["token"] is None


def test_names_are_bounded_and_harmless(desk: Desk) -> None:
    found = named(desk, Cookie=cookie_of(log_in(desk, "<b>\u202e" + "x" * 500)))
    assert found.startswith("<b>\\u202exxx")
    assert len(found) < 150


def test_failed_logins_are_slowed_down_by_where_they_come_from(desk: Desk) -> None:
    for _ in range(MOST):
        assert log_in(desk, token="wrong").status_code == 422
    answer = log_in(desk)
    assert answer.status_code == 429, "even with the right token"
    assert 0 < int(answer.headers["retry-after"]) <= 300
    assert "Too many failed logins" in Html(answer.text).said
    assert log_in(desk, peer="192.0.2.8").status_code == 303, "others can"


def test_behind_a_proxy_each_browser_counts_by_itself(tmp_path: Path) -> None:
    Story(tmp_path / "prober.db", int(NOW))
    desk = desk_of(tmp_path, **PROXIED)
    for _ in range(MOST):
        log_in(desk, token="wrong", peer=PROXY, X_Forwarded_For="203.0.113.5, 198.51.100.1")
    assert log_in(desk, peer=PROXY, X_Forwarded_For="1.2.3.4, 198.51.100.1").status_code == 429, (
        "the first is not believed"
    )
    assert log_in(desk, peer=PROXY, X_Forwarded_For="198.51.100.2").status_code == 303
    assert log_in(desk, peer="192.0.2.9", X_Forwarded_For="198.51.100.1").status_code == 303, "nor one that is no proxy"


def test_an_ipv6_network_counts_as_one(desk: Desk) -> None:
    for n in range(MOST):
        log_in(desk, token="wrong", peer=f"2001:db8::{n}")
    assert log_in(desk, peer="2001:db8::ffff").status_code == 429
    assert log_in(desk, peer="2001:db8:0:1::1").status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://[::1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site", "Origin": "http://prober.test"},
    ],
)
def test_a_login_from_another_site_is_refused(desk: Desk, headers: dict[str, str]) -> None:
    answer = log_in(desk, **headers)
    assert answer.status_code == 403
    assert "came from another site" in Html(answer.text).said
    assert "set-cookie" not in answer.headers


def test_a_login_from_our_own_page_is_taken(desk: Desk) -> None:
    assert log_in(desk, Origin="http://prober.test", Sec_Fetch_Site="same-origin").status_code == 303


def test_our_address_as_people_know_it_is_our_own_too(tmp_path: Path) -> None:
    Story(tmp_path / "prober.db", int(NOW))
    desk = desk_of(tmp_path, url="https://prober.example.com")
    assert log_in(desk, Origin="https://prober.example.com").status_code == 303


@pytest.mark.parametrize("form", ["", "x", "9.9", "99999999999999.0", f"{int(NOW) + 60}.{'0' * 32}"])
def test_a_login_without_our_form_is_refused(desk: Desk, form: str) -> None:
    answer = send(desk, "/login", {"form": form, "name": "Ada", "token": TOKEN})
    assert answer.status_code == 403


def test_a_form_that_lay_open_too_long_is_refused(desk: Desk) -> None:
    form = login_form(desk)
    desk.clock.utc += 12 * 3600
    assert send(desk, "/login", {"form": form, "name": "Ada", "token": TOKEN}).status_code == 403


@pytest.mark.parametrize(
    ("kind", "body"),
    [("text/plain", b"a=b"), (FORM["Content-Type"], b"a" * 70_000), (FORM["Content-Type"], b"\xff"),
     (FORM["Content-Type"], b"&".join(b"a=b" for _ in range(60)))],
)  # fmt: skip
def test_what_is_no_form_is_refused(desk: Desk, kind: str, body: bytes) -> None:
    assert desk.ask("/login", "POST", {"Content-Type": kind}, body=body).status_code == 403


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil", "/incidents/../x y", "/-/reload", "javascript:1", ""]
)
def test_a_login_leads_nowhere_else(path: str) -> None:
    assert inside(path) == "/incidents"


def test_logging_out_needs_our_form(desk: Desk) -> None:
    cookie = cookie_of(log_in(desk))
    page = Html(desk.ask("/incidents", headers={"Cookie": cookie}).text)
    form = page.hidden("form", "/logout")
    kept = send(desk, "/logout", {"form": "x"}, Cookie=cookie)
    assert "set-cookie" not in kept.headers
    foreign = send(desk, "/logout", {"form": form}, Cookie=cookie, Origin="https://evil.example")
    assert "set-cookie" not in foreign.headers
    gone = send(desk, "/logout", {"form": form}, Cookie=cookie)
    assert gone.status_code == 303
    assert 'prober_login=""' in gone.headers["set-cookie"]


def log_out(desk: Desk, cookie: str) -> None:
    form = Html(desk.ask("/incidents", headers={"Cookie": cookie}).text).hidden("form", "/logout")
    assert send(desk, "/logout", {"form": form}, Cookie=cookie).status_code == 303


def test_a_copy_of_the_cookie_is_worth_nothing_after_the_logout(desk: Desk) -> None:
    mine, other = cookie_of(log_in(desk)), cookie_of(log_in(desk, "Ben"))
    log_out(desk, mine)
    assert named(desk, Cookie=mine) == "", "whoever kept the cookie is nobody"
    assert named(desk, Cookie=other) == "Ben", "another login goes on"
    assert named(desk, Cookie=cookie_of(log_in(desk))) == "Ada", "the same person may come back"


def test_a_logout_outlives_the_process_where_logins_do(tmp_path: Path) -> None:
    Story(tmp_path / "prober.db", int(NOW) - 600).down()
    ended = tmp_path / "prober.db-web.ended"
    first = desk_of(tmp_path, key="k" * 16)
    first.gate.configured(b"k" * 16, ended)
    gone, goes_on = cookie_of(log_in(first)), cookie_of(log_in(first, "Ben"))
    log_out(first, gone)
    again = desk_of(tmp_path, key="k" * 16)
    again.gate.configured(b"k" * 16, ended)
    assert named(again, Cookie=gone) == ""
    assert named(again, Cookie=goes_on) == "Ben"


def test_without_a_token_nobody_can_log_in(tmp_path: Path) -> None:
    story = Story(tmp_path / "prober.db", int(NOW) - 600).down()
    desk = Desk(RAW, None, tmp_path / "prober.db")
    assert "Nobody can log in here" in Html(desk.ask("/login").text).said
    assert send(desk, "/login", {"name": "Ada", "token": ""}).status_code == 403
    assert "Steps need a login: set web.token" in Html(desk.ask(story.room).text).said


# over https


@pytest.mark.parametrize(
    ("web", "headers", "peer", "secure"),
    [
        ({"url": "https://prober.test"}, {}, "192.0.2.7", True),
        ({"url": "https://other.test"}, {}, "192.0.2.7", False),
        ({"url": "http://prober.test"}, {}, "192.0.2.7", False),
        (
            {"url": "https://prober.test"},
            {"Host": "127.0.0.1:9580", "Origin": "https://prober.test"},
            "192.0.2.7",
            True,
        ),
        ({"url": "https://prober.test"}, {"Host": "127.0.0.1:9580"}, "192.0.2.7", False),
        (
            {"url": "https://prober.test"},
            {"Host": "127.0.0.1:9580", "Origin": "http://127.0.0.1:9580"},
            "192.0.2.7",
            False,
        ),
        (PROXIED, {"X_Forwarded_Proto": "https"}, PROXY, True),
        (PROXIED, {"X_Forwarded_Proto": "http"}, PROXY, False),
        (PROXIED, {"X_Forwarded_Proto": "https"}, "192.0.2.7", False),
    ],
)
def test_behind_https_the_cookie_goes_over_https_alone(
    tmp_path: Path, web: dict[str, object], headers: dict[str, str], peer: str, secure: bool
) -> None:
    Story(tmp_path / "prober.db", int(NOW))
    answer = log_in(desk_of(tmp_path, **web), peer=peer, **headers)
    assert ("secure" in answer.headers["set-cookie"].lower()) is secure


# the reverse proxy's word


def test_a_trusted_proxy_names_people(tmp_path: Path) -> None:
    Story(tmp_path / "prober.db", int(NOW))
    desk = desk_of(tmp_path, **PROXIED)
    grace = "Grace Höpper".encode().decode("latin-1")
    assert named(desk, peer=PROXY, X_Forwarded_User=grace) == "Grace Höpper"
    assert named(desk, peer="::1", X_Forwarded_User="ada") == "ada"
    assert named(desk, peer="::ffff:10.1.1.1", X_Forwarded_User="ada") == "ada"
    assert named(desk, peer=PROXY, X_Forwarded_User="  ") == ""
    assert named(desk, peer=PROXY) == ""
    assert named(desk, peer=PROXY, X_Other="ada") == ""


def test_nobody_else_is_believed(tmp_path: Path) -> None:
    Story(tmp_path / "prober.db", int(NOW))
    desk = desk_of(tmp_path, **PROXIED)
    for peer in ("192.0.2.7", "127.0.0.1", "not an address"):
        assert named(desk, peer=peer, X_Forwarded_User="ada") == ""
    assert named(desk_of(tmp_path), peer=PROXY, X_Forwarded_User="ada") == "", "it is not configured"


def test_two_names_are_none(tmp_path: Path) -> None:
    Story(tmp_path / "prober.db", int(NOW))
    desk = desk_of(tmp_path, **PROXIED)
    twice = [("X-Forwarded-User", "ada"), ("X-Forwarded-User", "eve")]
    answer = desk.ask("/incidents", headers=httpx.Headers(twice), peer=PROXY)
    assert "Logged in as" not in answer.text


# who may read


def test_private_rooms_ask_who_it_is(tmp_path: Path) -> None:
    story = Story(tmp_path / "prober.db", int(NOW) - 600).down()
    desk = desk_of(tmp_path, private=True)
    for path in (story.room, "/incidents", "/incidents/none"):
        answer = desk.ask(path)
        assert answer.status_code == 401
        assert "http_status_503" not in answer.text
        assert Html(answer.text).hidden("next", "/login") == path
    answer = log_in(desk, after=story.room)
    assert answer.headers["location"] == story.room
    assert desk.ask(story.room, headers={"Cookie": cookie_of(answer)}).status_code == 200


def test_forms_say_where_they_come_from(desk: Desk) -> None:
    """Under `no-referrer` a browser sends `Origin: null`."""
    for path in ("/login", "/incidents"):
        assert desk.ask(path).headers["referrer-policy"] == "same-origin"


class Unlike:
    """What another version may write."""

    @staticmethod
    def dumps(*_: object, **__: object) -> str:
        return "not json"


def test_the_cookie_is_of_another_version(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "json", Unlike)
    cookie = cookie_of(log_in(desk))
    monkeypatch.undo()
    assert not named(desk, Cookie=cookie)
