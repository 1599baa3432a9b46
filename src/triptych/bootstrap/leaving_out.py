"""What would join the members of a consensus if one of them had never been there.

For each member a combiner is fitted on the others by the recipe's own method, on the same out-of-fold predictions and
before the same test segment: the consensus that would have been trained without it. They are kept beside the run's
models, so that an explanation can say exactly which member, taken away, changes a decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from triptych.bootstrap.building import Dataset
from triptych.bootstrap.candles import Candles
from triptych.bootstrap.files import read_json
from triptych.bootstrap.run_folder import Run
from triptych.bootstrap.voting import gather_votes, round_trip_cost, votes_on_samples
from triptych.domain.errors import NotEnoughData
from triptych.domain.files import write_json
from triptych.inference.combiner import LEARNED, Combiner
from triptych.inference.combiner import Config as CombinerConfig
from triptych.settings import Recipe
from triptych.training.splits import Fold
from triptych.training.stacking import fit_combiner, unfitted

WITHOUT: Final = "without.json"
"""File beside the artifact of a fold: by member the combiner of the others, and null where it could not be fitted."""


def write_left_out(
    run: Run, candles: Candles, runs: Mapping[str, Run], datasets: Mapping[str, Dataset], folds: Sequence[Fold]
) -> None:
    """Fit and write the combiners without each member, for each of these folds."""
    recipe = run.recipe
    found: dict[int, dict[str, Any]] = {fold.number: {} for fold in folds}
    for left in runs:
        rest = {name: one for name, one in runs.items() if name != left}
        data = {name: datasets[name] for name in rest}
        votes = votes_on_samples(data, gather_votes(recipe, candles, rest))
        config = _config_without(recipe, left)
        for fold in folds:
            try:
                combiner = fit_combiner(
                    config, tuple(rest), votes, fold=fold.number, start_ms=fold.test.start_ms,
                    cost=round_trip_cost(recipe),
                )  # fmt: skip
            except NotEnoughData:
                found[fold.number][left] = None
                continue
            found[fold.number][left] = combiner.model_dump(mode="json")
    for number, combiners in found.items():
        write_json(run.fold(number) / WITHOUT, combiners)


def read_left_out(run: Run, fold: int) -> dict[str, Combiner | None]:
    """The combiners of a fold without each member; None where one could not be fitted, or the run is too old to tell.

    Raises RunError when the file is damaged.
    """
    path: Path = run.fold(fold) / WITHOUT
    names = [member.name for member in run.recipe.members]
    if path.exists():
        content = read_json(path, names)
        return {name: None if content[name] is None else Combiner.model_validate(content[name]) for name in names}
    if run.recipe.consensus.method in LEARNED:
        return dict.fromkeys(names)
    return {
        left: unfitted(_config_without(run.recipe, left), [name for name in names if name != left]) for left in names
    }


def _config_without(recipe: Recipe, left: str) -> CombinerConfig:
    """The method without a member; where it was the one that gives the side, the first of the others gives it."""
    config = recipe.consensus
    return config.model_copy(update={"side": ""}) if config.side == left else config
