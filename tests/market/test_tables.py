import subprocess
import sys

import pandas as pd
import polars as pl
import pytest
from tests.fakes.dialects import ISO, TIMES, VALUES, assert_three_candles, text_rows, three_candles, write_text

from triptych.domain.errors import DataError, StorageError
from triptych.market import read_candles
from triptych.market.tables import open_table


@pytest.mark.parametrize("kind", ["parquet", "feather", "lazy", "arrow", "frame"])
def test_parquet_feather_and_frames_are_read(tmp_path, kind):
    frame = three_candles().with_columns(
        pl.col("timestamp").cast(pl.Datetime("ms", "UTC")), pl.col("volume").cast(pl.Float32)
    )
    source: object = frame
    if kind == "parquet":
        frame.write_parquet(source := tmp_path / "BTCUSDT_15m.parquet")
    elif kind == "feather":
        frame.write_ipc(source := tmp_path / "BTC_USDT_USDT-15m-futures.feather")
    elif kind == "lazy":
        source = frame.lazy()
    elif kind == "arrow":
        source = frame.to_arrow()
    result = read_candles(source, venue="binance")
    assert_three_candles(result)
    assert result.one().instrument.venue == "binance"


@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_a_pandas_frame_with_a_datetime_index_is_read(zone):
    index = pd.DatetimeIndex(pd.to_datetime(TIMES, unit="ms", utc=True))
    index = index.tz_localize(None) if zone is None else index.tz_convert(zone)
    frame = pd.DataFrame(VALUES, columns=["Open", "High", "Low", "Close", "Volume"], index=index)
    assert_three_candles(read_candles(frame, symbol="AAPL"))
    assert read_candles(frame, symbol="AAPL").one().symbol == "AAPL"


def test_a_pandas_frame_with_a_named_index_or_a_plain_one_is_read():
    frame = pd.DataFrame(VALUES, columns=["open", "high", "low", "close", "volume"])
    frame.insert(0, "date", pd.to_datetime(TIMES, unit="ms"))
    assert_three_candles(read_candles(frame))
    assert_three_candles(read_candles(frame.set_index("date")))
    assert_three_candles(read_candles(frame.iloc[[2, 0, 1]]))  # an index of numbers out of order is no time
    periods = frame.drop(columns="date").set_index(pd.period_range("2023-01-02", periods=3, freq="15min"))
    assert_three_candles(read_candles(periods))


def test_a_pandas_frame_with_columns_of_field_and_ticker_is_read():
    columns = pd.MultiIndex.from_product([["Open", "High", "Low", "Close", "Volume"], ["GOOG"]])
    frame = pd.DataFrame(VALUES, columns=columns, index=pd.to_datetime(TIMES, unit="ms"))
    assert read_candles(frame).one().symbol == "GOOG"
    swapped = frame.swaplevel(axis=1)
    assert read_candles(swapped).one().symbol == "GOOG"
    two = pd.concat([frame, frame.rename(columns={"GOOG": "AAPL"})], axis=1)
    with pytest.raises(DataError, match="several tickers stand side by side: AAPL, GOOG"):
        read_candles(two)


def test_pandas_is_not_imported_for_other_sources(tmp_path):
    path = write_text(tmp_path, "time,open,high,low,close,volume\n" + text_rows(ISO))
    code = "import sys, triptych.market as m; m.read_candles(sys.argv[1]); print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_other_objects_are_refused():
    with pytest.raises(DataError) as caught:
        read_candles(object())
    assert str(caught.value) == (
        "Candles cannot be read from builtins.object. "
        "Bring a path to CSV, Parquet or Feather, or a frame of pandas, Polars or Arrow."
    )


def test_missing_empty_and_foreign_files_are_clear_errors(tmp_path):
    with pytest.raises(DataError) as caught:
        read_candles(tmp_path / "no.csv")
    assert str(caught.value) == f"There is no file {tmp_path / 'no.csv'}. Check the path."
    with pytest.raises(DataError) as caught:
        read_candles(tmp_path)
    assert str(caught.value) == f"{tmp_path} is a folder. Name one file."
    with pytest.raises(DataError, match=r"empty.csv: the file is empty\."):
        read_candles(write_text(tmp_path, "\n", "empty.csv"))
    with pytest.raises(DataError, match=r"x_1h.csv: there are no candles in it\."):
        read_candles(write_text(tmp_path, "time,open,high,low,close,volume\n", "x_1h.csv"))
    (tmp_path / "x.bin").write_bytes(bytes(range(256)) * 4)
    with pytest.raises(DataError, match=r"x.bin: this is neither text nor Parquet nor Feather\."):
        read_candles(tmp_path / "x.bin")
    (tmp_path / "x.parquet").write_bytes(b"PAR1" + b"\x01" * 100)
    with pytest.raises(DataError, match=r"x.parquet: the file is damaged \("):
        read_candles(tmp_path / "x.parquet")


def test_a_file_that_the_system_will_not_read_is_a_storage_error(tmp_path):
    loop = tmp_path / "loop.csv"
    loop.symlink_to(loop)
    with pytest.raises(StorageError) as caught:
        read_candles(loop)
    assert str(caught.value) == f"{loop} cannot be read: Too many levels of symbolic links. Check the permissions."


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_brackets_in_a_file_name_are_no_pattern(tmp_path, kind):
    frame = pl.DataFrame({"a": [1]})
    path = tmp_path / f"G[1].{kind}"
    frame.write_parquet(path) if kind == "parquet" else frame.write_ipc(path)
    assert open_table(path).frame.equals(frame)
