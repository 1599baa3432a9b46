from dataclasses import replace

import numpy as np
import pytest
from tests.fakes.market import HOUR_MS, series_of, walk

from triptych.features import targets
from triptych.training import splits
from triptych.training.baselines import baseline_probabilities, logistic, majority, persistence
from triptych.training.samples import Samples

CONFIG = targets.Config(horizon=3, volatility_span=20, up_multiple=0.4, down_multiple=0.4)


def prepared(momentum: float = 0.0):
    series = [walk(900, seed=1, momentum=momentum), walk(800, seed=2, symbol="B", momentum=momentum, start_ms=HOUR_MS)]
    labels = [targets.label(s, CONFIG) for s in series]
    (fold,) = splits.split(series, labels, splits.Config(), length=12)
    return series, *(Samples.of(series, labels, segment) for segment in fold.segments)


def test_majority_is_the_class_frequencies_of_training():
    _, train, _, test = prepared()
    found = majority(train, test)
    assert found.shape == (len(test), 3)
    np.testing.assert_allclose(found[5], np.array(train.class_counts) / len(train))


def test_persistence_is_the_class_of_the_return_that_just_ended():
    series, _, _, test = prepared()
    found = persistence(series, CONFIG, test)
    assert (found.sum(axis=1) == 1).all()
    for row in range(0, len(test), 37):
        one, t = series[test.instrument[row]], test.index[row]
        assert found[row].argmax() == targets.trailing_classes(one, CONFIG)[t]


def test_persistence_holds_where_the_past_is_unknown():
    _, _, _, test = prepared()
    early = replace(test, index=np.zeros(len(test), dtype=np.int64))
    assert (persistence([walk(900), walk(800)], CONFIG, early).argmax(axis=1) == 1).all()


def test_logistic_regression_sees_momentum_and_the_others_do_not_see_noise():
    for momentum, low, high in ((0.6, 0.55, 1.0), (0.0, 0.25, 0.48)):
        series, train, _, test = prepared(momentum)
        found = logistic(series, train, test, lags=6)
        np.testing.assert_allclose(found.sum(axis=1), 1.0)
        assert low < (found.argmax(axis=1) == test.label).mean() < high


def test_logistic_regression_is_fitted_on_training_alone():
    series, train, _, test = prepared(0.3)
    expected = logistic(series, train, test, lags=6)[0]
    wild = [one.values.copy() for one in series]
    for i, values in enumerate(wild):
        values[test.index[test.instrument == i][0] + 1 :, :4] *= 50.0
    changed = [series_of(v, symbol=s.symbol, open_time_ms=s.open_time_ms) for v, s in zip(wild, series, strict=True)]
    np.testing.assert_array_equal(logistic(changed, train, test, lags=6)[0], expected)


def test_with_one_class_in_training_logistic_regression_falls_back_to_it():
    series, train, _, test = prepared()
    one = replace(train, label=np.full(len(train), 2))
    assert (logistic(series, one, test, lags=4) == [0.0, 0.0, 1.0]).all()


def test_a_class_missing_in_training_has_probability_zero():
    series, train, _, test = prepared()
    two = replace(train, label=np.where(train.label == 1, 0, train.label))
    assert (logistic(series, two, test, lags=4)[:, 1] == 0).all()


@pytest.mark.parametrize(("length", "lags"), [(12, 16), (2, 16)])
def test_the_lags_never_reach_beyond_the_window(length, lags):
    series, train, _, test = prepared()
    found = baseline_probabilities(series, CONFIG, train, test, length=length, lags=lags)
    assert list(found) == ["majority", "persistence", "logistic"]
    np.testing.assert_array_equal(found["logistic"], logistic(series, train, test, lags=length - 1))


def with_queues(series, queues):
    """Books of one level whose queue imbalance is as given; NaN: no book."""
    found = []
    for one, queue in zip(series, queues, strict=True):
        price = np.where(np.isnan(queue), np.nan, one.close)
        found.append(replace(one, books=np.column_stack([price * 0.9999, 1 + queue, price * 1.0001, 1 - queue])))
    return found


def test_queue_imbalance_stands_among_the_baselines_where_books_do():
    series, train, _, test = prepared()
    arguments = {"length": 12, "config": CONFIG, "train": train, "test": test}
    assert "queue imbalance" not in baseline_probabilities(series, **arguments)
    random = np.random.default_rng(3)
    labels = [targets.label(one, CONFIG).classes for one in series]
    queues = [np.clip(0.5 * (label - 1.0) + 0.2 * random.normal(size=len(label)), -0.9, 0.9) for label in labels]
    queues[0][test.index[0]] = np.nan
    booked = with_queues(series, queues)
    found = baseline_probabilities(booked, **arguments)["queue imbalance"]
    assert found[0].tolist() == [0.0, 1.0, 0.0]  # hold where no book is known
    assert (found.argmax(axis=1) == test.label).mean() > 0.8
    # As often on a side as the labels of training are, by quantiles of training alone.
    shares = np.bincount(train.label, minlength=3) / len(train)
    low, high = np.quantile(
        np.concatenate([queues[i][train.index[train.instrument == i]] for i in (0, 1)]), [shares[0], 1 - shares[2]]
    )
    own = np.concatenate([queues[i][test.index[test.instrument == i]] for i in (0, 1)])
    order = np.concatenate([np.flatnonzero(test.instrument == i) for i in (0, 1)])
    expected = np.where(own > high, 2, np.where(own < low, 0, 1))
    np.testing.assert_array_equal(found.argmax(axis=1)[order], expected)
