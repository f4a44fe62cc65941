"""What the measuring process says to the serving one, from its values (the messages of prober.link)."""

from collections.abc import Sequence
from typing import Any

from prober.link import Message
from prober.measure.series import Closed
from rules.acts import Act
from rules.model import Cell


def act_message(act: Act, earlier: Sequence[dict[str, Any]]) -> Message:
    """The message `act`; `earlier` are the attempts that were made before."""
    plain = {
        "incident": act.incident,
        "episode": act.episode,
        "kind": act.kind.value,
        "step": act.step,
        "receivers": list(act.receivers),
        "created": act.created,
        "after": act.after,
        "facts": dict(act.facts),
    }
    return {"type": "act", "act": plain, "earlier": list(earlier)}


def second_message(service: str, seen: Closed) -> Message:
    """The message `second`, of the last second of what closed."""
    cells = {"": seen.service, **seen.channels}
    return {
        "type": "second",
        "service": service,
        "second": seen.second + seen.span - 1,
        "cells": {name: _cell(cell) for name, cell in cells.items()},
    }


def _cell(cell: Cell) -> list[Any]:
    return [cell.verdict.value, cell.reason, cell.calls, {fault.value: n for fault, n in cell.faults}]
