"""`prober drill`: a whole incident as an exercise. It shows the order, delivers, and says who was reached."""

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from prober import rehearsal
from prober.cli import stored
from prober.config import Loaded, load
from prober.demo.receivers import Mail, Receivers
from prober.demo.screen import Screen, Style
from prober.drill.standing import Found, Standing
from prober.errors import Exit, ProberError, UsageError
from prober.fields import parse_duration
from prober.rehearsal import Rehearsal
from prober.settings import Settings
from rules.incident import Mode
from rules.model import Condition

_STYLES = {True: Style.GOOD, False: Style.BAD, None: Style.NEWS}
_FOUND = {
    Found.REACHED: Style.GOOD,
    Found.ACCEPTED: Style.GOOD,
    Found.NOT_REACHED: Style.BAD,
    Found.NOT_TOLD: Style.DIM,
}


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", type=Path, help="the configuration file")
    parser.add_argument("--service", metavar="NAME", help="whose incident (needed where there are several)")
    parser.add_argument(
        "--condition",
        choices=[condition.value for condition in Condition],
        default=Condition.UNAVAILABLE.value,
        help="what is made up (default: unavailable)",
    )
    parser.add_argument("--dry", action="store_true", help="against built-in stand-ins: nobody outside is told")
    parser.add_argument("--act", action="store_true", help="as in mode act, where the service observes or asks")
    parser.add_argument("--yes", action="store_true", help="do not ask before the configured receivers are told")
    parser.add_argument(
        "--within",
        metavar="TIME",
        default="60s",
        help="how long each receiver has to take what it gets, and to reach somebody (default: 60s)",
    )
    parser.epilog = (
        "Every text is marked as an exercise. No store is used, and `prober run` may run meanwhile. Exit status: 0 when"
        " all who are told were reached, 1 when not."
    )


def run(args: argparse.Namespace) -> int:
    """Raises UsageError and ConfigError."""
    within = _seconds(args.within)
    loaded = stored.configuration(args.config) if args.dry else load(args.config)
    service = rehearsal.service_of(loaded.settings, args.service)
    played = _rehearsal(loaded.settings, loaded, service, args)
    if not played.receivers:
        raise UsageError(f"nobody is told of an incident of {service}: write on_call, tickets or hotline")
    screen = Screen(sys.stdout)
    screen.line(f"prober drill: an exercise with the service {service} ({played.plan.title})", Style.BOLD)
    _foreword(screen, played, dry=args.dry)
    if not args.dry and not args.yes:
        _confirm(list(played.receivers))
    with _quiet("mail.log", *(["prober.deliver.relays"] if args.dry else [])):
        return asyncio.run(_play(screen, loaded, service, args, within))


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """The stand-in mailbox's log; and that the vendor's names have no address here says nothing of the stand-ins."""
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _seconds(text: str) -> float:
    try:
        return parse_duration(text) / 1000
    except ValueError as error:
        raise UsageError(f"--within: {text[:64]!r} {error}") from None


def _rehearsal(settings: Settings, loaded: Loaded, service: str, args: argparse.Namespace) -> Rehearsal:
    mode = Mode.ACT if args.act else None
    return Rehearsal(
        settings, loaded.base, service, Condition(args.condition), prefix="drill", mode=mode, exercise=True
    )


def _foreword(screen: Screen, played: Rehearsal, *, dry: bool) -> None:
    against = "stand-ins on this machine; nobody outside is told" if dry else "the configured receivers"
    screen.pair("made up", f"{played.condition}{f' ({played.scope})' if played.scope else ''}")
    screen.pair("agreement", played.plan.pack.title)
    screen.pair("mode", played.plan.mode)
    screen.pair("against", against)
    if played.plan.mode is Mode.OBSERVE:
        screen.below("Mode observe pages on-call alone; with --act the vendor is told too.", Style.DOUBTFUL)
    screen.line()


def _confirm(names: list[str]) -> None:
    """Raises UsageError where nobody can be asked, ProberError when the answer is no."""
    told = f"These are told, each text marked as an exercise: {', '.join(names)}."
    if not sys.stdin.isatty():
        raise UsageError(f"{told} Nobody can be asked here; say --yes, or --dry for stand-ins")
    print(told)
    if input("Go ahead? Type yes: ").strip().lower() != "yes":
        raise ProberError("nothing was sent")


async def _play(screen: Screen, loaded: Loaded, service: str, args: argparse.Namespace, within: float) -> int:
    from prober.deliver.build import build
    from prober.drill.play import Drill

    def tell(at: int, words: str, good: bool | None) -> None:
        screen.news(at, words, _STYLES[good])

    async with _settings(loaded.settings, dry=args.dry) as (settings, stand_ins):
        try:
            deliveries = build(settings)
        except OSError as error:
            raise ProberError(f"a receiver cannot be used: {error.strerror or error}") from error
        drill = Drill(_rehearsal(settings, loaded, service, args), deliveries, tell, within)
        await drill.play()
        if stand_ins is not None:
            _arrived(screen, stand_ins)
    return _result(screen, drill.standings)


@asynccontextmanager
async def _settings(settings: Settings, *, dry: bool) -> AsyncIterator[tuple[Settings, Receivers | None]]:
    """The configuration to play with; for a dry drill with stand-ins, which live as long as this."""
    if not dry:
        yield settings, None
        return
    from prober.drill.stand_ins import standing_in

    with tempfile.TemporaryDirectory(prefix="prober-drill-") as folder:
        receivers = Receivers(Path(folder))
        await receivers.open()
        try:
            yield standing_in(settings, receivers), receivers
        finally:
            await receivers.close()


def _arrived(screen: Screen, stand_ins: Receivers) -> None:
    """What the stand-ins got, in the order in which it came."""
    screen.line()
    screen.line("What the stand-ins got, in this order:", Style.BOLD)
    while not stand_ins.arrived.empty():
        arrival = stand_ins.arrived.get_nowait()
        if isinstance(arrival, Mail):
            screen.below(f"mail to {arrival.header('To')}: {arrival.header('Subject')}")
        else:
            screen.below(f"{arrival.fact('kind')} to {arrival.fact('receiver')}: {arrival.fact('summary')}")


def _result(screen: Screen, standings: Mapping[str, Standing]) -> int:
    screen.line()
    screen.line("Receivers", Style.BOLD)
    for standing in standings.values():
        found = standing.found
        screen.painted([(f"  {found:<12}", _FOUND[found]), (f"{standing.name}", Style.PLAIN)])
        kinds = ", ".join(dict.fromkeys(kind.value.replace("_", " ") for kind in standing.kinds))
        words = "; ".join(x for x in (kinds, standing.words) if x)
        if words or found is Found.NOT_TOLD:
            screen.below(f"    {words or 'an incident of this condition does not concern it'}", Style.DIM)
    told = [s for s in standings.values() if s.found is not Found.NOT_TOLD]
    missed = [s.name for s in told if s.found is Found.NOT_REACHED]
    screen.line()
    if missed or not told:
        screen.below(f"Not reached: {', '.join(missed) or 'nobody was to be told'}.", Style.BAD)
        return Exit.FAILED
    screen.line(f"All {len(told)} were reached.", Style.GOOD)
    return Exit.OK
