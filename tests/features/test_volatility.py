"""Estimators that TA-Lib lacks, against their formulas."""

import math

import numpy as np
import pytest
from tests.features.markets import TIMEFRAME_MS, random_walk

from triptych import features
from triptych.features._history import History


def value(name, values, times):
    return features.describe(name).compute(History(values, times, TIMEFRAME_MS))[-1]


def test_parkinson_of_equal_ranges_is_the_range():
    values, times = random_walk(30)
    values[:] = (100.0, 110.0, 100.0, 105.0, 1.0)
    expected = math.log(1.1) / (2.0 * math.sqrt(math.log(2.0)))
    assert value("parkinson_20", values, times) == pytest.approx(expected)


def test_garman_klass_of_equal_candles():
    values, times = random_walk(30)
    values[:] = (100.0, 110.0, 100.0, 105.0, 1.0)
    variance = 0.5 * math.log(1.1) ** 2 - (2.0 * math.log(2.0) - 1.0) * math.log(1.05) ** 2
    assert value("garman_klass_20", values, times) == pytest.approx(math.sqrt(variance))


def test_rogers_satchell_of_equal_candles():
    values, times = random_walk(30)
    values[:] = (100.0, 110.0, 95.0, 105.0, 1.0)
    variance = math.log(110 / 105) * math.log(110 / 100) + math.log(95 / 105) * math.log(95 / 100)
    assert value("rogers_satchell_20", values, times) == pytest.approx(math.sqrt(variance))


def test_rogers_satchell_sees_no_volatility_in_a_pure_trend():
    values, times = random_walk(30)
    close = 100.0 * 1.01 ** np.arange(1, 31)
    values[:, :4] = np.column_stack([close / 1.01, close, close / 1.01, close])
    assert value("rogers_satchell_20", values, times) == pytest.approx(0.0, abs=1e-9)


def test_yang_zhang_joins_gaps_candles_and_ranges():
    values, times = random_walk(60, seed=3)
    last, before = values[-20:], values[-21:-1]
    overnight = np.log(last[:, 0] / before[:, 3]).var(ddof=1)
    within = np.log(last[:, 3] / last[:, 0]).var(ddof=1)
    k = 0.34 / (1.34 + 21 / 19)
    satchell = value("rogers_satchell_20", values, times) ** 2
    expected = math.sqrt(overnight + k * within + (1 - k) * satchell)
    assert value("yang_zhang_20", values, times) == pytest.approx(expected)


def test_the_estimators_see_the_volatility_of_a_random_walk():
    """Per candle: four steps of 0.3 % are 0.6 %. Ranges of four steps are too small, as is known of them."""
    values, times = random_walk(3000, seed=4)
    history = History(values, times, TIMEFRAME_MS)
    means = {
        name: np.nanmean(features.describe(name).compute(history))
        for name in ("volatility_20", "volatility_60", "yang_zhang_20", "parkinson_20", "garman_klass_20")
    }
    assert means["volatility_20"] == pytest.approx(0.006, rel=0.05)
    assert means["volatility_60"] == pytest.approx(0.006, rel=0.05)
    assert 0.003 < means["garman_klass_20"] < means["parkinson_20"] < 0.006
    assert 0.003 < means["yang_zhang_20"] < 0.006


def test_the_bands_of_a_price_without_deviation_are_around_it():
    values, times = random_walk(30)
    values[:] = (0.1, 0.1, 0.1, 0.1, 1.0)
    assert value("bollinger_b", values, times) == 0.5
    assert value("bollinger_width", values, times) == pytest.approx(0.0, abs=1e-12)
