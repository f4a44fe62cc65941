"""The command line: `prober COMMAND ...`. One file a command, loaded only when it is called, so that each starts fast.

A command's module has `add(parser)`, which gives its own parser its arguments, and `run(args) -> int`, which does the
work and gives the exit status. What goes wrong in a way that a person can act on is a ProberError: its text is printed,
never a traceback.
"""

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import NoReturn, TextIO

from prober.errors import Exit, ProberError

#: command: what it is for. Its module is prober.cli.<command>.
COMMANDS = {
    "run": "measure, decide, open tickets, page; serve pages and metrics",
    "check": "say what is wrong with a configuration, and what it makes",
    "once": "call each endpoint once and show how it went",
    "drill": "play a whole incident as an exercise, and say who was reached",
    "demo": "a mail platform that fails on command, and prober against it",
    "seconds": "show closed seconds and their verdicts",
    "incidents": "show incidents, and enter what people did about them",
    "contracts": "show the contract packs",
    "schema": "print the JSON Schema of the configuration",
}
_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # what a full or broken disk says to output

Run = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in `argv` (default: the process's); gives its exit status: 0 done, 1 failed, 2 bad usage."""
    _open_streams()
    _take_any_text(sys.stdout)
    try:
        status = _status(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of a pipe has gone (`| head`)
        return _mute()
    except OSError as error:
        if error.errno not in _NO_ROOM or error.filename is not None:
            raise
        _complain(f"prober: cannot write: {error.strerror}")
        return _mute()
    return status


def _status(arguments: list[str]) -> int:
    try:
        return _run(arguments)
    except ProberError as error:
        _complain(f"prober: {error}")
        return error.exit
    except SystemExit as end:  # argparse's: help, version, bad usage
        return end.code if isinstance(end.code, int) else Exit.OK
    except KeyboardInterrupt:
        return _INTERRUPTED


def _complain(text: str) -> None:
    """Say it on standard error; where nobody takes it (a full disk, a reader that has gone) the exit status stays."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _drop(sys.stderr)


def _mute() -> Exit:
    _drop(sys.stdout)
    return Exit.FAILED


def _drop(stream: TextIO) -> None:
    """Drop what could not be written: tried again at the exit, it would change the status, or be said so with a traceback."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _open_streams() -> None:
    """Have all three standard streams (`>&-` closes one), lest the store or a socket is given a stream's number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is the closed stream's
            os.set_inheritable(opened, True)  # to the serving process too
            setattr(sys, name, open(opened, "w" if number else "r"))  # noqa: SIM115, PTH123 - open until the end


def _take_any_text(stream: object) -> None:
    """A terminal gets escapes for what it cannot show; a file or pipe gets UTF-8, as YAML, JSON and HTML are read."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")


def _run(arguments: list[str]) -> int:
    chosen = next((word for word in arguments if not word.startswith("-")), "")
    parser, run = parser_of(chosen)
    args = parser.parse_args(arguments)
    if run is None:
        parser.print_help(sys.stderr)
        return Exit.USAGE
    return int(run(args))


def parser_of(chosen: str) -> tuple[argparse.ArgumentParser, Run | None]:
    """The parser of a command line, which knows the arguments of the chosen command alone, and what runs it."""
    parser = _Parser(
        prog="prober",
        description="Holds a mail vendor to its support agreement: measures every second, decides as the agreement"
        " does, opens the ticket, calls the hotline, pages on-call.",
        epilog="`prober COMMAND --help` says more."
        " Exit status: 0 done, 1 it did not work, 2 bad usage or configuration.",
        formatter_class=_Help,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version)
    return parser, _commands(parser, chosen)


def _commands(parser: argparse.ArgumentParser, chosen: str) -> Run | None:
    """Give `parser` all commands, with their arguments the chosen one alone, and give back what runs it."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    run: Run | None = None
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=_sentence(purpose), formatter_class=_Help)
        if name == chosen:
            module = import_module(f"prober.cli.{name}")
            module.add(command)
            run = module.run
    return run


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


class _Parser(argparse.ArgumentParser):
    """Says bad usage as all errors are said; those of the commands are of its class."""

    def error(self, message: str) -> NoReturn:
        _complain(f"{self.format_usage()}{self.prog}: error: {message}")
        raise SystemExit(Exit.USAGE)


class _Help(argparse.HelpFormatter):
    """Wide enough a first column for the longest command: argparse forgets that commands are indented."""

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        if action.nargs == argparse.PARSER:
            self._action_max_length += 2


class _Version(argparse.Action):
    """`--version`, looked up only when asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from prober.version import version

        print(f"prober {version()}")
        parser.exit()
