import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tests.fakes.market import series_of, walk

from triptych.features.close_volatility import ewma_volatility, log_returns, rolling_volatility


def test_ewma_equals_the_exponentially_weighted_mean_of_pandas():
    series = walk(300, seed=4)
    squared = pd.Series(log_returns(series)[1:] ** 2)
    expected = np.sqrt(squared.ewm(span=20, adjust=True).mean().to_numpy())
    assert_allclose(ewma_volatility(series, 20)[20:], expected[19:], rtol=1e-12)


def test_rolling_equals_the_root_of_the_mean_of_the_last_squares():
    series = walk(100, seed=5)
    returns = log_returns(series)
    assert rolling_volatility(series, 10)[40] == pytest.approx(np.sqrt(np.mean(returns[31:41] ** 2)), rel=1e-12)


@pytest.mark.parametrize("measure", [ewma_volatility, rolling_volatility])
def test_unknown_until_the_span_is_filled_with_returns(measure):
    volatility = measure(walk(50), 12)
    assert np.isnan(volatility[:12]).all()
    assert np.isfinite(volatility[12:]).all()


@pytest.mark.parametrize("measure", [ewma_volatility, rolling_volatility])
@pytest.mark.parametrize("cut", [1, 5, 13, 64, 199])
def test_the_future_changes_no_bit(measure, cut):
    series = walk(200, seed=6)
    assert_array_equal(measure(series.head(cut), 12), measure(series, 12)[:cut])


@pytest.mark.parametrize("measure", [ewma_volatility, rolling_volatility])
def test_a_price_that_doubles_every_candle_has_the_volatility_log_two(measure):
    close = 2.0 ** np.arange(8)
    series = series_of(np.column_stack([close] * 4 + [np.ones(8)]))
    assert_allclose(measure(series, 3)[3:], np.log(2), rtol=1e-12)
