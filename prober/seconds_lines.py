"""A closed second as a line of JSON: the stable form of `prober seconds --format jsonl` and of `/api/seconds`."""

from typing import Any

from prober.store import SeriesKey
from rules.model import Cell


def rest_of(key: SeriesKey, cell: Cell) -> dict[str, Any]:
    """All of a line but its `second`."""
    return {
        "service": key.service,
        "channel": key.channel or None,
        **({"endpoint": key.endpoint} if key.endpoint else {}),
        "verdict": cell.verdict.value,
        "reason": cell.reason,
        "calls": cell.calls,
        "faults": {fault.value: n for fault, n in cell.faults},
    }
