"""Markets that are hard on factors, as (values, open_time_ms) of 15-minute candles."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from triptych.domain import CLOSE, VOLUME

TIMEFRAME_MS = 900_000
START_MS = 1_609_459_200_000
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
REAL = {
    "perpetual": "crypto/binance_perp_BTCUSDT_5m.parquet",
    "ticks": "crypto/binance_spot_XRPUSDT_15m.parquet",
    "sessions": "china/sse_composite_000001_15m.parquet",
    "no volume": "fx/EURUSD_1h.parquet",
}


def random_walk(n: int = 3000, seed: int = 0, *, price: float = 100.0, move: float = 0.003):
    """Candles of four moves each, with lognormal volume."""
    rng = np.random.default_rng(seed)
    path = price * np.exp(np.cumsum(rng.normal(0.0, move, (n, 4)).ravel())).reshape(n, 4)
    opens = np.r_[price, path[:-1, -1]]
    inside = np.column_stack([opens, path])
    volume = rng.lognormal(3.0, 1.0, n)
    values = np.column_stack([opens, inside.max(axis=1), inside.min(axis=1), path[:, -1], volume])
    return values, START_MS + TIMEFRAME_MS * np.arange(n)


def _on_ticks(tick: float):
    values, times = random_walk(seed=1)
    values[:, :VOLUME] = np.round(values[:, :VOLUME] / tick) * tick
    return values, times


def _halted():
    """Three halts filled with flat candles, the last longer than any memory; prices on a grid of ticks."""
    values, times = _on_ticks(0.01)
    for start, stop in ((300, 330), (700, 1000), (1500, 2400)):
        values[start:stop, :VOLUME] = values[start - 1, CLOSE]
        values[start:stop, VOLUME] = 0.0
    return values, times


def _constant():
    values, times = random_walk(seed=2)
    values[:, :VOLUME] = 0.1
    values[:, VOLUME] = 0.0
    return values, times


def _spike():
    """One candle with a price a thousand times higher and an absurd volume."""
    values, times = random_walk(seed=3)
    values[400] = (values[400, 0], values[400, 0] * 1000.0, values[400, 0] * 0.5, values[400, 0] * 900.0, 1e15)
    return values, times


def _gaps():
    values, times = random_walk(seed=4)
    return values, times + TIMEFRAME_MS * np.cumsum(np.random.default_rng(4).integers(0, 4, len(times)))


MADE = {
    "random walk": random_walk,
    "ticks": lambda: _on_ticks(0.1),
    "coarse ticks": lambda: _on_ticks(1.0),
    "halted": _halted,
    "constant": _constant,
    "spike": _spike,
    "gaps": _gaps,
    "tiny moves": lambda: random_walk(seed=5, price=1e5, move=1e-7),
    "cheap": lambda: random_walk(seed=6, price=1e-8),
}


def real(name: str, n: int = 3000):
    """Candles of a real file; skips where the shared data is not there."""
    path = SHARED / REAL[name]
    if not path.exists():
        pytest.skip(f"{path.name} is not on this machine")
    frame = pl.read_parquet(path).head(n)
    values = frame.select("open", "high", "low", "close", "volume").to_numpy().astype(np.float64)
    times = frame["timestamp"].dt.epoch("ms").to_numpy()
    return values, times, int(np.diff(times).min())
