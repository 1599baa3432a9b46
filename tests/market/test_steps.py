from datetime import datetime

import numpy as np
import polars as pl
import pytest
from tests.fakes.dialects import START_MS, three_candles

from triptych.domain.errors import DataError
from triptych.market import read_candles


def _daily(times: list[datetime]) -> pl.DataFrame:
    return pl.DataFrame({"date": times, "open": 1.0, "high": 2.0, "low": 1.0, "close": 2.0, "volume": 1.0})


def test_the_commonest_step_is_the_timeframe():
    weekdays = [datetime(2023, 1, day) for day in range(2, 31) if datetime(2023, 1, day).weekday() < 5]
    assert str(read_candles(_daily(weekdays)).one().timeframe) == "1d"
    weeks = [datetime(2023, 1, day) for day in (2, 9, 16, 23, 30)]
    assert str(read_candles(_daily(weeks)).one().timeframe) == "1w"


def test_months_are_refused():
    months = [datetime(2023, month, 1) for month in range(1, 13)]
    with pytest.raises(DataError) as caught:
        read_candles(_daily(months))
    assert str(caught.value) == (
        "polars frame: the candles are 31 days apart; months and quarters have no fixed length. "
        "Bring weekly candles or shorter ones."
    )


def test_a_single_candle_needs_its_timeframe_said(tmp_path):
    with pytest.raises(DataError) as caught:
        read_candles(three_candles().head(1))
    assert str(caught.value) == (
        "polars frame: the timeframe cannot be told from a single candle. "
        "Say the timeframe: `--timeframe 15m`, in Python timeframe='15m'."
    )
    assert str(read_candles(three_candles().head(1), timeframe="15m").one().timeframe) == "15m"


def test_ticks_are_not_candles():
    times = (START_MS + np.cumsum(np.arange(1, 60) * 137)).tolist()
    frame = pl.DataFrame({"timestamp": times, "open": 1.0, "high": 2.0, "low": 1.0, "close": 2.0, "volume": 1.0})
    with pytest.raises(DataError, match="these look like ticks or snapshots, not candles"):
        read_candles(frame)


def test_a_timeframe_longer_than_the_steps_is_refused():
    with pytest.raises(DataError) as caught:
        read_candles(three_candles(), timeframe="1h")
    assert str(caught.value) == (
        "polars frame: the candles are 15m apart, not 1h. Import them as 15m and resample them to 1h."
    )
