from decimal import Decimal

import pytest

HOUR_MS = 3_600_000


def at_work(venue, candle, order, side, hours_before, **costs):
    """A position of 10 entered at the open of `hours_before` + 1."""
    exchange = venue(funding_rate=0.0001, **costs)
    exchange.on_candle(candle(hours_before, 100, 101, 99, 100))
    exchange.submit(order(side, "10", hours_before))
    exchange.on_candle(candle(hours_before + 1, 100, 101, 99, 100))
    return exchange


@pytest.mark.parametrize(("side", "amount"), [("buy", "0.11"), ("sell", "-0.11")])
def test_longs_pay_and_shorts_receive_at_the_close_that_falls_on_the_funding_time(venue, candle, order, side, amount):
    exchange = at_work(venue, candle, order, side, 4)
    assert exchange.on_candle(candle(6, 100, 101, 99, 100)) == []
    (paid,) = exchange.on_candle(candle(7, 100, 112, 99, 110))  # closes at 08:00; 10 * 110 * 0.0001
    assert (paid.time_ms, paid.amount) == (8 * HOUR_MS, Decimal(amount))
    assert exchange.on_candle(candle(8, 110, 112, 99, 110)) == []


def test_a_position_opened_at_the_funding_time_pays_nothing_and_one_closed_then_still_pays(venue, candle, order):
    exchange = venue(funding_rate=0.0001)
    exchange.on_candle(candle(7, 100, 101, 99, 100))
    exchange.submit(order("buy", "10", 7))
    assert len(exchange.on_candle(candle(8, 100, 101, 99, 100))) == 1  # the fill only
    exchange = at_work(venue, candle, order, "buy", 5)
    exchange.on_candle(candle(7, 100, 101, 99, 100))
    exchange.submit(order("sell", "10", 7, reduce_only=True))
    assert exchange.equity == Decimal("9999.9")


def test_funding_times_in_a_gap_are_charged_on_what_was_held(venue, candle, order):
    exchange = at_work(venue, candle, order, "buy", 4)
    events = exchange.on_candle(candle(20, 120, 121, 119, 120))  # 06:00 to 20:00 is missing
    assert [(event.time_ms, event.amount) for event in events] == [
        (8 * HOUR_MS, Decimal("0.1")),
        (16 * HOUR_MS, Decimal("0.1")),
    ]


def test_a_long_candle_holds_several_funding_times(venue, order):
    from triptych.domain import Candle, Timeframe

    def day(number, open_, close):
        return Candle(
            symbol="ABC", timeframe=Timeframe.parse("1d"), open_time_ms=number * 24 * HOUR_MS,
            open=open_, high=120, low=80, close=close, volume=1,
        )  # fmt: skip

    exchange = venue(funding_rate=0.0001)
    exchange.on_candle(day(0, 100, 100))
    exchange.submit(order("buy", "10", 23))
    _, *paid = exchange.on_candle(day(1, 100, 110))
    assert [event.amount for event in paid] == [Decimal("0.1"), Decimal("0.1"), Decimal("0.11")]


def test_the_interval_can_be_shorter(venue, candle, order):
    exchange = venue(funding_rate=0.0001, funding_interval_hours=1)
    exchange.on_candle(candle(0, 100, 101, 99, 100))
    exchange.submit(order("buy", "10"))
    assert len(exchange.on_candle(candle(1, 100, 101, 99, 100))) == 2
