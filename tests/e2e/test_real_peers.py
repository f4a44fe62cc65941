"""The real program against real servers: nginx and Postfix, well and ill."""

import contextlib
import os
import time
from pathlib import Path
from typing import Any

import pytest
import trustme

from prober.store import Reader, SeriesKey
from rules.model import Verdict
from tests.e2e.outside import Api, outside, side_by_side, until
from tests.e2e.program import OURS, Program, configuration, service, smtp_endpoint, told
from tests.peers.nginx_peer import nginx_peer
from tests.peers.postfix_peer import PASSWORD, USER, postfix_peer

pytestmark = pytest.mark.e2e


def spell(program: Program, channel: str, measured: int = 2) -> list[int]:
    """Seconds in which calls began and ended while nothing changed. Those that the test machine left unmeasured do not count."""
    begun = int(time.time()) + 1

    def found() -> list[int]:
        with contextlib.closing(Reader(program.store)) as reader:
            cells = reader.seconds(SeriesKey("bird", channel), begun, int(time.time()) + 1)
            counted = [n for n, cell in cells if cell.verdict is not Verdict.UNMEASURED or cell.reason not in OURS]
        return counted if len(counted) >= measured else []

    return until(found, "some seconds have been measured")


@pytest.mark.timeout(240)
@pytest.mark.peer("nginx", "postfix")
@pytest.mark.skipif(os.geteuid() != 0, reason="Postfix needs root")
def test_real_servers_well_and_ill_are_told_truly(tmp_path: Path) -> None:
    side_by_side(
        lambda: nginx_well_frozen_stopped_restarted_and_answering_503(tmp_path / "web"),
        lambda: postfix_with_starttls_and_auth_well_out_of_space_and_stopped(tmp_path / "mail"),
    )


def nginx_well_frozen_stopped_restarted_and_answering_503(tmp_path: Path) -> None:
    with outside() as (loop, desk), nginx_peer(tmp_path / "nginx") as nginx:
        control = Api(loop)
        channels = {"api": [{"name": "nginx", "url": nginx.url, "expect": {"body": "nginx says"}}]}
        services = {"bird": service(desk, "bird", channels, timeout="1s", persistence={"for": "60s"})}
        with Program(tmp_path, configuration(desk, services, [control])) as program:
            program.start()
            spells: dict[str, list[int]] = {"well": spell(program, "api")}
            nginx.freeze()
            spells["frozen"] = spell(program, "api")
            nginx.thaw()
            spells["thawed"] = spell(program, "api")
            nginx.stop()
            spells["stopped"] = spell(program, "api")
            nginx.start()
            spells["restarted"] = spell(program, "api")
            nginx.answer(503)
            spells["answers 503"] = spell(program, "api")
            nginx.answer(200)
            spells["well again"] = spell(program, "api")
            program.stop()
            seconds = program.seconds("bird", "api")
            found = {name: told(seconds, when) for name, when in spells.items()}
            well = {("available", "ok")}
            assert found == {
                "well": well,
                "frozen": {("unavailable", "read_timeout")},
                "thawed": well,
                "stopped": {("unavailable", "connection_refused")},
                "restarted": well,
                "answers 503": {("unavailable", "http_status_503")},
                "well again": well,
            }
            assert seconds[spells["frozen"][0]]["faults"] == {"server_timeout": 1}
            assert seconds[spells["stopped"][0]]["faults"] == {"server_error": 1}


def postfix_with_starttls_and_auth_well_out_of_space_and_stopped(tmp_path: Path) -> None:
    tmp_path.mkdir()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with outside() as (loop, desk), postfix_peer(authority) as postfix:
        control = Api(loop)

        def injection(name: str, password: str) -> dict[str, Any]:
            login = {"username": USER, "password": password}
            return smtp_endpoint(postfix.port, name=name, tls="starttls", ca="ca.pem", login=login)

        persistence = {"for": "60s"}
        services = {
            "bird": service(desk, "bird", {"smtp": [injection("injection", PASSWORD)]}, persistence=persistence),
            "locked": service(desk, "locked", {"smtp": [injection("revoked", "wrong")]}, persistence=persistence),
        }
        with Program(tmp_path, configuration(desk, services, [control])) as program:
            program.start()
            spells = {"well": spell(program, "smtp")}
            postfix.fill_up()
            spells["out of space"] = spell(program, "smtp")
            postfix.make_room()
            spells["room again"] = spell(program, "smtp")
            postfix.stop()
            spells["stopped"] = spell(program, "smtp")
            postfix.start()
            spells["restarted"] = spell(program, "smtp")
            assert program.metric("probe_ssl_earliest_cert_expiry", service="bird") > time.time()
            program.stop()
            seconds = program.seconds("bird", "smtp")
            well = {("available", "ok")}
            assert {name: told(seconds, when) for name, when in spells.items()} == {
                "well": well,
                "out of space": {("unavailable", "smtp_reply_452")},
                "room again": well,
                "stopped": {("unavailable", "connection_refused")},
                "restarted": well,
            }
            assert seconds[spells["out of space"][0]]["faults"] == {"server_error": 1}
            locked = [cell for n, cell in program.seconds("locked").items() if n in spells["well"]]
            found = {(cell["verdict"], *cell["faults"]) for cell in locked if cell["reason"] not in OURS}
            assert found == {("inconclusive", "other")}, "our key is our matter"
            log = postfix.log()
            assert log.count("status=sent (") >= 3, "real injections, taken and discarded"
            assert "sasl_username=probe" in log
            assert "TLS connection established from" in log
