"""A real snmptrapd (Debian's package) on loopback, with a configuration of its own in a folder of the test.

with snmptrapd_peer(tmp_path) as manager:
    ... send to manager.port ...
    notification = manager.notifications(1)[0]

It knows the community COMMUNITY, the users USER, LENGTHENED and WIDE of the engine ENGINE (for traps), and INFORMER
(for informs). It reads our MIB, and so names what it was sent.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.conftest import find
from tests.peers.ports import free_port

COMMUNITY = "community-of-test"
ENGINE = "80001f8804abcdef01"
USER, INFORMER = "prober", "informer"
LENGTHENED = "lengthened"  # its cipher's key is longer than its hash
WIDE = "schlüssel-ключ"  # a community, and a user whose keys are called so too
AUTH_KEY, PRIVACY_KEY = "auth-key-0123456", "privacy-key-0123456"
MIB = Path(__file__).parents[2] / "prober" / "deliver" / "mib" / "PROBER-MIB.txt"

_CONFIG = f"""
authCommunity log {COMMUNITY}
createUser -e 0x{ENGINE} {USER} SHA-256 "{AUTH_KEY}" AES "{PRIVACY_KEY}"
authUser log {USER} priv
createUser {INFORMER} SHA-256 "{AUTH_KEY}" AES "{PRIVACY_KEY}"
authUser log {INFORMER} priv
createUser -e 0x{ENGINE} {LENGTHENED} SHA "{AUTH_KEY}" AES-256-C "{PRIVACY_KEY}"
authUser log {LENGTHENED} priv
authCommunity log {WIDE}
createUser -e 0x{ENGINE} {WIDE} SHA-256 "{WIDE}" AES "{WIDE}"
authUser log {WIDE} priv
"""
#: Debian ships no MIBs of the IETF; of these, our own needs no more than the place of `enterprises`.
_BASE = {
    "SNMPv2-SMI": """\
SNMPv2-SMI DEFINITIONS ::= BEGIN
org OBJECT IDENTIFIER ::= { iso 3 }
dod OBJECT IDENTIFIER ::= { org 6 }
internet OBJECT IDENTIFIER ::= { dod 1 }
private OBJECT IDENTIFIER ::= { internet 4 }
enterprises OBJECT IDENTIFIER ::= { private 1 }
END
""",
    "SNMPv2-TC": "SNMPv2-TC DEFINITIONS ::= BEGIN\nEND\n",
    "SNMPv2-CONF": "SNMPv2-CONF DEFINITIONS ::= BEGIN\nEND\n",
}


class Snmptrapd:
    """The manager. A notification is a mapping of names (PROBER-MIB's, without the instance) to values."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "traps"
        self.port = free_port(socket.SOCK_DGRAM)
        mibs = folder / "mibs"
        mibs.mkdir(parents=True)
        for name, text in _BASE.items():
            (mibs / name).write_text(text)
        shutil.copy(MIB, mibs / "PROBER-MIB")
        config = folder / "snmptrapd.conf"
        config.write_text(_CONFIG, "utf-8")
        program = find("snmptrapd")
        assert program is not None, "snmptrapd is not installed (Debian: snmptrapd)"
        options = ["-f", "-C", "-c", str(config), "-n", "-M", str(mibs), "-m", "PROBER-MIB", "-OQ", "-Ot"]
        output = ["-Lf", str(self._log), "-F", "NOTIFICATION %V\x1f% %v\n"]
        self._process = subprocess.Popen(
            [program, *options, *output, f"udp:127.0.0.1:{self.port}"],
            env={**os.environ, "SNMP_PERSISTENT_DIR": str(folder / "state"), "SNMPCONFPATH": str(folder)},
        )
        self._wait_until(lambda: "NET-SNMP version" in self.log())

    def log(self) -> str:
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def notifications(self, count: int, within: float = 10.0) -> list[dict[str, str]]:
        """The first `count` notifications, once they are there."""
        self._wait_until(lambda: len(self._found()) >= count, within)
        return self._found()

    def _found(self) -> list[dict[str, str]]:
        found = []
        for line in self.log().split("NOTIFICATION ")[1:]:
            pairs = (pair.partition(" =") for pair in line.strip().split("\x1f"))
            found.append({_named(name): value.strip().strip('"') for name, _, value in pairs})
        return found

    def _wait_until(self, true: Callable[[], bool], within: float = 10.0) -> None:
        deadline = time.monotonic() + within
        while not true():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


def _named(name: str) -> str:
    """A name without its module and its instance."""
    return re.sub(r"\.0$", "", name.strip().rpartition("::")[2])


@contextlib.contextmanager
def snmptrapd_peer(folder: Path) -> Iterator[Snmptrapd]:
    peer = Snmptrapd(folder)
    try:
        yield peer
    finally:
        peer.stop()
