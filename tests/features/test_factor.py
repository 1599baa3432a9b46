"""What every factor in the registry promises, on every market."""

import dataclasses

import numpy as np
import pytest
from tests.features.markets import MADE, REAL, TIMEFRAME_MS, random_walk, real

from triptych import features
from triptych.features._history import History

FAMILIES = {"price", "trend", "momentum", "volatility", "volume", "calendar", "pattern", "chart_pattern", "regime"}


@pytest.mark.parametrize("name", features.available())
def test_a_value_is_known_right_after_the_lookback(name):
    values, times = random_walk(300, seed=11)
    factor = features.describe(name)
    unknown = np.isnan(factor.compute(History(values, times, TIMEFRAME_MS)))
    assert unknown[: factor.lookback].all()
    assert not unknown[factor.lookback :].any()


@pytest.mark.parametrize("market", [*MADE, *(f"real {name}" for name in REAL)])
def test_every_factor_is_finite_on_every_market(market):
    history = History(*((*MADE[market](), TIMEFRAME_MS) if market in MADE else real(market.removeprefix("real "))))
    broken = [
        name
        for name in features.available()
        if not np.isfinite(features.describe(name).compute(history)[features.describe(name).lookback :]).all()
    ]
    assert broken == []


# By powers of two, which change no rounding: patterns compare prices.
@pytest.mark.parametrize("name", features.available())
def test_neither_the_level_of_the_price_nor_that_of_the_volume_can_be_read_from_a_factor(name):
    values, times = random_walk(700, seed=12)
    factor = features.describe(name)
    here = factor.compute(History(values, times, TIMEFRAME_MS))
    elsewhere = factor.compute(History(values * [1024.0, 1024.0, 1024.0, 1024.0, 4096.0], times, TIMEFRAME_MS))
    np.testing.assert_allclose(elsewhere, here, rtol=1e-9, atol=1e-12)


def test_every_factor_is_described():
    for name in features.available():
        factor = features.describe(name)
        assert factor.name == name
        assert factor.family in FAMILIES
        assert factor.description
        assert factor.unit
        assert 0 <= factor.lookback <= factor.settle < 1060


def test_a_factor_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        features.describe("rsi_14").lookback = 3
