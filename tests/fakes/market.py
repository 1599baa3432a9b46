"""Candle series for tests: a random walk, optionally with a trend that carries on."""

import numpy as np

from triptych.domain import CandleSeries, Instrument, Timeframe

HOUR_MS = 3_600_000


def walk(n: int, *, seed: int = 0, symbol: str = "AAA", start_ms: int = 0, momentum: float = 0.0, scale: float = 0.01):
    """Hourly candles around a geometric walk whose returns have the autocorrelation `momentum`."""
    random = np.random.default_rng(seed)
    noise = random.normal(0.0, scale, n)
    returns = np.zeros(n)
    for t in range(n):
        returns[t] = (momentum * returns[t - 1] if t else 0.0) + noise[t]
    close = 100.0 * np.exp(np.cumsum(returns))
    opening = np.concatenate(([100.0], close[:-1]))[:n]
    top, bottom = np.maximum(opening, close), np.minimum(opening, close)
    reach = np.abs(random.normal(0.0, scale / 2, (2, n)))
    values = np.column_stack([opening, top * (1 + reach[0]), bottom * (1 - reach[1]), close, random.uniform(1, 9, n)])
    return series_of(values, symbol=symbol, start_ms=start_ms)


def series_of(values, *, symbol: str = "AAA", start_ms: int = 0, open_time_ms=None) -> CandleSeries:
    """Hourly candles with the given rows of open, high, low, close, volume."""
    values = np.asarray(values, dtype=np.float64)
    times = start_ms + HOUR_MS * np.arange(len(values)) if open_time_ms is None else np.asarray(open_time_ms)
    return CandleSeries(
        instrument=Instrument(symbol=symbol),
        timeframe=Timeframe(HOUR_MS),
        open_time_ms=times.astype(np.int64),
        values=values,
    )
