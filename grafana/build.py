"""`python -m grafana.build` writes grafana/dashboards/*.json; `--check` says which of them are not what is described."""

import argparse
import json
import sys
from pathlib import Path

from grafana.health import HEALTH
from grafana.incidents import INCIDENTS
from grafana.model import Dashboard
from grafana.overview import OVERVIEW
from grafana.render import dashboard
from grafana.service import SERVICE

DASHBOARDS: tuple[Dashboard, ...] = (OVERVIEW, SERVICE, INCIDENTS, HEALTH)
FOLDER = Path(__file__).parent / "dashboards"


def files() -> dict[str, str]:
    """File name -> what it is to hold."""
    return {
        f"{described.uid}.json": json.dumps(dashboard(described), indent=1, ensure_ascii=False) + "\n"
        for described in DASHBOARDS
    }


def stale(folder: Path = FOLDER) -> list[str]:
    """Names of files that are missing, differ, or are nobody's."""
    wanted = files()
    there = {path.name: path.read_text() for path in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def write(folder: Path = FOLDER) -> None:
    """Make the folder hold what is described, and nothing else."""
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.json"):
        path.unlink()
    for name, text in files().items():
        (folder / name).write_text(text)


def main(arguments: list[str] | None = None, folder: Path = FOLDER) -> int:
    """Exit status 1 when `--check` finds something."""
    parser = argparse.ArgumentParser(description="Write the dashboards from their description.")
    parser.add_argument("--check", action="store_true", help="write nothing; say which files are stale")
    if parser.parse_args(arguments).check:
        for name in (found := stale(folder)):
            print(f"{folder / name} is not what grafana/*.py describes; run python -m grafana.build", file=sys.stderr)
        return 1 if found else 0
    write(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
