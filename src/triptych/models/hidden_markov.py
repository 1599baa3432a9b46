"""A hidden Markov model with Gaussian emissions: fitted by Baum and Welch, used by its forward filter only.

Rabiner, A tutorial on hidden Markov models, Proceedings of the IEEE 77(2), 1989, sections III and V. Scaled forward and
backward recursions (III.A.1 and V.A there); covariances are diagonal. States are put in order of their volatility, so
that a name stays with its state from fit to fit.

`filter` is causal: row t depends on observations up to t. `smooth` looks at the whole series, and is for fitting and
for looking back: nothing that decides may use it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych.domain import Config as BaseConfig
from triptych.domain.compiling import compiled
from triptych.domain.errors import DataError, NotEnoughData

Array = NDArray[np.float64]
LEAST_VARIANCE = 1e-6
"""Of standardised observations: below it a state would sit on one observation."""
LEAST_MOVES = 1e-6
"""Expected moves between two states at the least: nothing that is seen could mend a probability of exactly zero."""


class Config(BaseConfig):
    """How a hidden Markov model is fitted."""

    states: int = Field(3, ge=2, le=12, description="Hidden states.")
    iterations: int = Field(100, ge=1, le=10_000, description="Most rounds of Baum and Welch.")
    tolerance: float = Field(
        1e-6, ge=0, description="Rounds end when the log likelihood of an observation grows by less than this."
    )
    stickiness: float = Field(
        0.95, gt=0, lt=1, description="Probability, before fitting, that a state stays for another candle."
    )


@dataclass(frozen=True, kw_only=True)
class GaussianHmm:
    """A fitted model.

    Attributes:
        start: probability of each state before the first observation, shape (states,).
        transition: probability of the column's state after the row's, shape (states, states).
        mean, variance: of each state's observations, shape (states, columns).
        log_likelihood: of the series it was fitted on, after each round.
    """

    start: Array
    transition: Array
    mean: Array
    variance: Array
    log_likelihood: tuple[float, ...] = ()

    @classmethod
    def fit(cls, x: Array, config: Config, *, order_by: int = 0, begin: NDArray[np.int64] | None = None) -> Self:
        """Fit by Baum and Welch; the same result for the same observations.

        Args:
            x: observations of the training part only, shape (n, columns), finite.
            config: states and rounds.
            order_by: column by whose variance the states are put in order, smallest first.
            begin: a first guess of each observation's state, shape (n,), every state at least once; the states then
                keep their numbers. None tries equal shares by the size of column `order_by`, by its mean size and by
                its mean value among the neighbours, and keeps the likeliest model. The first alone mostly takes the
                tail of one lasting state for a state of its own.

        Raises NotEnoughData for fewer than ten observations a state, DataError for NaN.
        """
        x = _checked(x)
        states = config.states
        if len(x) < 10 * states:
            raise NotEnoughData(
                f"{len(x)} observations are too few for {states} states.", remedy="Bring at least 10 for each state."
            )
        if begin is not None:
            return cls._fit_from(x, begin, config)
        column = x[:, order_by]
        size = np.abs(column - np.median(column))
        kinds = size, _among_neighbours(size, config), _among_neighbours(column, config)
        fits = [cls._fit_from(x, _equal_shares(kind, states), config) for kind in kinds]
        model = max(fits, key=lambda one: one.log_likelihood[-1])
        order = np.argsort(model.variance[:, order_by], kind="stable")
        return cls(
            start=model.start[order],
            transition=model.transition[np.ix_(order, order)],
            mean=model.mean[order],
            variance=model.variance[order],
            log_likelihood=model.log_likelihood,
        )

    @classmethod
    def _fit_from(cls, x: Array, belongs: NDArray[np.int64], config: Config) -> Self:
        """Baum and Welch from a guess of each observation's state, until the likelihood stops growing."""
        states = config.states
        away = (1.0 - config.stickiness) / (states - 1)
        model = cls(
            start=np.full(states, 1.0 / states),
            transition=np.full((states, states), away) + (config.stickiness - away) * np.eye(states),
            mean=np.stack([x[belongs == k].mean(axis=0) for k in range(states)]),
            variance=np.stack([x[belongs == k].var(axis=0) for k in range(states)]) + LEAST_VARIANCE,
        )
        history: list[float] = []
        for _ in range(config.iterations):
            model, likelihood = model._round(x)
            history.append(likelihood)
            if len(history) > 1 and history[-1] - history[-2] < config.tolerance * len(x):
                break
        return replace(model, log_likelihood=tuple(history))

    def log_density(self, x: Array) -> Array:
        """Log density of each observation in each state, shape (n, states)."""
        x = _checked(x)
        apart = (x[:, None, :] - self.mean) ** 2 / self.variance
        found: Array = -0.5 * (apart + np.log(2.0 * np.pi * self.variance)).sum(axis=2)
        return found

    def filter(self, x: Array) -> Array:
        """Probability of each state given the observations up to and including its row, shape (n, states)."""
        return self._forward(self.log_density(x))[0]

    def filter_with(self, log_likelihood: Array) -> Array:
        """The filter with likelihoods from elsewhere, such as a network's, shape (n, states); a row may be scaled."""
        return self._forward(np.asarray(log_likelihood, dtype=np.float64))[0]

    def filter_windows(self, x: Array, memory: int) -> Array:
        """The filter of the last `memory` observations alone, at every row, shape (n, states).

        What it says does not depend on when the history begins: before a window's first observation stands the
        stationary distribution. Rows before the first full window are NaN.
        """
        density = self.log_density(x)
        density = np.exp(density - density.max(axis=1)[:, None])
        found: Array = np.full_like(density, np.nan)
        if len(x) >= memory:
            _run_windows(density, self.stationary, self.transition, memory, found)
        return found

    @property
    def stationary(self) -> Array:
        """Share of the time that is spent in each state in the long run, shape (states,)."""
        values, vectors = np.linalg.eig(self.transition.T)
        long_run: Array = np.abs(np.real(vectors[:, int(np.argmax(np.real(values)))]))
        return long_run / float(long_run.sum())

    def predict_next(self, filtered: Array, candles: int = 1) -> Array:
        """Probability of each state so many candles on, from filtered ones: shape as given."""
        found: Array = filtered @ np.linalg.matrix_power(self.transition, candles)
        return found

    def score(self, x: Array) -> float:
        """Log likelihood of a series."""
        return float(self._forward(self.log_density(x))[1].sum())

    def smooth(self, x: Array) -> Array:
        """Probability of each state given ALL observations, shape (n, states): looks ahead."""
        density = self.log_density(x)
        forward, _ = self._forward(density)
        return _normalised(forward * self._backward(density))

    @property
    def expected_duration(self) -> Array:
        """Candles that each state lasts on average, shape (states,); NaN of one that is never entered."""
        leaves = 1.0 - np.diag(self.transition)
        found: Array = np.where(leaves > 0, 1.0 / np.where(leaves > 0, leaves, 1.0), np.inf)
        found[self.transition.sum(axis=0) == 0] = np.nan
        return found

    def as_dict(self) -> dict[str, Any]:
        """Parameters as plain lists, for JSON."""
        return {name: getattr(self, name).tolist() for name in ("start", "transition", "mean", "variance")}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """The model that `as_dict` wrote down."""
        start, transition, mean, variance = (
            np.array(content[name]) for name in ("start", "transition", "mean", "variance")
        )
        return cls(start=start, transition=transition, mean=mean, variance=variance)

    def _forward(self, log_density: Array) -> tuple[Array, Array]:
        """Filtered probabilities, and the log likelihood of each observation given those before it."""
        peak = log_density.max(axis=1)
        density = np.exp(log_density - peak[:, None])
        filtered, scale = np.empty_like(density), np.empty(len(density))
        _run_forward(density, self.start, self.transition, filtered, scale)
        return filtered, np.log(scale) + peak

    def _backward(self, log_density: Array) -> Array:
        density = np.exp(log_density - log_density.max(axis=1)[:, None])
        backward: Array = np.ones_like(density)
        _run_backward(density, self.transition, backward)
        return backward

    def _round(self, x: Array) -> tuple[Self, float]:
        """One round of Baum and Welch: the next model, and the log likelihood of this one."""
        log_density = self.log_density(x)
        forward, likelihood = self._forward(log_density)
        backward = self._backward(log_density)
        belongs = _normalised(forward * backward)
        density = np.exp(log_density - log_density.max(axis=1)[:, None])
        steps = forward[:-1, :, None] * self.transition * (density[1:] * backward[1:])[:, None, :]
        steps /= steps.sum(axis=(1, 2), keepdims=True)
        moves = np.maximum(steps.sum(axis=0), LEAST_MOVES)
        weight = belongs.sum(axis=0)[:, None]
        mean = belongs.T @ x / weight
        variance = np.stack([belongs[:, k] @ (x - mean[k]) ** 2 for k in range(len(mean))]) / weight
        start = np.maximum(belongs[0], LEAST_MOVES)  # another history may begin in another state
        better = type(self)(
            start=start / start.sum(),
            transition=moves / moves.sum(axis=1, keepdims=True),
            mean=mean,
            variance=np.maximum(variance, LEAST_VARIANCE),
        )
        return better, float(likelihood.sum())


