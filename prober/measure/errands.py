"""Acts on their way: made, written down, handed to the serving process, and done.

An act is handed over only once it is on disk, or the store has said that it cannot be put there now (DESIGN.md, invariant 7
and "Transactions"); also to a new serving process.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from prober.link import Message
from prober.measure.messages import act_message
from rules.acts import Act, ActResult, Outcome

#: What has happened to an act that is not done, as a message carries it.
Earlier = list[dict[str, Any]]


@dataclass(slots=True)
class _Errand:
    act: Act
    service: str
    attempts: Earlier = field(default_factory=list)
    written: bool = False


class Errands:
    """Acts that are not done, in the order in which they were made; `send` puts a message on the link."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._open: dict[str, _Errand] = {}
        self._services: dict[str, str] = {}  # of every act that this process has known
        self.done: dict[tuple[str, str], int] = {}  # (kind, outcome) -> attempts

    def __len__(self) -> int:
        return len(self._open)

    def age(self, second: int) -> int:
        """Seconds since the oldest was made, at UTC second `second`; 0 when there is none."""
        return max((second - errand.act.created for errand in self._open.values()), default=0)

    def service_of(self, act: str) -> str:
        """Whose act it is; "" for one that is not known."""
        return self._services.get(act, "")

    def made(self, acts: Iterable[Act], service: str) -> None:
        """New acts, which are not on disk yet."""
        for act in acts:
            self._open[act.id] = _Errand(act, service)
            self._services[act.id] = service

    def recorded(self, act: Act, service: str, attempts: Earlier) -> None:
        """An act that was not done when the program ended."""
        self._open[act.id] = _Errand(act, service, attempts, written=True)
        self._services[act.id] = service

    def unwanted(self, acts: Iterable[str]) -> None:
        """What is no longer wanted is not handed over any more; what was is withdrawn by `hand_over`."""
        for act in acts:
            self._open.pop(act, None)

    def hand_over(self, acts: Iterable[Act], withdraw: Iterable[str]) -> None:
        """What these led to is on disk, or cannot be put there now."""
        for act in acts:
            errand = self._open.get(act.id)
            if errand is not None:
                errand.written = True
                self._send(act_message(errand.act, errand.attempts))
        for act_id in withdraw:
            self._send({"type": "withdraw", "act": act_id})

    def resend(self) -> None:
        """A new serving process: all that is on disk and not done, in its order."""
        for errand in self._open.values():
            if errand.written:
                self._send(act_message(errand.act, errand.attempts))

    def attempted(self, result: ActResult) -> None:
        """An attempt has ended."""
        errand = self._open.get(result.act)
        kind = errand.act.kind.value if errand is not None else "unknown"
        key = (kind, result.outcome.value)
        self.done[key] = self.done.get(key, 0) + 1
        if errand is None:
            return
        if result.final or result.outcome is Outcome.ACCEPTED:
            del self._open[result.act]
        else:
            errand.attempts.append({"receiver": result.receiver, "outcome": result.outcome.value, "at": result.at})
