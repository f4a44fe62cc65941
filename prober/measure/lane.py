"""A lane: one endpoint (or control) as the measuring loop runs it."""

from collections.abc import Sequence
from dataclasses import dataclass

from prober.measure.clock import NS
from prober.probes.call import Probe
from rules.faults.vendors import Vendor
from rules.model import History, Kind

#: Where in the second calls have their places (DESIGN.md, "Seconds").
FIRST_PLACE, LAST_PLACE = 20_000_000, 900_000_000


@dataclass(frozen=True, slots=True)
class LaneKey:
    """Whose calls these are; a control has no service."""

    service: str
    channel: str
    endpoint: str


class Lane:
    """What does not change of an endpoint while the configuration stands, and what its newest calls left behind.

    `every`, `timeout` and `place` are ns; `index` is its place among its service's endpoints, `row` the one on the board.
    """

    __slots__ = (
        "back_off",
        "channel",
        "control",
        "every",
        "failing",
        "history",
        "hold",
        "index",
        "kept_at",
        "key",
        "kind",
        "open",
        "place",
        "probe",
        "row",
        "same",
        "slow",
        "timeout",
        "tls",
        "vendor",
        "wait_until",
    )

    def __init__(
        self,
        key: LaneKey,
        kind: Kind,
        probe: Probe,
        vendor: Vendor,
        *,
        every: int,
        timeout: int,
        hold: int | None = None,
        tls: bool = False,
        control: bool = False,
        same: object = None,
        slow: int = 0,
    ) -> None:
        self.key = key
        self.kind = kind
        self.probe = probe
        self.vendor = vendor
        self.every = every
        self.timeout = timeout
        self.hold = hold or timeout // every + 1
        self.tls = tls
        self.control = control
        self.same = same  # equal for two lanes whose calls are alike
        self.slow = slow  # ns past which a success is slow; 0: nobody asks
        self.channel = 0
        self.index = 0
        self.row = -1
        self.place = 0
        self.open = 0  # calls in flight
        self.wait_until = 0  # UTC ns; politeness
        self.back_off = 0  # seconds
        self.history = History()
        self.failing = 0  # failed calls since the last success
        self.kept_at = 0  # monotonic ns of the last failure kept as evidence

    def first_due(self, utc: int) -> int:
        """The first instant of this lane's grid that is not before `utc` (UTC ns).

        The grid is anchored at the epoch, so that every place that runs this endpoint calls it in the same seconds.
        """
        anchor = self.place if self.every >= NS else self.place % self.every
        periods = -((anchor - utc) // self.every)
        return anchor + max(0, periods) * self.every


def spread(lanes: Sequence[Lane]) -> None:
    """Give each lane its own place in the second, evenly (DESIGN.md, "Seconds").

    Neighbours in the configuration (the endpoints of one server, mostly) come to lie apart only as far as the even
    spacing puts them; the order is that of the configuration, so that a place stays the same over restarts.
    """
    count = len(lanes)
    for position, lane in enumerate(lanes):
        lane.place = FIRST_PLACE + (LAST_PLACE - FIRST_PLACE) * position // max(1, count)
