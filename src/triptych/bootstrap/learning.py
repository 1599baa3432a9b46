"""Training of whatever a recipe describes: one model, or several that decide together."""

from __future__ import annotations

from pathlib import Path

from triptych.bootstrap.candles import load_candles, with_absolute_path
from triptych.bootstrap.consensus_training import train_consensus
from triptych.bootstrap.files import read_json
from triptych.bootstrap.run_folder import RECORD, Run, refuse_other, run_fingerprint
from triptych.bootstrap.telling import Tell, silent
from triptych.bootstrap.training import train as train_one
from triptych.settings import Recipe, resolved


def train(
    recipe: Recipe,
    *,
    folder: Path | None = None,
    fresh: bool = False,
    tell: Tell = silent,
    progress_bar: bool | None = None,
) -> Run:
    """Train a recipe; one with members as a consensus. See `bootstrap.training.train` for arguments and errors."""
    make = train_consensus if recipe.members else train_one
    return make(recipe, folder=folder, fresh=fresh, tell=tell, progress_bar=progress_bar)


def refuse_untrainable_in(recipe: Recipe, folder: Path) -> None:
    """Raise RunError when `train` would not take up this folder, as it holds another run or something else.

    Writes nothing, and reads candles only where the folder is there.
    """
    if folder.exists():
        named = with_absolute_path(resolved(recipe))
        refuse_other(named, load_candles(named).hash, folder)


def is_trained(recipe: Recipe, folder: Path) -> bool:
    """Whether a folder holds the run of this recipe on its candles, trained to its end; `train` would only open it."""
    if not (folder / RECORD).exists():
        return False
    record = read_json(folder / RECORD)
    if record.get("status") != "trained":
        return False
    named = with_absolute_path(resolved(recipe))
    return bool(record.get("fingerprint") == run_fingerprint(named, load_candles(named).hash))
