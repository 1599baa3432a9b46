"""Candles of other venues through ccxt, which is an extra: pip install 'triptych[ccxt]'."""

from triptych.exchanges.ccxt.candles import CcxtCandles

__all__ = ["CcxtCandles"]
