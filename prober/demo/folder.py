"""Where a demo keeps its files: an ordinary configuration, the key that it names, the prober's store and log."""

import os
import secrets
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from prober.demo.modes import Channel
from prober.demo.receivers import HOTLINE, ON_CALL, Receivers
from prober.demo.smtp import USERNAME
from prober.demo.vendor import Vendor
from prober.errors import UsageError

SERVICE = "bird"
_CONFIG, _KEY, _STORE, _LOG, _ARRIVED = "demo.yaml", "api.key", "prober.db", "prober.log", "arrived"


@dataclass(frozen=True, slots=True)
class Pace:
    """The demo's figures, seconds: shortened, so that all is seen within a minute."""

    timeout: int = 2
    window: int = 10
    recovered_after: int = 8


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory of one demo. It stays when the demo ends."""

    path: Path

    @classmethod
    def make(cls, chosen: Path | None) -> "Folder":
        """A fresh one, or `chosen`, which is made where it is missing.

        Raises UsageError when it holds a demo already (its incident would go on) or cannot be made.
        """
        if chosen is None:
            try:
                return cls(Path(tempfile.mkdtemp(prefix="prober-demo-")))
            except OSError as error:
                raise UsageError(f"no folder can be made for it ({error.strerror}); name one by --dir") from None
        try:
            folder = cls(chosen.absolute())
            folder.path.mkdir(parents=True, exist_ok=True)
            taken = [path.name for path in (folder.config, folder.store, folder.key) if path.exists()]
        except OSError as error:
            raise UsageError(f"--dir {chosen}: cannot be used: {error.strerror or error}") from error
        if taken:
            raise UsageError(f"--dir {chosen}: {taken[0]} is there already; name a directory without a demo in it")
        return folder

    @property
    def config(self) -> Path:
        return self.path / _CONFIG

    @property
    def key(self) -> Path:
        return self.path / _KEY

    @property
    def store(self) -> Path:
        return self.path / _STORE

    @property
    def log(self) -> Path:
        return self.path / _LOG

    @property
    def arrived(self) -> Path:
        """What the receivers got."""
        return self.path / _ARRIVED

    def write_key(self) -> str:
        """Make up an API key and keep it in a file. Raises UsageError."""
        key = secrets.token_hex(20)
        _write(self.key, f"{key}\n")
        return key

    def write_config(self, vendor: Vendor, receivers: Receivers, reference: str, listen: int, pace: Pace) -> None:
        """Write the configuration; `reference` is the control's address, `listen` the prober's port.

        Raises UsageError.
        """
        template = (resources.files("prober.demo") / "demo.yaml.j2").read_text()
        environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701 - YAML
        text = environment.from_string(template).render(
            listen=listen,
            reference=reference,
            mailbox=receivers.mailbox_port,
            timeout=f"{pace.timeout}s",
            window=f"{pace.window}s",
            recovered_after=f"{pace.recovered_after}s",
            account=vendor.account_url,
            smtp=vendor.doors[Channel.SMTP].port,
            key=_KEY,
            username=USERNAME,
            hotline=receivers.url + HOTLINE,
            on_call=receivers.url + ON_CALL,
        )
        _write(self.config, text)


def _write(path: Path, text: str) -> None:
    """Only we can read it. Raises UsageError."""
    try:
        with open(path, "w", opener=_private) as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
