"""What the two processes say to each other, from their values (the messages of prober.link)."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any

from prober.link import Message
from prober.measure.series import Closed
from prober.store import FigureRow, Scope
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


def figures_message(row: FigureRow) -> Message:
    """The message `figures`: the serving process has added minutes up."""
    body = row.body if isinstance(row.body, bytes) else row.body()
    return {
        "type": "figures",
        "service": row.service,
        "scope": row.scope.value,
        "span": row.span,
        "start": row.start,
        "columns": row.columns,
        "body": b64encode(body).decode(),
    }


def figure_row(message: Message) -> FigureRow:
    """What a message `figures` carries. Raises KeyError, TypeError or ValueError."""
    columns = tuple((str(channel), str(endpoint)) for channel, endpoint in message["columns"])
    span, start = int(message["span"]), int(message["start"])
    return FigureRow(str(message["service"]), Scope(message["scope"]), span, start, columns, b64decode(message["body"]))


def _cell(cell: Cell) -> list[Any]:
    return [cell.verdict.value, cell.reason, cell.calls, {fault.value: n for fault, n in cell.faults}]
