"""The address on which the program serves: whose it is, and for how long one waits for it."""

import socket
import threading
import time

import pytest

from prober.listen import StartError, listen_on


def test_it_listens_on_a_free_address_without_blocking() -> None:
    with listen_on("127.0.0.1:0") as sock:
        host, port = sock.getsockname()
        assert (host, sock.getblocking()) == ("127.0.0.1", False)
        with socket.create_connection((host, port), timeout=5):
            pass


def test_it_takes_brackets_around_an_ipv6_address() -> None:
    try:
        sock = listen_on("[::1]:0")
    except StartError as error:  # a machine without IPv6
        pytest.skip(str(error))
    with sock:
        assert sock.getsockname()[0] == "::1"


def test_an_address_in_use_is_refused_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(StartError, match=f"cannot listen on {address}: Address already in use; set `listen`"):
            listen_on(address)
        with pytest.raises(StartError, match="Address already in use"):
            listen_on(address, patience=0.1)


def test_an_address_that_is_not_ours_is_not_waited_for() -> None:
    begun = time.monotonic()
    with pytest.raises(StartError, match="Cannot assign requested address"):
        listen_on("192.0.2.1:0", patience=60)
    with pytest.raises(StartError, match="set `listen` to an address of this machine"):
        listen_on("192.0.2.1:0")
    assert time.monotonic() - begun < 30


def test_an_address_that_gets_free_in_time_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    other = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{other.getsockname()[1]}"
    freed = threading.Timer(0.2, other.close)
    freed.start()
    with listen_on(address, patience=30) as sock:
        assert sock.getsockname()[1] == int(address.rpartition(":")[2])
    freed.join()
    assert "waiting for it" in caplog.text
