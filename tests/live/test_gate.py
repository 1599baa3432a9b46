from dataclasses import replace
from decimal import Decimal

import pytest

from triptych.domain import Side, SubmitOrder
from triptych.live.gate import Circumstances, Config, Gate
from triptych.live.journal import Switch
from triptych.trading.money import OthersHeld

NOW = Circumstances(
    now_ms=1_000_000, last_price=Decimal(100), data_age_s=1.0, position=Decimal(0), switch=Switch.RUN,
    has_journal=True, is_settled=True,
)  # fmt: skip
CONFIG = Config(max_order_quote=500, max_position_quote=800, max_orders_per_minute=2, stale_after_seconds=60)


def order(quantity="4", side=Side.BUY, **changes):
    return SubmitOrder(
        order_id="a", symbol="BTCUSDT", side=side, quantity=Decimal(quantity), time_ms=1_000_000, **changes
    )


def review(order, gate=None, **circumstances):
    return (gate or Gate(CONFIG)).review(order, replace(NOW, **circumstances))


def test_an_ordinary_order_passes():
    assert review(order()) == ""
    assert review(order("5", limit_price=Decimal(100), stop_loss=Decimal(90), take_profit=Decimal(130))) == ""


@pytest.mark.parametrize(
    ("quantity", "circumstances", "reason"),
    [
        ("5.01", {}, "order of 501.00 is above max_order_quote 500"),
        ("4", {"position": Decimal("4.01")}, "position of 801.00 would be above max_position_quote 800"),
        ("4", {"last_price": None}, "there is no price to tell the order's size by"),
        ("4", {"data_age_s": 61.0}, "the newest data is 61 s old, allowed are 60 s"),
        ("4", {"switch": Switch.CLOSE_ONLY}, "the switch stands at close_only: nothing is opened"),
        ("4", {"switch": Switch.KILLED}, "the switch stands at killed: nothing is opened"),
        ("4", {"has_journal": False}, "the journal cannot be written: nothing is opened"),
        ("4", {"is_settled": False}, "venue and journal do not agree yet: nothing is opened"),
    ],
)
def test_what_must_not_be_opened(quantity, circumstances, reason):
    assert review(order(quantity), **circumstances) == reason
    assert review(order(quantity, reduce_only=True), **circumstances) == ""


def test_an_instrument_that_the_venue_does_not_trade_is_closed_only():
    gate = Gate(CONFIG, {"BTCUSDT": "BTCUSDT is Closed"})
    assert review(order(), gate) == "BTCUSDT is Closed"
    assert review(order(reduce_only=True), gate) == ""


@pytest.mark.parametrize(
    ("side", "prices", "reason"),
    [
        (Side.BUY, {"limit_price": "105.01"}, "limit price 105.01 is more than 5.0% through the last 100"),
        (Side.SELL, {"limit_price": "94.99"}, "limit price 94.99 is more than 5.0% through the last 100"),
        (Side.BUY, {"stop_loss": "105.01"}, "stop 105.01 lies on the wrong side of the last 100"),
        (Side.SELL, {"stop_loss": "94.99"}, "stop 94.99 lies on the wrong side of the last 100"),
        (Side.BUY, {"take_profit": "94.99"}, "target 94.99 lies on the wrong side of the last 100"),
        (Side.BUY, {"limit_price": "50"}, ""),
        (Side.SELL, {"limit_price": "200", "stop_loss": "150", "take_profit": "50"}, ""),
    ],
)
def test_prices_far_on_the_wrong_side_are_held_back_even_for_closing_orders(side, prices, reason):
    prices = {name: Decimal(price) for name, price in prices.items()}
    assert review(order("2", side, **prices)) == reason
    assert review(order("2", side, reduce_only=True, **prices)) == reason


def test_a_market_order_has_only_the_prices_of_its_protection_and_where_none_is_known_its_size_holds_it_back():
    assert review(order("2")) == ""
    assert review(order("2"), last_price=Decimal("0.01")) == ""  # the band says nothing about it
    assert review(order("2", stop_loss=Decimal(90)), last_price=Decimal("0.01")) != ""
    assert review(order("2"), last_price=None) == "there is no price to tell the order's size by"


def test_a_loop_gone_wild_is_stopped():
    gate = Gate(CONFIG)
    assert [review(order(), gate, now_ms=1_000_000 + i) for i in range(3)] == [
        "", "", "2 opening orders in the last minute",
    ]  # fmt: skip
    assert review(order(reduce_only=True), gate) == ""
    assert review(order(), gate, now_ms=1_060_000) == ""


def test_what_an_earlier_process_has_sent_counts():
    gate = Gate(CONFIG)
    gate.remember([939_999, 940_000, 940_001], 1_000_000)  # the last of them 59.999 s ago
    assert [review(order(), gate), review(order(), gate)] == ["", "2 opening orders in the last minute"]
    assert review(order(), gate, now_ms=1_000_001) == ""


def test_a_clock_that_was_set_back_holds_nothing_back_for_longer_than_a_minute():
    gate = Gate(CONFIG)
    gate.remember([5_000_000, 5_000_000], 1_000_000)
    assert review(order(), gate, now_ms=1_059_999) == "2 opening orders in the last minute"
    assert review(order(), gate, now_ms=1_060_000) == ""


@pytest.mark.parametrize(
    ("limit", "side", "others", "reason"),
    [
        ("max_gross_quote", Side.BUY, OthersHeld.of([-300, 300.01]),
         "all positions of 1,000.01 together would be above max_gross_quote 1,000"),
        ("max_gross_quote", Side.BUY, OthersHeld.of([-300, 300]), ""),
        ("max_net_quote", Side.BUY, OthersHeld.of([700, -99]),
         "longs less shorts of +1,001.00 would be beyond max_net_quote 1,000"),
        ("max_net_quote", Side.SELL, OthersHeld.of([-700, 99]),
         "longs less shorts of -1,001.00 would be beyond max_net_quote 1,000"),
        ("max_net_quote", Side.BUY, OthersHeld.of([5000, -4400]), ""),
        ("max_net_quote", Side.SELL, OthersHeld.of([5000]), ""),  # less than there was
    ],
)  # fmt: skip
def test_all_instruments_together_have_limits_in_money(limit, side, others, reason):
    gate = Gate(Config(**{limit: 1000}))
    assert review(order("4", side), gate, others=others) == reason
    assert review(order("4", side, reduce_only=True), gate, others=others) == ""


def test_an_order_that_was_held_back_does_not_count():
    gate = Gate(CONFIG)
    assert review(order("50"), gate) != ""
    assert [review(order(), gate), review(order(), gate)] == ["", ""]
