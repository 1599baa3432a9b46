from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from triptych.backtest import run_backtest
from triptych.domain import CandleSeries, Instrument, Signal, Timeframe
from triptych.domain.errors import NotEnoughData, OrderError
from triptych.exchanges.simulated import Config as Costs
from triptych.inference.base import AbstractPredictor
from triptych.inference.recorded import RecordedPredictor
from triptych.strategies import AbstractStrategy, Config, ThresholdStrategy
from triptych.trading import execution as execution_
from triptych.trading import risk as risk_
from triptych.trading import sizing as sizing_

HOUR_MS = 3_600_000
FREE = Costs(maker_fee=0.0, taker_fee=0.0, half_spread_bp=0.0, slippage_bp=0.0)
ALL_IN = sizing_.Config(capital_fraction=1.0)


class Momentum(AbstractPredictor):
    """Buys what has risen over the window: a pure function of its candles."""

    def __init__(self, length: int = 8) -> None:
        self.length, self.name = length, "momentum"

    def probabilities(self, windows):
        move = np.tanh(40 * np.log(windows[:, -1, 3] / windows[:, 0, 3]))
        return np.stack([0.4 - 0.4 * move, 0.2 + 0 * move, 0.4 + 0.4 * move], axis=1).astype(np.float32)


class Script(AbstractStrategy):
    """Wants the targets of a script, one after another by hour of the close."""

    def __init__(self, targets: dict[int, float]) -> None:
        self._targets = targets

    def decide(self, prediction, current_target):
        target = self._targets.get(prediction.time_ms // HOUR_MS, current_target)
        return Signal(symbol=prediction.symbol, time_ms=prediction.time_ms, target=target, reason="as written")


ALWAYS_LONG = Script(dict.fromkeys(range(100_000), 1.0))


def series_of(rows, symbol="ABC", times=None, **rules):
    values = np.asarray(rows, dtype=np.float64)
    hours = np.arange(len(values)) if times is None else np.asarray(times)
    return CandleSeries(
        instrument=Instrument(symbol=symbol, **rules), timeframe=Timeframe(HOUR_MS),
        open_time_ms=(hours * HOUR_MS).astype(np.int64), values=values,
    )  # fmt: skip


def walk(n, seed=0, symbol="ABC", scale=0.02, times=None, **rules):
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, scale, n)))
    open_ = np.concatenate([[100.0], close[:-1]]) * np.exp(random.normal(0, scale / 5, n))
    high = np.maximum(open_, close) * np.exp(np.abs(random.normal(0, scale / 2, n)))
    low = np.minimum(open_, close) * np.exp(-np.abs(random.normal(0, scale / 2, n)))
    return series_of(np.column_stack([open_, high, low, close, random.uniform(1, 9, n)]), symbol, times, **rules)


def at(hour):
    return datetime.fromtimestamp(hour * 3600, tz=UTC)


