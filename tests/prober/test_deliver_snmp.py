"""Notifications against a real snmptrapd, which names what it gets by our MIB."""

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from deliver_acts import FACTS, act

from prober.deliver import Delivered
from prober.deliver.snmp import NOTIFICATIONS, Snmp
from prober.receiver_checks import check
from prober.receivers import SnmpReceiver
from rules.acts import Act, ActKind, Outcome
from tests.peers.snmptrapd_peer import (
    AUTH_KEY,
    COMMUNITY,
    ENGINE,
    INFORMER,
    LENGTHENED,
    MIB,
    PRIVACY_KEY,
    USER,
    WIDE,
    Snmptrapd,
    snmptrapd_peer,
)

V3: dict[str, Any] = {"version": "3", "user": USER, "auth_key": AUTH_KEY, "privacy_key": PRIVACY_KEY}
TICKET = act(ActKind.TICKET, "promptlink.tickets.snmp-1")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Snmptrapd]:
    with snmptrapd_peer(tmp_path) as peer:
        yield peer


def receiver(port: int, **more: Any) -> Snmp:
    settings = {"host": "127.0.0.1", "port": port, **more}
    return Snmp(SnmpReceiver.model_validate(settings), timeout=3.0)


def send(delivery: Snmp, *acts: Act) -> list[Delivered]:
    async def all_of_them() -> list[Delivered]:
        return [await delivery.deliver(each, each.id) for each in acts]

    return asyncio.run(all_of_them())


@pytest.mark.peer("snmptrapd")
def test_a_ticket_arrives_as_a_trap_whose_values_the_mib_names(manager: Snmptrapd) -> None:
    (delivered,) = send(receiver(manager.port, community=COMMUNITY), TICKET)
    assert delivered.outcome is Outcome.ACCEPTED
    assert delivered.detail == f"127.0.0.1:{manager.port}: sent; a trap is not confirmed"
    (trap,) = manager.notifications(1)
    assert "PROBER-MIB::proberTicketOpened" in trap.values()
    assert {name: value for name, value in trap.items() if name.startswith("prober")} == {
        "proberKey": TICKET.id,
        "proberIncident": TICKET.incident,
        "proberEpisode": "1",
        "proberService": "bird",
        "proberSeverity": "critical",
        "proberCondition": "unavailable",
        "proberOnset": "2026-11-22 09:59:00 UTC",
        "proberSummary": "Critical Issue: Bird Email: persistent Unavailability since 2026-11-22 09:59:00 UTC"
        " (59 of 60 measured seconds) [bird-20261122T095900Z]",
        "proberContact": "Example GmbH, Operations, +49 30 1234567, oncall@example.com",
        "proberTicket": "",
    }


@pytest.mark.peer("snmptrapd")
def test_version_3_traps_are_authenticated_and_private_and_accepted_again_after_a_restart(manager: Snmptrapd) -> None:
    settings = {**V3, "engine_id": f"0x{ENGINE}"}
    first = send(receiver(manager.port, **settings), TICKET, TICKET)
    after_a_restart = send(receiver(manager.port, **settings), TICKET)
    assert [each.outcome for each in first + after_a_restart] == [Outcome.ACCEPTED] * 3
    keys = [trap["proberKey"] for trap in manager.notifications(3)]
    assert keys == [TICKET.id] * 3


@pytest.mark.peer("snmptrapd")
def test_a_key_that_is_too_short_for_its_cipher_is_lengthened_as_the_documents_say(manager: Snmptrapd) -> None:
    settings = {**V3, "user": LENGTHENED, "auth": "sha", "privacy": "aes256", "engine_id": ENGINE}
    send(receiver(manager.port, **settings), TICKET)
    assert manager.notifications(1)[0]["proberKey"] == TICKET.id


@pytest.mark.peer("snmptrapd")
@pytest.mark.parametrize(
    "settings",
    [
        {"community": WIDE},
        {"version": "3", "user": WIDE, "auth_key": WIDE, "privacy_key": WIDE, "engine_id": ENGINE},
    ],
    ids=["2c", "3"],
)
def test_names_and_keys_in_other_letters_are_the_managers_own(manager: Snmptrapd, settings: dict[str, Any]) -> None:
    """UTF-8, as a manager reads its configuration: a trap under another key is dropped, and nobody hears of it."""
    send(receiver(manager.port, **settings), TICKET)
    assert manager.notifications(1)[0]["proberKey"] == TICKET.id


@pytest.mark.peer("snmptrapd")
@pytest.mark.parametrize("version", ["2c", "3"])
def test_an_inform_is_confirmed(manager: Snmptrapd, version: str) -> None:
    settings = {**V3, "user": INFORMER} if version == "3" else {"community": COMMUNITY}
    (delivered,) = send(receiver(manager.port, notify="inform", **settings), TICKET)
    assert delivered == Delivered(Outcome.ACCEPTED, f"127.0.0.1:{manager.port}: confirmed", TICKET.id)
    assert manager.notifications(1)[0]["proberKey"] == TICKET.id


@pytest.mark.peer("snmptrapd")
def test_an_inform_by_a_user_that_is_not_known_is_not_taken_and_says_why(manager: Snmptrapd) -> None:
    (delivered,) = send(receiver(manager.port, notify="inform", **{**V3, "user": "stranger"}), TICKET)
    assert delivered == Delivered(Outcome.TRANSIENT, f"127.0.0.1:{manager.port}: Unknown USM user")


