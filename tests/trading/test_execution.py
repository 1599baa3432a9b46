from decimal import Decimal

import pytest
from pydantic import ValidationError

from triptych.domain import Instrument, OrderType, Side
from triptych.trading.execution import Config, Executor
from triptych.trading.order_id import OrderIds

RULES = {"price_step": Decimal("0.01"), "quantity_step": Decimal("0.001")}


def executor(rules=None, **config):
    return Executor(Config(**config), Instrument(symbol="ABC", **{**RULES, **(rules or {})}), OrderIds("s", "ABC"))


def plan(planner, held, exposure, *, equity=1000.0, price=30.0, true_range=0.0):
    return planner.plan(
        quantity=Decimal(held), exposure=exposure, equity=equity, price=price, average_true_range=true_range,
        time_ms=60_000, reason="why",
    )  # fmt: skip


def test_an_entry_is_cut_down_to_the_step():
    (order,), note = plan(executor(), "0", 0.5)
    # 0.5 * 1000 / 30 = 16.666...
    assert (order.side, order.quantity, order.type, order.reduce_only) == (Side.BUY, Decimal("16.666"), "market", False)
    assert (order.time_ms, order.reason, note) == (60_000, "why", "")
    assert order.stop_loss is order.take_profit is None


def test_turning_closes_reduce_only_and_opens_the_other_side():
    (close, open_), _ = plan(executor(), "10", -0.3)
    assert (close.side, close.quantity, close.reduce_only) == (Side.SELL, 10, True)
    assert (open_.side, open_.quantity, open_.reduce_only) == (Side.SELL, 10, False)
    assert close.order_id[:-2] == open_.order_id[:-2]
    assert (close.order_id[-2:], open_.order_id[-2:]) == ("c0", "o0")


def test_closing_and_shrinking_only_reduce():
    (close,), _ = plan(executor(), "-10", 0.0)
    assert (close.side, close.quantity, close.reduce_only) == (Side.BUY, 10, True)
    (shrink,), _ = plan(executor(), "10", 0.15)
    assert (shrink.side, shrink.quantity, shrink.reduce_only) == (Side.SELL, 5, True)


def test_adding_brings_no_stop_of_its_own():
    (add,), _ = plan(executor(stop_loss=2.0), "10", 0.6)
    assert (add.quantity, add.stop_loss) == (10, None)


def test_stops_in_percent_of_the_close():
    planner = executor(stop_loss=2.0, take_profit=5.0)
    (long,), _ = plan(planner, "0", 0.5)
    assert (long.stop_loss, long.take_profit) == (Decimal("29.40"), Decimal("31.50"))
    (short,), _ = plan(planner, "0", -0.5)
    assert (short.stop_loss, short.take_profit) == (Decimal("30.60"), Decimal("28.50"))


def test_stops_in_multiples_of_the_average_true_range():
    planner = executor(protection_unit="atr", stop_loss=1.5, take_profit=3.0)
    assert planner.needs_average_true_range
    (order,), _ = plan(planner, "0", 0.5, true_range=0.4)
    assert (order.stop_loss, order.take_profit) == (Decimal("29.40"), Decimal("31.20"))


def test_a_stop_is_at_least_one_step_away_and_above_zero():
    planner = executor(protection_unit="atr", stop_loss=1.0, take_profit=1.0)
    (order,), _ = plan(planner, "0", 0.5, price=30.005, true_range=0.0)
    assert (order.stop_loss, order.take_profit) == (Decimal("30.00"), Decimal("30.01"))
    (order,), _ = plan(planner, "0", 0.5, true_range=100.0)
    assert order.stop_loss == Decimal("0.01")


def test_limit_entries_rest_on_the_better_side_and_exits_stay_market_orders():
    planner = executor(entry="limit", limit_offset_bp=10.0, stop_loss=1.0)
    (order,), _ = plan(planner, "0", 0.5)
    # 30 * 0.999 = 29.97; stop 29.97 * 0.99 = 29.6703
    assert (order.type, order.limit_price, order.stop_loss) == (OrderType.LIMIT, Decimal("29.97"), Decimal("29.67"))
    (order,), _ = plan(planner, "0", -0.5)
    assert order.limit_price == Decimal("30.03")
    (close,), _ = plan(planner, "10", 0.0)
    assert close.type is OrderType.MARKET


@pytest.mark.parametrize(
    ("rules", "note"),
    [
        ({"minimum_quantity": Decimal(20)}, "no order: quantity 16.666 is below the minimum 20"),
        ({"minimum_notional": Decimal(600)}, "no order: notional 499.9800 is below the minimum 600"),
    ],
)
def test_what_the_venue_would_refuse_is_not_sent(rules, note):
    assert plan(executor(rules), "0", 0.5) == ([], note)


