"""A connection by itself: what is written and read, TLS and how it ends, certificates, addresses, errors."""

import errno
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from prober.probes.connection import Connection, expiry_of, show_address
from prober.probes.errors import os_trouble, tls_trouble
from prober.probes.target import context_for
from prober.settings import ClientCert
from rules.model import Trouble

Pair = tuple[Connection, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A connection and its peer's blocking socket, over TCP."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    ours.setblocking(False)
    with closing(ours), closing(theirs):
        yield Connection(ours, theirs.getsockname()), theirs


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def flushed(connection: Connection) -> bool:
    connection.flush()
    return not connection.unsent


def read_all(sock: socket.socket, found: list[bytes]) -> None:
    while data := sock.recv(65_536):
        found.append(data)


def test_what_the_socket_does_not_take_is_sent_when_it_takes_bytes_again(pair: Pair) -> None:
    connection, theirs = pair
    whole = b"".join(b"%09d\n" % n for n in range(1_000_000))
    connection.write(whole)
    assert connection.unsent
    assert not connection.acknowledged
    connection.write(b"and more")
    found: list[bytes] = []
    reader = threading.Thread(target=read_all, args=(theirs, found))
    reader.start()
    while not flushed(connection):
        pass
    connection.sock.shutdown(socket.SHUT_WR)
    reader.join(10)
    assert b"".join(found) == whole + b"and more"


def test_reading_tells_bytes_from_nothing_and_from_the_end(pair: Pair) -> None:
    connection, theirs = pair
    assert connection.receive() is None
    theirs.sendall(b"x")
    connection.sock.settimeout(5)
    assert connection.receive() == b"x"
    theirs.close()
    assert connection.receive() == b""


def test_of_a_socket_that_is_gone_nothing_is_claimed(pair: Pair) -> None:
    connection, _ = pair
    connection.sock.close()
    assert (connection.acknowledged, connection.local, connection.tls_version) == (False, "", "")
    connection.say_goodbye()


def secured(connection: Connection, theirs: socket.socket, authority: trustme.CA) -> ssl.SSLSocket:
    """Both ends after a handshake; ours verifies."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server)
    client = ssl.create_default_context()
    client.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # as ours have it
    authority.configure_trust(client)
    ended: list[ssl.SSLSocket] = []
    thread = threading.Thread(target=lambda: ended.append(server.wrap_socket(theirs.dup(), server_side=True)))
    thread.start()
    connection.sock.settimeout(5)
    connection.secure(client, "localhost")
    while not connection.handshake():
        data = connection.receive()
        assert data
        connection.feed_tls(data)
    thread.join(10)
    return ended[0]


def test_tls_tells_a_clean_end_from_one_that_was_cut(pair: Pair, authority: trustme.CA) -> None:
    connection, theirs = pair
    with secured(connection, theirs, authority) as peer:
        theirs.close()
        peer.sendall(b"hello")
        peer.sendall(b" world")
        plain = b""
        while len(plain) < 11:
            got, ended = connection.decrypt(connection.receive())
            assert not ended
            plain += got
        assert plain == b"hello world"
        assert not connection.buffered
        connection.write(b"x" * 100_000)  # OpenSSL takes it in records
        heard = 0
        while heard < 100_000:
            heard += len(peer.recv(65_536))
        connection.say_goodbye()
        assert peer.recv(10) == b"", "our close_notify"
    data = connection.receive()
    assert connection.decrypt(data or b"") == (b"", True)
    assert connection.clean is (data != b"")


def test_an_end_without_close_notify_is_not_clean(pair: Pair, authority: trustme.CA) -> None:
    connection, theirs = pair
    peer = secured(connection, theirs, authority)
    peer.detach()  # its descriptor is open still, and closes with the socket below
    theirs.shutdown(socket.SHUT_RDWR)
    data = connection.receive()
    while data:
        connection.decrypt(data)
        data = connection.receive()
    assert connection.decrypt(b"") == (b"", True)
    assert not connection.clean


def test_the_earliest_end_of_the_chain_is_found() -> None:
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    root = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    root.create_child_ca().issue_cert("localhost", not_after=soon).configure_cert(server)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context()
    root.configure_trust(client)
    ours = client.wrap_bio(incoming, outgoing, server_hostname="localhost")
    peer = server.wrap_bio(outgoing, incoming, server_side=True)
    for _ in range(3):
        for side in (ours, peer):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    assert expiry_of(ours) == int(soon.timestamp())


def test_addresses_are_shown_as_people_write_them() -> None:
    assert show_address(("192.0.2.1", 25)) == "192.0.2.1:25"
    assert show_address(("2001:db8::1", 25, 0, 0)) == "[2001:db8::1]:25"
    assert show_address("/run/socket") == show_address(None) == ""


# contexts


def test_contexts_are_shared_until_a_file_changes(tmp_path: Path, authority: trustme.CA) -> None:
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    first = context_for(ca, None, verify=True)
    assert context_for(ca, None, verify=True) is first
    assert context_for(ca, None, verify=True, alpn=("h2",)) is not first, "what httpx sets in it must not reach SMTP"
    trustme.CA().cert_pem.write_to_path(str(ca))
    ca.write_bytes(ca.read_bytes() + b"\n")
    assert context_for(ca, None, verify=True) is not first, "a reload reads renewed files"


def test_a_cut_connection_is_told_from_a_closed_one_on_every_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian 12's own, say, sets the option by itself: a reply that was cut off counted as whole."""
    make = ssl.create_default_context

    def as_debian(**given: Any) -> ssl.SSLContext:
        context = make(**given)
        context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
        return context

    monkeypatch.setattr(ssl, "create_default_context", as_debian)
    context = context_for(None, None, verify=True, alpn=("nobody-elses",))
    assert not context.options & ssl.OP_IGNORE_UNEXPECTED_EOF
    cut = ssl.SSLError(1, "unexpected eof while reading")
    cut.reason = "UNEXPECTED_EOF_WHILE_READING"
    assert tls_trouble(cut) == (Trouble.CLOSED, "closed during TLS")
    assert tls_trouble(ssl.SSLError("no words"))[0] is Trouble.TLS_FAILED


def test_the_systems_cas_are_read_anew_when_they_have_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CA of the company's own that is added to the system's counts from the next reload on."""
    system = tmp_path / "cert.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(system))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    trustme.CA(organization_name="before").cert_pem.write_to_path(str(system))
    first = context_for(None, None, verify=True)
    assert context_for(None, None, verify=True) is first
    trustme.CA(organization_name="of the company").cert_pem.write_to_path(str(system), append=True)
    assert len(context_for(None, None, verify=True).get_ca_certs()) == len(first.get_ca_certs()) + 1 == 2


def test_a_client_certificate_is_loaded_and_a_bad_file_is_an_error(tmp_path: Path, authority: trustme.CA) -> None:
    path = tmp_path / "client.pem"
    authority.issue_cert("client@example.com").private_key_and_cert_chain_pem.write_to_path(str(path))
    context = context_for(None, ClientCert(cert=path), verify=False)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)
    path.write_text("no certificate")
    with pytest.raises(ssl.SSLError):
        context_for(None, ClientCert(cert=path), verify=True)
    with pytest.raises(FileNotFoundError):
        context_for(tmp_path / "none.pem", None, verify=True)


# errors


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        (errno.ECONNREFUSED, Trouble.REFUSED),
        (errno.EPIPE, Trouble.RESET),
        (errno.EHOSTUNREACH, Trouble.HOST_UNREACHABLE),
        (errno.ENOPROTOOPT, Trouble.HOST_UNREACHABLE),
        (errno.ENETUNREACH, Trouble.NO_ROUTE),
        (errno.EMFILE, Trouble.NO_DESCRIPTORS),
        (errno.ENOSPC, Trouble.NO_DESCRIPTORS),
        (errno.EADDRNOTAVAIL, Trouble.NO_PORTS),
        (errno.EDOM, Trouble.ENGINE),
    ],
)
def test_what_the_system_says_is_put_in_the_rules_words(code: int, trouble: Trouble) -> None:
    assert os_trouble(code) == (trouble, errno.errorcode[code])


def test_what_nobody_knows_is_said_as_it_came() -> None:
    assert os_trouble(0) == (Trouble.ENGINE, "errno 0")
    assert tls_trouble(ssl.SSLError("no reason given")) == (Trouble.TLS_FAILED, "('no reason given',)")
    assert tls_trouble(ssl.SSLEOFError())[0] is Trouble.CLOSED
    unnamed = ssl.SSLError(1, "[SSL] tlsv1 alert no application protocol (_ssl.c:1006)")  # RFC 7301 3.2: alert 120
    assert tls_trouble(unnamed) == (Trouble.TLS_ALERT, "[SSL] tlsv1 alert no application protocol")
    unverified = ssl.SSLCertVerificationError()
    unverified.verify_code, unverified.verify_message = 23, "certificate revoked"
    assert tls_trouble(unverified) == (Trouble.TLS_UNVERIFIED, "certificate revoked")


@pytest.mark.parametrize(
    ("reason", "trouble"),
    [
        ("TLSV1_ALERT_UNKNOWN_CA", Trouble.TLS_ALERT),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", Trouble.TLS_ALERT),
        ("TLSV1_UNRECOGNIZED_NAME", Trouble.TLS_ALERT),  # alert 112: the server does not serve this name
        ("WRONG_VERSION_NUMBER", Trouble.TLS_FAILED),
    ],
)
def test_an_alert_is_told_from_bytes_that_are_no_tls(reason: str, trouble: Trouble) -> None:
    error = ssl.SSLError(1, "x")
    error.reason = reason
    assert tls_trouble(error) == (trouble, reason)
