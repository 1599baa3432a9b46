import re

import numpy as np
import pytest
from pydantic import ValidationError

from triptych.domain import Timeframe
from triptych.market.synthetic.volatility import Config, instrument_volatility, market_volatility, typical_volatility

QUARTER = Timeframe.parse("15m")
FLAT = Config(common_deviation=0.0, own_deviation=0.0)


def test_without_its_random_parts_volatility_is_typical_times_regime():
    market = market_volatility(FLAT, 1, QUARTER, np.zeros(20_000))
    sigma = instrument_volatility(FLAT, 1, "ALFA-USDT", market, 1.5)
    for regime, multiplier in enumerate((0.9, 1.35, 2.2)):
        assert sigma[market.regimes == regime] == pytest.approx(1.5 * 0.0023 * multiplier)


def test_volatility_scales_with_the_square_root_of_time():
    assert typical_volatility(Config(), QUARTER) == pytest.approx(0.0023)
    assert typical_volatility(Config(), Timeframe.parse("1h")) == pytest.approx(0.0046)


def test_all_regimes_come_and_calm_is_the_most_common():
    regimes = market_volatility(Config(), 1, QUARTER, np.zeros(50_000)).regimes
    shares = np.bincount(regimes) / 50_000
    assert regimes[0] == 0
    assert 0.6 < shares[0] < 0.85
    assert 0.01 < shares[2] < 0.1


def test_instruments_share_the_slow_part_and_keep_their_own_fast_part():
    market = market_volatility(Config(), 1, QUARTER, np.zeros(50_000))
    one, two = (np.log(instrument_volatility(Config(), 1, name, market, 1.0)) for name in ("A", "B"))
    assert 0.5 < np.corrcoef(one, two)[0, 1] < 0.9
    own = one - market.log_level
    assert own.std() == pytest.approx(0.25, abs=0.02)
    assert np.corrcoef(own[:-30], own[30:])[0, 1] == pytest.approx(0.5, abs=0.05)


def test_a_correlation_of_one_is_refused():
    with pytest.raises(ValidationError, match=re.escape("regime_correlation.2\n  Input should be less than 1")):
        Config(regime_correlation=(0.4, 0.5, 1.0))
