"""Incidents and maintenance as an Atom feed (RFC 4287)."""

from xml.etree import ElementTree as ET

from prober.deliver.harmless import harmless
from prober.status.ids import short, urn
from prober.status.incidents import PublicIncident
from prober.status.picture import Picture
from prober.status.planned import Planned, titles_of
from prober.web.pages import instant, iso

_SPACE = "http://www.w3.org/2005/Atom"
#: Entries in the feed, the newest.
MOST = 50


def feed(picture: Picture) -> str:
    """The feed as text. Links are absolute where `web.url` says where the pages are."""
    root = ET.Element("feed", {"xmlns": _SPACE, "xml:lang": "en"})
    entries = [(incident.changed, _incident(picture, incident)) for incident in picture.incidents]
    entries += [(_known(window, picture), _window(picture, window)) for window in picture.planned]
    entries.sort(key=lambda entry: -entry[0])
    entries = entries[:MOST]
    _text(root, "id", urn("feed", picture.url or "/".join(service.name for service in picture.services)))
    _text(root, "title", picture.title)
    _text(root, "updated", iso(max((at for at, _ in entries), default=_first(picture))))
    author = ET.SubElement(root, "author")
    _text(author, "name", picture.title)
    ET.SubElement(root, "link", {"rel": "alternate", "type": "text/html", "href": f"{picture.url}/"})
    ET.SubElement(root, "link", {"rel": "self", "type": "application/atom+xml", "href": f"{picture.url}/feed.atom"})
    root.extend(entry for _, entry in entries)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _incident(picture: Picture, incident: PublicIncident) -> ET.Element:
    entry = ET.Element("entry")
    _text(entry, "id", urn("incident", incident.id))
    _text(entry, "title", incident.name)
    _text(entry, "published", iso(incident.opened))
    _text(entry, "updated", iso(incident.changed))
    href = f"{picture.url}/history/{short('incident', incident.id)}"
    ET.SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": href})
    ET.SubElement(entry, "category", {"term": incident.status})
    lines = [f"{instant(u.at)} ({u.status}): {u.text}" for u in reversed(incident.updates)]
    _text(entry, "content", "\n\n".join(lines))
    return entry


def _window(picture: Picture, window: Planned) -> ET.Element:
    entry = ET.Element("entry")
    _text(entry, "id", urn("maintenance", window.key))
    _text(entry, "title", f"Maintenance: {window.title}")
    _text(entry, "updated", iso(_known(window, picture)))
    ET.SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": f"{picture.url}/"})
    ET.SubElement(entry, "category", {"term": "maintenance"})
    concerned = titles_of(window, picture.titles)
    _text(entry, "content", f"{concerned}: from {instant(window.start)} to {instant(window.end)}.")
    return entry


def _known(window: Planned, picture: Picture) -> int:
    """When it last was news: at its end, at its begin, or (planned) at the midnight before today."""
    if window.end <= picture.now:
        return window.end
    return window.start if window.on(picture.now) else _first(picture)


def _first(picture: Picture) -> int:
    return int(picture.now) // 86_400 * 86_400


def _text(parent: ET.Element, name: str, words: str) -> None:
    """Characters that XML 1.0 does not know are shown as escapes."""
    ET.SubElement(parent, name).text = harmless(words, lines=True).replace("\ufffe", "").replace("\uffff", "")
