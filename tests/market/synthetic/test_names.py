import math
from decimal import Decimal

import pytest

from triptych.market.synthetic.names import NAMES, profile


def test_names_are_distinct_pairs():
    assert len(set(NAMES)) == 26
    assert NAMES[:2] == ("ALFA-USDT", "BRAVO-USDT")


@pytest.mark.parametrize("symbol", [*NAMES, "my own", "ETH/USD"])
def test_profiles_are_tradable(symbol):
    found = profile(symbol)
    steps = found.first_price / float(found.instrument.price_step)
    assert 1e6 * 0.99 <= steps <= 1e7 * 1.01
    assert steps == pytest.approx(round(steps), rel=1e-12)
    assert found.instrument.venue == "synthetic"
    assert found.instrument.price_step == Decimal(1).scaleb(-found.price_decimals)
    assert found.instrument.quantity_step == Decimal(1).scaleb(-found.quantity_decimals)
    # One quantity step is worth at most one unit of quote currency.
    assert float(found.instrument.quantity_step) * found.first_price <= 1.0 + 1e-9
    assert 0.84 <= found.volatility <= 1.19
    assert 0.85 <= found.coupling <= 1.1
    assert 7.0 <= math.log10(found.daily_turnover) <= 8.5


def test_a_profile_depends_on_its_name_alone():
    assert profile("ALFA-USDT") == profile("ALFA-USDT")
    assert profile("ALFA-USDT").first_price == 13.1
    assert profile("ALFA-USDT").first_price != profile("ALFA-USDC").first_price
