"""What an engine's dialogue with a server looks like to the wire that carries it: bytes in, bytes out, no I/O.

A conversation is one call's protocol (HTTP exchange, SMTP injection). The wire connects, does TLS, moves the bytes, keeps the
deadline and the transcript; the conversation parses, decides what to send, and says when it is done. All `now` are
CLOCK_MONOTONIC nanoseconds.
"""

from enum import IntEnum
from typing import Protocol

from rules.model import Stage, Trouble


class Step(IntEnum):
    """What the wire does next."""

    MORE = 0  # go on reading
    DONE = 1  # the call has ended: the fields below say how
    STARTTLS = 2  # start TLS now; `secured` follows


class Send(Protocol):
    """How a conversation sends; raises OSError when the connection is broken."""

    def __call__(self, data: bytes, shown: bytes | None = None) -> None:
        """Queue bytes for the peer. `shown` stands in the transcript instead of them (credentials)."""
        ...


class Conversation(Protocol):
    """The dialogue of one call. After DONE the result fields hold and nothing more is fed. `Results` has these fields.

    `marks`: the instants (ns) at which each phase of rules.model.PHASES[kind] ended, 0 where not reached; the conversation
    sets those after `tls`, the wire those up to it (TLS after STARTTLS is part of the phase `starttls`).
    """

    stage: Stage
    trouble: Trouble | None
    unmet: str | None
    detail: str
    code: int
    enhanced: str
    text: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    message_id: str
    version: float
    marks: list[int]
    keep: bool  # after DONE: the connection may carry a further call
    parting: bytes  # after DONE, when the connection is not kept: a farewell to send before closing (QUIT)

    def opened(self, now: int) -> Step:
        """The connection (and implicit TLS) stands."""
        ...

    def resumed(self, now: int) -> Step:
        """A kept connection carries this call: go on after the greeting and login."""
        ...

    def secured(self, now: int) -> Step:
        """TLS stands after STARTTLS."""
        ...

    def feed(self, data: bytes, now: int) -> Step:
        """Bytes came."""
        ...

    def closed(self, now: int, *, clean: bool = True) -> Step:
        """The peer closed its side: always DONE (complete, or `trouble` CLOSED).

        Not `clean`: TLS ended without a close_notify, so that bytes may be missing.
        """
        ...

    def abandoned(self) -> None:
        """The call ends in trouble: put what has come so far into the result fields, and let go of the rest."""
        ...


class Results:
    """The result fields of a conversation as they are before anything has come; `stage` is where it begins."""

    __slots__ = (
        "body",
        "code",
        "detail",
        "enhanced",
        "headers",
        "keep",
        "marks",
        "message_id",
        "parting",
        "stage",
        "text",
        "trouble",
        "unmet",
        "version",
    )

    def __init__(self, stage: Stage, phases: int) -> None:
        self.stage = stage
        self.trouble: Trouble | None = None
        self.unmet: str | None = None
        self.detail = ""
        self.code = 0
        self.enhanced = ""
        self.text = ""
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = b""
        self.message_id = ""
        self.version = 0.0
        self.marks = [0] * phases
        self.keep = False
        self.parting = b""
