"""The program lives under what its unit denies: no memory that is both written and run, no file but its own, few descriptors."""

import sys
from pathlib import Path

import pytest

from tests.e2e.outside import Api, outside, until
from tests.e2e.program import Program, configuration, service, smtp_endpoint
from tests.peers.smtp_peer import smtp_peer

pytestmark = pytest.mark.e2e

#: prctl(2): PR_SET_MDWE with PR_MDWE_REFUSE_EXEC_GAIN, what MemoryDenyWriteExecute= stands for; and PR_SET_NO_NEW_PRIVS.
_SHUT_IN = """
import ctypes, os, sys
prctl = ctypes.CDLL(None, use_errno=True).prctl
if prctl(65, 1, 0, 0, 0) or prctl(38, 1, 0, 0, 0):
    sys.exit("this kernel has no PR_SET_MDWE")
os.umask(0o077)
os.execv(sys.argv[1], sys.argv[1:])
"""


def has_mdwe() -> bool:
    """Linux 6.3 and newer."""
    release = tuple(int(part) for part in Path("/proc/sys/kernel/osrelease").read_text().split("-")[0].split(".")[:2])
    return release >= (6, 3)


@pytest.mark.skipif(not has_mdwe(), reason="PR_SET_MDWE needs Linux 6.3")
def test_it_measures_and_serves_where_no_memory_may_be_written_and_run(tmp_path: Path) -> None:
    with outside() as (loop, desk), smtp_peer() as mail:
        api = Api(loop)
        body = {"name": "by-name", "url": f"http://localhost:{api.port}/", "expect": {"body": "^o.$"}}
        endpoints = {"api": [{"name": "account", "url": api.url}, body], "smtp": [smtp_endpoint(mail.port)]}
        settings = configuration(desk, {"bird": service(desk, "bird", endpoints)}, [api])
        with Program(tmp_path, settings) as program:
            program.start(sys.executable, "-c", _SHUT_IN)
            program.wait_ready()
            until(lambda: program.metric("probe_success") == 3, f"every call succeeds: {program.log_text()}")
            assert program.metric("prober_store_ok") == 1
            program.stop()
