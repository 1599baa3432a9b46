"""Sphinx configuration. References and pictures are made from the code at every build and never kept in git."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from generate.api import write_api_pages  # noqa: E402 - it stands beside this file
from generate.attributes import apart  # noqa: E402
from generate.commands import write_command_reference  # noqa: E402
from generate.factors import write_factor_reference  # noqa: E402
from generate.pictures import write_pictures  # noqa: E402

from triptych import __version__  # noqa: E402
from triptych.settings import reference_markdown  # noqa: E402
from triptych.settings.books import BookRecipe  # noqa: E402
from triptych.settings.live import LiveSettings  # noqa: E402

project = "Triptych"
author = "The Triptych developers"
copyright = "The Triptych developers, Apache-2.0"
release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "generate.mathml",
]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "amsmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "generate", "reference/generated/encodings.md"]
suppress_warnings = ["config.cache"]

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "Triptych"
html_static_path = ["_static"]
html_css_files = ["triptych.css"]
html_favicon = "_static/logo.svg"
html_show_sourcelink = False
html_theme_options = {
    "logo": {"image_light": "_static/logo.svg", "image_dark": "_static/logo.svg", "text": "Triptych"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}
html_sidebars = {"index": [], "tutorial/*": []}
copybutton_prompt_text = "$ "

default_role = "code"
napoleon_use_ivar = True
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_preserve_defaults = True

(HERE / "reference" / "recipes.md").write_text(reference_markdown(), encoding="utf-8")
LIVE = "Every key of the settings of `triptych live`, generated from them. Money is in quote currency."
(HERE / "reference" / "live.md").write_text(
    reference_markdown(LiveSettings, title="Live settings", about=LIVE), encoding="utf-8"
)
BOOKS = "Every key of a recipe of `triptych books train`, generated from the settings. Times are UTC."
(HERE / "reference" / "book-recipes.md").write_text(
    reference_markdown(BookRecipe, title="Recipes of order books", about=BOOKS), encoding="utf-8"
)
write_command_reference(HERE / "reference" / "generated" / "commands.md")
write_factor_reference(HERE / "reference" / "generated" / "factors.md")
write_pictures(HERE / "reference" / "generated")
write_api_pages(HERE / "reference" / "api")


def setup(app: Any) -> None:
    """Leave docstrings of attributes as they are: Napoleon would read what stands before a colon as a type."""
    written: dict[str, list[str]] = {}

    def keep(_app: Any, _what: str, name: str, _thing: Any, _options: Any, lines: list[str]) -> None:
        written[name] = list(lines)
        lines[:] = apart(lines)

    def bring_back(_app: Any, what: str, name: str, _thing: Any, _options: Any, lines: list[str]) -> None:
        if what in ("attribute", "data", "property"):
            lines[:] = written[name]

    app.connect("autodoc-process-docstring", keep, priority=400)  # Napoleon's is 500
    app.connect("autodoc-process-docstring", bring_back, priority=600)
