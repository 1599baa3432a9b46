from dataclasses import replace
from decimal import Decimal

import pytest

from triptych.domain import CancelOrder, FillReason, MoveStop, OrderCancelled, OrderFilled, OrderRejected
from triptych.domain.errors import DataError, OrderError

HOUR_MS = 3_600_000


def test_a_market_order_fills_at_the_next_open_with_its_costs(venue, candle, order):
    exchange = venue(taker_fee=0.001, half_spread_bp=5.0, slippage_bp=5.0)
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    assert exchange.submit(order("buy", "2")) == []
    (fill,) = exchange.on_candle(candle(1, 102, 105, 101, 104))
    # 102 * 1.001 = 102.102 -> 102.11 against us; fee 2 * 102.11 * 0.001
    assert (fill.price, fill.reference_price) == (Decimal("102.11"), Decimal("102.0"))
    assert fill.fee == Decimal("0.20422")
    assert (fill.time_ms, fill.is_maker, fill.reason) == (HOUR_MS, False, FillReason.ORDER)
    # 10000 - 2 * 102.11 - 0.20422 + 2 * 104
    assert exchange.equity == Decimal("10003.57578")


def test_an_amended_order_fills_as_it_stands_now_and_a_refused_change_leaves_it_as_it_was(venue, candle, order):
    exchange = venue()
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    resting = order("buy", "1", limit="95")
    assert exchange.submit(resting) == []
    assert exchange.amend(replace(resting, quantity=Decimal(10_000))).startswith("insufficient margin")
    assert exchange.open_orders("ABC") == (resting,)
    assert exchange.amend(replace(resting, quantity=Decimal(2), limit_price=Decimal(98))) == ""
    (fill,) = exchange.on_candle(candle(1, 100, 101, 97, 100))
    assert (fill.order_id, fill.quantity, fill.price) == (resting.order_id, 2, 98)


def test_an_order_is_not_filled_by_the_candle_on_which_it_was_decided(venue, candle, order):
    exchange = venue()
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("buy", "1"))
    assert exchange.position("ABC").quantity == 0
    assert len(exchange.open_orders("ABC")) == 1
    exchange.on_candle(candle(1, 100, 101, 99, 100))
    assert exchange.position("ABC").quantity == 1


def test_the_stop_counts_in_the_candle_of_the_entry(venue, candle, order):
    exchange = venue(taker_fee=0.001, slippage_bp=10.0)
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("buy", "1", stop_loss="97"))
    entry, stop = exchange.on_candle(candle(1, 100, 103, 96.5, 102))
    assert (entry.price, entry.time_ms) == (Decimal("100.10"), HOUR_MS)
    # 97 * 0.999 = 96.903 -> 96.90
    assert (stop.price, stop.reference_price, stop.reason) == (Decimal("96.90"), Decimal("97.0"), FillReason.STOP_LOSS)
    assert (stop.time_ms, stop.fee, stop.order_id) == (2 * HOUR_MS, Decimal("0.0969"), entry.order_id)
    assert exchange.position("ABC").quantity == 0


def test_a_gap_through_the_stop_fills_at_the_worse_open(venue, candle, order):
    exchange = venue()
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("buy", "1", stop_loss="97"))
    exchange.on_candle(candle(1, 100, 103, 98, 98))
    (stop,) = exchange.on_candle(candle(2, 95, 96, 94, 96))
    assert (stop.price, stop.reason) == (Decimal("95.0"), FillReason.STOP_LOSS)


def test_an_entry_that_opens_beyond_its_stop_is_closed_at_once(venue, candle, order):
    exchange = venue(taker_fee=0.001)
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("buy", "1", stop_loss="97"))
    entry, stop = exchange.on_candle(candle(1, 95, 98, 94, 98))
    assert (entry.price, stop.price) == (Decimal("95.0"), Decimal("95.0"))
    assert exchange.equity == Decimal("10000") - Decimal("0.19")


