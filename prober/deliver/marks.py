"""How an act is found again at a desk: by a mark made from its key, in the ticket or comment that it left there."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

from prober.deliver import texts
from rules.acts import Act, ActKind

#: Acts that add to what another one opened.
ADDS = frozenset({ActKind.NOTE, ActKind.PAGE_RESOLVE})
#: Seconds that a search may need to show what was created before (jiralert #73 and others tell of it).
SETTLE = 12.0
_REMEMBERED = 1_000


def mark(key: str) -> str:
    """What a ticket or a comment carries, so that it can be found again by the act's key."""
    return f"prober-{hashlib.sha256(key.encode()).hexdigest()[:24]}"


def marked(act: Act, mark: str, limit: int = 0) -> str:
    """The act's text with its mark, as a ticket or a comment shows it; at most `limit` characters (0: all)."""
    text, foot = texts.text(act), f"\nReference: {mark}\n"
    if limit and len(text) + len(foot) > limit:
        text = f"{text[: limit - len(foot) - 4]}...\n"
    return text + foot


def opening(act: Act, receiver: str) -> str:
    """The key of what `act` opens or adds to, as `receiver` got it; "" when it is not known.

    A page, its repeats and its resolve are one thing, by the name that they share.
    """
    if act.kind in (ActKind.PAGE, ActKind.PAGE_RESOLVE):
        return act.alert(receiver)
    if act.kind is not ActKind.NOTE:
        return act.key(receiver)
    thread = act.facts.get("thread")
    parts = (thread if isinstance(thread, str) and thread else act.after).split("/", 4)
    if len(parts) < 5:
        return ""
    parts[3] = receiver  # an act's id names its first receiver, not the one that took it
    return "/".join(parts)


class Recent:
    """Keys of what may have been created of late, as when its answer was lost: a search may not show it yet."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._at: OrderedDict[str, float] = OrderedDict()

    def add(self, key: str) -> None:
        self._at.setdefault(key, self._monotonic())
        while len(self._at) > _REMEMBERED:
            self._at.popitem(last=False)

    def forget(self, key: str) -> None:
        self._at.pop(key, None)

    def unsettled(self, key: str) -> bool:
        """Whether a search that does not show it may still be behind."""
        at = self._at.get(key)
        return at is not None and self._monotonic() < at + SETTLE
