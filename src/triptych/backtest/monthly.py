"""Returns by calendar month, of the strategy and of buy-and-hold."""

from __future__ import annotations

import polars as pl


def monthly_returns(equity: pl.DataFrame, initial_capital: float) -> pl.DataFrame:
    """Returns of every month that the equity frame touches.

    A candle belongs to the month in which it was open: the one that closes at midnight of the first counts for the
    month before. A month's return goes from the last close before it to its own last close.

    Args:
        equity: frame with EQUITY_SCHEMA, in time order.
        initial_capital: what both curves started from, in quote currency.

    Returns:
        Frame with year, month (1-12), `return` and `benchmark` as fractions, in time order. Null where the curve
        stood at zero or less before the month: there was nothing left to earn on.
    """
    ends = (
        equity.select(
            (pl.col("time") - pl.duration(milliseconds=1)).dt.year().alias("year"),
            (pl.col("time") - pl.duration(milliseconds=1)).dt.month().cast(pl.Int32).alias("month"),
            "equity",
            "benchmark",
        )
        .group_by("year", "month", maintain_order=True)
        .agg(pl.col("equity", "benchmark").last())
    )
    return ends.select(
        "year", "month", _growth("equity", initial_capital).alias("return"), _growth("benchmark", initial_capital)
    )


def _growth(column: str, initial_capital: float) -> pl.Expr:
    before = pl.col(column).shift(1, fill_value=initial_capital)
    return pl.when(before > 0).then(pl.col(column) / before - 1.0)
