"""Entering a step from a page: told to the measuring process, and on the record before the page is shown again."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prober.store import StoreError

if TYPE_CHECKING:
    from prober.web.app import Means

#: Seconds for which the record is waited for. A store that fails must not keep the page: the step stands all the same.
_RECORDED_WITHIN = 2.0
_LOOK = 0.05


class Stepping:
    """Enters steps for pages."""

    def __init__(self, means: "Means") -> None:
        self._means = means

    async def enter(self, step: Mapping[str, Any], via: str) -> str:
        """Why the step is not taken, for people; "" when it is."""
        entries = self._means.entries
        if entries is None:
            return "Steps cannot be entered here: no measuring process listens."
        before = await self._recorded(str(step["incident"]))
        try:
            refused = await entries.enter(dict(step), via)
        except TimeoutError:
            return "The measuring process does not answer. The step may have been taken: look at the trail before you try again."
        if not refused:
            await self._until_recorded(str(step["incident"]), before)
        return refused and f"Not taken: {refused}."

    async def _until_recorded(self, incident: str, before: int) -> None:
        for _ in range(int(_RECORDED_WITHIN / _LOOK)):
            if before < 0 or await self._recorded(incident) != before:
                return
            await asyncio.sleep(_LOOK)

    async def _recorded(self, incident: str) -> int:
        """Lines of the trail on disk; -1 when the store cannot be read."""
        try:
            return await self._means.stored.ask(lambda reader: len(reader.records(incident)))
        except StoreError:
            return -1
