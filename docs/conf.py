"""Builds the pages of this folder as a site: `make docs`.

The rule: the pages are plain Markdown that reads well in the repository; what only a site needs is here.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.ext.napoleon import GoogleDocstring

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "engine")]

import streamcompat  # noqa: E402

project = "streamcompat"
author = "the streamcompat authors"
project_copyright = "2026, the streamcompat authors"
version = release = streamcompat.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["requirements.txt"]
# `console` blocks show what a program prints, also where that is no shell.
suppress_warnings = ["misc.highlighting_failure"]

myst_heading_anchors = 4
myst_links_external_new_tab = False

napoleon_numpy_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "show-inheritance": True}
# Optional packages, which the reference does not need.
autodoc_mock_imports = ["trio"]

default_role = "code"

html_theme = "furo"
html_title = f"streamcompat {release}"
html_last_updated_fmt = None
html_copy_source = False
html_show_sphinx = False

SOURCE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Source"]

# Napoleon takes what stands before a colon in a property's docstring for its type; ours begin with prose.
GoogleDocstring._parse_attribute_docstring = GoogleDocstring._consume_to_end


def adapt(app: Sphinx, name: str, source: list[str]) -> None:
    """Links to files outside of this folder lead to the source; pages that are not there are not listed."""
    text = re.sub(r"\]\(\.\./([^)]*)\)", rf"]({SOURCE}\1)", source[0])
    if name == "index":
        there = {page.stem for page in Path(app.srcdir).glob("*.md")}
        text = re.sub(
            r"^([a-z-]+)\?\n", lambda one: f"{one[1]}\n" * (one[1] in there), text, flags=re.MULTILINE
        )
    source[0] = text


def setup(app: Sphinx) -> None:
    app.connect("source-read", adapt)
