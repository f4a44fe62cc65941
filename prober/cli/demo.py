"""`prober demo`: a mail platform that fails on command, and prober against it, within a minute on one terminal."""

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path

from prober.demo.folder import Folder
from prober.demo.screen import Screen
from prober.demo.story import play


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stay", action="store_true", help="stay up after the summary, with the platform to be made to fail by curl"
    )
    parser.add_argument(
        "--dir", type=Path, metavar="DIR", help="where its files go (default: a fresh temporary directory)"
    )
    parser.epilog = (
        "Everything happens on this machine's loopback. The files stay. Exit status: 0, 1 when something that was"
        " expected did not happen, 130 when Control-C ended it before its summary."
    )


def run(args: argparse.Namespace) -> int:
    """Raises UsageError when the directory cannot be used."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:  # a mail may hold letters that this terminal has not
        reconfigure(errors="backslashreplace")
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # the mailbox's; what matters is on the screen
    folder = Folder.make(args.dir)
    return asyncio.run(_until_ended(folder, stay=args.stay))


async def _until_ended(folder: Folder, *, stay: bool) -> int:
    """Play until the end, or until a signal asks to end; a second one ends the wait for an orderly end."""
    screen = Screen(sys.stdout)
    playing = asyncio.ensure_future(play(screen, folder, stay=stay))
    received: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        if not received:
            with contextlib.suppress(OSError):  # the terminal may have gone
                screen.line()
                screen.line("Ending: the prober is told to stop.")
        received.append(number)
        playing.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end, number)
    try:
        return await playing
    except asyncio.CancelledError:
        if not received:
            raise
    with contextlib.suppress(OSError):
        screen.pair("its files stay", str(folder.path))
    return 128 + received[0]
