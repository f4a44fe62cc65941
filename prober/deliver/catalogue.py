"""A message catalogue: what the texts say, in another language, as gettext compiles it.

It stands as `messages.mo` in a folder of texts. A translation that does not take its message's values gives way to the
English one: no act is lost for a word.
"""

import gettext
import io
import re
import struct
from collections.abc import Iterator
from pathlib import Path

from prober.patient import read_bytes

__all__ = ["FILE", "SOURCE", "Catalogue", "read"]

#: The catalogue's file in a folder of texts, and what it is compiled from.
FILE, SOURCE = "messages.mo", "messages.po"
#: Bytes of a catalogue.
_LARGEST = 5_000_000
_VALUE = re.compile(r"%%|%\((\w+)\)s|%")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*")


class Catalogue(gettext.GNUTranslations):
    """Translations that never keep a text from being made."""

    def gettext(self, message: str) -> str:
        words = super().gettext(message) if message else ""  # the message "" is the catalogue's own header
        return words if words and _fits(message, words) else message

    @property
    def language(self) -> str:
        """The language as HTML names it (BCP 47), from the catalogue's header; "" when that does not say."""
        named = self.info().get("language", "")
        return named.replace("_", "-") if _LANGUAGE.fullmatch(named) else ""

    def wrong(self) -> Iterator[str]:
        """The translations that are not used, each with why not."""
        entries: dict[object, str] = vars(self)["_catalog"]  # there is no public way to list them
        for message, words in entries.items():
            if isinstance(message, str) and message and words and not _fits(message, words):
                known = ", ".join(sorted(f"%({name})s" for name in _names(message))) or "none"
                yield f"the translation of {message!r} has values that the message has not (its own: {known}; % is %%)"


def read(path: Path) -> Catalogue:
    """The catalogue in the file `path`. Raises OSError when it cannot be read, ValueError when it is none."""
    data = read_bytes(path, _LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError(f"{path.name} is larger than {_LARGEST} bytes")
    try:
        return Catalogue(io.BytesIO(data))
    except (OSError, ValueError, LookupError, struct.error) as error:
        made = f"it is made by: msgfmt -o {FILE} {SOURCE}"
        why = getattr(error, "strerror", None) or error
        raise ValueError(f"{path.name} is no compiled catalogue ({why}); {made}") from error


def _fits(message: str, words: str) -> bool:
    """Whether `words` can be said with the values of `message`."""
    return _names(words) <= _names(message)


def _names(words: str) -> set[str]:
    """The values that are named; "%" for a percent sign that is neither a value nor written as %%."""
    return {found[1] or "%" for found in _VALUE.finditer(words) if found[0] != "%%"}
