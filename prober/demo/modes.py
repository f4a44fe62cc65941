"""The ways in which the demo's mail platform can fail, and which channel knows which."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Channel(StrEnum):
    """What the demo's platform takes, each of which fails by itself."""

    API = "api"
    SMTP = "smtp"


class Mode(StrEnum):
    """How a channel answers."""

    OK = "ok"
    ERROR = "503"
    OVERLOADED = "1502"
    UNAUTHORIZED = "401"
    THROTTLED = "429"
    SMTP_421 = "smtp-421"
    SMTP_451 = "smtp-451"
    SMTP_535 = "smtp-535"
    HANG = "hang"
    SLOW = "slow"
    REFUSE = "refuse"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a mode does, for people, and in which channels."""

    text: str
    channels: frozenset[Channel]


_API, _SMTP = frozenset({Channel.API}), frozenset({Channel.SMTP})
_BOTH = _API | _SMTP

MEANINGS: Mapping[Mode, Meaning] = {
    Mode.OK: Meaning("all is well", _BOTH),
    Mode.ERROR: Meaning("the API answers 503 Service Unavailable", _API),
    Mode.OVERLOADED: Meaning("the API answers 400 with code 1502, resources unavailable", _API),
    Mode.UNAUTHORIZED: Meaning("the API refuses our key (our fault, not the vendor's)", _API),
    Mode.THROTTLED: Meaning("the API asks for patience: 429, Retry-After: 5", _API),
    Mode.SMTP_421: Meaning("SMTP greets with 421 and closes", _SMTP),
    Mode.SMTP_451: Meaning("SMTP answers MAIL with 451, local error in processing", _SMTP),
    Mode.SMTP_535: Meaning("SMTP refuses our login (our fault, not the vendor's)", _SMTP),
    Mode.HANG: Meaning("connections are taken, and nothing is ever said", _BOTH),
    Mode.SLOW: Meaning("answers come after 1.5 s (a time-out is 2 s)", _BOTH),
    Mode.REFUSE: Meaning("connections are refused", _BOTH),
    Mode.RESET: Meaning("connections are reset", _BOTH),
}

#: Seconds that a slow answer takes.
SLOWNESS = 1.5


class UnknownModeError(ValueError):
    """No such mode, or not in that channel; says what there is."""


def choose(mode: str, channel: str = "") -> dict[Channel, Mode]:
    """What each channel is to do from now on, of those that `mode` and `channel` ("": all that know the mode) concern.

    Raises UnknownModeError.
    """
    try:
        wanted = Mode(mode)
    except ValueError:
        raise UnknownModeError(f"no mode is called {mode!r}; there are: {', '.join(Mode)}") from None
    knowing = MEANINGS[wanted].channels
    if not channel:
        return dict.fromkeys(sorted(knowing), wanted)
    if channel not in {each.value for each in knowing}:
        raise UnknownModeError(f"mode {mode} is known to: {', '.join(sorted(knowing))}; not to {channel!r}")
    return {Channel(channel): wanted}