def test_when_stop_and_target_are_both_touched_the_stop_is_taken(venue, candle, order):
    exchange = venue()
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("sell", "1", stop_loss="104", take_profit="96"))
    _, stop = exchange.on_candle(candle(1, 100, 105, 95, 96))
    assert (stop.price, stop.side, stop.reason) == (Decimal("104.0"), "buy", FillReason.STOP_LOSS)


def test_the_target_fills_at_the_target_with_the_maker_fee_even_on_a_gap(venue, candle, order):
    exchange = venue(maker_fee=0.0002, taker_fee=0.001, slippage_bp=50.0)
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("buy", "1", take_profit="106"))
    exchange.on_candle(candle(1, 100, 103, 99, 103))
    (target,) = exchange.on_candle(candle(2, 110, 111, 109, 110))
    assert (target.price, target.fee, target.is_maker) == (Decimal("106.0"), Decimal("0.02120"), True)
    assert target.reason is FillReason.TAKE_PROFIT


def test_a_limit_order_waits_until_the_candle_trades_through_it(venue, candle, order):
    exchange = venue(maker_fee=0.0002)
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("buy", "1", limit="98"))
    assert exchange.on_candle(candle(1, 100, 101, 98, 100)) == []
    (fill,) = exchange.on_candle(candle(2, 100, 101, 97.99, 100))
    assert (fill.price, fill.fee, fill.is_maker, fill.time_ms) == (
        Decimal("98.0"),
        Decimal("0.0196"),
        True,
        3 * HOUR_MS,
    )


def test_a_limit_order_that_the_open_has_passed_fills_at_the_better_open(venue, candle, order):
    exchange = venue()
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("sell", "1", limit="102"))
    (fill,) = exchange.on_candle(candle(1, 103, 104, 101, 102))
    assert (fill.price, fill.time_ms) == (Decimal("103.0"), HOUR_MS)


def test_a_limit_entry_can_be_stopped_in_its_own_candle_but_not_reach_its_target(venue, candle, order):
    exchange = venue()
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("buy", "1", limit="98", stop_loss="95", take_profit="104"))
    (entry,) = exchange.on_candle(candle(1, 100, 105, 97, 103))  # the high may lie before the entry
    assert entry.price == 98
    (target,) = exchange.on_candle(candle(2, 103, 105, 102, 104))
    assert (target.price, target.reason) == (104, FillReason.TAKE_PROFIT)
    exchange.submit(order("buy", "1", hour=2, limit="98", stop_loss="95", take_profit="110"))
    _, stop = exchange.on_candle(candle(3, 104, 112, 94, 100))
    assert (stop.price, stop.reason) == (95, FillReason.STOP_LOSS)


def test_a_cancelled_order_is_gone_and_an_unknown_one_is_rejected(venue, candle, order):
    exchange = venue()
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    placed = order("buy", "1", limit="90")
    exchange.submit(placed)
    cancel = CancelOrder(order_id=placed.order_id, symbol="ABC", time_ms=5)
    (event,) = exchange.submit(cancel)
    assert isinstance(event, OrderCancelled)
    assert exchange.on_candle(candle(1, 89, 90, 80, 85)) == []
    (event,) = exchange.submit(cancel)
    assert isinstance(event, OrderRejected)
    assert event.reason == f"order {placed.order_id} is not open"


def test_turning_closes_first_and_then_opens_the_other_side(venue, candle, order):
    exchange = venue()
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("buy", "100"))
    exchange.on_candle(candle(1, 100, 101, 99, 100))
    exchange.submit(order("sell", "100", 1, reduce_only=True))
    exchange.submit(order("sell", "50", 1, stop_loss="105"))
    close, open_ = exchange.on_candle(candle(2, 102, 103, 101, 102))
    assert (close.quantity, open_.quantity) == (100, 50)
    assert exchange.position("ABC").quantity == -50
    assert exchange.equity == 10_200


