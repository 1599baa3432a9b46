"""Candles at given times, for tests of the market floor."""

import numpy as np

from triptych.domain import CandleSeries, Instrument, Timeframe


def make_series(times, values=None, *, timeframe="15m", symbol="BTCUSDT", venue="local", seed=0) -> CandleSeries:
    """A series at the given times; random but valid candles unless values are given."""
    times = np.asarray(times, dtype=np.int64)
    if values is None:
        rng = np.random.default_rng(seed)
        close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.01, len(times)))), 2)
        opens = np.r_[100.0, close[:-1]][: len(times)]
        high = np.maximum(opens, close) + np.round(rng.random(len(times)), 2)
        low = np.minimum(opens, close) - np.round(rng.random(len(times)), 2)
        values = np.column_stack([opens, high, low, close, rng.integers(1, 1000, len(times)).astype(float)])
    return CandleSeries(
        instrument=Instrument(symbol=symbol, venue=venue),
        timeframe=Timeframe.parse(timeframe),
        open_time_ms=times,
        values=np.asarray(values, dtype=np.float64).reshape(len(times), 5),
    )
