from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.backtest.monthly import monthly_returns
from triptych.backtest.paths import path
from triptych.backtest.result import (
    DECISION_SCHEMA,
    EQUITY_SCHEMA,
    FILL_SCHEMA,
    TRADE_SCHEMA,
    BacktestResult,
)
from triptych.backtest.statistics import deepest_drawdown, performance, return_figures, trade_figures
from triptych.domain.errors import DataError, NotEnoughData

DAY_MS = 86_400_000
START_MS = 1_672_531_200_000


def result_of(
    equity, *, exposure=None, benchmark=None, capital=100.0, trades=None, turnover=0.0, costs=(0.0, 0.0, 0.0)
):
    """Daily closes; the cumulated columns reach their totals in the last row."""
    n = len(equity)
    ramp = np.linspace(0, 1, n) if n > 1 else np.ones(n)
    frame = pl.DataFrame(
        {
            "time": START_MS + DAY_MS * np.arange(1, n + 1),
            "equity": np.asarray(equity, dtype=float),
            "exposure": np.zeros(n) if exposure is None else np.asarray(exposure, dtype=float),
            "benchmark": np.full(n, capital) if benchmark is None else np.asarray(benchmark, dtype=float),
            "fees": costs[0] * ramp,
            "spread_slippage": costs[1] * ramp,
            "funding": costs[2] * ramp,
            "turnover": turnover * ramp,
        },
        schema_overrides=EQUITY_SCHEMA,
    )
    return BacktestResult(
        equity=frame,
        trades=pl.DataFrame(trades or [], schema=TRADE_SCHEMA),
        fills=pl.DataFrame(schema=FILL_SCHEMA),
        decisions=pl.DataFrame(schema=DECISION_SCHEMA),
        initial_capital=capital,
        candles_per_year=365.0,
    )


def trade(entry_day, exit_day, profit, returned, side="long"):
    return {
        "symbol": "A",
        "side": side,
        "quantity": 1.0,
        "entry_time": START_MS + DAY_MS * entry_day,
        "entry_price": 100.0,
        "exit_time": START_MS + DAY_MS * exit_day,
        "exit_price": 100.0 + profit,
        "profit": profit,
        "return": returned,
        "fees": 0.1,
        "candles_held": exit_day - entry_day,
        "exit_reason": "order",
    }


def test_figures_of_four_candles_equal_those_worked_by_hand():
    # returns +10 %, -10 %, +20 %, -5 %: mean 0.0375, deviations .0625 -.1375 .1625 -.0875
    figures = performance(result_of([110.0, 99.0, 118.8, 112.86])).strategy
    assert figures.total_return == pytest.approx(0.1286)
    assert figures.annual_return == pytest.approx(1.1286 ** (365 / 4) - 1)
    deviation = math.sqrt((0.0625**2 + 0.1375**2 + 0.1625**2 + 0.0875**2) / 3)
    assert figures.annual_volatility == pytest.approx(deviation * math.sqrt(365))
    assert figures.sharpe == pytest.approx(0.0375 / deviation * math.sqrt(365))
    assert figures.sortino == pytest.approx(0.0375 / math.sqrt((0.01 + 0.0025) / 4) * math.sqrt(365))
    assert figures.drawdown.depth == pytest.approx(0.1)
    assert figures.calmar == pytest.approx((1.1286 ** (365 / 4) - 1) / 0.1)
    assert not figures.ruined


def test_the_drawdown_names_peak_trough_and_recovery():
    drawdown = performance(result_of([110.0, 88.0, 99.0, 110.0, 109.0, 108.0])).strategy.drawdown
    assert drawdown.depth == pytest.approx(0.2)
    assert drawdown.peak_ms == START_MS + 1 * DAY_MS
    assert drawdown.trough_ms == START_MS + 2 * DAY_MS
    assert drawdown.recovery_ms == START_MS + 4 * DAY_MS
    assert (drawdown.candles, drawdown.days) == (3, 3.0)
    assert (drawdown.longest_candles, drawdown.longest_days) == (3, 3.0)


def test_the_longest_drawdown_may_be_another_than_the_deepest():
    drawdown = performance(result_of([110.0, 88.0, 111.0, 110.0, 110.5, 110.0, 110.9])).strategy.drawdown
    assert (drawdown.candles, drawdown.longest_candles) == (2, 4)


def test_a_drawdown_that_did_not_recover_lasts_to_the_end():
    drawdown = performance(result_of([110.0, 88.0, 99.0])).strategy.drawdown
    assert drawdown.recovery_ms is None
    assert drawdown.candles == 2


