"""`failing` by the vendor's fault: one channel is down, while the service's seconds are mostly available by the other one.

It comes of a channel that is called more seldom than the other, or whose seconds are partly unmeasured. The agreement's
rule looks at the service's seconds, so that the vendor is not told; our own people must not read that it is nobody's fault.
"""

from collections.abc import Mapping
from typing import Any

from prober.deliver.wording import later

WORDS = later("all calls of one channel fail, by the vendor's fault")
WHOSE = later(
    "the vendor's: every call of this channel fails by a fault of the server's. The service as a whole is not persistently"
    " Unavailable, so that the vendor is not told: open a ticket by hand if you want one"
)


def alone(facts: Mapping[str, Any]) -> bool:
    """Whether `failing` is about a channel whose own window holds the rule's share of unavailable seconds."""
    rule = _mapping(facts.get("rule"))
    window = _mapping(_mapping(rule.get("channels")).get(str(facts.get("scope"))))
    bad, measured, share = window.get("bad"), window.get("measured"), rule.get("share")
    if not (isinstance(bad, int) and isinstance(measured, int) and isinstance(share, int | float)):
        return False
    return facts.get("condition") == "failing" and bad >= share * measured > 0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
