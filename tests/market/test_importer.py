import bz2
import gzip
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fakes.candles import make_series

from triptych.domain import Timeframe
from triptych.domain.errors import CandleError, ColumnError, DataError, StorageError
from triptych.market import read_candles, read_raw

# Three candles of 15 minutes from 2023-01-02 00:00 UTC, in every dialect.
START_MS = 1_672_617_600_000
STEP_MS = 900_000
TIMES = [START_MS, START_MS + STEP_MS, START_MS + 2 * STEP_MS]
VALUES = [[10.0, 12.0, 9.0, 11.0, 100.0], [11.0, 13.0, 10.5, 12.5, 200.0], [12.5, 12.75, 11.5, 12.0, 300.0]]
PRICES = ["10,12,9,11", "11,13,10.5,12.5", "12.5,12.75,11.5,12"]


def _file(tmp_path: Path, text: str, name: str = "BTCUSDT_15m.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def _assert_the_three_candles(result, volume: bool = True) -> None:
    series = result.one()
    assert series.open_time_ms.tolist() == TIMES
    expected = np.array(VALUES)
    if not volume:
        expected[:, 4] = 0
    assert series.values.tolist() == expected.tolist()
    assert series.timeframe == Timeframe.parse("15m")


def _rows(times: list[str], separator: str = ",", volumes: tuple[str, ...] = ("100", "200", "300")) -> str:
    return "".join(
        separator.join([time, prices.replace(",", separator), volume]) + "\n"
        for time, prices, volume in zip(times, PRICES, volumes, strict=True)
    )


@pytest.mark.parametrize(
    "times",
    [
        ["2023-01-02 00:00:00", "2023-01-02 00:15:00", "2023-01-02 00:30:00"],
        ["2023-01-02 00:00", "2023-01-02 00:15", "2023-01-02 00:30"],
        ["2023-01-02T00:00:00Z", "2023-01-02T00:15:00Z", "2023-01-02T00:30:00Z"],
        ["2023-01-02T00:00:00.000000+00:00", "2023-01-02T00:15:00.000000+00:00", "2023-01-02T00:30:00.000000+00:00"],
        ["2023-01-02T08:00:00+08:00", "2023-01-02T08:15:00+0800", "2023-01-02T08:30:00+08"],
        ["2023-01-01 19:00:00-05:00", "2023-01-01 19:15:00-05:00", "2023-01-01 19:30:00-05:00"],
        ["2023-01-02 00:00:00 UTC", "2023-01-02 00:15:00 UTC", "2023-01-02 00:30:00 UTC"],
        ["2023.01.02 00:00", "2023.01.02 00:15", "2023.01.02 00:30"],
        ["2023/1/2 0:00", "2023/1/2 0:15", "2023/1/2 0:30"],
        ["20230102 000000", "20230102 001500", "20230102 003000"],
        ["20230102000000", "20230102001500", "20230102003000"],
        ["202301020000", "202301020015", "202301020030"],
        ["02.01.2023 00:00:00.000", "02.01.2023 00:15:00.000", "02.01.2023 00:30:00.000"],
        ["02.01.2023 02:00:00.000 GMT+0200", "02.01.2023 02:15:00.000 GMT+0200", "02.01.2023 02:30:00.000 GMT+0200"],
        ["1672617600", "1672618500", "1672619400"],
        ["1672617600.0", "1672618500.0", "1672619400.0"],
        ["1672617600000", "1672618500000", "1672619400000"],
        ["1672617600000000", "1672618500000000", "1672619400000000"],
        ["1672617600000000000", "1672618500000000000", "1672619400000000000"],
        # Binance changed its files from milliseconds to microseconds: both may stand in one history.
        ["1672617600000", "1672618500000", "1672619400000000"],
        ["2 Jan 2023 00:00", "2 Jan 2023 00:15", "2 Jan 2023 00:30"],
    ],
)
def test_every_way_to_write_a_time_is_read(tmp_path, times):
    _assert_the_three_candles(read_candles(_file(tmp_path, "time,open,high,low,close,volume\n" + _rows(times))))


def test_times_of_day_in_words_of_noon_are_read(tmp_path):
    rows = "2023-01-02 11-AM,1,2,1,2,5\n2023-01-02 12-PM,1,2,1,2,5\n2023-01-02 01-PM,1,2,1,2,5\n"
    series = read_candles(_file(tmp_path, "Date,Open,High,Low,Close,Volume\n" + rows, "ETHUSD_1h.csv")).one()
    assert [datetime.fromtimestamp(t / 1000, UTC).hour for t in series.open_time_ms] == [11, 12, 13]


EPOCH = ["1672617600", "1672618500", "1672619400"]
ISO = ["2023-01-02 00:00:00", "2023-01-02 00:15:00", "2023-01-02 00:30:00"]


@pytest.mark.parametrize(
    "header",
    [
        "timestamp,open,high,low,close,volume",
        "Date,Open,High,Low,Close,Volume",
        "datetime,OPEN,HIGH,LOW,CLOSE,VOL",
        "open_time,open_price,high_price,low_price,close_price,base_volume",
        "Open time,Open,High,Low,Close,Vol.",
        "Gmt time,o,h,l,c,v",
        "<DATE>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<TICKVOL>",
        "timestamp,1. open,2. high,3. low,4. close,5. volume",
        "startTime,openPrice,highPrice,lowPrice,closePrice,Volume (BTC)",
        "日期,开盘,最高,最低,收盘,成交量",
        ",open,high,low,close,volume",
        "Unnamed: 0,open,high,low,close,volume",
    ],
)
def test_every_usual_column_name_is_recognised(tmp_path, header):
    _assert_the_three_candles(read_candles(_file(tmp_path, header + "\n" + _rows(ISO))))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_every_separator_is_recognised(tmp_path, separator):
    header = separator.join(["time", "open", "high", "low", "close", "volume"])
    _assert_the_three_candles(read_candles(_file(tmp_path, header + "\n" + _rows(ISO, separator))))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_every_usual_encoding_is_read(tmp_path, encoding):
    path = tmp_path / "BTCUSDT_15m.csv"
    path.write_bytes(("time,open,high,low,close,volume\r\n" + _rows(ISO).replace("\n", "\r\n")).encode(encoding))
    _assert_the_three_candles(read_candles(path))


@pytest.mark.parametrize("compression", ["gz", "bz2", "zip"])
def test_compressed_text_is_read(tmp_path, compression):
    text = ("time,open,high,low,close,volume\n" + _rows(ISO)).encode()
    path = tmp_path / f"BTCUSDT-15m-2023-01.csv.{compression}"
    if compression == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inner.csv", text)
    else:
        path.write_bytes(gzip.compress(text) if compression == "gz" else bz2.compress(text))
    result = read_candles(path)
    _assert_the_three_candles(result)
    assert result.one().symbol == "BTCUSDT"


def test_archives_of_several_files_and_workbooks_are_refused(tmp_path):
    for name, members in (("x.zip", ["a.csv", "b.csv"]), ("x.xlsx", ["[Content_Types].xml", "xl/workbook.xml"])):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member in members:
                archive.writestr(member, "text")
    with pytest.raises(DataError) as caught:
        read_candles(tmp_path / "x.zip")
    assert str(caught.value) == (
        "x.zip: the archive holds 2 files: a.csv, b.csv. Unpack it and import the files one by one."
    )
    with pytest.raises(DataError) as caught:
        read_candles(tmp_path / "x.xlsx")
    assert str(caught.value) == "x.xlsx: this is a workbook, not a table. Save its sheet as CSV."


def test_a_damaged_archive_is_a_clear_error(tmp_path):
    path = tmp_path / "BTC_1h.csv.gz"
    path.write_bytes(gzip.compress(b"time,open\n" * 500)[:-20])
    with pytest.raises(DataError) as caught:
        read_candles(path)
    assert str(caught.value).startswith("BTC_1h.csv.gz: the compressed file is damaged (")
    assert caught.value.remedy == "Fetch the file again."


def test_a_headerless_kline_file_of_twelve_columns_is_read(tmp_path):
    row = "{t},{o},{h},{l},{c},{v},{e},5000.5,77,50.0,2500.1,0\n"
    text = "".join(
        row.format(t=t, o=o, h=h, l=low, c=c, v=v, e=t + STEP_MS - 1)
        for t, (o, h, low, c, v) in zip(TIMES, VALUES, strict=True)
    )
    result = read_candles(_file(tmp_path, text, "BTCUSDT-15m-2023-01.csv"))
    _assert_the_three_candles(result)
    assert result.notes[0].startswith("no line of column names: read as open_time, open, high, low, close, volume, ")


@pytest.mark.parametrize(
    ("text", "has_volume"),
    [
        (_rows(EPOCH, volumes=("100,7", "200,8", "300,9")), True),
        (_rows(["20230102 000000", "20230102 001500", "20230102 003000"], ";"), True),
        (_rows(["2023.01.02,00:00", "2023.01.02,00:15", "2023.01.02,00:30"]), True),
        ("".join(f"{time},{prices}\n" for time, prices in zip(EPOCH, PRICES, strict=True)), False),
    ],
)
def test_other_headerless_files_in_circulation_are_read(tmp_path, text, has_volume):
    _assert_the_three_candles(read_candles(_file(tmp_path, text)), volume=has_volume)


def test_metatrader_files_with_date_and_time_apart_are_read(tmp_path):
    header = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
    rows = [
        f"2023.01.02\t00:{minute}:00\t" + prices.replace(",", "\t") + f"\t{volume}\t0\t9\n"
        for minute, prices, volume in zip(("00", "15", "30"), PRICES, (100, 200, 300), strict=True)
    ]
    path = tmp_path / "EURUSD_M15_202301020000_202301312345.csv"
    path.write_text(header + "".join(rows), encoding="utf-16")
    result = read_candles(path)
    assert result.one().symbol == "EURUSD"
    assert result.notes == ("'<VOL>' is zero throughout; for ticks as volume say `--column volume=<TICKVOL>`",)
    _assert_the_three_candles(read_candles(path, columns={"volume": "<TICKVOL>"}))


def test_times_of_day_that_lost_their_zeros_are_read(tmp_path):
    text = "date,time,open,high,low,close,volume\n" + "".join(
        f"20230102,{clock},{prices},{volume}\n"
        for clock, prices, volume in zip(("0", "1500", "3000"), PRICES, (100, 200, 300), strict=True)
    )
    with pytest.raises(DataError):  # 1500 is three in the afternoon: four digits count hours and minutes
        read_candles(_file(tmp_path, text), timeframe="1d")
    _assert_the_three_candles(read_candles(_file(tmp_path, text.replace("1500", "001500").replace("3000", "003000"))))


def test_a_date_column_beside_a_whole_time_is_left_aside(tmp_path):
    text = "date,time,open,high,low,close,volume\n" + _rows([f"2023-01-02,{t // 1000}" for t in TIMES])
    _assert_the_three_candles(read_candles(_file(tmp_path, text)))


def test_an_epoch_and_a_date_side_by_side_are_no_conflict(tmp_path):
    header = "https://www.CryptoDataDownload.com\nunix,date,symbol,open,high,low,close,Volume BTC,Volume USDT\n"
    rows = "".join(
        f"{t},{iso},BTC/USDT,{prices},{volume},99999\n"
        for t, iso, prices, volume in zip(TIMES, ISO, PRICES, (100, 200, 300), strict=True)
    )
    result = read_candles(_file(tmp_path, header + rows, "Binance_BTCUSDT_2023_minute.csv"))
    _assert_the_three_candles(result)
    assert result.one().symbol == "BTC/USDT"
    assert result.notes == ("timeframe 15m taken from the candles; the file name says 1m",)


def test_the_file_that_investing_com_writes_is_read(tmp_path):
    text = (
        '"Date","Price","Open","High","Low","Vol.","Change %"\n'
        '"Jan 04, 2023","16,850.5","16,674.5","16,968.0","16,652.5","1.50M","1.05%"\n'
        '"Jan 03, 2023","16,674.2","16,672.5","16,773.2","16,604.5","178.73K","0.00%"\n'
        '"Jan 02, 2023","16,674.3","16,618.4","16,766.9","16,551.0","-","0.31%"\n'
    )
    result = read_candles(_file(tmp_path, text, "BTC_USD Historical Data.csv"))
    series = result.one()
    assert series.symbol == "BTC/USD"
    assert str(series.timeframe) == "1d"
    assert series.values[1].tolist() == [16672.5, 16773.2, 16604.5, 16674.2, 178730.0]
    assert series.values[:, 4].tolist() == [0.0, 178730.0, 1_500_000.0]
    assert result.notes == (
        "volume written as a dash in 1 rows: taken as zero",
        "sorted by time: 2 candles stood before an earlier one",
    )


def test_decimal_commas_are_read(tmp_path):
    text = "Datum;Open;High;Low;Close;Volume\n" + "".join(
        f"{day}.01.2023;1,5;2,25;1,25;2,0;1.234,5\n" for day in ("13", "14", "15")
    )
    series = read_candles(_file(tmp_path, text, "X_1d.csv"), columns={"timestamp": "Datum"}).one()
    assert series.values[0].tolist() == [1.5, 2.25, 1.25, 2.0, 1234.5]


@pytest.mark.parametrize(
    ("dates", "first_two"),
    [
        (["01/02/2023", "01/03/2023", "01/13/2023"], ["2023-01-02", "2023-01-03"]),  # month first: there is no month 13
        (["12/01/2023", "13/01/2023", "14/01/2023"], ["2023-01-12", "2023-01-13"]),
        (["02/01/2023", "03/01/2023", "04/01/2023"], ["2023-01-02", "2023-01-03"]),  # days run evenly only day first
        (["1/2/23", "1/3/23", "1/4/23"], ["2023-01-02", "2023-01-03"]),
    ],
)
def test_the_order_of_day_and_month_is_told_from_all_dates(tmp_path, dates, first_two):
    text = "Date,Open,High,Low,Close,Volume\n" + "".join(f"{date},1,2,1,2,5\n" for date in dates)
    series = read_candles(_file(tmp_path, text, "X_1d.csv"), timeframe="1d").one()
    assert [datetime.fromtimestamp(t / 1000, UTC).strftime("%Y-%m-%d") for t in series.open_time_ms[:2]] == first_two


def test_an_undecidable_order_of_day_and_month_is_an_error(tmp_path):
    text = "Date,Open,High,Low,Close,Volume\n01/02/2023,1,2,1,2,5\n"
    with pytest.raises(DataError) as caught:
        read_candles(_file(tmp_path, text, "X_1d.csv"))
    assert str(caught.value) == (
        "X_1d.csv: the dates of column 'Date', such as '01/02/2023', can be read day first or month first. "
        "Write them as year-month-day, such as 2023-01-31."
    )


def test_times_without_a_zone_are_read_in_the_one_given(tmp_path):
    times = ["2023-01-02 08:00:00", "2023-01-02 08:15:00", "2023-01-02 08:30:00"]
    path = _file(tmp_path, "time,open,high,low,close,volume\n" + _rows(times))
    _assert_the_three_candles(read_candles(path, timezone="Asia/Shanghai"))
    with pytest.raises(DataError) as caught:
        read_candles(path, timezone="Mars/Olympus")
    assert str(caught.value) == (
        "Unknown time zone 'Mars/Olympus'. Write it like UTC, Asia/Shanghai or America/New_York."
    )


def test_midnights_of_a_zone_are_trading_dates(tmp_path):
    rows = "".join(f"2023-03-{day} 00:00:00{zone},1,2,1,2,5\n" for day, zone in ((10, "-05:00"), (13, "-04:00")))
    result = read_candles(_file(tmp_path, "Date,Open,High,Low,Close,Volume\n" + rows, "SPY_1d.csv"), timeframe="1d")
    assert result.one().open_time_ms.tolist() == [1678406400000, 1678665600000]
    assert result.notes == ("all times are midnights (with their zone): taken as trading dates at 00:00 UTC",)


def test_the_unit_of_epoch_numbers_can_be_given(tmp_path):
    path = _file(tmp_path, "time,open,high,low,close,volume\n" + _rows(["0", "900", "1800"]))
    with pytest.raises(ColumnError) as caught:
        read_candles(path)
    assert str(caught.value) == (
        "BTCUSDT_15m.csv: the column 'time' starts with 0, too small for an epoch time. "
        "Name another column (`--column timestamp=NAME`) or the unit (`--timestamp-unit s`)."
    )
    assert read_candles(path, timestamp_unit="s").one().open_time_ms.tolist() == [0, 900_000, 1_800_000]


# -- frames ----------------------------------------------------------------------------------------------------------


def _frame(**changes) -> pl.DataFrame:
    fields = dict(zip(("open", "high", "low", "close", "volume"), np.array(VALUES).T, strict=True))
    return pl.DataFrame({"timestamp": TIMES, **fields, **changes})


@pytest.mark.parametrize("kind", ["parquet", "feather", "lazy", "arrow", "frame"])
def test_parquet_feather_and_frames_are_read(tmp_path, kind):
    frame = _frame().with_columns(pl.col("timestamp").cast(pl.Datetime("ms", "UTC")), pl.col("volume").cast(pl.Float32))
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
    _assert_the_three_candles(result)
    assert result.one().instrument.venue == "binance"


@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_a_pandas_frame_with_a_datetime_index_is_read(zone):
    index = pd.DatetimeIndex(pd.to_datetime(TIMES, unit="ms", utc=True))
    index = index.tz_localize(None) if zone is None else index.tz_convert(zone)
    frame = pd.DataFrame(VALUES, columns=["Open", "High", "Low", "Close", "Volume"], index=index)
    _assert_the_three_candles(read_candles(frame, symbol="AAPL"))
    assert read_candles(frame, symbol="AAPL").one().symbol == "AAPL"


def test_a_pandas_frame_with_a_named_index_or_a_plain_one_is_read():
    frame = pd.DataFrame(VALUES, columns=["open", "high", "low", "close", "volume"])
    frame.insert(0, "date", pd.to_datetime(TIMES, unit="ms"))
    _assert_the_three_candles(read_candles(frame))
    _assert_the_three_candles(read_candles(frame.set_index("date")))
    _assert_the_three_candles(read_candles(frame.iloc[[2, 0, 1]]))  # an index of numbers out of order is no time
    periods = frame.drop(columns="date").set_index(pd.period_range("2023-01-02", periods=3, freq="15min"))
    _assert_the_three_candles(read_candles(periods))


def test_a_pandas_frame_with_columns_of_field_and_ticker_is_read():
    columns = pd.MultiIndex.from_product([["Open", "High", "Low", "Close", "Volume"], ["GOOG"]])
    frame = pd.DataFrame(VALUES, columns=columns, index=pd.to_datetime(TIMES, unit="ms"))
    assert read_candles(frame).one().symbol == "GOOG"
    swapped = frame.swaplevel(axis=1)
    assert read_candles(swapped).one().symbol == "GOOG"
    two = pd.concat([frame, frame.rename(columns={"GOOG": "AAPL"})], axis=1)
    with pytest.raises(DataError, match="several tickers stand side by side: AAPL, GOOG"):
        read_candles(two)


def test_the_three_header_lines_of_yfinance_are_read(tmp_path):
    text = (
        "Price,Close,High,Low,Open,Volume\nTicker,GOOG,GOOG,GOOG,GOOG,GOOG\nDate,,,,,\n"
        "2023-01-02,11,12,9,10,100\n2023-01-03,12.5,13,10.5,11,200\n"
    )
    series = read_candles(_file(tmp_path, text, "prices.csv")).one()
    assert series.symbol == "GOOG"
    assert series.values[1].tolist() == VALUES[1]


def test_pandas_is_not_imported_for_other_sources(tmp_path):
    path = _file(tmp_path, "time,open,high,low,close,volume\n" + _rows(ISO))
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


def test_dates_and_clocks_of_their_own_types_are_read():
    moments = pl.Series(TIMES).cast(pl.Datetime("ms"))
    frame = _frame().drop("timestamp").with_columns(date=moments.dt.date(), time=moments.dt.time())
    _assert_the_three_candles(read_candles(frame))


def _write_time(time_ms: int, form: str) -> str:
    if form in ("s", "ms", "us"):
        return str(time_ms // 1000 * {"s": 1, "ms": 1000, "us": 1_000_000}[form])
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime(form)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=st.integers(0, 25_000),
    n=st.integers(2, 60),
    form=st.sampled_from(["s", "ms", "us", "%Y-%m-%d %H:%M:%S", "%Y.%m.%d %H:%M", "%Y%m%d %H%M%S", "%d.%m.%Y %H:%M"]),
    separator=st.sampled_from([",", ";", "\t"]),
    seed=st.integers(0, 1000),
)
def test_candles_written_in_any_dialect_are_read_to_the_last_bit(tmp_path, first, n, form, separator, seed):
    # From 1975 on: epoch numbers below 1e8 are refused as too small.
    series = make_series(157_766_400_000 + 3_600_000 * (17 * first + np.arange(n)), timeframe="1h", seed=seed)
    lines = [separator.join(["time", "open", "high", "low", "close", "volume"])]
    for time, values in zip(series.open_time_ms.tolist(), series.values.tolist(), strict=True):
        lines.append(separator.join([_write_time(time, form), *map(repr, values)]))
    result = read_candles(_file(tmp_path, "\n".join(lines), "BTCUSDT_1h.csv")).one()
    assert result.fingerprint() == series.fingerprint()


# -- panels and names ------------------------------------------------------------------------------------------------


def _panel() -> pl.DataFrame:
    return pl.concat([_frame(symbol=["B"] * 3), _frame(symbol=["A"] * 3)])


def test_a_panel_gives_one_series_per_symbol_in_the_order_of_the_source():
    result = read_candles(_panel())
    assert [series.symbol for series in result] == ["B", "A"]
    assert len(result) == 2
    assert [series.symbol for series in read_candles(_panel(), symbol="A")] == ["A"]
    assert result.one("A").symbol == "A"


def test_unknown_symbols_are_refused_with_the_known_ones():
    with pytest.raises(DataError) as caught:
        read_candles(_panel(), symbol="C")
    assert str(caught.value) == "polars frame holds no symbol 'C'. It holds B, A."
    with pytest.raises(DataError) as caught:
        read_candles(_panel()).one()
    assert str(caught.value) == "polars frame holds 2 symbols: B, A. Say which: `--symbol NAME`."


def test_a_source_without_a_symbol_says_so():
    result = read_candles(_frame())
    assert result.one().symbol == "UNNAMED"
    assert result.notes == ("the source names no symbol: UNNAMED (say it with `--symbol`, symbol=...)",)
    assert read_candles(_frame(), symbol="X").notes == ()


# -- timeframes ------------------------------------------------------------------------------------------------------


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
        read_candles(_frame().head(1))
    assert str(caught.value) == (
        "polars frame: the timeframe cannot be told from a single candle. "
        "Say the timeframe: `--timeframe 15m`, in Python timeframe='15m'."
    )
    assert str(read_candles(_frame().head(1), timeframe="15m").one().timeframe) == "15m"


def test_ticks_are_not_candles():
    times = (START_MS + np.cumsum(np.arange(1, 60) * 137)).tolist()
    frame = pl.DataFrame({"timestamp": times, "open": 1.0, "high": 2.0, "low": 1.0, "close": 2.0, "volume": 1.0})
    with pytest.raises(DataError, match="these look like ticks or snapshots, not candles"):
        read_candles(frame)


def test_a_timeframe_longer_than_the_steps_is_refused():
    with pytest.raises(DataError) as caught:
        read_candles(_frame(), timeframe="1h")
    assert str(caught.value) == (
        "polars frame: the candles are 15m apart, not 1h. Import them as 15m and resample them to 1h."
    )


def test_a_candle_that_has_not_closed_is_dropped():
    result = read_candles(_frame(), symbol="X", now_ms=TIMES[2] + STEP_MS - 1)
    assert result.one().open_time_ms.tolist() == TIMES[:2]
    assert result.notes == ("dropped 1 candle that had not closed yet",)
    assert len(read_candles(_frame(), symbol="X", now_ms=TIMES[2] + STEP_MS).one()) == 3
    with pytest.raises(CandleError) as caught:
        read_candles(_frame(), now_ms=TIMES[0])
    assert str(caught.value) == "None of the candles had closed yet. Wait for the close, or check the time zone."


# -- columns ---------------------------------------------------------------------------------------------------------


def test_a_missing_column_is_named_with_the_remedy(tmp_path):
    path = _file(tmp_path, "time,open,high,low,settle,volume\n" + _rows(ISO))
    with pytest.raises(ColumnError) as caught:
        read_candles(path)
    assert str(caught.value) == (
        "BTCUSDT_15m.csv: no column for close among 'time', 'open', 'high', 'low', 'settle', 'volume'. "
        "Name the column: `--column close=NAME`, in Python columns={'close': 'NAME'}. "
        "Candles need open, high, low and close; a table of closes alone is not enough."
    )
    _assert_the_three_candles(read_candles(path, columns={"close": "Settle"}))


def test_ambiguous_columns_are_refused_until_one_is_named(tmp_path):
    path = _file(tmp_path, "time,open,high,low,close,Close\n" + _rows(ISO))
    with pytest.raises(ColumnError) as caught:
        read_candles(path)
    assert str(caught.value) == (
        "BTCUSDT_15m.csv: the columns 'close' and 'Close' both look like close. "
        "Say which: `--column close=close`, in Python columns={'close': 'close'}."
    )
    assert read_candles(path, columns={"close": "close", "volume": "Close"}).one().close.tolist() == [11.0, 12.5, 12.0]


def test_unknown_roles_and_columns_are_refused(tmp_path):
    path = _file(tmp_path, "time,open,high,low,close,volume\n" + _rows(ISO))
    with pytest.raises(ColumnError) as caught:
        read_candles(path, columns={"settle": "close"})
    assert str(caught.value) == (
        "BTCUSDT_15m.csv: unknown role 'settle' for column 'close'. "
        "Roles: timestamp, date, time, open, high, low, close, volume, symbol."
    )
    with pytest.raises(ColumnError) as caught:
        read_candles(path, columns={"close": "Settle"})
    assert str(caught.value) == (
        "BTCUSDT_15m.csv: the column 'Settle' asked for as close is not there. "
        "Columns of the source: 'time', 'open', 'high', 'low', 'close', 'volume'."
    )


def test_a_closing_time_does_not_name_a_candle(tmp_path):
    path = _file(tmp_path, "close_time,open,high,low,close,volume\n" + _rows(ISO))
    with pytest.raises(ColumnError, match="A candle is named by the time it opens, so a closing time does not serve"):
        read_candles(path)


def test_adjusted_close_is_left_aside(tmp_path):
    path = _file(
        tmp_path, "Date,Open,High,Low,Close,Adj Close,Volume\n" + _rows(ISO, volumes=("5,100", "5,200", "5,300"))
    )
    _assert_the_three_candles(read_candles(path))


def test_a_missing_volume_is_zero_and_said(tmp_path):
    path = _file(
        tmp_path, "time,open,high,low,close\n" + _rows(ISO).replace(",100", "").replace(",200", "").replace(",300", "")
    )
    result = read_candles(path)
    _assert_the_three_candles(result, volume=False)
    assert result.notes == ("no volume column: volume is zero",)
    empty = read_candles(_file(tmp_path, "time,open,high,low,close,volume\n" + _rows(ISO, volumes=("", "NaN", "null"))))
    _assert_the_three_candles(empty, volume=False)
    assert empty.notes == ("the volume column 'volume' is empty: volume is zero",)


# -- bad rows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{t},11,13,,12.5,200", "column low ({at}): low is missing."),
        ("{t},11,13,NaN,12.5,200", "column low ({at}): low is not a number: 'NaN'."),
        ("{t},11,13,abc,12.5,200", "column low ({at}): low is not a number: 'abc'."),
        ("{t},11,inf,9,12.5,200", "column high ({at}): high is not a number: 'inf'."),
        (
            "{t},11,13,0,12.5,200",
            "column low ({at}): prices must be above zero: open=11.0 high=13.0 low=0.0 close=12.5 volume=200.0.",
        ),
        (
            "{t},11,10,12,12.5,200",
            "column high ({at}): high is below low: open=11.0 high=10.0 low=12.0 close=12.5 volume=200.0.",
        ),
        (
            "{t},11,12,10,12.5,200",
            "column high ({at}): high is below open or close: open=11.0 high=12.0 low=10.0 close=12.5 volume=200.0.",
        ),
        (
            "{t},11,13,11.5,12.5,200",
            "column low ({at}): low is above open or close: open=11.0 high=13.0 low=11.5 close=12.5 volume=200.0.",
        ),
        ("{t},11,13,10.5,12.5,many", "column volume ({at}): volume is not a number: 'many'."),
        (
            "{t},11,13,10.5,12.5,-1",
            "column volume ({at}): volume must be zero or more: open=11.0 high=13.0 low=10.5 close=12.5 volume=-1.0.",
        ),
        ("soon,11,13,10.5,12.5,200", "column timestamp: the time is missing or cannot be read: 'soon'."),
        (
            "2023-02-30 00:15:00,11,13,10.5,12.5,200",
            "column timestamp: the time is missing or cannot be read: '2023-02-30 00:15:00'.",
        ),
        ("{t},11,13", "column low ({at}): low is missing."),
    ],
)
def test_a_bad_row_is_named_by_line_column_and_time(tmp_path, row, message):
    good = _rows(ISO).splitlines()
    row, message = (text.format(t="2023-01-02 00:15:00", at="2023-01-02 00:15:00 UTC") for text in (row, message))
    path = _file(tmp_path, "\n".join(["time,open,high,low,close,volume", good[0], "", row, good[2], ""]))
    with pytest.raises(CandleError) as caught:
        read_candles(path)
    # The empty line counts: line 4 is what an editor shows.
    assert str(caught.value) == (
        f"BTCUSDT_15m.csv: line 4, {message} "
        "Correct the source, or import with `--repair` (repair=True), which drops such rows and says so."
    )


