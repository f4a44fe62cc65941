"""How the status page looks: its title, logo and colours, as the configuration says it, and what keeps them from being used."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from prober.fields import File, OneLine
from prober.patient import read_bytes
from prober.section import Section

#: Bytes of a logo.
LARGEST = 262_144
#: WCAG 2.2, 1.4.3: contrast of text with what it stands on.
_CONTRAST = 4.5
#: What text stands on (`prober/web/static/base.css`: ground, raised), by theme.
_GROUNDS = {"accent": ("#fbfbfa", "#ffffff"), "accent_dark": ("#14161a", "#1c1f25")}


def _colour(text: str) -> str:
    if re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return text.lower()
    raise ValueError('is not a colour; write it as six hexadecimal digits, in quotes: "#0b57b0"')


Colour = Annotated[str, AfterValidator(_colour), Field(json_schema_extra={"pattern": "^#[0-9a-fA-F]{6}$"})]


class Look(Section):
    """What `web` says of the status page's looks."""

    title: OneLine = Field("", description="the status page's title; default: the company's name and Status")
    logo: File | None = Field(None, description="an image file (SVG, PNG, JPEG, WebP or GIF; 256 KiB at most)")
    accent: Colour | None = Field(None, description='the colour of links and marks on light ground, such as "#0b57b0"')
    accent_dark: Colour | None = Field(None, description='the same on dark ground, such as "#8ab8ff"')
    operators_link: bool = Field(
        True,
        description="whether the status page's foot links to the last hour second by second (`/live`), which is for"
        " operators; false where a reverse proxy passes on the public paths alone",
    )


def check(look: Look) -> Iterator[tuple[str, str]]:
    """What is wrong: the key, and the words."""
    for key, grounds in _GROUNDS.items():
        colour = getattr(look, key)
        found = min((contrast(colour, ground) for ground in grounds), default=0.0) if colour else _CONTRAST
        if found < _CONTRAST:
            theme, other = ("dark", "lighter") if key == "accent_dark" else ("light", "darker")
            low = int(found * 10) / 10
            words = (
                f"cannot be read on the {theme} ground: its contrast is {low} to 1 where WCAG 1.4.3 wants {_CONTRAST}"
            )
            yield key, f"{words}; write a {other} colour"
    if look.logo is not None:
        try:
            media_type(read(look.logo))
        except (OSError, ValueError) as error:
            what = getattr(error, "strerror", None)
            hint = f"the file cannot be read: {what}; paths are relative to the configuration file"
            yield "logo", hint if what else str(error)


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio")."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def read(logo: Path) -> bytes:
    """The logo. Raises OSError, and ValueError when it is too large."""
    content = read_bytes(logo, LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"is larger than {LARGEST // 1024} KiB; name a smaller image")
    return content


def media_type(content: bytes) -> str:
    """What kind of image it is, by its content. Raises ValueError when it is none that is shown."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    if re.match(
        rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE[^>\[]*>\s*)*<svg[\s>]", content, re.DOTALL
    ):
        return "image/svg+xml"
    raise ValueError("is no image that can be shown; name an SVG, PNG, JPEG, WebP or GIF file")
