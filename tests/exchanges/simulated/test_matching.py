from decimal import Decimal

import pytest

from triptych.domain import FillReason, Side
from triptych.exchanges.simulated.matching import Exit, limit_price_reached, liquidation_price, protective_exit

STOP, TARGET, LIQUIDATION = FillReason.STOP_LOSS, FillReason.TAKE_PROFIT, FillReason.LIQUIDATION


def out(is_long, prices, *, stop=None, target=None, liquidation=None, entered=False, counts=True):
    open_, high, low = prices
    return protective_exit(
        is_long=is_long, open_=open_, high=high, low=low, stop=stop, target=target, liquidation=liquidation,
        entered_at_open=entered, target_counts=counts,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("side", "limit", "open_", "high", "low", "expected"),
    [
        (Side.BUY, 95.0, 100.0, 101.0, 94.9, 95.0),  # traded through
        (Side.BUY, 95.0, 100.0, 101.0, 95.0, None),  # only touched
        (Side.BUY, 95.0, 94.0, 96.0, 93.0, 94.0),  # opened beyond: the better open
        (Side.SELL, 105.0, 100.0, 105.1, 99.0, 105.0),
        (Side.SELL, 105.0, 100.0, 105.0, 99.0, None),
        (Side.SELL, 105.0, 106.0, 107.0, 104.0, 106.0),
    ],
)
def test_a_limit_order_trades_only_when_the_candle_goes_through_it(side, limit, open_, high, low, expected):
    assert limit_price_reached(side, limit, open_, high, low) == expected


@pytest.mark.parametrize(
    ("is_long", "prices", "levels", "expected"),
    [
        # open, high, low
        (True, (100.0, 104.0, 97.0), {"stop": 95.0, "target": 110.0}, None),
        (True, (100.0, 104.0, 95.0), {"stop": 95.0}, Exit(95.0, STOP, False)),  # a touch is enough
        (True, (93.0, 96.0, 92.0), {"stop": 95.0}, Exit(93.0, STOP, False)),  # gap through the stop
        (True, (100.0, 111.0, 99.0), {"target": 110.0}, Exit(110.0, TARGET, True)),
        (True, (100.0, 110.0, 99.0), {"target": 110.0}, None),  # a touch is not enough
        (True, (115.0, 116.0, 112.0), {"target": 110.0}, Exit(110.0, TARGET, True)),  # gap: the target only
        (True, (100.0, 120.0, 90.0), {"stop": 95.0, "target": 110.0}, Exit(95.0, STOP, False)),  # both: the stop
        (True, (100.0, 101.0, 80.0), {"stop": 85.0, "liquidation": 90.0}, Exit(90.0, LIQUIDATION, False)),
        (True, (100.0, 101.0, 80.0), {"stop": 92.0, "liquidation": 90.0}, Exit(92.0, STOP, False)),
        (False, (100.0, 105.0, 99.0), {"stop": 105.0}, Exit(105.0, STOP, False)),
        (False, (107.0, 108.0, 104.0), {"stop": 105.0}, Exit(107.0, STOP, False)),
        (False, (100.0, 101.0, 89.0), {"target": 90.0}, Exit(90.0, TARGET, True)),
        (False, (85.0, 88.0, 84.0), {"target": 90.0}, Exit(90.0, TARGET, True)),
        (False, (100.0, 110.0, 80.0), {"stop": 105.0, "target": 90.0}, Exit(105.0, STOP, False)),
        (False, (100.0, 130.0, 99.0), {"stop": 125.0, "liquidation": 120.0}, Exit(120.0, LIQUIDATION, False)),
    ],
)
def test_protection_takes_the_worst_that_the_candle_allows(is_long, prices, levels, expected):
    assert out(is_long, prices, **levels) == expected


def test_a_position_opened_beyond_its_own_target_is_closed_at_that_open_as_a_market_order():
    assert out(True, (112.0, 113.0, 111.0), target=110.0, entered=True) == Exit(112.0, TARGET, False)
    assert out(False, (88.0, 89.0, 87.0), target=90.0, entered=True) == Exit(88.0, TARGET, False)


def test_the_target_does_not_count_where_the_high_may_lie_before_the_entry():
    assert out(True, (100.0, 120.0, 96.0), stop=95.0, target=110.0, counts=False) is None


def test_liquidation_prices_leave_exactly_the_maintenance_margin():
    # Long 2 at 100 with leverage 5: margin 40; at 80.4020... equity = 40 - 2 * 19.598 = 0.804 = 0.5 % of 2 * 80.402
    price = liquidation_price(Decimal(2), Decimal(100), Decimal(5), Decimal("0.005"))
    assert price == pytest.approx(Decimal("80.40201005025125628140703518"))
    assert 40 - 2 * (100 - price) == pytest.approx(Decimal("0.005") * 2 * price)
    short = liquidation_price(Decimal(-2), Decimal(100), Decimal(5), Decimal("0.005"))
    assert 40 - 2 * (short - 100) == pytest.approx(Decimal("0.005") * 2 * short)


def test_a_long_without_leverage_cannot_be_liquidated_but_a_short_can():
    assert liquidation_price(Decimal(1), Decimal(100), Decimal(1), Decimal("0.005")) is None
    # 100 * 2 / 1.005
    assert float(liquidation_price(Decimal(-1), Decimal(100), Decimal(1), Decimal("0.005"))) == pytest.approx(
        199.005, abs=1e-3
    )
