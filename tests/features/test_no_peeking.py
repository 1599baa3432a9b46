"""A cut future changes no digit; a cut past changes nothing beyond rounding."""

import numpy as np
import pytest
from tests.features.markets import MADE, REAL, TIMEFRAME_MS, random_walk, real

from triptych import features
from triptych.features._history import History

NORMALISATIONS = ("none", "rolling")


def market(name):
    return (*MADE[name](), TIMEFRAME_MS) if name in MADE else real(name.removeprefix("real "))


MARKETS = [*MADE, *(f"real {name}" for name in REAL)]


@pytest.mark.parametrize("name", features.available())
def test_a_factor_is_the_same_to_the_last_bit_however_much_history_follows(name):
    values, times = random_walk(400, seed=8)
    factor = features.describe(name)
    whole = factor.compute(History(values, times, TIMEFRAME_MS))
    for cut in (1, 2, 3, 15, 100, 257, 399):
        short = factor.compute(History(values[:cut], times[:cut], TIMEFRAME_MS))
        np.testing.assert_array_equal(short, whole[:cut])


@pytest.mark.parametrize("name", ["ema_50", "adx", "doji", "engulfing", "stochastic_rsi", "volatility_60", "adosc"])
def test_a_factor_on_real_candles_is_the_same_to_the_last_bit_however_much_history_follows(name):
    values, times, timeframe_ms = real("ticks")
    factor = features.describe(name)
    whole = factor.compute(History(values, times, timeframe_ms))
    for cut in (519, 520, 1037, 1038, 2047, 2999):
        short = factor.compute(History(values[:cut], times[:cut], timeframe_ms))
        np.testing.assert_array_equal(short, whole[:cut])


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("name", ["random walk", "halted", "real perpetual"])
def test_rows_are_the_same_to_the_last_bit_however_much_history_follows(name, normalisation):
    values, times, timeframe_ms = market(name)
    pipeline = features.FeaturePipeline(features.Config(names=("all",), normalisation=normalisation))
    whole = pipeline.rows(values, times, timeframe_ms)
    for cut in (pipeline.warm_up + 1, pipeline.warm_up + 2, 1917, 1918, 2999):
        short = pipeline.rows(values[:cut], times[:cut], timeframe_ms)
        np.testing.assert_array_equal(short, whole[:cut])


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("name", MARKETS)
def test_rows_do_not_depend_on_candles_older_than_the_warm_up(name, normalisation):
    values, times, timeframe_ms = market(name)
    pipeline = features.FeaturePipeline(features.Config(names=("all",), normalisation=normalisation))
    whole = pipeline.rows(values, times, timeframe_ms)
    scale = 1.0 if normalisation == "rolling" else 1e-6 + np.nanstd(whole, axis=0)
    for start in (1, 640, 1500):
        short = pipeline.rows(values[start:], times[start:], timeframe_ms)
        apart = np.abs(short - whole[start:])[pipeline.warm_up :] / scale
        worst = int(apart.max(axis=0).argmax())
        assert apart.max() < 1e-6, pipeline.columns[worst]


def test_the_live_window_gives_the_row_of_the_whole_history():
    values, times = random_walk(2600, seed=9)
    pipeline = features.FeaturePipeline(features.Config())
    whole = pipeline.rows(values, times, TIMEFRAME_MS)
    for end in (1300, 2000, 2599):
        part = slice(end - pipeline.warm_up, end + 1)
        last = pipeline.rows(values[part], times[part], TIMEFRAME_MS)[-1]
        np.testing.assert_allclose(last, whole[end], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", features.available())
def test_older_history_than_settle_changes_a_factor_by_less_than_a_ten_millionth(name):
    values, times = random_walk(1500, seed=10)
    wild = values.copy()
    wild[:700, :4] *= np.exp(np.random.default_rng(1).normal(0, 0.2, (700, 1)))
    factor = features.describe(name)
    tame = factor.compute(History(values, times, TIMEFRAME_MS))
    after = factor.compute(History(wild, times, TIMEFRAME_MS))
    settled = slice(700 + factor.settle, None)
    assert np.abs(after - tame)[settled].max() <= 1e-7 * np.abs(tame[settled]).max()
