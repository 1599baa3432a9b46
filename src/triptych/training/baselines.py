"""Baselines: what a network must beat to be worth its trouble, on the same split."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from triptych.domain import CLASSES, HOLD, CandleSeries
from triptych.features import targets
from triptych.features.book_measures import Sides, imbalance
from triptych.features.close_volatility import log_returns
from triptych.features.targets import UNKNOWN, trailing_classes
from triptych.training.books.rule import fit_queue_rule
from triptych.training.samples import Samples


def majority(train: Samples, test: Samples) -> NDArray[np.float64]:
    """The class frequencies of training as probabilities, the same for every test sample: shape (n_test, 3)."""
    frequencies = np.array(train.class_counts) / len(train)
    return np.tile(frequencies, (len(test), 1))


def persistence(series: Sequence[CandleSeries], config: targets.Config, test: Samples) -> NDArray[np.float64]:
    """The class of the last horizon's return with probability 1: what was goes on. Hold where it is not known yet."""
    past = np.full(len(test), HOLD, dtype=np.int64)
    for i, one in enumerate(series):
        mine = test.instrument == i
        past[mine] = trailing_classes(one, config)[test.index[mine]]
    past[past == UNKNOWN] = HOLD
    return np.eye(len(CLASSES))[past]


def logistic(series: Sequence[CandleSeries], train: Samples, test: Samples, *, lags: int) -> NDArray[np.float64]:
    """Logistic regression on the last `lags` log returns, fitted on training only, its scaling too: shape (n_test, 3).

    `lags` must be below the window length, so that it sees no candle that the network does not see.
    """
    if len(np.unique(train.label)) < 2:
        return majority(train, test)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    with warnings.catch_warnings():
        # A fit cut off after 1000 steps is a baseline still.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(_last_returns(series, train, lags), train.label)
    probabilities = np.zeros((len(test), len(CLASSES)))
    probabilities[:, model.classes_] = model.predict_proba(_last_returns(series, test, lags))
    return probabilities


def queue_imbalance(series: Sequence[CandleSeries], train: Samples, test: Samples) -> NDArray[np.float64]:
    """The rule of two quantiles of the queue imbalance at the close, fitted on training only: shape (n_test, 3).

    Hold where no book is known; see `training.books.rule`.
    """
    queues = [_queue(one) for one in series]

    def of(samples: Samples) -> NDArray[np.float64]:
        found = np.full(len(samples), np.nan)
        for i, queue in enumerate(queues):
            mine = samples.instrument == i
            found[mine] = queue[samples.index[mine]]
        return found

    fitted, known = of(train), ~np.isnan(of(train))
    if not known.any():
        return majority(train, test)
    return np.eye(len(CLASSES))[fit_queue_rule(fitted[known], train.label[known]).classes(of(test))]


def _queue(one: CandleSeries) -> NDArray[np.float64]:
    """Queue imbalance at the best prices of each close, shape (n_candles,); NaN where no book is known."""
    if one.books is None:
        return np.full(len(one), np.nan)
    found = imbalance(Sides(*np.split(one.books, 4, axis=1)).top(1))
    return np.where(one.bookless, np.nan, found)


def baseline_probabilities(
    series: Sequence[CandleSeries],
    config: targets.Config,
    train: Samples,
    test: Samples,
    *,
    length: int,
    lags: int = 16,
) -> dict[str, NDArray[np.float64]]:
    """Probabilities of every baseline on the test samples, each of shape (n_test, 3).

    Where order books stand beside the candles, the rule of queue imbalance is one of them.

    Args:
        series: the instruments, as for the split.
        config: the target.
        train, test: samples of one fold.
        length: candles in the network's window; bounds the lags.
        lags: returns the logistic regression sees.
    """
    found = {
        "majority": majority(train, test),
        "persistence": persistence(series, config, test),
        "logistic": logistic(series, train, test, lags=max(1, min(lags, length - 1))),
    }
    if any(one.books is not None for one in series):
        found["queue imbalance"] = queue_imbalance(series, train, test)
    return found


def _last_returns(series: Sequence[CandleSeries], samples: Samples, lags: int) -> NDArray[np.float64]:
    """Log returns of the last `lags` candles of each sample, shape (n_samples, lags)."""
    features = np.empty((len(samples), lags))
    for i, one in enumerate(series):
        mine = samples.instrument == i
        features[mine] = log_returns(one)[samples.index[mine][:, None] + np.arange(1 - lags, 1)]
    return features