def test_the_number_of_further_bad_rows_is_told():
    frame = _frame(close=[None, float("nan"), 12.0])
    with pytest.raises(CandleError) as caught:
        read_candles(frame, symbol="X")
    assert caught.value.message == (
        "polars frame: row 1, column close (2023-01-02 00:00:00 UTC): close is missing. 1 more row is bad."
    )


def test_too_many_fields_in_a_line_are_named(tmp_path):
    rows = _rows(ISO).splitlines()
    path = _file(tmp_path, "\n".join(["time,open,high,low,close,volume"] + rows * 30 + [rows[0] + ",1,2"]))
    with pytest.raises(DataError) as caught:
        read_candles(path)
    assert str(caught.value) == (
        "BTCUSDT_15m.csv: line 92 has 8 fields where 6 were expected. "
        "Correct the line: a separator too many, or two lines run together."
    )


def test_repair_drops_and_mends_and_says_so(tmp_path):
    rows = [
        "2023-01-02 00:00:00,10,12,9,11,100",
        "2023-01-02 00:15:00,11,,10.5,12.5,200",  # dropped
        "2023-01-02 00:30:00,11,10,12,12.5,200",  # dropped: high below low
        "2023-01-02 00:45:00,11,12,10,12.5,200",  # high widened
        "2023-01-02 01:00:00,11,13,10,12.5,",  # volume set to zero
    ]
    result = read_candles(_file(tmp_path, "\n".join(["time,open,high,low,close,volume", *rows])), repair=True)
    assert result.one().values.tolist() == [
        [10.0, 12.0, 9.0, 11.0, 100.0],
        [11.0, 12.5, 10.0, 12.5, 200.0],
        [11.0, 13.0, 10.0, 12.5, 0.0],
    ]
    assert result.notes[:3] == (
        "dropped 2 candles: a time or price is missing, not positive, or high is below low",
        "widened high or low of 1 candle to contain open and close",
        "set the volume of 1 candle to zero: missing or negative",
    )


