"""From the equity frame of a backtest to the arrays that every figure is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.backtest.result import BacktestResult
from triptych.domain.errors import DataError, NotEnoughData

RUIN = 1e-9
"""Share of the initial capital at or below which an account counts as ruined."""


@dataclass(frozen=True, kw_only=True)
class Path:
    """One equity curve in quote currency, with the capital it started from in front.

    Attributes:
        equity: float64 of shape (n + 1,): the initial capital, then the equity at each candle's close. After ruin
            (a billionth of the capital or less) it stays where ruin left it: nobody trades on without capital.
        returns: float64 of shape (n_traded,): simple return of each candle up to and including the one of ruin.
        ruined: whether the equity fell to a billionth of the capital or less.
    """

    equity: NDArray[np.float64]
    returns: NDArray[np.float64]
    ruined: bool


def path(values: NDArray[np.float64], initial_capital: float) -> Path:
    """The path of an equity curve of shape (n,) that started from `initial_capital`."""
    equity = np.concatenate([[initial_capital], values])
    dead = np.flatnonzero(equity <= RUIN * initial_capital)
    stop = int(dead[0]) if dead.size else len(equity) - 1
    equity[stop:] = equity[stop]
    alive = equity[: stop + 1]
    return Path(equity=equity, returns=alive[1:] / alive[:-1] - 1.0, ruined=bool(dead.size))


def strategy_path(result: BacktestResult) -> Path:
    """The strategy's own equity. Raises NotEnoughData without a candle and DataError on values that are not numbers."""
    return path(_column(result, "equity"), result.initial_capital)


def benchmark_path(result: BacktestResult) -> Path:
    """Buy-and-hold with the same capital and costs. Raises as `strategy_path` does."""
    return path(_column(result, "benchmark"), result.initial_capital)


def close_times(result: BacktestResult) -> NDArray[np.int64]:
    """Close times in UTC milliseconds, int64 of shape (n,)."""
    return result.equity["time"].dt.epoch("ms").to_numpy().astype(np.int64)


def exposure(result: BacktestResult) -> NDArray[np.float64]:
    """Signed notional / equity at each close, float64 of shape (n,). Raises as `strategy_path` does."""
    return _column(result, "exposure")


def _column(result: BacktestResult, name: str) -> NDArray[np.float64]:
    if not result.initial_capital > 0:
        raise DataError(
            f"A backtest needs an initial capital above zero, was {result.initial_capital}.",
            remedy="Set the capital of the recipe to a positive amount.",
        )
    if result.equity.height == 0:
        raise NotEnoughData(
            "The backtest holds no candle, so there is nothing to measure.",
            remedy="Widen the test period or shorten the window.",
        )
    values = result.equity[name].cast(pl.Float64).to_numpy().astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise DataError(
            f"Column {name!r} of the equity frame holds a value that is not a number at row {int(bad[0])}.",
            remedy="Run `triptych data check` on the candles the backtest read.",
        )
    return values
