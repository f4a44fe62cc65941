"""`python -m prober.healthcheck`: a container's question, answered by the exit status."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from prober.healthcheck import main


@contextmanager
def answering(status: int, said: bytes) -> Iterator[str]:
    """A server that answers everything so; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/-/healthy" else 404)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(10)


def test_a_prober_that_is_well_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(200, b"Healthy.\n") as address:
        assert main([address]) == 0
    assert capsys.readouterr().out == "Healthy.\n"


def test_one_that_is_not_is_not_and_its_words_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(503, b"No heartbeat of the measuring process for 20 s.\n") as address:
        assert main([address]) == 1
        assert main([address, "/elsewhere"]) == 1
    assert capsys.readouterr().out.startswith("No heartbeat of the measuring process for 20 s.\n")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:what", "nowhere.invalid:9580"])
def test_whoever_does_not_answer_is_not_well(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([address]) == 1
    assert f"{address} does not answer" in capsys.readouterr().out


def test_it_is_a_program_of_its_own_that_loads_next_to_nothing() -> None:
    code = "import sys, prober.healthcheck; print(sorted({m.split('.')[0] for m in sys.modules} & set(sys.argv[1:])))"
    heavy = ("pydantic", "httpx", "starlette", "uvloop", "yaml", "rules", "asyncio")
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
    with answering(200, b"Healthy.\n") as address:
        asked = [sys.executable, "-m", "prober.healthcheck", address]
        assert subprocess.run(asked, capture_output=True, text=True, timeout=60).stdout == "Healthy.\n"
