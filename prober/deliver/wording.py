"""Templates: the built-in ones, and in the place of any of them a file of the same name in a folder of the user's.

They run in Jinja's sandbox, and what they name must exist (StrictUndefined). One that fails on an act gives way to the
built-in one, and that is told: no act is lost for a template. Their words go through gettext: English stands in the templates,
and a catalogue in the same folder says them otherwise (docs/texts.md).
"""

import gettext
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.loaders import FunctionLoader
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import escape as escaped

from prober.deliver import catalogue
from prober.patient import read_bytes

log = logging.getLogger(__name__)

__all__ = [
    "BUILT_IN_FOLDER",
    "FAILURES",
    "TemplateError",
    "Wording",
    "built_in",
    "later",
    "render",
    "said",
    "standard",
    "using",
]

#: What templates can fail with, by their own doing.
FAILURES = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    RecursionError,
    MemoryError,
)
#: Below this name a template of the user's finds the built-in one that it replaces: {% include "builtin/page.j2" %}.
BUILT_IN_FOLDER = "builtin/"
#: Bytes of a template, and characters that one may make.
_LARGEST, _MOST = 200_000, 1_000_000


@cache
def built_in() -> Mapping[str, str]:
    """The built-in templates by name."""
    folder = resources.files("prober.deliver") / "templates"
    return {each.name: each.read_text("utf-8") for each in folder.iterdir() if each.name.endswith(".j2")}


class Wording:
    """A set of templates. `own` are the user's, by name, and `folder` is where they stand."""

    def __init__(
        self,
        own: Mapping[str, str] | None = None,
        folder: Path | None = None,
        translations: gettext.NullTranslations | None = None,
    ) -> None:
        self.own = own or {}
        self.folder = folder
        self.translated = translations is not None
        self._translations = translations or gettext.NullTranslations()

    @classmethod
    def of(cls, folder: Path) -> "Wording":
        """What stands in `folder` now. Raises OSError and ValueError (not UTF-8, too large) for what cannot be read."""
        own, translations = {}, None
        for path in sorted(folder.iterdir()):
            if path.name == catalogue.FILE:
                translations = catalogue.read(path)
            elif path.name in built_in():
                data = read_bytes(path, _LARGEST + 1)
                if len(data) > _LARGEST:
                    raise ValueError(f"{path.name} is larger than {_LARGEST} bytes")
                own[path.name] = data.decode("utf-8")
        return cls(own, folder, translations)

    def wrong(self) -> Iterator[str]:
        """The catalogue's entries that cannot be used."""
        if isinstance(self._translations, catalogue.Catalogue):
            yield from self._translations.wrong()

    def render(self, name: str, *, escape: bool, **values: Any) -> str:
        """Raises one of FAILURES for a template of the user's that cannot be used."""
        words = self._environments[escape].get_template(name).render(**values)
        if len(words) > _MOST:
            raise ValueError(f"it makes more than {_MOST} characters")
        return words

    def said(self, message: str, **values: Any) -> str:
        """A message of the program's own in the catalogue's words; in English where those do not take its values."""
        words = self._translations.gettext(message)
        try:
            return words % values
        except (KeyError, TypeError, ValueError):
            log.error("the catalogue's words for %r do not take its values", message)
            return message % values

    def warm(self) -> None:
        """Compile everything now: that takes a third of a second, which the first ticket does not have.

        Raises TemplateSyntaxError for the first of the user's that cannot be compiled.
        """
        for environment in self._environments.values():
            for name in built_in():
                environment.get_template(name)

    def place(self, error: BaseException) -> str:
        """Where in the user's templates `error` arose, and what it is: `page.j2, line 3: ...`."""
        if isinstance(error, TemplateSyntaxError):
            return f"{Path(error.name or '?').name}, line {error.lineno}: {error.message}"
        files = {str(self._path(name)): name for name in self.own}
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in files]
        where = f"{files[frames[-1].filename]}, line {frames[-1].lineno}: " if frames else ""
        return f"{where}{_words(error)}"

    @cached_property
    def _environments(self) -> Mapping[bool, ImmutableSandboxedEnvironment]:
        return {escape: self._environment(escape) for escape in (False, True)}

    def _environment(self, escape: bool) -> ImmutableSandboxedEnvironment:
        environment = ImmutableSandboxedEnvironment(
            loader=FunctionLoader(self._load),
            autoescape=escape,  # off for plain text alone, where escapes would be read as they stand
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        known = isinstance(self._translations, catalogue.Catalogue) and self._translations.language
        environment.globals["language"] = known or "en"
        extended: Any = environment  # the extension adds methods at run time
        said, many = self._translations.gettext, self._translations.ngettext
        if escape:  # what stands in a template's _("...") or in a catalogue is text, no markup
            extended.install_gettext_callables(
                lambda words: escaped(said(words)), lambda *words: escaped(many(*words)), newstyle=True
            )
        else:
            extended.install_gettext_callables(said, many, newstyle=True)
        return environment

    def _load(self, name: str) -> tuple[str, str, Callable[[], bool]] | None:
        plain = name.removeprefix(BUILT_IN_FOLDER)
        source = self.own.get(name) or built_in().get(plain)
        return None if source is None else (source, str(self._path(name)), lambda: True)

    def _path(self, name: str) -> Path:
        return (self.folder or Path("built-in")) / name


def _words(error: BaseException) -> str:
    if isinstance(error, TemplateNotFound):
        return f"there is no template {error.name!r}"
    return f"{type(error).__name__}: {error}" if not isinstance(error, TemplateError) else str(error.message or error)


@cache
def standard() -> Wording:
    """The built-in templates."""
    return Wording()


_USED: ContextVar[Wording | None] = ContextVar("wording", default=None)
_TROUBLE: ContextVar[list[str] | None] = ContextVar("wording_trouble", default=None)


@contextmanager
def using(wording: Wording) -> Iterator[list[str]]:
    """Within it, texts are made with `wording`. Gives what went wrong with templates of the user's, in words."""
    trouble: list[str] = []
    used, told = _USED.set(wording), _TROUBLE.set(trouble)
    try:
        yield trouble
    finally:
        _USED.reset(used)
        _TROUBLE.reset(told)


def said(message: str, **values: Any) -> str:
    """A message by the wording that is used; `values` stand in it as %(name)s."""
    return (_USED.get() or standard()).said(message, **values)


def later(message: str) -> str:
    """Marks a message for the catalogue that is said elsewhere, by `said`."""
    return message


def render(name: str, *, escape: bool, **values: Any) -> str:
    """A text by the wording that is used; by the built-in one where that fails."""
    wording = _USED.get() or standard()
    try:
        return wording.render(name, escape=escape, **values)
    except FAILURES as error:
        if not (wording.own or wording.translated):
            raise
        words = f"the built-in text took the place of one of {wording.folder}: {wording.place(error)}"
        log.error("%s", words)
        trouble = _TROUBLE.get()
        if trouble is not None and words not in trouble:
            trouble.append(words)
    return standard().render(name, escape=escape, **values)
