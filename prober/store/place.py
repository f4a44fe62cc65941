"""Where the configuration says the store is."""

from pathlib import Path

_SCHEME = "sqlite:///"


def locate(store: str, base: Path) -> Path:
    """The file that `sqlite:///name` (relative to `base`, the configuration's folder) or `sqlite:////abs/name` means.

    Raises ValueError with what would be right.
    """
    name = store.removeprefix(_SCHEME)
    if name == store or not name or name.endswith("/") or "\0" in name:
        raise ValueError(
            "not a store; write sqlite:///prober.db (beside the configuration) or sqlite:////var/lib/prober.db"
        )
    return base / name
