"""What a vendor's status page says: Statuspage v2 JSON, RSS or Atom, as one value. Pure but for the parsing of bytes."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from defusedxml import DefusedXmlException, ElementTree

from prober.deliver.harmless import harmless

#: Entries of a page that are kept, and characters of a text.
ENTRIES, TEXT = 10, 300
_ATOM = "{http://www.w3.org/2005/Atom}"
#: Words of Statuspage by which a page says that the service as a whole is down.
_DOWN = ("major", "critical")


class NotReadableError(ValueError):
    """What came is no status page of this kind. The message says why, in few words."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An incident on the page, as the vendor words it. `updated` is its own time, as it writes it."""

    title: str
    status: str = ""
    impact: str = ""
    updated: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What the page says. `indicator`: none, minor, major, critical (Statuspage), "" where the kind knows none.

    `confirms`: it says that the service is down for others too. A feed never does: its entries are words for people.
    """

    kind: str
    indicator: str = ""
    description: str = ""
    entries: tuple[Entry, ...] = ()
    components: tuple[Entry, ...] = ()  # those that are not operational

    @property
    def confirms(self) -> bool:
        return self.indicator in _DOWN

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"confirms": self.confirms}


def addresses(url: str, kind: str) -> tuple[tuple[str, str], ...]:
    """(kind, URL) in the order in which they are to be tried."""
    path = urlsplit(url).path.lower()
    bare = url.rstrip("/")
    as_it_is = path.endswith((".json", ".xml", ".rss", ".atom"))
    summary = url if as_it_is else f"{bare}/api/v2/summary.json"
    if kind == "statuspage":
        return (("statuspage", summary),)
    if kind == "feed":
        return (("feed", url),)
    if path.endswith(".json"):
        return (("statuspage", url),)
    if as_it_is:
        return (("feed", url),)
    return (("statuspage", summary), ("feed", url), ("feed", f"{bare}/history.atom"))


def understood(kind: str, body: bytes) -> Said:
    """What `body` says. Raises NotReadableError."""
    return _statuspage(body) if kind == "statuspage" else _feed(body)


def _statuspage(body: bytes) -> Said:
    try:
        page = json.loads(body)
    except (ValueError, RecursionError):
        raise NotReadableError("is not JSON") from None
    status = page.get("status") if isinstance(page, dict) else None
    if not isinstance(status, Mapping) or not isinstance(status.get("indicator"), str):
        raise NotReadableError("is not Statuspage v2: it has no status.indicator")
    incidents = [
        Entry(_text(i.get("name")), _text(i.get("status")), _text(i.get("impact")), _text(i.get("updated_at")))
        for i in _mappings(page.get("incidents"))
        if i.get("status") not in ("resolved", "postmortem", "completed")
    ]
    components = [
        Entry(_text(c.get("name")), _text(c.get("status")), updated=_text(c.get("updated_at")))
        for c in _mappings(page.get("components"))
        if c.get("status") not in ("operational", None) and not c.get("group")
    ]
    indicator = _text(status["indicator"]).lower()
    return Said(
        "statuspage",
        indicator,
        _text(status.get("description")),
        tuple(incidents[:ENTRIES]),
        tuple(components[:ENTRIES]),
    )


def _feed(body: bytes) -> Said:
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise NotReadableError(f"is not a feed ({type(error).__name__})") from None
    if root.tag == f"{_ATOM}feed":
        entries = [
            Entry(_of(e, f"{_ATOM}title"), updated=_of(e, f"{_ATOM}updated") or _of(e, f"{_ATOM}published"))
            for e in root.iter(f"{_ATOM}entry")
        ]
        return Said("feed", description=_of(root, f"{_ATOM}title"), entries=tuple(entries[:ENTRIES]))
    if root.tag in ("rss", "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}RDF"):
        items = [Entry(_of(i, "title"), updated=_of(i, "pubDate")) for i in root.iter("item")]
        channel = root.find("channel")
        title = _of(channel, "title") if channel is not None else ""
        return Said("feed", description=title, entries=tuple(items[:ENTRIES]))
    raise NotReadableError("is neither RSS nor Atom")


def _of(element: Any, tag: str) -> str:
    found = element.find(tag)
    return _text("".join(found.itertext())) if found is not None else ""


def _mappings(value: object) -> Iterator[Mapping[str, Any]]:
    yield from (one for one in value if isinstance(one, Mapping)) if isinstance(value, list) else ()


def _text(value: object) -> str:
    return harmless(" ".join(value.split()), limit=TEXT) if isinstance(value, str) else ""
