from decimal import Decimal

from triptych.domain import Side, SubmitOrder
from triptych.trading.money import OthersHeld
from triptych.trading.risk import DAY_MS, HOUR_MS, Aftermath, Config, RiskManager


def order(time_ms=0, reduce_only=False):
    return SubmitOrder(
        order_id="id", symbol="ABC", side=Side.BUY, quantity=Decimal(1), time_ms=time_ms, reduce_only=reduce_only
    )


ORDER = order()


def reason(manager, *, order=ORDER, exposure_after=0.5, gross_after=0.5, net_after=0.0):
    """Of an account of 1000: what its own instrument comes to, and with the others all of them."""
    gross, net = gross_after - abs(exposure_after), net_after - exposure_after
    others = OthersHeld(gross=1000.0 * gross, net=1000.0 * net)
    after = Aftermath(price=1.0, position=1000.0 * exposure_after, equity=1000.0, others=others)
    denial = manager.review(order, after)
    return "" if denial is None else denial.reason


def test_exposure_and_leverage_are_limited():
    manager = RiskManager(Config(max_exposure=0.6, max_leverage=1.0), 1000.0)
    assert reason(manager) == ""
    assert reason(manager, exposure_after=0.7) == "exposure 0.70 is above max_exposure 0.6"
    assert reason(manager, gross_after=1.1) == "leverage 1.10 is above max_leverage 1"


def test_an_order_that_reduces_is_always_allowed():
    manager = RiskManager(Config(max_drawdown=0.1, max_exposure=0.1), 1000.0)
    assert manager.on_equity(1, 500.0)
    assert reason(manager, order=order(reduce_only=True), exposure_after=9.0, gross_after=9.0) == ""


def test_a_daily_loss_halts_until_the_next_day():
    manager = RiskManager(Config(max_daily_loss=0.05), 1000.0)
    assert manager.on_equity(HOUR_MS, 951.0) == ""
    halted = "halted until the next UTC day: the daily loss limit of 5.0% was reached"
    assert manager.on_equity(2 * HOUR_MS, 950.0) == halted
    assert manager.on_equity(3 * HOUR_MS, 990.0) == halted
    assert reason(manager) == halted
    assert manager.on_equity(DAY_MS, 990.0) == halted  # the candle that closes at midnight belongs to the old day
    assert manager.on_equity(DAY_MS + HOUR_MS, 980.0) == ""
    assert manager.on_equity(DAY_MS + 2 * HOUR_MS, 990.0 * 0.95) == halted  # measured from the close at midnight


def test_a_drawdown_halts_until_the_end():
    manager = RiskManager(Config(max_drawdown=0.2), 1000.0)
    manager.on_equity(1, 2000.0)
    assert manager.on_equity(2, 1601.0) == ""
    halted = "halted until the end: the drawdown limit of 20.0% was reached"
    assert manager.on_equity(3, 1600.0) == halted
    assert manager.on_equity(1000 * DAY_MS, 5000.0) == halted


def test_after_a_cool_down_trading_resumes_with_a_new_peak():
    manager = RiskManager(Config(max_drawdown=0.2, cool_down_hours=10), 1000.0)
    assert manager.on_equity(0, 800.0) == "halted for 10 hours: the drawdown limit of 20.0% was reached"
    assert manager.on_equity(9 * HOUR_MS, 800.0) != ""
    assert manager.on_equity(10 * HOUR_MS, 800.0) == ""
    assert manager.on_equity(11 * HOUR_MS, 641.0) == ""
    assert manager.on_equity(12 * HOUR_MS, 640.0) != ""


def test_the_rate_of_opening_orders_is_limited():
    manager = RiskManager(Config(max_orders_per_hour=2), 1000.0)
    assert reason(manager, order=order(0)) == ""
    assert reason(manager, order=order(10)) == ""
    assert reason(manager, order=order(HOUR_MS - 1)) == "2 opening orders in the last hour"
    assert reason(manager, order=order(HOUR_MS)) == ""


def test_a_restored_manager_goes_on_where_it_was():
    manager = RiskManager(Config(max_drawdown=0.2, max_daily_loss=0.1, max_orders_per_hour=1), 1000.0)
    manager.on_equity(5, 1500.0)
    reason(manager)
    manager.on_equity(6, 1200.0)
    other = RiskManager(Config(max_drawdown=0.2, max_daily_loss=0.1, max_orders_per_hour=1), 1000.0)
    other.restore(manager.state())
    assert other.state() == manager.state()
    assert reason(other) == reason(manager) == "halted until the end: the drawdown limit of 20.0% was reached"


def test_an_instrument_may_have_a_limit_of_its_own():
    manager = RiskManager(Config(max_exposure=0.6, exposure_limits={"ABC": 0.4, "XYZ": 0.0}), 1000.0)
    assert reason(manager, exposure_after=0.4) == ""
    assert reason(manager) == "exposure 0.50 is above the limit of ABC, which is 0.4"


