import pytest
from tests.fakes.dialects import ISO, assert_three_candles, text_rows, write_text

from triptych.domain.errors import ColumnError
from triptych.market import read_candles


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
        "Datum,Eröffnung,Hoch,Tief,Schluss,Volumen",
        "Fecha,Apertura,Máximo,Mínimo,Cierre,Volumen",
        "Horodatage,Ouverture,Plus haut,Plus bas,Clôture,Volumes",
        ",open,high,low,close,volume",
        "Unnamed: 0,open,high,low,close,volume",
    ],
)
def test_every_usual_column_name_is_recognised(tmp_path, header):
    assert_three_candles(read_candles(write_text(tmp_path, header + "\n" + text_rows(ISO))))


def test_a_missing_column_is_named_with_the_remedy(tmp_path):
    path = write_text(tmp_path, "time,open,high,low,settle,volume\n" + text_rows(ISO))
    with pytest.raises(ColumnError) as caught:
        read_candles(path)
    assert str(caught.value) == (
        "BTCUSDT_15m.csv: no column for close among 'time', 'open', 'high', 'low', 'settle', 'volume'. "
        "Name the column: `--column close=NAME`, in Python columns={'close': 'NAME'}. "
        "Candles need open, high, low and close; a table of closes alone is not enough."
    )
    assert_three_candles(read_candles(path, columns={"close": "Settle"}))


def test_ambiguous_columns_are_refused_until_one_is_named(tmp_path):
    path = write_text(tmp_path, "time,open,high,low,close,Close\n" + text_rows(ISO))
    with pytest.raises(ColumnError) as caught:
        read_candles(path)
    assert str(caught.value) == (
        "BTCUSDT_15m.csv: the columns 'close' and 'Close' both look like close. "
        "Say which: `--column close=close`, in Python columns={'close': 'close'}."
    )
    assert read_candles(path, columns={"close": "close", "volume": "Close"}).one().close.tolist() == [11.0, 12.5, 12.0]


def test_unknown_roles_and_columns_are_refused(tmp_path):
    path = write_text(tmp_path, "time,open,high,low,close,volume\n" + text_rows(ISO))
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
    path = write_text(tmp_path, "close_time,open,high,low,close,volume\n" + text_rows(ISO))
    with pytest.raises(ColumnError, match="A candle is named by the time it opens, so a closing time does not serve"):
        read_candles(path)


def test_adjusted_close_is_left_aside(tmp_path):
    path = write_text(
        tmp_path, "Date,Open,High,Low,Close,Adj Close,Volume\n" + text_rows(ISO, volumes=("5,100", "5,200", "5,300"))
    )
    assert_three_candles(read_candles(path))