def test_rounding_errors_of_adjusted_prices_are_no_violation():
    frame = _frame(close=[12.000000000000002, 12.5, 12.0])
    result = read_candles(frame, symbol="X")
    assert result.one().values[0, 1] == 12.000000000000002
    assert result.notes == ("high or low widened by a rounding error in 1 candle",)


# -- order and duplicates --------------------------------------------------------------------------------------------


def test_disorder_is_sorted_and_exact_duplicates_are_removed():
    frame = pl.concat([_frame()[[2, 0, 1]], _frame()[[1]]])
    result = read_candles(frame, symbol="X")
    _assert_the_three_candles(result)
    assert result.notes == (
        "sorted by time: 1 candle stood before an earlier one",
        "removed 1 candle that repeated another one exactly",
    )


def test_conflicting_duplicates_are_refused_unless_a_choice_is_made():
    other = _frame(close=[10.0, 10.0, 10.0]).with_columns(low=pl.lit(9.0), high=pl.lit(13.0))[[1]]
    frame = pl.concat([_frame(), other])
    with pytest.raises(CandleError) as caught:
        read_candles(frame, symbol="X")
    assert str(caught.value) == (
        "polars frame: row 2 and row 4 both hold X at 2023-01-02 00:15:00 UTC, column low: 10.5 and 9.0. "
        "Remove one, or say which to take: `--duplicates first` or `--duplicates last` (duplicates='last')."
    )
    assert read_candles(frame, symbol="X", duplicates="first").one().close[1] == 12.5
    last = read_candles(frame, symbol="X", duplicates="last")
    assert last.one().close[1] == 10.0
    assert last.notes[1] == "removed 1 candle of a time given twice with different values; kept the last"


