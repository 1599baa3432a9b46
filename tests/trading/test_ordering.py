from decimal import Decimal

from triptych.domain import Candle, Instrument, OrderFilled, Side, Timeframe
from triptych.trading import execution, risk, sizing
from triptych.trading.desk import Desk
from triptych.trading.desk_sizer import DeskSizer
from triptych.trading.order_id import OrderIds
from triptych.trading.ordering import Ordering
from triptych.trading.portfolio import Portfolio
from triptych.trading.window import CandleWindow


def ordering(**limits):
    """Two desks with 1000 in the bank; the second holds 6 at 100."""
    config, portfolio, desks = execution.Config(), Portfolio(Decimal(1000)), {}
    for symbol in ("AAA", "BBB"):
        instrument = Instrument(symbol=symbol, quantity_step=Decimal("0.1"), minimum_quantity=Decimal("0.1"))
        executor = execution.Executor(config, instrument, OrderIds("test", symbol))
        window = CandleWindow(3, instrument)
        window.append(
            Candle(
                symbol=symbol, timeframe=Timeframe.parse("1m"), open_time_ms=0, open=100.0, high=100.0, low=100.0,
                close=100.0, volume=1.0,
            )
        )  # fmt: skip
        desks[symbol] = Desk(instrument=instrument, window=window, executor=executor)
    portfolio.apply(
        OrderFilled(
            order_id="x", fill_id="1", symbol="BBB", side=Side.BUY, quantity=Decimal(6), price=Decimal(100),
            fee=Decimal(0), is_maker=False, time_ms=0, reference_price=Decimal(100),
        )
    )  # fmt: skip
    portfolio.mark("BBB", 100.0)
    sizer, manager = DeskSizer(sizing.Config(), 2), risk.RiskManager(risk.Config(**limits), 1000.0)
    return Ordering(desks=desks, portfolio=portfolio, sizer=sizer, risk=manager, config=config)


def ask(maker, exposure, current=0.0):
    return maker.orders(
        maker.desks["AAA"], exposure=exposure, current=current, equity=1000.0, price=100.0, reason="because"
    )


def test_an_order_is_cut_to_what_the_others_leave_and_is_under_way_at_its_desk():
    maker = ordering()
    found = ask(maker, 0.5)
    (order,) = found.orders
    assert (order.side, order.quantity, found.denials) == (Side.BUY, Decimal(4), ())
    assert list(maker.desks["AAA"].orders) == [order.order_id]


def test_without_room_nothing_is_ordered_and_the_reason_says_so():
    found = ask(ordering(max_leverage=0.6), 0.5)
    assert found.orders == ()
    assert found.note == "; cut from 0.4 to 0 by max_leverage 0.6; no order: there is no room for more"


def test_what_risk_denies_is_told_and_is_not_under_way():
    maker = ordering(max_orders_per_hour=1)
    ask(maker, 0.2)
    maker.desks["AAA"].orders.clear()
    found = ask(maker, 0.2)
    assert found.orders == ()
    assert [one.reason for one in found.denials] == ["1 opening orders in the last hour"]
    assert found.note == "; order denied: 1 opening orders in the last hour"
    assert maker.desks["AAA"].orders == {}
