"""Fitting the combiner of a consensus, on out-of-fold predictions only.

Every member is trained anew before each test segment of the walk-forward split, so what it says there is out of fold.
The combiner that is used in test segment k is fitted on what the members said in the segments before it. Whatever else
is known, predictions of segment k and later ones above all, must not reach the fit; `before` sees to that, and purges
samples whose label is settled only after the segment has begun (López de Prado 2018, section 7.4.1).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from triptych.domain import CLASSES
from triptych.domain.errors import NotEnoughData
from triptych.inference.combiner import LEARNED, Combiner, Config, meta_inputs, side_of, stacking_inputs
from triptych.inference.recent_skill import DAY_MS, losses_of, weights_of
from triptych.training.samples import Samples


@dataclass(frozen=True, kw_only=True, slots=True)
class Votes:
    """What the members said about test samples, out of fold. The first axis of every array is the sample.

    Attributes:
        samples: what happened.
        fold: int64, the test segment a sample lies in.
        votes: float64 of shape (n, n_members, 3).
        regime: float64 of shape (n, 2).
        forward_return: float64, return until the label is settled, a fraction.
    """

    samples: Samples
    fold: NDArray[np.int64]
    votes: NDArray[np.float64]
    regime: NDArray[np.float64]
    forward_return: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.fold)

    def only(self, keep: NDArray[np.bool_]) -> Self:
        """Some of the samples, in their order."""
        samples = Samples(**{one.name: getattr(self.samples, one.name)[keep] for one in fields(Samples)})
        return type(self)(
            samples=samples,
            fold=self.fold[keep],
            votes=self.votes[keep],
            regime=self.regime[keep],
            forward_return=self.forward_return[keep],
        )

    def before(self, fold: int, start_ms: int) -> Self:
        """What may be known when test segment `fold` begins: earlier segments, labels that are settled by then."""
        keep: NDArray[np.bool_] = np.logical_and(self.fold < fold, self.samples.end_ms <= start_ms)
        return self.only(keep)


def fit_combiner(
    config: Config, names: Sequence[str], votes: Votes, *, fold: int, start_ms: int, cost: float = 0.0
) -> Combiner:
    """The combiner for one test segment.

    Args:
        config: the method and its settings.
        names: of the members, in the order of their votes.
        votes: out-of-fold votes of any segments; only those before this one are looked at.
        fold: number of the test segment.
        start_ms: its beginning, UTC ms.
        cost: what a return must exceed to be right after costs, a fraction; for meta-labelling.

    Raises NotEnoughData when a method that learns has too little to learn from.
    """
    plain = unfitted(config, names)
    if config.method not in LEARNED:
        return plain
    past = votes.before(fold, start_ms)
    heard = np.column_stack([past.votes.reshape(len(past), len(names) * len(CLASSES)), past.regime])
    past = past.only(np.asarray(np.isfinite(heard).all(axis=1), dtype=bool))
    if config.method == "skill":
        _require(config, fold, past, kinds=1, least_kinds=1)
        weights = skill_weights(past, start_ms, config.half_life_days, config.floor)
        learnt: dict[str, object] = {"weights": tuple(weights.tolist())}
        return plain.model_copy(update=learnt | _origin(past))
    if config.method == "stacking":
        inputs, labels = stacking_inputs(past.votes, past.regime), past.samples.label
    else:
        sides = side_of(past.votes[:, plain.side])
        past, sides = past.only(sides != 0), sides[sides != 0]
        inputs = meta_inputs(past.votes, past.regime, sides)
        labels = (sides * past.forward_return > cost).astype(np.int64)
    kinds = len(CLASSES) if config.method == "stacking" else 2
    _require(config, fold, past, kinds=len(np.unique(labels)), least_kinds=kinds)
    return plain.model_copy(update=_regression(inputs, labels, past.samples.uniqueness, config.l2) | _origin(past))


def unfitted(config: Config, names: Sequence[str]) -> Combiner:
    """A combiner with what is given and nothing that is learned: all that agreement and vote need."""
    weights = np.array([config.weights.get(name, 1.0) for name in names])
    return Combiner(
        method=config.method,
        members=tuple(names),
        weights=tuple((weights / weights.sum()).tolist()),
        confidence=config.confidence,
        side=list(names).index(config.side) if config.side else 0,
        regime_length=config.regime_length,
    )


def skill_weights(past: Votes, now_ms: int, half_life_days: float, floor: float = 0.0) -> NDArray[np.float64]:
    """Weights of the members by their skill over all instruments until a moment, shape (n_members,), sum 1.

    See `inference.recent_skill.weights_of`. An answer counts by the uniqueness of its label and half as much for each
    half-life of its age.
    """
    age_days = (now_ms - past.samples.time_ms) / DAY_MS
    counts = past.samples.uniqueness * 0.5 ** (age_days / half_life_days)
    return weights_of(counts, losses_of(past.votes, past.samples.label), floor)


def _require(config: Config, fold: int, past: Votes, *, kinds: int, least_kinds: int) -> None:
    if len(past) < config.minimum_samples or kinds < least_kinds:
        raise NotEnoughData(
            f"The {config.method} of test segment {fold} has {len(past)} out-of-fold samples of "
            f"{kinds} kinds to learn from; it needs {config.minimum_samples} of {least_kinds}.",
            remedy="Bring more candles, ask for fewer folds, or lower consensus.minimum_samples.",
        )


def _origin(past: Votes) -> dict[str, object]:
    return {"samples": len(past), "until_ms": int(past.samples.end_ms.max())}


def _regression(
    inputs: NDArray[np.float64], labels: NDArray[np.int64], weights: NDArray[np.float64], l2: float
) -> dict[str, object]:
    """An L2 logistic regression on standardised inputs, as the numbers a combiner holds.

    Samples count by their uniqueness: labels that overlap say the same thing several times.
    """
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0)
    scale[scale < 1e-9] = 1.0  # an input that never changed says nothing
    model = LogisticRegression(C=1.0 / l2, max_iter=2000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # cut off after 2000 steps it is regularised enough
        model.fit((inputs - mean) / scale, labels, sample_weight=weights)
    return {
        "mean": tuple(mean.tolist()),
        "scale": tuple(scale.tolist()),
        "coefficients": tuple(tuple(row) for row in model.coef_.tolist()),
        "intercepts": tuple(model.intercept_.tolist()),
    }