def test_a_whole_backtest_by_hand():
    rows = [
        # open, high, low, close, volume
        [100, 101, 99, 100, 1],
        [100, 101, 99, 100, 1],  # decides long at its close
        [102, 106, 101, 105, 1],  # enters at 102, decides flat at its close
        [104, 105, 103, 104, 1],  # leaves at 104
        [104, 105, 103, 104, 1],
    ]
    result = run_backtest(
        [series_of(rows)], Momentum(2), strategy=Script({2: 1.0, 3: 0.0}), initial_capital=1000.0,
        sizing=sizing_.Config(capital_fraction=0.5), risk=risk_.Config(),
        costs=Costs(maker_fee=0.0, taker_fee=0.001, half_spread_bp=10.0, slippage_bp=0.0),
    )  # fmt: skip
    # Buys 5 at 102 * 1.001 = 102.102, fee 0.51051; sells 5 at 104 * 0.999 = 103.896, fee 0.51948.
    assert result.fills["price"].to_list() == [102.102, 103.896]
    assert result.fills["fee"].to_list() == pytest.approx([0.51051, 0.51948])
    assert result.fills["time"].to_list() == [at(2), at(3)]
    profit = 5 * (103.896 - 102.102) - 0.51051 - 0.51948
    assert result.equity["time"].to_list() == [at(2), at(3), at(4), at(5)]
    assert result.equity["equity"].to_list() == pytest.approx(
        [1000.0, 1000 - 5 * 102.102 - 0.51051 + 5 * 105, 1000 + profit, 1000 + profit]
    )
    assert result.equity["exposure"].to_list() == pytest.approx([0, 525 / 1013.97949, 0, 0])
    last = result.equity.row(-1, named=True)
    assert (last["fees"], last["spread_slippage"], last["funding"]) == pytest.approx((1.02999, 1.03, 0.0))
    assert last["turnover"] == pytest.approx(5 * (102.102 + 103.896))
    (trade,) = result.trades.to_dicts()
    assert trade["profit"] == pytest.approx(profit)
    assert (trade["candles_held"], trade["exit_reason"]) == (1, "order")
    # Buy and hold asks for 10 and gets what 1000 affords: 1000 / (102 + 0.102 + 102.102 * 0.001). The close falls by 1.
    assert result.equity["benchmark"][1] - result.equity["benchmark"][2] == pytest.approx(9.784343, abs=1e-6)
    assert result.decisions["target"].to_list() == [1.0, 0.0, 0.0, 0.0]
    assert result.decisions["time"].to_list() == [at(2), at(3), at(4), at(5)]
    assert (result.initial_capital, result.candles_per_year) == (1000.0, 8766.0)


@pytest.mark.parametrize("n_instruments", [1, 3])
def test_always_long_without_costs_is_buy_and_hold(n_instruments):
    series = [walk(300, seed, f"S{seed}") for seed in range(n_instruments)]
    result = run_backtest(
        series, Momentum(), strategy=ALWAYS_LONG, sizing=ALL_IN, costs=FREE,
        execution=execution_.Config(minimum_trade=1.0),
    )  # fmt: skip
    assert result.fills.height == n_instruments
    np.testing.assert_allclose(result.equity["equity"], result.equity["benchmark"], rtol=1e-12)
    ratio = np.mean([one.close[-1] / one.values[8, 0] for one in series])
    # Exact but for the orders, which are sized at the close before the open and cut where the open is dearer.
    assert result.equity["equity"][-1] / 10_000 == pytest.approx(ratio, rel=0.02)


def test_always_long_with_costs_is_buy_and_hold_with_costs():
    result = run_backtest(
        [walk(300)], Momentum(), strategy=ALWAYS_LONG, sizing=ALL_IN, costs=Costs(funding_rate=0.0001),
        execution=execution_.Config(minimum_trade=1.0),
    )  # fmt: skip
    np.testing.assert_allclose(result.equity["equity"], result.equity["benchmark"], rtol=1e-12)


SETUPS = {
    "plain": {},
    "stops": {"execution": execution_.Config(stop_loss=1.5, take_profit=3.0)},
    "true range": {
        "execution": execution_.Config(protection_unit="atr", stop_loss=1.0, take_profit=2.0, entry="limit")
    },
    "volatility": {"sizing": sizing_.Config(method="volatility", volatility_target=0.5, half_life=6)},
    "limits": {"risk": risk_.Config(max_daily_loss=0.01, max_drawdown=0.15, cool_down_hours=24, max_orders_per_hour=1)},
    "costs": {"costs": Costs(impact=0.5, funding_rate=0.0003)},
}


@pytest.mark.parametrize("setup", SETUPS)
def test_a_history_that_ends_earlier_gives_the_same_decisions_and_fills_up_to_its_end(setup):
    series = [walk(260, 1, "A"), walk(260, 2, "B", times=np.delete(np.arange(270), np.s_[90:100]))]
    whole = run_backtest(series, Momentum(), strategy=ThresholdStrategy(Config()), **SETUPS[setup])
    assert whole.fills.height > 10
    for cut in (40, 95, 100, 177, 230):
        now = cut * HOUR_MS
        known = [one.head(int((one.close_time_ms <= now).sum())) for one in series]
        part = run_backtest(known, Momentum(), strategy=ThresholdStrategy(Config()), **SETUPS[setup])
        assert_frame_equal(part.decisions, whole.decisions.filter(pl.col("time") <= at(cut)))
        assert_frame_equal(part.equity, whole.equity.filter(pl.col("time") <= at(cut)))
        later = whole.fills.filter(pl.col("time") <= at(cut))
        # A fill at the open that coincides with the cut belongs to a candle that is not known yet.
        assert_frame_equal(part.fills, later.head(part.fills.height))
        assert (later[part.fills.height :]["time"] == at(cut)).all()


