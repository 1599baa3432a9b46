"""Every file of candles in ../shared/data is taken as it lies there."""

import numpy as np
import pytest
from tests.market.conftest import DATA

from triptych.domain.errors import ColumnError
from triptych.market import read_candles

CLOSES_ONLY = ("binance_spot_BTCUSDT_1h_flow", "us_oil_panel_close_1d")
FILES = sorted(path for folder in ("crypto", "china", "us", "fx") for path in (DATA / folder).glob("*.parquet"))
CANDLE_FILES = [path for path in FILES if path.stem not in CLOSES_ONLY]


@pytest.mark.skipif(not FILES, reason="the real candles (../shared/data) are not on this machine")
@pytest.mark.parametrize("path", CANDLE_FILES, ids=lambda path: path.stem)
def test_a_real_file_is_taken_as_it_lies(path):
    result = read_candles(path)
    assert result.notes == ()
    named = (
        "1d" if "daily" in path.stem else path.stem.removesuffix("_20221213").removesuffix("_2022-01").split("_")[-1]
    )
    for series in result:
        assert str(series.timeframe) == named
        assert (series.values[:, 1] >= series.values[:, :4].max(axis=1)).all()
        assert (np.diff(series.open_time_ms) >= series.timeframe.milliseconds).all()


@pytest.mark.parametrize(
    ("file", "symbols", "rows"),
    [
        ("crypto/binance_perp_BTCUSDT_15m", ["BTCUSDT"], 35_040),
        ("crypto/btc_perp_1m_2022-01", ["BTC"], 45_031),
        ("china/csi300_000300_1d", ["000300"], 4_555),
        ("us/GOOG_1d", ["GOOG"], 2_148),
        ("us/spy_1h", ["SPY"], 36_885),
        ("us/xlstm_ts_sp500_1d", ["SP500"], 4_779),
        ("us/us_daily_panel", ["SPY", "QQQ", "IWM", "EEM", "AAPL", "IBM", "BAC", "AIG", "WM", "USO", "BNO"], 44_738),
        ("fx/fx_daily_panel", ["EURUSD", "GBPUSD", "NZDUSD", "EURGBP", "XAUUSD"], 14_248),
    ],
)
def test_symbols_and_rows_are_those_of_the_description(real_data, file, symbols, rows):
    result = read_candles(real_data / f"{file}.parquet")
    assert sorted(series.symbol for series in result) == sorted(symbols)
    assert sum(len(series) for series in result) == rows


@pytest.mark.parametrize("stem", CLOSES_ONLY)
def test_files_of_closes_alone_are_refused_with_the_columns_seen(real_data, stem):
    (path,) = real_data.glob(f"*/{stem}.parquet")
    with pytest.raises(ColumnError) as caught:
        read_candles(path)
    assert caught.value.message.startswith(f"{stem}.parquet: no column for open, high")
    assert "among 'timestamp', " in caught.value.message
    assert caught.value.remedy.endswith(
        "Candles need open, high, low and close; a table of closes alone is not enough."
    )
