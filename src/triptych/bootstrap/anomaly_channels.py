"""What `triptych anomaly run` and `channels` read of files: candles, or one table of closes, as rows of channels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from triptych.bootstrap.anomalies import Rows, read_rows, write_frame
from triptych.bootstrap.anomaly_extras import funding_of, with_extras
from triptych.domain.errors import ColumnError, DataError, NotEnoughData
from triptych.features.channels import market_channels
from triptych.market import read_candles
from triptych.settings.study import Channels, Study


def write_channels(study: Study, files: Sequence[Path], out: Path) -> pl.DataFrame:
    """The rows that a study reads, with their times, as `anomaly fit`, `score` and `watch` take them, into a file.

    Raises what `read_channels` raises, StorageError when the disk refuses.
    """
    columns, values, times = read_channels(study.channels, files)
    frame = pl.DataFrame(values, schema=list(columns)).fill_nan(None)
    stamped = frame.with_columns(pl.Series("time", times.astype("datetime64[ms]")))
    write_frame(out, stamped)
    return stamped


def read_channels(
    config: Channels, files: Sequence[Path]
) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.int64]]:
    """Names, values (n_rows, channels) and times of the rows (closes of candles, UTC milliseconds).

    Values of the order book and of funding are NaN where they were not known.

    Raises RecipeError where `extras` ask for what no file is named for, and DataError and its kinds for files that do
    not fit the candles.
    """
    if config.read == "closes":
        return _closes(config, files)
    series = {one.symbol: one for path in files for one in read_candles(path).series}
    wanted = config.columns or tuple(series)
    missing = [symbol for symbol in wanted if symbol not in series]
    if missing:
        raise DataError(
            f"There are no candles of {', '.join(missing)}; the files hold {', '.join(series)}.",
            remedy="Bring their files too, or choose others: --set 'channels.columns=[\"...\"]'.",
        )
    timeframes = {str(series[symbol].timeframe) for symbol in wanted}
    if len(timeframes) > 1:
        raise DataError(
            f"The instruments have different timeframes: {', '.join(sorted(timeframes))}.",
            remedy="Bring files of one timeframe.",
        )
    chosen = [series[symbol] for symbol in wanted]
    made = market_channels(with_extras(config, chosen), config.extras, funding=funding_of(config, wanted))
    return made.columns, made.values, made.close_time_ms


def _closes(config: Channels, files: Sequence[Path]) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.int64]]:
    if len(files) != 1:
        raise DataError(f"Closes are read from one table, {len(files)} files were given.", remedy="Bring one file.")
    frame, _ = read_rows(files[0], Rows())
    time = next((name for name, kind in frame.schema.items() if kind.is_temporal()), None)
    if time is None:
        raise ColumnError(f"{files[0]} has no column of times.", remedy="Bring one, such as timestamp.")
    columns = config.columns or tuple(name for name, kind in frame.schema.items() if kind.is_numeric())
    unknown = [name for name in columns if name not in frame.columns]
    if unknown:
        raise ColumnError(
            f"{files[0]} has no column {unknown[0]!r}.", remedy=f"Its columns are {', '.join(frame.columns)}."
        )
    whole = frame.select(time, *columns).drop_nulls().filter(pl.all_horizontal(pl.col(n) > 0 for n in columns))
    closes = whole.select(pl.col(columns).cast(pl.Float64)).to_numpy()
    if len(closes) < 2:
        raise NotEnoughData(f"{files[0]} has {len(closes)} rows in which all columns hold a price.")
    times = whole[time].cast(pl.Datetime("ms")).to_physical().to_numpy()
    return columns, np.diff(np.log(closes), axis=0), times[1:].astype(np.int64)
