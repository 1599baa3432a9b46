"""The dial: at signal 0 nothing a chart shows knows the direction, at signal 1 it pays after costs."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from triptych.domain import CandleSeries
from triptych.market.synthetic import Config, synthesise

HORIZONS = (1, 4, 12)
LONGEST = 32


def trailing_mean(x: np.ndarray, n: int) -> np.ndarray:
    """Mean of the last n values; the first n - 1 entries repeat the first full one."""
    means = sliding_window_view(x, n).mean(axis=1)
    return np.concatenate([np.full(n - 1, means[0]), means])


def chart_features(series: CandleSeries) -> dict[str, np.ndarray]:
    """What an eye can read from the chart at each close, nothing after it; all change their sign upside down."""
    open_, high, low, close, volume = series.values.T
    wicks = (np.minimum(open_, close) - low - (high - np.maximum(open_, close))) / np.maximum(high - low, 1e-12)
    colour, log_volume = np.sign(close - open_), np.log(volume)
    r = np.diff(np.log(close), prepend=np.log(open_[0]))
    found = {
        "hammer": (wicks > 0.6) * 1.0 - (wicks < -0.6),
        "engulfing": colour * np.r_[False, (np.abs(r[1:]) > np.abs(r[:-1])) & (r[1:] * r[:-1] < 0)],
    }
    for n in (1, 4, 12, LONGEST):
        found[f"return {n}"] = trailing_mean(r, n) / np.sqrt(trailing_mean(r * r, LONGEST))
    for n in (4, LONGEST):
        found[f"wicks {n}"] = trailing_mean(wicks, n)
        unusual = log_volume - trailing_mean(log_volume, LONGEST)
        found[f"volume {n}"] = trailing_mean(unusual * colour, n)
    return found


def t_statistic(x: np.ndarray, growth: np.ndarray, horizon: int) -> float:
    """t-statistic of the return over the next `horizon` candles on x, for overlapping returns.

    Hodrick (1992, standard errors 1B): x is summed over the horizon instead of the returns, which gives the same slope
    and, where returns are a martingale difference, errors without any lag to choose, robust to changing volatility.
    Nothing is centred: the mean of x is zero by symmetry, and centring would bring the known bias of short samples.

    Args:
        x: shape (n,), known at the close of each candle.
        growth: shape (n,), close over the close before, less one.
        horizon: candles.
    """
    summed = horizon * trailing_mean(x, horizon)[LONGEST:-1]
    products = summed * growth[LONGEST + 1 :]
    return float(products.sum() / np.sqrt((products**2).sum()))


def t_statistics(seed: int, signal: float) -> dict[tuple[str, int], float]:
    """t-statistics of one market for each feature and horizon; "truth" is the hidden pressure itself."""
    market = synthesise(Config(seed=seed, n_candles=2_500, instruments=1, signal=signal))
    series = market.series[0]
    growth = np.diff(series.close, prepend=series.values[0, 0]) / series.values[:, 0]
    features = {**chart_features(series), "truth": market.pressure[0].astype(float)}
    return {(name, h): t_statistic(x, growth, h) for name, x in features.items() for h in HORIZONS}


@pytest.fixture(scope="module")
def null_statistics() -> dict[tuple[str, int], np.ndarray]:
    """400 independent markets of one instrument at signal 0: for each feature and horizon 400 t-statistics."""
    runs = [t_statistics(seed, 0.0) for seed in range(400)]
    return {key: np.array([run[key] for run in runs]) for key in runs[0]}


def test_at_signal_zero_nothing_on_the_chart_is_significant_more_often_than_chance(null_statistics):
    # 33 counts of 400: each may pass its own bound with a probability of one in 33,000.
    lowest, highest = (int(binom.ppf(p, 400, 0.05)) for p in (1e-3 / 33, 1.0 - 1e-3 / 33))
    assert (lowest, highest) == (5, 40)
    for key, values in null_statistics.items():
        assert lowest <= (np.abs(values) > 1.96).sum() <= highest, key


def test_at_signal_zero_one_in_twenty_of_all_tests_is_significant(null_statistics):
    values = np.stack(list(null_statistics.values()))
    assert values.shape == (33, 400)
    # Tests of one market depend on one another, markets do not: the error comes from the spread between markets.
    shares = (np.abs(values) > 1.96).mean(axis=0)
    assert shares.mean() == pytest.approx(0.05, abs=3.0 * shares.std() / 20.0)
    assert shares.std() / 20.0 < 0.005


def test_at_signal_zero_no_feature_leans_to_a_side_over_many_markets(null_statistics):
    # The mean of 400 t-statistics has a standard error of 0.05.
    for key, values in null_statistics.items():
        assert abs(values.mean()) < 0.19, key
        assert 0.88 < values.std() < 1.12, key


def test_at_signal_one_the_same_tests_see_the_structure():
    runs = [t_statistics(seed, 1.0) for seed in range(20)]
    for name in ("truth", "wicks 4", f"wicks {LONGEST}", "volume 4", f"volume {LONGEST}"):
        assert np.mean([run[name, 12] for run in runs]) > 3.0, name


def study(signal: float, seed: int) -> tuple[float, float]:
    """Accuracy of the sign of the 12-candle return out of sample, and the t-statistic of the profit after costs.

    A logistic regression learns from about 5,000 windows; positions are held while the probability stays on their
    side and opened where it passes 0.6. Every change of position by one costs 0.05 percent: 0.1 for a round trip.
    """
    market = synthesise(Config(seed=seed, n_candles=9_000, instruments=4, signal=signal))
    horizon, cut = 12, 6_300
    train_x, train_y, tests = [], [], []
    for series in market.series:
        x = np.column_stack(list(chart_features(series).values()))
        log_close = np.log(series.close)
        forward = np.r_[log_close[horizon:] - log_close[:-horizon], np.full(horizon, np.nan)]
        train, test = np.arange(LONGEST, cut - horizon, 5), np.arange(cut + LONGEST, len(series) - horizon)
        train_x.append(x[train])
        train_y.append(forward[train] > 0)
        tests.append((x[test], forward[test] > 0, log_close[test + 1] - log_close[test]))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
    model.fit(np.concatenate(train_x), np.concatenate(train_y))
    hits, profits = [], []
    for x, up, r in tests:
        probability = model.predict_proba(x)[:, 1]
        hits.append(((probability > 0.5) == up).mean())
        position = np.zeros(len(x))
        for t, p in enumerate(probability):
            held = position[t - 1] if t else 0.0
            position[t] = 1.0 if p > 0.6 else -1.0 if p < 0.4 else held if held * (p - 0.5) > 0 else 0.0
        profits.append(position * r - 0.0005 * np.abs(np.diff(position, prepend=0.0)))
    profit = np.mean(profits, axis=0)
    deviation = profit.std()
    return float(np.mean(hits)), float(profit.mean() / deviation * np.sqrt(len(profit))) if deviation else 0.0


def test_the_edge_grows_with_the_dial():
    accuracy, profit = {}, {}
    for signal in (0.0, 0.25, 0.5, 0.75, 1.0):
        found = [study(signal, seed) for seed in (1, 2, 3)]
        accuracy[signal], profit[signal] = (float(np.mean(v)) for v in zip(*found, strict=True))
    assert accuracy[0.0] == pytest.approx(0.5, abs=0.02)
    assert profit[0.0] < 1.0
    assert list(accuracy.values()) == sorted(accuracy.values())
    assert 0.62 < accuracy[1.0] < 0.72
    assert 0.54 < accuracy[0.5] < accuracy[1.0] - 0.04
    assert profit[1.0] > 8.0
    assert profit[0.5] > 2.0
