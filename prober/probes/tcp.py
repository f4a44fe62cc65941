"""A call that only connects: for controls, and wherever a handshake is all that is asked."""

from prober.probes.conversation import Send, Step
from rules.model import TCP_PHASES, Stage, Trouble


class TcpConversation:
    """Done as soon as the connection (and implicit TLS) stands. See prober.probes.conversation."""

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
    )

    def __init__(self, _send: Send) -> None:
        self.stage = Stage.CONNECT
        self.trouble: Trouble | None = None
        self.unmet: str | None = None
        self.detail = ""
        self.code = 0
        self.enhanced = ""
        self.text = ""
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = b""
        self.message_id = ""
        self.marks = [0] * len(TCP_PHASES)
        self.keep = False
        self.parting = b""

    def opened(self, now: int) -> Step:  # noqa: ARG002 - the wire marks it
        self.stage = Stage.DONE
        return Step.DONE

    def resumed(self, now: int) -> Step:
        return self.opened(now)

    def secured(self, now: int) -> Step:
        return self.opened(now)

    def feed(self, data: bytes, now: int) -> Step:  # noqa: ARG002 - done before
        return Step.DONE

    def abandoned(self) -> None:
        pass  # there is nothing to let go of

    def closed(self, now: int, *, clean: bool = True) -> Step:  # noqa: ARG002 - done before
        return Step.DONE
