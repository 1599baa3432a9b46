"""What trading has to know of the rest of a recipe and of its training: horizon, costs, base rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triptych.bootstrap.run_folder import Run
from triptych.domain.errors import RunError
from triptych.inference import Artifact, ConsensusArtifact, open_any_artifact
from triptych.settings import Recipe

if TYPE_CHECKING:  # sizing is known before anything of training is loaded: a house that recovers has no use for it
    from triptych.training.samples import Samples

Rates = tuple[float, float, float]
ALIKE: Rates = (1 / 3, 1 / 3, 1 / 3)


def with_known_stakes(recipe: Recipe, rates: Rates | None) -> Recipe:
    """The recipe with every gap of `sizing.kelly` and of `strategy` filled that its trading looks at.

    `horizon` becomes the target's, `cost` what entering and leaving takes by `[costs]`, `base_rates` the shares of the
    classes among the labels of training. Raises RunError where these are needed and not known.
    """
    sizing, strategy = recipe.sizing, recipe.strategy
    if strategy.expected_move != "none" and strategy.cost is None:
        strategy = strategy.model_copy(update={"cost": round_trip_cost(recipe)})
        recipe = recipe.model_copy(update={"strategy": strategy})
    if sizing.method != "kelly" or not sizing.kelly.missing:
        return recipe
    kelly = sizing.kelly
    found = kelly.base_rates or rates
    if found is None:
        raise RunError(
            "The model does not say how frequent each class was in its training, which sizing.kelly needs.",
            remedy="Train it again, or set sizing.kelly.base_rates.",
        )
    filled = kelly.model_copy(
        update={
            "horizon": recipe.target.horizon if kelly.horizon is None else kelly.horizon,
            "cost": round_trip_cost(recipe) if kelly.cost is None else kelly.cost,
            "base_rates": found,
        }
    )
    return recipe.model_copy(update={"sizing": sizing.model_copy(update={"kelly": filled})})


def round_trip_cost(recipe: Recipe) -> float:
    """What entering and leaving takes by `[costs]` and `execution.entry`, a fraction of the notional, at least 0."""
    costs = recipe.costs
    market = costs.taker_fee + (costs.half_spread_bp + costs.slippage_bp) / 10_000
    entry = costs.maker_fee if recipe.execution.entry == "limit" else market
    return max(entry + market, 0.0)


def base_rates(samples: Samples) -> Rates:
    """Shares of sell, hold and buy among labels, each sample weighted by its uniqueness."""
    counts = np.bincount(samples.label, weights=samples.uniqueness, minlength=3)
    sell, hold, buy = (counts / counts.sum()).tolist()
    return sell, hold, buy


def base_rates_of(artifact: Artifact | ConsensusArtifact) -> Rates | None:
    """Those that a model's card tells; of a consensus, those of its first member. None on cards that are too old."""
    first = artifact if isinstance(artifact, Artifact) else next(iter(artifact.members.values()))
    return first.card.base_rates


def first_base_rates(run: Run) -> Rates | None:
    """Those of the run's earliest model: known before anything that the run was tested on."""
    for number in range(int(run.record["folds"])):
        folder = run.fold(number) / "artifact"
        if folder.exists():
            return base_rates_of(open_any_artifact(folder))
    return None
