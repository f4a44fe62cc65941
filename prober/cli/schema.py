"""`prober schema`: the JSON Schema of the configuration, for editors and for checks before a roll-out."""

import argparse
import json
from typing import Any

from prober.errors import Exit


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
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **described,
        "title": "Configuration of prober",
        "required": ["services"],
    }
