"""The program forked from a process that has imported it already: what a start costs is then what it does, not what it loads.

For tests that start it again and again; its serving process is started as ever.
"""

import multiprocessing
import os
import sys
from multiprocessing.context import ForkServerProcess

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["prober.run", "prober.cli.run"])


def _run(config: str, log: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        del os.environ[name]  # caught by coverage, a signal in its serving process could wait for a lock for ever
    from prober.cli import main

    sys.exit(main(["run", config]))


class Forked:
    """A `prober run`, with the methods of subprocess.Popen that a Program uses."""

    def __init__(self, config: str, log: str) -> None:
        self._process: ForkServerProcess = _CONTEXT.Process(target=_run, args=(config, log))
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        self._process.join(timeout)
        status = self._process.exitcode
        assert status is not None, f"process {self.pid} has not ended within {timeout:g} s"
        return status

    def kill(self) -> None:
        self._process.kill()

    def terminate(self) -> None:
        self._process.terminate()
