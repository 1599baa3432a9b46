import pytest

from triptych.market.file_names import parse_file_name


@pytest.mark.parametrize(
    ("name", "symbol", "timeframe"),
    [
        ("binance_perp_BTCUSDT_15m.parquet", "BTCUSDT", "15m"),
        ("binance_spot_BTCUSDT_1h_flow.parquet", "BTCUSDT", "1h"),
        ("GOOG_1d.parquet", "GOOG", "1d"),
        ("spy_1h.parquet", "SPY", "1h"),
        ("sse_composite_000001_15m.parquet", "000001", "15m"),
        ("csi300_000300_1d.parquet", "000300", "1d"),
        ("btc_perp_1m_2022-01.parquet", "BTC", "1m"),
        ("BTCUSDT-1m-2023-01.csv.gz", "BTCUSDT", "1m"),
        ("BTC_USDT_USDT-5m-futures.feather", "BTC/USDT:USDT", "5m"),
        ("BTC_USDT-4h.feather", "BTC/USDT", "4h"),
        ("binance_BTC_USDT_1h.csv", "BTC/USDT", "1h"),
        ("BTC-USD.csv", "BTC/USD", None),
        ("EURUSD_M15_202301020000_202301312345.csv", "EURUSD", "15m"),
        ("EURUSD240.csv", "EURUSD240", None),
        ("Binance_ETHUSDT_2023_minute.csv", "ETHUSDT", "1m"),
        ("EURUSD_Candlestick_1_Hour_BID_01.01.2020-31.12.2020.csv", "EURUSD", "1h"),
        ("BTCUSDT_1M.csv", "BTCUSDT", None),
        ("AAPL_60min.csv", "AAPL", "1h"),
        ("data.csv", None, None),
        ("daily_prices_2023.csv", None, "1d"),
    ],
)
def test_symbol_and_timeframe_are_read_from_a_file_name(name, symbol, timeframe):
    parts = parse_file_name(name)
    assert parts.symbol == symbol
    assert (None if parts.timeframe is None else str(parts.timeframe)) == timeframe
