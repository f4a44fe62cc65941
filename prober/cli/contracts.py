"""`prober contracts`: the agreements that the program knows, as it reads them, and whether a file of one's own is right."""

import argparse
from pathlib import Path

import yaml

from prober import packs
from prober.cli import contract_text
from prober.errors import Exit, UsageError
from rules.contracts.model import Pack


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="what to do (default: list)", metavar="ACTION", dest="action")
    actions.add_parser("list", help="list the built-in packs", description="List the built-in packs.")
    show = actions.add_parser("show", help="print a pack", description="Print a pack, built in or of a file.")
    show.add_argument("name", metavar="NAME", help="a built-in pack's name, or the path of a file")
    show.add_argument(
        "--format",
        choices=("text", "yaml"),
        default="text",
        help="text: prose with articles, to hold against the document (default); yaml: as a file of one's own begins",
    )
    check = actions.add_parser(
        "check", help="say what is wrong with a pack", description="Say what is wrong with a pack."
    )
    check.add_argument("file", metavar="FILE", help="the path of a pack's file")


def run(args: argparse.Namespace) -> int:
    if args.action == "show":
        pack = packs.load(args.name, Path())
        if args.format == "yaml":
            print(yaml.safe_dump(pack.to_mapping(), sort_keys=False, allow_unicode=True, width=100), end="")
        else:
            print(contract_text.text(pack), end="")
    elif args.action == "check":
        pack = packs.load(_whole(args.file), Path())
        print(f"{args.file}: ok ({pack.title})")
    else:
        print("\n".join(_line(packs.load(name, Path())) for name in packs.names()))
    return Exit.OK


def _whole(file: str) -> str:
    """A path, even without a slash in it. Raises UsageError."""
    try:
        return str(Path(file).absolute())
    except OSError as error:  # the shell stands in a folder that was removed
        raise UsageError(f"{file}: the working directory cannot be seen ({error.strerror}); go to another") from None


def _line(pack: Pack) -> str:
    return f"{pack.name:<24} {pack.title}"
