"""Candles of stocks and indices from Yahoo through yfinance, which is an extra: pip install 'triptych[yfinance]'."""

from triptych.exchanges.yahoo.candles import YahooCandles

__all__ = ["YahooCandles"]
