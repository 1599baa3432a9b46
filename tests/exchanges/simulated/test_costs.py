from decimal import Decimal

import pytest
from pydantic import ValidationError

from triptych.domain import Instrument, Side
from triptych.exchanges.simulated.costs import Config, CostModel, against_us, decimal

CENTS = Instrument(symbol="ABC", price_step=Decimal("0.01"))


def test_a_market_price_moves_against_us_by_spread_slippage_and_impact_and_is_rounded_against_us():
    model = CostModel(Config(half_spread_bp=3.0, slippage_bp=2.0))
    # 100.03 * (1 + 0.0005 + 0.001) = 100.180045 -> 100.19; 100.03 * (1 - 0.0015) = 99.879955 -> 99.87
    assert model.market_price(CENTS, Side.BUY, Decimal("100.03"), Decimal("0.001")) == Decimal("100.19")
    assert model.market_price(CENTS, Side.SELL, Decimal("100.03"), Decimal("0.001")) == Decimal("99.87")


def test_a_price_on_the_grid_stays_where_it_is():
    assert against_us(CENTS, Side.BUY, Decimal("100.03")) == Decimal("100.03")
    assert against_us(CENTS, Side.SELL, Decimal("100.03")) == Decimal("100.03")


def test_a_sale_never_goes_below_one_price_step():
    model = CostModel(Config(slippage_bp=1000.0))
    assert model.market_price(CENTS, Side.SELL, Decimal("0.01"), Decimal(0)) == Decimal("0.01")


def test_default_fees_are_those_of_a_linear_perpetual():
    model = CostModel(Config())
    assert (model.fee_rate(True), model.fee_rate(False)) == (Decimal("0.0002"), Decimal("0.00055"))


def test_a_float_becomes_the_number_a_person_reads():
    assert decimal(0.1) == Decimal("0.1")


def test_a_negative_spread_is_refused():
    with pytest.raises(ValidationError, match="half_spread_bp"):
        Config(half_spread_bp=-1.0)
