"""How a page is made: one environment of templates, the words in which instants and durations are written."""

import datetime as dt
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse


class Pages:
    """Renders the templates of this package; everything that is put into one is escaped."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("prober.web"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["instant"] = instant
        self._environment.filters["iso"] = iso
        self._environment.filters["lasting"] = lasting

    def html(self, template: str, **values: Any) -> str:
        """The page as text; may run in a thread."""
        return self._environment.get_template(template).render(**values)

    def answer(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """The page as an answer that nobody keeps."""
        return HTMLResponse(self.html(template, **values), status, headers={"Cache-Control": "no-store"})


def instant(seconds: float) -> str:
    """An instant (UTC seconds) in words."""
    return _utc(seconds).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(seconds: float) -> str:
    """An instant (UTC seconds) for programs: RFC 3339."""
    return _utc(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def lasting(seconds: float) -> str:
    """A duration in the two largest units that it has."""
    left = int(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        n, left = divmod(left, size)
        if n or parts:
            parts.append(f"{n} {unit}")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if not part.startswith("0 ")) or "0 s"


def _utc(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
