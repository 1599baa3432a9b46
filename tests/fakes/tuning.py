"""The smallest search: LeNets of a few thousand parameters on the embedded market, judged in half a second each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fakes.micro import MICRO

from triptych.settings import Recipe, load_recipe

SEARCH = """
[tune]
trials = 5
folds = 2
cost = "parameters"
stage_trials = 3
refit_seeds = 1
runtime = "torch"
defaults = false
[tune.space]
"model.width" = { choices = [0.5, 0.75, 1.0], grows = true }
"training.learning_rate" = { low = 1e-3, high = 1e-1, log = true }
"""


def search_file(folder: Path) -> Path:
    """The recipe as a file, for the command line."""
    text = MICRO.replace("efficientnet_b0", "lenet5").replace("width = 0.1", "width = 0.5")
    text = text.replace("depth = 0.1", "depth = 1.0").replace("epochs = 3", "epochs = 1")
    path = folder / "search.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + SEARCH)
    return path


def search_recipe(folder: Path, **changes: Any) -> Recipe:
    """The recipe, with keys of `tune` changed."""
    return load_recipe(str(search_file(folder)), (), {f"tune.{key}": value for key, value in changes.items()})
