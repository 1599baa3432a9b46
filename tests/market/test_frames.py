import numpy as np
import polars as pl
import pytest
from tests.fakes.candles import make_series

from triptych.domain import Instrument, Timeframe
from triptych.domain.errors import CandleError, ColumnError
from triptych.market import SCHEMA, to_frame, to_panel, to_series

TIMES = 1_672_617_600_000 + 900_000 * np.arange(5)


def test_a_series_survives_the_way_to_a_frame_and_back():
    series = make_series(TIMES)
    frame = to_frame(series)
    assert dict(frame.schema) == SCHEMA
    back = to_series(frame, instrument=series.instrument, timeframe=series.timeframe)
    assert back.fingerprint() == series.fingerprint()
    assert back.values.flags.c_contiguous


def test_a_panel_stands_below_one_another_with_its_symbols():
    panel = to_panel([make_series(TIMES, symbol="A"), make_series(TIMES[:2], symbol="B")])
    assert panel["symbol"].to_list() == ["A"] * 5 + ["B"] * 2
    assert panel.columns == ["symbol", *SCHEMA]
    assert to_panel([]).columns == panel.columns


def test_a_frame_without_a_column_is_refused():
    frame = to_frame(make_series(TIMES)).drop("high", "volume")
    with pytest.raises(ColumnError) as caught:
        to_series(frame, instrument=Instrument(symbol="X"), timeframe=Timeframe.parse("15m"))
    assert str(caught.value) == (
        "X: a frame of candles needs the columns timestamp, open, high, low, close, volume; missing: high, volume. "
        "Read the source with `read_candles`, which recognises other names."
    )


def test_nulls_and_disorder_in_a_frame_are_refused():
    frame = to_frame(make_series(TIMES))
    holed = frame.with_columns(close=pl.lit(None, dtype=pl.Float64))
    options = {"instrument": Instrument(symbol="X"), "timeframe": Timeframe.parse("15m")}
    with pytest.raises(CandleError, match="holds NaN or a price that is not positive"):
        to_series(holed, **options)
    with pytest.raises(CandleError, match="is not later than the one before it"):
        to_series(frame.reverse(), **options)


def test_naive_times_are_read_as_utc():
    frame = to_frame(make_series(TIMES)).with_columns(pl.col("timestamp").dt.replace_time_zone(None))
    series = to_series(frame, instrument=Instrument(symbol="X"), timeframe=Timeframe.parse("15m"))
    assert series.open_time_ms.tolist() == TIMES.tolist()