def test_recorded_predictions_and_live_questions_give_the_same_result():

    series, strategy = [walk(200)], ThresholdStrategy(Config())
    recorded = run_backtest(series, Momentum(), strategy=strategy)
    asked = run_backtest(series, RecordedPredictor(Momentum()), strategy=strategy)
    assert_frame_equal(recorded.decisions, asked.decisions)
    assert_frame_equal(recorded.fills, asked.fills)


def test_decisions_are_taken_from_start_to_end_only_and_the_tape_ends_with_the_candle_that_closes_at_the_end():
    series = walk(100)
    result = run_backtest(
        [series], Momentum(), strategy=ALWAYS_LONG, start_ms=50 * HOUR_MS, end_ms=60 * HOUR_MS, costs=FREE
    )
    assert result.decisions["time"].to_list() == [at(hour) for hour in range(50, 60)]
    assert result.equity["time"].to_list() == [at(hour) for hour in range(50, 61)]
    assert result.equity["equity"][0] == 10_000
    (trade,) = result.trades.to_dicts()
    assert (trade["exit_time"], trade["exit_price"], trade["exit_reason"]) == (at(60), series.close[59], "end")
    assert result.fills.height == 1


def test_an_order_of_the_last_decision_still_meets_the_last_candle():
    result = run_backtest(
        [walk(100)], Momentum(), strategy=Script({59: 1.0}), start_ms=50 * HOUR_MS, end_ms=60 * HOUR_MS, costs=FREE
    )
    assert result.fills["time"].to_list() == [at(59)]


def test_a_rejection_of_the_venue_stands_in_the_decision():
    big = {"sizing": sizing_.Config(capital_fraction=2.0, max_leverage=2.0)}
    result = run_backtest(
        [walk(20)], Momentum(), strategy=ALWAYS_LONG, risk=risk_.Config(max_leverage=2.0, max_exposure=2.0), **big
    )
    assert result.fills.height == 0
    assert result.decisions["reason"][0] == (
        "as written; order rejected: insufficient margin: 20000.00 needed, equity is 10000.00"
    )
    assert result.trades.height == 0


def test_leverage_beyond_the_instrument_is_refused_before_anything_runs():
    with pytest.raises(OrderError) as caught:
        run_backtest([walk(20)], Momentum(), strategy=ALWAYS_LONG, costs=Costs(leverage=2.0))
    assert str(caught.value) == (
        "ABC: leverage 2 is above the instrument's limit 1. "
        "Lower `leverage` of the costs, or raise `maximum_leverage` of the instrument."
    )


def test_a_period_without_candles_and_a_history_shorter_than_a_window_are_refused():
    with pytest.raises(NotEnoughData) as caught:
        run_backtest([walk(5)], Momentum(), strategy=ALWAYS_LONG)
    assert str(caught.value) == (
        "The longest history holds 5 candles, a window takes 8. Bring more candles or a model with a shorter window."
    )
    with pytest.raises(NotEnoughData) as caught:
        run_backtest([walk(50)], Momentum(), strategy=ALWAYS_LONG, start_ms=60 * HOUR_MS)
    assert str(caught.value) == (
        "No candle with a full window of 8 closes between 1970-01-03 12:00:00 and 1970-01-03 02:00:00 UTC. "
        "Choose a period that the history covers."
    )


def test_order_ids_do_not_depend_on_the_run():
    first, second = (run_backtest([walk(100)], Momentum(), strategy=ThresholdStrategy(Config())) for _ in range(2))
    assert_frame_equal(first.fills, second.fills)
    assert first.fills["order_id"].str.len_chars().max() <= 36


