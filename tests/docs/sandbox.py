"""Where the documents' commands run: a folder with a configuration and a store, the web over the same store, no network."""

import contextlib
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import cli_store
import httpx
import pytest
from asking import Desk
from blocks import Command

from prober.cli import main, parser_of
from prober.link import Message
from prober.web.targets import Callee
from rules.model import Kind, Observation, Stage, Trouble

TOKEN = "the-token-of-the-documents"
#: What stands in the documents for something of the reader's own.
PLACEHOLDERS: Mapping[str, str] = {"ID": "bird-1", "SERVICE": "bird", "NAME": "account", "CONFIG": "prober.yaml"}
#: Actions and commands that are not run, with why; that the program knows them is always tested.
NOT_RUN: Mapping[str, str] = {
    "run": "it runs until it is stopped: tests/e2e/test_outage.py",
    "demo": "it takes a minute: tests/e2e/test_demo.py",
    "once": "it calls the vendor: tests/prober/test_once.py",
    "drill": "it starts real servers: tests/prober/test_cli_drill.py, tests/e2e/test_drill_program.py",
}
#: What `prober incidents` does without the running program; its other actions are told to it: tests/prober/test_web_entries.py.
READS = frozenset({"list", "show", "preview"})
#: Programs that are not ours, with why they are not run.
OTHERS: Mapping[str, str] = {
    "cp": "installs into the system",
    "docker": "there is no engine where this is tested; tests/deploy reads its files",
    "export": "the shell's",
    "git": "clones from an address of the reader's",
    "install": "installs into the system",
    "kill": "needs a running program: tests/prober/test_measure_reload.py",
    "mkdir": "the shell's",
    "printf": "the shell's",
    "promtool": "tests/grafana/test_grafana_rules.py runs it",
    "pybabel": "is not among the dependencies",
    "python": "the benchmarks and the dashboards' build have tests of their own",
    "sed": "tests/deploy/test_deploy.py runs it",
    "systemctl": "needs a running systemd",
    "systemd-analyze": "tests/deploy/test_deploy.py runs it",
}


class Answering(Desk):
    """A desk whose measuring process takes every step and every reload at once."""

    def _send(self, message: Message) -> None:
        super()._send(message)
        answer = {"id": message["id"], "ok": True}
        (self.reloads if message["type"] == "reload" else self.entries).answered(answer)


class Sandbox:
    """`run` a command as it stands in a document."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        config = cli_store.troubled(folder)
        patch.chdir(folder)
        patch.setenv("NOT_SET_HERE", "key-0123456789")
        (folder / "web.token").write_text(TOKEN)
        config.write_text(config.read_text() + "web: {token_file: web.token}\n")
        self._runs: Mapping[str, Callable[[Command], None]] = {
            "prober": self._prober,
            "curl": self._curl,
            "make": self._make,
            "sqlite3": self._sqlite3,
        }

    def run(self, command: Command) -> None:
        """Run it, or look whether the program knows it. Fails with what was said."""
        run = self._runs.get(command.program)
        if run is None:
            assert command.program in OTHERS, f"{command.program}: run it in tests/docs/sandbox.py, or say why not"
        else:
            run(command)

    def _prober(self, command: Command) -> None:
        words = [PLACEHOLDERS.get(word, word) for word in command.words[1:]]
        assert unknown(words) == ""
        if words[0] in NOT_RUN or (words[0] == "incidents" and len(words) > 1 and words[1] not in READS):
            return
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            assert main(words) == 0, out.getvalue()
        if command.into:
            Path(command.into).write_text(out.getvalue())

    def _curl(self, command: Command) -> None:
        method, headers, body, url = "GET", {}, b"", ""
        words = iter(command.words[1:])
        for word in words:
            if word in ("--request", "-X"):
                method = next(words)
            elif word in ("--header", "-H"):
                name, _, value = next(words).replace("$WEB_TOKEN", TOKEN).partition(":")
                headers[name] = value.strip()
            elif word == "--json":
                method, body = "POST", next(words).encode()
                headers["Content-Type"] = "application/json"
            elif word == "-N":  # a stream, which does not end: that there is one is asked
                method = "HEAD"
            elif word not in ("--fail", "-s"):
                url = word
        path = re.sub(r"^(?:https?://)?[^/]+", "", url).replace("/ID/", "/bird-1/")
        answer = self.asked(path, method, headers, body)
        # Nothing measures here: a program that is not ready says so, which is its answer.
        wanted = {200, 503} if path in ("/-/healthy", "/-/ready") else {200}
        assert answer.status_code in wanted, f"{method} {path}: {answer.status_code} {answer.text}"

    def asked(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> httpx.Response:
        """The answer of the web to a request from elsewhere."""
        desk = Answering(call_once=_refused, store=self.folder / "kept" / "prober.db", token=TOKEN)
        return desk.ask(path, method, headers, body=body)

    def _make(self, command: Command) -> None:
        makefile = (Path(__file__).parents[2] / "Makefile").read_text()
        targets = [
            word for word in command.words[1:] if not word.startswith("-") and "=" not in word and "/" not in word
        ]
        assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []

    def _sqlite3(self, command: Command) -> None:
        import sqlite3

        _, _, statement = command.words
        target = self.folder / "copy.db"
        with contextlib.closing(sqlite3.connect(self.folder / "kept" / "prober.db")) as db:
            db.execute(re.sub(r"'[^']*'", f"'{target}'", statement))
        assert target.stat().st_size > 0


async def _refused(_: Callee, __: float) -> Observation:
    """What becomes of a call of /probe."""
    return Observation(kind=Kind.HTTP, stage=Stage.CONNECT, trouble=Trouble.REFUSED, begun=1, ended=2)


def unknown(words: list[str]) -> str:
    """What the program says when it does not take these words; "" when it does."""
    chosen = next((word for word in words if not word.startswith("-")), "")
    parser, _ = parser_of(chosen)
    said, status = io.StringIO(), None
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parser.parse_args(words)
    except SystemExit as end:  # 0 after --help and --version
        status = end.code
    return said.getvalue() if status else ""
