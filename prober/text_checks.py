"""What is wrong with a folder of texts: names that are no text of ours, templates and translations that cannot be used.

No network.

Each template is tried on the acts of a made-up incident of its service, so that what it names and no act has is found here.
"""

from collections.abc import Iterator
from pathlib import Path

from prober.errors import ProberError
from prober.settings import Settings
from prober.yamlread import Loc
from rules.acts import Act
from rules.model import Condition

Found = tuple[Loc, str]

#: An instant to make incidents up at: a Friday.
_BEGAN = 1_795_168_800


def check(settings: Settings, base: Path) -> Iterator[Found]:
    """All that is wrong with the texts of the configuration; `base` is where its paths begin."""
    seen: set[Path] = set()
    for name, service in settings.services.items():
        folder = service.texts or settings.texts
        if folder is None:
            continue
        loc: Loc = ("services", name, "texts") if service.texts else ("texts",)
        if folder not in seen:
            seen.add(folder)
            unreadable = list(_folder(folder))
            yield from ((loc, words) for words in unreadable)
            if unreadable:
                continue
        yield from ((loc, words) for words in dict.fromkeys(_tried(settings, base, name, folder)))


def _folder(folder: Path) -> Iterator[str]:
    """What keeps the folder from being used at all."""
    from prober.deliver import catalogue
    from prober.deliver.wording import TemplateError, Wording, built_in

    try:
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        wording = Wording.of(folder)
    except OSError as error:
        yield f"the folder cannot be read: {error.strerror or error}; paths are relative to the configuration file"
        return
    except ValueError as error:
        yield f"the folder cannot be read: {error}"
        return
    for name in names:
        if name.endswith(".j2") and name not in built_in():
            yield f"{name} is no text of ours; known are {', '.join(sorted(built_in()))}"
        if name.endswith(".mo") and name != catalogue.FILE:
            yield f"{name} is not read; the catalogue of a folder is called {catalogue.FILE}"
        if name.endswith(".po") and catalogue.FILE not in names:
            yield f"{name} is not compiled: msgfmt -o {catalogue.FILE} {name}"
    yield from (f"{catalogue.FILE}: {words}" for words in wording.wrong())
    try:
        wording.warm()
    except TemplateError as error:
        yield wording.place(error)


def _tried(settings: Settings, base: Path, service: str, folder: Path) -> Iterator[str]:
    """What goes wrong when the texts of made-up incidents are made with the folder's templates."""
    from prober.deliver import texts
    from prober.deliver.wording import TemplateError, Wording, using

    try:
        wording = Wording.of(folder)
        wording.warm()
        acts = list(_acts(settings, base, service))
    except (ProberError, ValueError, OSError, TemplateError):  # told elsewhere
        return
    with using(wording) as trouble:
        for act in acts:
            for make in (texts.text, texts.html, texts.spoken):
                make(act)
    prefix = f"the built-in text took the place of one of {folder}: "
    yield from (words.removeprefix(prefix) for words in trouble)


def _acts(settings: Settings, base: Path, service: str) -> Iterator[Act]:
    from prober.preview import Preview
    from prober.rehearsal import Rehearsal

    for condition in (Condition.UNAVAILABLE, Condition.FAILING):
        played = Rehearsal(settings, base, service, condition, prefix="check")
        yield from (shown.act for shown in Preview(played, _BEGAN).play())
