"""Which of many texts stand in another one, fast for a few and for tens of thousands alike."""

from collections.abc import Iterable

#: Up to so many, looking for one after the other is quickest.
_FEW = 400
#: Characters of a needle's beginning by which many are told apart.
_BEGINNING = 4


class Needles:
    """Texts to look for, the longest first."""

    def __init__(self, needles: Iterable[str]) -> None:
        self._all = sorted(set(needles), key=_order)
        self._by_beginning: dict[str, list[str]] = {}
        for needle in self._all if len(self._all) > _FEW else ():
            self._by_beginning.setdefault(needle[:_BEGINNING], []).append(needle)
        self._beginnings = self._by_beginning.keys()

    def __bool__(self) -> bool:
        return bool(self._all)

    def within(self, text: str) -> list[str]:
        """Those that stand in `text`, the longest first."""
        if not self._by_beginning:
            return [needle for needle in self._all if needle in text]
        pieces = {text[at : at + _BEGINNING] for at in range(len(text) - _BEGINNING + 1)}
        found = [needle for piece in pieces & self._beginnings for needle in self._by_beginning[piece]]
        return sorted((needle for needle in found if needle in text), key=_order)


def _order(needle: str) -> tuple[int, str]:
    return -len(needle), needle