def test_one_order_through_zero_makes_two_fills(venue, candle, order):
    exchange = venue()
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("buy", "10"))
    exchange.on_candle(candle(1, 100, 101, 99, 100))
    exchange.submit(order("sell", "15", 1))
    assert [fill.quantity for fill in exchange.on_candle(candle(2, 100, 101, 99, 100))] == [10, 5]
    assert exchange.position("ABC").quantity == -5


def test_an_order_that_adds_keeps_the_stop_and_closing_removes_it(venue, candle, order):
    exchange = venue()
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("buy", "1", stop_loss="95"))
    exchange.on_candle(candle(1, 100, 101, 99, 100))
    exchange.submit(order("buy", "1", 1))
    exchange.on_candle(candle(2, 100, 101, 99, 100))
    (stop,) = exchange.on_candle(candle(3, 100, 101, 94, 100))
    assert (stop.quantity, stop.price) == (2, 95)
    exchange.submit(order("buy", "1", 3))
    exchange.on_candle(candle(4, 100, 101, 94, 100))
    assert exchange.position("ABC").quantity == 1


def test_impact_follows_the_square_root_law(venue, candle, order):
    exchange = venue(impact=0.5)
    exchange.on_candle(candle(0, 100, 102, 98, 100, volume=400))
    exchange.submit(order("buy", "4"))
    (fill,) = exchange.on_candle(candle(1, 100, 101, 99, 100, volume=400))
    # sigma = 0.04 / (2 sqrt(ln 2)) = 0.0240225; 0.5 * sigma * sqrt(4 / 400) = 0.00120112 -> 100.1201 -> 100.13
    assert fill.price == Decimal("100.13")


def test_two_instruments_are_filled_before_either_closes(venue, candle, order):
    exchange = venue(symbols=("ABC", "XYZ"))
    exchange.on_candles([candle(0, 100, 101, 99, 100), candle(0, 10, 11, 9, 10, symbol="XYZ")])
    exchange.submit(order("buy", "50"))
    exchange.submit(order("buy", "500", symbol="XYZ"))
    first = exchange.on_candles([candle(1, 100, 190, 99, 190), candle(1, 10, 11, 9, 10, symbol="XYZ")])
    assert [(fill.symbol, fill.quantity) for fill in first] == [("ABC", 50), ("XYZ", 500)]


def test_a_candle_that_comes_twice_is_an_error(venue, candle):
    exchange = venue()
    exchange.on_candle(candle(3, 100, 101, 99, 100))
    with pytest.raises(DataError) as caught:
        exchange.on_candle(candle(3, 100, 101, 99, 100))
    assert str(caught.value) == (
        "ABC: the candle of 1970-01-01 03:00:00 UTC is not later than the last one. "
        "Feed each closed candle once, in time order."
    )


def test_an_account_needs_capital(venue):
    with pytest.raises(OrderError, match=r"The initial capital must be above zero, was 0\."):
        venue(capital="0")


def test_every_fill_has_its_own_id(venue, candle, order):
    exchange = venue()
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    fills = []
    for hour in range(1, 6):
        exchange.submit(order("buy", "1", hour - 1))
        fills += exchange.on_candle(candle(hour, 100, 101, 99, 100))
    assert all(isinstance(fill, OrderFilled) for fill in fills)
    assert len({fill.fill_id for fill in fills}) == 5


def entered_with_stop(venue, candle, order, **options):
    exchange = venue()
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    sent = order("buy", "1", stop_loss="97", **options)
    exchange.submit(sent)
    exchange.on_candle(candle(1, 100, 103, 99, 103))
    return exchange, sent


def move(sent, stop, hour=1):
    return MoveStop(order_id=sent.order_id, symbol="ABC", time_ms=(hour + 1) * HOUR_MS, stop_loss=Decimal(stop))


