"""A real IMAP server: Debian's dovecot, with a configuration of its own, on loopback, in a folder of the test's.

Mails lie in a Maildir, so that a test delivers by writing a file, as a mail server does.
"""

import asyncio
import getpass
import grp
import itertools
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.peers.ports import free_port

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"
#: Whose the mails are where the tests run as root: dovecot serves no mail of root's.
NOBODY = ("nobody", "nogroup")
USER, PASSWORD = "oncall@example.com", 'p"ass\\wörd 1'

_CONFIG = """\
base_dir = {base}/run
state_dir = {base}/state
instance_name = {name}
log_path = {base}/log
info_log_path = {base}/log
protocols = imap
listen = 127.0.0.1
ssl = {ssl}
{certificate}
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
mail_location = maildir:{base}/mail
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 0
first_valid_gid = 0
maildir_stat_dirs = yes
mailbox_idle_check_interval = 1 secs
imap_capability = {capability}
{accounts}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
passdb {{
  driver = passwd-file
  args = scheme=plain username_format=%u {base}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={base}
}}
"""


@dataclass
class Dovecot:
    """A running server; `port` speaks in the clear (with STARTTLS where a certificate was given), `tls_port` TLS."""

    base: Path
    port: int
    tls_port: int
    process: subprocess.Popen[bytes] | None = None
    _counter: "itertools.count[int]" = field(default_factory=itertools.count)

    def deliver(self, content: bytes | str, folder: str = "") -> None:
        """Put a mail into the mailbox, as a delivery agent does: written aside, then moved."""
        raw = content.encode() if isinstance(content, str) else content
        box = self.base / "mail" / (f".{folder}" if folder else "")
        for part in ("", "tmp", "new", "cur"):
            (box / part).mkdir(parents=True, exist_ok=True)
            self._give(box / part)
        name = f"{time.time_ns()}.{next(self._counter)}.test"
        (box / "tmp" / name).write_bytes(raw)
        self._give(box / "tmp" / name)
        (box / "tmp" / name).rename(box / "new" / name)

    def _give(self, path: Path) -> None:
        if os.getuid() == 0:
            shutil.chown(path, *NOBODY)

    def files(self) -> list[str]:
        """The names of all mails that lie there; their flags are in them."""
        return sorted(p.name for part in ("new", "cur") for p in (self.base / "mail" / part).glob("*"))

    def renumber(self) -> None:
        """Lose the index, as a restored backup does: a new UIDVALIDITY, and new UIDs."""
        for path in (self.base / "mail").glob("dovecot*"):
            path.unlink()

    def start(self) -> None:
        program = shutil.which("dovecot", path=PATH)
        assert program is not None
        self.process = subprocess.Popen([program, "-F", "-c", str(self.base / "dovecot.conf")], start_new_session=True)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, (self.base / "log").read_text(errors="replace")
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as sock:
                    if sock.recv(64).startswith(b"* OK"):
                        return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("dovecot does not answer: " + (self.base / "log").read_text(errors="replace"))

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def freeze(self) -> None:
        """All of it stands still, connections and all."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, number)


@contextmanager
def dovecot(
    base: Path,
    *,
    certificate: tuple[Path, Path] | None = None,
    idle: bool = True,
    mechanisms: str = "plain login",
) -> Iterator[Dovecot]:
    """A dovecot in `base` (a short path: sockets lie below it), stopped at the end. `certificate`: PEM of chain and key."""
    port, tls_port = free_port(), free_port()
    (base / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n", encoding="utf-8")
    (base / "mail").mkdir()
    capability = "" if idle else "IMAP4rev1 UIDPLUS"
    # As root dovecot insists on giving up its rights to accounts of its own; as anybody else it cannot, and need not.
    accounts = ""
    user, group = NOBODY
    if os.getuid() == 0:
        base.chmod(0o755)
        shutil.chown(base / "mail", *NOBODY)
    else:
        user, group = getpass.getuser(), grp.getgrgid(os.getgid()).gr_name
        accounts = f"default_login_user = {user}\ndefault_internal_user = {user}\ndefault_internal_group = {group}"
    text = _CONFIG.format(
        accounts=accounts,
        base=base,
        name=base.name,
        ssl="yes" if certificate else "no",
        certificate=f"ssl_cert = <{certificate[0]}\nssl_key = <{certificate[1]}" if certificate else "",
        capability=capability,
        mechanisms=mechanisms,
        user=user,
        group=group,
        port=port,
        tls_port=tls_port if certificate else 0,
    )
    (base / "dovecot.conf").write_text(text)
    server = Dovecot(base, port, tls_port)
    server.start()
    try:
        yield server
    finally:
        if server.process is not None:
            server.thaw()
        server.stop()


async def until(condition: Callable[[], bool], within: float = 20.0) -> None:
    """Wait until `condition()` holds."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.01)
