"""Candles along straight legs, for patterns drawn by hand."""

import numpy as np

LOOSE = {"shortest": 5, "least_height": 0.0, "least_closeness": 0.0}
"""Options under which nothing is left out for being small or rough."""


def legs(*nodes: tuple[int, float], wick: float = 0.1):
    """Candles of shape (n, 5) whose closes go straight from node to node; nodes are (candle, price)."""
    at, price = zip(*nodes, strict=True)
    close = np.interp(np.arange(at[-1] + 1), at, price)
    opens = np.r_[close[0], close[:-1]]
    high, low = np.maximum(opens, close) + wick, np.minimum(opens, close) - wick
    return np.column_stack([opens, high, low, close, np.ones(len(close))])


def mirrored(values, around: float = 200.0):
    """The same candles upside down."""
    opens, high, low, close, volume = values.T
    return np.column_stack([around - opens, around - low, around - high, around - close, volume])
