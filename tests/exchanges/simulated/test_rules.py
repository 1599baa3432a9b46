"""Margin, leverage, minimum sizes, reduce-only: what the venue refuses, cuts or closes by force."""

from decimal import Decimal

import pytest

from triptych.domain import FillReason, OrderCancelled

REJECTIONS = [
    ({"quantity": "100.001"}, "insufficient margin: 10000.10 needed, equity is 10000.00"),
    ({"quantity": "0"}, "the quantity must be above zero, was 0"),
    ({"quantity": "0.0005"}, "quantity 0.0005 is not a multiple of the step 0.001"),
    ({"quantity": "0.01"}, "quantity 0.01 is below the minimum 0.02"),
    ({"quantity": "0.02"}, "notional 2.000 is below the minimum 5"),
    ({"quantity": "1", "reduce_only": True}, "a reduce-only order of buy 1 would open a position (held: 0)"),
    ({"quantity": "1", "limit": "99.995"}, "limit price 99.995 is not a multiple of the step 0.01"),
    ({"quantity": "1", "stop_loss": "100"}, "the stop loss 100 must be below the price 100.0"),
    ({"quantity": "1", "take_profit": "99"}, "the take profit 99 must be above the price 100.0"),
    ({"quantity": "1", "symbol": "NIX"}, "the venue does not trade NIX"),
]


@pytest.mark.parametrize(("options", "reason"), REJECTIONS)
def test_a_refused_order_says_why(venue, candle, order, options, reason):
    exchange = venue(rules={"minimum_quantity": Decimal("0.02"), "minimum_notional": Decimal(5)})
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    (event,) = exchange.submit(
        order("buy", options["quantity"], **{k: v for k, v in options.items() if k != "quantity"})
    )
    assert event.reason == reason


@pytest.mark.parametrize(("options", "most"), [({}, "2"), ({"limit": "100"}, "3"), ({"reduce_only": True}, "2")])
def test_an_order_above_the_largest_is_refused(venue, candle, order, options, most):
    limits = {"maximum_quantity": Decimal(3), "maximum_market_quantity": Decimal(2)}
    exchange = venue(rules=limits)
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    (event,) = exchange.submit(order("buy", "3.001", **options))
    assert event.reason == f"quantity 3.001 is above the largest order {most}"


def test_leverage_above_the_instruments_limit_is_refused(venue, candle, order):
    exchange = venue(leverage=5.0, rules={"maximum_leverage": Decimal(3)})
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    (event,) = exchange.submit(order("buy", "1"))
    assert event.reason == "leverage 5.0 is above the limit 3"


def test_no_order_is_taken_before_a_price_is_known(venue, order):
    (event,) = venue().submit(order("buy", "1"))
    assert event.reason == "no price is known yet"


def test_an_id_in_use_is_refused(venue, candle, order):
    exchange = venue()
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    placed = order("buy", "1")
    exchange.submit(placed)
    (event,) = exchange.submit(placed)
    assert event.reason == f"order id {placed.order_id} is already in use"


def test_the_margin_of_waiting_orders_counts(venue, candle, order):
    exchange = venue()
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    assert exchange.submit(order("buy", "60")) == []
    (event,) = exchange.submit(order("buy", "50"))
    assert event.reason == "insufficient margin: 11000.00 needed, equity is 10000.00"


def test_an_opening_fill_is_cut_to_what_the_margin_affords_at_its_price(venue, candle, order):
    exchange = venue(taker_fee=0.001)
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("buy", "100"))
    fill, cancelled = exchange.on_candle(candle(1, 102, 103, 101, 102))
    # 10000 / (102 * 1.001) = 97.9412... -> 97.941
    assert fill.quantity == Decimal("97.941")
    assert isinstance(cancelled, OrderCancelled)
    assert cancelled.reason == "2.059 of 100 not filled: insufficient margin at the price of the fill"


def test_leverage_lets_more_be_bought(venue, candle, order):
    exchange = venue(leverage=3.0)
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("buy", "300"))
    (fill,) = exchange.on_candle(candle(1, 100, 101, 99, 100))
    assert fill.quantity == 300


def test_a_leveraged_long_is_liquidated_where_its_maintenance_margin_is_reached(venue, candle, order):
    exchange = venue(leverage=5.0, maintenance_margin=0.005, taker_fee=0.001)
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("buy", "10"))
    exchange.on_candle(candle(1, 100, 101, 99, 100))
    (fill,) = exchange.on_candle(candle(2, 90, 91, 80, 85))
    # 100 * 0.8 / 0.995 = 80.40201...: sold at the next lower cent
    assert (fill.reason, fill.price, fill.quantity) == (FillReason.LIQUIDATION, Decimal("80.40"), 10)


def test_a_gap_through_the_liquidation_price_loses_more_than_the_margin(venue, candle, order):
    exchange = venue(leverage=5.0)
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("buy", "10"))
    exchange.on_candle(candle(1, 100, 101, 99, 100))
    (fill,) = exchange.on_candle(candle(2, 70, 71, 69, 70))
    assert (fill.reason, fill.price) == (FillReason.LIQUIDATION, 70)
    assert exchange.equity == 9_700


def test_a_reduce_only_order_is_cut_to_what_the_stop_left(venue, candle, order):
    exchange = venue()
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("buy", "10", stop_loss="95"))
    exchange.on_candle(candle(1, 100, 101, 99, 100))
    exchange.submit(order("sell", "10", 1, limit="110", reduce_only=True))
    (stop,) = exchange.on_candle(candle(2, 100, 101, 94, 100))
    assert stop.reason is FillReason.STOP_LOSS
    (cancelled,) = exchange.on_candle(candle(3, 100, 111, 99, 100))
    assert cancelled.reason == "10 of 10 not filled: the position is smaller"
    assert exchange.position("ABC").quantity == 0
