"""The status page, and what every answer carries."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import public_store as ps
import pytest
from asking import NOW, Desk
from html_page import Html
from public_store import DOWN, GAP, PLANTED, UNSURE, UP
from serving import RAW, second, totals

from prober import config
from rules.incident import RecordKind

INCIDENT: dict[str, Any] = {
    "id": "bird-20261122T120000Z",
    "service": "bird",
    "severity": "critical",
    "phase": "open",
    "episode": 2,
    "conditions": [{"condition": "unavailable", "scope": "", "onset": 1_795_341_600}],
    "onset": 1_795_341_600,
    "ticket": "T-4711",
}


class Words(HTMLParser):
    """The text of a page and the tags that hold it; strict about what is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "bdi":
            self.text.append("\0")
        if tag not in {"meta", "link", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "bdi":
            self.text.append("\0")

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    @property
    def said(self) -> str:
        text = re.sub(" ?\0 ?", "", " ".join(self.text))  # a text's isolation is no gap in it
        return re.sub(r"\s+", " ", text)


def page(desk: Desk) -> Words:
    answer = desk.ask("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Words(answer.text)


LAST = int(NOW) - 2
TODAY = int(NOW) // ps.DAY * ps.DAY


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with nothing in it."""
    path = tmp_path / "prober.db"
    ps.write(path)
    return path


def fit(desk: Desk) -> Desk:
    """Its measuring process is well."""
    desk.view.second(second(LAST))
    desk.view.total(totals())
    return desk


def service(**changes: Any) -> dict[str, Any]:
    """The configuration with a service configured otherwise."""
    return RAW | {"services": {"bird": RAW["services"]["bird"] | changes}}


def test_a_service_and_its_channels_that_are_well_are_operational(store: Path) -> None:
    ps.write(store, ps.seconds(LAST, (TODAY, LAST + 1, UP)))
    said = page(fit(Desk(store=store))).said
    assert "Bird Email: operational" in said
    assert "Bird Email Operational" in said
    assert "API Operational" in said
    assert "SMTP Operational" in said
    assert "impaired" not in said
    assert "Current incidents" not in said


def test_seconds_that_are_yet_to_close_are_not_said_to_be_unmeasured(store: Path) -> None:
    """They have no verdict yet. Those that no call can be open for any more have none either, and are."""
    first = TODAY - 3 * ps.DAY
    ps.write(store, ps.seconds(LAST - 10, (first, LAST - 9, UP)))
    said = page(fit(Desk(store=store))).said
    assert "Bird Email: 100 % available since 2026-11-19 (not measured before) " in said
    assert "not measured," not in said
    assert "2026-11-22: 100 % available, 0 s unavailable " in said
    gone = fit(Desk(store=store))
    gone.clock.utc += 100
    assert "2026-11-22: 100 % available, 0 s unavailable, 1 min 51 s not measured" in page(gone).said


def test_what_is_unavailable_says_so_and_since_when(store: Path) -> None:
    ps.write(store, ps.seconds(LAST, (TODAY, LAST - 90, UP), (LAST - 90, LAST + 1, DOWN)))
    desk = fit(Desk(store=store))
    desk.view.opened({"open": [INCIDENT]})
    said = page(desk).said
    assert "Bird Email: unavailable" in said
    assert "API Unavailable since 2026-11-22 10:00:00 UTC" in said


def test_a_channel_that_is_well_is_not_blamed_for_the_service(store: Path) -> None:
    ps.write(store, ps.seconds(LAST, (TODAY, LAST + 1, UP)))
    desk = fit(Desk(store=store))
    desk.view.opened({"open": [INCIDENT | {"conditions": [{"condition": "unavailable", "scope": "smtp", "onset": 5}]}]})
    said = page(desk).said
    assert "API Operational" in said
    assert "SMTP Unavailable since" in said


@pytest.mark.parametrize(
    ("condition", "scope", "words"),
    [
        ("partial", "api/account", "API Partly unavailable since 2026-11-22 10:00:00 UTC"),
        ("intermittent", "", "Bird Email Degraded since"),
        ("slow", "", "Bird Email Degraded since"),
    ],
)
def test_what_is_not_whole_is_told_as_degraded(store: Path, condition: str, scope: str, words: str) -> None:
    ps.write(store, ps.seconds(LAST, (TODAY, LAST + 1, UP)))
    desk = fit(Desk(store=store))
    held = {"condition": condition, "scope": scope, "onset": 1_795_341_600}
    desk.view.opened({"open": [INCIDENT | {"conditions": [held]}]})
    said = page(desk).said
    assert words in said
    assert "account" not in said


@pytest.mark.parametrize(
    ("cell", "words"),
    [(GAP, "API Not measured"), (UNSURE, "Not measured: our calls fail"), (DOWN, "Degraded: failures")],
)
def test_seconds_that_are_not_well_are_not_called_operational(store: Path, cell: Any, words: str) -> None:
    ps.write(store, ps.seconds(LAST, (TODAY, LAST - 100, UP), (LAST - 100, LAST + 1, cell)))
    assert words in page(fit(Desk(store=store))).said


def test_what_was_measured_long_ago_is_not_the_present(store: Path) -> None:
    ps.write(store, ps.seconds(LAST - 500, (TODAY, LAST - 499, UP)))
    assert "Bird Email Not measured" in page(fit(Desk(store=store))).said


def test_a_maintenance_window_is_told_before_and_while_it_is_on(store: Path) -> None:
    window = {"title": "Move", "start": "2026-11-22T10:30", "end": "2026-11-22T11:00"}
    desk = fit(Desk(service(maintenance=[window]), store=store))
    said = page(desk).said
    assert "Move, Bird Email: 2026-11-22 10:30:00 UTC to 2026-11-22 11:00:00 UTC" in said
    assert "under way" not in said
    desk.clock.utc += 1800
    desk.clock.monotonic += 1
    desk = fit(Desk(service(maintenance=[{**window, "start": "2026-11-22T10:00"}]), store=store))
    said = page(desk).said
    assert "Bird Email Maintenance" in said
    assert "(under way)" in said


def test_ninety_days_stand_as_bars_with_their_figures_in_words(store: Path) -> None:
    bad = TODAY - 3 * ps.DAY
    spells = (
        (bad - ps.DAY, bad, UP),
        (bad, bad + 864, DOWN),
        (bad + 864, bad + 43_200, UP),
        (bad + 43_200, bad + ps.DAY, GAP),
    )
    ps.write(store, ps.seconds(LAST, *spells, (bad + ps.DAY, LAST + 1, UP)))
    found = page(fit(Desk(store=store)))
    days = [attributes for tag, attributes in found.tags if tag == "li" and "tabindex" in attributes]
    assert len(days) == 3 * 90
    assert all(day["tabindex"] == "0" for day in days)
    assert "2026-11-19: 98 % available, 14 min 24 s unavailable, 12 h 0 min not measured" in found.said
    assert "2026-11-18: 100 % available, 0 s unavailable" in found.said
    assert "2026-08-25: not measured" in found.said


def test_seconds_that_were_not_measured_count_neither_way(store: Path) -> None:
    first = TODAY - ps.DAY
    ps.write(
        store,
        ps.seconds(LAST, (first, first + 900, UP), (first + 900, first + 1000, DOWN), (first + 1000, LAST + 1, GAP)),
    )
    said = page(fit(Desk(store=store))).said
    assert "Bird Email: 90 % available since 2026-11-21 (not measured before), " in said


def test_a_share_is_never_rounded_up_to_whole(store: Path) -> None:
    ps.write(store, ps.seconds(LAST, (TODAY - 80 * ps.DAY, LAST, UP), (LAST, LAST + 1, DOWN)))
    assert "99.999 % available since 2026-09-03 (not measured before)" in page(fit(Desk(store=store))).said


def test_days_before_the_first_measured_one_are_not_counted_as_missed(store: Path) -> None:
    ps.write(store, ps.seconds(LAST, (LAST - 9, LAST + 1, UP)))
    said = page(fit(Desk(store=store))).said
    assert "100 % available since 2026-11-22 (not measured before), 10 h" in said, "the first day's own hours are"


def test_ninety_measured_days_are_the_last_ninety(store: Path) -> None:
    ps.write(store, ps.seconds(LAST, (TODAY - 100 * ps.DAY, LAST + 1, UP)))
    assert "Bird Email: 100 % available in the last 90 days" in page(fit(Desk(store=store))).said


def test_todays_new_seconds_are_added_to_what_was_read(store: Path) -> None:
    ps.write(store, ps.seconds(LAST, (TODAY, LAST + 1, UP)))
    desk = fit(Desk(store=store))
    assert "Bird Email: 100 % available" in page(desk).said
    ps.write(store, ps.seconds(LAST + LAST - TODAY + 1, (LAST + 1, LAST + LAST - TODAY + 2, DOWN)))
    desk.view.settings = desk.view.settings.model_copy()
    desk.clock.utc += LAST - TODAY + 1
    assert "Bird Email: 50 % available" in page(desk).said


def test_incidents_are_told_in_neutral_words(store: Path) -> None:
    one, other = "bird-20261122T095900Z", "bird-20261120T080000Z"
    closed = TODAY - ps.DAY
    ps.write(
        store,
        ps.incident(
            other,
            ps.raised(other, closed - 900),
            ps.record(other, closed - 300, RecordKind.RECOVERED, last_bad=closed - 420),
            ps.raised(other, closed - 200, RecordKind.RAISED),
            ps.record(other, closed, RecordKind.CLOSED, how="resolve", by="Erika Mustermann", text="T-987654"),
            phase="closed",
            closed=closed,
        ),
        ps.incident(one, ps.raised(one, LAST - 30)),
    )
    said = page(fit(Desk(store=store))).said
    assert "Current incidents Bird Email is unavailable Since 2026-11-22 10:00:08 UTC , open" in said
    assert "Bird Email has recovered; the last failure was at" in said
    assert "has been unavailable again since" in said
    assert "Resolved 2026-11-21 00:00:00 UTC The incident is resolved." in said
    assert "The provider has responded." in said
    assert "2026-11-22 No other incident." in said
    assert "2026-11-08 to 2026-11-19 No other incident." in said, "days without any are told in one breath"


def test_an_incident_that_has_recovered_does_not_look_as_if_it_went_on(store: Path) -> None:
    name = "bird-1"
    ps.write(
        store,
        ps.incident(
            name, ps.raised(name, LAST - 900), ps.record(name, LAST - 300, RecordKind.RECOVERED, last_bad=LAST - 420)
        ),
    )
    found = page(fit(Desk(store=store)))
    assert "Since 2026-11-22 09:45:38 UTC , recovered and being watched" in found.said
    marks = [a.get("class") for tag, a in found.tags if tag in {"article", "section"}]
    assert "incident watched" in marks
    assert "current" not in marks, "nothing is wrong now"


def test_a_persons_words_are_public_where_they_were_entered_to_be(store: Path) -> None:
    name, at = "bird-1", LAST - 900
    told = {"by": "Erika Mustermann", "via": "cli"}
    ps.write(
        store,
        ps.incident(
            name,
            ps.raised(name, at),
            ps.record(
                name, at + 60, RecordKind.PUBLISHED, text="Mail is late.\nWe know why.", value="identified", **told
            ),
            ps.record(name, at + 120, RecordKind.LIFE, step="workaround", text="T-987654", **told),
            ps.record(name, at + 180, RecordKind.LIFE, step="intake", text="T-987654", **told),
            ps.record(name, at + 240, RecordKind.CLOSED, how="closed_by_vendor", **told),
            ps.record(name, at + 300, RecordKind.REOPENED, text="T-987654", **told),
        ),
    )
    said = page(fit(Desk(store=store))).said
    assert "Identified 2026-11-22 09:47:38 UTC Mail is late. We know why." in said
    assert "Identified 2026-11-22 09:48:38 UTC A work-around is available." in said
    assert "Monitoring 2026-11-22 09:51:38 UTC The incident was reopened." in said
    assert not {"Erika", "T-987654", "intake"} & set(re.split(r"\W", said))


def test_what_concerns_our_on_call_alone_is_not_public(store: Path) -> None:
    ps.write(
        store, ps.incident("x-1", ps.raised("x-1", LAST, severity="internal", condition="failing"), severity="internal")
    )
    assert "Current incidents" not in page(fit(Desk(store=store))).said


def test_older_incidents_stand_in_the_history_page_by_page(store: Path) -> None:
    def closed(number: int) -> Any:
        name, at = f"bird-{number}", TODAY - (20 + number) * ps.DAY
        done = ps.record(name, at + 60, RecordKind.CLOSED)
        return ps.incident(name, ps.raised(name, at), done, phase="closed", closed=at + 60)

    ps.write(store, *[closed(number) for number in range(30)])
    desk = fit(Desk(store=store))
    assert "Older incidents" in page(desk).said
    first, last = Words(desk.ask("/history").text), Words(desk.ask("/history?page=2").text)
    assert first.said.count("was unavailable") == 25
    assert last.said.count("was unavailable") == 5
    assert "is unavailable" not in first.said, "it is over"
    assert "Page 2 of 2" in last.said
    for wrong in ("0", "3", "x", "-1", "1e3", "9" * 50):
        assert desk.ask(f"/history?page={wrong}").status_code == 404


def test_only_public_services_are_shown(store: Path) -> None:
    ps.write(store, ps.incident("bird-1", ps.raised("bird-1", LAST)))
    desk = fit(Desk(service(public=False), store=store))
    for path in ("/", "/history"):
        assert "Bird" not in desk.ask(path).text


def test_nothing_private_is_public(store: Path) -> None:
    name = "bird-20261122T095900Z"
    ps.write(store, ps.incident(name, ps.raised(name, LAST - 30)), ps.failure(LAST))
    desk = fit(Desk(store=store))
    desk.view.opened({"open": [INCIDENT | {"ticket": {"number": "T-987654"}, "acknowledged_by": "Erika Mustermann"}]})
    for path in ("/", "/history"):
        text = desk.ask(path).text
        assert "Bird Email is unavailable" in text
        assert [planted for planted in PLANTED if planted in text] == [], path


def test_it_says_when_measuring_is_impaired() -> None:
    desk = Desk()
    desk.clock.monotonic += 60
    said = page(desk).said
    assert "Measuring is impaired" in said
    assert "heartbeat" not in said
    desk = fit(Desk())
    desk.view.second(second(LAST))
    assert "Measuring is impaired" not in page(desk).said
    desk.view.opened({"open": [INCIDENT | {"conditions": [{"condition": "blind", "scope": "", "onset": 5}]}]})
    assert "Measuring is impaired" in page(desk).said


def test_without_a_store_the_present_is_shown_all_the_same() -> None:
    desk = Desk()
    desk.view.second(second(LAST, "unavailable", "http_status_503"))
    said = page(desk).said
    assert "No history at the moment" in said
    assert "API Degraded: failures seen within the last minute" in said


def test_a_service_has_only_the_channels_that_are_configured() -> None:
    desk = Desk()
    services = {
        "solo": {"contract": "bird-email-enterprise", "channels": {"api": [{"name": "x", "url": "http://127.0.0.1/"}]}}
    }
    desk.view.configured(config.from_raw(RAW | {"services": services}, Path()), desk.board, 0)
    said = page(desk).said
    assert "solo" in said
    assert "SMTP" not in said
    services["solo"]["channels"] = {"smtp": RAW["services"]["bird"]["channels"]["smtp"]}
    desk.view.configured(config.from_raw(RAW | {"services": services}, Path()), desk.board, 0)
    assert "API" not in page(desk).said


def test_without_a_service_it_says_so() -> None:
    desk = Desk()
    desk.view.configured(config.from_raw({}, Path()), desk.board, 0)
    assert "No service is shown here." in page(desk).said


def test_what_others_wrote_stays_text(store: Path) -> None:
    hostile = "<script>alert(1)</script>\u202e\x1b[31m" + "x" * 100_000
    name = "bird-1"
    told = ps.record(name, LAST, RecordKind.NOTE, text=hostile)
    ps.write(store, ps.incident(name, ps.raised(name, LAST - 9), told))
    desk = fit(Desk(service(title="<img src=x onerror=alert(1)>"), store=store, title="<b>Status</b>"))
    found = page(desk)
    assert not {"b", "img"} & {tag for tag, _ in found.tags}
    assert "<b>Status</b>" in found.said
    assert "<img src=x onerror=alert(1)>" in found.said


def test_the_page_bears_the_configured_title_logo_and_colours(tmp_path: Path) -> None:
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    desk = Desk(title="Acme Status", logo=str(logo), accent="#7a1fa2", accent_dark="#d8a8f0")
    found = page(desk)
    assert "Acme Status" in found.said
    assert ("img", {"class": "logo", "src": "/logo", "alt": ""}) in found.tags
    served = desk.ask("/logo")
    assert served.headers["content-type"] == "image/svg+xml"
    assert served.headers["content-security-policy"] == "default-src 'none'; sandbox"
    sheet = desk.ask("/colours.css")
    assert sheet.headers["content-type"] == "text/css; charset=utf-8"
    assert "#7a1fa2" in sheet.text
    assert "#d8a8f0" in sheet.text
    logo.unlink()
    assert Desk().ask("/logo").status_code == 404
    assert desk.ask("/logo").status_code == 200  # what was read stays


def test_the_foot_leads_to_the_last_hour_unless_a_proxy_hides_it() -> None:
    link = ("a", {"href": "/live"})
    assert link in page(Desk()).tags
    assert link not in page(Desk(operators_link=False)).tags


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a..", "image/gif"),
        (b"RIFF....WEBPVP8 ", "image/webp"),
        (b'<?xml version="1.0"?>\n<!-- x -->\n<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
    ],
)
def test_a_logo_is_served_as_what_it_is(tmp_path: Path, content: bytes, kind: str) -> None:
    logo = tmp_path / "logo"
    logo.write_bytes(content)
    assert Desk(logo=str(logo)).ask("/logo").headers["content-type"] == kind


def test_an_accent_without_one_for_the_dark_is_for_the_light_alone() -> None:
    sheet = Desk(accent="#7a1fa2").ask("/colours.css").text
    assert sheet.startswith("@media not (prefers-color-scheme: dark) {")
    assert Desk().ask("/colours.css").text == "\n"


def test_whoever_has_the_page_already_is_told_so_and_compression_is_used(store: Path) -> None:
    desk = fit(Desk(store=store))
    answer = desk.ask("/")
    assert answer.headers["content-encoding"] == "gzip"
    assert desk.ask("/", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert "content-encoding" not in desk.ask("/", headers={"Accept-Encoding": "identity"}).headers


def test_it_needs_no_script_no_inline_style_and_nothing_from_elsewhere() -> None:
    desk = Desk()
    answer = desk.ask("/")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    for tag, attributes in Words(answer.text).tags:
        assert tag not in {"style", "iframe", "form"}
        assert tag != "script" or attributes == {"type": "module", "src": "/static/status.js"}
        assert not {"style", "onclick", "onload"} & attributes.keys()
        for name in ("href", "src"):
            assert (attributes.get(name) or "/").startswith("/")
    sheet = desk.ask("/static/base.css")
    assert sheet.status_code == 200
    assert sheet.headers["content-type"] == "text/css; charset=utf-8"
    assert "prefers-color-scheme: dark" in sheet.text


def test_a_screen_reader_finds_its_way(store: Path) -> None:
    ps.write(store, ps.seconds(LAST, (TODAY, LAST + 1, UP)), ps.incident("bird-1", ps.raised("bird-1", LAST - 9)))
    found = page(fit(Desk(store=store)))
    tags = [tag for tag, _ in found.tags]
    assert ("html", {"lang": "en"}) in found.tags
    assert tags.count("h1") == 1
    assert {"main", "header", "footer", "nav"} <= set(tags)
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), "a level of headings is left out"
    assert all(attributes.get("aria-label") for tag, attributes in found.tags if attributes.get("class") == "days")
    assert all(attributes.get("aria-hidden") == "true" for tag, attributes in found.tags if tag == "svg")
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["aria-labelledby"] for _, a in found.tags if "aria-labelledby" in a} <= set(ids)


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/static/base.css", "/nothing", "/probe", "/-/reload"])
def test_every_answer_carries_the_security_headers(path: str) -> None:
    headers = Desk().ask(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/metrics/",
        "/static/../page.py",
        "/static/%2e%2e/page.py",
        "/%00",
        "/%ff%fe",
        "/static/base.css/",
        "/<script>",
        "/" + "a" * 10_000,
    ],
)
def test_what_is_not_there_is_not_found_in_plain_text(path: str) -> None:
    answer = Desk().ask(path, headers={"Host": "evil.example"})
    assert (answer.status_code, answer.text) == (404, "Not found.\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "location" not in answer.headers


@pytest.mark.parametrize("path", ["/nothing<b>", "/history/0123456789ab"])
def test_people_who_miss_a_page_are_led_back(path: str) -> None:
    answer = fit(Desk()).ask(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert answer.status_code == 404
    assert answer.headers["vary"] == "Accept"
    page = Html(answer.text)
    page.rightly_made()
    assert "No such page Nothing is at this address." in page.said
    assert '<a href="/">Current state</a>' in answer.text
    assert "prober" not in page.said, "outsiders are told no product"


def test_reading_changes_nothing_and_writing_is_refused() -> None:
    for path in ("/", "/metrics", "/probe", "/-/ready", "/-/healthy", "/static/base.css"):
        assert Desk().ask(path, "POST").status_code == 405


def test_a_defect_shows_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()

    def broken() -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(desk.view, "snapshot", broken)
    answer = desk.ask("/history")
    assert (answer.status_code, answer.text) == (500, "Internal error.\n")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_is_over_is_not_marked_as_if_it_were_now(store: Path) -> None:
    began, ended = LAST - 5000, LAST - 4000
    ps.write(store, ps.seconds(LAST, (TODAY, LAST + 1, UP)))
    records = [
        ps.raised("i", began),
        ps.record("i", ended - 9, RecordKind.RECOVERED),
        ps.record("i", ended, RecordKind.CLOSED),
    ]
    ps.write(store, ps.incident("i", *records, phase="closed", recovered=ended - 9, closed=ended))
    ps.write(store, ps.incident("j", ps.raised("j", LAST - 60)))
    marks = [attrs["class"] for tag, attrs in page(fit(Desk(store=store))).tags if tag == "article"]
    assert marks == ["incident impact-critical", "incident over"]


def test_our_words_are_read_from_the_left_whatever_a_service_is_called(store: Path) -> None:
    """A person's are read as they begin."""
    said = ps.record("i", LAST - 30, RecordKind.PUBLISHED, by="Ada", text="הדואר מתעכב")
    ps.write(store, ps.seconds(LAST, (TODAY, LAST + 1, UP)))
    ps.write(store, ps.incident("i", ps.raised("i", LAST - 60), said))
    tags = page(fit(Desk(service(title="שירות דואר"), store=store))).tags
    directions = [attrs.get("dir") for _, attrs in tags if attrs.get("class") == "said"]
    assert directions[0] == "auto"
    assert set(directions[1:]) == {None}


def test_what_a_browser_has_is_not_sent_again_also_behind_a_proxy_that_compresses(store: Path) -> None:
    """Such a proxy (nginx) makes a strong tag a weak one; If-None-Match is compared weakly (RFC 9110 13.1.2)."""
    desk = fit(Desk(store=store))
    for path in ("/", "/static/base.css", "/feed.atom"):
        tag = desk.ask(path).headers["etag"].removeprefix("W/")
        for given in (tag, f"W/{tag}", f'"other", W/{tag}', "*"):
            assert desk.ask(path, headers={"If-None-Match": given}).status_code == 304, given
        assert desk.ask(path, headers={"If-None-Match": 'W/"other"'}).status_code == 200
