"""Training of whatever a recipe describes: one model, or several that decide together."""

from __future__ import annotations

from pathlib import Path

from triptych.bootstrap.consensus_training import train_consensus
from triptych.bootstrap.files import read_json
from triptych.bootstrap.run_folder import RECORD, Run
from triptych.bootstrap.telling import Tell, silent
from triptych.bootstrap.training import train as train_one
from triptych.settings import Recipe


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


def is_trained(fingerprint: str, folder: Path) -> bool:
    """Whether a folder holds the run of this fingerprint, trained to its end; `train` would only open it."""
    if not (folder / RECORD).exists():
        return False
    record = read_json(folder / RECORD)
    return bool(record.get("status") == "trained" and record.get("fingerprint") == fingerprint)
