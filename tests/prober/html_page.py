"""A page as a test reads it: its text, its tags, its forms; strict about what is closed."""

import re
from collections.abc import Iterable
from html.parser import HTMLParser

_VOID = frozenset({"meta", "link", "input", "br", "img", "hr"})
#: Tags whose content starts a new piece of text.
_BLOCKS = frozenset({"p", "li", "dt", "dd", "h1", "h2", "h3", "td", "th", "section", "summary", "pre", "div", "label"})


class Html(HTMLParser):
    """`said` is all its text in one line; `inside(id)` that of one element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[tuple[str, str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[tuple[tuple[str, ...], str]] = []  # ids around it, text
        self.feed(page)
        self.close()
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in _BLOCKS:
            self.handle_data(" ")
        if tag not in _VOID:
            self.open.append((tag, dict(attrs).get("id") or ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag, tag

    def handle_data(self, data: str) -> None:
        self.text.append((tuple(name for _, name in self.open if name), data))

    @property
    def said(self) -> str:
        return _line(data for _, data in self.text)

    def inside(self, name: str) -> str:
        """The text of the element with this id."""
        assert any(attributes.get("id") == name for _, attributes in self.tags), f"nothing has the id {name}"
        return _line(data for names, data in self.text if name in names)

    def hidden(self, field: str, action: str = "") -> str:
        """The value of a hidden field, of the form with this action."""
        within = ""
        for tag, attributes in self.tags:
            if tag == "form":
                within = attributes.get("action") or ""
            if tag == "input" and attributes.get("name") == field and within.endswith(action):
                return attributes.get("value") or ""
        raise AssertionError(f"no form to {action} has a field {field}")

    def actions(self) -> list[str]:
        return [attributes.get("action") or "" for tag, attributes in self.tags if tag == "form"]

    def rightly_made(self) -> None:
        """What holds of every page: no inline script or style, nothing from elsewhere, ids once, names for forms' fields."""
        ids = [attributes["id"] or "" for _, attributes in self.tags if "id" in attributes]
        assert len(ids) == len(set(ids)), sorted(name for name in ids if ids.count(name) > 1)
        labels = {attributes.get("for") for tag, attributes in self.tags if tag == "label"}
        for tag, attributes in self.tags:
            assert tag not in {"style", "iframe", "img"}
            assert tag != "script" or (attributes.get("src") or "").startswith("/static/")
            assert not [name for name in attributes if name == "style" or name.startswith("on")], attributes
            for name in ("href", "src", "action"):
                assert re.match(r"/(?!/)|tel:|#", attributes.get(name) or "/"), attributes
            for name in ("aria-labelledby", "aria-describedby"):
                assert set((attributes.get(name) or "").split()) <= set(ids), attributes
            if tag in {"input", "textarea", "select"} and attributes.get("type") != "hidden":
                assert attributes.get("id") in labels, attributes
        assert [tag for tag, _ in self.tags].count("h1") == 1


def _line(pieces: Iterable[str]) -> str:
    return re.sub(r"\s+", " ", "".join(pieces)).strip()
