"""What the demo plays: all is well, the platform fails, ticket and page go out, it recovers; then a summary.

Nothing of it is told from a script: each step waits for what the prober did, and ends the demo with a word when it does not
come.
"""

import asyncio
import contextlib
from collections.abc import Mapping

from prober.demo import summary
from prober.demo.folder import Folder, Pace
from prober.demo.modes import Channel, Mode
from prober.demo.narrator import Seen
from prober.demo.screen import Screen, Style
from prober.demo.stage import MissingError, Stage, set_up
from prober.errors import Exit
from rules.acts import ActKind
from rules.incident_events import RecordKind
from rules.model import Verdict

OUTAGE: Mapping[Channel, Mode] = {Channel.API: Mode.ERROR, Channel.SMTP: Mode.HANG}
#: Available seconds before the outage; seconds of it that are shown after everybody was told.
_HEALTHY, _AFTER = 5, 2
#: Seconds of patience with the prober beyond what its configuration asks for; a busy machine takes some.
_PATIENCE = 20.0


async def play(screen: Screen, folder: Folder, *, stay: bool, pace: Pace | None = None) -> int:
    """The whole demo; gives the exit status. With `stay` it goes on after the summary until it is cancelled."""
    async with set_up(screen, folder, pace or Pace()) as stage:
        summary.opening(stage)
        await stage.prober.start()
        try:
            outage = await _outage(stage)
            await summary.closing(stage, outage)
            if stay:
                await _stay(stage)
            stage.close_store()
            if status := await stage.prober.stop():
                raise MissingError(f"the prober did not stop in order: its exit status was {status}, not 0")
        except MissingError as missing:
            _complain(stage, missing)
            return Exit.FAILED
    screen.line()
    screen.line("The demo has ended.")
    screen.pair("its files stay", str(folder.path))
    return Exit.OK


async def _outage(stage: Stage) -> summary.Outage:
    pace = stage.pace
    await stage.until(
        lambda seen: sum(s.service.verdict is Verdict.AVAILABLE for s in seen.seconds) >= _HEALTHY,
        _HEALTHY + _PATIENCE,
        f"{_HEALTHY} available seconds",
    )
    failed = await stage.between_calls()
    await stage.vendor.set(OUTAGE)
    late = pace.timeout + 1.0  # a second closes when its calls have timed out
    await stage.until(
        lambda seen: seen.record(RecordKind.OPENED) is not None, pace.window + late + _PATIENCE, "an incident is opened"
    )
    await stage.until(lambda seen: seen.call(ActKind.PAGE) is not None, _PATIENCE, "on-call is paged")
    await stage.until(lambda seen: seen.mail(reply=False) is not None, _PATIENCE, "the ticket reaches its mailbox")
    await stage.until(lambda seen: seen.call(ActKind.HOTLINE) is not None, _PATIENCE, "the hotline is called")
    count = len(stage.seen.seconds)
    await stage.until(lambda seen: len(seen.seconds) >= count + _AFTER, _PATIENCE, "further seconds")
    healed = await stage.between_calls()
    await stage.vendor.heal()
    await stage.until(
        lambda seen: seen.record(RecordKind.RECOVERED) is not None,
        pace.recovered_after + late + _PATIENCE,
        "the incident has recovered",
    )
    await stage.until(
        lambda seen: seen.mail(reply=True) is not None, _PATIENCE, "the note reaches the ticket's mailbox"
    )
    await stage.until(lambda seen: seen.call(ActKind.PAGE_RESOLVE) is not None, _PATIENCE, "on-call's page is resolved")
    return summary.Outage(failed, healed)


async def _stay(stage: Stage) -> None:
    """Until it is cancelled, which is how a stay ends. Raises MissingError when the prober ends by itself."""
    summary.commands(stage)
    stage.narrator.only_changes = True
    with contextlib.suppress(asyncio.CancelledError):
        await stage.until(_never, float("inf"), "")


def _never(_: Seen) -> bool:
    return False


def _complain(stage: Stage, missing: MissingError) -> None:
    stage.screen.line()
    stage.screen.line("THE DEMO DID NOT GO AS IT SHOULD", Style.BAD)
    first, *more = str(missing).splitlines()
    stage.screen.below(first)
    stage.screen.quote(more)
    stage.screen.line("The end of the prober's log:")
    stage.screen.quote(stage.prober.last_lines())
    stage.screen.pair("all of it", str(stage.folder.log))
