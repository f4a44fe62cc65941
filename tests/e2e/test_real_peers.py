"""The real program against real servers: nginx and Postfix, well and ill."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.e2e.outside import Api, outside, side_by_side, until
from tests.e2e.program import Program, configuration, service, smtp_endpoint, verdicts
from tests.peers.nginx_peer import nginx_peer
from tests.peers.postfix_peer import PASSWORD, USER, postfix_peer

pytestmark = pytest.mark.e2e

#: Seconds that a server is left as it is.
SPELL = 4


def spell(seconds: int = SPELL) -> tuple[int, int]:
    """Let some seconds pass; gives the first and the last in which calls began and ended while nothing changed."""
    begun = time.time()
    until(lambda: time.time() > begun + seconds, "some seconds have passed")
    return int(begun) + 1, int(begun) + seconds - 2


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
            spells: dict[str, tuple[int, int]] = {"well": spell(3)}
            nginx.freeze()
            spells["frozen"] = spell()
            nginx.thaw()
            spells["thawed"] = spell(3)
            nginx.stop()
            spells["stopped"] = spell()
            nginx.start()
            spells["restarted"] = spell(3)
            nginx.answer(503)
            spells["answers 503"] = spell()
            nginx.answer(200)
            spells["well again"] = spell(3)
            program.stop()
            seconds = program.seconds("bird", "api")
            found = {name: verdicts(seconds, *when) for name, when in spells.items()}
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
            spells = {"well": spell(3)}
            postfix.fill_up()
            spells["out of space"] = spell()
            postfix.make_room()
            spells["room again"] = spell(3)
            postfix.stop()
            spells["stopped"] = spell()
            postfix.start()
            spells["restarted"] = spell(3)
            assert program.metric("probe_ssl_earliest_cert_expiry", service="bird") > time.time()
            program.stop()
            seconds = program.seconds("bird", "smtp")
            well = {("available", "ok")}
            assert {name: verdicts(seconds, *when) for name, when in spells.items()} == {
                "well": well,
                "out of space": {("unavailable", "smtp_reply_452")},
                "room again": well,
                "stopped": {("unavailable", "connection_refused")},
                "restarted": well,
            }
            assert seconds[spells["out of space"][0]]["faults"] == {"server_error": 1}
            locked = program.seconds("locked")[spells["well"][0]]
            assert (locked["verdict"], locked["faults"]) == ("inconclusive", {"other": 1}), "our key is our matter"
            log = postfix.log()
            assert log.count("status=sent (") >= 3, "real injections, taken and discarded"
            assert "sasl_username=probe" in log
            assert "TLS connection established from" in log
