import polars as pl
import pytest
from tests.fakes.dialects import ISO, STEP_MS, TIMES, assert_three_candles, text_rows, three_candles, write_text

from triptych.domain.errors import CandleError, DataError
from triptych.market import read_candles, read_raw


def _panel() -> pl.DataFrame:
    return pl.concat([three_candles(symbol=["B"] * 3), three_candles(symbol=["A"] * 3)])


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
    result = read_candles(three_candles())
    assert result.one().symbol == "UNNAMED"
    assert result.notes == ("the source names no symbol: UNNAMED (say it with `--symbol`, symbol=...)",)
    assert read_candles(three_candles(), symbol="X").notes == ()


def test_a_missing_volume_is_zero_and_said(tmp_path):
    path = write_text(
        tmp_path,
        "time,open,high,low,close\n" + text_rows(ISO).replace(",100", "").replace(",200", "").replace(",300", ""),
    )
    result = read_candles(path)
    assert_three_candles(result, volume=False)
    assert result.notes == ("no volume column: volume is zero",)
    empty = read_candles(
        write_text(tmp_path, "time,open,high,low,close,volume\n" + text_rows(ISO, volumes=("", "NaN", "null")))
    )
    assert_three_candles(empty, volume=False)
    assert empty.notes == ("the volume column 'volume' is empty: volume is zero",)


def test_a_candle_that_has_not_closed_is_dropped():
    result = read_candles(three_candles(), symbol="X", now_ms=TIMES[2] + STEP_MS - 1)
    assert result.one().open_time_ms.tolist() == TIMES[:2]
    assert result.notes == ("dropped 1 candle that had not closed yet",)
    assert len(read_candles(three_candles(), symbol="X", now_ms=TIMES[2] + STEP_MS).one()) == 3
    with pytest.raises(CandleError) as caught:
        read_candles(three_candles(), now_ms=TIMES[0])
    assert str(caught.value) == "None of the candles had closed yet. Wait for the close, or check the time zone."


def test_raw_candles_keep_bad_rows_and_order():
    frame = three_candles(close=[None, 12.5, 12.0])[[2, 0, 1]]
    raw = read_raw(frame, symbol="X")
    assert raw.frame["close"].to_list() == [12.0, None, 12.5]
    assert str(raw.timeframe) == "15m"
    assert list(raw.by_symbol()) == ["X"]
    assert read_raw(frame.head(1)).timeframe is None


@pytest.mark.parametrize("read", [read_candles, read_raw])
def test_a_file_of_another_instrument_is_not_given_the_name_asked_for(read, tmp_path):
    path = tmp_path / "perp_BTCUSDT_15m.csv"
    three_candles().write_csv(path)
    with pytest.raises(DataError) as caught:
        read(path, symbol="ETHUSDT")
    assert str(caught.value) == (
        "perp_BTCUSDT_15m.csv is of BTCUSDT by its name, asked for was 'ETHUSDT'. Leave the symbol out, choose the "
        "file of that instrument, or rename the file if its name is wrong."
    )


@pytest.mark.parametrize("name", ["prices.csv", "kurse.csv", "sse_000001_15m.csv", "SSE_USDT-15m-futures.csv"])
def test_a_file_whose_name_does_not_say_otherwise_is_named_as_asked(name, tmp_path):
    three_candles().write_csv(tmp_path / name)
    assert read_candles(tmp_path / name, symbol="SSE", timeframe="15m").one().symbol == "SSE"
