"""Vendors' error bodies and texts as data: what the files say, what is refused, what hostile bodies do."""

import re
from pathlib import Path
from typing import Any

import pytest

import prober.vendors
from prober.errors import ProberError
from prober.vendors import load, names
from rules.faults.vendors import GENERIC, Vendor
from rules.model import Fault, Finding

RESOURCES = Finding(Fault.SERVER_ERROR, "vendor_resources_unavailable")
VALIDATION = Finding(Fault.OTHER, "vendor_validation_error")
INTERNAL = Finding(Fault.SERVER_ERROR, "vendor_internal_error")
UNAVAILABLE = Finding(Fault.SERVER_ERROR, "vendor_service_unavailable")


def test_the_vendors_are_known_by_name() -> None:
    assert names() == ("bird", "generic", "sparkpost")


def test_the_generic_file_says_what_the_rules_have_built_in() -> None:
    assert load("generic") == GENERIC


@pytest.mark.parametrize("name", ["nobody", "", "../generic", "generic.yaml"])
def test_an_unknown_vendor_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(ProberError, match=re.escape(f"vendor {name!r} is unknown; known are bird, generic, sparkpost")):
        load(name)


def test_a_vendor_is_read_once() -> None:
    assert load("bird") is load("bird")


@pytest.mark.parametrize(
    ("vendor", "body", "finding"),
    [
        ("sparkpost", b'{"errors": [{"message": "m", "description": "d", "code": "1502"}]}', RESOURCES),
        ("sparkpost", b'{"errors": [{"code": 1502}]}', RESOURCES),
        ("sparkpost", b'{"errors": [{"code": "1300"}, {"code": "1502"}]}', RESOURCES),
        ("sparkpost", b'{"errors": [{"code": "2000"}, {"code": "1502"}]}', RESOURCES),
        ("sparkpost", b'{"errors": [{"message": "m", "code": "2000"}], "results": {"id": 1}}', VALIDATION),
        ("sparkpost", b'{"errors": [{"code": "1300"}]}', None),
        ("sparkpost", b'{"errors": [{"message": "1502"}]}', None),
        ("bird", b'{"error": {"type": "internal_error", "code": "x", "request_id": "r"}}', INTERNAL),
        ("bird", b'{"error": {"type": "service_unavailable_error"}}', UNAVAILABLE),
        ("bird", b'{"error": {"type": "invalid_request_error"}}', None),
        ("bird", b'{"errors": [{"code": "internal_error"}]}', INTERNAL),
        ("generic", b'{"error": "internal_error"}', INTERNAL),
        ("generic", b'{"error": "internal_error", "errors": []}', INTERNAL),
        ("generic", b'{"error": {"type": "service_unavailable_error"}}', None),
        ("generic", b'{"results": [{"type": "internal_error"}], "error": null}', None),
    ],
)
def test_a_body_says_whose_fault_it_is(vendor: str, body: bytes, finding: Finding | None) -> None:
    assert load(vendor).judge_body(body) == finding


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>error</html>",
        b'{"error": {"type": "internal_er',
        b'["error", "internal_error"]',
        b'"error"',
        b'{"error": ' + b"[" * 60_000,
        b'{"error": ' + b"9" * 60_000 + b"}",
        b'\xff\xfe{"error": "internal_error"}',
        b'{"error": 5}',
        b'{"error": [[], 5, null]}',
        b'{"error": {"type": ["internal_error"]}}',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_body_that_is_no_error_object_says_nothing(body: bytes) -> None:
    assert load("bird").judge_body(body) is None


def test_only_the_first_errors_of_a_long_list_are_looked_at() -> None:
    filler = b'{"code": "x"},' * 50
    assert load("sparkpost").judge_body(b'{"errors": [' + filler + b'{"code": "1502"}]}') is None


