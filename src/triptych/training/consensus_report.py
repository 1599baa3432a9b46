"""Is the consensus better than its best member? Coverage, precision, how far errors go together, and the lift."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triptych.domain import BUY, SELL
from triptych.training.comparison import skill_difference
from triptych.training.evaluation import Config, block_length
from triptych.training.intervals import Interval, interval, label_span, resample_weights, widening
from triptych.training.metrics import Scorer
from triptych.training.samples import Samples

TOP: Final = 0.3
"""Share of the calls, the most confident ones, that are judged by themselves."""
CONSENSUS: Final = "consensus"
EQUAL: Final = " at equal coverage"


def matched(directions: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """As many calls as `directions` holds, where another model's probabilities lean most to one side.

    Precision can be compared at equal coverage only: whoever enters seldom may choose.
    """
    lean = probabilities[:, BUY] - probabilities[:, SELL]
    chosen = np.argsort(-np.abs(lean), kind="stable")[: int(np.count_nonzero(directions))]
    found = np.zeros(len(lean), dtype=np.int64)
    found[chosen] = np.sign(lean[chosen]).astype(np.int64)
    return found


class Calls:
    """The directions one model would have entered, had it been flat at every sample.

    Attributes:
        called: bool of shape (n,), whether it would have entered at all.
        right: bool, whether the class of that direction followed.
        top: bool, the most confident calls, at least `TOP` of them.
    """

    def __init__(
        self, direction: NDArray[np.int64], probabilities: NDArray[np.float64], labels: NDArray[np.int64]
    ) -> None:
        """`direction` is -1, 0 or 1 by sample; confidence is the probability of that direction."""
        self.called = direction != 0
        self.right = self.called & (labels == direction + 1)
        sure = probabilities[np.arange(len(labels)), direction + 1]
        self.top = np.zeros(len(labels), dtype=bool)
        if self.called.any():
            least = np.quantile(sure[self.called], 1.0 - TOP, method="lower")
            self.top = self.called & (sure >= least)


def consensus_report(
    probabilities: Mapping[str, NDArray[np.float64]],
    directions: Mapping[str, NDArray[np.int64]],
    samples: Samples,
    forward_return: NDArray[np.float64],
    config: Config,
    seed: int,
    *,
    cost: float = 0.0,
    folds: NDArray[np.integer] | None = None,
) -> dict[str, Any]:
    """Judge a consensus beside its members, all on the same samples and the same resamples.

    The better single member is chosen by its skill on these very samples, which favours the member. Blocks of the
    bootstrap are longer than the labels, see `training.intervals`.

    Args:
        probabilities: by model, shape (n, 3); `consensus` and every member.
        directions: by model, the direction it would have entered at each sample, -1, 0 or 1.
        samples: what happened.
        forward_return: until the label is settled, a fraction.
        config: how samples are drawn again.
        seed: of the bootstrap.
        cost: of entering and leaving, a fraction.
        folds: of each sample; MCC is taken within each, see `training.metrics`.

    Returns:
        JSON-ready: `models` (coverage, precision, precision of the top 30 %, mean return of a call after costs, MCC, by
        model; a member is also shown `at equal coverage`, see `matched`), `error_correlation` (by pair), `disagreement`
        (by pair: share of samples on which the likeliest classes differ), `lift` over `better_member` at equal
        coverage, each value with its interval, and a `sentence`.
    """
    calls = {name: Calls(directions[name], probabilities[name], samples.label) for name in probabilities}
    gains = {name: directions[name] * forward_return - cost for name in probabilities}
    skill = {name: Scorer(p, samples.label, folds).values()["mcc"] for name, p in probabilities.items()}
    members = [name for name in probabilities if name != CONSENSUS]
    better = max(members, key=skill.__getitem__)
    for name in members:
        equal = matched(directions[CONSENSUS], probabilities[name])
        calls[f"{name}{EQUAL}"] = Calls(equal, probabilities[name], samples.label)
        gains[f"{name}{EQUAL}"] = equal * forward_return - cost
    draws = _draws(calls, gains, samples, config, seed)
    stretch = widening(
        len(np.unique(samples.time_ms)),
        block_length(samples, config),
        label_span(samples.time_ms, samples.end_ms),
        config.level,
    )
    values = _figures(calls, gains, np.ones((len(samples), 1)))

    def judged(name: str, figure: str, other: str = "") -> dict[str, Any]:
        value, draw = values[name][figure][0], draws[name][figure]
        if other:
            value, draw = value - values[other][figure][0], draw - draws[other][figure]
        limits = (-10.0, 10.0) if figure == "mean_return" else (-1.0 if other else 0.0, 1.0)
        return _plain(interval(float(value), draw, config.level, limits, stretch))

    lift = {
        figure: judged(CONSENSUS, figure, f"{better}{EQUAL}") for figure in values[CONSENSUS] if figure != "coverage"
    }
    ours, theirs = probabilities[CONSENSUS], probabilities[better]
    lift["mcc"] = skill_difference(ours, theirs, samples, config, seed, folds=folds)
    return {
        "n": len(samples),
        "effective_n": samples.effective_n,
        "models": {
            name: {
                **{figure: judged(name, figure) for figure in values[name]},
                "mcc": skill[name.removesuffix(EQUAL)],
            }
            for name in calls
        },
        "error_correlation": _pairs(members, probabilities, samples.label, _error_correlation),
        "disagreement": _pairs(members, probabilities, samples.label, _disagreement),
        "better_member": better,
        "lift": lift,
        "cost": cost,
        "sentence": _sentence(lift["mcc"], lift["precision"], better),
    }


def _figures(
    calls: Mapping[str, Calls], gains: Mapping[str, NDArray[np.float64]], weights: NDArray[np.float64]
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Every figure of every model under each column of weights, shape (n, n_columns)."""
    whole = weights.sum(axis=0)
    found = {}
    for name, one in calls.items():
        called = one.called.astype(float) @ weights
        top = one.top.astype(float) @ weights
        found[name] = {
            "coverage": called / whole,
            "precision": _ratio(one.right.astype(float) @ weights, called),
            "precision_top": _ratio((one.right & one.top).astype(float) @ weights, top),
            "mean_return": _ratio(np.where(one.called, gains[name], 0.0) @ weights, called),
        }
    return found


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)


