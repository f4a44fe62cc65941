"""HTTP/2 against a real nginx: the engine httpx speaks it where it is wanted and offered."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from rules.faults import classify
from rules.model import HTTP_PHASES, Fault, Stage, Trouble
from tests.peers.nginx_peer import NginxPeer, nginx_peer
from tests.prober.http_calls import HTTPX_PATIENCE, call, calls, observation_of

pytestmark = pytest.mark.peer("nginx")

_SERVER = """
        listen 127.0.0.1:{port} ssl http2;
        default_type application/json;
        keepalive_requests 4;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.pem;
        location / {{ return {status} '{{"spoken": "$server_protocol"}}'; }}
        location /ill {{ return 503; }}
"""


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[NginxPeer]:
    """nginx with HTTP/2 over TLS."""
    ca = tmp_path / "ca.pem"
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca))
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    with nginx_peer(tmp_path, _SERVER, ca) as peer:
        yield peer


def test_http_2_is_spoken_where_it_is_wanted_and_offered(nginx: NginxPeer, tmp_path: Path) -> None:
    for http2, version, spoken in ((True, 2.0, "HTTP/2.0"), (False, 1.1, "HTTP/1.1")):
        seen = call(
            nginx.url,
            tmp_path,
            engine="httpx",
            http2=http2,
            ca=str(nginx.ca),
            resolve=["127.0.0.1"],
            expect={"json": {"spoken": spoken}, "header": {"content-type": "json"}},
        )
        assert (seen.code, seen.version, seen.unmet, seen.trouble) == (200, version, None, None), seen
        assert (seen.stage, seen.verified) == (Stage.DONE, True)
        assert seen.tls_version in ("TLSv1.2", "TLSv1.3")
        phases = dict(zip(HTTP_PHASES, seen.phases, strict=True))
        assert all(took >= 0 for took in phases.values()), phases
        assert phases["tls"] > 0
        assert seen.cert_expiry > 0


def test_a_kept_connection_of_http_2_carries_the_next_calls(nginx: NginxPeer, tmp_path: Path) -> None:
    given: dict[str, Any] = {"engine": "httpx", "http2": True, "ca": str(nginx.ca), "connection": "reuse"}
    made = [observation_of(c) for c in calls(nginx.url, tmp_path, count=3, **given)]
    assert [(seen.code, seen.version, seen.fresh) for seen in made] == [
        (200, 2.0, True),
        (200, 2.0, False),
        (200, 2.0, False),
    ]
    assert len({seen.local for seen in made}) == 1


def test_a_server_that_ends_a_kept_connection_of_http_2_is_healthy(nginx: NginxPeer, tmp_path: Path) -> None:
    """nginx sends GOAWAY before the last answer of a connection (`keepalive_requests`), and when it is told to reload."""
    given: dict[str, Any] = {"engine": "httpx", "http2": True, "ca": str(nginx.ca), "connection": "reuse"}
    made = [observation_of(c) for c in calls(nginx.url, tmp_path, count=9, **given)]
    assert [(seen.code, seen.trouble) for seen in made] == [(200, None)] * 9
    assert [seen.fresh for seen in made].count(True) == 3, "each connection carries three calls and refuses the fourth"


def test_faults_over_http_2_are_those_of_http_1(nginx: NginxPeer, tmp_path: Path) -> None:
    given: dict[str, Any] = {"engine": "httpx", "http2": True, "ca": str(nginx.ca), "resolve": ["127.0.0.1"]}
    ill = call(f"{nginx.url}ill", tmp_path, **given)
    assert (ill.code, ill.version) == (503, 2.0)
    assert classify(ill).fault is Fault.SERVER_ERROR
    assert classify(ill).reason == "http_status_503"

    nginx.freeze()
    hung = call(nginx.url, tmp_path, seconds=HTTPX_PATIENCE, **given)
    assert (hung.trouble, hung.stage) == (Trouble.TIMEOUT, Stage.TLS), "the kernel takes the connection, nobody answers"
    assert classify(hung).suspected

    nginx.stop()
    refused = call(nginx.url, tmp_path, **given)
    assert (refused.trouble, refused.stage) == (Trouble.REFUSED, Stage.CONNECT)
