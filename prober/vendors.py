"""Reads the vendors' error bodies and texts that come with the rules (`rules/faults/vendors/*.yaml`)."""

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import yaml

from prober.errors import ProberError
from rules.faults.vendors import Vendor


def _folder() -> Traversable:
    return files("rules.faults") / "vendors"


def names() -> tuple[str, ...]:
    """The vendors that are known, in alphabetical order."""
    found = (entry.name for entry in _folder().iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml")))


@cache
def load(name: str) -> Vendor:
    """The vendor of that name, with what it extends. Raises ProberError for an unknown one, naming the known ones."""
    if name not in names():
        raise ProberError(f"vendor {name!r} is unknown; known are {', '.join(names())}")
    mapping = yaml.safe_load((_folder() / f"{name}.yaml").read_text(encoding="utf-8"))
    try:
        return Vendor.parse(mapping, base=load(mapping["extends"]) if "extends" in mapping else None)
    except ValueError as error:
        raise ProberError(f"rules/faults/vendors/{name}.yaml: {error}") from error