# -- files -----------------------------------------------------------------------------------------------------------


def test_missing_empty_and_foreign_files_are_clear_errors(tmp_path):
    with pytest.raises(DataError) as caught:
        read_candles(tmp_path / "no.csv")
    assert str(caught.value) == f"There is no file {tmp_path / 'no.csv'}. Check the path."
    with pytest.raises(DataError) as caught:
        read_candles(tmp_path)
    assert str(caught.value) == f"{tmp_path} is a folder. Name one file."
    with pytest.raises(DataError, match=r"empty.csv: the file is empty\."):
        read_candles(_file(tmp_path, "\n", "empty.csv"))
    with pytest.raises(DataError, match=r"x_1h.csv: there are no candles in it\."):
        read_candles(_file(tmp_path, "time,open,high,low,close,volume\n", "x_1h.csv"))
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


# -- raw reading -----------------------------------------------------------------------------------------------------


def test_raw_candles_keep_bad_rows_and_order():
    frame = _frame(close=[None, 12.5, 12.0])[[2, 0, 1]]
    raw = read_raw(frame, symbol="X")
    assert raw.frame["close"].to_list() == [12.0, None, 12.5]
    assert str(raw.timeframe) == "15m"
    assert list(raw.by_symbol()) == ["X"]
    assert read_raw(frame.head(1)).timeframe is None