def test_a_fall_from_the_first_candle_counts_from_the_initial_capital():
    drawdown = performance(result_of([80.0, 90.0])).strategy.drawdown
    assert drawdown.depth == pytest.approx(0.2)
    assert drawdown.candles == 2
    assert drawdown.peak_ms == START_MS + DAY_MS


def test_no_trades_and_a_flat_equity_leave_ratios_undefined_but_nothing_not_a_number():
    measured = performance(result_of([100.0] * 5))
    assert measured.strategy.total_return == 0.0
    assert measured.strategy.annual_return == 0.0
    assert measured.strategy.annual_volatility == 0.0
    assert measured.strategy.sharpe is None
    assert measured.strategy.sortino is None
    assert measured.strategy.calmar is None
    assert measured.strategy.drawdown.peak_ms is None
    assert measured.trades.count == measured.trades.independent_count == 0
    assert measured.trades.win_rate is None
    assert measured.trades.profit_factor is None
    assert measured.exposure.time_in_market == 0.0
    json.dumps(measured.to_dict(), allow_nan=False)


def test_equal_growth_in_every_candle_has_no_sharpe_ratio():
    figures = performance(result_of(100 * 1.001 ** np.arange(1, 50))).strategy
    assert figures.annual_volatility == 0.0
    assert figures.sharpe is None


def test_one_candle_is_measured_as_far_as_it_can_be():
    measured = performance(result_of([101.0], exposure=[1.0], turnover=100.0))
    assert measured.candles == 1
    assert measured.strategy.total_return == pytest.approx(0.01)
    assert measured.strategy.annual_volatility is None
    assert measured.strategy.sharpe is None
    json.dumps(measured.to_dict(), allow_nan=False)


def test_an_annual_return_too_large_for_a_float_is_undefined():
    result = result_of([1000.0])
    figures = performance(BacktestResult(**{**vars(result), "candles_per_year": 35_064.0})).strategy
    assert figures.annual_return is None
    assert figures.calmar is None


def test_ruin_ends_the_returns_and_loses_everything_per_year():
    measured = performance(result_of([50.0, -5.0, 40.0, 400.0]))
    assert measured.strategy.ruined
    assert measured.strategy.total_return == pytest.approx(-1.05)
    assert measured.strategy.annual_return == -1.0
    assert measured.strategy.drawdown.depth == pytest.approx(1.05)
    assert measured.final_equity == -5.0
    assert len(path(np.array([50.0, -5.0, 40.0, 400.0]), 100.0).returns) == 2
    json.dumps(measured.to_dict(), allow_nan=False)


def test_trades_are_counted_by_hand():
    trades = pl.DataFrame(
        [
            trade(0, 2, 10.0, 0.10),
            trade(2, 3, -4.0, -0.04, "short"),
            trade(3, 6, 6.0, 0.06),
            trade(7, 8, -4.0, -0.02),
            trade(9, 9, 0.0, 0.0),
        ],
        schema=TRADE_SCHEMA,
    )
    figures = trade_figures(trades)
    assert (figures.count, figures.long_count, figures.short_count) == (5, 4, 1)
    assert figures.win_rate == pytest.approx(0.4)
    assert figures.profit_factor == pytest.approx(2.0)
    assert figures.average_win == pytest.approx(0.08)
    assert figures.average_loss == pytest.approx(-0.03)
    assert figures.average_return == pytest.approx(0.02)
    assert figures.average_candles_held == pytest.approx(1.4)
    assert (figures.largest_win, figures.largest_loss) == (10.0, -4.0)
    assert figures.independent_count == 5


def test_trades_that_overlap_in_time_are_not_independent():
    trades = pl.DataFrame([trade(0, 5, 1.0, 0.1), trade(1, 2, 1.0, 0.1), trade(2, 4, 1.0, 0.1)], schema=TRADE_SCHEMA)
    assert trade_figures(trades).independent_count == 2


def test_trades_that_only_win_have_no_profit_factor():
    figures = trade_figures(pl.DataFrame([trade(0, 5, 1.0, 0.1)], schema=TRADE_SCHEMA))
    assert figures.profit_factor is None
    assert figures.average_loss is None


