"""Figures of a backtest: what it earned, what it risked, what it paid, beside buy-and-hold.

A figure that does not exist for the data at hand (a Sharpe ratio of a flat line, a profit factor without a loss) is
None, never NaN or infinity. Returns are simple returns per candle, annualised by `BacktestResult.candles_per_year`;
the first one counts from the initial capital. Shares are fractions: 0.05 means 5 %.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.backtest.paths import Path, benchmark_path, close_times, exposure, strategy_path
from triptych.backtest.result import BacktestResult

DAY_MS = 86_400_000
IN_MARKET = 1e-9
"""Absolute exposure above which a candle counts as spent in the market."""


@dataclass(frozen=True, kw_only=True)
class Drawdown:
    """The deepest fall of an equity curve from a peak; times are UTC milliseconds of candle closes.

    Attributes:
        depth: share of the peak that was lost, 0 when the curve never fell; above 1 when ruin left a debt.
        peak_ms, trough_ms: where it began and was deepest; None when there was no fall.
        recovery_ms: when the peak was reached again, None if it was not.
        candles, days: length from the peak to the recovery, or to the end without one.
        longest_candles, longest_days: length of the longest stay below a peak, which may be another one.
    """

    depth: float
    peak_ms: int | None
    trough_ms: int | None
    recovery_ms: int | None
    candles: int
    days: float
    longest_candles: int
    longest_days: float


@dataclass(frozen=True, kw_only=True)
class ReturnFigures:
    """Return and risk of one equity curve.

    Attributes:
        total_return: last equity / initial capital - 1; below -1 when ruin left a debt.
        annual_return: geometric, per year; -1 after ruin; None where the power overflows (a few candles, blown up).
        annual_volatility: standard deviation (n - 1) of the returns per year; None below two candles.
        sharpe: mean / standard deviation of the returns, per year, without a risk-free rate; None on a flat curve.
        sortino: mean / root mean square of the losing returns (over all candles), per year; None without a loss.
        calmar: annual_return / depth of the deepest drawdown; None without a drawdown.
        drawdown: the deepest fall and its length.
        ruined: whether the equity reached zero or less. Returns after that are left out.
    """

    total_return: float
    annual_return: float | None
    annual_volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    drawdown: Drawdown
    ruined: bool


@dataclass(frozen=True, kw_only=True)
class TradeFigures:
    """Round trips. Money in quote currency after fees and funding, returns as a share of the entry notional.

    Attributes:
        count, long_count, short_count: number of round trips.
        independent_count: the most round trips that do not overlap in time, over all instruments.
        win_rate: share with a profit above zero; None without a trade.
        profit_factor: sum of profits / sum of losses; None without a loss.
        average_win, average_loss: mean return of winners and of losers (a negative number); None without one.
        average_return: mean return; None without a trade.
        average_candles_held: mean holding time in candles; None without a trade.
        largest_win, largest_loss: extreme profits in quote currency; None without one.
    """

    count: int
    long_count: int
    short_count: int
    independent_count: int
    win_rate: float | None
    profit_factor: float | None
    average_win: float | None
    average_loss: float | None
    average_return: float | None
    average_candles_held: float | None
    largest_win: float | None
    largest_loss: float | None


@dataclass(frozen=True, kw_only=True)
class ExposureFigures:
    """How much of the capital was at work, measured at candle closes.

    Attributes:
        time_in_market: share of candles that closed with a position.
        mean_exposure: mean signed notional / equity; its sign shows a long or short bias.
        mean_absolute_exposure: mean unsigned notional / equity.
        turnover_per_year: traded notional (both sides) per year, in multiples of the mean equity; None after an
            equity that was zero or less on average.
    """

    time_in_market: float
    mean_exposure: float
    mean_absolute_exposure: float
    turnover_per_year: float | None


@dataclass(frozen=True, kw_only=True)
class CostFigures:
    """What trading cost, in quote currency; the shares are of the initial capital. Funding is positive when paid.

    `return_before_costs` is the total return with all costs added back, without reinvesting them.
    """

    fees: float
    spread_slippage: float
    funding: float
    total: float
    fees_share: float
    spread_slippage_share: float
    funding_share: float
    total_share: float
    return_before_costs: float


@dataclass(frozen=True, kw_only=True)
class Performance:
    """All figures of a backtest. `years` is candles / candles_per_year; times are UTC milliseconds of closes."""

    candles: int
    years: float
    start_ms: int
    end_ms: int
    initial_capital: float
    final_equity: float
    strategy: ReturnFigures
    benchmark: ReturnFigures
    trades: TradeFigures
    exposure: ExposureFigures
    costs: CostFigures

    def to_dict(self) -> dict[str, Any]:
        """Nested plain dictionaries, ready for JSON."""
        return asdict(self)


def performance(result: BacktestResult) -> Performance:
    """Measure a backtest.

    Raises NotEnoughData without a candle, DataError when equity, benchmark or exposure hold NaN or the initial
    capital is not positive.
    """
    own, market, times = strategy_path(result), benchmark_path(result), close_times(result)
    years = len(times) / result.candles_per_year
    return Performance(
        candles=len(times),
        years=years,
        start_ms=int(times[0]),
        end_ms=int(times[-1]),
        initial_capital=float(result.initial_capital),
        final_equity=float(own.equity[-1]),
        strategy=return_figures(own, times, result.candles_per_year),
        benchmark=return_figures(market, times, result.candles_per_year),
        trades=trade_figures(result.trades),
        exposure=_exposure_figures(result, own, years),
        costs=_cost_figures(result, own),
    )


def return_figures(path: Path, times_ms: NDArray[np.int64], candles_per_year: float) -> ReturnFigures:
    """Figures of one path whose candles closed at `times_ms`, int64 of shape (n,)."""
    returns = path.returns
    total = float(path.equity[-1] / path.equity[0] - 1.0)
    growth = math.log1p(total) * candles_per_year / len(times_ms) if total > -1 else None
    annual = -1.0 if growth is None else (math.expm1(growth) if growth < 700 else None)
    deviation = standard_deviation(returns)
    downside = float(np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2)))
    scale = math.sqrt(candles_per_year)
    drawdown = deepest_drawdown(path.equity, times_ms)
    mean = float(returns.mean())
    return ReturnFigures(
        total_return=total,
        annual_return=annual,
        annual_volatility=None if deviation is None else deviation * scale,
        sharpe=mean / deviation * scale if deviation else None,
        sortino=mean / downside * scale if downside > 0 else None,
        calmar=annual / drawdown.depth if annual is not None and drawdown.depth > 0 else None,
        drawdown=drawdown,
        ruined=path.ruined,
    )


def standard_deviation(returns: NDArray[np.float64]) -> float | None:
    """Sample standard deviation; exactly 0 where only rounding differs; None below two values."""
    if len(returns) < 2:
        return None
    deviation = float(returns.std(ddof=1))
    # equal growth in every candle leaves rounding errors of 1e-16, which would give a Sharpe ratio of 1e13
    return deviation if deviation > 1e-12 else 0.0


def deepest_drawdown(equity: NDArray[np.float64], times_ms: NDArray[np.int64]) -> Drawdown:
    """The deepest fall of an equity path of shape (n + 1,) whose first value stands before the first of n candles."""
    times = np.concatenate([times_ms[:1], times_ms])
    peaks = np.maximum.accumulate(equity)
    depths = 1.0 - equity / peaks
    starts = np.maximum.accumulate(np.where(equity >= peaks, np.arange(len(equity)), 0))
    longest = int(np.argmax(np.arange(len(equity)) - starts))
    # the candle that reaches the peak again ends the stay below it and belongs to its length
    longest_end = longest + 1 if longest + 1 < len(equity) and longest > starts[longest] else longest
    trough = int(np.argmax(depths))
    if depths[trough] <= 0:
        return Drawdown(
            depth=0.0, peak_ms=None, trough_ms=None, recovery_ms=None,
            candles=0, days=0.0, longest_candles=0, longest_days=0.0,
        )  # fmt: skip
    peak = int(starts[trough])
    after = np.flatnonzero(equity[trough:] >= equity[peak])
    end = trough + int(after[0]) if after.size else len(equity) - 1
    return Drawdown(
        depth=float(depths[trough]),
        peak_ms=int(times[peak]),
        trough_ms=int(times[trough]),
        recovery_ms=int(times[end]) if after.size else None,
        candles=end - peak,
        days=float(times[end] - times[peak]) / DAY_MS,
        longest_candles=longest_end - int(starts[longest]),
        longest_days=float(times[longest_end] - times[starts[longest]]) / DAY_MS,
    )


def trade_figures(trades: pl.DataFrame) -> TradeFigures:
    """Figures of a frame of round trips with TRADE_SCHEMA."""
    profit, returns = trades["profit"], trades["return"]
    wins, losses = trades.filter(profit > 0), trades.filter(profit < 0)
    lost = -float(losses["profit"].sum())
    return TradeFigures(
        count=trades.height,
        long_count=trades.filter(pl.col("side") == "long").height,
        short_count=trades.filter(pl.col("side") == "short").height,
        independent_count=_independent(trades),
        win_rate=wins.height / trades.height if trades.height else None,
        profit_factor=float(wins["profit"].sum()) / lost if lost > 0 else None,
        average_win=_mean(wins["return"]),
        average_loss=_mean(losses["return"]),
        average_return=_mean(returns),
        average_candles_held=_mean(trades["candles_held"]),
        largest_win=_number(wins["profit"].max()),
        largest_loss=_number(losses["profit"].min()),
    )


def _independent(trades: pl.DataFrame) -> int:
    """Greedy choice of disjoint intervals by earliest end, which is the largest possible number of them."""
    count, last_exit = 0, -math.inf
    ordered = trades.select(pl.col("entry_time").dt.epoch("ms"), pl.col("exit_time").dt.epoch("ms")).sort("exit_time")
    for entry, leave in ordered.iter_rows():
        if entry >= last_exit and leave > last_exit:
            count, last_exit = count + 1, leave
    return count


def _exposure_figures(result: BacktestResult, own: Path, years: float) -> ExposureFigures:
    values = exposure(result)
    mean_equity = float(own.equity.mean())
    turnover = float(result.equity["turnover"][-1])
    return ExposureFigures(
        time_in_market=float(np.mean(np.abs(values) > IN_MARKET)),
        mean_exposure=float(values.mean()),
        mean_absolute_exposure=float(np.abs(values).mean()),
        turnover_per_year=turnover / mean_equity / years if mean_equity > 0 else None,
    )


def _cost_figures(result: BacktestResult, own: Path) -> CostFigures:
    fees, spread, funding = (float(result.equity[name][-1]) for name in ("fees", "spread_slippage", "funding"))
    total, capital = fees + spread + funding, result.initial_capital
    return CostFigures(
        fees=fees,
        spread_slippage=spread,
        funding=funding,
        total=total,
        fees_share=fees / capital,
        spread_slippage_share=spread / capital,
        funding_share=funding / capital,
        total_share=total / capital,
        return_before_costs=float(own.equity[-1] + total) / capital - 1.0,
    )


def _mean(values: pl.Series) -> float | None:
    return _number(values.mean()) if len(values) else None


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
