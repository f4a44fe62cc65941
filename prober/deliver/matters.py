"""What a condition is called in texts, whose fault it is said to be, and what its bad seconds are."""

from collections.abc import Iterable

from prober.deliver.wording import later, said
from rules.reasons import REASONS

_CONDITIONS = {
    "unavailable": later("persistent Unavailability"),
    "partial": later("persistent Unavailability of one endpoint"),
    "intermittent": later("Unavailability that comes and goes"),
    "slow": later("slow answers"),
    "failing": later("all calls fail, not provably by the vendor's fault"),
    "blind": later("nothing can be measured"),
}
#: For our own people alone: to the vendor facts and the rule are stated, and no cause.
_WHOSE = {
    "unavailable": later("the vendor's: every call of a channel failed in these seconds by a fault of the server's"),
    "partial": later("the vendor's: every call of the endpoint failed in these seconds by a fault of the server's"),
    "intermittent": later("the vendor's: every call of a channel failed in these seconds by a fault of the server's"),
    "slow": later("the vendor's as far as we see: calls succeed, too slowly"),
    "failing": later("nobody's provably: our key, our quota, a policy or DNS; the vendor is not told"),
    "blind": later("ours, as far as we know: nothing can be measured from here; the vendor is not told"),
}
_BAD = {
    "slow": later("of them slow"),
    "failing": later("of them without a success"),
}


def words_of(condition: str, scope: str) -> str:
    """The condition in words, with the endpoint that it is about; its name where there are none."""
    words = said(_CONDITIONS[condition]) if condition in _CONDITIONS else condition
    if condition == "partial" and "/" in scope:
        return said("%(words)s (%(endpoint)s)", words=words, endpoint=scope)
    return words


def whose(condition: str) -> str:
    """Whose fault the condition is, for our own people; "" where nothing is known."""
    return said(_WHOSE[condition]) if condition in _WHOSE else ""


def bad_of(condition: str) -> str:
    """What the seconds that count against somebody are called beside those measured."""
    return said(_BAD.get(condition, later("of them unavailable")))


def advice(counted: Iterable[tuple[str, int]]) -> str:
    """What to do about the most frequent reason; "" where none is known."""
    found = (REASONS[name].advice for name, _ in counted if name in REASONS)
    return next(found, "")
