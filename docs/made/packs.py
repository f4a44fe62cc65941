"""A contract pack: its terms, and the whole of it as `prober contracts show` prints it."""

from pathlib import Path

from prober import packs
from prober.cli import contract_text
from rules.contracts.clauses import Term
from rules.contracts.model import SILENT


def reference(name: str) -> str:
    """The made part of the pack's page."""
    pack = packs.load(name, Path())
    lines = ["## Terms to fill in", "", *(line for term in pack.terms for line in _term(term))]
    lines += ["## The agreement as the program reads it", ""]
    lines += [f"`prober contracts show {name}` prints it:", "", "```text", contract_text.text(pack).rstrip(), "```", ""]
    return "\n".join(lines)


def _term(term: Term) -> list[str]:
    kind = f"one of {', '.join(f'`{choice}`' for choice in term.choices)}" if term.choices else _KINDS[term.kind.value]
    default = f"default `{term.default}`" if term.default else "not filled in by default"
    article = "the document is silent" if term.article == SILENT else term.article
    return [f"`{term.name}`", f": {term.means} {kind[0].upper()}{kind[1:]}; {default}. [{article}]", ""]


#: What the value of a term of each kind looks like.
_KINDS = {
    "text": "text",
    "choice": "one of its choices",
    "duration": "a duration, such as `30m`",
    "severity": "a severity of the agreement",
    "zone": "a time zone, such as `Europe/Berlin`",
    "days": "days, such as `mon-fri`",
    "hours": "hours, such as `09:00-18:00`",
    "holidays": "`none`, a country (`NL`) or a region (`BR-SP`)",
}