def test_exposure_turnover_and_costs_are_measured_against_capital():
    measured = performance(
        result_of([100.0, 100.0, 100.0, 100.0], exposure=[0.0, 1.0, -0.5, 0.0], turnover=300.0, costs=(1.0, 2.0, -0.5))
    )
    assert measured.exposure.time_in_market == 0.5
    assert measured.exposure.mean_exposure == pytest.approx(0.125)
    assert measured.exposure.mean_absolute_exposure == pytest.approx(0.375)
    assert measured.exposure.turnover_per_year == pytest.approx(3.0 / 4 * 365)
    assert measured.costs.total == pytest.approx(2.5)
    assert measured.costs.fees_share == pytest.approx(0.01)
    assert measured.costs.total_share == pytest.approx(0.025)
    assert measured.costs.return_before_costs == pytest.approx(0.025)


def test_buy_and_hold_is_measured_in_the_same_way():
    measured = performance(result_of([100.0] * 3, benchmark=[110.0, 99.0, 120.0]))
    assert measured.benchmark == performance(result_of([110.0, 99.0, 120.0])).strategy


def test_an_empty_backtest_says_what_to_do():
    with pytest.raises(NotEnoughData) as caught:
        performance(result_of([]))
    assert str(caught.value) == (
        "The backtest holds no candle, so there is nothing to measure. Widen the test period or shorten the window."
    )


def test_an_equity_that_is_not_a_number_names_its_row():
    with pytest.raises(DataError) as caught:
        performance(result_of([100.0, math.nan]))
    assert str(caught.value) == (
        "Column 'equity' of the equity frame holds a value that is not a number at row 1. "
        "Run `triptych data check` on the candles the backtest read."
    )


def test_a_capital_of_zero_is_refused():
    with pytest.raises(DataError) as caught:
        performance(result_of([100.0], capital=0.0))
    assert str(caught.value) == (
        "A backtest needs an initial capital above zero, was 0.0. Set the capital of the recipe to a positive amount."
    )


def test_a_candle_that_closes_at_midnight_belongs_to_the_month_before():
    times = [datetime(2023, 1, 31, tzinfo=UTC), datetime(2023, 2, 1, tzinfo=UTC), datetime(2023, 2, 2, tzinfo=UTC)]
    frame = pl.DataFrame(
        {"time": times, "equity": [105.0, 110.0, 99.0], "benchmark": [100.0, 100.0, 120.0]},
        schema={name: EQUITY_SCHEMA[name] for name in ("time", "equity", "benchmark")},
    )
    months = monthly_returns(frame, 100.0)
    assert months.select("year", "month").rows() == [(2023, 1), (2023, 2)]
    assert months["return"].to_list() == pytest.approx([0.1, -0.1])
    assert months["benchmark"].to_list() == pytest.approx([0.0, 0.2])


def test_months_after_ruin_have_no_return():
    times = [datetime(2023, 1, 31, tzinfo=UTC), datetime(2023, 2, 10, tzinfo=UTC)]
    frame = pl.DataFrame(
        {"time": times, "equity": [-5.0, -5.0], "benchmark": [100.0, 100.0]},
        schema={name: EQUITY_SCHEMA[name] for name in ("time", "equity", "benchmark")},
    )
    assert monthly_returns(frame, 100.0)["return"].to_list() == [pytest.approx(-1.05), None]


equities = st.lists(st.floats(min_value=-50.0, max_value=1e6, allow_nan=False), min_size=1, max_size=40)


@settings(max_examples=150, deadline=None)
@given(equities)
def test_no_equity_gives_a_figure_that_json_cannot_hold(equity):
    figures = performance(result_of(equity)).to_dict()
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


@settings(max_examples=150, deadline=None)
@given(equities)
def test_the_drawdown_equals_that_of_a_plain_loop(equity):
    track = path(np.array(equity), 100.0).equity
    peak, depth, since, longest = track[0], 0.0, 0, 0
    for index, value in enumerate(track):
        if value >= peak:
            if index - since > 1:
                longest = max(longest, index - since)
            peak, since = value, index
        depth = max(depth, 1 - value / peak)
    if since != len(track) - 1:
        longest = max(longest, len(track) - 1 - since)
    found = deepest_drawdown(track, np.arange(len(track) - 1) * DAY_MS)
    assert found.depth == pytest.approx(depth)
    assert found.longest_candles == (longest if depth > 0 else 0)


@settings(max_examples=100, deadline=None)
@given(equities, st.floats(min_value=0.01, max_value=100.0))
def test_figures_do_not_depend_on_the_currency(equity, factor):
    times = np.arange(len(equity)) * DAY_MS
    plain = return_figures(path(np.array(equity), 100.0), times, 365.0)
    scaled = return_figures(path(np.array(equity) * factor, 100.0 * factor), times, 365.0)
    assert scaled.total_return == pytest.approx(plain.total_return)
    assert scaled.drawdown.depth == pytest.approx(plain.drawdown.depth)