def test_a_stop_that_was_moved_counts_from_the_next_candle_on_and_says_that_it_trailed(venue, candle, order):
    exchange, sent = entered_with_stop(venue, candle, order)
    assert exchange.submit(move(sent, "101")) == []
    (stop,) = exchange.on_candle(candle(2, 103, 104, 100, 102))
    assert (stop.price, stop.reason, stop.order_id) == (Decimal("101.0"), FillReason.TRAILING_STOP, sent.order_id)


def test_a_gap_through_a_moved_stop_fills_at_the_worse_open(venue, candle, order):
    exchange, sent = entered_with_stop(venue, candle, order)
    exchange.submit(move(sent, "101"))
    (stop,) = exchange.on_candle(candle(2, 98, 99, 95, 96))
    assert (stop.price, stop.reason) == (Decimal("98.0"), FillReason.TRAILING_STOP)


def test_when_moved_stop_and_target_are_both_reached_the_stop_is_taken(venue, candle, order):
    exchange, sent = entered_with_stop(venue, candle, order, take_profit="106")
    exchange.submit(move(sent, "101"))
    (stop,) = exchange.on_candle(candle(2, 103, 107, 100, 106))
    assert (stop.price, stop.reason) == (Decimal("101.0"), FillReason.TRAILING_STOP)


def test_a_new_position_begins_with_its_own_stop(venue, candle, order):
    exchange, sent = entered_with_stop(venue, candle, order)
    exchange.submit(move(sent, "101"))
    exchange.on_candle(candle(2, 103, 104, 100, 102))
    exchange.submit(order("buy", "1", hour=2, stop_loss="97"))
    exchange.on_candle(candle(3, 102, 103, 101, 102))
    (stop,) = exchange.on_candle(candle(4, 101, 101, 96, 97))
    assert (stop.price, stop.reason) == (Decimal("97.0"), FillReason.STOP_LOSS)


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ("103", "the stop loss 103 must be below the price 103.0"),
        ("101.005", "stop 101.005 is not a multiple of the step 0.01"),
        ("-1", "stop -1 is not a multiple of the step 0.01"),
    ],
)
def test_a_stop_that_cannot_be_is_turned_down_and_the_old_one_stays(venue, candle, order, stop, reason):
    exchange, sent = entered_with_stop(venue, candle, order)
    (rejected,) = exchange.submit(move(sent, stop))
    assert isinstance(rejected, OrderRejected)
    assert (rejected.reason, rejected.order_id) == (reason, sent.order_id)
    (stopped,) = exchange.on_candle(candle(2, 103, 103, 96, 97))
    assert stopped.price == 97


def test_a_stop_of_no_position_cannot_be_moved(venue, candle, order):
    exchange = venue()
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    sent = order("buy", "1", stop_loss="97")
    (rejected,) = exchange.submit(move(sent, "98"))
    assert rejected.reason == f"order {sent.order_id} protects no position"


def test_a_market_order_beyond_the_price_cap_is_cancelled_unfilled(venue, candle, order):
    exchange = venue(market_price_cap=0.03)
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("buy", "1"))
    (event,) = exchange.on_candle(candle(1, 103.5, 105, 103, 104))
    assert isinstance(event, OrderCancelled)
    assert event.reason == "1 of 1 not filled: the price 103.50 is beyond the cap"
    exchange.submit(order("sell", "1", 2))
    (fill,) = exchange.on_candle(candle(2, 107, 108, 106, 107))  # a sale is capped from below only
    assert fill.price == 107


def test_a_market_order_takes_no_more_than_its_share_of_the_volume(venue, candle, order):
    exchange = venue(fill_share=0.01)
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("buy", "50"))
    fill, rest = exchange.on_candle(candle(1, 100, 101, 99, 100))
    assert (fill.quantity, exchange.position("ABC").quantity) == (1, 1)
    assert rest.reason == "49.000 of 50 not filled: the book was empty"
    assert exchange.open_orders("ABC") == ()
