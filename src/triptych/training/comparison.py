"""Models on the same samples: the skill of one, and the difference between two, with its interval."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CLASSES
from triptych.training.evaluation import COMPARED_BY, Config, as_json, block_length, resampled
from triptych.training.intervals import interval, label_span, widening
from triptych.training.metrics import Scorer
from triptych.training.samples import Samples


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
    values = {name: scorer.values()[COMPARED_BY] for name, scorer in scorers.items()}
    draws = resampled(scorers, test, config, seed)
    return _judged(
        values["ours"] - values["theirs"],
        draws["ours"][COMPARED_BY] - draws["theirs"][COMPARED_BY],
        test,
        config,
        2.0,
    )


def skill(
    ours: NDArray[np.floating],
    test: Samples,
    config: Config,
    seed: int,
    *,
    folds: NDArray[np.integer] | None = None,
) -> dict[str, Any]:
    """Matthews correlation of one model with its interval; arguments and result as for `skill_difference`."""
    scorer = Scorer(ours, test.label, folds)
    draws = resampled({"": scorer}, test, config, seed)[""][COMPARED_BY]
    return _judged(scorer.values()[COMPARED_BY], draws, test, config, 1.0)


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