def test_the_net_exposure_is_limited_in_either_direction_and_may_always_be_lessened():
    manager = RiskManager(Config(max_net_exposure=0.3), 1000.0)
    assert reason(manager, net_after=0.3) == ""
    assert reason(manager, net_after=0.4) == "net exposure 0.40 is above max_net_exposure 0.3"
    assert reason(manager, net_after=-0.9) == ""  # a purchase that leaves the account less short
    sale = SubmitOrder(order_id="id", symbol="ABC", side=Side.SELL, quantity=Decimal(1), time_ms=0)
    assert reason(
        RiskManager(Config(max_net_exposure=0.3), 1000.0), order=sale, exposure_after=-0.1, net_after=-0.4
    ) == ("net exposure 0.40 is above max_net_exposure 0.3")


def test_a_wish_beyond_the_limit_of_its_instrument_is_cut_to_it():
    manager = RiskManager(Config(max_exposure=0.6, exposure_limits={"ABC": 0.4, "NO": 0.0}), 1000.0)
    assert manager.within("ABC", 0.8) == (0.4, "; cut from 0.8 to 0.4 by the limit of ABC, which is 0.4")
    assert manager.within("ABC", -0.8)[0] == -0.4
    assert manager.within("ABC", 0.2) == (0.2, "")
    assert manager.within("XYZ", 0.9) == (0.6, "; cut from 0.9 to 0.6 by max_exposure 0.6")
    assert manager.within("NO", 0.9) == (0.0, "; cut from 0.9 to 0 by the limit of NO, which is 0")


def cut(manager, exposure, current=0.0, gross=0.0, net=0.0):
    others = OthersHeld(gross=1000.0 * gross, net=1000.0 * net)
    return manager.cut_to_room(exposure, current=current, equity=1000.0, others=others)


def test_a_wish_is_cut_to_what_the_other_instruments_leave():
    manager = RiskManager(Config(max_leverage=1.0, max_net_exposure=0.5), 1000.0)
    assert cut(manager, 0.4, gross=0.6) == (0.4, "")
    gross, words = cut(manager, -0.6, gross=0.7, net=0.3)
    assert (round(gross, 12), words) == (-0.3, "; cut from 0.6 to 0.3 by max_leverage 1")
    assert cut(manager, 0.6, gross=0.3, net=0.3) == (0.2, "; cut from 0.6 to 0.2 by max_net_exposure 0.5")
    assert cut(manager, -0.6, gross=0.3, net=0.3) == (-0.6, "")  # it lessens the net
    assert cut(manager, 0.6, gross=1.2)[0] == 0.0


def test_what_is_held_is_not_given_up_for_lack_of_room():
    manager = RiskManager(Config(max_leverage=1.0, max_net_exposure=0.5), 1000.0)
    assert cut(manager, 0.5, current=0.4, gross=0.8, net=0.8)[0] == 0.4
    assert cut(manager, 0.3, current=0.4, gross=1.2, net=1.2) == (0.3, "")
    assert cut(manager, -0.5, current=0.4, gross=1.2)[0] == 0.0  # the other side is another matter


def test_limits_in_money_cut_as_well():
    manager = RiskManager(Config(max_order_quote=200.0, max_position_quote=500.0), 1000.0)
    assert cut(manager, 0.9) == (0.2, "; cut from 0.9 to 0.2 by max_order_quote 200")
    assert cut(manager, 0.9, current=0.4) == (0.5, "; cut from 0.9 to 0.5 by max_position_quote 500")
    both = RiskManager(Config(max_gross_quote=800.0, max_net_quote=300.0), 1000.0)
    assert cut(both, 0.5, gross=0.4, net=0.2)[1] == "; cut from 0.5 to 0.1 by max_net_quote 300"
    assert cut(both, -0.5, gross=0.4, net=0.2)[1] == "; cut from 0.5 to 0.4 by max_gross_quote 800"


def test_limits_in_money_deny_what_breaks_them_and_nothing_that_reduces():
    manager = RiskManager(Config(max_order_quote=200.0, max_position_quote=500.0), 1000.0)
    after = Aftermath(price=201.0, position=201.0, equity=1000.0, others=OthersHeld())
    assert manager.review(ORDER, after).reason == "order of 201.00 is above max_order_quote 200"
    after = Aftermath(price=100.0, position=501.0, equity=1000.0, others=OthersHeld())
    assert manager.review(ORDER, after).reason == "position of 501.00 would be above max_position_quote 500"
    assert manager.review(order(reduce_only=True), after) is None


def test_the_equity_of_a_missed_close_counts_once_and_not_behind_a_later_one():
    manager = RiskManager(Config(max_daily_loss=0.05), 1000.0)
    assert manager.resume_ms(7) == 7
    manager.on_equity(DAY_MS - HOUR_MS, 1000.0)
    for time_ms, equity in ((DAY_MS, 1100.0), (DAY_MS - HOUR_MS, 1.0), (DAY_MS, 2.0)):
        manager.on_missed(time_ms, equity)
    assert manager.resume_ms(7) == DAY_MS
    again = RiskManager(Config(max_daily_loss=0.05), 1000.0)
    again.restore(manager.state())
    assert again.on_equity(DAY_MS + HOUR_MS, 1046.0) == ""
    assert "daily loss limit of 5.0%" in again.on_equity(DAY_MS + 2 * HOUR_MS, 1044.0)
    assert RiskManager(Config(), 1000.0).resume_ms(7) == -1