@pytest.mark.parametrize(
    ("vendor", "markers"),
    [
        ("generic", {b'"error"', b'"errors"'}),
        ("sparkpost", {b'"error"', b'"errors"'}),
        ("bird", {b'"error"', b'"errors"'}),
    ],
)
def test_every_body_that_could_be_judged_holds_a_marker(vendor: str, markers: set[bytes]) -> None:
    assert set(load(vendor).markers) == markers


def vendor(**changes: Any) -> dict[str, Any]:
    whole = {"name": "v", "places": ["error"], "bodies": [], "throttled": "slow", "maintenance": "closed"}
    return {key: value for key, value in {**whole, **changes}.items() if value is not ...}


RULE = {"when": {"type": "x"}, "fault": "other", "reason": "rate_limited"}


@pytest.mark.parametrize(
    ("mapping", "error"),
    [
        ([], "a vendor is a mapping of name, extends, places, bodies, throttled, maintenance, not list"),
        (vendor(bodys=[]), "unknown key 'bodys'; a vendor has name,"),
        (vendor(name=...), "name: None is not a text"),
        (vendor(name=""), "name: '' is not a text"),
        (vendor(places="error"), "places: 'error' is not a list"),
        (vendor(places=[7]), "places[0]: 7 is not a text"),
        (vendor(bodies={}), "bodies: {} is not a list"),
        (vendor(bodies=[5]), "bodies[0]: 5 is not a rule; write {when:"),
        (vendor(bodies=[RULE, {"when": {}}]), "bodies[1]: {'when': {}} is not a rule"),
        (vendor(bodies=[{**RULE, "when": {}}]), "bodies[0].when: {} is not a mapping of fields"),
        (vendor(bodies=[{**RULE, "when": "type"}]), "bodies[0].when: 'type' is not a mapping of fields"),
        (vendor(bodies=[{**RULE, "when": {5: "x"}}]), "bodies[0].when: 5 is not a text"),
        (vendor(bodies=[{**RULE, "fault": "none"}]), "bodies[0].fault: 'none' is not one of server_error, server_"),
        (vendor(bodies=[{**RULE, "fault": "own"}]), "bodies[0].fault: 'own' is not one of"),
        (vendor(bodies=[{**RULE, "fault": ["x"]}]), "bodies[0].fault: ['x'] is not one of"),
        (vendor(bodies=[{**RULE, "reason": "because"}]), "bodies[0].reason: 'because' is no reason"),
        (vendor(bodies=[{**RULE, "reason": ["x"]}]), "bodies[0].reason: ['x'] is not a text"),
        (vendor(throttled=...), "throttled: missing; write a regular expression"),
        (vendor(maintenance=5), "maintenance: 5 is not a text"),
        (vendor(throttled="("), "throttled: not a regular expression"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(mapping: Any, error: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(error)):
        Vendor.parse(mapping)


def test_the_file_of_a_wrong_vendor_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wrong.yaml").write_text("name: wrong\nbodies: 5\n")
    monkeypatch.setattr(prober.vendors, "_folder", lambda: tmp_path)
    with pytest.raises(ProberError, match=r"^rules/faults/vendors/wrong.yaml: bodies: 5 is not a list"):
        load("wrong")


def test_a_vendor_inherits_what_it_leaves_out_and_its_own_rules_come_first() -> None:
    base = Vendor.parse(vendor(bodies=[{**RULE, "reason": "rate_limited"}]))
    heir = Vendor.parse(
        {"name": "heir", "places": ["fault"], "bodies": [{**RULE, "reason": "smtp_size"}], "throttled": "busy"}, base
    )
    assert heir.places == ("fault", "error")
    assert heir.judge_body(b'{"error": "x"}') == Finding(Fault.OTHER, "smtp_size")
    assert (heir.throttles("BUSY"), heir.throttles("slow")) == (True, False)
    assert heir.announces_maintenance("closed", b"")


def test_only_the_start_of_a_body_is_searched_for_maintenance() -> None:
    assert GENERIC.announces_maintenance("", b" " * 100 + b"maintenance")
    assert not GENERIC.announces_maintenance("", b" " * 10_000 + b"maintenance")
