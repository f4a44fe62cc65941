"""The program's version, as it was installed."""

from functools import cache
from importlib import metadata


@cache
def version() -> str:
    """Such as "0.1.0"; "0+source" when it runs from a checkout that was not installed."""
    try:
        return metadata.version("prober")
    except metadata.PackageNotFoundError:
        return "0+source"
