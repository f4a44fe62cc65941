"""The documents as a site: `make docs`. What is made from the program itself comes in by `docs.made.site`."""

import sys
from importlib.metadata import version as _version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

project = "prober"
author = "the authors of prober"
project_copyright = author
version = release = _version("prober")
extensions = ["myst_parser", "docs.made.site"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["made"]
nitpicky = True
show_warning_types = True

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

html_theme = "furo"
html_title = f"prober {release}"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_use_opensearch = ""
html_static_path: list[str] = []
html_extra_path: list[str] = []
