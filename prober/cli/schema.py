"""`prober schema`: the JSON Schema of the configuration, for editors and for checks before a roll-out."""

import argparse
import json
from typing import Any

from prober.errors import Exit

_VARIABLE = "Variable"
_REF = {"$ref": f"#/$defs/{_VARIABLE}"}
_ABOUT = ("title", "description", "default", "examples")  # words about a value: they stay beside it, not within


def add(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "For an editor: `prober schema > prober.schema.json`, and as the configuration's first line"
        " `# yaml-language-server: $schema=prober.schema.json`."
    )


def run(args: argparse.Namespace) -> int:  # noqa: ARG001 - every command is called alike
    print(json.dumps(schema(), indent=2))
    return Exit.OK


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a configuration file."""
    from prober.fields import DURATION
    from prober.settings import Settings, format_duration

    described = Settings.model_json_schema(by_alias=True, mode="validation")
    for section in (described, *described["$defs"].values()):
        for field in section.get("properties", {}).values():
            if field.get("pattern") == DURATION and "default" in field:
                field["default"] = format_duration(field["default"])
    for section in (described, *described["$defs"].values()):
        section["properties"] = {key: _or_variable(field) for key, field in section.get("properties", {}).items()}
    described["properties"]["services"]["minProperties"] = 1
    described["$defs"][_VARIABLE] = {
        "description": "a value that the environment fills in: ${NAME}",
        "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*\}",
        "type": "string",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **described,
        "title": "Configuration of prober",
        "required": ["services"],
    }


def _or_variable(rule: dict[str, Any]) -> dict[str, Any]:
    """`rule`, with a `${VAR}` allowed for each value that is not just any text, since it is expanded before it is judged.

    A mapping of free keys that names their pattern takes no others, which pydantic leaves out.
    """
    rule = dict(rule)
    if "anyOf" in rule:
        kinds = [_or_variable(each) for each in rule["anyOf"]]
        each_once = {json.dumps(kind): kind for made in kinds for kind in made.get("anyOf", [made])}
        return {**rule, "anyOf": list(each_once.values())}
    if "items" in rule:
        rule["items"] = _or_variable(rule["items"])
    if "patternProperties" in rule:
        rule["patternProperties"] = {key: _or_variable(each) for key, each in rule["patternProperties"].items()}
        rule["additionalProperties"] = False
    elif isinstance(rule.get("additionalProperties"), dict):
        rule["additionalProperties"] = _or_variable(rule["additionalProperties"])
    kind = rule.get("type")
    if kind not in ("integer", "number", "boolean") and not (kind == "string" and {"pattern", "enum"} & rule.keys()):
        return rule
    about = {key: rule.pop(key) for key in _ABOUT if key in rule}
    return {"anyOf": [rule, _REF], **about}
