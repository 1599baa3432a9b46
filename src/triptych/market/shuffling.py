"""The same candles in another order: a market of the same sizes in which nothing follows from anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from triptych.domain import CLOSE, VOLUME, CandleSeries


def shuffled(series: CandleSeries, seed: int) -> CandleSeries:
    """The candles of a history in random order, from the same first price, at the same times, without books.

    What a candle is against the close before it (gap, body, shadows) and its volume stay together; trends, clusters of
    volatility and patterns of several candles do not. What a detector finds here is what it finds in nothing.

    Args:
        series: two candles at least.
        seed: of the order.
    """
    values = series.values
    order = np.random.default_rng(seed).permutation(np.arange(1, len(values)))
    ratios = values[order, : CLOSE + 1] / values[order - 1, CLOSE][:, None]
    before = values[0, CLOSE] * np.concatenate(([1.0], np.cumprod(ratios[:, CLOSE])[:-1]))
    made = values.copy()
    made[1:, : CLOSE + 1] = ratios * before[:, None]
    made[1:, VOLUME] = values[order, VOLUME]
    return replace(series, values=made, books=None, notes=None)
