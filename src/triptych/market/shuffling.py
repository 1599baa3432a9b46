"""The same candles in another order: a market of the same sizes in which nothing follows from anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from triptych.domain import CLOSE, VOLUME, CandleSeries


def shuffled(series: CandleSeries, seed: int, n_candles: int | None = None) -> CandleSeries:
    """The candles of a history in random order, from the same first price, at the same times, without books.

    What a candle is against the close before it (gap, body, shadows) and its volume stay together; trends, clusters of
    volatility and patterns of several candles do not. What a detector finds here is what it finds in nothing.

    Args:
        series: two candles at least.
        seed: of the order.
        n_candles: how many are wanted; None: as many as there are. When all have been used they come in another random
            order, and then in another, one timeframe apart: of few candles a long history in which nothing is to find.
    """
    values, times = series.values, series.open_time_ms
    n = len(values) if n_candles is None else n_candles
    rng, each = np.random.default_rng(seed), np.arange(1, len(values))
    orders = [rng.permutation(each) for _ in range(max(1, -(-(n - 1) // len(each))))]
    order = np.concatenate(orders)[: n - 1]
    ratios = values[order, : CLOSE + 1] / values[order - 1, CLOSE][:, None]
    before = values[0, CLOSE] * np.concatenate(([1.0], np.cumprod(ratios[:, CLOSE])[:-1]))
    made = np.empty((n, values.shape[1]))
    made[0] = values[0]
    made[1:, : CLOSE + 1] = ratios * before[:, None]
    made[1:, VOLUME] = values[order, VOLUME]
    if n != len(values):
        times = times[0] + np.arange(n) * series.timeframe.milliseconds
    return replace(series, open_time_ms=times, values=made, books=None, notes=None)
