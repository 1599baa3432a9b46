"""Funding rates at home: one Parquet file beside the candles of an instrument, merged without loss.

ROOT/VENUE/SYMBOL/funding.parquet        timestamp (UTC, ms), rate (fraction of the notional, longs pay shorts)
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from triptych.domain import FundingRate
from triptych.domain.errors import StorageError
from triptych.domain.files import write_bytes
from triptych.market.files import to_file_name
from triptych.market.frames import TIME_TYPE, TIMESTAMP

_SCHEMA: Final = {TIMESTAMP: TIME_TYPE, "rate": pl.Float64()}


def read_funding(root: Path, venue: str, symbol: str) -> pl.DataFrame:
    """Columns timestamp and rate in time order; empty when nothing is stored. Raises StorageError for a damaged one."""
    path = _path(root, venue, symbol)
    return read_funding_file(path) if path.exists() else pl.DataFrame(schema=_SCHEMA)


def read_funding_file(path: Path) -> pl.DataFrame:
    """Columns timestamp and rate of one file, in time order. Raises StorageError where it cannot be read."""
    try:
        return (
            pl.read_parquet(path, columns=list(_SCHEMA), glob=False)
            .cast({TIMESTAMP: TIME_TYPE, "rate": pl.Float64()})
            .sort(TIMESTAMP)
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StorageError(
            f"{path} cannot be read: {str(error).splitlines()[0]}.", remedy="Delete it and fetch the rates again."
        ) from error


def merge_funding(root: Path, venue: str, symbol: str, rates: Sequence[FundingRate]) -> int:
    """Add rates to what is stored; a time that is stored already keeps its rate. Returns how many were new.

    Raises StorageError when the disk refuses.
    """
    stored = read_funding(root, venue, symbol)
    rows = {TIMESTAMP: [one.time_ms for one in rates], "rate": [float(one.rate) for one in rates]}
    fresh = (
        pl.DataFrame(rows, schema={TIMESTAMP: pl.Int64(), "rate": pl.Float64()})
        .with_columns(pl.col(TIMESTAMP).cast(TIME_TYPE))
        .unique(TIMESTAMP, keep="first", maintain_order=True)
        .join(stored, on=TIMESTAMP, how="anti")
    )
    if fresh.height:
        buffer = io.BytesIO()
        pl.concat([stored, fresh]).sort(TIMESTAMP).rechunk().write_parquet(buffer, compression="zstd")
        write_bytes(_path(root, venue, symbol), buffer.getvalue())
    return fresh.height


def _path(root: Path, venue: str, symbol: str) -> Path:
    return root / to_file_name(venue) / to_file_name(symbol) / "funding.parquet"
