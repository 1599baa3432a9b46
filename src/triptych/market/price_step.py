"""The price step of candles that come without their instrument's rules."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

_ROWS = 4096
"""Candles looked at, spread evenly over the history."""
_FINEST = -18
_SHARE_EXPONENT = -4
"""A step is at most this power of ten of the lowest price: a hundredth of a per cent."""


def infer_price_step(prices: NDArray[np.float64]) -> Decimal:
    """The power of ten on whose multiples the prices stand.

    Args:
        prices: float64 array of shape (n_candles, 4), all above zero.

    Returns:
        As many decimals as the prices are written with, and never so coarse that rounding to the step could cost more
        than 0.01 % of the lowest price: a file of whole numbers does not prove that the venue trades in whole numbers,
        and prices of a millionth need more decimals than most.
    """
    rows = prices[np.linspace(0, len(prices) - 1, min(len(prices), _ROWS)).astype(np.int64)]
    written = min(int(Decimal(repr(price)).normalize().as_tuple().exponent) for price in np.unique(rows).tolist())
    lowest = Decimal(repr(float(prices.min()))).adjusted()
    return Decimal(1).scaleb(max(min(written, lowest + _SHARE_EXPONENT), min(_FINEST, lowest + _SHARE_EXPONENT)))
