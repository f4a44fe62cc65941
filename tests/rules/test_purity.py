"""The rules know no I/O, no event loop and no clock: what they import and call is checked in their source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import rules

#: Modules of the standard library that only compute.
# fmt: off
PURE = frozenset({
    "__future__", "abc", "bisect", "calendar", "collections", "copy", "dataclasses", "datetime", "decimal",
    "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "itertools", "json", "math", "operator",
    "re", "string", "textwrap", "types", "typing",
})
# fmt: on
#: Single functions that only compute, out of modules that do more.
PURE_FUNCTIONS = frozenset({("email.utils", "parsedate_to_datetime")})
#: Calls that reach out, whatever was imported: files, terminals, code, the time of day.
REACHING = frozenset({"open", "print", "input", "eval", "exec", "compile", "breakpoint", "__import__"})
ASKING_THE_TIME = frozenset({"now", "utcnow", "today"})


def impurities(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (f"imports {name.name}" for name in names if not pure(name.name))
            case ast.ImportFrom(module=module, names=names, level=level):
                if level or not (pure(module or "") or all((module, name.name) in PURE_FUNCTIONS for name in names)):
                    yield f"imports {'.' * level}{module or ''}"
            case ast.Call(func=ast.Name(id=name)) if name in REACHING:
                yield f"calls {name}()"
            case ast.Call(func=ast.Attribute(attr=name)) if name in ASKING_THE_TIME:
                yield f"calls .{name}()"


def pure(module: str) -> bool:
    root = module.partition(".")[0]
    return root in PURE or root == "rules"


MODULES = sorted(Path(rules.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(MODULES[0].parent.parent)))
def test_the_rules_are_pure(path: Path) -> None:
    assert list(impurities(path.read_text(encoding="utf-8"))) == []


def test_every_module_of_the_rules_was_looked_at() -> None:
    names = {path.name for path in MODULES}
    assert {"model.py", "reasons.py", "suspicion.py", "machine.py", "http.py", "smtp.py"} <= names


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import time", "imports time"),
        ("import collections, socket", "imports socket"),
        ("import os.path", "imports os.path"),
        ("from asyncio import sleep", "imports asyncio"),
        ("from prober.settings import Settings", "imports prober.settings"),
        ("from rulesets import x", "imports rulesets"),
        ("from . import model", "imports ."),
        ("from email.utils import parsedate_to_datetime, localtime", "imports email.utils"),
        ("def f():\n    import random", "imports random"),
        ("open('x')", "calls open()"),
        ("__import__('time').time()", "calls __import__()"),
        ("from datetime import datetime\ndatetime.now()", "calls .now()"),
    ],
)
def test_the_check_bites(source: str, said: str) -> None:
    assert said in list(impurities(source))


def test_the_check_lets_the_rules_own_modules_pass() -> None:
    assert list(impurities("from rules.model import Fault\nfrom collections.abc import Mapping\nimport re")) == []
