"""The engine alone: events are made by hand, so every rule shows."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from pydantic import TypeAdapter

from triptych.domain import (
    CancelOrder,
    Candle,
    FillReason,
    Foretold,
    Instrument,
    MoveStop,
    OrderCancelled,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    OrderType,
    Prediction,
    Side,
    Signal,
    SubmitOrder,
    Timeframe,
    Vote,
)
from triptych.domain.errors import DataError, OrderError
from triptych.inference.base import AbstractPredictor
from triptych.strategies import AbstractStrategy, ConsensusStrategy, ThresholdStrategy
from triptych.strategies import Config as StrategyConfig
from triptych.strategies import consensus as consensus_
from triptych.trading import Decision, Engine, EngineState
from triptych.trading import execution as execution_
from triptych.trading import kelly as kelly_
from triptych.trading import risk as risk_
from triptych.trading import sizing as sizing_

MINUTE_MS = 60_000


class ByVolume(AbstractPredictor):
    """Reads the answer from the volume of the last candle: 3 buy, 2 hold, 1 sell, 0 nothing usable."""

    def __init__(self, length: int = 3) -> None:
        self.length = length
        self.name = "by-volume"
        self.asked = 0

    def probabilities(self, windows):
        self.asked += len(windows)
        assert windows.shape[1:] == (self.length, 5)
        table = {3: (0.1, 0.1, 0.8), 2: (0.2, 0.7, 0.1), 1: (0.8, 0.1, 0.1), 0: (np.nan, np.nan, np.nan)}
        return np.array([table[int(window[-1, 4])] for window in windows], dtype=np.float32)


def candle(minute, says, close=100.0, symbol="ABC"):
    return Candle(
        symbol=symbol, timeframe=Timeframe(MINUTE_MS), open_time_ms=minute * MINUTE_MS,
        open=close, high=close + 1, low=close - 1, close=close, volume=says,
    )  # fmt: skip


def build(observer=None, symbols=("ABC",), sizing=None, execution=None, risk=None, predictor=None, strategy=None):
    return Engine(
        name="test", instruments=[Instrument(symbol=s, quantity_step=Decimal("0.001")) for s in symbols],
        predictor=predictor or ByVolume(), strategy=strategy or ThresholdStrategy(StrategyConfig()),
        initial_capital=Decimal(1000), sizing=sizing or sizing_.Config(capital_fraction=0.5), execution=execution,
        risk=risk, observer=observer,
    )  # fmt: skip


def ready(engine, symbol="ABC"):
    engine.observe([candle(0, 2, symbol=symbol)])
    engine.observe([candle(1, 2, symbol=symbol)])
    return engine


def filled(order, price="100", *, quantity=None, number=1, reason=FillReason.ORDER, side=None):
    return OrderFilled(
        order_id=order.order_id, fill_id=str(number), symbol=order.symbol, side=side or order.side,
        quantity=quantity or order.quantity, price=Decimal(price), fee=Decimal(0), is_maker=False,
        time_ms=order.time_ms, reference_price=Decimal(price), reason=reason,
    )  # fmt: skip


def test_nothing_is_asked_or_decided_before_the_window_is_full():
    decisions, predictor = [], ByVolume()
    engine = build(decisions.append, predictor=predictor)
    assert engine.on_candle(candle(0, 3)) == []
    assert engine.on_candle(candle(1, 3)) == []
    assert (decisions, predictor.asked, engine.history("ABC", 3)) == ([], 0, None)
    (order,) = engine.on_candle(candle(2, 3))
    assert predictor.asked == 1
    assert (order.side, order.quantity, order.time_ms) == (Side.BUY, 5, 3 * MINUTE_MS)
    (decision,) = decisions
    assert (decision.symbol, decision.time_ms, decision.target, decision.exposure) == ("ABC", 180_000, 1.0, 0.5)
    assert decision.reason == "long: buy probability 0.800 >= enter 0.45"


def test_the_window_is_that_of_the_last_closed_candles():
    engine = ready(build())
    engine.observe([candle(2, 2, 103.0)])
    assert engine.history("ABC", 3).values[:, 3].tolist() == [100.0, 100.0, 103.0]


def test_a_held_position_is_left_alone_and_a_new_signal_turns_it():
    engine = ready(build())
    (order,) = engine.on_candle(candle(2, 3))
    engine.on_event(filled(order))
    assert engine.on_candle(candle(3, 3)) == []
    close, open_ = engine.on_candle(candle(4, 1))
    assert (close.reduce_only, close.quantity, open_.reduce_only, open_.side) == (True, 5, False, Side.SELL)


def test_while_an_order_is_under_way_no_other_is_sent():
    decisions = []
    engine = ready(build(decisions.append))
    (order,) = engine.on_candle(candle(2, 3))
    assert engine.on_candle(candle(3, 1)) == []
    assert decisions[-1].reason.endswith(f"; waits for {order.order_id}")
    engine.on_event(filled(order, quantity=Decimal(2)))
    assert engine.on_candle(candle(4, 1)) == []
    engine.on_event(filled(order, quantity=Decimal(3), number=2))
    assert engine.orders_under_way() == ()
    assert len(engine.on_candle(candle(5, 1))) == 2


def test_what_was_rejected_is_asked_for_again_under_a_new_id():
    engine = ready(build())
    (first,) = engine.on_candle(candle(2, 3))
    engine.on_event(OrderRejected(order_id=first.order_id, symbol="ABC", time_ms=1, reason="no"))
    (second,) = engine.on_candle(candle(3, 3))
    assert first.order_id != second.order_id


def test_a_partial_fill_is_completed_at_the_next_close():
    engine = ready(build())
    (first,) = engine.on_candle(candle(2, 3))
    engine.on_event(filled(first, quantity=Decimal(2)))
    engine.on_event(OrderCancelled(order_id=first.order_id, symbol="ABC", time_ms=1))
    (second,) = engine.on_candle(candle(3, 3))
    assert second.quantity == 3


def test_a_fill_that_arrives_twice_or_after_the_cancellation_counts_once():
    engine = ready(build())
    (order,) = engine.on_candle(candle(2, 3))
    engine.on_event(OrderCancelled(order_id=order.order_id, symbol="ABC", time_ms=1))
    engine.on_event(filled(order))
    engine.on_event(filled(order))
    assert engine.portfolio.position("ABC").quantity == 5


def test_after_a_stop_the_same_side_waits_for_a_new_signal():
    decisions = []
    engine = ready(build(decisions.append, execution=execution_.Config(stop_loss=5.0)))
    (order,) = engine.on_candle(candle(2, 3))
    assert order.stop_loss == 95
    engine.on_event(filled(order))
    engine.on_event(filled(order, "95", number=2, reason=FillReason.STOP_LOSS, side=Side.SELL))
    assert engine.on_candle(candle(3, 3)) == []
    assert decisions[-1].reason == (
        "flat: waits for a new signal after a protective exit (long: buy probability 0.800 >= enter 0.45)"
    )
    assert engine.on_candle(candle(4, 2)) == []
    assert len(engine.on_candle(candle(5, 3))) == 1


def test_after_a_stop_the_other_side_is_free_and_at_once_bars_nothing():
    engine = ready(build())
    (order,) = engine.on_candle(candle(2, 3))
    engine.on_event(filled(order))
    engine.on_event(filled(order, "95", number=2, reason=FillReason.STOP_LOSS, side=Side.SELL))
    assert engine.on_candle(candle(3, 1))[0].side is Side.SELL
    engine = ready(build(execution=execution_.Config(after_exit="at_once")))
    (order,) = engine.on_candle(candle(2, 3))
    engine.on_event(filled(order))
    engine.on_event(filled(order, "95", number=2, reason=FillReason.STOP_LOSS, side=Side.SELL))
    assert engine.on_candle(candle(3, 3))[0].side is Side.BUY


@pytest.mark.parametrize("after_exit", ["new_signal", "at_once"])
def test_what_somebody_has_closed_by_hand_waits_for_a_new_signal_and_a_part_of_it_does_not(after_exit):
    engine = ready(build(execution=execution_.Config(after_exit=after_exit)))
    (order,) = engine.on_candle(candle(2, 3))
    engine.on_event(filled(order))
    by_hand = {"reason": FillReason.BY_HAND, "side": Side.SELL}
    engine.on_event(filled(order, number=2, quantity=Decimal(2), **by_hand))
    (again,) = engine.on_candle(candle(3, 3))
    assert (again.side, again.quantity) == (Side.BUY, 2)
    engine.on_event(filled(again, number=3))
    engine.on_event(filled(order, number=4, **by_hand))
    assert engine.on_candle(candle(4, 3)) == []
    assert engine.on_candle(candle(5, 2)) == []
    assert len(engine.on_candle(candle(6, 3))) == 1


def test_leaving_a_position_closes_it_as_its_stop_would_have():
    engine = ready(build())
    (order,) = engine.on_candle(candle(2, 3))
    engine.on_event(filled(order))
    (closing,) = engine.leave("ABC", 200_000, "no stop")
    assert (closing.side, closing.quantity, closing.reduce_only, closing.reason) == (Side.SELL, 5, True, "no stop")
    assert engine.leave("ABC", 200_001, "no stop") == []  # it happens already
    engine.on_event(filled(closing, number=2))
    assert engine.leave("ABC", 200_002, "no stop") == []
    assert engine.on_candle(candle(3, 3)) == []
    assert engine.on_candle(candle(4, 2)) == []
    assert len(engine.on_candle(candle(5, 3))) == 1


@pytest.mark.parametrize(("setting", "orders"), [("flat", 1), ("hold", 0)])
def test_without_a_usable_prediction_the_setting_decides(setting, orders):
    decisions = []
    engine = ready(build(decisions.append, execution=execution_.Config(without_prediction=setting)))
    (order,) = engine.on_candle(candle(2, 3))
    engine.on_event(filled(order))
    assert len(engine.on_candle(candle(3, 0))) == orders
    assert decisions[-1].reason == f"{setting}: no usable prediction"


def test_a_symbol_missing_from_predictions_made_elsewhere_counts_as_without_one():
    decisions = []
    engine = ready(build(decisions.append))
    engine.observe([candle(2, 3)])
    assert engine.decide([candle(2, 3)], {"ABC": None}) == engine.decide([candle(2, 3)], {}) == []
    assert [decision.reason for decision in decisions] == ["flat: no usable prediction"] * 2


def test_predictions_made_elsewhere_are_taken():
    engine = ready(build())
    engine.observe([candle(2, 1)])
    prediction = Prediction(
        symbol="ABC", time_ms=180_000, probability_sell=0.0, probability_hold=0.1, probability_buy=0.9
    )
    (order,) = engine.decide([candle(2, 1)], {"ABC": prediction})
    assert order.side is Side.BUY


def test_an_entry_limit_that_did_not_fill_is_cancelled_and_tried_anew():
    engine = ready(build(execution=execution_.Config(entry="limit")))
    (order,) = engine.on_candle(candle(2, 3))
    assert order.type is OrderType.LIMIT
    (cancel,) = engine.on_candle(candle(3, 3))
    assert cancel == CancelOrder(order_id=order.order_id, symbol="ABC", time_ms=4 * MINUTE_MS)
    engine.on_event(OrderCancelled(order_id=order.order_id, symbol="ABC", time_ms=1))
    (again,) = engine.on_candle(candle(4, 3))
    assert isinstance(again, SubmitOrder)


def test_a_size_above_a_limit_trades_at_the_limit():
    records = []
    engine = ready(build(records.append, risk=risk_.Config(max_exposure=0.2)))
    (order,) = engine.on_candle(candle(2, 3))
    assert order.quantity == 2  # 20 % of 1,000 at 100, not the 50 % that sizing asks for
    assert records[-1].exposure == 0.2
    assert records[-1].reason.endswith("; cut from 0.5 to 0.2 by max_exposure 0.2")
    engine.on_event(filled(order))
    assert engine.on_candle(candle(3, 3)) == []  # what it holds is what the limit leaves


def test_what_is_left_below_the_minimum_of_the_venue_is_not_sent_and_says_why():
    records = []
    engine = ready(build(records.append, risk=risk_.Config(max_exposure=0.00005)))
    assert engine.on_candle(candle(2, 3)) == []
    (decision,) = records
    assert decision.reason.endswith(
        "; cut from 0.5 to 5e-05 by max_exposure 5e-05; no order: quantity 0.000 is below the minimum 0.001"
    )


@pytest.mark.parametrize(
    ("risk", "quantity", "words"),
    [
        ({"max_leverage": 0.4}, "1.5", "; cut from 0.25 to 0.15 by max_leverage 0.4"),
        ({"max_net_exposure": 0.375}, "1.25", "; cut from 0.25 to 0.125 by max_net_exposure 0.375"),
    ],
)
def test_limits_over_all_instruments_cut_the_later_order(risk, quantity, words):
    records = []
    engine = build(records.append, symbols=("ABC", "XYZ"), risk=risk_.Config(**risk))
    ready(engine)
    ready(engine, "XYZ")
    first, second = engine.on_candles([candle(2, 3), candle(2, 3, symbol="XYZ")])
    assert (first.quantity, second.quantity) == (Decimal("2.5"), Decimal(quantity))
    assert records[-1].reason.endswith(words)


def test_without_room_nothing_is_sent_and_the_decision_says_so():
    records = []
    engine = build(records.append, symbols=("ABC", "XYZ"), risk=risk_.Config(max_leverage=0.25))
    ready(engine)
    ready(engine, "XYZ")
    (first,) = engine.on_candles([candle(2, 3), candle(2, 3, symbol="XYZ")])
    assert first.symbol == "ABC"
    assert records[-1].reason.endswith("; cut from 0.25 to 0 by max_leverage 0.25; no order: there is no room for more")


def test_a_denied_order_is_not_sent_and_is_told():
    records = []
    engine = ready(build(records.append, risk=risk_.Config(max_orders_per_hour=1)))
    (order,) = engine.on_candle(candle(2, 3))
    engine.on_event(filled(order))
    (close,) = engine.on_candle(candle(3, 2))
    engine.on_event(filled(close, number=2))
    records.clear()
    assert engine.on_candle(candle(4, 3)) == []
    denial, decision = records
    assert isinstance(denial, OrderDenied)
    assert isinstance(decision, Decision)
    assert decision.reason.endswith("; order denied: 1 opening orders in the last hour")
    assert engine.orders_under_way() == ()


def test_a_halt_closes_everything_and_keeps_it_closed():
    engine = ready(build(risk=risk_.Config(max_drawdown=0.1)))
    (order,) = engine.on_candle(candle(2, 3))
    engine.on_event(filled(order))
    (close,) = engine.on_candle(candle(3, 3, 79.0))  # equity 1000 - 5 * 21
    assert (close.reduce_only, close.quantity) == (True, 5)
    assert close.reason == "flat: halted until the end: the drawdown limit of 10.0% was reached"
    engine.on_event(filled(close, "79", number=2))
    assert engine.on_candle(candle(4, 3, 79.0)) == []


class Voted(ByVolume):
    """As one member of a consensus, which says what it says itself."""

    def predict_now(self, view, symbol, close_time_ms):
        found = super().predict_now(view, symbol, close_time_ms)
        vote = Vote(model="alone", probability_sell=0.1, probability_hold=0.1, probability_buy=0.8)
        return replace(found, votes=(vote,))


def test_a_decision_under_a_halt_names_the_votes():
    records = []
    strategy = ConsensusStrategy(consensus_.Config(), ThresholdStrategy(StrategyConfig()))
    engine = ready(
        build(predictor=Voted(), strategy=strategy, risk=risk_.Config(max_drawdown=0.1), observer=records.append)
    )
    (order,) = engine.on_candle(candle(2, 3))
    engine.on_event(filled(order))
    engine.on_candle(candle(3, 3, 79.0))
    assert records[-1].reason.startswith("flat: halted until the end: the drawdown limit of 10.0% was reached (")
    assert records[-1].reason.endswith("; votes: alone buy 0.800)")


def test_all_closes_are_known_before_the_first_instrument_is_decided_on():
    records = []
    engine = build(records.append, symbols=("ABC", "XYZ"), sizing=sizing_.Config(capital_fraction=1.0))
    for minute in (0, 1):
        engine.observe([candle(minute, 2), candle(minute, 2, symbol="XYZ")])
    orders = engine.on_candles([candle(2, 3), candle(2, 3, symbol="XYZ")])
    assert [order.quantity for order in orders] == [5, 5]
    for number, order in enumerate(orders):
        engine.on_event(filled(order, number=number))
    # XYZ doubles: equity 1500, ABC is at 1/3 of it and XYZ at 2/3; ABC may only grow into the room XYZ leaves.
    orders = engine.on_candles([candle(3, 3), candle(3, 3, 200.0, symbol="XYZ")])
    assert [(order.symbol, order.side, order.reduce_only) for order in orders] == [("XYZ", Side.SELL, True)]
    assert records[-2].reason.endswith("; no order: the other instruments leave no room within the leverage")


class Both(AbstractPredictor):
    """Buys when the last close of XYZ is above that of ABC."""

    length, name, companions = 2, "both", ("XYZ",)

    def probabilities(self, windows):
        raise AssertionError("it looks at two histories")

    def predict_now(self, view, symbol, close_time_ms):
        own, other = view.history(symbol, self.length), view.history("XYZ", self.length)
        if other is None:
            return None
        above = other.close[-1] > own.close[-1]
        return self.signed(symbol, close_time_ms, (0.0, 0.0, 1.0) if above else (1.0, 0.0, 0.0))


def test_a_companion_is_looked_at_and_never_traded():
    records = []
    engine = Engine(
        name="test", instruments=[Instrument(symbol="ABC")], predictor=Both(),
        strategy=ThresholdStrategy(StrategyConfig()), initial_capital=Decimal(1000), observer=records.append,
        companions=[Instrument(symbol="XYZ")],
    )  # fmt: skip
    assert engine.on_candles([candle(0, 3), candle(0, 3, symbol="XYZ")]) == []
    assert engine.on_candles([candle(1, 3)]) == []
    assert records[-1].prediction is None  # one candle of XYZ is fewer than it looks at
    orders = engine.on_candles([candle(2, 3), candle(2, 3, 101.0, symbol="XYZ")])
    assert [(order.symbol, order.side) for order in orders] == [("ABC", Side.BUY)]
    assert {record.symbol for record in records} == {"ABC"}
    assert engine.portfolio.last_mark("ABC") == 100.0


def test_an_instrument_that_is_not_watched_cannot_be_looked_at():
    engine = build(predictor=Both())
    engine.observe([candle(0, 3)])
    with pytest.raises(OrderError) as caught:
        engine.on_candle(candle(1, 3))
    assert str(caught.value) == (
        "The model looks at XYZ, which this engine does not watch. Name it among the companions of the engine."
    )


def test_volatility_sizing_waits_until_the_volatility_is_known():
    engine = build(sizing=sizing_.Config(method="volatility", half_life=2))
    assert engine.memory == 11
    for minute in range(10):
        assert engine.on_candle(candle(minute, 3, 100.0 + minute % 2)) == []
    assert len(engine.on_candle(candle(10, 3))) == 1


def test_stops_by_true_range_wait_until_it_is_known():
    decisions = []
    execution = execution_.Config(protection_unit="atr", stop_loss=2.0, atr_length=4)
    engine = build(decisions.append, execution=execution)
    for minute in range(4):
        assert engine.on_candle(candle(minute, 3)) == []
    assert decisions[-1].reason.endswith("; no order: the average true range is not known yet")
    (order,) = engine.on_candle(candle(4, 3))
    assert order.stop_loss == 96  # the range is 2 in every candle


def test_a_candle_that_comes_twice_is_an_error():
    engine = ready(build())
    with pytest.raises(DataError) as caught:
        engine.observe([candle(1, 2)])
    assert str(caught.value) == (
        "ABC: the candle of 1970-01-01 00:01:00 UTC is not later than the one before it. "
        "Feed each closed candle once, in time order."
    )


def test_an_event_of_an_unknown_instrument_is_an_error():
    event = OrderCancelled(order_id="x", symbol="NIX", time_ms=1)
    with pytest.raises(OrderError) as caught:
        build().on_event(event)
    assert str(caught.value) == (
        f"An event of NIX came in, which this engine does not trade: {event}. "
        "Give each engine an account of its own, or only the events of its own instruments."
    )


def test_an_engine_needs_instruments_of_different_names():
    with pytest.raises(OrderError, match=r"An engine needs at least one instrument, and each symbol only once\."):
        build(symbols=("ABC", "ABC"))


def test_a_strategy_that_answers_nonsense_leads_to_nothing():
    class Nonsense(AbstractStrategy):
        def decide(self, prediction, current_target):
            return Signal(symbol="ABC", time_ms=0, target=float("nan"), reason="")

    records = []
    engine = Engine(
        name="test", instruments=[Instrument(symbol="ABC")], predictor=ByVolume(),
        strategy=Nonsense(), initial_capital=Decimal(1000), observer=records.append,
    )  # fmt: skip
    assert ready(engine).on_candle(candle(2, 3)) == []
    assert records[-1].reason == "flat: the strategy's target nan is not between -1 and 1"


def test_a_restarted_engine_decides_the_same_from_its_journalled_state():
    says = [2, 2, 3, 3, 2, 1, 1, 3, 0, 3, 1, 2, 3]
    settings = {
        "risk": risk_.Config(max_orders_per_hour=6, max_drawdown=0.5, max_daily_loss=0.5),
        "execution": execution_.Config(stop_loss=3.0),
    }

    def step(engine, minute, log):
        for command in engine.on_candle(candle(minute, says[minute], 100.0 + minute)):
            log.append(command)
            engine.on_event(filled(command, str(100 + minute), number=f"{minute}{command.order_id[-2]}"))

    whole, expected = build(**settings), []
    for minute in range(len(says)):
        step(whole, minute, expected)
    assert len(expected) > 4
    adapter = TypeAdapter(EngineState)
    for cut in range(1, len(says)):
        log = []
        first = build(**settings)
        for minute in range(cut):
            step(first, minute, log)
        journal = adapter.dump_json(first.state())
        second = build(**settings)
        for minute in range(max(cut - second.memory, 0), cut):
            second.observe([candle(minute, says[minute], 100.0 + minute)])
        second.restore(adapter.validate_json(journal))
        for minute in range(cut, len(says)):
            step(second, minute, log)
        assert log == expected
        assert second.state() == whole.state()


def test_a_trailing_stop_is_moved_at_closes_and_asked_for_again_when_the_venue_turned_it_down():
    engine = ready(build(execution=execution_.Config(trailing_stop=5.0)))
    (order,) = engine.on_candle(candle(2, 3))
    assert (order.stop_loss, order.trailing_distance) == (95, 5)
    engine.on_event(filled(order))
    assert engine.on_candle(candle(3, 3)) == []  # closed at 100: nothing to follow yet
    (move,) = engine.on_candle(candle(4, 3, 104.0))  # high 105
    assert move == MoveStop(order_id=order.order_id, symbol="ABC", time_ms=5 * MINUTE_MS, stop_loss=Decimal(100))
    engine.on_event(OrderRejected(order_id=order.order_id, symbol="ABC", time_ms=1, reason="no"))
    (again,) = engine.on_candle(candle(5, 3, 104.0))
    assert (again.stop_loss, again.time_ms) == (100, 6 * MINUTE_MS)
    assert engine.on_candle(candle(6, 3, 104.0)) == []


def test_a_close_beyond_the_trailing_stop_leaves_at_the_market_and_bars_the_side():
    decisions = []
    engine = ready(build(decisions.append, execution=execution_.Config(trailing_stop=5.0)))
    (order,) = engine.on_candle(candle(2, 3))
    engine.on_event(filled(order))
    engine.on_candle(candle(3, 3, 109.0))  # the candle of the entry: its close counts, the stop is wanted at 104
    (close,) = engine.on_candle(candle(4, 3, 103.0))
    assert (close.reduce_only, close.quantity) == (True, 5)
    assert decisions[-1].reason == "flat: the close 103 passed the trailing stop 104.0"
    engine.on_event(filled(close, "103", number=2))
    assert engine.on_candle(candle(5, 3, 103.0)) == []
    assert "waits for a new signal" in decisions[-1].reason


def test_a_trailing_stop_outlives_a_restart():
    settings = {"execution": execution_.Config(trailing_stop=5.0)}
    first = ready(build(**settings))
    (order,) = first.on_candle(candle(2, 3))
    first.on_event(filled(order))
    first.on_candle(candle(3, 3, 104.0))
    adapter = TypeAdapter(EngineState)
    journal = adapter.dump_json(first.state())
    second = build(**settings)
    second.observe([candle(minute, 3, 104.0 if minute == 3 else 100.0) for minute in range(4)])
    second.restore(adapter.validate_json(journal))
    assert second.on_candle(candle(4, 3, 108.0)) == first.on_candle(candle(4, 3, 108.0))
    assert second.state() == first.state()


def turned(order_of_fills):
    """An engine that was long and turns short at 100, told of the two fills of the turn in this order."""
    engine = ready(build(execution=execution_.Config(trailing_stop=5.0)))
    (entry,) = engine.on_candle(candle(2, 3))
    engine.on_event(filled(entry))
    close, opening = engine.on_candle(candle(3, 1))
    assert (close.reduce_only, opening.reduce_only) == (True, False)
    fills = [filled(close, number=2), filled(opening, number=3)]
    for one in order_of_fills:
        engine.on_event(fills[one])
    return engine


def test_a_turn_has_its_trailing_stop_whichever_of_its_fills_is_heard_first():
    first, second = turned([0, 1]), turned([1, 0])
    for minute, close in enumerate((98.0, 95.0, 90.0), 4):
        commands = first.on_candle(candle(minute, 1, close))
        assert second.on_candle(candle(minute, 1, close)) == commands
        assert isinstance(commands[-1], MoveStop)
    assert commands[-1].stop_loss == Decimal(94)  # 5 above the lowest price, 89
    assert second.state().desks == first.state().desks


def test_what_a_turn_was_to_begin_is_forgotten_with_the_position():
    """The opening fill closes the long, and the close is never filled: a position of others has no trail of ours."""
    engine = turned([1])
    assert engine.state().desks[0].begun is not None
    engine = turned([0, 1])
    (exit_order,) = [one for one in engine.on_candle(candle(4, 0)) if isinstance(one, SubmitOrder)]
    engine.on_event(filled(exit_order, number=4))
    assert (engine.state().desks[0].trail, engine.state().desks[0].begun) == (None, None)


def test_a_trailing_stop_and_the_marks_count_what_closed_while_nobody_was_there():
    closes = {2: 100.0, 3: 104.0, 4: 112.0, 5: 109.0}
    settings = {"execution": execution_.Config(trailing_stop=5.0)}
    whole = ready(build(**settings))
    (order,) = whole.on_candle(candle(2, 3))
    asked = TypeAdapter(EngineState).dump_json(whole.state())  # written before the order was sent
    whole.on_event(filled(order))
    whole.on_candle(candle(3, 3, closes[3]))
    held = TypeAdapter(EngineState).dump_json(whole.state())
    for minute in (4, 5):
        whole.observe([candle(minute, 3, closes[minute])])
    for journal, events in ((held, []), (asked, [filled(order)])):
        again = build(**settings)
        again.observe([candle(minute, 2) for minute in range(2)])
        again.observe([candle(minute, 3, close) for minute, close in closes.items()])
        again.restore(TypeAdapter(EngineState).validate_json(journal))
        for event in events:
            again.on_event(event)
        assert again.portfolio.last_mark("ABC") == 109.0
        trail = again.state().desks[0].trail
        assert (trail.best, trail.stop, trail.sent) == (113.0, Decimal(108), False)
        (move,) = again.on_candle(candle(6, 3, 110.0))
        assert move.stop_loss == Decimal(108)


def test_kelly_sizing_stakes_by_the_prediction_and_keeps_what_it_holds_without_one():
    records = []
    kelly = kelly_.Config(fraction=1.0, shrinkage=0.0, horizon=1, cost=0.0, cap=0.5, base_rates=(0.3, 0.4, 0.3))
    execution = execution_.Config(without_prediction="hold")
    sizing = sizing_.Config(method="kelly", half_life=2, kelly=kelly)
    engine = build(records.append, sizing=sizing, execution=execution)
    for minute in range(10):
        assert engine.on_candle(candle(minute, 3, 100.0 + minute % 2)) == []  # the volatility is not known yet
    (order,) = engine.on_candle(candle(10, 3))
    assert order.quantity == 5  # capped at half of the equity
    engine.on_event(filled(order))
    assert engine.on_candle(candle(11, 0)) == []
    assert (records[-1].target, records[-1].exposure) == (1.0, 0.5)


def test_a_position_carried_beyond_its_limit_is_cut_back():
    sizing = sizing_.Config(capital_fraction=0.6)
    engine = ready(build(sizing=sizing, risk=risk_.Config(exposure_limits={"ABC": 0.6})))
    (order,) = engine.on_candle(candle(2, 3))
    engine.on_event(filled(order))
    (cut,) = engine.on_candle(candle(3, 3, 200.0))  # 6 * 200 / 1600 = 0.75, wanted 0.6: 4.8 are held on
    assert (cut.reduce_only, cut.quantity) == (True, Decimal("1.2"))


class Foretelling(AbstractPredictor):
    """Always buys, and foretells a volatility of 2 % over 4 candles while the volume is above 1, else none."""

    length, name, horizon = 1, "foretelling", 4

    def probabilities(self, windows):
        return np.tile(np.array([0.1, 0.1, 0.8], dtype=np.float32), (len(windows), 1))

    def foretold(self, windows):
        return {"volatility": np.where(windows[:, -1, 4] > 1, 0.02, np.nan).astype(np.float32)}


def test_sizing_by_the_foretold_volatility_says_so_and_is_measured_where_none_is_foretold():
    records = []
    sizing = sizing_.Config(
        method="volatility", volatility="foretold", half_life=2, volatility_target=2.0, max_leverage=10
    )
    engine = build(records.append, sizing=sizing, risk=risk_.Config(max_exposure=10), predictor=Foretelling())
    for minute in range(12):
        engine.on_candle(candle(minute, 3, 100.0 + minute % 2))
    year = 365.25 * 24 * 60  # minutes
    assert records[-1].prediction.foretold == Foretold(horizon=4, volatility=pytest.approx(0.02))
    assert records[-1].exposure == pytest.approx(2.0 / (0.01 * year**0.5), rel=1e-4)
    assert "sized by the foretold volatility 2.00% over 4 candles (1.000% each, measured 0.99" in records[-1].reason
    engine.on_candle(candle(12, 1, 100.0))
    assert "sized by the measured volatility 0.99" in records[-1].reason
    assert "the model foretells none" in records[-1].reason


def test_nothing_is_staked_on_a_price_that_stands_still_whatever_is_foretold():
    records = []
    sizing = sizing_.Config(method="volatility", volatility="foretold", half_life=2)
    engine = build(records.append, sizing=sizing, predictor=Foretelling())
    for minute in range(12):
        engine.on_candle(candle(minute, 3))
    assert (records[-1].target, records[-1].exposure) == (1.0, 0.0)


def test_kelly_stakes_by_the_foretold_volatility():
    def staked(told):
        kelly = kelly_.Config(fraction=0.1, shrinkage=0.0, horizon=4, cost=0.0, cap=100, base_rates=(0.3, 0.4, 0.3))
        sizing = sizing_.Config(method="kelly", volatility=told, half_life=2, kelly=kelly, max_leverage=100)
        records = []
        engine = build(records.append, sizing=sizing, risk=risk_.Config(max_exposure=100), predictor=Foretelling())
        for minute in range(12):
            engine.on_candle(candle(minute, 3, 100.0 + 2 * (minute % 2)))
        return records[-1].exposure

    assert staked("foretold") == pytest.approx(1.98 * staked("measured"), rel=0.01)  # half the volatility of 1.98 %
