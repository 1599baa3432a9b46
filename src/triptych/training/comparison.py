"""Models on the same samples: the skill of one, and the difference between two, with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CLASSES
from triptych.training.evaluation import Config, as_json, block_length
from triptych.training.intervals import interval, label_span, resample_weights, seen_variance, widening
from triptych.training.metrics import Scorer
from triptych.training.samples import Samples
from triptych.training.seed_noise import Sampled, over_seeds

_Key = TypeVar("_Key")


def skill_difference(
    ours: NDArray[np.floating],
    theirs: NDArray[np.floating],
    test: Samples,
    config: Config,
    seed: int,
    *,
    folds: NDArray[np.integer] | None = None,
) -> dict[str, Any]:
    """Matthews correlation of `ours` less that of `theirs`, paired: both are scored on the same resamples.

    Args:
        ours, theirs: arrays of shape (n_samples, 3): sell, hold, buy.
        test: the samples in the same order.
        config: how samples are drawn again.
        seed: of the bootstrap.
        folds: of each sample; the correlation is taken within each, see `Scorer`.

    Returns:
        JSON-ready: value, low, high; None with a `reason` where it is not defined.
    """
    scorers = {"ours": Scorer(ours, test.label, folds), "theirs": Scorer(theirs, test.label, folds)}
    values, draws = _drawn(scorers, test, config, seed)
    return _judged(values["ours"] - values["theirs"], draws["ours"] - draws["theirs"], test, config, 2.0)


def skill(
    ours: NDArray[np.floating],
    test: Samples,
    config: Config,
    seed: int,
    *,
    folds: NDArray[np.integer] | None = None,
) -> dict[str, Any]:
    """Matthews correlation of one model with its interval; arguments and result as for `skill_difference`."""
    values, draws = _drawn({"": Scorer(ours, test.label, folds)}, test, config, seed)
    return _judged(values[""], draws[""], test, config, 1.0)


def skill_over_seeds(
    ours: Sequence[NDArray[np.floating]],
    test: Samples,
    config: Config,
    seed: int,
    *,
    theirs: Sequence[NDArray[np.floating]] = (),
    folds: NDArray[np.integer] | None = None,
) -> dict[str, Any]:
    """Mean Matthews correlation of a model over the seeds it was trained by, or of its difference to another one.

    The interval holds both noises, that of which history was tested on and that of training: see `seed_noise`. All are
    scored on the same resamples.

    Args:
        ours: by seed, each of shape (n_samples, 3): sell, hold, buy.
        test, config, seed, folds: as for `skill_difference`.
        theirs: of the other model with the same seeds in the same order; none: the skill of `ours` itself.

    Returns:
        As for `skill_difference`, with `by_seed`, its `lowest` and its `highest`.
    """
    sides = {"ours": ours, "theirs": theirs}
    scorers = {
        (side, i): Scorer(said, test.label, folds) for side, given in sides.items() for i, said in enumerate(given)
    }
    values, draws = _drawn(scorers, test, config, seed)
    signs = {"ours": 1.0, "theirs": -1.0}
    by_seed = [sum(signs[side] * value for (side, k), value in values.items() if k == i) for i in range(len(ours))]
    mean = np.sum([signs[side] * draws[side, i] for side, i in draws], axis=0) / len(ours)
    bound = 2.0 if theirs else 1.0
    span = label_span(test.time_ms, test.end_ms)
    seen, degrees = seen_variance(len(np.unique(test.time_ms)), block_length(test, config), span)
    sampled = Sampled(error=float(np.std(mean) / np.sqrt(seen)), degrees=degrees)
    found = as_json(over_seeds(by_seed, sampled, config.level, (-bound, bound)))
    return {**found, "by_seed": by_seed, "lowest": min(by_seed), "highest": max(by_seed)}


def _drawn(
    scorers: Mapping[_Key, Scorer], test: Samples, config: Config, seed: int
) -> tuple[dict[_Key, float], dict[_Key, NDArray[np.float64]]]:
    """The correlation of each on the samples as they are, and on the same resamples of them."""
    portions: dict[_Key, list[NDArray[np.float64]]] = {key: [] for key in scorers}
    for weights in resample_weights(test.time_ms, block_length(test, config), config.resamples, seed, config.bootstrap):
        for key, scorer in scorers.items():
            portions[key].append(scorer.mcc(weights))
    whole = np.ones((len(test), 1))
    values = {key: float(scorer.mcc(whole)[0]) for key, scorer in scorers.items()}
    return values, {key: np.concatenate(found) for key, found in portions.items()}


def _judged(value: float, draws: NDArray[np.float64], test: Samples, config: Config, bound: float) -> dict[str, Any]:
    stretch = widening(
        len(np.unique(test.time_ms)), block_length(test, config), label_span(test.time_ms, test.end_ms), config.level
    )
    return as_json(interval(value, draws, config.level, (-bound, bound), stretch))


def only_said(classes: Iterable[int], folds: Iterable[int]) -> str:
    """The class that was said for every sample, or "buy or sell" where each fold has one of its own; else nothing.

    Args:
        classes: that were said, positions in `CLASSES`.
        folds: of each sample, in the same order.
    """
    by_fold: dict[int, set[int]] = {}
    for fold, said in zip(folds, classes, strict=True):
        by_fold.setdefault(fold, set()).add(said)
    if any(len(said) > 1 for said in by_fold.values()):
        return ""
    return " or ".join(dict.fromkeys(CLASSES[one] for said in by_fold.values() for one in said))
