"""Names of public things that stay the same from one reading to the next, made of what they are."""

import hashlib
import uuid

_SPACE = uuid.UUID("5f0c3a5e-6f6f-5c0b-9a55-0d6d6b1f0a7e")  # ours, chosen once


def short(kind: str, name: str) -> str:
    """Twelve characters, as Statuspage's ids have: `kind` is page, component, incident, update or maintenance."""
    return hashlib.sha256(f"{kind}/{name}".encode()).hexdigest()[:12]


def urn(kind: str, name: str) -> str:
    """A URN (RFC 9562) of the same, for feeds."""
    return uuid.uuid5(_SPACE, f"{kind}/{name}").urn
