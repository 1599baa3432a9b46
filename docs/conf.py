"""Sphinx configuration. The recipe reference is generated from the settings at every build."""

from __future__ import annotations

from pathlib import Path

from triptych import __version__
from triptych.settings import reference_markdown

project = "Triptych"
author = "The Triptych developers"
release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
myst_enable_extensions = ["colon_fence", "dollarmath", "amsmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
html_title = "Triptych"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False, "show_prev_next": True}
html_show_sourcelink = False
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
suppress_warnings = ["config.cache"]

(Path(__file__).parent / "reference" / "recipes.md").write_text(reference_markdown(), encoding="utf-8")
