"""The sweep over certificates: who is looked at, what is recorded, and when people are warned."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from asking import NOW, Desk
from serving import RAW, called

from prober.link import Message
from prober.settings import ApiEndpoint, SmtpEndpoint
from prober.sweep import Sweep
from prober.web.calling import Calling
from rules.model import Kind, Observation, Stage, Trouble
from tests.peers.http_peer import http_peer
from tests.peers.smtp_peer import smtp_peer

DAY = 86_400
SECRET = "s3cr3t-key"


def desk(account: dict[str, Any], injection: dict[str, Any] | None = None) -> Desk:
    """A service with these two endpoints (both on the board)."""
    smtp = {"name": "injection", "host": "127.0.0.1", "port": 9, "depth": "ehlo", "tls": "none", **(injection or {})}
    api = {"name": "account", "url": "https://127.0.0.1:9/", "headers": {"Authorization": SECRET}, **account}
    channels = {"api": [api], "smtp": [smtp]}
    return Desk(RAW | {"services": {"bird": RAW["services"]["bird"] | {"channels": channels}}})


class House:
    """A sweep on a clock of its own. `looked` are the endpoints as they were called."""

    def __init__(self, desk: Desk, shows: int = 0) -> None:
        self.desk = desk
        self.shows = shows
        self.looked: list[ApiEndpoint | SmtpEndpoint] = []
        self.sent: list[Message] = []
        self.sweep = Sweep(desk.view, self.sent.append, self.look, now=lambda: desk.clock.utc)

    async def look(self, endpoint: ApiEndpoint | SmtpEndpoint, _timeout: float) -> Observation:
        self.looked.append(endpoint)
        trouble = None if self.shows else Trouble.REFUSED
        return Observation(Kind.HTTP, Stage.CONNECT, trouble, cert_expiry=self.shows)

    def run(self, *, after: float = 0.0) -> list[int]:
        """The ends that were recorded by a sweep so many seconds later."""
        self.desk.clock.utc += after
        self.sent.clear()
        asyncio.run(self.sweep.run())
        return [message["not_after"] for message in self.sent]


def test_what_the_calls_have_seen_is_recorded_without_a_handshake() -> None:
    house = House(desk({}))
    called(house.desk.board, 0, [], expiry=NOW + 90 * DAY)
    house.desk.board.cells[0] = NOW - 5
    assert house.run() == [int(NOW) + 90 * DAY]
    assert house.looked == []
    (message,) = house.sent
    assert {message[k] for k in ("type", "service", "channel", "endpoint")} == {"certificate", "bird", "api", "account"}
    assert message["checked"] == int(NOW)


@pytest.mark.parametrize("ended", [0.0, NOW - 2 * DAY])
def test_where_no_call_has_shown_one_lately_the_sweep_makes_a_handshake_once_a_day(ended: float) -> None:
    house = House(desk({}), shows=int(NOW) + 60 * DAY)
    house.desk.board.cells[0] = ended
    assert house.run() == [int(NOW) + 60 * DAY]
    assert house.run(after=6 * 3600) == [int(NOW) + 60 * DAY], "recorded anew, not looked at anew"
    assert len(house.looked) == 1
    house.run(after=19 * 3600)
    assert len(house.looked) == 2


def test_a_kept_connection_says_nothing_of_the_certificate_of_today() -> None:
    house = House(desk({"connection": "reuse"}), shows=int(NOW) + 40 * DAY)
    called(house.desk.board, 0, [], expiry=NOW + 10 * DAY)
    house.desk.board.cells[0] = NOW - 1
    assert house.run() == [int(NOW) + 40 * DAY]
    assert [endpoint.connection for endpoint in house.looked] == ["fresh"]


def test_endpoints_without_tls_are_left_alone() -> None:
    house = House(desk({"url": "http://127.0.0.1:9/"}), shows=int(NOW) + DAY)
    assert (house.run(), house.looked) == ([], [])


def test_a_handshake_that_fails_is_made_again_at_the_next_sweep() -> None:
    house = House(desk({}))
    assert house.run() == []
    house.shows = int(NOW) + 60 * DAY
    assert house.run(after=6 * 3600) == [int(NOW) + 60 * DAY]
    assert len(house.looked) == 2


def test_what_cannot_be_looked_at_is_told_of_and_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    house = House(desk({}, {"tls": "starttls"}), shows=int(NOW) + 60 * DAY)
    look = house.look

    async def broken(endpoint: ApiEndpoint | SmtpEndpoint, timeout: float) -> Observation:  # noqa: ASYNC109 - the seam's
        if endpoint.name == "account":
            raise OSError("no such file: ca.pem")
        return await look(endpoint, timeout)

    house.sweep = Sweep(house.desk.view, house.sent.append, broken, now=lambda: house.desk.clock.utc)
    assert house.run() == [int(NOW) + 60 * DAY]
    assert "the certificate of bird/api/account cannot be looked at: no such file: ca.pem" in caplog.text


def test_people_are_warned_once_at_30_14_7_3_and_1_days_and_every_day_past_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    house = House(desk({}), shows=int(NOW) + 32 * DAY)
    for _ in range(34 * 4):
        house.run(after=6 * 3600)
    said = [record.getMessage().removeprefix("the certificate of bird/api/account ") for record in caplog.records]
    assert said == [
        *(f"expires in {days} days" for days in (29, 13, 6, 2, 0)),
        *(f"expired {days} days ago" for days in (0, 1)),
    ]


def test_a_renewed_certificate_is_warned_of_anew(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    house = House(desk({}), shows=int(NOW) + 2 * DAY)
    house.run()
    house.shows = int(NOW) + 3 * DAY
    house.run(after=25 * 3600)
    assert len(caplog.records) == 2


def test_a_handshake_carries_no_credentials_and_reads_what_it_does_not_believe(tmp_path: Path) -> None:
    with http_peer(tls="expired") as web, smtp_peer(tls="starttls") as mail:
        login = {"username": "who", "password": "open sesame"}
        given = {"host": "127.0.0.1", "port": mail.port, "tls": "starttls", "login": login, "depth": "auth"}
        found = desk({"url": web.url, "method": "POST", "body": "x"}, given)
        sent: list[Message] = []

        async def work() -> None:
            calling = Calling(found.view)
            await Sweep(found.view, sent.append, calling.call_once, now=lambda: found.clock.utc).run()
            calling.close()

        asyncio.run(work())
        assert [(m["channel"], m["endpoint"]) for m in sent] == [("api", "account"), ("smtp", "injection")]
        (request,) = web.requests
        assert (request.method, request.headers.get("authorization")) == ("HEAD", None)
        assert mail.received == [], "as far as TLS, and no further"
