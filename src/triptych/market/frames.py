"""The canonical frame of candles and its two-way bridge to `CandleSeries`.

A canonical frame has the columns `timestamp` (Datetime in ms, UTC: when the candle opens), `open`, `high`, `low`,
`close` and `volume` (Float64). A panel adds `symbol` in front.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import polars as pl

from triptych.domain import CANDLE_FIELDS, CandleSeries, Instrument, Timeframe
from triptych.domain.errors import ColumnError

TIMESTAMP: Final = "timestamp"
SYMBOL: Final = "symbol"
TIME_TYPE: Final = pl.Datetime("ms", "UTC")
SCHEMA: Final[dict[str, pl.DataType]] = {TIMESTAMP: TIME_TYPE, **dict.fromkeys(CANDLE_FIELDS, pl.Float64())}
"""Columns and types of a canonical frame, in order."""


def to_frame(series: CandleSeries) -> pl.DataFrame:
    """The candles as a canonical frame, one row per candle."""
    times = pl.Series(TIMESTAMP, np.asarray(series.open_time_ms, dtype=np.int64)).cast(TIME_TYPE)
    fields = [pl.Series(name, np.ascontiguousarray(series.values[:, i])) for i, name in enumerate(CANDLE_FIELDS)]
    return pl.DataFrame([times, *fields])


def to_panel(series: Iterable[CandleSeries]) -> pl.DataFrame:
    """Several instruments below one another: `symbol` and the canonical columns. One row per candle and symbol."""
    parts = [to_frame(one).select(pl.lit(one.symbol).alias(SYMBOL), pl.all()) for one in series]
    return pl.concat(parts) if parts else pl.DataFrame(schema={SYMBOL: pl.String(), **SCHEMA})


def to_series(frame: pl.DataFrame, *, instrument: Instrument, timeframe: Timeframe) -> CandleSeries:
    """The rows of a canonical frame as a series; other columns are left behind.

    Raises ColumnError when a column is missing and CandleError when a row breaks the rules of a series (disorder, NaN).
    """
    missing = [name for name in SCHEMA if name not in frame.columns]
    if missing:
        raise ColumnError(
            f"{instrument.symbol}: a frame of candles needs the columns {', '.join(SCHEMA)}; missing: "
            f"{', '.join(missing)}.",
            remedy="Read the source with `read_candles`, which recognises other names.",
        )
    times = frame[TIMESTAMP]
    if isinstance(times.dtype, pl.Datetime) and times.dtype.time_zone is None:
        times = times.dt.replace_time_zone("UTC")
    values = np.empty((frame.height, len(CANDLE_FIELDS)))
    for i, name in enumerate(CANDLE_FIELDS):
        values[:, i] = frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return CandleSeries(
        instrument=instrument,
        timeframe=timeframe,
        open_time_ms=times.cast(TIME_TYPE).cast(pl.Int64).to_numpy().astype(np.int64, copy=True),
        values=values,
    )