@pytest.mark.peer("snmptrapd")
@pytest.mark.parametrize("wrong", ["auth_key", "privacy_key"])
def test_a_wrong_key_gets_no_trap_through(manager: Snmptrapd, wrong: str) -> None:
    send(receiver(manager.port, **{**V3, "engine_id": ENGINE, wrong: "something-else"}), TICKET)
    send(receiver(manager.port, community=COMMUNITY), act(ActKind.NOTE, "r1", step="afterwards"))
    traps = manager.notifications(1)
    assert [trap["proberKey"].rpartition("/")[2] for trap in traps] == ["afterwards"]


@pytest.mark.peer("snmptrapd")
def test_long_values_are_cut_between_letters(manager: Snmptrapd) -> None:
    facts = {**FACTS, "title": "é" * 500, "ticket": "ü" * 500}
    send(receiver(manager.port, community=COMMUNITY), act(facts=facts))
    (trap,) = manager.notifications(1)
    assert len(trap["proberSummary"].encode()) <= 400
    assert trap["proberSummary"].endswith("é")
    assert trap["proberTicket"] == "ü" * 64


def test_an_inform_that_nobody_confirms_may_have_been_taken() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        settings = SnmpReceiver.model_validate(
            {"host": "127.0.0.1", "port": port, "community": COMMUNITY, "notify": "inform"}
        )
        (delivered,) = send(Snmp(settings, timeout=2.0), TICKET)
        assert delivered.outcome is Outcome.UNKNOWN
        assert silent.recv(65_535).count(COMMUNITY.encode()) == 1


def test_a_notification_is_made_beside_the_loop_which_has_other_pages_to_send(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its library loads and reckons for a fifth of a second, also after the engine is there."""
    made_by: list[threading.Thread] = []
    credentials = Snmp._credentials

    def noted(self: Snmp) -> Any:
        made_by.append(threading.current_thread())
        return credentials(self)

    monkeypatch.setattr(Snmp, "_credentials", noted)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as manager:
        manager.bind(("127.0.0.1", 0))
        settings = SnmpReceiver.model_validate(
            {"host": "127.0.0.1", "port": manager.getsockname()[1], "community": "c"}
        )
        (delivered,) = send(Snmp(settings), TICKET)
    assert delivered.outcome is Outcome.ACCEPTED
    assert [thread.name for thread in made_by] == [f"snmp {TICKET.id}"]


@pytest.mark.parametrize("loop", [None, uvloop.new_event_loop])
def test_a_trap_goes_to_a_manager_at_an_ipv6_address_too(loop: Callable[[], asyncio.AbstractEventLoop] | None) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as manager:
        manager.bind(("::1", 0))
        settings = {"host": "::1", "port": manager.getsockname()[1], "community": COMMUNITY}
        delivery = Snmp(SnmpReceiver.model_validate(settings))

        async def give() -> Delivered:
            return await delivery.deliver(TICKET, TICKET.id)

        with asyncio.Runner(loop_factory=loop) as runner:
            assert runner.run(give()).outcome is Outcome.ACCEPTED
        manager.settimeout(10)
        assert TICKET.id.encode() in manager.recv(65_535)


def test_a_user_or_context_that_no_message_can_hold_is_refused_beforehand() -> None:
    """Bytes count, and the longest that is allowed goes out: what the library refuses would be tried for ever."""
    fits = {**V3, "host": "127.0.0.1", "port": 9, "engine_id": ENGINE, "user": "ü" * 16, "context": "ü" * 16}
    assert list(check(SnmpReceiver.model_validate(fits))) == []
    (delivered,) = send(Snmp(SnmpReceiver.model_validate(fits)), TICKET)
    assert delivered.outcome is Outcome.ACCEPTED
    longer = SnmpReceiver.model_validate({**fits, "user": "ü" * 17, "context": "ü" * 17})
    assert list(check(longer)) == [
        (("user",), "is longer than 32 bytes, which SNMP does not take"),
        (("context",), "is longer than 32 bytes, which SNMP does not take"),
    ]


def test_a_manager_whose_name_has_no_address_is_tried_again() -> None:
    settings = SnmpReceiver.model_validate({"host": "nowhere.invalid", "community": COMMUNITY})
    (delivered,) = send(Snmp(settings), TICKET)
    assert delivered.outcome is Outcome.TRANSIENT
    assert COMMUNITY not in delivered.detail


def test_the_mib_has_a_place_for_each_notification_and_object_that_is_sent() -> None:
    text = MIB.read_text(encoding="utf-8")
    notifications = re.findall(r"NOTIFICATION-TYPE\n.*?::= \{ proberNotifications (\d+) \}", text, re.DOTALL)
    assert sorted(map(int, notifications)) == sorted(NOTIFICATIONS.values())
    objects = re.findall(r"OBJECT-TYPE\n.*?::= \{ proberObjects (\d+) \}", text, re.DOTALL)
    assert sorted(map(int, objects)) == [place for place, _ in Snmp._values(TICKET, TICKET.id)]
    told = set(ActKind) - {ActKind.STATUS}  # status pages have receivers of their own
    assert {kind.value for kind in told} <= set(NOTIFICATIONS)


def test_the_mibs_root_is_the_one_that_is_sent_by_default() -> None:
    root = re.search(r"::= \{ enterprises ([\d ]+) \}", MIB.read_text(encoding="utf-8"))
    assert root is not None
    oid = f"1.3.6.1.4.1.{root[1].replace(' ', '.')}"
    assert SnmpReceiver.model_validate({"host": "h"}).oid == oid
