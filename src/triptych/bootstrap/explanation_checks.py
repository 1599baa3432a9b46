"""Whether explanations explain: sanity checks of every method on decisions that a run was sure of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.bootstrap.backtesting import candles_of
from triptych.bootstrap.candles import Candles
from triptych.bootstrap.explaining import methods_of, series_of, window_at
from triptych.bootstrap.run_folder import Run
from triptych.bootstrap.surest import Sure, judged_decisions, surest_of_all, windows_apart
from triptych.domain.errors import RecipeError
from triptych.inference import Artifact, load_artifact, load_consensus
from triptych.inference.classifier import WindowClassifier
from triptych.inference.explain import STAGES, Deletion, Method, cascade, deletion, explain
from triptych.settings import Recipe, members_of
from triptych.training.seeds import derive_seed

DECISIONS = 20
"""Decisions that are looked at unless another number is asked for."""
RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """A decision that is looked at: the network that took it, the window it saw (float32 of shape (length, columns)),
    and the seed of shuffled weights and random orders."""

    classifier: WindowClassifier
    window: NDArray[np.float32]
    seed: int


def check_explanations(
    run: Run, *, decisions: int = DECISIONS, symbol: str | None = None, methods: tuple[Method, ...] = ()
) -> list[dict[str, Any]]:
    """Sanity checks of every method on the decisions of the test part that a run was surest of.

    They are taken by turns from those where sell, hold and buy is the likeliest class, and share no candle with one
    another: each is a look of its own. Of a consensus every member is checked at the decisions it was surest of
    together with the others.

    Args:
        run: a trained run.
        decisions: how many; fewer are taken where the test holds not so many that share no candle.
        symbol: only decisions about this instrument.
        methods: only these; empty takes all that the network allows.

    Returns:
        One row a method (of a consensus, a method and a `member`). `certainty`: least, mean and largest probability
        that the model checked gave the class that is explained. `correlation` of the heat with that of a network of
        shuffled weights, in stages. `area` under the deletion curve and that of random orders; `gain`, by how much the
        latter is larger; `beaten`, share of random orders that lose certainty later. `correlation_interval`,
        `gain_interval` and `interval` (of `beaten`) are 95 % intervals of these means by the bootstrap over decisions,
        None for fewer than two. `flat` decisions, whose map holds no heat, are left out of all of them, and of the
        correlations those whose heat or whose shuffled network's heat is the same everywhere: `shuffled_flat`, by
        stage. Figures are None where none is left.

    Raises as `explain_decision`, RecipeError for methods that no model of the run allows.
    """
    run.require_trained()
    candles = candles_of(run)
    frame = judged_decisions(run, symbol)
    chosen = surest_of_all(frame, decisions, windows_apart(run, candles.series))
    rows: list[dict[str, Any]] = []
    for member, recipe in (members_of(run.recipe) or {"": run.recipe}).items():
        models = {fold: _model(run, fold, member) for fold in sorted({one.fold for one in chosen})}
        allowed = methods_of(next(iter(models.values())))
        asked = [method for method in methods or allowed if method in allowed or not member]
        classifiers = {fold: model.classifier() for fold, model in models.items()}
        looks = [_look(one, classifiers[one.fold], recipe, candles) for one in chosen] if asked else []
        head = {"member": member} if member else {}
        rows += [head | checked(method, looks, derive_seed(recipe.seed, "explanations", method)) for method in asked]
    if not rows:
        raise RecipeError(f"No member allows {', '.join(methods)}.", remedy="Choose integrated_gradients or occlusion.")
    return rows


def _model(run: Run, fold: int, member: str) -> Artifact:
    folder = run.fold(fold) / "artifact"
    return load_consensus(folder).members[member] if member else load_artifact(folder)


def _look(one: Sure, classifier: WindowClassifier, recipe: Recipe, candles: Candles) -> Look:
    series = series_of(candles, one.symbol)
    end = int(np.searchsorted(series.close_time_ms, one.time_ms))
    window = window_at(recipe, candles, series, end)
    return Look(classifier=classifier, window=window, seed=derive_seed(recipe.seed, "explanations", end))


def checked(method: Method, looks: Sequence[Look], seed: int) -> dict[str, Any]:
    """Sanity checks of a method on these decisions, for their likeliest classes.

    Args:
        method: see `triptych.inference.explain`.
        looks: at least one.
        seed: of the bootstrap.

    Returns:
        What `check_explanations` says of a method.
    """
    stages: list[list[float | None]] = []
    deletions: list[Deletion] = []
    certainty = []
    for one in looks:
        found = explain(one.classifier, one.window, method=method)
        certainty.append(float(found.probabilities.max()))
        if found.is_flat:
            continue
        again = cascade(one.classifier, one.window, method=method, seed=one.seed)
        stages.append([stage.correlation for stage in again])
        deletions.append(deletion(one.classifier, one.window, found, seed=one.seed))
    beaten = [one.beaten for one in deletions]
    gains = [one.random_area - one.area for one in deletions]
    by_stage = [_known(stage) for stage in zip(*stages, strict=True)] or [[] for _ in range(STAGES)]
    return {
        "method": method,
        "decisions": len(looks),
        "flat": len(looks) - len(deletions),
        "certainty": [min(certainty), float(np.mean(certainty)), max(certainty)],
        "shuffled_flat": [len(stages) - len(stage) for stage in by_stage],
        "correlation": [_mean(stage) for stage in by_stage],
        "correlation_interval": [_interval(stage, seed) for stage in by_stage],
        "area": _mean([one.area for one in deletions]),
        "random_area": _mean([one.random_area for one in deletions]),
        "gain": _mean(gains),
        "gain_interval": _interval(gains, seed),
        "beaten": _mean(beaten),
        "interval": _interval(beaten, seed),
    }


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Sequence[float]) -> float | None:
    """None where there is none."""
    return float(np.mean(values)) if values else None


def _interval(values: Sequence[float], seed: int) -> list[float] | None:
    """The 95 % interval of a mean by the bootstrap; None for fewer than two values."""
    if len(values) < 2:
        return None
    drawn = np.random.default_rng(seed % 2**32).choice(np.array(values), (RESAMPLES, len(values)))
    return [float(value) for value in np.quantile(drawn.mean(axis=1), (0.025, 0.975))]
