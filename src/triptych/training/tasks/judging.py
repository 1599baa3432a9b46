"""Foretold figures against what followed, beside simple rules, with intervals that respect overlapping labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triptych.training.evaluation import Config, as_json, block_length
from triptych.training.intervals import Interval, interval, label_span, resample_weights, widening
from triptych.training.samples import Samples

Array = NDArray[np.float64]


def judge_figure(
    foretold: Array, actual: Array, baselines: Mapping[str, Array], test: Samples, config: Config, seed: int
) -> dict[str, Any]:
    """Judge one figure by its skill, 1 - squared error / squared error of a rule: above 0 it knows more than the rule.

    All arrays have the shape (n_test,); what followed may be NaN where it is not known. Resamples are shared, so the
    comparison is paired.

    Returns:
        JSON-ready: `n`, `mse` (model and rules), `skill` by rule (value, low, high; that of a rule which says the mean
        is an out-of-sample R2), `correlation` of what was foretold with what followed and `rank_correlation` of their
        ranks (the information coefficient), each with low and high, `best_baseline`, `verdict` and a `sentence`.
    """
    known = np.isfinite(actual) & np.isfinite(foretold)
    errors = {"model": (foretold - actual) ** 2} | {name: (rule - actual) ** 2 for name, rule in baselines.items()}
    errors = {name: np.where(known, error, 0.0) for name, error in errors.items()}
    related = {
        "correlation": _moments(foretold, actual, known),
        "rank_correlation": _moments(_ranks(foretold, known), _ranks(actual, known), known),
    }
    length = block_length(test, config)
    sums: dict[str, list[Array]] = {name: [] for name in errors}
    together: dict[str, list[Array]] = {name: [] for name in related}
    for weights in resample_weights(test.time_ms, length, config.resamples, seed, config.bootstrap):
        for name, moments in related.items():
            together[name].append(_correlation(moments @ weights))
        for name, error in errors.items():
            sums[name].append(error @ weights)
    drawn = {name: np.concatenate(parts) for name, parts in sums.items()}
    span = label_span(test.time_ms, test.end_ms)
    stretch = widening(len(np.unique(test.time_ms)), length, span, config.level)
    total = {name: float(error.sum()) for name, error in errors.items()}
    skill = {}
    for name in baselines:
        value = 1.0 - total["model"] / total[name] if total[name] > 0 else np.nan
        draws = 1.0 - drawn["model"] / np.where(drawn[name] > 0, drawn[name], np.nan)
        skill[name] = as_json(interval(value, draws, config.level, (-np.inf, 1.0), stretch))
    correlations = {}
    for name, moments in related.items():
        draws = np.concatenate(together[name])
        value = float(_correlation(moments.sum(axis=1, keepdims=True))[0])
        correlations[name] = _as_json(interval(value, draws, config.level, (-1.0, 1.0), stretch))
    count = max(int(known.sum()), 1)
    best = min(baselines, key=lambda name: total[name])
    verdict, sentence = _verdict(skill[best], best)
    return {
        "n": int(known.sum()),
        "mse": {name: one / count for name, one in total.items()},
        "skill": skill,
        **correlations,
        "best_baseline": best,
        "verdict": verdict,
        "sentence": sentence,
    }


def _ranks(values: Array, known: NDArray[np.bool_]) -> Array:
    """Ranks of the known values, ties sharing the mean of theirs; 0 elsewhere."""
    found = np.zeros(len(values))
    _, place, count = np.unique(values[known], return_inverse=True, return_counts=True)
    found[known] = (np.cumsum(count) - (count - 1) / 2)[place]
    return found


def _moments(a: Array, b: Array, known: NDArray[np.bool_]) -> Array:
    """What a correlation is made of, one row a sum, shape (6, n); both are standardised against rounding."""
    a, b = (np.where(known, (x - x[known].mean()) / (x[known].std() or 1.0), 0.0) for x in (a, b))
    return np.stack([known.astype(np.float64), a, b, a * a, b * b, a * b])


def _correlation(sums: Array) -> Array:
    """Correlations from sums of shape (6, n_weightings); NaN where one side never moves."""
    n, a, b, aa, bb, ab = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (aa - a * a / n) * (bb - b * b / n)
        found: Array = np.where(spread > 1e-12 * n * n, (ab - a * b / n) / np.sqrt(np.maximum(spread, 1e-300)), np.nan)
    return found


def _as_json(found: Interval) -> dict[str, Any]:
    content = as_json(found)
    if content["value"] is None:
        content["reason"] = "Not defined: one side never moves."
    return content


def _verdict(skill: dict[str, Any], best: str) -> tuple[str, str]:
    if skill["value"] is None or skill["low"] is None:
        return "unknown", "There is too little to judge."
    words = f"{skill['value']:+.1%} of the squared error of {best} (from {skill['low']:+.1%} to {skill['high']:+.1%})"
    if skill["low"] > 0:
        return "better", f"It knows more than {best}: it saves {words}."
    if skill["high"] < 0:
        return "worse", f"It knows less than {best}: it saves {words}."
    return "no better", f"It is not shown to know more than {best}: it saves {words}."
