"""What a backtest leaves behind: frames that statistics, report and parity checks read."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

TIME = pl.Datetime("ms", "UTC")

EQUITY_SCHEMA = {
    "time": TIME,  # close time of the candle
    "equity": pl.Float64,  # quote currency, positions marked at the close
    "exposure": pl.Float64,  # signed notional of all positions / equity
    "benchmark": pl.Float64,  # equity of buy-and-hold of the same instruments, same capital, same costs
    "fees": pl.Float64,  # cumulated, quote currency
    "spread_slippage": pl.Float64,  # cumulated, quote currency
    "funding": pl.Float64,  # cumulated, quote currency, positive when paid
    "turnover": pl.Float64,  # cumulated traded notional, quote currency
}
TRADE_SCHEMA = {
    "symbol": pl.String,
    "side": pl.String,  # "long" or "short"
    "quantity": pl.Float64,
    "entry_time": TIME,
    "entry_price": pl.Float64,
    "exit_time": TIME,
    "exit_price": pl.Float64,
    "profit": pl.Float64,  # quote currency, after fees and funding
    "return": pl.Float64,  # profit / entry notional
    "fees": pl.Float64,
    "candles_held": pl.Int64,
    "exit_reason": pl.String,  # a FillReason, or "end" when the tape ended with the position open
}
FILL_SCHEMA = {
    "time": TIME,
    "symbol": pl.String,
    "order_id": pl.String,
    "side": pl.String,
    "quantity": pl.Float64,
    "price": pl.Float64,
    "fee": pl.Float64,
    "reason": pl.String,
}
DECISION_SCHEMA = {
    "time": TIME,  # close time of the candle decided on
    "symbol": pl.String,
    "probability_sell": pl.Float64,
    "probability_hold": pl.Float64,
    "probability_buy": pl.Float64,
    "target": pl.Float64,
    "reason": pl.String,
    "votes": pl.List(  # of the members of a consensus; null for the prediction of one model
        pl.Struct({"model": pl.String, "sell": pl.Float64, "hold": pl.Float64, "buy": pl.Float64})
    ),
}
GUARD_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "time": TIME,  # close time of the candle at which the guard acted
    "symbol": pl.String,
    "action": pl.String,  # "reduce", "block", "flatten" or "release"
    "score": pl.Float64,
    "threshold": pl.Float64,
    "reason": pl.String,
}


@dataclass(frozen=True, kw_only=True)
class BacktestResult:
    """Frames with the schemas above, in time order."""

    equity: pl.DataFrame
    trades: pl.DataFrame
    fills: pl.DataFrame
    decisions: pl.DataFrame
    initial_capital: float
    candles_per_year: float
    guard: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=GUARD_SCHEMA))
