"""Backtest results made by hand: what statistics, luck, verdict and report are tested on."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from triptych.backtest.result import (
    DECISION_SCHEMA,
    EQUITY_SCHEMA,
    FILL_SCHEMA,
    TRADE_SCHEMA,
    BacktestResult,
)

START_MS = 1_672_531_200_000  # 2023-01-01 00:00 UTC
HOUR_MS = 3_600_000
MakeResult = Callable[..., BacktestResult]


def simulated_result(
    market: NDArray[np.float64],
    exposure: NDArray[np.float64],
    *,
    cost_rate: float = 0.0,
    capital: float = 10_000.0,
    candles_per_year: float = 8766.0,
    step_ms: int = HOUR_MS,
    symbol: str = "TEST",
) -> BacktestResult:
    """Exposure `exposure[t]` held through candle t of a market with simple returns `market[t]`, both of shape (n,)."""
    n = len(market)
    change = np.abs(np.diff(exposure, prepend=0.0))
    equity = capital * np.cumprod(1 + exposure * market - cost_rate * change)
    before = np.concatenate([[capital], equity[:-1]])
    times = START_MS + step_ms * np.arange(1, n + 1)
    price = 100 * np.cumprod(1 + market)
    frame = pl.DataFrame(
        {
            "time": times,
            "equity": equity,
            "exposure": exposure,
            "benchmark": capital * np.cumprod(1 + market),
            "fees": np.cumsum(cost_rate * change * before),
            "spread_slippage": np.zeros(n),
            "funding": np.zeros(n),
            "turnover": np.cumsum(change * before),
        },
        schema_overrides=EQUITY_SCHEMA,
    )
    edges = np.flatnonzero(np.diff(np.sign(exposure), prepend=0.0, append=0.0))
    rows = []
    for start, stop in pairwise(edges):
        side = np.sign(exposure[start])
        if side == 0:
            continue
        entry = 100.0 if start == 0 else float(price[start - 1])
        leave = float(price[stop - 1])
        gain = float(side * (leave / entry - 1) - 2 * cost_rate)
        notional = float(abs(exposure[start]) * before[start])
        rows.append(
            {
                "symbol": symbol,
                "side": "long" if side > 0 else "short",
                "quantity": notional / entry,
                "entry_time": int(START_MS + step_ms * start),
                "entry_price": entry,
                "exit_time": int(START_MS + step_ms * stop),
                "exit_price": leave,
                "profit": gain * notional,
                "return": gain,
                "fees": 2 * cost_rate * notional,
                "candles_held": int(stop - start),
                "exit_reason": "order",
            }
        )
    return BacktestResult(
        equity=frame,
        trades=pl.DataFrame(rows, schema=TRADE_SCHEMA),
        fills=pl.DataFrame(schema=FILL_SCHEMA),
        decisions=pl.DataFrame(schema=DECISION_SCHEMA),
        initial_capital=capital,
        candles_per_year=candles_per_year,
    )


@pytest.fixture
def make_result() -> MakeResult:
    """`simulated_result`, as a fixture because test folders are not packages."""
    return simulated_result