@compiled
def _run_forward(density: Array, start: Array, transition: Array, filtered: Array, scale: Array) -> None:
    states = len(start)
    expected = start.copy()
    for t in range(len(density)):
        total = 0.0
        for k in range(states):
            filtered[t, k] = expected[k] * density[t, k]
            total += filtered[t, k]
        for k in range(states):
            filtered[t, k] /= total
        scale[t] = total
        for k in range(states):
            expected[k] = 0.0
            for j in range(states):
                expected[k] += filtered[t, j] * transition[j, k]


@compiled
def _run_windows(density: Array, start: Array, transition: Array, memory: int, found: Array) -> None:
    filtered, scale = np.empty((memory, len(start))), np.empty(memory)
    for end in range(memory - 1, len(density)):
        _run_forward(density[end - memory + 1 : end + 1], start, transition, filtered, scale)
        found[end] = filtered[-1]


@compiled
def _run_backward(density: Array, transition: Array, backward: Array) -> None:
    states = backward.shape[1]
    for t in range(len(density) - 2, -1, -1):
        total = 0.0
        for j in range(states):
            backward[t, j] = 0.0
            for k in range(states):
                backward[t, j] += transition[j, k] * density[t + 1, k] * backward[t + 1, k]
            total += backward[t, j]
        for j in range(states):
            backward[t, j] /= total


def _among_neighbours(values: Array, config: Config) -> Array:
    """The mean over the observations before and after, as many as a state lasts before fitting: looks ahead."""
    near = min(round(1.0 / (1.0 - config.stickiness)), len(values))
    found: Array = np.convolve(values, np.ones(near), mode="same")
    return found / np.convolve(np.ones(len(values)), np.ones(near), mode="same")


def _equal_shares(values: Array, states: int) -> NDArray[np.int64]:
    """Which of as many equal shares each value belongs to, the smallest values to share 0."""
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    found: NDArray[np.int64] = np.minimum(rank * states // len(values), states - 1)
    return found


def _normalised(x: Array) -> Array:
    found: Array = x / x.sum(axis=1, keepdims=True)
    return found


def _checked(x: Array) -> Array:
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise DataError(
            "A hidden Markov model takes finite observations of shape (n, columns).",
            remedy="Leave out the first rows, in which factors are not known yet.",
        )
    return x