@st.composite
def markets(draw):
    n = draw(st.integers(30, 80))
    scale = draw(st.sampled_from([0.001, 0.02, 0.15]))
    return walk(n, draw(st.integers(0, 10_000)), scale=scale)


@settings(max_examples=60, deadline=None)
@given(
    series=markets(),
    costs=st.builds(
        Costs, taker_fee=st.sampled_from([0.0, 0.001]), slippage_bp=st.sampled_from([0.0, 20.0]),
        funding_rate=st.sampled_from([0.0, 0.001, -0.001]), impact=st.sampled_from([0.0, 1.0]),
    ),
    execution=st.builds(
        execution_.Config, stop_loss=st.sampled_from([None, 0.5, 3.0]), take_profit=st.sampled_from([None, 1.0, 5.0]),
        entry=st.sampled_from(["market", "limit"]), after_exit=st.sampled_from(["new_signal", "at_once"]),
        minimum_trade=st.sampled_from([0.0, 0.05]),
    ),
)  # fmt: skip
def test_books_balance_and_no_fill_is_better_or_earlier_than_the_tape_allows(series, costs, execution):
    result = run_backtest([series], Momentum(4), strategy=ThresholdStrategy(Config()), costs=costs, execution=execution)
    last = result.equity.row(-1, named=True)
    assert result.trades["profit"].sum() == pytest.approx(last["equity"] - 10_000, abs=1e-6)
    assert result.fills["fee"].sum() == pytest.approx(last["fees"], abs=1e-6)
    opens = {int(time): values for time, values in zip(series.open_time_ms, series.values, strict=True)}
    for fill in result.fills.to_dicts():
        time_ms = round(fill["time"].timestamp() * 1000)
        decided_ms = int(fill["order_id"].split("-")[2], 36)
        assert time_ms >= decided_ms
        sign = 1 if fill["side"] == "buy" else -1
        if fill["reason"] == "order" and execution.entry == "market":
            assert time_ms == decided_ms
            assert sign * (fill["price"] - opens[time_ms][0]) >= 0
        else:
            inside = [opens[t] for t in (time_ms, time_ms - HOUR_MS) if t in opens]
            best = min(c[2] for c in inside) if sign > 0 else max(c[1] for c in inside)
            assert sign * (fill["price"] - best) >= 0


class Against(AbstractPredictor):
    """Buys when the companion's last candle rose, from its history as it is known."""

    length, name, companions = 2, "against", ("XYZ",)

    def probabilities(self, windows):
        raise AssertionError("it looks at two histories")

    def over(self, series, ends, companions):
        other = companions["XYZ"]
        last = np.searchsorted(other.close_time_ms, series.close_time_ms[ends], side="right") - 1
        rose = other.close[last] > other.values[last, 0]
        return np.stack([~rose, 0 * rose, rose], axis=1).astype(np.float32)

    def predict_now(self, view, symbol, close_time_ms):
        own, other = view.history(symbol, self.length), view.history("XYZ", self.length)
        (answer,) = self.over(own, np.array([1]), {"XYZ": other})
        return self.signed(symbol, close_time_ms, answer)


def test_companions_are_seen_in_time_and_recording_them_beforehand_changes_nothing():
    series, companion = walk(120, seed=1), walk(120, seed=2, symbol="XYZ")
    options = {"strategy": ThresholdStrategy(Config()), "sizing": ALL_IN, "companions": [companion]}
    recorded = run_backtest([series], Against(), **options)
    asked = run_backtest([series], RecordedPredictor(Against()), start_ms=2 * HOUR_MS, **options)
    assert_frame_equal(recorded.decisions, asked.decisions)
    assert_frame_equal(recorded.equity, asked.equity)
    assert set(recorded.fills["symbol"]) == {"ABC"}
    bought = recorded.decisions["probability_buy"].to_numpy() > 0.5
    rose = companion.close > companion.values[:, 0]
    assert bought.tolist() == rose[1 : 1 + len(bought)].tolist()
