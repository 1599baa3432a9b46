import bz2
import gzip
import zipfile
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fakes.candles import make_series
from tests.fakes.dialects import EPOCH, ISO, PRICES, STEP_MS, TIMES, VALUES, assert_three_candles, text_rows, write_text

from triptych.domain.errors import DataError
from triptych.market import read_candles
from triptych.market.delimited import read_text_table


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_every_separator_is_recognised(tmp_path, separator):
    header = separator.join(["time", "open", "high", "low", "close", "volume"])
    assert_three_candles(read_candles(write_text(tmp_path, header + "\n" + text_rows(ISO, separator))))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_every_usual_encoding_is_read(tmp_path, encoding):
    path = tmp_path / "BTCUSDT_15m.csv"
    path.write_bytes(("time,open,high,low,close,volume\r\n" + text_rows(ISO).replace("\n", "\r\n")).encode(encoding))
    assert_three_candles(read_candles(path))


@pytest.mark.parametrize("compression", ["gz", "bz2", "zip"])
def test_compressed_text_is_read(tmp_path, compression):
    text = ("time,open,high,low,close,volume\n" + text_rows(ISO)).encode()
    path = tmp_path / f"BTCUSDT-15m-2023-01.csv.{compression}"
    if compression == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inner.csv", text)
    else:
        path.write_bytes(gzip.compress(text) if compression == "gz" else bz2.compress(text))
    result = read_candles(path)
    assert_three_candles(result)
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


def test_a_line_with_a_field_too_many_is_named_wherever_it_stands(tmp_path):
    rows = text_rows(ISO).splitlines()
    path = write_text(tmp_path, "\n".join(["time,open,high,low,close,volume", rows[0], rows[1] + ",extra", rows[2]]))
    with pytest.raises(DataError) as caught:
        read_candles(path)
    assert str(caught.value) == (
        "BTCUSDT_15m.csv: line 3 has 7 fields where 6 were expected. "
        "Correct the line: a separator too many, or two lines run together."
    )


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
    result = read_candles(write_text(tmp_path, text, "BTCUSDT-15m-2023-01.csv"))
    assert_three_candles(result)
    assert result.notes[0].startswith("no line of column names: read as open_time, open, high, low, close, volume, ")


@pytest.mark.parametrize(
    ("text", "has_volume"),
    [
        (text_rows(EPOCH, volumes=("100,7", "200,8", "300,9")), True),
        (text_rows(["20230102 000000", "20230102 001500", "20230102 003000"], ";"), True),
        (text_rows(["2023.01.02,00:00", "2023.01.02,00:15", "2023.01.02,00:30"]), True),
        ("".join(f"{time},{prices}\n" for time, prices in zip(EPOCH, PRICES, strict=True)), False),
    ],
)
def test_other_headerless_files_in_circulation_are_read(tmp_path, text, has_volume):
    assert_three_candles(read_candles(write_text(tmp_path, text)), volume=has_volume)


def test_an_epoch_and_a_date_side_by_side_are_no_conflict(tmp_path):
    header = "https://www.CryptoDataDownload.com\nunix,date,symbol,open,high,low,close,Volume BTC,Volume USDT\n"
    rows = "".join(
        f"{t},{iso},BTC/USDT,{prices},{volume},99999\n"
        for t, iso, prices, volume in zip(TIMES, ISO, PRICES, (100, 200, 300), strict=True)
    )
    result = read_candles(write_text(tmp_path, header + rows, "Binance_BTCUSDT_2023_minute.csv"))
    assert_three_candles(result)
    assert result.one().symbol == "BTC/USDT"
    assert result.notes == ("timeframe 15m taken from the candles; the file name says 1m",)


def test_the_file_that_investing_com_writes_is_read(tmp_path):
    text = (
        '"Date","Price","Open","High","Low","Vol.","Change %"\n'
        '"Jan 04, 2023","16,850.5","16,674.5","16,968.0","16,652.5","1.50M","1.05%"\n'
        '"Jan 03, 2023","16,674.2","16,672.5","16,773.2","16,604.5","178.73K","0.00%"\n'
        '"Jan 02, 2023","16,674.3","16,618.4","16,766.9","16,551.0","-","0.31%"\n'
    )
    result = read_candles(write_text(tmp_path, text, "BTC_USD Historical Data.csv"))
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
    series = read_candles(write_text(tmp_path, text, "X_1d.csv"), columns={"timestamp": "Datum"}).one()
    assert series.values[0].tolist() == [1.5, 2.25, 1.25, 2.0, 1234.5]


def test_the_three_header_lines_of_yfinance_are_read(tmp_path):
    text = (
        "Price,Close,High,Low,Open,Volume\nTicker,GOOG,GOOG,GOOG,GOOG,GOOG\nDate,,,,,\n"
        "2023-01-02,11,12,9,10,100\n2023-01-03,12.5,13,10.5,11,200\n"
    )
    series = read_candles(write_text(tmp_path, text, "prices.csv")).one()
    assert series.symbol == "GOOG"
    assert series.values[1].tolist() == VALUES[1]


def test_too_many_fields_in_a_line_are_named(tmp_path):
    rows = text_rows(ISO).splitlines()
    path = write_text(tmp_path, "\n".join(["time,open,high,low,close,volume"] + rows * 30 + [rows[0] + ",1,2"]))
    with pytest.raises(DataError) as caught:
        read_candles(path)
    assert str(caught.value) == (
        "BTCUSDT_15m.csv: line 92 has 8 fields where 6 were expected. "
        "Correct the line: a separator too many, or two lines run together."
    )


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
    result = read_candles(write_text(tmp_path, "\n".join(lines), "BTCUSDT_1h.csv")).one()
    assert result.fingerprint() == series.fingerprint()


@pytest.mark.parametrize(
    ("encoding", "header"),
    [
        ("cp1252", "Datum;Eröffnung;Hoch;Tief;Schluss"),
        ("latin-1", "Date;Ouverture;Plus-haut;Plus-bas;Clôture"),
        ("gb18030", "日期;开盘;最高;最低;收盘"),
    ],
)
def test_headers_of_old_encodings_are_read_as_they_were_written(tmp_path, encoding, header):
    path = tmp_path / "prices.csv"
    path.write_bytes((header + "\n2024-01-02;1;2;0,5;1,5\n2024-01-03;1;2;0,5;1,5\n").encode(encoding))
    assert list(read_text_table(path).frame.columns) == header.split(";")