def _draws(
    calls: Mapping[str, Calls],
    gains: Mapping[str, NDArray[np.float64]],
    samples: Samples,
    config: Config,
    seed: int,
) -> dict[str, dict[str, NDArray[np.float64]]]:
    portions = [
        _figures(calls, gains, weights)
        for weights in resample_weights(
            samples.time_ms, block_length(samples, config), config.resamples, seed, config.bootstrap
        )
    ]
    return {
        name: {figure: np.concatenate([part[name][figure] for part in portions]) for figure in portions[0][name]}
        for name in calls
    }


def _pairs(members: list[str], probabilities: Mapping[str, Any], labels: Any, measure: Any) -> dict[str, float | None]:
    return {
        f"{a} / {b}": measure(probabilities[a], probabilities[b], labels)
        for i, a in enumerate(members)
        for b in members[i + 1 :]
    }


def _error_correlation(a: NDArray[np.float64], b: NDArray[np.float64], labels: NDArray[np.int64]) -> float | None:
    """Pearson correlation of being wrong, by the likeliest class; None where one is always right or always wrong."""
    wrong = [(p.argmax(axis=1) != labels).astype(float) for p in (a, b)]
    if min(one.std() for one in wrong) == 0:
        return None
    return float(np.corrcoef(*wrong)[0, 1])


def _disagreement(a: NDArray[np.float64], b: NDArray[np.float64], _: Any) -> float:
    return float((a.argmax(axis=1) != b.argmax(axis=1)).mean())


def _plain(found: Interval) -> dict[str, Any]:
    content = {
        key: float(value) if np.isfinite(value) else None
        for key, value in (("value", found.value), ("low", found.low), ("high", found.high))
    }
    return content if content["value"] is not None else {**content, "reason": "It would never have entered."}


def _sentence(lift: Mapping[str, Any], precision: Mapping[str, Any], better: str) -> str:
    """The lift in words. Praise takes both: classes told better, and entries that are right more often.

    A member that always says hold has no correlation at all, and whoever says anything else is above it.
    """
    if lift["value"] is None or lift["low"] is None:
        return f"The lift over the better member, {better}, cannot be told."
    figures = f"{lift['value']:+.3f} in MCC, 95 % interval {lift['low']:+.3f} to {lift['high']:+.3f}"
    sharper = precision["low"] is not None and precision["low"] > 0
    if lift["low"] > 0 and not sharper:
        return (
            f"No evidence that their entries are better together than those of {better} alone at equal coverage, "
            f"though they tell the classes apart better: {figures}."
        )
    if lift["low"] > 0:
        return f"Together they are better than the better of them, {better}: {figures}."
    if lift["high"] < 0:
        return f"Together they are worse than the better of them, {better}: {figures}."
    return f"No evidence that they are better together than {better} alone: {figures}."