def test_without_equity_everything_is_closed():
    (close,), note = plan(executor(), "10", 0.5, equity=-1.0)
    assert close.reduce_only
    assert note.startswith("no order: quantity 0")


def test_small_differences_are_left_alone():
    planner = executor(minimum_trade=0.05)
    assert planner.is_settled(0.0, 0.0)
    assert planner.is_settled(0.50, 0.46)
    assert not planner.is_settled(0.50, 0.44)
    assert not planner.is_settled(0.02, -0.02)
    assert not planner.is_settled(0.0, 0.01)
    assert not planner.is_settled(0.01, 0.0)


def test_a_stop_of_the_whole_price_is_refused():
    with pytest.raises(ValidationError, match=r"a stop_loss of 100 percent lies at or below a price of zero"):
        Config(stop_loss=100.0)


def test_a_trailing_stop_travels_with_the_entry_and_the_nearer_stop_counts():
    (order,), _ = plan(executor(trailing_stop=2.0), "0", 0.5)
    # 2 % of 30 is 0.60
    assert (order.stop_loss, order.trailing_distance) == (Decimal("29.40"), Decimal("0.60"))
    (order,), _ = plan(executor(trailing_stop=2.0, stop_loss=1.0), "0", 0.5)
    assert (order.stop_loss, order.trailing_distance) == (Decimal("29.70"), Decimal("0.60"))
    (order,), _ = plan(executor(trailing_stop=3.0, protection_unit="atr"), "0", -0.5, true_range=0.25)
    assert (order.stop_loss, order.trailing_distance) == (Decimal("30.75"), Decimal("0.75"))
    (add,), _ = plan(executor(trailing_stop=2.0), "10", 0.6)
    assert (add.stop_loss, add.trailing_distance) == (None, None)


def test_a_trailing_stop_below_a_price_of_zero_is_refused():
    with pytest.raises(ValidationError, match=r"a trailing_stop of 100 percent lies at or below a price of zero"):
        Config(trailing_stop=100.0)


LARGEST = {
    "maximum_quantity": Decimal(12),
    "maximum_market_quantity": Decimal("4.0005"),
    "minimum_quantity": Decimal(1),
}


def test_an_entry_is_cut_to_the_venues_largest_order():
    (order,), note = plan(executor(LARGEST, stop_loss=2.0), "0", 0.5)
    assert (order.quantity, order.stop_loss is not None) == (4, True)
    assert note == "the order is cut to 4.000, the venue's largest"
    (limit,), note = plan(executor(LARGEST, entry="limit"), "0", 0.5)
    assert (limit.quantity, note) == (12, "the order is cut to 12, the venue's largest")


def test_a_close_is_sliced_into_orders_that_the_venue_takes_none_of_them_too_small():
    closes, note = plan(executor(LARGEST), "10", 0.0)
    assert [one.quantity for one in closes] == [4, 4, 2]
    assert [one.order_id[-2:] for one in closes] == ["c0", "c1", "c2"]
    assert (all(one.reduce_only for one in closes), note) == (True, "")
    assert [one.quantity for one in plan(executor(LARGEST), "8.3", 0.0)[0]] == [4, Decimal("3.3"), 1]
    assert [one.quantity for one in plan(executor(LARGEST), "8", 0.0)[0]] == [4, 4]
    turned, note = plan(executor(LARGEST), "5", -0.5)
    assert [(one.quantity, one.reduce_only) for one in turned] == [(4, True), (1, True), (4, False)]


def test_a_position_that_is_older_than_the_step_is_closed_but_for_its_odd_rest():
    planner = executor()
    planner.revise(Instrument(symbol="ABC", quantity_step=Decimal("0.1"), maximum_market_quantity=Decimal(4)))
    closes, _ = plan(planner, "8.345", 0.0)
    assert [one.quantity for one in closes] == [4, 4, Decimal("0.3"), Decimal("0.045")]
    assert [one.quantity for one in plan(planner, "-0.045", 0.0)[0]] == [Decimal("0.045")]
    # 0.5 and 0.1 of 1000 at 30 are 16.6 and 3.3: what is held keeps its odd rest.
    (added,), _ = plan(planner, "14.345", 0.5)
    assert (added.side, added.quantity) == (Side.BUY, Decimal("2.2"))
    (shrunk,), _ = plan(planner, "5.345", 0.1)
    assert (shrunk.side, shrunk.quantity, shrunk.reduce_only) == (Side.SELL, Decimal("2.0"), True)


def test_a_position_of_too_many_slices_is_closed_first_and_nothing_is_opened_yet():
    closes, note = plan(executor(LARGEST), "100", -0.5)
    assert [one.quantity for one in closes] == [4] * 20
    assert note == "nothing is opened before all is closed"
