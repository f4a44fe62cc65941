"""Links into the incident room: in pages to our own on-call alone, signed, and the same on every repeat."""

import asyncio
import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from deliver_acts import CREATED, FACTS, INCIDENT, act

from prober import config
from prober.deliver import Delivered, texts
from prober.deliver import build as building
from prober.deliver.alertmanager import Alertmanager
from prober.deliver.pagerduty import event
from prober.deliver.webhook import payload
from prober.links import TITLES, Links, Standing, standing
from prober.receivers import AlertmanagerReceiver
from prober.settings import Settings
from prober.signing import Signer, key_of
from rules.acts import Act, ActKind, Outcome

KEY = b"k" * 32
BASE = "https://prober.example.com"
LINKS = Links(BASE, 86_400, Signer(KEY))
ROOM = f"{BASE}/incidents/{INCIDENT}"
ME = "on_call.email-1"


def settings_of(**more: Any) -> Settings:
    return config.from_raw({"services": {}, **more}, Path())


def page(**facts: Any) -> Act:
    return LINKS.into(act(ActKind.PAGE, ME, facts={**FACTS, **facts}), ME)


def urls(page: Act) -> Mapping[str, str]:
    """The signed links of a page, by step."""
    return {link["step"]: link["url"] for link in page.facts["room"]["links"]}


def worth(url: str, now: float = CREATED + 60, **changes: str) -> Standing:
    """What a link is worth, with parts of it changed."""
    parts = urlsplit(url)
    _, _, incident, _, step = parts.path.split("/")
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    given = {"incident": incident, "step": step, "for": query["for"], "until": query["until"], "sig": query["sig"]}
    given |= {name.rstrip("_"): value for name, value in changes.items()}
    incident, step = given["incident"], given["step"]
    return standing(Signer(KEY), incident, step, given["for"], given["until"], given["sig"], now)


def test_a_page_leads_to_its_room_and_to_the_steps_that_are_of_use_away_from_a_screen() -> None:
    made = page()
    assert made.facts["room"]["url"] == ROOM
    assert list(urls(made)) == ["ack", "intake", "call_back"]
    for words in (texts.text(made), texts.html(made)):
        assert ROOM in words
        assert "Acknowledge: I have it" in words
        assert "until 2026-11-23 10:00:00 UTC" in " ".join(words.split())
    for url in urls(made).values():
        assert f"  {url}\n" in texts.text(made), "a link stands whole on a line of its own"
        assert url.startswith(f"{ROOM}/link/")


def test_a_page_leads_to_the_reasons_and_first_to_the_most_frequent_one() -> None:
    made = page(reasons={"read_timeout": 3, "http_status_503": 57, "made_up": 99})
    assert f"{BASE}/reasons#http_status_503\n" in texts.text(made)
    assert f'<a href="{BASE}/reasons#http_status_503">' in texts.html(made)
    assert "/reasons" not in texts.text(page(reasons={"made_up": 99}))


def test_consent_is_asked_for_with_links_to_give_or_refuse_it() -> None:
    assert {"consent", "decline"} <= set(urls(page(asks=["open the ticket by desk"])))


def test_a_page_about_our_own_matter_is_acknowledged_and_nothing_else() -> None:
    assert list(urls(page(severity="internal"))) == ["ack"]


def test_a_repeat_is_the_same_message() -> None:
    assert page() == page()
    assert urls(page()) != urls(LINKS.into(replace(act(ActKind.PAGE, ME), created=CREATED + 1), ME))


def test_a_link_is_worth_something_for_what_it_says_and_for_a_while() -> None:
    url = urls(page())["ack"]
    assert worth(url) is Standing.GOOD
    assert worth(url, now=CREATED + 86_399) is Standing.GOOD
    assert worth(url, now=CREATED + 86_400) is Standing.EXPIRED


@pytest.mark.parametrize(
    "changes",
    [
        {"incident": "bird-20261122T095901Z"},
        {"step": "resolve"},
        {"step": "intake"},
        {"for_": "on_call.email-2"},
        {"until": str(CREATED + 90_000)},
        {"until": ""},
        {"until": "never"},
        {"until": "9" * 40},
        {"until": "\u0661"},
        {"sig": ""},
        {"sig": "0" * 32},
        {"sig": "\u00e9"},
    ],
)
def test_a_link_that_was_changed_is_worth_nothing(changes: dict[str, str]) -> None:
    assert worth(urls(page())["ack"], CREATED + 60, **changes) is Standing.FORGED


def test_a_signature_for_one_purpose_is_none_for_another() -> None:
    signer = Signer(KEY)
    assert not signer.genuine(signer.sign("session", "a", "b"), "link", "a", "b")
    assert not signer.genuine(signer.sign("link", "a", "bc"), "link", "ab", "c")
    assert not Signer(b"x" * 32).genuine(signer.sign("link", "a"), "link", "a")


@pytest.mark.parametrize("kind", [k for k in ActKind if k not in (ActKind.PAGE, ActKind.PAGE_RESOLVE)])
def test_nothing_that_goes_to_the_vendor_leads_to_the_room(kind: ActKind) -> None:
    """Not even if an act's facts said so."""
    made = act(kind)
    assert LINKS.into(made, "bird.hotline.webhook-1") is made
    planted = replace(made, facts=page().facts)
    for words in (texts.text(planted), texts.html(planted), texts.subject(planted), texts.spoken(planted)):
        assert BASE not in words
    assert payload(planted, "k", "r")["url"] is None
    assert event(planted, "k", "r", "x")["links"] == []
    assert "client_url" not in event(planted, "k", "r", "x")


