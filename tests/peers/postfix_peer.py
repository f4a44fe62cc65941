"""A real Postfix (Debian's package) on loopback, with configuration, queue and port of its own. It needs root, as Postfix does.

It offers STARTTLS (a certificate of the given authority) and AUTH PLAIN and LOGIN, takes mail of who is logged in alone,
and discards it. Passwords are checked over Dovecot's authentication protocol, whose server is here: Postfix is built with
that client, and nothing further needs to be installed.
"""

import base64
import contextlib
import os
import shutil
import signal
import smtplib
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import trustme

from tests.conftest import find

USER, PASSWORD = "probe", "open sesame"

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
myhostname = mail.vendor.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
default_transport = discard
relay_transport = discard
smtpd_peername_lookup = no
smtpd_client_connection_rate_limit = 0
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
smtpd_tls_chain_files = {folder}/server.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth}
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
queue_minfree = {minfree}
"""
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix  n - n 60  1 pickup
cleanup   unix  n - n -   0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n -   - trivial-rewrite
bounce    unix  - - n -   0 bounce
defer     unix  - - n -   0 bounce
trace     unix  - - n -   0 bounce
verify    unix  - - n -   1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -   - proxymap
error     unix  - - n -   - error
retry     unix  - - n -   - error
discard   unix  - - n -   - discard
anvil     unix  - - n -   1 anvil
scache    unix  - - n -   1 scache
postlog   unix-dgram n - n - 1 postlogd
"""
#: Bytes free that no disk has: Postfix answers 452 4.3.1 to MAIL.
_NEVER_FREE = 10**18


class _Passwords(socketserver.StreamRequestHandler):
    """Dovecot's authentication protocol 1.1, as far as Postfix asks (doc.dovecot.org, "Dovecot Authentication Protocol")."""

    def handle(self) -> None:
        self._say("VERSION\t1\t1", "MECH\tPLAIN\tplaintext", "MECH\tLOGIN\tplaintext")
        self._say("SPID\t1", "CUID\t1", "COOKIE\t" + "0" * 32, "DONE")
        names: dict[str, str] = {}  # of LOGIN dialogues: the number of the request -> the user so far
        for line in self.rfile:
            verb, *words = line.decode().rstrip("\n").split("\t")
            if verb == "AUTH":
                number, mechanism = words[0], words[1]
                given = next((w.removeprefix("resp=") for w in words if w.startswith("resp=")), None)
                if mechanism == "PLAIN" and given is not None:
                    self._judge(number, *base64.b64decode(given).decode().split("\0")[1:])
                elif mechanism == "LOGIN" and given:
                    names[number] = base64.b64decode(given).decode()
                    self._ask(number, "Password:")
                else:
                    self._ask(number, "Username:" if mechanism == "LOGIN" else "")
            elif verb == "CONT":
                number, answer = words[0], base64.b64decode(words[1]).decode()
                if "\0" in answer:
                    self._judge(number, *answer.split("\0")[1:])
                elif number in names:
                    self._judge(number, names.pop(number), answer)
                else:
                    names[number] = answer
                    self._ask(number, "Password:")

    def _judge(self, number: str, user: str, password: str) -> None:
        good = (user, password) == (USER, PASSWORD)
        self._say(f"{'OK' if good else 'FAIL'}\t{number}\tuser={user}")

    def _ask(self, number: str, words: str) -> None:
        self._say(f"CONT\t{number}\t{base64.b64encode(words.encode()).decode()}")

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\n" for line in lines).encode())


class _PasswordServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


class PostfixPeer:
    """The server, at `host`:`port`."""

    def __init__(self, authority: trustme.CA) -> None:
        self.host = "127.0.0.1"
        with socket.create_server((self.host, 0)) as free:
            self.port = int(free.getsockname()[1])
        # Not in a folder of pytest's: Postfix's own user must reach its queue.
        self.folder = Path(tempfile.mkdtemp(prefix="postfix-peer-"))
        self.folder.chmod(0o755)
        self._passwords = _PasswordServer((self.host, 0), _Passwords)
        threading.Thread(target=self._passwords.serve_forever, name="passwords", daemon=True).start()
        self._process: subprocess.Popen[bytes] | None = None
        (self.folder / "queue").mkdir()
        (self.folder / "data").mkdir()
        shutil.chown(self.folder / "data", "postfix")
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        chain = certificate.private_key_pem.bytes() + b"".join(p.bytes() for p in certificate.cert_chain_pems)
        (self.folder / "server.pem").write_bytes(chain)
        (self.folder / "master.cf").write_text(_MASTER.format(port=self.port))
        self._configure(0)

    def start(self) -> None:
        """Returns when it greets."""
        self._do("check")  # makes the queue's folders
        self._process = subprocess.Popen(
            [*self._command(), "start-fg"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._wait_for(250)

    def stop(self) -> None:
        """Away at once, with all of its processes."""
        assert self._process is not None
        self._do("abort")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
        self._process = None

    def fill_up(self) -> None:
        """Out of space from now on: 452 4.3.1 at MAIL. Returns when it says so."""
        self._configure(_NEVER_FREE)
        self._do("reload")
        self._wait_for(452)

    def make_room(self) -> None:
        self._configure(0)
        self._do("reload")
        self._wait_for(250)

    def log(self) -> str:
        """What Postfix has logged."""
        path = self.folder / "mail.log"
        return path.read_text() if path.exists() else ""

    def close(self) -> None:
        if self._process is not None:
            self.stop()
        self._passwords.shutdown()
        self._passwords.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _configure(self, minfree: int) -> None:
        auth = self._passwords.server_address[1]
        (self.folder / "main.cf").write_text(_MAIN.format(folder=self.folder, auth=auth, minfree=minfree))

    def _command(self) -> list[str]:
        program = find("postfix")
        assert program is not None, "postfix is not installed (Debian: postfix)"
        return [program, "-c", str(self.folder)]

    def _do(self, what: str) -> None:
        done = subprocess.run([*self._command(), what], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"postfix {what}: {done.stdout}{done.stderr}{self.log()}"

    def _wait_for(self, code: int) -> None:
        """Several dialogues up to MAIL in a row that end with `code`."""
        end = time.monotonic() + 30
        good = 0
        while good < 3:
            assert time.monotonic() < end, f"postfix does not answer {code} to MAIL: {self.log()}"
            with (
                contextlib.suppress(OSError, smtplib.SMTPException),
                smtplib.SMTP(self.host, self.port, timeout=3) as c,
            ):
                c.ehlo()
                good = good + 1 if c.mail("probe@customer.test")[0] == code else 0
            time.sleep(0.02)  # between looks at a condition


@contextlib.contextmanager
def postfix_peer(authority: trustme.CA) -> Iterator[PostfixPeer]:
    """A running Postfix whose certificate `authority` signed."""
    postfix = PostfixPeer(authority)
    try:
        postfix.start()
        yield postfix
    finally:
        postfix.close()
