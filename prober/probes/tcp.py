"""A call that only connects: for controls, and wherever a handshake is all that is asked."""

from prober.probes.conversation import Results, Send, Step
from rules.model import TCP_PHASES, Stage


class TcpConversation(Results):
    """Done as soon as the connection (and implicit TLS) stands. See prober.probes.conversation."""

    __slots__ = ()

    def __init__(self, _send: Send) -> None:
        super().__init__(Stage.CONNECT, len(TCP_PHASES))

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
