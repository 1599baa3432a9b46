"""What followed each candle in figures, and what simple rules would have foretold of it.

Volatilities are compared by their logarithm, which is nearly normal and makes a calm market count like a wild one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries
from triptych.features.close_volatility import ewma_volatility
from triptych.features.targets import Targets
from triptych.training.samples import Samples
from triptych.training.tasks.config import Task
from triptych.training.tasks.har import har_inputs, har_x_inputs, log_volatility_behind

Array = NDArray[np.float64]


def figure_of(task: Task, series: CandleSeries, targets: Targets) -> Array:
    """What followed each candle, shape (n_candles,); NaN where it is not known or has no logarithm."""
    if task == "size":
        return targets.forward_return
    return np.where(targets.classes >= 0, log_volatility_ahead(series, targets.horizon), np.nan)


def log_volatility_ahead(series: CandleSeries, horizon: int) -> Array:
    """Logarithm of the root of the sum of the next `horizon` squared log returns; NaN where a candle is missing."""
    behind = log_volatility_behind(series, horizon)
    ahead = np.full(len(series), np.nan)
    ahead[:-horizon] = behind[horizon:]
    return ahead


def baselines_of(
    task: Task, series: Sequence[CandleSeries], targets: Sequence[Targets], train: Samples, test: Samples, *, span: int
) -> dict[str, Array]:
    """What rules that know no network would have foretold of the test, each of shape (n_test,).

    Size: `zero`, the `mean` of the training windows, and `persistence`, which foretells the return of the last candles
    once more (0 where it is not known): of the horizon, or of a triple barrier, whose labels end when a barrier is
    touched, of as many as the median label of the training windows lived. Volatility, which is that of the whole
    horizon whatever the label: `ewma`, the exponentially weighted mean of `span` candles scaled by the mean of the
    training windows; `har`, the heterogeneous autoregression on logarithms, and `har_x`, the same with ranges and
    clock, fitted on the training windows by least squares, see `tasks.har`.

    Lengths are counted in candles, as the targets count them: nights and weekends are none.
    """
    known = _at([figure_of(task, one, target) for one, target in zip(series, targets, strict=True)], train)
    if task == "size":
        life = _median_life(targets, train)
        again = np.nan_to_num(_at([_return_behind(one, life) for one in series], test))
        return {
            "zero": np.zeros(len(test)),
            "mean": np.full(len(test), float(np.nanmean(known))),
            "persistence": again,
        }
    horizon = targets[0].horizon
    with np.errstate(divide="ignore"):
        ewma = [np.log(ewma_volatility(one, span)) for one in series]
    har, har_x = ([inputs(one, horizon) for one in series] for inputs in (har_inputs, har_x_inputs))
    return {
        "ewma": _fitted(_at(ewma, train)[:, None], known, _at(ewma, test)[:, None], slope=False),
        "har": _fitted(_at(har, train), known, _at(har, test), slope=True),
        "har_x": _fitted(_at(har_x, train), known, _at(har_x, test), slope=True),
    }


def _fitted(inputs: Array, known: Array, wanted: Array, *, slope: bool) -> Array:
    """Least squares with intercept, or the intercept alone; the mean of `known` where an input is missing."""
    usable = np.isfinite(inputs).all(axis=1) & np.isfinite(known)
    mean = float(np.nanmean(known))
    found = np.full(len(wanted), mean)
    there = np.isfinite(wanted).all(axis=1)
    if not slope:
        found[there] = wanted[there, 0] + float((known[usable] - inputs[usable, 0]).mean())
        return found
    design = np.column_stack([np.ones(int(usable.sum())), inputs[usable]])
    weights = np.linalg.lstsq(design, known[usable], rcond=None)[0]
    found[there] = weights[0] + wanted[there] @ weights[1:]
    return found


def _return_behind(series: CandleSeries, length: int) -> Array:
    """The return over the last `length` candles, a fraction; NaN where there are fewer."""
    close = series.values[:, 3]
    found = np.full(len(series), np.nan)
    found[length:] = close[length:] / close[:-length] - 1.0
    return found


def _at(values: Sequence[Array], samples: Samples) -> Array:
    """Values of series at the samples, in their order."""
    starts = np.concatenate(([0], np.cumsum([len(one) for one in values])))
    found: Array = np.concatenate(list(values))[starts[samples.instrument] + samples.index]
    return found


def _median_life(targets: Sequence[Targets], samples: Samples) -> int:
    """Candles from a decision to the one that settles its label: the median of the samples, at least 1."""
    lives = [(one.end - np.arange(len(one))).astype(np.float64) for one in targets]
    return max(1, int(np.median(_at(lives, samples))))
