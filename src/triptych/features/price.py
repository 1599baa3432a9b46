"""Ratios of prices within a candle and to the one before."""

from __future__ import annotations

from typing import Final

import numpy as np

from triptych.features.factor import Factor, Family

_factor = Family("price")

FACTORS: Final[tuple[Factor, ...]] = (
    _factor("return_1", 1, lambda h: h.log_return, "log(close / previous close)"),
    _factor("gap", 1, lambda h: np.log(h.open / h.previous_close), "log(open / previous close)"),
    _factor("body", 0, lambda h: np.log(h.close / h.open), "log(close / open)"),
    _factor("range", 0, lambda h: np.log(h.high / h.low), "log(high / low)"),
    _factor(
        "upper_shadow",
        0,
        lambda h: (h.high - np.maximum(h.open, h.close)) / h.close,
        "(high - larger of open and close) / close",
    ),
    _factor(
        "lower_shadow",
        0,
        lambda h: (np.minimum(h.open, h.close) - h.low) / h.close,
        "(smaller of open and close - low) / close",
    ),
    _factor(
        "close_location",
        0,
        lambda h: h.close_location,
        "(2 close - high - low) / (high - low), from -1 to 1; 0 without range",
        "ratio",
    ),
    _factor("high_return", 1, lambda h: np.log(h.high / h.previous_close), "log(high / previous close)"),
    _factor("low_return", 1, lambda h: np.log(h.low / h.previous_close), "log(low / previous close)"),
)
"""To add a factor, add a line."""
