"""Fills a configuration in from outside: `${VAR}` from the environment, secrets from the files that `..._file` name."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prober.patient import read_bytes
from prober.shape import keys, sections
from prober.yamlread import Flaw, Loc, Node

_DOLLAR = re.compile(r"\$(?:\$|\{([^{}]*)(\}?))")
_NAME = re.compile(r"[A-Za-z0-9_]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
#: What a variable is called that holds a secret.
_SECRET = re.compile(r"(?i)(?:pass(?:word|wd|phrase)?|pwd|secret|token|key|credentials?|auth)(?:_?[0-9]+)?\Z")
_MAX_SECRET = 64 * 1024  # bytes


def expand(
    node: Node, environ: Mapping[str, str], flaws: list[Flaw], loc: Loc = (), *, secrets: set[str] | None = None
) -> Any:
    """The plain value of `node`, `${VAR}` in its texts replaced and `$$` made `$`. What is wrong goes into `flaws`.

    The values of those variables that are secrets by their names go into `secrets`, wherever they are used.
    """
    value = node.value
    if isinstance(value, str):
        if secrets is not None and "$" in value:
            secrets |= _secrets(value, environ)
        return _text(value, environ, flaws, loc, node.line) if "$" in value else value
    if isinstance(value, Mapping):
        return {key: expand(entry.node, environ, flaws, (*loc, key), secrets=secrets) for key, entry in value.items()}
    if isinstance(value, list):
        return [expand(item, environ, flaws, (*loc, index), secrets=secrets) for index, item in enumerate(value)]
    return value


def _secrets(text: str, environ: Mapping[str, str]) -> set[str]:
    names = [match[1] for match in _DOLLAR.finditer(text) if match[1] and match[2]]
    return {environ[name] for name in names if _SECRET.search(name) and environ.get(name)}


def _text(text: str, environ: Mapping[str, str], flaws: list[Flaw], loc: Loc, line: int) -> str:
    def wrong(message: str) -> str:
        flaws.append(Flaw(loc, line, message))
        return ""

    def one(match: re.Match[str]) -> str:
        name, end = match[1], match[2]
        if name is None:
            return "$"
        if not end:
            return wrong("has a ${ without its }; write ${NAME}, or $$ for a dollar")
        if not _VARIABLE.match(name):  # what follows the name may be a secret, as a shell's default is
            shown = f"{_NAME.match(name)[0]}..." if name else ""  # type: ignore[index]  # it matches nothing, too
            return wrong(f"${{{shown}}} names no variable; write ${{NAME}} alone, or $${{{shown}}} for the text itself")
        value = environ.get(name)
        if value is None:
            return wrong(f"the environment has no variable {name}; set it, or write $${{{name}}} for the text itself")
        if not value.isprintable() and any(0xD800 <= ord(char) < 0xE000 for char in value):
            return wrong(f"the variable {name} is not UTF-8 text; correct it")
        return value

    return _DOLLAR.sub(one, text)


def inline_files(data: dict[str, Any], base: Path, flaws: list[Flaw], instead: str | None = None) -> None:
    """Puts the contents of secrets' files in the place of `..._file` keys, so that one key is left for each secret.

    Paths are relative to `base`. One trailing line break is cut off, as editors leave it. `instead` stands for a secret
    whose file cannot be read, for those that need none; None: it is a flaw.
    """
    for section, mapping, loc in sections(data):
        for key in keys(section):
            target = key.removesuffix("_file")
            if key == "headers_file":
                _inline_headers(mapping, base, flaws, loc, instead)
            elif target == key or mapping.get(key) is None:
                continue
            elif mapping.get(target) is not None:
                flaws.append(Flaw((*loc, key), 0, f"is given beside {target}; keep one of them"))
            elif (secret := _read(mapping[key], base, flaws, (*loc, key), instead)) is not None:
                mapping[target] = secret
                del mapping[key]


def _inline_headers(mapping: dict[str, Any], base: Path, flaws: list[Flaw], loc: Loc, instead: str | None) -> None:
    """Both forms: `headers_file: {Authorization: FILE}`, and `headers: {Authorization_file: FILE}` as elsewhere."""
    headers, files = mapping.get("headers", {}), mapping.get("headers_file", {})
    if not isinstance(headers, dict) or not isinstance(files, dict):
        return  # the settings refuse the shape
    beside = [key for key in headers if key.endswith("_file") and key != "_file"]
    taken = {name.lower() for name in headers if name not in beside}
    wanted = [(files, "headers_file", name, name) for name in files]
    wanted += [(headers, "headers", key, key.removesuffix("_file")) for key in beside]
    for holder, section, key, name in wanted:
        here = (*loc, section, key)
        if name.lower() in taken:
            flaws.append(Flaw(here, 0, "is given in headers too; keep one of them"))
        elif (secret := _read(holder[key], base, flaws, here, instead)) is not None:
            mapping.setdefault("headers", headers)[name] = secret
            del holder[key]
            taken.add(name.lower())


def _read(name: Any, base: Path, flaws: list[Flaw], loc: Loc, instead: str | None) -> str | None:
    """The text of the file; None, and perhaps a flaw, where there is none (the settings refuse what is no path)."""
    if not name or not isinstance(name, str):
        return None
    try:
        data = read_bytes(base / Path(name).expanduser(), _MAX_SECRET + 1)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        message = "names a file that is not UTF-8 text; a secret is text"
    except (OSError, ValueError, RuntimeError) as error:  # no file, no right; a NUL in the path; ~ of an unknown user
        what = getattr(error, "strerror", None) or str(error)
        message = f"the file cannot be read: {what}; paths are relative to the configuration file"
    else:
        if len(data) > _MAX_SECRET:
            message = "names a file of more than 64 KiB; a secret is shorter"
        elif not (secret := text.removesuffix("\n").removesuffix("\r")):
            message = "names an empty file; write the secret into it"
        else:
            return secret
    if instead is None:
        flaws.append(Flaw(loc, 0, message))
    return instead
