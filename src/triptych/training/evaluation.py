"""Judging predictions on samples no model was fitted on: metrics with intervals, beside baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import DataError
from triptych.training.intervals import (
    Interval,
    default_block_length,
    interval,
    intervals,
    label_span,
    resample_weights,
    widening,
)
from triptych.training.metrics import RANGES, Scorer, calibration_bins
from triptych.training.samples import Samples

COMPARED_BY: Final = "mcc"
"""The metric of the comparison: 0 for every guess that ignores the market, however lopsided the classes are."""


class Config(BaseConfig):
    """How predictions are judged."""

    resamples: int = Field(
        1000, description="Bootstrap resamples behind every confidence interval.", ge=100, le=1_000_000
    )
    level: float = Field(0.95, description="Confidence level of the intervals.", gt=0, lt=1)
    bootstrap: Literal["moving", "stationary"] = Field(
        "moving", description="`moving`: blocks of fixed length; `stationary`: blocks of random length with that mean."
    )
    block_length: int | None = Field(
        None,
        description="Decision times in a block, raised to the horizon where it is shorter; empty takes four "
        "horizons, less on short histories.",
        ge=1,
    )
    lags: int = Field(
        16, description="Returns that the logistic baseline sees; at most the window length less 1.", ge=1, le=10_000
    )


def evaluate(
    probabilities: NDArray[np.floating],
    test: Samples,
    baselines: Mapping[str, NDArray[np.floating]],
    class_counts: Mapping[str, Sequence[int]],
    config: Config,
    seed: int,
    *,
    folds: NDArray[np.integer] | None = None,
) -> dict[str, Any]:
    """Judge class probabilities.

    The difference to the best baseline is paired: both are scored on the same resamples. The best is chosen by its
    value on these very samples, which favours the baselines, not the model.

    Args:
        probabilities: array of shape (n_samples, 3): sell, hold, buy.
        test: the samples in the same order; of several folds one after the other for a walk-forward test.
        baselines: name to array of shape (n_samples, 3); at least one.
        class_counts: number of sell, hold and buy labels of `train`, `validation` and `test`.
        config: how.
        seed: of the bootstrap.
        folds: the fold of each sample, int of shape (n_samples,); None: all are of one.

    Returns:
        JSON-ready: `metrics` and `baselines` (value, low, high by metric), `confusion` (rows true), `calibration`,
        `class_counts`, `n`, `effective_n`, `comparison`. What is not defined is None with a `reason` beside it.

    Raises DataError for probabilities that are none or do not fit the samples, and without a baseline.
    """
    if not baselines:
        raise DataError("There is no baseline to compare with.", remedy="Pass at least the majority baseline.")
    scorers = {name: Scorer(p, test.label, folds) for name, p in {"": probabilities, **baselines}.items()}
    values = {name: scorer.values() for name, scorer in scorers.items()}
    draws = resampled(scorers, test, config, seed)
    stretch = widening(
        len(np.unique(test.time_ms)), block_length(test, config), label_span(test.time_ms, test.end_ms), config.level
    )
    judged = {name: intervals(values[name], draws[name], config.level, RANGES, stretch) for name in scorers}
    best = max(baselines, key=lambda name: values[name][COMPARED_BY])
    difference = interval(
        values[""][COMPARED_BY] - values[best][COMPARED_BY],
        draws[""][COMPARED_BY] - draws[best][COMPARED_BY],
        config.level,
        (-2.0, 2.0),
        stretch,
    )
    return {
        "metrics": {name: as_json(found) for name, found in judged[""].items()},
        "baselines": {b: {name: as_json(found) for name, found in judged[b].items()} for b in baselines},
        "confusion": scorers[""].confusion.tolist(),
        "calibration": {"bins": calibration_bins(probabilities, test.label)},
        "class_counts": {name: [int(count) for count in counts] for name, counts in class_counts.items()},
        "n": len(test),
        "effective_n": test.effective_n,
        "comparison": {"best_baseline": best, "metric": COMPARED_BY, "difference": as_json(difference)},
    }


def block_length(test: Samples, config: Config) -> int:
    """Decision times in a bootstrap block: as configured or by default, never shorter than the labels."""
    n_times = len(np.unique(test.time_ms))
    span = label_span(test.time_ms, test.end_ms)
    if config.block_length is None:
        return default_block_length(n_times, span)
    return min(max(config.block_length, span), n_times)


def resampled(
    scorers: Mapping[str, Scorer], test: Samples, config: Config, seed: int
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Every metric of every scorer on the same resamples."""
    parts: dict[str, list[dict[str, NDArray[np.float64]]]] = {name: [] for name in scorers}
    portions = resample_weights(test.time_ms, block_length(test, config), config.resamples, seed, config.bootstrap)
    for weights in portions:
        for name, scorer in scorers.items():
            parts[name].append(scorer(weights))
    return {name: {m: np.concatenate([part[m] for part in found]) for m in RANGES} for name, found in parts.items()}


def as_json(found: Interval) -> dict[str, Any]:
    """A value with its interval, None with a `reason` where it is not defined."""
    content: dict[str, Any] = {
        name: value if math.isfinite(value) else None
        for name, value in (("value", found.value), ("low", found.low), ("high", found.high))
    }
    if content["value"] is None:
        content["reason"] = "Not defined: the labels hold one class only."
    elif content["low"] is None:
        content["reason"] = "No interval: not defined on most resamples, which hold one class only."
    return content