def test_a_resolved_page_leads_to_the_room_without_steps() -> None:
    resolved = LINKS.into(act(ActKind.PAGE_RESOLVE, ME), ME)
    assert resolved.facts["room"] == {"url": ROOM, "links": [], "until": 0, "reasons": f"{BASE}/reasons"}
    assert ROOM in texts.text(resolved)


def test_behind_an_exercise_there_is_no_room() -> None:
    assert "room" not in page(exercise=True).facts


def test_without_a_key_there_is_the_room_alone() -> None:
    plain = Links(BASE, 60, None).into(act(ActKind.PAGE, ME), ME)
    assert plain.facts["room"]["links"] == []
    assert ROOM in texts.text(plain)
    assert "Do not pass them on" not in texts.text(plain)


def test_without_an_address_there_are_none() -> None:
    assert Links.of(settings_of(), KEY) is None
    made = Links.of(settings_of(web={"url": f"{BASE}/", "links_for": "2h"}), KEY)
    assert (made and made.base, made and made.lasting) == (BASE, 7200)


def test_programs_get_the_room_too() -> None:
    made = page()
    assert payload(made, "k", ME)["url"] == ROOM
    sent = event(made, "k", ME, "routing")
    assert (sent["client_url"], sent["links"]) == (ROOM, [{"href": ROOM, "text": "Incident room"}])
    receiver = AlertmanagerReceiver(url="http://127.0.0.1:9")
    alert = Alertmanager(ME, receiver).alert(made)
    assert (alert["generatorURL"], alert["annotations"]["room"]) == (ROOM, ROOM)
    own = AlertmanagerReceiver(url="http://127.0.0.1:9", generator_url="https://own.example/")
    assert Alertmanager(ME, own).alert(made)["generatorURL"] == "https://own.example/"


class Kept:
    """A delivery that keeps what it is handed."""

    def __init__(self) -> None:
        self.acts: list[Act] = []

    async def deliver(self, act: Act, key: str) -> Delivered:
        self.acts.append(act)
        return Delivered(Outcome.ACCEPTED, key)


def test_of_all_receivers_those_of_on_call_alone_get_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a service is called as on-call is, and whatever kind of act the receiver is handed."""
    hook = {"webhook": {"url": "http://127.0.0.1:9/"}}
    channels = {"api": [{"name": "a", "url": "http://127.0.0.1:9/"}]}
    settings = settings_of(
        services={
            "on_call": {
                "contract": "bird-email-enterprise",
                "channels": channels,
                "tickets": [hook],
                "hotline": [hook],
                "escalation": [hook],
            }
        },
        on_call=[hook, {**hook, "after": "5m"}],
    )
    kept: dict[str, Kept] = {}

    def make(name: str, *_: Any) -> Kept:
        return kept.setdefault(name, Kept())

    monkeypatch.setattr(building, "_make", make)
    deliveries = building.build(settings, links=LINKS)

    async def deliver() -> None:
        for delivery in deliveries.values():
            for kind in ActKind:
                await delivery.deliver(act(kind), "k")

    asyncio.run(deliver())
    told = {(name, str(act.kind)) for name, each in kept.items() for act in each.acts if "room" in act.facts}
    ours = {"on_call.webhook-1", "on_call.webhook-2"}
    assert told == {(name, kind) for name in ours for kind in ("page", "page_resolve")}


def test_every_step_of_a_link_has_a_title() -> None:
    assert all(TITLES.values())


# the key


def keyed(base: Path, **web: Any) -> bytes | None:
    return key_of(settings_of(web=web or {"token": "t"}), base)


def test_the_key_lies_beside_the_store_for_its_owner_alone_and_stays(tmp_path: Path) -> None:
    key = keyed(tmp_path)
    path = tmp_path / "prober.db-web.key"
    assert key is not None
    assert path.read_bytes() == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keyed(tmp_path) == key
    assert [each.name for each in tmp_path.iterdir()] == ["prober.db-web.key"], "nothing else is left"


def test_the_configurations_key_comes_first_and_nothing_is_written(tmp_path: Path) -> None:
    assert keyed(tmp_path, key="0123456789abcdef") == b"0123456789abcdef"
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_is_to_be_signed_no_key_is_made(tmp_path: Path) -> None:
    assert keyed(tmp_path, probe_any_target=True) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [("k" * 64, 0o644, "others may read it"), ("short", 0o600, "it is no key")],
)
def test_a_key_that_cannot_be_trusted_is_not_used(
    tmp_path: Path, content: str, mode: int, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "prober.db-web.key"
    path.write_text(content)
    path.chmod(mode)
    assert keyed(tmp_path) is None
    assert says in caplog.text
    assert content not in caplog.text


def test_a_pipe_in_the_keys_place_is_not_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(tmp_path / "prober.db-web.key", 0o600)
    assert keyed(tmp_path) is None
    assert "it is no regular file" in caplog.text


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert keyed(tmp_path / "missing") is None
    assert "logins end with this process and pages carry no signed links" in caplog.text
