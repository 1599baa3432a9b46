"""The trailing stop, by hand: price step 0.01, distances in money."""

from decimal import Decimal

from triptych.domain import Candle, FillReason, Instrument, MoveStop, OrderFilled, Side, SubmitOrder, Timeframe
from triptych.trading.trailing import Trail

RULES = Instrument(symbol="ABC", price_step=Decimal("0.01"))


def candle(open_, high, low, close):
    return Candle(
        symbol="ABC", timeframe=Timeframe(60_000), open_time_ms=0, open=open_, high=high, low=low, close=close, volume=1
    )


def entered(side, price, stop, distance="2"):
    order = SubmitOrder(
        order_id="a", symbol="ABC", side=Side(side), quantity=Decimal(1), time_ms=0, stop_loss=stop and Decimal(stop),
        trailing_distance=distance and Decimal(distance),
    )  # fmt: skip
    fill = OrderFilled(
        order_id="a", fill_id="1", symbol="ABC", side=order.side, quantity=Decimal(1), price=Decimal(price),
        fee=Decimal(0), is_maker=False, time_ms=0, reference_price=Decimal(price), reason=FillReason.ORDER,
    )  # fmt: skip
    return Trail.begun(order, fill)


def test_an_order_that_asks_for_none_has_no_trail():
    assert entered("buy", "100", "98", None) is None


def test_in_the_candle_of_the_entry_only_the_close_counts_because_its_high_may_lie_before_the_fill():
    trail = entered("buy", "100", "98").after(candle(99, 108, 99, 101), RULES)
    assert (trail.best, trail.stop, trail.sent) == (101.0, Decimal("99.00"), False)


def test_it_follows_the_high_and_never_goes_back():
    trail = entered("buy", "100", "98").after(candle(100, 100.5, 99.5, 100), RULES)
    assert (trail.stop, trail.sent) == (Decimal("98"), True)  # nothing to tell
    trail = trail.after(candle(100, 105, 100, 104), RULES)
    assert trail.stop == Decimal("103.00")
    later = trail.after(candle(104, 104.5, 102, 103.5), RULES)
    assert later.stop == Decimal("103.00")
    assert trail.move("ABC", 60_000) == MoveStop(
        order_id="a", symbol="ABC", time_ms=60_000, stop_loss=Decimal("103.00")
    )


def test_short_it_follows_the_low():
    trail = entered("sell", "100", "102").after(candle(100, 100, 99, 99), RULES)
    trail = trail.after(candle(99, 99, 95, 96), RULES)
    assert (trail.best, trail.stop) == (95.0, Decimal("97.00"))
    assert trail.is_passed(97.0)
    assert not trail.is_passed(96.99)
